test_that("every error of lamina has its class, its fields, and the call of the user's function", {
  error <- tryCatch(layer_dense(units = -3), error = identity)
  expect_s3_class(error, c("lamina_error_argument", "lamina_error"))
  expect_s3_class(error, "error") # tryCatch(error =) works as ever
  expect_identical(error[c("arg", "expected", "actual")],
                   list(arg = "units", expected = "a whole number of at least 1", actual = "-3"))
  expect_identical(conditionMessage(error), "`units` must be a whole number of at least 1, not -3.")
  expect_identical(as.character(error$call[[1L]]), "layer_dense")
})

test_that("errors of the core carry the same fields", {
  error <- tryCatch(compile(keras_model_sequential(), optimizer = list(type = "sgd"), loss = "mse"), error = identity)
  expect_s3_class(error, c("lamina_error_argument", "lamina_error"))
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(3)
  model |> compile(loss = "mse")
  error <- tryCatch(fit(model, matrix(0, 5, 2), 1:5), error = identity)
  expect_s3_class(error, c("lamina_error_shape", "lamina_error"))
  expect_identical(error[c("arg", "expected", "actual")], list(arg = "y", expected = "3 numbers a sample", actual = "1"))
  expect_identical(as.character(error$call[[1L]]), "fit")
})

test_that("warnings and messages have their classes", {
  expect_warning(warn_lamina("look out", "lamina_warning_mine"), class = "lamina_warning")
  expect_message(inform_lamina("by the way", "lamina_message_mine"), class = "lamina_message")
})

test_that("the nearest name, when one is near", {
  known <- c("adam", "sgd", "rmsprop")
  expect_identical(nearest("amad", known), "adam")
  expect_identical(nearest("RMSprop", known), "rmsprop")
  expect_identical(nearest("something else", known), character())
  expect_identical(nearest("7", c("0", "1")), character())
  losses <- c("binary_crossentropy", "sparse_categorical_crossentropy", "sparse_categorical_focal_crossentropy")
  expect_identical(nearest("sparse_crossentropy", losses), losses[2])
  expect_identical(nearest("binary_crossentropi", losses), losses[1])
  expect_identical(nearest("x", character()), character())
})

test_that("describe() says what was found in a few words", {
  expect_identical(describe(NULL), "NULL")
  expect_identical(describe(3L), "3")
  expect_identical(describe("a"), "\"a\"")
  expect_identical(describe(1:3), "an integer vector of length 3")
  expect_identical(describe(factor(1:3)), "a factor of length 3")
  expect_identical(describe(list(1, 2)), "a list of 2")
  expect_identical(describe(mean), "a function")
  expect_identical(describe(data.frame(a = 1:2)), "a data frame of 2 rows and 1 columns")
  expect_identical(describe(matrix(0, 2, 3)), "an array of double of shape (2, 3)")
  expect_identical(describe(as.Date("2020-01-01")), "an object of class Date")
})

test_that("an argument that was left out is named", {
  for (call in list(quote(layer_dense(8)), quote(layer_dense(keras_model_sequential())), quote(layer_dropout()), quote(layer_repeat_vector()))) {
    error <- expect_error(eval(call), "is missing", class = "lamina_error_argument")
    expect_true(error$arg %in% c("units", "rate", "n"))
  }
})
