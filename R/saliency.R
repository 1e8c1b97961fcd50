# Which inputs matter: gradients of a class's score by the inputs and by a layer's maps.

#' Saliency: which inputs a prediction hangs on
#'
#' How the score of a class answers to each number of the input.
#'
#' * `"gradient"`: the derivative of the score by the input (Simonyan, Vedaldi and Zisserman 2014,
#'   "Deep inside convolutional networks").
#' * `"smooth"`: the mean of that over `samples` copies of the input with normal noise added (Smilkov
#'   and others 2017, "SmoothGrad"). R's generator draws the noise: `set.seed()` repeats it.
#' * `"integrated"`: `(x - baseline)` times the mean gradient on the way from the baseline to x
#'   (Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks"), by the midpoint
#'   rule. Its sum is `score - baseline_score`, up to the error of `steps` steps.
#'
#' The score is what a closing softmax or sigmoid is applied to (the logit), for its slope does not
#' vanish where the network is sure; of a single sigmoid output it is the logit for class 1 and minus
#' the logit for class 0. Of other outputs it is the output itself.
#'
#' @param model A model that gives one row of numbers for each sample. It need not be compiled.
#' @param x Inputs, samples first; or one picture without the dimension of samples.
#' @param class Which class to explain, counted from 0: one, or one for each sample, or a factor with
#'   as many levels as the model has outputs; `NULL`: the class that the model predicts.
#' @param method `"gradient"`, `"smooth"` or `"integrated"`.
#' @param samples Noisy copies of each input for `"smooth"`.
#' @param noise Standard deviation of the noise, as a share of each input's range.
#' @param steps Steps from the baseline for `"integrated"`.
#' @param baseline Where `"integrated"` starts: a number, or an array like one sample or like `x`; 0
#'   is a black picture.
#' @return An object of class `lamina_saliency`, a list: `attribution`, an array like `x`; `map`, for
#'   pictures, samples x height x width: the largest size over the channels (for `"integrated"` the
#'   sum); `x`; `class` (from 0), `score` and, for `"integrated"`, `baseline_score`, one for each
#'   sample; `method`. It has a [plot()][plot.lamina_saliency] method.
#' @section Errors:
#' A class out of range or another bad argument raises `lamina_error_argument`, inputs of another shape
#' `lamina_error_shape`, an activation that is an R function, or a model of token ids, which have no
#' gradient, `lamina_error_state`.
#' @family seeing
#' @examples
#' # score = 2 a - 3 b: the gradient is (2, -3) everywhere
#' model <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
#' set_weights(model, list(matrix(c(2, -3)), 0))
#' saliency(model, matrix(c(1, 1), 1))$attribution
#' saliency(model, matrix(c(1, 1), 1), method = "integrated")[c("attribution", "score")]
#' @export
saliency <- function(model, x, class = NULL, method = c("gradient", "smooth", "integrated"),
                     samples = 25, noise = 0.15, steps = 50, baseline = 0) {
  check_model(model, arg = "model")
  method <- check_choice(method[1L], c("gradient", "smooth", "integrated"), arg = "method")
  samples <- check_count(samples)
  noise <- check_number(noise, min = 0)
  steps <- check_count(steps)
  check_slopes(model)
  x <- seen_inputs(model, x)
  if (method == "integrated") {
    baseline <- check_baseline(baseline, x)
  }
  chosen <- choose_class(model, x, class)
  slope <- function(at) score_gradient(model, at, 0L, chosen)$gradient

  attribution <- switch(
    method,
    gradient = slope(x),
    smooth = {
      spread <- noise * apply(x, 1L, function(one) diff(range(one)))
      mean_over(samples, function(i) slope(x + spread * stats::rnorm(length(x))))
    },
    integrated = (x - baseline) *
      mean_over(steps, function(i) slope(baseline + (i - 0.5) / steps * (x - baseline)))
  )
  at_x <- score_gradient(model, x, 0L, chosen)
  structure(
    list(
      attribution = attribution, map = saliency_map(attribution, method), x = x,
      class = chosen$class, score = at_x$score,
      baseline_score = if (method == "integrated") score_gradient(model, baseline, 0L, chosen)$score,
      method = method
    ),
    class = "lamina_saliency"
  )
}

# Token ids are names, not sizes: nothing changes with them a little.
check_slopes <- function(model, call = rlang::caller_env()) {
  if (!is.null(model$tokens)) {
    abort_lamina("The inputs of this model are token ids, which have no gradient.", "state", arg = "model",
                 expected = "a model of numbers", actual = "one of token ids", call = call)
  }
}

mean_over <- function(n, value) {
  sum <- 0
  for (i in seq_len(n)) {
    sum <- sum + value(i)
  }
  sum / n
}

