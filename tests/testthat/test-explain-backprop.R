# explain_backprop(): every number beside the definition, worked out in double precision.

x4 <- wave_matrix(4, 2)
y_for <- function(loss, n = 4, units = 3) {
  unit <- matrix((seq_len(n * units) * 0.37) %% 0.9 + 0.05, n)
  if (grepl("sparse", loss)) rep_len(c(0, 2, 1), n)
  else if (grepl("categorical", loss) || loss == "kl_divergence") unit / rowSums(unit)
  else if (grepl("hinge", loss)) sign(unit - 0.5)
  else unit
}

# One linear neuron: z = 3 * 2 + 1 = 7, loss (7 - 5)^2 = 4, slope 2 * (7 - 5) = 4.
neuron <- function(optimizer = optimizer_sgd(0.125)) {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  set_weights(model, list(matrix(3), 1))
  model |> compile(optimizer, loss = "mse")
  model
}

test_that("one neuron, by hand", {
  step <- explain_backprop(neuron(), x = 2, y = 5)
  expect_identical(step$loss, 4)
  units <- tidy(step, "units")
  expect_identical(unlist(units[c("sum", "activation", "d_activation", "slope", "d_sum")], use.names = FALSE), c(7, 7, 4, 1, 4))
  weights <- tidy(step)
  expect_identical(weights$term, c("w1[1,1]", "b1[1]"))
  expect_identical(weights$from, c(1L, 0L))
  expect_identical(weights$chain, c(8, 4))
  expect_identical(weights$gradient, c(8, 4))
  expect_identical(weights$new_weight, c(3 - 0.125 * 8, 1 - 0.125 * 4))
  expect_identical(weights$change, c(-1, -0.5))
  expect_identical(step$rounding, 0)
  expect_identical(step$about$penalty, 0)
  expect_identical(format(step), c(
    "One step of backpropagation",
    "Network 1-1, mean squared error, sgd with learning rate 0.125, 1 sample.", "",
    "Forward: layer 1, dense", "Inputs 2.", "  z1[1] = 2 * 3 + 1 = 7,  a1[1] = 7", "",
    "Loss", "The mean squared error between targets 5 and predictions 7.", "  L = 4", "",
    "Backward: layer 1, dense", "  dL/da1[1] = 4", "  dL/dz1[1] = dL/da1[1] * da1[1]/dz1[1] = 4 * 1 = 4",
    "  dL/dw1[1,1] = dL/dz1[1] * x[1] = 4 * 2 = 8", "  dL/db1[1] = dL/dz1[1] = 4", "",
    "New weights", "New weight = old weight - learning rate * gradient.", "  w1[1,1] = 3 - 0.125 * 8 = 2",
    "  b1[1] = 1 - 0.125 * 4 = 0.5", ""
  ))
})

test_that("several samples: each its own derivatives, the gradient their mean", {
  step <- explain_backprop(neuron(), x = c(2, 1), y = c(5, 5)) # errors 2 and -1
  expect_identical(tidy(step, "samples"), tibble::tibble(sample = 1:2, loss = c(4, 1), share = 0.5))
  chain <- tidy(step, "chain")
  expect_identical(chain$product, c(4 * 2, 4, -2 * 1, -2))
  expect_identical(tidy(step)$gradient, c((8 - 2) / 2, (4 - 2) / 2))
  text <- format(step)
  expect_true(all(c("  L1 = 4", "  L2 = 1", "  L = (4 + 1) / 2 = 2.5", "  dL1/dz1[1] = dL1/da1[1] * da1[1]/dz1[1] = 4 * 1 = 4",
                    "  dL/dw1[1,1] = (8 + (-2)) / 2 = 3") %in% text))
  expect_true("  dL2/dw1[1,1] = dL2/dz1[1] * x[1] = (-2) * 1 = -2" %in% format(step, sample = 2))

  total <- neuron()
  total |> compile(optimizer_sgd(0.125), loss_mean_squared_error(reduction = "sum"))
  step <- explain_backprop(total, x = c(2, 1), y = c(5, 5))
  expect_identical(step$loss, 5)
  expect_identical(tidy(step, "samples")$share, c(1, 1))
  expect_identical(tidy(step)$gradient, c(6, 2))
  expect_true("  dL/dw1[1,1] = 8 + (-2) = 6" %in% format(step))
})

