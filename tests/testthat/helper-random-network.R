# Random networks with data that fit them, as a user writes them down: a function of the seed alone.
#
# random_network(12345) gives the compiled model, inputs `x`, targets `y`, sample weights `w` (or NULL), the
# batch size, the name of the loss, and `draws`: does training draw random numbers?

pick <- function(...) {
  from <- list(...)
  from[[sample.int(length(from), 1)]]
}
some <- function(low, high) low + sample.int(high - low + 1, 1) - 1L
chance <- function(p) stats::runif(1) < p

random_activation <- function() {
  pick("relu", "tanh", "sigmoid", "gelu", "elu", "silu", "softplus", "selu", "leaky_relu", "hard_sigmoid", NULL)
}
random_start <- function() pick("glorot_uniform", "he_normal", "lecun_uniform", initializer_random_normal(stddev = 0.3))
random_penalty <- function() if (chance(0.2)) pick(regularizer_l1(0.01), regularizer_l2(0.02), regularizer_l1_l2(0.01, 0.01))
random_bound <- function() if (chance(0.15)) pick(constraint_maxnorm(1), constraint_nonneg(), constraint_unitnorm())

# By the number of dimensions of a sample: functions that add a layer, and the dimensions behind it.
random_layers <- list(
  vectors = list(
    dense = function(m) {
      layer_dense(m, some(1, 9), activation = random_activation(), use_bias = chance(0.8), kernel_initializer = random_start(),
                  kernel_regularizer = random_penalty(), kernel_constraint = random_bound())
    },
    batch_normalization = function(m) layer_batch_normalization(m, momentum = stats::runif(1, 0.5, 0.99)),
    layer_normalization = function(m) layer_layer_normalization(m),
    dropout = function(m) layer_dropout(m, 0.3),
    noise = function(m) layer_gaussian_noise(m, 0.1),
    alpha_dropout = function(m) layer_alpha_dropout(m, 0.2),
    activation = function(m) layer_activation(m, pick("tanh", "softsign", "mish", "softmax")),
    parametric = function(m) layer_activation_parametric_relu(m),
    rescaling = function(m) layer_rescaling(m, 0.5, 0.1),
    repeats = function(m) layer_repeat_vector(m, some(2, 4))
  ),
  sequences = list(
    dense = function(m) layer_dense(m, some(1, 6), activation = random_activation()),
    lstm = function(m) layer_lstm(m, some(1, 6), return_sequences = chance(0.5), dropout = pick(0, 0, 0.2)),
    gru = function(m) layer_gru(m, some(1, 6), return_sequences = chance(0.5), reset_after = chance(0.5)),
    simple_rnn = function(m) layer_simple_rnn(m, some(1, 6), return_sequences = chance(0.5), go_backwards = chance(0.3)),
    bidirectional = function(m) {
      layer_bidirectional(m, layer_lstm(units = some(1, 4), return_sequences = chance(0.5)), merge_mode = pick("concat", "sum", "ave"))
    },
    attention = function(m) layer_multi_head_attention(m, num_heads = some(1, 2), key_dim = some(1, 4)),
    conv = function(m) layer_conv_1d(m, some(1, 5), some(1, 3), padding = pick("same", "causal"), activation = random_activation()),
    separable = function(m) layer_separable_conv_1d(m, some(1, 5), 2, padding = "same"),
    pool = function(m) pick(layer_max_pooling_1d, layer_average_pooling_1d)(m, 2, padding = "same"),
    whole = function(m) pick(layer_global_max_pooling_1d, layer_global_average_pooling_1d)(m),
    steps = function(m) layer_time_distributed(m, layer_dense(units = some(1, 4), activation = "tanh")),
    dropout = function(m) layer_spatial_dropout_1d(m, 0.2),
    flatten = function(m) layer_flatten(m)
  ),
  pictures = list(
    conv = function(m) {
      layer_conv_2d(m, some(1, 6), some(1, 3), strides = some(1, 2), padding = "same", activation = random_activation())
    },
    depthwise = function(m) layer_depthwise_conv_2d(m, some(1, 3), padding = "same", depth_multiplier = some(1, 2)),
    transposed = function(m) layer_conv_2d_transpose(m, some(1, 4), some(1, 3), padding = "same"),
    batch_normalization = function(m) layer_batch_normalization(m),
    pool = function(m) pick(layer_max_pooling_2d, layer_average_pooling_2d)(m, 2, padding = "same"),
    flip = function(m) layer_random_flip(m),
    rotation = function(m) layer_random_rotation(m, 0.1),
    upsampling = function(m) layer_upsampling_2d(m, 2),
    padding = function(m) layer_zero_padding_2d(m, 1),
    whole = function(m) pick(layer_global_max_pooling_2d, layer_global_average_pooling_2d)(m),
    flatten = function(m) layer_flatten(m)
  )
)
random_draws <- c("dropout", "noise", "alpha_dropout", "lstm", "flip", "rotation")

