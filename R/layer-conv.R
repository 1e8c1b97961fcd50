#' Convolution layers
#'
#' For pictures and series. A small window of weights, the kernel, slides over the picture, and at each
#' position gives one number: the weighted sum of what lies under it. Each of the `filters` has a kernel of
#' its own and gives a picture of its own, one channel of the output. The same weights serve all positions,
#' so a pattern is found wherever it is, and a larger picture needs no more weights.
#'
#' For pictures, with `s` the strides, `d` the dilation and `pad` the zeros in front:
#'
#' ```
#' y[p, q, o] = activation(bias[o] + sum over i, j, c of
#'                x[p * s + i * d - pad, q * s + j * d - pad, c] * kernel[i, j, c, o])
#' ```
#'
#' counted from 0, x being 0 outside the picture; `c` is a channel of the input, `o` one of the output. For
#' series the same with one dimension less. (The kernel is not turned round as in mathematics: a
#' cross-correlation, as everywhere in deep learning.)
#'
#' How large the output is depends on `padding`. Let `span = (kernel_size - 1) * dilation_rate + 1` be what
#' the window covers. Along each dimension there are
#'
#' * with `"valid"`, where the window stays inside, `floor((input - span) / strides) + 1` positions: 26 for
#'   28 pixels and a kernel of 3;
#' * with `"same"`, where zeros are put around the input, `ceiling(input / strides)`: with `strides = 1` as
#'   many as the input has. Of an odd number of zeros the last one stands at the end;
#' * with `"causal"` (series only) as many as with `"same"`, but all zeros stand in front: an output sees no
#'   later step.
#'
#' @inheritParams layer_dense
#' @param filters Number of filters: the channels of the output.
#' @param kernel_size Height and width of the window, or one number for both; for series its number
#'   of steps. 3 is usual for pictures.
#' @param strides How far the window moves from one position to the next, down and to the right, or one
#'   number for both. 2 halves height and width.
#' @param padding `"valid"`, `"same"` or, in `layer_conv_1d()`, `"causal"`: see below.
#' @param data_format `NULL` or `"channels_last"`, which are the same: pictures are (height, width,
#'   channels), series (steps, channels).
#' @param dilation_rate Distance of neighbouring weights on the input: 1 for a window without gaps.
#'   Above 1 only with `strides = 1`.
#' @param groups In how many groups the channels are split: a filter sees those of its own group
#'   only; 1: all of them. Must divide both the input's channels and `filters`.
#' @param activation Applied to the sums: the name of an activation (`"relu"`), an `activation_*()`
#'   function or object, or `NULL` for none (linear).
#' @param use_bias Whether each filter has a bias.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (height, width, channels) for `layer_conv_2d()`, (steps, channels) for `layer_conv_1d()`, so that
#' data are an array of (samples, height, width, channels) or (samples, steps, channels). A grey picture has
#' one channel, which the data may leave out. Output: the same with `filters` as the channels. Weights:
#' `kernel`, (height, width, channels / groups, filters) or (steps, channels / groups, filters), and
#' `bias` (filters).
#' @section Errors:
#' `lamina_error_argument` for a bad argument; `lamina_error_shape` for an input without channels,
#' for a window larger than the input with `padding = "valid"`, or for channels that `groups` does
#' not divide. The model is then as it was.
#' @references
#' Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition,
#' Proceedings of the IEEE 86, 1998. On sizes: V. Dumoulin and F. Visin, A guide to convolution arithmetic
#' for deep learning, arXiv:1603.07285, 2016.
#' @seealso [layer_max_pooling_2d()] and [layer_flatten()], which usually follow; [plot_filters()] and
#'   [plot_feature_maps()] to see what was learned; `vignette("v08-convolution", package = "lamina")`.
#' @family convolution layers
#' @examples
#' # ten classes of grey pictures, 28 x 28
#' model <- keras_model_sequential(input_shape = c(28, 28, 1)) |>
#'   layer_conv_2d(filters = 8, kernel_size = 3, activation = "relu") |>
#'   layer_conv_2d(filters = 16, kernel_size = c(3, 3), strides = 2, padding = "same") |>
#'   layer_flatten() |>
#'   layer_dense(units = 10, activation = "softmax")
#' model # first layer: 3 * 3 weights and a bias for each of 8 filters, 80 parameters
#'
#' # Weights set by hand: the Sobel filter answers to vertical edges.
#' edges <- keras_model_sequential(input_shape = c(6, 6, 1)) |>
#'   layer_conv_2d(filters = 1, kernel_size = 3, use_bias = FALSE)
#' sobel <- matrix(c(-1, 0, 1, -2, 0, 2, -1, 0, 1), 3, byrow = TRUE)
#' set_weights(edges, list(array(sobel, c(3, 3, 1, 1))))
#' picture <- matrix(rep(c(0, 0, 0, 1, 1, 1), each = 6), 6) # left half dark, right half bright
#' predict(edges, array(picture, c(1, 6, 6, 1)))[1, , , 1]  # 4 at the edge, 0 elsewhere
#'
#' # Means of three steps, of the past only.
#' series <- keras_model_sequential(input_shape = c(8, 1)) |>
#'   layer_conv_1d(filters = 1, kernel_size = 3, padding = "causal", use_bias = FALSE)
#' set_weights(series, list(array(1 / 3, c(3, 1, 1))))
#' predict(series, array(1:8, c(1, 8, 1)))[1, , 1]
#' @export
layer_conv_2d <- function(object, filters, kernel_size, strides = list(1L, 1L), padding = "valid",
                          data_format = NULL, dilation_rate = list(1L, 1L), groups = 1L,
                          activation = NULL, use_bias = TRUE,
                          kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
                          kernel_regularizer = NULL, bias_regularizer = NULL,
                          activity_regularizer = NULL, kernel_constraint = NULL,
                          bias_constraint = NULL, ...) {
  config <- c(
    list(filters = check_count(filters), groups = check_groups(groups, filters)),
    conv_config(2, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    kernel_config(kernel_initializer, kernel_regularizer, kernel_constraint)
  )
  create_layer(object, "conv_2d", config, ..., class = "Conv2D")
}

#' @rdname layer_conv_2d
#' @export
layer_conv_1d <- function(object, filters, kernel_size, strides = 1L, padding = "valid",
                          data_format = NULL, dilation_rate = 1L, groups = 1L, activation = NULL,
                          use_bias = TRUE, kernel_initializer = "glorot_uniform",
                          bias_initializer = "zeros", kernel_regularizer = NULL,
                          bias_regularizer = NULL, activity_regularizer = NULL,
                          kernel_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(filters = check_count(filters), groups = check_groups(groups, filters)),
    conv_config(1, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint,
                paddings = c("valid", "same", "causal")),
    kernel_config(kernel_initializer, kernel_regularizer, kernel_constraint)
  )
  create_layer(object, "conv_1d", config, ..., class = "Conv1D")
}

