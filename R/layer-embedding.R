#' Embedding: a vector for each word
#'
#' Texts go into a network as numbers: each word, or other piece of text (a token), has a number of its
#' own, its id ([layer_text_vectorization()] gives them). This layer puts a vector of `output_dim` numbers in
#' the place of each id. The vectors are weights: training moves them to where they help. Id `i`, a whole
#' number from 0 to `input_dim - 1`, has row `i + 1` of the matrix of weights.
#'
#' That is what a dense layer without bias makes of the indicator columns of a factor with `input_dim`
#' levels, without making the columns; so it serves factors with many levels as well (Bengio and others,
#' "A neural probabilistic language model", 2003).
#'
#' Samples must have the same number of ids, so short ones are filled up with 0, the padding. With
#' `mask_zero = TRUE` these steps are masked, which means that they do not count: recurrent layers pass
#' over masked steps, attention does not look at them, [layer_global_average_pooling_1d()] and
#' [layer_batch_normalization()] leave them out of their means, and where a mask reaches the end of
#' the model, loss and metrics are means over the steps that count. The output at masked steps is the
#' vector of id 0.
#'
#' @inheritParams layer_dense
#' @param input_dim Size of the vocabulary: one more than the largest id, as ids count from 0 (padding is one of
#'   them); at most 2^24. Behind [layer_text_vectorization()]: `length(get_vocabulary(layer))`.
#' @param output_dim Length of the vectors, a whole number of at least 1.
#' @param embeddings_initializer How the vectors start: a name, an `initializer_*()` object, or a
#'   function of the shape that returns an array. `"uniform"`: between -0.05 and 0.05.
#' @param embeddings_regularizer Penalty on the vectors that is added to the loss: a `regularizer_*()` object,
#'   `"l1"`, `"l2"` or `NULL`.
#' @param embeddings_constraint What the vectors must obey after each update: a `constraint_*()` object, its
#'   name, or `NULL`.
#' @param mask_zero Whether id 0 is padding, to be masked.
#' @param weights The vectors to start from: a matrix of `input_dim` rows and `output_dim` columns, or
#'   a list of it. With `trainable = FALSE` they stay as they are.
#' @param ... Arguments of every layer: see [layer_dense()]. Further `input_length`, the number of ids
#'   of a sample, which older scripts give in place of `input_shape`.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: ids of any shape, mostly (steps), so that data are a matrix with a row a sample. Output: that shape
#' with `output_dim` as a further last dimension: (steps, output_dim). Weights: `embeddings` (input_dim,
#' output_dim).
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples of more than three
#' dimensions. [fit()][fit.lamina_model], [predict()][predict.lamina_model] and the like raise
#' `lamina_error_data` for ids that are not whole numbers from 0 to `input_dim - 1`.
#' @references Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, A neural probabilistic language model,
#'   Journal of Machine Learning Research 3, 2003.
#' @seealso [layer_text_vectorization()] and [text_tokenizer()] for ids of words; [pad_sequences()] for samples
#'   of different lengths.
#' @family layers on sequences
#' @examples
#' # word vectors, averaged over the words of each sentence;
#' # word 1 is (1, 10), word 2 (2, 20) and so on
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_embedding(input_dim = 6, output_dim = 2, mask_zero = TRUE) |>
#'   layer_global_average_pooling_1d()
#' set_weights(model, list(cbind(0:5, 10 * 0:5)))
#' predict(model, rbind(c(5, 3, 0, 0), c(1, 1, 1, 5))) # 4 40 / 2 20: zeros are not counted
#' @export
layer_embedding <- function(object, input_dim, output_dim, embeddings_initializer = "uniform",
                            embeddings_regularizer = NULL, embeddings_constraint = NULL,
                            mask_zero = FALSE, weights = NULL, lora_rank = NULL, lora_alpha = NULL,
                            ...) {
  check_unsupported(lora_rank)
  check_unsupported(lora_alpha)
  config <- list(
    input_dim = check_count(input_dim, max = 2^24),
    output_dim = check_count(output_dim),
    embeddings_initializer = as_initializer(embeddings_initializer),
    embeddings_regularizer = as_regularizer(embeddings_regularizer),
    embeddings_constraint = as_constraint(embeddings_constraint),
    mask_zero = check_flag(mask_zero)
  )
  weights <- check_embeddings(weights, config$input_dim, config$output_dim)
  create_with_length(object, "embedding", config, weights, ..., class = "Embedding")
}