# The loss, the activation of the output, its units, and targets for n rows.
random_tasks <- list(
  mse = function(n, d) list("linear", d, matrix(stats::rnorm(n * d), n)),
  mae = function(n, d) list("linear", d, matrix(stats::rnorm(n * d), n)),
  huber = function(n, d) list("tanh", d, matrix(stats::rnorm(n * d), n)),
  poisson = function(n, d) list("softplus", d, matrix(stats::rpois(n * d, 2), n)),
  binary_crossentropy = function(n, d) list("sigmoid", d, matrix(sample(0:1, n * d, replace = TRUE), n)),
  categorical_crossentropy = function(n, d) list("softmax", d + 1, diag(d + 1)[sample.int(d + 1, n, replace = TRUE), , drop = FALSE]),
  sparse_categorical_crossentropy = function(n, d) list("softmax", d + 1, sample.int(d + 1, n, replace = TRUE) - 1L)
)

# A row's loss from its prediction, in double precision.
random_row_loss <- list(
  mse = function(y, p) rowMeans((y - p)^2),
  mae = function(y, p) rowMeans(abs(y - p)),
  huber = function(y, p) rowMeans(ifelse(abs(y - p) <= 1, (y - p)^2 / 2, abs(y - p) - 1 / 2)),
  poisson = function(y, p) rowMeans(p - y * log(p + 1e-7)),
  binary_crossentropy = function(y, p) rowMeans(-(y * log(p) + (1 - y) * log(1 - p))),
  categorical_crossentropy = function(y, p) -rowSums(y * log(p / rowSums(p))),
  sparse_categorical_crossentropy = function(y, p) -log(p[cbind(seq_along(y), y + 1)] / rowSums(p))
)

random_optimizer <- function() {
  rate <- 10^-stats::runif(1, 1.5, 4)
  make <- pick(optimizer_sgd, optimizer_adam, optimizer_rmsprop, optimizer_adagrad, optimizer_adamax, optimizer_nadam, optimizer_lion)
  make(learning_rate = rate)
}

random_network <- function(seed) {
  withr::local_preserve_seed()
  set.seed(seed)
  suppressMessages(draw_network(seed)) # that a layer drops a mask is no news here
}

draw_network <- function(seed) {
  kind <- pick("vectors", "sequences", "pictures", "ids")
  shape <- switch(kind, vectors = some(1, 12), sequences = c(some(2, 7), some(1, 5)), pictures = c(some(3, 8), some(3, 8), some(1, 3)),
                  ids = some(2, 8))
  n <- some(4, 40)
  x <- if (kind == "ids") matrix(sample(0:9, n * shape, replace = TRUE), n) else array(stats::rnorm(n * prod(shape)), c(n, shape))
  model <- keras_model_sequential(input_shape = shape)
  names <- character()
  if (kind == "ids") layer_embedding(model, 10, some(1, 6), mask_zero = chance(0.5))
  for (i in seq_len(some(1, 4))) {
    rank <- output_rank(model)
    from <- random_layers[[rank]]
    name <- pick_name(from)
    from[[name]](model)
    names <- c(names, name)
  }
  if (output_rank(model) > 1) layer_flatten(model)
  loss <- pick_name(random_tasks)
  task <- random_tasks[[loss]](n, some(1, 4))
  layer_dense(model, task[[2]], activation = task[[1]])
  compile(model, optimizer = random_optimizer(), loss = loss)
  list(seed = seed, model = model, x = x, y = task[[3]], w = if (chance(0.5)) stats::runif(n, 0, 2), batch = some(1, n), loss = loss,
       draws = any(names %in% random_draws), layers = names)
}

# Dimensions of a sample of what the last layer gives.
output_rank <- function(model) {
  last <- length(model$layers)
  length(if (last == 0) model$input_shape else model$layers[[last]]$output_shape) - 1L
}

pick_name <- function(from) names(from)[sample.int(length(from), 1)]

rows_of <- function(x, i) if (length(dim(x)) > 1) do.call(`[`, c(list(x, i), rep(TRUE, length(dim(x)) - 1), drop = FALSE)) else x[i]
