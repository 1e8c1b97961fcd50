test_that("%<-% takes lists apart", {
  c(a, b) %<-% list(1, "x")
  expect_identical(list(a, b), list(1, "x"))
  data <- list(train = list(x = 1:3, y = NULL), test = list(x = 4:5, y = list()))
  c(c(x_train, y_train), c(x_test, y_test)) %<-% data
  expect_identical(list(list(x_train, y_train), list(x_test, y_test)), unname(lapply(data, unname)))
  c(., second) %<-% data.frame(u = 1:2, v = 3:4)
  expect_identical(second, 3:4)
  expect_false(exists(".", environment(), inherits = FALSE))
  whole %<-% 5:6
  expect_identical(whole, 5:6)
  c(one, two) %<-% whole
  expect_identical(c(one, two), 5:6)
  expect_identical(withVisible(c(one, two) %<-% whole), list(value = 5:6, visible = FALSE))
})

test_that("%<-% refuses what does not fit and makes nothing then", {
  expect_error(c(n1, n2) %<-% list(1), class = "lamina_error_argument")
  expect_error(c(n1, n2) %<-% list(1, 2, 3), class = "lamina_error_argument")
  expect_error(c(n1, c(n2, n3)) %<-% list(1, mean), class = "lamina_error_argument")
  expect_error(c(n1, n2[1]) %<-% list(1, 2), class = "lamina_error_argument")
  expect_error(c(n1, n2 = 3) %<-% list(1, 2), class = "lamina_error_argument")
  expect_error(list(n1, n2) %<-% list(1, 2), class = "lamina_error_argument")
  for (name in c("n1", "n2", "n3")) expect_false(exists(name, environment(), inherits = FALSE))
})