check_embeddings <- function(weights, input_dim, output_dim, call = rlang::caller_env()) {
  x <- if (is.list(weights) && length(weights) == 1L) weights[[1L]] else weights
  if (is.null(x)) {
    return(NULL)
  }
  if (!is.numeric(x) || !identical(as.double(dim(x)), c(input_dim, output_dim)) || !all(is.finite(x))) {
    abort_argument("weights", sprintf("a matrix of %g rows and %g columns", input_dim, output_dim),
                   describe(weights), call = call)
  }
  list(x)
}

# A layer that takes `input_length` for an input shape.
create_with_length <- function(object, type, config, values, ..., input_length = NULL, input_shape = NULL,
                               class, call = rlang::caller_env()) {
  if (is.null(input_shape)) {
    input_shape <- check_shape(input_length, allow_null = TRUE, arg = "input_length", call = call)
  }
  layer <- create_layer(NULL, type, config, ..., input_shape = input_shape, class = class, call = call)
  bring_values(object, layer, values, call)
}

#' Masking: steps to pass over
#'
#' A step of a series is masked when all of its features are `mask_value`: the layers behind it pass over
#' it (see [layer_embedding()]). The output is the input, with zeros at the masked steps.
#'
#' @inheritParams layer_dense
#' @param mask_value The number that marks a step to be passed over.
#' @param ... Arguments of every layer: see [layer_dense()].
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @section Errors:
#' `lamina_error_argument` for a bad argument.
#' @family layers on sequences
#' @examples
#' # series of different lengths, filled up with -1
#' x <- array(c(1, 4, 2, -1, 3, -1), c(2, 3, 1))
#' model <- keras_model_sequential(input_shape = c(3, 1)) |>
#'   layer_masking(mask_value = -1) |>
#'   layer_global_average_pooling_1d()
#' predict(model, x) # means of 1, 2, 3 and of 4
#' @export
layer_masking <- function(object, mask_value = 0, ...) {
  config <- list(mask_value = check_number(mask_value))
  create_layer(object, "masking", config, ..., class = "Masking")
}

# ---- ids -----------------------------------------------------------------------------------------

# The size of the vocabulary that a model's inputs are ids of; NULL when they are no ids.
token_limit <- function(stack) {
  for (layer in stack) {
    self <- layer_self(layer)
    if (!self$type %in% c("flatten", "reshape", "permute", "repeat_vector")) { # these only move the ids
      return(spec_token_limit(self))
    }
  }
  NULL
}

spec_token_limit <- function(spec) {
  switch(spec$type,
    embedding = spec$config$input_dim,
    time_distributed = spec_token_limit(spec$config$layer)
  )
}

# Inputs that are ids must all be in the vocabulary.  Numbers that are not finite are left to others.
check_tokens <- function(x, limit, arg, call) {
  numbers <- if (is_sparse(x)) x$x else x
  bad <- if (length(numbers)) .Call(ffi_tokens_bad, numbers, limit) else 0
  if (bad == 0) {
    return(invisible())
  }
  value <- numbers[bad]
  hint <- if (value == floor(value) && value >= limit) {
    c(i = sprintf("`input_dim` must be one more than the largest id: at least %s.", format(max(numbers) + 1)))
  } else if (value < 0) {
    c(i = "Ids count from 0.")
  }
  abort_argument(arg, sprintf("token ids, whole numbers from 0 to %s (`input_dim` is %s)", format(limit - 1), format(limit)),
                 format(value), hint = hint, kind = "data", call = call)
}
