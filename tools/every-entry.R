# Calls every entry of the glue (src/glue/) at least once, by way of what users call, and says which were not called.
# For checkers under which R is slow; see tools/memcheck.sh.

library(lamina)
options(lamina.verbose = 0)
ns <- asNamespace("lamina")
seen <- character()
entries <- grep("^ffi_", ls(ns), value = TRUE)
for (name in entries) local({ # a promise tells when it is first asked for
  name <- name
  entry <- get(name, ns)
  unlockBinding(name, ns)
  delayedAssign(name, {
    seen <<- c(seen, name)
    entry
  }, assign.env = ns)
})
quiet <- function(code) suppressWarnings(suppressMessages(code))
refused <- function(code) stopifnot(inherits(tryCatch(quiet(code), error = identity), "lamina_error"))

set.seed(1)
x <- matrix(rnorm(60), 15)
y <- rep(0:2, 5)
build <- function(...) {
  keras_model_sequential(input_shape = 4) |>
    layer_dense(5, activation = "tanh", kernel_regularizer = "l2", kernel_constraint = constraint_maxnorm(2), ...) |>
    layer_batch_normalization() |>
    layer_dropout(0.2) |>
    layer_dense(3, activation = "softmax")
}
model <- build()
model |> compile(optimizer_adam(use_ema = TRUE), "sparse_categorical_crossentropy", metrics = list("accuracy", "crossentropy"))
quiet(fit(model, x, y, epochs = 2, batch_size = 4, validation_split = 0.2, class_weight = "balanced"))
quiet(fit(model, x, y, epochs = 2, callbacks = callback_learning_rate_scheduler(function(epoch, lr) lr / 2)))
quiet(evaluate(model, x, y))
print(model)
summary(model)
predict(model, x)
predict(model, Matrix::Matrix(x, sparse = TRUE))
refused(predict(model, x * NA))
refused(fit(model, x[, 1:2], y))
refused(fit(model, x, y + 7))
at <- 0
quiet(fit(model, function() {
  at <<- at + 1
  list(x[seq_len(3 * at), ], y[seq_len(3 * at)])
}, steps_per_epoch = 3))
quiet(train_on_batch(model, x, y))
quiet(test_on_batch(model, x, y))
quiet(compute_gradients(model, x, y))
quiet(layer_outputs(model, x))
quiet(saliency(model, x[1:2, ], steps = 3))
quiet(profile_fit(model, x, y, epochs = 1))
set_weights(model, get_weights(model))
freeze_weights(model, to = 1)
unfreeze_weights(model)
path <- tempfile()
save_model(model, path)
predict(load_model(path), x)
refused(load_model(as.raw(1:40)))
predict(unserialize(serialize(model, NULL)), x)
clone_model(model)
pop_layer(model)
reset_weights(model)

own <- build()
own |> compile("sgd", function(y_true, y_pred) {
  list(value = mean((y_true - y_pred)^2), gradient = 2 * (y_pred - y_true) / length(y_true))
}, metrics = list(own = function(y_true, y_pred) mean(y_true == y_pred)))
quiet(tryCatch(fit(own, x, x[, 1:3]), lamina_error = identity))

words <- keras_model_sequential(input_shape = 6) |>
  layer_embedding(9, 3, mask_zero = TRUE) |>
  layer_lstm(4, return_sequences = TRUE) |>
  layer_gru(3, dropout = 0.2) |>
  layer_dense(1, activation = "sigmoid")
words |> compile("rmsprop", "binary_crossentropy", metrics = metric_auc())
tokens <- matrix(sample(0:8, 60, TRUE), 10)
quiet(fit(words, tokens, rep(0:1, 5)))
refused(predict(words, tokens + 20))
stateful <- keras_model_sequential(input_batch_size = 5, input_shape = c(3, 2)) |> layer_simple_rnn(2, stateful = TRUE)
predict(stateful, array(1, c(5, 3, 2)))
reset_states(stateful)

pictures <- keras_model_sequential(input_shape = c(12, 12, 2)) |>
  layer_random_flip() |>
  layer_random_rotation(0.1) |>
  layer_conv_2d(4, 3, padding = "same", activation = "relu") |>
  layer_max_pooling_2d() |>
  layer_separable_conv_2d(3, 3) |>
  layer_conv_2d_transpose(2, 2, strides = 2) |>
  layer_resizing(5, 7) |>
  layer_global_average_pooling_2d() |>
  layer_dense(2)
pictures |> compile("nadam", "mse")
quiet(fit(pictures, array(rnorm(12 * 288), c(12, 12, 12, 2)), matrix(rnorm(24), 12)))
attention <- keras_model_sequential(input_shape = c(5, 4)) |> layer_multi_head_attention(2, 3, dropout = 0.1) |>
  layer_layer_normalization() |> layer_flatten() |> layer_dense(1)
attention |> compile("adagrad", "mae", precision = "bfloat16")
quiet(fit(attention, array(rnorm(160), c(8, 5, 4)), rnorm(8)))

for (activation in list(activation_relu, activation_softmax, activation_gelu)) activation(x)
loss_binary_crossentropy(rep(0:1, 5), seq(0.1, 0.9, length.out = 10))
loss_mean_squared_error(x, x + 1)
quiet(gradient <- .Call(ns$ffi_loss_gradient, lamina:::spec_of(loss_huber(), "loss"), x, x + 2))
metric_auc(rep(0:1, 5), seq(0.1, 0.9, length.out = 10))
initializer_glorot_uniform()(c(3, 2))
initializer_orthogonal(seed = 1)(c(4, 4))
quiet(lamina_info())
quiet(lamina_threads())
lamina(Species ~ ., iris, hidden_units = 3, epochs = 2)
lamina(Sepal.Length ~ ., iris[1:4], hidden_units = 2, optimizer = "bfgs", epochs = 5)

constraint_unitnorm()(x)
regularizer_l1()(x)
learning_rate_schedule_cosine_decay(0.1, 10)(3)
gradient_steps(optimizer_sgd(0.1), c(1, 2), list(c(1, 1), c(2, 2)))
quiet(fit(model, x, y, epochs = 3, initial_epoch = 2))
quiet(compute_gradients(own, x, x[, 1:3]))
quiet(profile_fit(own, x, x[, 1:3], epochs = 1))
folder <- tempfile()
for (class in c("a", "b")) {
  dir.create(file.path(folder, class), recursive = TRUE)
  for (i in 1:3) image_array_save(array(runif(192), c(8, 8, 3)), file.path(folder, class, paste0(i, ".png")))
}
quiet(images <- image_dataset_from_directory(folder, image_size = c(5, 6), batch_size = 2))
photographs <- keras_model_sequential(input_shape = c(5, 6, 3)) |> layer_flatten() |> layer_dense(2, activation = "softmax")
photographs |> compile("ftrl", "sparse_categorical_crossentropy")
quiet(fit(photographs, images, epochs = 2))
.Call(ns$ffi_isa, "portable")
stopifnot(is.numeric(.Call(ns$ffi_memory, NULL)))

cat("Not called:", setdiff(entries, seen), "\n")