test_that("2-3-2: sums, activations, slopes and derivatives are those of the definition", {
  for (head in list(list("sigmoid", "mse"), list("softmax", "categorical_crossentropy"), list("softmax", "mse"),
                    list("sigmoid", "binary_crossentropy"))) {
    net <- ref_net(c(2, 3, 2), c("tanh", head[[1L]]))
    model <- ref_model(net)
    model |> compile(optimizer_sgd(0.5), head[[2L]])
    y <- to_categorical(c(0, 1, 1, 0))
    step <- explain_backprop(model, x4, y)
    pass <- ref_forward(net, x4)
    last <- ref_act_back(head[[1L]], pass$z[[2L]], pass$out, ref_loss[[head[[2L]]]]$slope(y, pass$out))
    before <- last %*% t(net[[2L]]$kernel)
    units <- tidy(step, "units")
    expect_close(units$sum, pass$z)
    expect_close(units$activation, pass$a[-1L])
    expect_close(units$d_activation, list(before, ref_loss[[head[[2L]]]]$slope(y, pass$out)))
    expect_close(units$d_sum, list(before * (1 - pass$a[[2L]]^2), last))
    expect_close(units$slope[units$layer == "dense"], 1 - pass$a[[2L]]^2)
    expect_close(tidy(step, "samples")$loss, ref_loss[[head[[2L]]]]$value(y, pass$out))
    truth <- ref_gradient(net, x4, y, head[[2L]])
    expect_close(step$loss, truth$loss)
    expect_close(tidy(step)$chain, truth$grads)
    expect_identical(tidy(step)$gradient, as.double(unlist(compute_gradients(model, x4, y)$weights)))
    expect_identical(units$activation[units$layer == "dense_1"], as.vector(predict(model, x4)))
    if (head[[1L]] == "softmax") { # slope a_k (1 or 0 - a_j)
      slopes <- tidy(step, "slopes")
      a <- pass$out
      expect_close(slopes$slope, a[cbind(slopes$sample, slopes$of)] * ((slopes$of == slopes$by) - a[cbind(slopes$sample, slopes$by)]))
      expect_true(all(is.na(units$slope[units$layer == "dense_1"])))
    }
  }
})

test_that("the factors multiply to the engine's gradients for all activations and losses", {
  explained <- function(loss, activation) {
    model <- ref_model(ref_net(c(2, 4, 3), c(activation, activation)), function(i) {
      if (i == 1) list(kernel_regularizer = regularizer_l1_l2(0.01, 0.02), activity_regularizer = "l2", bias_regularizer = "l1") else list()
    })
    model |> compile("adam", loss)
    y <- y_for(loss)
    found <- compute_gradients(model, x4, y)
    if (!is.finite(found$loss)) return(NULL)
    step <- explain_backprop(model, x4, y)
    expect_identical(tidy(step)$gradient, as.double(unlist(found$weights)))
    expect_identical(step$loss, found$loss)
    # single precision: the product of five numbers, each rounded to 24 bits, and a short sum
    expect_lt(step$rounding, 16 * 2^-24, label = paste(loss, activation, step$rounding))
    TRUE
  }
  for (activation in lamina:::vocabulary("activation")$names) {
    expect_true(explained("mean_squared_error", activation))
  }
  for (loss in lamina:::vocabulary("loss")$names) {
    for (activation in c("sigmoid", "softmax")) expect_true(explained(loss, activation))
  }
})

