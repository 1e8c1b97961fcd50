test_that("pictures have the promised form", {
  set.seed(1)
  shapes <- sim_shapes(40, size = 16)
  expect_identical(dim(shapes$x), c(40L, 16L, 16L, 1L))
  expect_true(all(shapes$x >= 0 & shapes$x <= 1))
  expect_identical(levels(shapes$y), c("circle", "square", "triangle", "cross"))
  expect_identical(as.vector(table(shapes$y)), rep(10L, 4))
  colour <- sim_shapes(3, size = 16, color = TRUE)
  expect_identical(dim(colour$x), c(3L, 16L, 16L, 3L))
  expect_identical(dim(sim_shapes(1)$x), c(1L, 28L, 28L, 1L))
})

test_that("set.seed() repeats the pictures", {
  set.seed(7)
  a <- sim_shapes(20)
  set.seed(7)
  expect_identical(sim_shapes(20), a)
  expect_false(identical(sim_shapes(20), a))
})

test_that("shapes stand out from the background and lie wholly in the picture", {
  set.seed(4)
  for (class in names(shape_distance)) {
    shapes <- sim_shapes(30, classes = c(class, setdiff(names(shape_distance), class)[1L]), noise = 0)
    x <- shapes$x[shapes$y == class, , , 1]
    contrast <- apply(x, 1, function(p) diff(range(p)))
    expect_gt(min(contrast), 0.45, label = class)
    if (class != "edge") {
      rim <- cbind(x[, 1, ], x[, 28, ], x[, , 1], x[, , 28])
      expect_equal(rim, matrix(rim[, 1], nrow(rim), ncol(rim)), label = class)
    }
  }
})

test_that("areas are those of geometry", {
  area <- function(class) { # of a shape of radius 12, by counting points inside
    at <- seq(-19.987, 20, 0.05)
    point <- expand.grid(u = at, v = at)
    sum(shape_distance[[class]](point$u, point$v, 12) < 0) * 0.05^2
  }
  expect_equal(area("circle"), pi * 144, tolerance = 0.01)
  expect_equal(area("square"), (2 * 0.8 * 12)^2, tolerance = 0.01)
  expect_equal(area("triangle"), 3 * sqrt(3) * (0.55 * 12)^2, tolerance = 0.01)
  expect_equal(area("cross"), 2 * 24 * 7.2 - 7.2^2, tolerance = 0.01)
  expect_equal(area("ring"), pi * (144 - 7.2^2), tolerance = 0.01)
  expect_equal(area("bar"), 24 * 6, tolerance = 0.01)
  expect_equal(area("stripes"), area("checks"), tolerance = 0.1)
})

test_that("rotation = 0 draws upright shapes", {
  set.seed(5)
  upright <- sim_shapes(20, classes = c("bar", "cross"), noise = 0, rotation = 0)
  bars <- upright$x[upright$y == "bar", , , 1]
  for (i in seq_len(dim(bars)[1])) { # a lying bar is wider than it is high
    ink <- abs(bars[i, , ] - bars[i, 1, 1]) > 0.01
    expect_gt(sum(colSums(ink) > 0), 2 * sum(rowSums(ink) > 0))
  }
})

test_that("bad arguments are refused", {
  expect_error(sim_shapes(0), class = "lamina_error_argument")
  expect_error(sim_shapes(5, size = 4), class = "lamina_error_argument")
  expect_error(sim_shapes(5, noise = -1), class = "lamina_error_argument")
  expect_error(sim_shapes(5, classes = "circle"), class = "lamina_error_argument")
  expect_error(sim_shapes(5, classes = c("circle", "circel")), "circle", class = "lamina_error_argument")
  expect_error(sim_shapes(5, rotation = 200), class = "lamina_error_argument")
})
