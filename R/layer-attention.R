# Attention of a sequence to itself.

#' Attention: every step looks at all steps
#'
#' For a sequence `x` of shape (steps, features), each step (the query) compares itself with all steps
#' (the keys) and becomes their mean, weighted by how well they match:
#'
#' `y = softmax(s) %*% x`, with the softmax along the rows of the scores `s`, which are
#' * with `score_mode = "dot"`: `s[i, j] = scale * sum(x[i, ] * x[j, ])`
#' * with `score_mode = "concat"`: `s[i, j] = weight * sum(tanh(scale * (x[i, ] + x[j, ])))`
#'
#' (Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation",
#' 2015). It is Keras' `Attention` with the layer's input as query, value and key. The order of the steps
#' does not count; where it should, put a recurrent or a convolutional layer before.
#'
#' A mask that arrives (from an embedding with `mask_zero = TRUE`, say) hides steps from all queries;
#' the output at hidden steps is 0. The mask is handed on.
#'
#' @inheritParams layer_dense
#' @param use_scale Whether `scale` is a weight that is learned; otherwise it is 1.
#' @param score_mode `"dot"` or `"concat"`.
#' @param dropout Fraction of the weights of the mean to drop in training, from 0 to below 1; the others
#'   are divided by `1 - dropout`.
#' @param seed A seed for this layer's dropout alone; `NULL`: the model's.
#' @param use_causal_mask Whether a step sees only itself and those before it.
#' @param ... Other arguments of every layer: see [layer_dense()].
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the output
#'   is that of the input.
#'
#' Weights, single numbers that start at 1: `scale` with `use_scale`, `concat_score_weight` with
#' `score_mode = "concat"`.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (steps,
#' features).
#' @family attention layers
#' @examples
#' x <- array(c(1, 0, 1, 0, 1, 1), c(1, 3, 2)) # steps (1, 0), (0, 1), (1, 1)
#' model <- keras_model_sequential(input_shape = c(3, 2)) |> layer_attention()
#' predict(model, x)[1, , ] # the third step matches itself best
#'
#' causal <- keras_model_sequential(input_shape = c(3, 2)) |> layer_attention(use_causal_mask = TRUE)
#' predict(causal, x)[1, , ] # the first step sees only itself
#' @export
layer_attention <- function(object, use_scale = FALSE, score_mode = "dot", dropout = 0, seed = NULL,
                            use_causal_mask = FALSE, ...) {
  config <- list(
    use_scale = check_flag(use_scale),
    score_mode = check_choice(score_mode, c("dot", "concat")),
    dropout = check_dropout_rate(dropout, "dropout", environment()),
    seed = check_seed(seed),
    use_causal_mask = check_flag(use_causal_mask)
  )
  create_layer(object, "attention", config, ..., class = "Attention")
}