#' Depthwise convolution layers
#'
#' Every channel has `depth_multiplier` filters of its own and is not mixed with the others: filter
#' `k` of channel `c` (from 0) gives channel `c * depth_multiplier + k` of the output. Sizes are
#' those of [layer_conv_2d()].
#'
#' @inheritParams layer_conv_2d
#' @param padding `"valid"` or `"same"`.
#' @param depth_multiplier Filters per channel.
#' @param depthwise_initializer,depthwise_regularizer,depthwise_constraint How the kernel starts, its
#'   penalty and its constraint, as in [layer_dense()].
#' @param bias_initializer,bias_regularizer,bias_constraint The same of the bias.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Output: as of [layer_conv_2d()], with `channels * depth_multiplier` channels. Weights: `kernel`,
#' (height, width, channels, depth_multiplier) or (steps, channels, depth_multiplier), and `bias`
#' (channels * depth_multiplier).
#' @section Errors:
#' As of [layer_conv_2d()].
#' @family convolution layers
#' @examples
#' keras_model_sequential(input_shape = c(16, 16, 3)) |>
#'   layer_depthwise_conv_2d(kernel_size = 3, depth_multiplier = 2, activation = "relu")
#' @export
layer_depthwise_conv_2d <- function(object, kernel_size, strides = list(1L, 1L), padding = "valid",
                                    depth_multiplier = 1L, data_format = NULL,
                                    dilation_rate = list(1L, 1L), activation = NULL,
                                    use_bias = TRUE, depthwise_initializer = "glorot_uniform",
                                    bias_initializer = "zeros", depthwise_regularizer = NULL,
                                    bias_regularizer = NULL, activity_regularizer = NULL,
                                    depthwise_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(depth_multiplier = check_count(depth_multiplier)),
    conv_config(2, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    depthwise_config(depthwise_initializer, depthwise_regularizer, depthwise_constraint)
  )
  create_layer(object, "depthwise_conv_2d", config, ..., class = "DepthwiseConv2D")
}