# One number for each place of a picture; NULL where samples are no pictures.
saliency_map <- function(attribution, method) {
  dims <- dim(attribution)
  if (length(dims) == 3L) {
    return(if (method == "integrated") attribution else abs(attribution))
  }
  if (length(dims) != 4L) {
    return(NULL)
  }
  by_channel <- matrix(attribution, ncol = dims[4L])
  flat <- if (method == "integrated") {
    rowSums(by_channel)
  } else {
    do.call(pmax, lapply(seq_len(dims[4L]), function(k) abs(by_channel[, k])))
  }
  array(flat, dims[1:3])
}

check_baseline <- function(baseline, x, call = rlang::caller_env()) {
  one <- dim(x)[-1L]
  fits <- length(baseline) == 1L || length(baseline) == length(x) || length(baseline) == prod(one)
  if (!is.numeric(baseline) || !all(is.finite(baseline)) || !fits) {
    abort_argument("baseline", sprintf("a number or an array of shape (%s)", paste(one, collapse = ", ")),
                   describe(baseline), call = call)
  }
  if (length(baseline) == prod(one)) {
    baseline <- rep(baseline, each = dim(x)[1L])
  }
  array(as.double(baseline), dim(x))
}

# ---- scores of classes ---------------------------------------------------------------------------

# The activation that closes the model.
closing_activation <- function(model) {
  last <- layer_self(model_layers(model)[[length(model_layers(model))]])
  type <- last$config$activation$type
  if (is.null(type)) "linear" else type
}

# Whether the score is what goes into the closing activation.
has_logits <- function(model) closing_activation(model) %in% c("softmax", "log_softmax", "sigmoid", "log_sigmoid")

# For each sample the class that is explained: list(class, unit, sign), the score being
# sign * (what output `unit` is computed from).
choose_class <- function(model, x, class, call = rlang::caller_env()) {
  shape <- model$info[[length(model$info)]]$output_shape
  if (length(shape) != 1L) {
    abort_lamina("The model must give one row of numbers for each sample.", "state", arg = "model",
                 expected = "an output of one dimension", actual = shape_text(shape), call = call)
  }
  n <- dim(x)[1L]
  two_sided <- shape == 1L && has_logits(model)
  classes <- if (two_sided) 2L else shape
  if (is.null(class)) {
    p <- predict(model, x, distribute = FALSE)
    half <- if (closing_activation(model) == "sigmoid") 0.5 else log(0.5)
    class <- if (two_sided) as.vector(p > half) else max.col(p, "first") - 1
  }
  class <- check_class(class, classes, n, call)
  list(
    class = class,
    unit = if (two_sided) rep(1L, n) else class + 1L,
    sign = if (two_sided) 2 * class - 1 else rep(1, n)
  )
}

check_class <- function(class, classes, n, call) {
  if (is.factor(class) && nlevels(class) == classes) {
    class <- as.integer(class) - 1L
  }
  whole <- (is.numeric(class) || is.logical(class)) && all(is.finite(class)) && all(class == floor(class))
  if (!whole || !length(class) %in% c(1L, n)) {
    abort_argument("class", sprintf("a class from 0 to %d, one or one for each sample", classes - 1L),
                   describe(class), call = call)
  }
  if (any(class < 0 | class >= classes)) {
    abort_argument("class", bounds_text("a class", 0, classes - 1),
                   format(class[class < 0 | class >= classes][1L]), call = call)
  }
  rep_len(as.integer(class), n)
}

# The scores of the chosen classes and their gradients by x, the input of the layer after `from`.
score_gradient <- function(model, x, from, chosen) {
  n <- dim(x)[1L]
  last <- length(model_layers(model))
  pick <- cbind(seq_len(n), chosen$unit)
  seed <- matrix(0, n, model$info[[last]]$output_shape)
  seed[pick] <- chosen$sign
  out <- vjp_layers(model, x, from, last, seed, linear = has_logits(model))
  list(score = chosen$sign * out$outputs[pick], gradient = out$gradient)
}

