# A model of one layer, and what it makes of pictures (samples x height x width x channels).
augment <- function(layer, x, training = TRUE) {
  model <- keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1L])
  layer_outputs(model, x, training = training)
}

pictures <- function(n, height, width, channels = 1) {
  array(seq_len(n * height * width * channels) %% 97 / 97, c(n, height, width, channels))
}

random_layers <- list(
  flip = function(...) layer_random_flip(...),
  rotation = function(...) layer_random_rotation(factor = 0.3, ...),
  translation = function(...) layer_random_translation(height_factor = 0.3, width_factor = 0.2, ...),
  zoom = function(...) layer_random_zoom(height_factor = 0.3, ...),
  contrast = function(...) layer_random_contrast(factor = 0.5, value_range = c(0, 1), ...),
  brightness = function(...) layer_random_brightness(factor = 0.5, value_range = c(0, 1), ...)
)

test_that("in predict() augmentation does nothing, in training it does", {
  x <- pictures(8, 5, 7, 2)
  for (name in names(random_layers)) {
    model <- keras_model_sequential(layers = list(random_layers[[name]]()), input_shape = c(5, 7, 2))
    expect_equal(predict(model, x), x, tolerance = 1e-7, label = name)
    expect_gt(max(abs(layer_outputs(model, x, training = TRUE) - x)), 0.01, label = name)
  }
})

test_that("set.seed() repeats the pictures, and threads change nothing", {
  x <- pictures(33, 6, 5, 3)
  before <- lamina_threads()
  withr::defer(lamina_threads(before))
  for (name in names(random_layers)) {
    run <- function(seed, threads) {
      lamina_threads(threads)
      set.seed(seed)
      augment(random_layers[[name]](), x)
    }
    one <- run(1, 1)
    expect_identical(run(1, 1), one, label = name)
    expect_identical(run(1, 2), one, label = name)
    expect_false(identical(run(2, 1), one), label = name)
    set.seed(3)
    own <- augment(random_layers[[name]](seed = 5), x)
    set.seed(4)
    expect_identical(augment(random_layers[[name]](seed = 5), x), own, label = name)
  }
})

test_that("training sees new pictures each time", {
  set.seed(1)
  x <- pictures(4, 4, 4)
  model <- keras_model_sequential(input_shape = c(4, 4, 1)) |>
    layer_random_brightness(0.5, value_range = c(-9, 9)) |>
    layer_flatten() |>
    layer_dense(1, use_bias = FALSE, kernel_initializer = "ones")
  model |> compile(optimizer = optimizer_sgd(0), loss = "mse")
  history <- model |> fit(x, rep(0, 4), epochs = 4, batch_size = 4, shuffle = FALSE)
  expect_identical(anyDuplicated(history$metrics$loss), 0L)
})

test_that("a flip mirrors, and every outcome is as frequent as it should be", {
  set.seed(11)
  x <- array(0, c(2000, 2, 3, 1))
  x[, 1, 1, 1] <- 1 # marks the upper left corner
  where <- function(mode) {
    y <- augment(layer_random_flip(mode = mode), x)
    expect_equal(apply(y, 1, sum), rep(1, 2000))
    c(upper_left = sum(y[, 1, 1, 1]), upper_right = sum(y[, 1, 3, 1]),
      lower_left = sum(y[, 2, 1, 1]), lower_right = sum(y[, 2, 3, 1]))
  }
  expect_gt(stats::chisq.test(where("horizontal_and_vertical"))$p.value, 1e-4)
  sideways <- where("horizontal")
  expect_identical(unname(sideways[3:4]), c(0, 0))
  expect_gt(stats::chisq.test(sideways[1:2])$p.value, 1e-4)
  upside <- where("vertical")
  expect_identical(unname(upside[c(2, 4)]), c(0, 0))
  expect_gt(stats::chisq.test(upside[c(1, 3)])$p.value, 1e-4)
  x <- pictures(20, 3, 4, 2)
  y <- augment(layer_random_flip(mode = "horizontal"), x)
  for (i in 1:20) {
    same <- max(abs(y[i, , , ] - x[i, , , ])) < 1e-6
    mirrored <- max(abs(y[i, , , ] - x[i, , 4:1, ])) < 1e-6
    expect_true(same || mirrored)
  }
})

