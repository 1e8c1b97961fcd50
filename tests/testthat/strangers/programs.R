# Small programs that between them make every call into the compiled code: what their calls are is recorded
# and changed (calls.R), and they run with a garbage collection at every allocation (torture.R).

x <- matrix(seq(-1, 1, length.out = 12), 4)
y <- c(0, 1, 0, 1)

two_layers <- function(...) {
  model <- keras_model_sequential(input_shape = 3) |>
    layer_dense(2, activation = "relu", kernel_regularizer = regularizer_l2(0.01)) |>
    layer_dense(1, activation = "sigmoid")
  model |> compile(loss = "binary_crossentropy", ...)
  model
}

programs <- list(
  train = function() {
    model <- two_layers(optimizer = optimizer_adam(use_ema = TRUE, gradient_accumulation_steps = 2), metrics = c("accuracy", "auc"),
                        weighted_metrics = "mse")
    fit(model, x, y, epochs = 2, batch_size = 2, sample_weight = 1:4, validation_data = list(x, y),
        callbacks = list(callback_learning_rate_scheduler(function(epoch, lr) lr / 2)))
    fit(model, x, y, batch_size = 3, shuffle = FALSE)
    fit(unserialize(serialize(model, NULL)), x, y)
    evaluate(model, x, y)
    predict(model, x)
    train_on_batch(model, x, y)
    freeze_weights(model, to = 1)
    set_weights(model, get_weights(model))
    layer_outputs(model, x, c("dense", "dense_1"))
    compute_gradients(model, x, y)
    list(saliency(model, x, 1), predict(model, x), get_weights(model))
  },
  files = function() {
    path <- tempfile()
    model <- two_layers(optimizer = "sgd")
    fit(model, x, y)
    save_model(model, path)
    load_model(path)
    load_model_weights(model, save_model_weights(model))
    load_model_config(save_model_config(model))
    list(unserialize(serialize(model, NULL)) |> predict(x), predict(load_model(path), x))
  },
  own_loss = function() {
    model <- keras_model_sequential(input_shape = 3) |> layer_dense(1)
    model |> compile(optimizer = "sgd", metrics = list(worst = function(y_true, y_pred) max(abs(y_true - y_pred))), loss = function(y_true, y_pred) {
      list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
    })
    fit(model, x, y, batch_size = 2)
    profile_fit(model, x, y, epochs = 1)
    list(compute_gradients(model, x, y), get_weights(model))
  },
  batches = function() {
    model <- two_layers(optimizer = "rmsprop")
    fit(model, function() list(x, y), steps_per_epoch = 2)
    ids <- timeseries_dataset_from_array(x, y, sequence_length = 1, batch_size = 2, shuffle = TRUE)
    series <- keras_model_sequential(input_shape = c(1, 3)) |> layer_flatten() |> layer_dense(1)
    series |> compile(loss = "mse")
    fit(series, ids)
    share <- lamina:::new_data(x, y)
    loop <- lamina:::new_loop(model, list(data = share, first = 0, n = 4, from = 0), 2, "train")
    .Call(lamina:::ffi_loop_feed_share, loop, share, 2, 1, 4)
    .Call(lamina:::ffi_data_print, share)
    .Call(lamina:::ffi_net_print, lamina:::net_ptr(model))
    list(get_weights(model), get_weights(series))
  },
  sparse = function() {
    model <- two_layers(optimizer = "sgd")
    holes <- Matrix::Matrix(x * (x > 0), sparse = TRUE)
    fit(model, holes, y)
    profile_fit(model, x, y, epochs = 1)
    list(predict(model, holes), get_weights(model))
  },
  sequences = function() {
    model <- keras_model_sequential(input_batch_shape = c(2, 3)) |>
      layer_embedding(5, 2, mask_zero = TRUE) |>
      layer_lstm(2, stateful = TRUE, return_sequences = TRUE, return_state = FALSE) |>
      layer_gru(2) |> layer_dense(2, activation = "softmax")
    model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy")
    ids <- matrix(0:11 %% 5, 4)
    fit(model, ids, y, batch_size = 2, shuffle = FALSE)
    reset_states(model)
    predict(model, ids, batch_size = 2)
  },
  pictures = function() {
    pictures <- array(seq(0, 1, length.out = 4 * 36), c(4, 6, 6, 1))
    model <- keras_model_sequential(input_shape = c(6, 6, 1)) |>
      layer_conv_2d(2, 3, activation = "relu") |> layer_max_pooling_2d(2) |> layer_flatten() |> layer_dense(1)
    model |> compile(optimizer = "sgd", loss = "mse")
    fit(model, pictures, y)
    grad_cam(model, pictures, 0)
    folder <- tempfile()
    for (i in 1:4) {
      dir.create(file.path(folder, y[i]), recursive = TRUE, showWarnings = FALSE)
      image_array_save(pictures[i, , , ], file.path(folder, y[i], paste0(i, ".png")))
    }
    picture <- image_load(dir(folder, full.names = TRUE, recursive = TRUE)[1L], target_size = c(4, 4), interpolation = "bilinear")
    image_dataset_from_directory(folder, image_size = c(6, 6), batch_size = 2, seed = 1)
    list(get_weights(model), picture)
  },
  parts = function() {
    metric <- metric_auc()
    metric$update_state(y, y / 2)
    metric$update_state(y, y / 3)
    lamina_threads()
    lamina_info()
    .Call(lamina:::ffi_isa, lamina_info()$isa)
    .Call(lamina:::ffi_order, 1, 1, 5)
    .Call(lamina:::ffi_vocabulary, "loss")
    .Call(lamina:::ffi_peak, 0.001)
    .Call(lamina:::ffi_memory, NULL)
    .Call(lamina:::ffi_ranks_version)
    .Call(lamina:::ffi_ranks_live)
    lag_matrix(1:9, 1:2)
    .Call(lamina:::ffi_loss_gradient, list(type = "mean_squared_error", config = list()), x, x + 1)
    .Call(lamina:::ffi_tokens_bad, c(1, 2, 3), 5)
    .Call(lamina:::ffi_tokens_bad, 1:3, 3)
    list(
      activation_softmax(x), activation_relu(x), loss_mean_squared_error(x, x + 1), metric$result(),
      initializer_glorot_uniform()(c(2, 3)), regularizer_l1_l2(0.1, 0.2)(x), constraint_maxnorm(2)(x),
      learning_rate_schedule_cosine_decay(0.1, 10)(0:3), gradient_steps(optimizer_adam(), 1:3, matrix(1, 2, 3))
    )
  },
  formula = function() {
    predict(lamina(mpg ~ wt + hp, mtcars[1:8, ], hidden_units = 2, optimizer = "bfgs", epochs = 5), mtcars[9:12, ])
  }
)
