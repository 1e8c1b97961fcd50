test_that("points have the promised form, and classes are equally frequent", {
  set.seed(1)
  for (form in names(point_forms)) {
    points <- sim_points(41, form)
    expect_identical(dim(points$x), c(41L, 2L), label = form)
    expect_identical(colnames(points$x), c("x1", "x2"), label = form)
    expect_identical(as.vector(table(points$y)), c(21L, 20L), label = form)
    expect_identical(levels(points$y), c("a", "b"), label = form)
  }
  expect_type(sim_points(5, "hills")$y, "double")
})

test_that("without noise points lie where the help says", {
  set.seed(2)
  sides <- function(form, n = 2000) {
    points <- sim_points(n, form, noise = 0)
    split(data.frame(points$x, r = sqrt(rowSums(points$x^2))), points$y)
  }
  circles <- sides("circles")
  expect_true(all(circles$b$r < 0.5) && all(circles$a$r > 0.7 & circles$a$r < 1))
  expect_equal(mean(circles$b$r < 0.25), 0.25, tolerance = 0.2) # a disc is filled evenly: a quarter within half the radius

  xor <- sides("xor")
  expect_true(all(xor$b$x1 * xor$b$x2 > 0) && all(xor$a$x1 * xor$a$x2 < 0))
  expect_true(all(abs(unlist(rbind(xor$a, xor$b)[c("x1", "x2")])) > 0.08))
  expect_setequal(sign(xor$a$x1), c(-1, 1))

  spirals <- sides("spirals")
  for (class in c("a", "b")) { # at radius r the angle from the second axis is 3.5 pi r, half a turn more for class a
    half <- if (class == "a") pi else 0
    s <- spirals[[class]]
    expect_equal(s$x1, s$r * sin(3.5 * pi * s$r + half))
    expect_equal(s$x2, s$r * cos(3.5 * pi * s$r + half))
  }

  moons <- sides("moons")
  centre <- list(a = c(-1, -0.5) / 3, b = c(1, 0.5) / 3)
  for (class in c("a", "b")) { # half circles of radius 2 / 3
    m <- moons[[class]]
    up <- (m$x2 - c(a = -1, b = 1)[[class]] / 6) * c(a = 1, b = -1)[[class]]
    expect_true(all(up >= -1e-12), label = class)
    expect_equal((m$x1 - centre[[class]][1])^2 + up^2, rep(4 / 9, nrow(m)), label = class)
  }

  clusters <- sides("clusters")
  expect_equal(colMeans(clusters$b[c("x1", "x2")]), c(x1 = 0.45, x2 = 0.45), tolerance = 0.05)
  expect_equal(colMeans(clusters$a[c("x1", "x2")]), c(x1 = -0.45, x2 = -0.45), tolerance = 0.05)
  expect_equal(stats::sd(clusters$a$x1), 0.18, tolerance = 0.1)

  hills <- sim_points(50, "hills", noise = 0)
  by_hand <- apply(hills$x, 1, function(x) exp(-sum((x - 0.5)^2) / 0.15) - exp(-sum((x + 0.5)^2) / 0.15))
  expect_equal(hills$y, by_hand)
  expect_true(all(abs(hills$x) <= 1))
})

test_that("noise has the standard deviation asked for, and set.seed() repeats the points", {
  set.seed(3)
  quiet <- sim_points(4000, "circles", noise = 0)
  set.seed(3)
  noisy <- sim_points(4000, "circles", noise = 0.2)
  expect_identical(noisy$y, quiet$y)
  expect_equal(stats::sd(noisy$x - quiet$x), 0.2, tolerance = 0.05)
  set.seed(3)
  expect_identical(sim_points(4000, "circles", noise = 0.2), noisy)
})

test_that("bad arguments are refused by name", {
  expect_identical(expect_error(sim_points(1), class = "lamina_error_argument")$arg, "n")
  expect_identical(expect_error(sim_points(9, "moon"), class = "lamina_error_argument")$arg, "form")
  expect_identical(expect_error(sim_points(9, noise = -1), class = "lamina_error_argument")$arg, "noise")
})