test_that("a quarter turn is what turning by hand gives, counter-clockwise", {
  x <- pictures(2, 5, 5, 2)
  turn <- function(m) t(m)[ncol(m):1, ]
  expect_identical(turn(matrix(1:4, 2)), matrix(c(3L, 1L, 4L, 2L), 2)) # 1 3 / 2 4 becomes 3 4 / 1 2
  for (fill_mode in c("reflect", "constant")) {
    y <- augment(layer_random_rotation(factor = c(0.25, 0.25), fill_mode = fill_mode), x)
    back <- augment(layer_random_rotation(factor = c(-0.25, -0.25), fill_mode = fill_mode), y)
    for (i in 1:2) for (channel in 1:2) {
      expect_equal(y[i, , , channel], turn(x[i, , , channel]), tolerance = 1e-6)
    }
    expect_equal(back, x, tolerance = 1e-6)
  }
  half <- augment(layer_random_rotation(factor = c(0.5, 0.5)), pictures(1, 3, 4))
  expect_equal(half[1, , , 1], pictures(1, 3, 4)[1, 3:1, 4:1, 1], tolerance = 1e-6)
})

test_that("a shift moves down and right, and what comes in follows fill_mode", {
  x <- array(c(1, 2, 3, 4), c(1, 1, 4, 1))
  shifted <- function(by, ...) {
    c(augment(layer_random_translation(height_factor = 0, width_factor = c(by, by), ...), x))
  }
  expect_equal(shifted(0.5), c(2, 1, 1, 2))
  expect_equal(shifted(-0.5), c(3, 4, 4, 3))
  expect_equal(shifted(0.5, fill_mode = "wrap"), c(3, 4, 1, 2))
  expect_equal(shifted(0.5, fill_mode = "nearest"), c(1, 1, 1, 2))
  expect_equal(shifted(0.5, fill_mode = "constant", fill_value = 7), c(7, 7, 1, 2))
  expect_equal(shifted(0.125), c(1, 1.5, 2.5, 3.5))
  expect_equal(shifted(0.0625, interpolation = "nearest"), c(1, 2, 3, 4))
  down <- augment(layer_random_translation(height_factor = c(0.5, 0.5), width_factor = 0,
                                           fill_mode = "constant"), aperm(x, c(1, 3, 2, 4)))
  expect_equal(c(down), c(0, 0, 1, 2))
})

test_that("a zoom scales distances from the centre", {
  x <- array(0:8, c(1, 1, 9, 1))
  zoomed <- function(by, ...) c(augment(layer_random_zoom(height_factor = 0, width_factor = c(by, by), ...), x))
  expect_equal(zoomed(-0.5), 4 + 0.5 * (-4:4))
  expect_equal(zoomed(1, fill_mode = "constant", fill_value = -1), c(-1, -1, 0, 2, 4, 6, 8, -1, -1))
  alike <- augment(layer_random_zoom(height_factor = c(-0.5, -0.5)), array(outer(0:4, 0:4, "+"), c(1, 5, 5, 1)))
  expect_equal(alike[1, , , 1], outer(2 + 0.5 * (-2:2), 2 + 0.5 * (-2:2), "+"))
})

