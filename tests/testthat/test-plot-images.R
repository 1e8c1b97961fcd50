pictures <- array((sin(seq_len(6 * 8 * 9 * 3)) + 1) / 2, c(6, 8, 9, 3))
y <- factor(c("a", "b", "a", "b", "a", "b"))
p <- cbind(c(0.9, 0.8, 0.4, 0.1, 0.2, 0.4), 0)
p[, 2] <- 1 - p[, 1]
wrong <- c(2, 3, 5) # their true classes have probabilities 0.2, 0.4, 0.2

test_that("pictures of every shape become samples x height x width x channels in 0..1", {
  expect_identical(dim(as_pictures(pictures)), c(6L, 8L, 9L, 3L))
  expect_identical(dim(as_pictures(pictures[, , , 1])), c(6L, 8L, 9L, 1L))
  expect_identical(dim(as_pictures(pictures[1, , , 1])), c(1L, 8L, 9L, 1L))
  expect_identical(dim(as_pictures(pictures[1, , , ])), c(1L, 8L, 9L, 3L))
  expect_equal(as_pictures(matrix(c(0, 255, 51, 102), 2))[1, , , 1], matrix(c(0, 1, 0.2, 0.4), 2))
  expect_equal(as_pictures(matrix(c(-1, 1, 0, 0), 2))[1, , , 1], matrix(c(0, 1, 0.5, 0.5), 2))
  expect_equal(as_pictures(matrix(0:1, 1, 2), c(0, 2))[1, , , 1], c(0, 0.5))
  expect_error(as_pictures(1:3), class = "lamina_error_shape")
  expect_error(as_pictures(array(0, c(2, 8, 8, 2))), class = "lamina_error_shape")
  expect_error(as_pictures(matrix(NA_real_, 2, 2)), class = "lamina_error_data")
  expect_error(as_pictures(diag(2), 1:3), class = "lamina_error_argument")
})

test_that("rasters hold the colours of the pixels, row by row", {
  one <- array(0, c(1, 2, 2, 3))
  one[1, 1, 2, 1] <- 1
  one[1, 2, 1, 3] <- 1
  expect_identical(picture_raster(one, 1), matrix(c("#000000", "#0000FF", "#FF0000", "#000000"), 2))
  expect_identical(picture_raster(array(c(0, 1), c(1, 1, 2, 1)), 1), matrix(c("#000000", "#FFFFFF"), 1))
})

test_that("the worst mistakes come first", {
  shown <- plot_array(plot_images(pictures, y, p, which = "worst", method = "base"))
  expect_identical(shown$sample, c(2L, 5L, 3L))
  expect_equal(shown$loss, -log(c(0.2, 0.2, 0.4)))
  expect_equal(shown$probability, c(0.8, 0.8, 0.6))
  expect_identical(as.character(shown$predicted), c("a", "b", "b"))
  expect_identical(plot_array(plot_images(pictures, y, p, which = "wrong", method = "base"))$sample, c(2L, 3L, 5L))
  expect_identical(plot_array(plot_images(pictures, y, p, which = "worst", max = 1, method = "base"))$sample, 2L)
  expect_identical(plot_array(plot_images(pictures, y, p, which = 4:6, method = "base"))$sample, 4:6)
  expect_identical(plot_array(plot_images(pictures, max = 2, method = "base"))$sample, 1:2)
})

test_that("captions tell truth, prediction and probability", {
  judged <- judge_pictures(y, p, NULL, 6)
  local_device()
  expect_identical(picture_captions(judged, 6, 2)[1:2], c("a -> a (90%)", "b -> a (80%)"))
  expect_identical(picture_captions(judged, 6, 12)[2], "b\n-> a (80%)")
  expect_identical(picture_captions(judge_pictures(y, NULL, NULL, 6), 6, 2), as.character(y))
  expect_identical(picture_captions(judge_pictures(NULL, p, c("u", "v"), 6), 6, 2)[3], "v (60%)")
  expect_identical(picture_captions(judge_pictures(y, as.integer(y) - 1, NULL, 6), 6, 2)[1], "a -> a")
  expect_null(picture_captions(judge_pictures(NULL, NULL, NULL, 6), 6, 2))
})

test_that("pictures stay inside the device and do not overlap, whatever their number and form", {
  for (n in c(1, 2, 5, 25, 64)) {
    for (form in list(c(8, 8), c(4, 16), c(30, 5))) {
      rasters <- rep(list(matrix("#000000", form[1L], form[2L])), n)
      layout <- grid_layout(rasters, rep("truth -> predicted (98%)", n), scale = signed_scale(1), main = "main",
                            headings = if (n == 5) letters[1:5], columns = if (n == 5) 5, size = c(7, 7))
      at <- layout$pictures
      expect_true(all(at$xmin >= 0 & at$ymin >= 0 & at$xmax <= 7.001 & at$ymax <= 7.001))
      expect_true(all(at$xmax > at$xmin & at$ymax > at$ymin))
      size <- c(at$xmax[1L] - at$xmin[1L], at$ymax[1L] - at$ymin[1L])
      expect_equal(size[2L] / size[1L], form[1L] / form[2L])
      first <- at[seq_len(n), ]
      apart <- outer(first$xmin, first$xmax, ">=") | outer(first$xmax, first$xmin, "<=") |
        outer(first$ymin, first$ymax, ">=") | outer(first$ymax, first$ymin, "<=")
      expect_true(all(apart | diag(n) == 1))
    }
  }
})

test_that("scales are centred at 0 for signed numbers", {
  scale <- signed_scale(c(-1, 4))
  expect_identical(scale$limits, c(-4, 4))
  expect_identical(scale_raster(matrix(0), scale), matrix("#FFFFFF"))
  expect_identical(scale_raster(matrix(4), scale), matrix(scale$ramp[length(scale$ramp)]))
  expect_identical(fitting_scale(c(0, 2))$limits, c(0, 2))
  expect_identical(heat_scale(c(0, 0))$limits, c(0, 1))
})

test_that("both ways of drawing work without a warning and say what is shown", {
  local_device()
  before <- graphics::par(c("mar", "xpd"))
  for (x in list(pictures, pictures[, , , 1], round(255 * pictures), pictures[1, , , ])) {
    expect_no_warning(expect_invisible(plot_images(x, method = "base")))
    skip_if_not_installed("ggplot2")
    plot <- plot_images(x)
    expect_no_warning(print(plot))
    expect_identical(attr(plot, "array")$sample, seq_len(if (length(dim(x)) == 3L && dim(x)[3L] == 3L) 1L else 6L))
  }
  expect_no_warning(plot_images(pictures, y, p, which = "worst", main = "worst", ncol = 2, method = "base"))
  expect_identical(graphics::par(c("mar", "xpd")), before)
})

test_that("what cannot be shown is refused", {
  local_device()
  expect_error(plot_images(pictures, y[1:3]), class = "lamina_error_data")
  expect_error(plot_images(pictures, y, which = "worst"), class = "lamina_error_argument")
  expect_error(plot_images(pictures, y, as.integer(y) %% 2, which = "worst"), "probabilities", class = "lamina_error_argument")
  expect_error(plot_images(pictures, which = 7), class = "lamina_error_argument")
  expect_error(plot_images(pictures, y, y, which = "wrong"), class = "lamina_error_state")
  expect_error(plot_images(pictures, max = 0), class = "lamina_error_argument")
  expect_error(plot_images("a"), class = "lamina_error_shape")
})