#' Grad-CAM: which places of a picture speak for a class
#'
#' The maps of a convolution layer, each weighted by the mean slope of the class's score along it,
#' added up, and negative sums set to 0: `relu(sum_k alpha_k A_k)` with
#' `alpha_k = mean over places of d score / d A_k` (Selvaraju and others 2017, "Grad-CAM: visual
#' explanations from deep networks via gradient-based localization"). What the score is, is told in
#' [saliency()].
#'
#' @inheritParams saliency
#' @param layer Name or position of a layer that puts out maps, below the last layer; `NULL`: the last
#'   convolution.
#' @return An object of class `lamina_grad_cam`, a list: `map`, samples x height x width at the
#'   resolution of the layer; `upsampled`, the same brought to the pictures' size by bilinear
#'   interpolation; `weights`, the `alpha`, samples x channels; `x`; `class` (from 0) and `score`, one
#'   for each sample; `layer`. It has a [plot()][plot.lamina_saliency] method.
#' @section Errors:
#' An unknown layer, one without maps, or a class out of range raises `lamina_error_argument`, inputs
#' of another shape `lamina_error_shape`.
#' @family seeing
#' @examples
#' set.seed(1)
#' shapes <- sim_shapes(60, size = 16)
#' model <- keras_model_sequential(input_shape = dim(shapes$x)[-1]) |>
#'   layer_conv_2d(8, 3, activation = "relu") |>
#'   layer_max_pooling_2d(2) |>
#'   layer_conv_2d(8, 3, activation = "relu", name = "last_conv") |>
#'   layer_global_average_pooling_2d() |>
#'   layer_dense(nlevels(shapes$y), activation = "softmax")
#' cam <- grad_cam(model, shapes$x[1:2, , , , drop = FALSE])
#' dim(cam$map)
#' dim(cam$upsampled)
#' plot(cam)
#' @export
grad_cam <- function(model, x, class = NULL, layer = NULL) {
  check_model(model, arg = "model")
  x <- seen_inputs(model, x)
  at <- if (is.null(layer)) last_convolution(model) else map_layer(model, layer)
  if (is.null(at)) {
    abort_argument("layer", "given, for the model has no convolution with maps", "NULL")
  }
  if (at == length(model_layers(model))) {
    abort_argument("layer", "a layer below the last one", sprintf("\"%s\"", layer_names(model)[at]))
  }
  chosen <- choose_class(model, x, class)
  maps <- network_outputs(model, x, at)[[1L]]
  slope <- score_gradient(model, maps, at, chosen)
  dims <- dim(maps)
  weights <- apply(slope$gradient, c(1L, 4L), mean)
  sums <- 0
  for (k in seq_len(dims[4L])) {
    sums <- sums + weights[, k] * array_channel(maps, k)
  }
  map <- array(pmax(sums, 0), dims[1:3])
  structure(
    list(
      map = map, upsampled = upsample_maps(map, dim(x)[2:3]), weights = weights, x = x,
      class = chosen$class, score = slope$score, layer = layer_names(model)[at]
    ),
    class = "lamina_grad_cam"
  )
}

array_channel <- function(x, k) {
  dims <- dim(x)
  array(matrix(x, ncol = dims[4L])[, k], dims[1:3])
}

# Bilinear interpolation, centres of pixels on centres: samples x height x width to another size.
upsample_maps <- function(map, size) {
  down <- interpolation_matrix(dim(map)[2L], size[1L])
  across <- interpolation_matrix(dim(map)[3L], size[2L])
  out <- array(0, c(dim(map)[1L], size))
  for (i in seq_len(dim(map)[1L])) {
    out[i, , ] <- down %*% array(map[i, , ], dim(map)[2:3]) %*% t(across)
  }
  out
}

# size x n: row i holds the weights of the n old values in the new value i.
interpolation_matrix <- function(n, size) {
  at <- pmin(pmax((seq_len(size) - 0.5) * n / size + 0.5, 1), n)
  low <- pmin(floor(at), max(n - 1, 1))
  out <- matrix(0, size, n)
  out[cbind(seq_len(size), low)] <- 1 - (at - low)
  high <- pmin(low + 1, n)
  out[cbind(seq_len(size), high)] <- out[cbind(seq_len(size), high)] + (at - low)
  out
}