#' Multi-head attention
#'
#' Each step of a sequence looks at all steps, in `num_heads` ways at once, each of which learns what to
#' look for (Vaswani and others, "Attention is all you need", 2017). For `x` of shape (steps,
#' features) and each head
#'
#' * `q = (x %*% query_kernel + query_bias) / sqrt(key_dim)`, what a step looks for,
#' * `k = x %*% key_kernel + key_bias`, what it has to offer,
#' * `v = x %*% value_kernel + value_bias`, what it hands over,
#' * `context = softmax(q %*% t(k)) %*% v`, with the softmax along the rows,
#'
#' and the output is the sum over the heads of `context %*% attention_output_kernel`, plus a bias. It is
#' Keras' `MultiHeadAttention` with the layer's input as query, value and key. The order of the
#' steps does not count; where it should, put a recurrent or a convolutional layer before.
#'
#' A mask that arrives (from an embedding with `mask_zero = TRUE`, say) hides steps from all queries. As
#' in Keras, a hidden step itself attends to all steps alike. The mask is handed on, so that layers
#' behind know which steps to leave out.
#'
#' @inheritParams layer_attention
#' @inheritParams layer_dense
#' @param num_heads Number of heads, at least 1.
#' @param key_dim Size of `q` and `k`, at least 1.
#' @param value_dim Size of `v`; `NULL`: as `key_dim`.
#' @param use_bias Whether biases are added.
#' @param output_shape Shape of the output of each step: one to three whole numbers. `NULL`: as many
#'   features as the input has.
#' @param attention_axes The dimension to attend over: `NULL` or 2 (or, counted from the end, -2), the
#'   steps.
#' @param flash_attention `NULL`, `TRUE` or `FALSE`: steers Keras' way of computing and leaves the result
#'   alone.
#' @param kernel_initializer,bias_initializer How the four kernels and the four biases start: a name, an
#'   `initializer_*()` object, or a function of the shape that returns an array.
#' @param kernel_regularizer,bias_regularizer Penalty on the kernels and biases that is added to the loss.
#' @param activity_regularizer Not supported, as it means the projections in Keras: must be `NULL`.
#'   [layer_activity_regularization()] penalizes the output.
#' @param kernel_constraint,bias_constraint What kernels and biases must obey after each update.
#' @return The model with the layer added, or the layer when `object` is left out. Output: (steps,
#'   features), or (steps, `output_shape`).
#'
#' Weights: `query_kernel` and `key_kernel` (features, heads, `key_dim`), `value_kernel` (features,
#' heads, `value_dim`), `attention_output_kernel` (heads, `value_dim`, output), each followed by its bias:
#' (heads, `key_dim`), (heads, `value_dim`), (output).
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (steps,
#' features).
#' @family attention layers
#' @examples
#' # Which of two marked numbers of a series is larger?  The marks may be anywhere.
#' set.seed(1)
#' n <- 600
#' x <- array(0, c(n, 8, 2))
#' x[, , 1] <- runif(n * 8)
#' marks <- t(replicate(n, sort(sample(8, 2))))
#' x[cbind(1:n, marks[, 1], 2)] <- 1
#' x[cbind(1:n, marks[, 2], 2)] <- -1
#' y <- as.numeric(x[cbind(1:n, marks[, 1], 1)] > x[cbind(1:n, marks[, 2], 1)])
#'
#' model <- keras_model_sequential(input_shape = c(8, 2)) |>
#'   layer_dense(units = 16, activation = "relu") |>
#'   layer_multi_head_attention(num_heads = 2, key_dim = 8) |>
#'   layer_layer_normalization() |>
#'   layer_global_average_pooling_1d() |>
#'   layer_dense(units = 1, activation = "sigmoid") |>
#'   compile(loss = "binary_crossentropy", optimizer = optimizer_adam(0.01), metrics = "accuracy")
#' history <- fit(model, x, y, epochs = 15, batch_size = 32, verbose = 0)
#' evaluate(model, x, y, verbose = 0)
#' @export
layer_multi_head_attention <- function(object, num_heads, key_dim, value_dim = NULL, dropout = 0,
                                       use_bias = TRUE, output_shape = NULL, attention_axes = NULL,
                                       flash_attention = NULL, kernel_initializer = "glorot_uniform",
                                       bias_initializer = "zeros", kernel_regularizer = NULL,
                                       bias_regularizer = NULL, activity_regularizer = NULL,
                                       kernel_constraint = NULL, bias_constraint = NULL, seed = NULL,
                                       use_causal_mask = FALSE, ...) {
  check_unsupported(activity_regularizer)
  check_attention_axes(attention_axes)
  if (!is.null(flash_attention)) {
    check_flag(flash_attention)
  }
  config <- list(
    num_heads = check_count(num_heads),
    key_dim = check_count(key_dim),
    value_dim = check_count(value_dim, allow_null = TRUE),
    dropout = check_dropout_rate(dropout, "dropout", environment()),
    use_bias = check_flag(use_bias),
    output_shape = check_attention_output(output_shape),
    kernel_initializer = as_initializer(kernel_initializer),
    bias_initializer = as_initializer(bias_initializer),
    kernel_regularizer = as_regularizer(kernel_regularizer),
    bias_regularizer = as_regularizer(bias_regularizer),
    kernel_constraint = as_constraint(kernel_constraint),
    bias_constraint = as_constraint(bias_constraint),
    seed = check_seed(seed),
    use_causal_mask = check_flag(use_causal_mask)
  )
  create_layer(object, "multi_head_attention", with_own_initializers(config), ..., class = "MultiHeadAttention")
}

check_attention_axes <- function(attention_axes, call = rlang::caller_env()) {
  if (!is.null(attention_axes) && !(length(attention_axes) == 1L && attention_axes[[1L]] %in% c(2, -2))) {
    abort_argument("attention_axes", "NULL or 2, the steps of a sequence", describe(attention_axes), call = call)
  }
  invisible()
}

check_attention_output <- function(output_shape, call = rlang::caller_env()) {
  what <- "one to three whole numbers of at least 1"
  if (is.null(output_shape)) {
    return(NULL)
  }
  sizes <- check_whole_numbers(output_shape, what, arg = "output_shape", call = call)
  if (length(sizes) > 3L || any(sizes < 1)) {
    abort_argument("output_shape", what, paste(sizes, collapse = ", "), call = call)
  }
  sizes
}

# An initializer that is an R function starts each of the four kernels or biases.
with_own_initializers <- function(config) {
  for (kind in c("kernel", "bias")) {
    argument <- paste0(kind, "_initializer")
    spec <- config[[argument]]
    if (identical(spec$type, "function")) {
      config[[argument]] <- NULL
      parts <- if (kind == "kernel" || config$use_bias) c("query", "key", "value", "attention_output")
      config[sprintf("%s_%s", parts, argument)] <- rep(list(spec), length(parts))
    }
  }
  config
}