test_that("contrast and brightness keep to their formulas and bounds", {
  set.seed(2)
  x <- pictures(500, 2, 3, 2)
  mean <- apply(x, c(1, 4), mean)
  y <- augment(layer_random_contrast(factor = c(0.5, 0.2), value_range = c(-9, 9)), x)
  f <- (y[, 1, 1, 1] - mean[, 1]) / (x[, 1, 1, 1] - mean[, 1])
  for (channel in 1:2) {
    expect_equal(y[, , , channel], (x[, , , channel] - mean[, channel]) * f + mean[, channel], tolerance = 1e-4)
  }
  expect_true(all(f > 0.5 - 1e-4 & f < 1.2 + 1e-4))
  expect_gt(stats::ks.test(f, "punif", 0.5, 1.2)$p.value, 1e-4)
  y <- augment(layer_random_brightness(factor = 0.25, value_range = c(0, 1)), x)
  expect_true(all(y >= 0 & y <= 1))
  free <- augment(layer_random_brightness(factor = c(-0.1, 0.3), value_range = c(-10, 10)), x)
  added <- free[, 1, 1, 1] - x[, 1, 1, 1]
  expect_equal(free, x + added, tolerance = 1e-5)
  expect_gt(stats::ks.test(added, "punif", -2, 6)$p.value, 1e-4)
})

test_that("one number works both ways, two are sorted", {
  config <- function(layer) layer$factor
  expect_identical(config(layer_random_rotation(factor = 0.2)), c(-0.2, 0.2))
  expect_identical(config(layer_random_rotation(factor = list(0.3, -0.1))), c(-0.1, 0.3))
  expect_identical(config(layer_random_contrast(factor = 0.2)), c(0.2, 0.2))
  expect_identical(config(layer_random_contrast(factor = c(0.4, 0.2))), c(0.4, 0.2))
  expect_identical(layer_random_brightness(factor = 0.1, value_range = list(0, 1))$value_range, c(0, 1))
})

test_that("gradients go through augmentation to the inputs", {
  set.seed(1)
  x <- pictures(3, 4, 4)
  model <- keras_model_sequential(input_shape = c(4, 4, 1)) |>
    layer_resizing(3, 5) |>
    layer_random_rotation(0.1) |>
    layer_flatten() |>
    layer_dense(1)
  model |> compile(loss = "mse")
  loss <- function(x) compute_gradients(model, x, c(1, 2, 3))
  slope <- loss(x)$inputs
  at <- cbind(c(1, 2, 3), c(1, 4, 2), c(3, 2, 2), 1)
  for (i in 1:3) {
    up <- down <- x
    up[at[i, , drop = FALSE]] <- x[at[i, , drop = FALSE]] + 0.01
    down[at[i, , drop = FALSE]] <- x[at[i, , drop = FALSE]] - 0.01
    expect_equal((loss(up)$loss - loss(down)$loss) / 0.02, slope[at[i, , drop = FALSE]], tolerance = 1e-3)
  }
})

test_that("resizing gives the numbers worked out by hand", {
  x <- array(c(0, 10, 20, 30), c(1, 1, 4, 1))
  resized <- function(width, ...) {
    model <- keras_model_sequential(input_shape = c(1, 4, 1)) |> layer_resizing(1, width, ...)
    c(predict(model, x))
  }
  expect_equal(resized(2), c(5, 25)) # halfway between two pixels
  expect_equal(resized(8), c(0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30))
  expect_equal(resized(2, interpolation = "nearest"), c(10, 30))
  expect_equal(resized(2, interpolation = "area"), c(5, 25))
  expect_equal(resized(3, interpolation = "area"), c(2.5, 15, 27.5))
  # the triangle of half-width 2: weights 3 3 1 at distances 1/2, 1/2, 3/2, where the border cuts one off
  expect_equal(resized(2, antialias = TRUE), c((3 * 0 + 3 * 10 + 20) / 7, (10 + 3 * 20 + 3 * 30) / 7), tolerance = 1e-6)
  # Keys' cubic half-way: 9/16 and -1/16, scaled where the border cuts one off
  expect_equal(resized(2, interpolation = "bicubic"), c((9 * 0 + 9 * 10 - 20) / 17, (-10 + 9 * 20 + 9 * 30 - 0) / 17), tolerance = 1e-6)
  for (interpolation in resample_kinds) {
    expect_equal(resized(4, interpolation = interpolation), c(x), tolerance = 1e-6)
  }
})