#' What a filter looks for
#'
#' Pictures that make a filter of a layer as large as can be: from noise, steps uphill along the
#' gradient of the filter's mean (before the activation that ends the layer), each of the same mean
#' square length `rate` (Erhan and others 2009, "Visualizing higher-layer features of a deep network").
#' `jitter`, `blur` and `l2` keep the pictures from filling with fine noise (Yosinski and others 2015,
#' "Understanding neural networks through deep visualization").
#'
#' @param model A model that takes pictures (or any other array).
#' @param layer Name or position of a layer.
#' @param filter Which filters (channels or units) of it, counted from 1; `NULL`: all, 16 at most.
#' @param steps Steps uphill.
#' @param rate Length of a step: the root of the mean square of what it adds, in the units of `range`
#'   (0.05: a twentieth of it).
#' @param jitter Largest number of pixels by which the picture is shifted around for each step.
#' @param blur Whether to blur the picture a little every fourth step (weights 1 2 1 down and across).
#' @param l2 Share by which the picture shrinks towards the middle of `range` at each step.
#' @param range Smallest and largest number that an input may hold.
#' @return An object of class `lamina_patterns`, a list: `pictures`, filters x the shape of the input;
#'   `activation`, filters x (steps + 1): the filter's mean before, during and after; `layer`,
#'   `filter`, `range`. It has a [plot()][plot.lamina_saliency] method. `set.seed()` makes it
#'   repeatable.
#' @section Errors:
#' An unknown layer, a filter out of range or another bad argument raises `lamina_error_argument`, a
#' model without an input shape `lamina_error_state`.
#' @family seeing
#' @examples
#' # the filter is brightest where left is light and right is dark
#' model <- keras_model_sequential(input_shape = c(8, 8, 1)) |>
#'   layer_conv_2d(1, kernel_size = 2, strides = 2, name = "edges")
#' set_weights(model, list(array(c(1, 1, -1, -1), c(2, 2, 1, 1)), 0))
#' set.seed(1)
#' found <- maximize_activation(model, "edges", filter = 1, jitter = 0, blur = FALSE)
#' round(found$pictures[1, , , 1], 1)
#' @export
maximize_activation <- function(model, layer, filter = NULL, steps = 60, rate = 0.05, jitter = 2,
                                blur = TRUE, l2 = 0.01, range = c(0, 1)) {
  check_model(model, arg = "model")
  require_built(model)
  check_slopes(model)
  steps <- check_count(steps)
  rate <- check_number(rate, min = 0)
  jitter <- check_count(jitter, min = 0)
  blur <- check_flag(blur)
  l2 <- check_number(l2, min = 0, max = 1)
  if (!is.numeric(range) || length(range) != 2L || !all(is.finite(range)) || range[1L] >= range[2L]) {
    abort_argument("range", "two numbers, the smaller one first", describe(range))
  }
  at <- layer_positions(model, layer, "layer")
  if (length(at) != 1L) {
    abort_argument("layer", "one layer", describe(layer))
  }
  shape <- model$info[[at]]$output_shape
  filter <- check_filters(filter, shape[length(shape)])

  n <- length(filter)
  seed <- filter_seed(n, shape, filter)
  middle <- mean(range)
  width <- diff(range)
  pictured <- length(model$shape) %in% 2:3
  climb <- function(x) vjp_layers(model, x, 0L, at, seed, linear = TRUE)
  value <- function(out) rowSums(matrix(out$outputs * seed, nrow = n))

  x <- array(middle + width * stats::rnorm(n * prod(model$shape), sd = 0.05), c(n, model$shape))
  activation <- matrix(0, n, steps + 1)
  for (step in seq_len(steps)) {
    shift <- if (pictured && jitter > 0) sample.int(2 * jitter + 1, 2L, replace = TRUE) - jitter - 1 else c(0, 0)
    out <- climb(shift_pictures(x, shift))
    activation[, step] <- value(out)
    slope <- shift_pictures(out$gradient, -shift)
    size <- sqrt(rowMeans(matrix(slope, nrow = n)^2))
    x <- x + rate * width * slope / pmax(size, .Machine$double.xmin)
    x <- middle + (1 - l2) * (x - middle)
    if (blur && pictured && step %% 4 == 0 && step < steps) {
      x <- blur_pictures(x)
    }
    x[] <- pmin(pmax(x, range[1L]), range[2L])
  }
  activation[, steps + 1] <- value(climb(x))
  structure(
    list(pictures = x, activation = activation, layer = layer_names(model)[at], filter = filter,
         range = range),
    class = "lamina_patterns"
  )
}

check_filters <- function(filter, channels, call = rlang::caller_env()) {
  if (is.null(filter)) {
    return(seq_len(min(channels, 16)))
  }
  whole <- is.numeric(filter) && length(filter) > 0L && all(is.finite(filter)) && all(filter == floor(filter))
  if (!whole || any(filter < 1 | filter > channels)) {
    abort_argument("filter", sprintf("whole numbers from 1 to %d", channels), describe(filter), call = call)
  }
  as.integer(filter)
}

# Sample i looks at the mean of channel filter[i].
filter_seed <- function(n, shape, filter) {
  places <- prod(shape) / shape[length(shape)]
  seed <- array(0, c(n, places, shape[length(shape)]))
  for (i in seq_len(n)) {
    seed[i, , filter[i]] <- 1 / places
  }
  array(seed, c(n, shape))
}

# Rows and columns moved around by `by`, what leaves on one side entering on the other.
shift_pictures <- function(x, by) {
  if (all(by == 0)) {
    return(x)
  }
  dims <- dim(x)
  turn <- function(n, k) (seq_len(n) - 1 - k) %% n + 1
  planes <- array(x, c(dims[1:3], prod(dims[-(1:3)])))
  array(planes[, turn(dims[2L], by[1L]), turn(dims[3L], by[2L]), , drop = FALSE], dims)
}

# Each pixel the mean of its neighbours with the weights 1 2 1, down and across.
blur_pictures <- function(x) {
  down <- function(by) shift_pictures(x, c(by, 0))
  x <- (down(-1) + 2 * x + down(1)) / 4
  across <- function(by) shift_pictures(x, c(0, by))
  (across(-1) + 2 * x + across(1)) / 4
}