test_that("activation layers, parameters of activations, and layers one after the other", {
  model <- keras_model_sequential(input_shape = 2) |>
    layer_dense(3) |>
    layer_activation_leaky_relu(negative_slope = 0.25) |>
    layer_activity_regularization(l1 = 0.5) |>
    layer_dense(2, activation = activation_elu(alpha = 2)) |>
    layer_activation("softmax")
  set_weights(model, ref_weights(ref_net(c(2, 3, 2), c("linear", "linear"))))
  model |> compile("sgd", "categorical_crossentropy")
  y <- to_categorical(c(0, 1, 1, 0))
  step <- explain_backprop(model, x4, y)
  expect_lt(step$rounding, 16 * 2^-24)
  units <- tidy(step, "units")
  leaky <- units[units$layer == "leaky_re_lu", ]
  expect_identical(leaky$slope, ifelse(leaky$sum > 0, 1, 0.25))
  expect_identical(leaky$sum, units$activation[units$layer == "dense"])
  # |a| has slope sign(a), times 0.5; samples average it out of the batch
  kept <- units[units$layer == "activity_regularization", ]
  arriving <- step$stages[[4L]]$d_sum %*% t(step$stages[[4L]]$kernel)
  expect_equal(kept$d_activation, as.vector(arriving) + 0.5 * sign(kept$activation))
  expect_identical(tidy(step)$term[c(1, 7, 10)], c("w1[1,1]", "b1[1]", "w4[1,1]"))
  expect_match(format(step), "z2\\[1\\] = a1\\[1\\] = ", all = FALSE)
})

test_that("penalties are shown apart", {
  model <- keras_model_sequential(input_shape = 1) |>
    layer_dense(1, kernel_regularizer = regularizer_l2(0.25), bias_regularizer = regularizer_l1(0.5), activity_regularizer = regularizer_l2(0.125))
  set_weights(model, list(matrix(3), 1))
  model |> compile(optimizer_sgd(0.125), "mse")
  step <- explain_backprop(model, 2, 5)
  # loss 4 + 0.25 * 9 + 0.5 * 1 + 0.125 * 49; slope by the activation 4 + 2 * 0.125 * 7
  expect_identical(step$loss, 4 + 2.25 + 0.5 + 6.125)
  w <- tidy(step)
  expect_identical(w$penalty, c(2 * 0.25 * 3, 0.5))
  expect_identical(w$chain, c(5.75 * 2, 5.75))
  expect_identical(w$gradient, w$chain + w$penalty)
  text <- format(step)
  expect_true(all(c("  error = 4", "  L = 4 + 8.875 = 12.88", "  dL/da1[1] = 4 + 1.75 = 5.75", "  dL/dw1[1,1] = 11.5 + 1.5 = 13") %in% text))
})

test_that("penalties on activations are divided by the samples, also where losses are summed", {
  model <- ref_model(ref_net(c(2, 3, 1), c("tanh", "linear")), function(i) list(activity_regularizer = regularizer_l2(0.2)))
  model |> compile("sgd", loss_mean_squared_error(reduction = "sum"))
  step <- explain_backprop(model, x4, 1:4)
  expect_lt(step$rounding, 16 * 2^-24)
  hidden <- step$stages[[1L]]
  expect_equal(hidden$activity, 2 * 0.2 * hidden$activation / 4)
})

test_that("new weights are the optimizer's, with its state and its constraints", {
  y <- y_for("mse")
  for (name in lamina:::vocabulary("optimizer")$names) {
    make <- get(paste0("optimizer_", name), asNamespace("lamina"))
    model <- ref_model(ref_net(c(2, 4, 3), c("tanh", "linear")))
    model |> compile(make(learning_rate = 0.05, clipvalue = 0.1, weight_decay = 0.01), "mse")
    for (i in 1:3) train_on_batch(model, x4, y)
    step <- explain_backprop(model, x4, y)
    train_on_batch(model, x4, y)
    expect_identical(tidy(step)$new_weight, as.double(unlist(get_weights(model))), info = name)
    expect_true(all(tidy(step)$change != 0), info = name)
  }
  model <- ref_model(ref_net(c(2, 3), "linear"), function(i) list(kernel_constraint = constraint_nonneg()))
  model |> compile(optimizer_sgd(0.5), "mse")
  step <- explain_backprop(model, x4, y)
  expect_true(all(tidy(step)$new_weight[tidy(step)$from > 0] >= 0))
  expect_match(format(step), "then the constraint", all = FALSE)
  expect_no_match(format(step), "New weight = old weight")
})