test_that("aspect ratios are kept when asked for", {
  x <- array(1:8, c(1, 2, 4, 1))
  resized <- function(...) {
    model <- keras_model_sequential(input_shape = c(2, 4, 1)) |> layer_resizing(2, 2, ...)
    predict(model, x)[1, , , 1]
  }
  expect_equal(resized(crop_to_aspect_ratio = TRUE), x[1, , 2:3, 1])
  # rows 9 9 9 9, 1 3 5 7, 2 4 6 8, 9 9 9 9: every output pixel is the mean of four
  expect_equal(resized(pad_to_aspect_ratio = TRUE, fill_value = 9),
               rbind(c(9 + 9 + 1 + 3, 9 + 9 + 5 + 7), c(2 + 4 + 9 + 9, 6 + 8 + 9 + 9)) / 4)
})

test_that("center_crop cuts out the middle, and resizes what is too small", {
  x <- pictures(2, 5, 6, 2)
  model <- keras_model_sequential(input_shape = c(5, 6, 2)) |> layer_center_crop(2, 3)
  expect_equal(predict(model, x), x[, 2:3, 2:4, , drop = FALSE], tolerance = 1e-7)
  expect_identical(model$output_shape, list(NULL, 2L, 3L, 2L))
  model <- keras_model_sequential(input_shape = c(5, 6, 2)) |> layer_center_crop(10, 10)
  by_hand <- keras_model_sequential(input_shape = c(5, 5, 2)) |> layer_resizing(10, 10)
  expect_equal(predict(model, x), predict(by_hand, x[, , 1:5, , drop = FALSE]))
})

test_that("models with augmentation are saved and read back", {
  model <- keras_model_sequential(input_shape = c(6, 6, 1)) |>
    layer_resizing(4, 4, interpolation = "area") |>
    layer_random_zoom(c(-0.2, 0.1), fill_mode = "constant", fill_value = 2) |>
    layer_random_contrast(0.1, value_range = c(0, 1)) |>
    layer_random_translation(0.1, 0.2, seed = 3) |>
    layer_center_crop(2, 2)
  file <- withr::local_tempfile(fileext = ".rds")
  saveRDS(model, file)
  back <- readRDS(file)
  x <- pictures(3, 6, 6)
  expect_identical(predict(back, x), predict(model, x))
  expect_identical(lapply(back$layers, function(l) l$factor), lapply(model$layers, function(l) l$factor))
})

test_that("bad arguments are refused", {
  bad <- function(expr, arg, class = "lamina_error_argument") {
    e <- expect_error(expr, class = class)
    expect_identical(e$arg, arg)
  }
  bad(layer_random_flip(mode = "diagonal"), "mode")
  bad(layer_random_rotation(), "factor")
  bad(layer_random_rotation(factor = 2), "factor")
  bad(layer_random_rotation(factor = c(0, 0.1, 0.2)), "factor")
  bad(layer_random_rotation(factor = NA), "factor")
  bad(layer_random_rotation(factor = 0.1, fill_mode = "mirror"), "fill_mode")
  bad(layer_random_zoom(height_factor = 0.1, interpolation = "cubic"), "interpolation")
  bad(layer_random_translation(height_factor = 0.1), "width_factor")
  bad(layer_random_contrast(factor = -0.1), "factor")
  bad(layer_random_contrast(factor = 0.1, value_range = 1), "value_range")
  bad(layer_random_brightness(factor = 0.1, value_range = c(1, 1)), "value_range")
  bad(layer_random_flip(data_format = "channels_first"), "data_format")
  bad(layer_resizing(height = 0, width = 2), "height")
  bad(layer_resizing(height = 2, width = 2, interpolation = "sinc"), "interpolation")
  bad(layer_resizing(height = 2, width = 2, fill_mode = "reflect"), "fill_mode")
  bad(layer_center_crop(height = 2), "width")
  bad(keras_model_sequential(input_shape = 4) |> layer_random_flip(), "input_shape", "lamina_error_shape")
})