#' @rdname layer_depthwise_conv_2d
#' @export
layer_depthwise_conv_1d <- function(object, kernel_size, strides = 1L, padding = "valid",
                                    depth_multiplier = 1L, data_format = NULL, dilation_rate = 1L,
                                    activation = NULL, use_bias = TRUE,
                                    depthwise_initializer = "glorot_uniform",
                                    bias_initializer = "zeros", depthwise_regularizer = NULL,
                                    bias_regularizer = NULL, activity_regularizer = NULL,
                                    depthwise_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(depth_multiplier = check_count(depth_multiplier)),
    conv_config(1, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    depthwise_config(depthwise_initializer, depthwise_regularizer, depthwise_constraint)
  )
  create_layer(object, "depthwise_conv_1d", config, ..., class = "DepthwiseConv1D")
}

#' Separable convolution layers
#'
#' A depthwise convolution ([layer_depthwise_conv_2d()], without bias or activation), which looks at
#' the surroundings within each channel, and then a pointwise one, 1 x 1, which mixes the channels
#' (Chollet, "Xception: Deep learning with depthwise separable convolutions", 2017). It does the
#' work of a [layer_conv_2d()] with far fewer weights: for `k` x `k` windows from `c` to `f`
#' channels `k^2 * c + c * f` instead of `k^2 * c * f`.
#'
#' @inheritParams layer_conv_2d
#' @param padding `"valid"` or `"same"`.
#' @param depth_multiplier Filters per channel of the depthwise step.
#' @param depthwise_initializer,depthwise_regularizer,depthwise_constraint How the depthwise kernel
#'   starts, its penalty and its constraint, as in [layer_dense()].
#' @param pointwise_initializer,pointwise_regularizer,pointwise_constraint The same of the pointwise
#'   kernel.
#' @param bias_initializer,bias_regularizer,bias_constraint The same of the bias.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Output: as of [layer_conv_2d()]. Weights: `depthwise_kernel`, (height, width, channels,
#' depth_multiplier) or (steps, channels, depth_multiplier); `pointwise_kernel`, (1, 1, channels *
#' depth_multiplier, filters) or (1, channels * depth_multiplier, filters); `bias` (filters).
#' @section Errors:
#' As of [layer_conv_2d()].
#' @family convolution layers
#' @examples
#' keras_model_sequential(input_shape = c(16, 16, 8)) |>
#'   layer_separable_conv_2d(filters = 32, kernel_size = 3, padding = "same", activation = "relu")
#' @export
layer_separable_conv_2d <- function(object, filters, kernel_size, strides = list(1L, 1L),
                                    padding = "valid", data_format = NULL,
                                    dilation_rate = list(1L, 1L), depth_multiplier = 1L,
                                    activation = NULL, use_bias = TRUE,
                                    depthwise_initializer = "glorot_uniform",
                                    pointwise_initializer = "glorot_uniform",
                                    bias_initializer = "zeros", depthwise_regularizer = NULL,
                                    pointwise_regularizer = NULL, bias_regularizer = NULL,
                                    activity_regularizer = NULL, depthwise_constraint = NULL,
                                    pointwise_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(filters = check_count(filters), depth_multiplier = check_count(depth_multiplier)),
    conv_config(2, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    depthwise_config(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
    pointwise_config(pointwise_initializer, pointwise_regularizer, pointwise_constraint)
  )
  create_layer(object, "separable_conv_2d", config, ..., class = "SeparableConv2D")
}

#' @rdname layer_separable_conv_2d
#' @export
layer_separable_conv_1d <- function(object, filters, kernel_size, strides = 1L, padding = "valid",
                                    data_format = NULL, dilation_rate = 1L, depth_multiplier = 1L,
                                    activation = NULL, use_bias = TRUE,
                                    depthwise_initializer = "glorot_uniform",
                                    pointwise_initializer = "glorot_uniform",
                                    bias_initializer = "zeros", depthwise_regularizer = NULL,
                                    pointwise_regularizer = NULL, bias_regularizer = NULL,
                                    activity_regularizer = NULL, depthwise_constraint = NULL,
                                    pointwise_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(filters = check_count(filters), depth_multiplier = check_count(depth_multiplier)),
    conv_config(1, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    depthwise_config(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
    pointwise_config(pointwise_initializer, pointwise_regularizer, pointwise_constraint)
  )
  create_layer(object, "separable_conv_1d", config, ..., class = "SeparableConv1D")
}

#' Transposed convolution layers
#'
#' The way back of a convolution, from small pictures to larger ones, as in the second half of an
#' autoencoder: every number of the input lays the kernel, multiplied by it, onto the output,
#' `strides` apart, and where they overlap they are added.
#'
#' With `s` the strides and `d` the dilation, counted from 0:
#'
#' ```
#' z[p * s + i * d - pad, q * s + j * d - pad, o] +=
#'   sum over c of x[p, q, c] * kernel[i, j, o, c]            y = activation(z + bias)
#' ```
#'
#' That is the gradient of [layer_conv_2d()], hence the name (Zeiler and others, "Deconvolutional
#' networks", 2010).
#'
#' Let `span = (kernel_size - 1) * dilation_rate + 1`. The output has along each dimension
#'
#' * with `padding = "valid"` `(input - 1) * strides + span + max(strides - span, 0)` positions, and
#'   `pad = 0`;
#' * with `"same"` `input * strides`, and `pad = max(span - strides, 0) %/% 2`.
#'
#' `output_padding` replaces `max(strides - span, 0)`; with `"same"` the output then has
#' `(input - 1) * strides + span %% 2 + output_padding` positions.
#'
#' @inheritParams layer_conv_2d
#' @param padding `"valid"` or `"same"`.
#' @param strides Steps on the output from one number of the input to the next: how much larger the
#'   output is.
#' @param output_padding Positions that the output has more, less than `strides`; `NULL`: as many as
#'   the sizes above say.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: as of [layer_conv_2d()]. Weights: `kernel`, (height, width, filters, channels) or (steps,
#' filters, channels): output before input; and `bias` (filters).
#' @section Errors:
#' As of [layer_conv_2d()].
#' @family convolution layers
#' @examples
#' # 7 x 7 to 14 x 14 to 28 x 28
#' keras_model_sequential(input_shape = c(7, 7, 16)) |>
#'   layer_conv_2d_transpose(8, kernel_size = 3, strides = 2, padding = "same", activation = "relu") |>
#'   layer_conv_2d_transpose(1, kernel_size = 3, strides = 2, padding = "same", activation = "sigmoid")
#' @export
layer_conv_2d_transpose <- function(object, filters, kernel_size, strides = list(1L, 1L),
                                    padding = "valid", output_padding = NULL, data_format = NULL,
                                    dilation_rate = list(1L, 1L), activation = NULL,
                                    use_bias = TRUE, kernel_initializer = "glorot_uniform",
                                    bias_initializer = "zeros", kernel_regularizer = NULL,
                                    bias_regularizer = NULL, activity_regularizer = NULL,
                                    kernel_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(filters = check_count(filters),
         output_padding = check_output_padding(output_padding, strides, 2)),
    conv_config(2, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    kernel_config(kernel_initializer, kernel_regularizer, kernel_constraint)
  )
  create_layer(object, "conv_2d_transpose", config, ..., class = "Conv2DTranspose")
}

#' @rdname layer_conv_2d_transpose
#' @export
layer_conv_1d_transpose <- function(object, filters, kernel_size, strides = 1L, padding = "valid",
                                    output_padding = NULL, data_format = NULL, dilation_rate = 1L,
                                    activation = NULL, use_bias = TRUE,
                                    kernel_initializer = "glorot_uniform",
                                    bias_initializer = "zeros", kernel_regularizer = NULL,
                                    bias_regularizer = NULL, activity_regularizer = NULL,
                                    kernel_constraint = NULL, bias_constraint = NULL, ...) {
  config <- c(
    list(filters = check_count(filters),
         output_padding = check_output_padding(output_padding, strides, 1)),
    conv_config(1, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                bias_initializer, bias_regularizer, activity_regularizer, bias_constraint),
    kernel_config(kernel_initializer, kernel_regularizer, kernel_constraint)
  )
  create_layer(object, "conv_1d_transpose", config, ..., class = "Conv1DTranspose")
}

# ---- what they share ------------------------------------------------------------------------------

# The arguments that all have, in the core's form; `rank` is 1 for series, 2 for pictures.
conv_config <- function(rank, kernel_size, strides, padding, data_format, dilation_rate, activation,
                        use_bias, bias_initializer, bias_regularizer, activity_regularizer,
                        bias_constraint, paddings = c("valid", "same"), call = rlang::caller_env()) {
  check_data_format(data_format, call = call)
  config <- list(
    kernel_size = check_window(kernel_size, rank, call = call),
    strides = check_window(strides, rank, call = call),
    padding = check_padding(padding, paddings, call = call),
    dilation_rate = check_window(dilation_rate, rank, call = call),
    activation = as_activation(activation, call = call),
    use_bias = check_flag(use_bias, call = call),
    bias_initializer = as_initializer(bias_initializer, call = call),
    bias_regularizer = as_regularizer(bias_regularizer, call = call),
    activity_regularizer = as_regularizer(activity_regularizer, call = call),
    bias_constraint = as_constraint(bias_constraint, call = call)
  )
  if (any(config$strides > 1) && any(config$dilation_rate > 1)) {
    abort_argument("dilation_rate", "1 where `strides` are above 1",
                   paste(config$dilation_rate, collapse = ", "), call = call)
  }
  config
}

kernel_config <- function(kernel_initializer, kernel_regularizer, kernel_constraint,
                          call = rlang::caller_env()) {
  list(kernel_initializer = as_initializer(kernel_initializer, call = call),
       kernel_regularizer = as_regularizer(kernel_regularizer, call = call),
       kernel_constraint = as_constraint(kernel_constraint, call = call))
}

depthwise_config <- function(depthwise_initializer, depthwise_regularizer, depthwise_constraint,
                             call = rlang::caller_env()) {
  list(depthwise_initializer = as_initializer(depthwise_initializer, call = call),
       depthwise_regularizer = as_regularizer(depthwise_regularizer, call = call),
       depthwise_constraint = as_constraint(depthwise_constraint, call = call))
}

pointwise_config <- function(pointwise_initializer, pointwise_regularizer, pointwise_constraint,
                             call = rlang::caller_env()) {
  list(pointwise_initializer = as_initializer(pointwise_initializer, call = call),
       pointwise_regularizer = as_regularizer(pointwise_regularizer, call = call),
       pointwise_constraint = as_constraint(pointwise_constraint, call = call))
}

# Whether `groups` divides the input's channels is seen when they are known.
check_groups <- function(groups, filters, call = rlang::caller_env()) {
  groups <- check_count(groups, call = call)
  if (filters %% groups != 0) {
    abort_argument("groups", "a divisor of `filters`",
                   sprintf("%g, where there are %g filters", groups, filters), call = call)
  }
  groups
}

check_output_padding <- function(output_padding, strides, rank, call = rlang::caller_env()) {
  extra <- check_window(output_padding, rank, min = 0, allow_null = TRUE, call = call)
  if (!is.null(extra) && any(extra >= check_window(strides, rank, call = call))) {
    abort_argument("output_padding", "less than `strides`", paste(extra, collapse = ", "), call = call)
  }
  extra
}