test_that("frozen layers have no gradient", {
  model <- ref_model(ref_net(c(2, 3, 1), c("tanh", "linear")), function(i) list(kernel_regularizer = "l2"))
  freeze_weights(model, to = 1)
  model |> compile(optimizer_sgd(0.5), "mse")
  step <- explain_backprop(model, x4, 1:4)
  w <- tidy(step)
  expect_true(all(w$penalty[w$layer == "dense"] == 0)) # penalized is what is trained, as in Keras
  expect_identical(is.na(w$gradient), w$layer == "dense")
  expect_identical(w$new_weight[w$layer == "dense"], w$weight[w$layer == "dense"])
  expect_match(format(step), "w1\\[1,1\\] = .* \\(frozen\\)", all = FALSE)
  freeze_weights(model)
  expect_output(print(explain_backprop(model, x4, 1:4)), "No weight is trained")
})

test_that("where a softmax saturates, the derivative by the sums stays exact", {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(2, activation = "softmax")
  set_weights(model, list(matrix(c(60, -60), 1), c(0, 0)))
  model |> compile(optimizer_sgd(0.5), "sparse_categorical_crossentropy")
  step <- explain_backprop(model, 1, 1)
  expect_equal(tidy(step, "units")$d_sum, c(1, -1))
  expect_identical(tidy(step)$gradient, as.double(unlist(compute_gradients(model, 1, 1)$weights)))
})

test_that("classes that are ignored, and losses of one's own", {
  model <- ref_model(ref_net(c(2, 3), "softmax"))
  model |> compile("sgd", loss_sparse_categorical_crossentropy(ignore_class = 2))
  step <- explain_backprop(model, x4, c(0, 2, 1, 1))
  expect_equal(tidy(step, "samples")$share, rep(1 / 3, 4))
  expect_identical(tidy(step, "samples")$loss[2], 0)
  expect_lt(step$rounding, 16 * 2^-24)

  own <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^4), gradient = 4 * (y_pred - y_true)^3 / length(y_pred))
  model <- ref_model(ref_net(c(2, 1), "tanh"))
  model |> compile("sgd", own)
  step <- explain_backprop(model, x4, 1:4)
  expect_identical(tidy(step)$gradient, as.double(unlist(compute_gradients(model, x4, 1:4)$weights)))
  expect_lt(step$rounding, 16 * 2^-24)
  expect_match(format(step), "A loss of one's own", all = FALSE)
})

test_that("nothing of the model moves, nor R's random numbers", {
  model <- ref_model(ref_net(c(2, 3, 2), c("relu", "softmax")))
  model |> compile("adam", "sparse_categorical_crossentropy")
  model |> fit(x4, c(0, 1, 1, 0), epochs = 2, verbose = 0)
  before <- model_snapshot(model)
  set.seed(1)
  seed <- .Random.seed
  first <- explain_backprop(model, x4, c(0, 1, 1, 0))
  expect_identical(.Random.seed, seed)
  expect_identical(model_snapshot(model), before)
  expect_identical(explain_backprop(model, x4, c(0, 1, 1, 0)), first)

  # a model without weights gets those that it would have got
  make <- function() {
    set.seed(7)
    keras_model_sequential() |> layer_dense(2) |> compile("sgd", "mse")
  }
  twin <- make()
  train_on_batch(twin, x4, x4)
  step <- explain_backprop(make(), x4, x4)
  expect_identical(tidy(step)$new_weight, as.double(unlist(get_weights(twin))))
})

test_that("the whole table holds the numbers of the others", {
  model <- ref_model(ref_net(c(2, 3, 2), c("tanh", "softmax")), function(i) list(kernel_regularizer = "l2"))
  model |> compile("sgd", "sparse_categorical_crossentropy")
  step <- explain_backprop(model, x4, c(0, 1, 1, 0))
  all <- as.data.frame(step)
  expect_named(all, c("step", "sample", "layer", "quantity", "term", "value"))
  of <- function(quantity) all$value[all$quantity == quantity]
  units <- tidy(step, "units")
  expect_identical(of("sum"), units$sum)
  expect_identical(of("activation"), units$activation)
  expect_setequal(of("dL/dz"), units$d_sum)
  expect_identical(of("gradient"), tidy(step)$gradient)
  expect_identical(of("new weight"), tidy(step)$new_weight)
  expect_setequal(of("dL/dw"), tidy(step, "chain")$product)
  expect_identical(of("input"), as.vector(x4))
  expect_identical(of("mean loss"), step$loss)
  expect_equal(of("penalty")[1], step$loss - mean(tidy(step, "samples")$loss))
  expect_length(of("da/dz"), 4 * 3 + 4 * 2 * 2)
  expect_false(anyNA(all$value))

  # factors: product = d_sum * input, and their shares add up to the chain
  chain <- tidy(step, "chain")
  expect_identical(chain$product, chain$d_sum * chain$input)
  summed <- tapply(chain$product * chain$share, factor(chain$term, unique(chain$term)), sum)
  expect_equal(as.vector(summed), tidy(step)$chain)
})

