# Writes corpus/: what small models' files hold behind their header, the seeds of the fuzz targets.
#
#     Rscript tests/fuzz/make-corpus.R        with lamina installed

library(lamina)
set.seed(1)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
folder <- file.path(dirname(script), "corpus")

# The bytes behind magic number, length of the header, and header.
payload <- function(file) {
  size <- readBin(file[9:12], "integer", size = 4L, endian = "little")
  file[-seq_len(12L + size)]
}

write <- function(name, model, x = NULL, y = NULL, save = save_model, ...) {
  if (!is.null(x)) {
    model |> compile(...)
    model |> fit(x, y, epochs = 1, verbose = 0)
  }
  writeBin(payload(save(model)), file.path(folder, name))
}

x <- matrix(seq(-1, 1, length.out = 12), 4)
steps <- array(seq(-1, 1, length.out = 4 * 3 * 2), c(4, 3, 2))
pictures <- array(seq(0, 1, length.out = 4 * 36), c(4, 6, 6, 1))
classes <- c(0, 1, 0, 1)
number <- function(model) layer_dense(model, 1)
unlink(folder, recursive = TRUE)
dir.create(folder)

write("dense", keras_model_sequential(input_shape = 3) |>
        layer_dense(2, activation = "relu", kernel_regularizer = regularizer_l1_l2(0.01, 0.02),
                    kernel_constraint = constraint_maxnorm(2), kernel_initializer = initializer_he_normal(seed = 3)) |>
        layer_dropout(0.2) |> layer_batch_normalization() |> layer_dense(2, activation = "softmax"),
      x, classes, optimizer = optimizer_adam(learning_rate_schedule_cosine_decay(0.01, 100)),
      loss = "sparse_categorical_crossentropy", metrics = list("accuracy", top = metric_sparse_top_k_categorical_accuracy(k = 2)))
write("dense-config", keras_model_sequential(input_shape = 3) |> layer_dense(2), save = save_model_config)
write("dense-weights", keras_model_sequential(input_shape = 3) |> layer_dense(2), save = save_model_weights)
write("schedules", keras_model_sequential(input_shape = 3) |> layer_gaussian_noise(0.1) |> number(), x, classes,
      optimizer = optimizer_sgd(learning_rate_schedule_cosine_decay_restarts(0.01, 10), momentum = 0.9),
      loss = loss_huber(), metrics = list("mae", "mse"))
write("pictures", keras_model_sequential(input_shape = c(6, 6, 1)) |>
        layer_random_flip() |> layer_zero_padding_2d(1) |> layer_conv_2d(2, 3, strides = 2, padding = "same") |>
        layer_max_pooling_2d(2) |> layer_flatten() |> layer_dense(1, activation = "sigmoid"),
      pictures, classes, optimizer = optimizer_rmsprop(centered = TRUE), loss = "binary_crossentropy", metrics = "auc")
write("pictures-more", keras_model_sequential(input_shape = c(6, 6, 1)) |>
        layer_resizing(4, 5) |> layer_random_rotation(0.1) |> layer_depthwise_conv_2d(2) |>
        layer_separable_conv_2d(2, 2) |> layer_conv_2d_transpose(1, 2) |> layer_upsampling_2d(2) |>
        layer_cropping_2d(1) |> layer_global_average_pooling_2d() |> number())
write("steps", keras_model_sequential(input_shape = c(3, 2)) |> layer_masking() |>
        bidirectional(layer_lstm(units = 2, return_sequences = TRUE)) |>
        time_distributed(layer_dense(units = 2)) |> layer_gru(2, dropout = 0.1) |> number(),
      steps, classes, optimizer = optimizer_nadam(clipnorm = 1, use_ema = TRUE, gradient_accumulation_steps = 2), loss = "mse")
write("steps-more", keras_model_sequential(input_shape = c(3, 2)) |> layer_conv_1d(2, 2, padding = "causal") |>
        layer_simple_rnn(2, return_sequences = TRUE) |> layer_permute(c(2, 1)) |> layer_reshape(c(3, 2)) |>
        layer_multi_head_attention(num_heads = 2, key_dim = 2) |> layer_group_normalization(groups = 1) |>
        layer_spatial_dropout_1d(0.1) |> layer_average_pooling_1d(2) |> layer_flatten() |> layer_repeat_vector(2) |> layer_flatten() |> number())
write("ids", keras_model_sequential(input_shape = 3) |> layer_embedding(5, 2, mask_zero = TRUE) |>
        layer_layer_normalization() |> layer_lstm(2) |> layer_dense(2, activation = "softmax"),
      matrix(0:11 %% 5, 4), classes, optimizer = "adagrad", loss = "sparse_categorical_crossentropy", metrics = "accuracy")
words <- layer_text_vectorization(output_mode = "tf_idf", ngrams = 2)
adapt(words, c("a b c", "b d"))
write("texts", keras_model_sequential(layers = list(words, layer_dense(units = 1))), c("a", "b d", "c", "e"), classes,
      optimizer = "lion", loss = "mae")