test_that("layers that it cannot explain are named", {
  expect_named_layer <- function(model, layer) {
    model |> compile("sgd", "mse")
    error <- expect_error(explain_backprop(model, x4, 1:4), class = "lamina_error_argument")
    expect_identical(error$layer, layer)
    expect_match(conditionMessage(error), layer, fixed = TRUE)
  }
  base <- function() keras_model_sequential(input_shape = 2) |> layer_dense(3)
  expect_named_layer(base() |> layer_dropout(0.5, name = "forget") |> layer_dense(1), "forget")
  expect_named_layer(base() |> layer_batch_normalization() |> layer_dense(1), "batch_normalization")
  expect_named_layer(base() |> layer_activation_parametric_relu() |> layer_dense(1), "p_re_lu")
  expect_named_layer(keras_model_sequential(input_shape = c(8, 8, 1)) |> layer_conv_2d(2, 3), "conv2d")
  expect_named_layer(base() |> layer_activation(function(x) x^2, name = "own"), "own")
})

test_that("bad input is refused before anything changes", {
  model <- ref_model(ref_net(c(2, 1), "linear"))
  expect_error(explain_backprop(model, x4, 1:4), class = "lamina_error_state")
  expect_error(explain_backprop("model", x4, 1:4), class = "lamina_error_argument")
  model |> compile("sgd", "mse")
  refused(model, explain_backprop(model, x4), "lamina_error_argument", "y")
  refused(model, explain_backprop(model, x4, 1:3), "lamina_error_data", "y")
  refused(model, explain_backprop(model, wave_matrix(4, 3), 1:4), "lamina_error_shape")
  refused(model, explain_backprop(model, x4 * NA, 1:4), "lamina_error_data")
  error <- refused(model, explain_backprop(model, wave_matrix(4000, 2), 1:4000), "lamina_error_argument", "model")
  expect_match(conditionMessage(error), "10,000")
  step <- explain_backprop(model, x4, 1:4)
  expect_error(tidy(step, "unit"), "units", class = "lamina_error_argument")
  expect_error(format(step, sample = 5), class = "lamina_error_argument")
  expect_error(plot(step, "forwards"), class = "lamina_error_argument")
  deep <- keras_model_sequential(input_shape = c(2, 2)) |> layer_dense(1)
  deep |> compile("sgd", "mse")
  expect_error(explain_backprop(deep, array(0, c(1, 2, 2)), array(0, c(1, 2, 1))), class = "lamina_error_argument")
})

test_that("long layers are cut, and print() names what is left out", {
  model <- ref_model(ref_net(c(9, 12), "tanh"))
  model |> compile("sgd", "mse")
  step <- explain_backprop(model, wave_matrix(1, 9), wave_matrix(1, 12))
  text <- format(step, max = 5)
  expect_true("  ... and 7 more" %in% text)
  expect_true(paste0("  ... and ", 9 * 12 + 12 - 5, " more") %in% text)
  expect_match(text, "^  z1\\[1\\] = .* \\+ \\.\\.\\. \\+ ", all = FALSE)
  expect_no_match(format(step, max = Inf), "more$")
  expect_output(print(step), "multiply to the engine's 120 gradients within")
})

test_that("as formulas", {
  lines <- toLatex(explain_backprop(neuron(), 2, 5))
  expect_s3_class(lines, "Latex")
  expect_true(all(c(
    "z^{(1)}_{1} &= 2 \\cdot 3 + 1 = 7, \\quad a^{(1)}_{1} = 7",
    "\\frac{\\partial L}{\\partial w^{(1)}_{1,1}} &= \\frac{\\partial L}{\\partial z^{(1)}_{1}} \\cdot x_{1} = 4 \\cdot 2 = 8 \\\\",
    "b^{(1)}_{1} &= 1 - 0.125 \\cdot 4 = 0.5"
  ) %in% lines))
  expect_identical(sum(lines == "\\begin{align*}"), sum(lines == "\\end{align*}"))
  tiny <- explain_backprop(neuron(optimizer_sgd(1e-10)), 2, 5)
  expect_match(toLatex(tiny), "1\\times 10^{-10} \\cdot 8", fixed = TRUE, all = FALSE)

  named <- keras_model_sequential(input_shape = 1) |> layer_dense(1, activation = "hard_sigmoid", name = "my_layer")
  named |> compile("sgd", "mse")
  lines <- toLatex(explain_backprop(named, 2, 5))
  expect_match(lines, "my\\_layer", fixed = TRUE, all = FALSE)
  expect_match(lines, "\\mathrm{hard\\_sigmoid}", fixed = TRUE, all = FALSE)
  expect_no_match(gsub("\\\\_|[_^]\\{", "", lines), "_")

  skip_if_not_installed("knitr")
  shown <- knitr::knit_print(explain_backprop(neuron(), 2, 5))
  expect_s3_class(shown, "knit_asis")
  expect_match(shown, "$$\\begin{aligned}\nz^{(1)}_{1} &= 2", fixed = TRUE)
})

test_that("the picture has the numbers on it", {
  model <- ref_model(ref_net(c(2, 3, 2), c("sigmoid", "softmax")))
  model |> compile(optimizer_sgd(0.5), "sparse_categorical_crossentropy")
  step <- explain_backprop(model, x4, c(0, 1, 1, 0))
  two <- function(v) lamina:::short_number(v, 2)
  w <- tidy(step)
  units <- tidy(step, "units")
  shown <- words(plot(step, sample = 2))
  expect_true(all(two(c(w$weight, w$gradient)) %in% shown))
  mine <- units[units$sample == 2, ]
  expect_true(all(two(c(mine$sum, mine$activation, mine$d_sum, x4[2, ])) %in% shown))
  # in the order of the nodes
  consecutive <- function(texts) any(vapply(seq_along(shown), function(i) identical(shown[i - 1 + seq_along(texts)], texts), NA))
  for (layer in c("dense", "dense_1")) {
    for (column in c("sum", "activation", "d_sum")) expect_true(consecutive(two(mine[[column]][mine$layer == layer])))
  }
  expect_true(all(c("2 inputs", "3 neurons", "softmax", sprintf("mean loss %s", format(step$loss, digits = 4))) %in% shown))

  shown <- words(plot(step, "update", bias = FALSE, main = "one step"))
  expect_true(all(two(w$new_weight[w$from > 0]) %in% shown))
  expect_true("one step" %in% shown)
  shown <- words(plot(step, "backward"))
  expect_true(all(two(w$gradient) %in% shown) && "gradients:" %in% shown)
  expect_false(any(setdiff(two(w$weight), two(c(w$gradient, units$d_sum))) %in% shown))

  wide <- ref_model(ref_net(c(30, 40, 2), c("sigmoid", "softmax")))
  wide |> compile("sgd", "sparse_categorical_crossentropy")
  step <- explain_backprop(wide, wave_matrix(1, 30), 0)
  expect_true("40 neurons" %in% words(expect_identical(plot(step), step)))
  bare <- keras_model_sequential(input_shape = 2) |> layer_activation("tanh")
  bare |> compile("sgd", "mse")
  expect_error(plot(explain_backprop(bare, x4, x4)), class = "lamina_error_state")
})

test_that("short numbers", {
  expect_identical(lamina:::short_number(c(0, 1, -0.25, 0.5, 0.000123, 12345, 7.006), 2),
                   c("0", "1.0", "-0.25", "0.50", "1.2e-04", "1.2e+04", "7.0"))
})
