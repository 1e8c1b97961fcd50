# Seeing inside convolutional networks: what filters find, what a network learns, where it looks and
# where it goes wrong. The pictures of shapes are made up here, so that nothing need be fetched.
#
#     Rscript seeing.R [folder for the pictures]

library(lamina)
set.seed(1)

folder <- commandArgs(trailingOnly = TRUE)[1]
if (is.na(folder)) {
  folder <- if (interactive()) tempdir() else "."
}
pictures <- character()
draw <- function(name, code, width = 7, height = 7) {
  path <- file.path(folder, sprintf("seeing-%s.png", name))
  png(path, width, height, units = "in", res = 100)
  result <- code
  if (inherits(result, "ggplot")) print(result)
  dev.off()
  pictures <<- c(pictures, path)
}

# 1. A filter is a small picture that is laid on every place of a large one --------------------

# Sobel's filters: right minus left, and lower minus upper.
right <- matrix(c(-1, -2, -1, 0, 0, 0, 1, 2, 1), nrow = 3)
lower <- t(right)

edges <- keras_model_sequential(input_shape = c(28, 28, 1)) |>
  layer_conv_2d(filters = 2, kernel_size = 3, use_bias = FALSE, name = "edges")
set_weights(edges, list(array(c(right, lower), c(3, 3, 1, 2))))

square <- array(0, c(28, 28, 1))
square[9:20, 9:20, 1] <- 1
found <- activations(edges, square)$edges

cat("A bright square, row 14: what the filter \"right minus left\" finds at its two sides\n")
print(found[1, 14, , 1])
draw("sobel-filters", plot_filters(edges, main = "Two filters set by hand"))
draw("sobel-maps", plot_feature_maps(edges, square, main = "What they find: edges, and on which side it is bright"))

# 2. Pooling keeps the largest number of every window -----------------------------------------

pool <- keras_model_sequential(input_shape = c(4, 4, 1)) |> layer_max_pooling_2d(pool_size = 2)
numbers <- matrix(c(1, 3, 2, 1,
                    4, 2, 0, 1,
                    5, 1, 9, 2,
                    0, 2, 3, 7), nrow = 4, byrow = TRUE)
cat("\nA matrix, and the largest numbers of its four quarters:\n")
print(numbers)
print(predict(pool, array(numbers, c(1, 4, 4, 1)))[1, , , 1])

# 3. A network that learns its filters, beside a linear model ---------------------------------

train <- sim_shapes(2400, size = 24)
test <- sim_shapes(600, size = 24)

network <- keras_model_sequential(input_shape = c(24, 24, 1)) |>
  layer_conv_2d(filters = 12, kernel_size = 5, padding = "same", activation = "relu", name = "first") |>
  layer_max_pooling_2d(pool_size = 2) |>
  layer_conv_2d(filters = 24, kernel_size = 3, padding = "same", activation = "relu", name = "second") |>
  layer_max_pooling_2d(pool_size = 2) |>
  layer_conv_2d(filters = 24, kernel_size = 3, padding = "same", activation = "relu", name = "third") |>
  layer_flatten() |>
  layer_dropout(0.3) |>
  layer_dense(units = 4, activation = "softmax")

linear <- keras_model_sequential(input_shape = c(24, 24, 1)) |>
  layer_flatten() |>
  layer_dense(units = 4, activation = "softmax")

cat("\n")
summary(network)
draw("network", plot(network, main = "A convolutional network"), height = 5)

one <- test$x[which(test$y == "triangle")[1], , , , drop = FALSE]
draw("filters-before", plot_filters(network, main = "First filters before training"))
draw("maps-before", plot_feature_maps(network, one, main = "Their maps before training"))

learn <- function(model, rate, epochs) {
  model |> compile(
    optimizer = optimizer_adam(learning_rate = rate),
    loss = "sparse_categorical_crossentropy",
    metrics = "accuracy"
  )
  seconds <- system.time(fit(model, train$x, train$y, epochs = epochs, verbose = 0))[["elapsed"]]
  c(accuracy = evaluate(model, test$x, test$y)$accuracy, seconds = seconds)
}
of_network <- learn(network, 0.002, 15)
of_linear <- learn(linear, 0.002, 15)
cat(sprintf("\nAccuracy on the test set: network %.1f %% (trained in %.1f s), linear model %.1f %%, guessing 25 %%\n\n",
            100 * of_network[["accuracy"]], of_network[["seconds"]], 100 * of_linear[["accuracy"]]))

draw("filters-after", plot_filters(network, main = "First filters after training"))
draw("maps-after", plot_feature_maps(network, one, main = "Their maps after training"))
draw("maps-third", plot_feature_maps(network, one, "third", main = "Maps of the third convolution"))

# 4. Who is taken for whom, and the worst mistakes ---------------------------------------------

probabilities <- predict(network, test$x)
mistakes <- confusion(test$y, probabilities)
print(mistakes)
draw("confusion", plot(mistakes))
draw("worst", plot_images(test$x, test$y, probabilities, which = "worst", main = "The worst mistakes"))

# 5. Where the network looks -------------------------------------------------------------------

shown <- test$x[match(levels(test$y), test$y), , , , drop = FALSE] # the first of every class
set.seed(2)
draw("saliency", plot(saliency(network, shown, method = "smooth"), class_names = levels(test$y)))
draw("integrated", plot(saliency(network, shown, method = "integrated"), class_names = levels(test$y)))
draw("grad-cam", plot(grad_cam(network, shown), class_names = levels(test$y)))
draw("patterns", plot(maximize_activation(network, "third", steps = 40)))

# 6. Autoencoders: from a picture through a narrow place back to the picture -------------------

# Each picture in one form: light on dark, the shape in the middle.
in_the_middle <- function(x) {
  for (i in seq_len(dim(x)[1])) {
    one <- x[i, , , 1]
    one <- abs(one - median(c(one[1, ], one[24, ], one[, 1], one[, 24])))
    weight <- pmax(one - 0.2, 0)
    down <- round(12.5 - sum(weight * row(one)) / sum(weight))
    across <- round(12.5 - sum(weight * col(one)) / sum(weight))
    x[i, , , 1] <- one[(0:23 - down) %% 24 + 1, (0:23 - across) %% 24 + 1] / max(one)
  }
  x
}
upright <- sim_shapes(2000, size = 24, rotation = 0, noise = 0.03)
upright$x <- in_the_middle(upright$x)
flat <- array_reshape(upright$x, c(2000, 576))

# Dense layers; two numbers are all that passes through the middle.
dense <- keras_model_sequential(input_shape = 576) |>
  layer_dense(128, activation = "relu") |>
  layer_dense(32, activation = "relu") |>
  layer_dense(2, name = "code") |>
  layer_dense(32, activation = "relu") |>
  layer_dense(128, activation = "relu") |>
  layer_dense(576, activation = "sigmoid")
dense |> compile(optimizer = optimizer_adam(learning_rate = 0.002), loss = "mse")
dense |> fit(flat, flat, epochs = 40, batch_size = 64, verbose = 0)

# Rows of eight: input, output, input, output.
compare <- function(before, after) {
  both <- array(0, c(32, 24, 24, 1))
  both[c(1:8, 17:24), , , ] <- before[1:16, , , ]
  both[c(9:16, 25:32), , , ] <- after[1:16, , , ]
  both
}
restored <- array_reshape(predict(dense, flat), dim(upright$x))
draw("autoencoder-dense",
     plot_images(compare(upright$x, restored), max = 32, ncol = 8,
                 main = "Through two numbers: input above, output below"), height = 4.2)

code <- layer_outputs(dense, flat, "code")
colours <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7")
signs <- c(16, 15, 17, 3)
draw("autoencoder-code", {
  plot(code, col = adjustcolor(colours[upright$y], 0.7), pch = signs[upright$y], las = 1,
       xlab = "first number", ylab = "second number", ylim = extendrange(code[, 2], f = c(0.02, 0.12)),
       main = "The two numbers, learned without knowing the classes")
  legend("top", levels(upright$y), col = colours, pch = signs, horiz = TRUE, bty = "n")
})

# Convolutions; the same form, trained to take noise away.
noisy <- pmin(pmax(upright$x + rnorm(length(upright$x), sd = 0.25), 0), 1)
denoiser <- keras_model_sequential(input_shape = c(24, 24, 1)) |>
  layer_conv_2d(16, kernel_size = 3, strides = 2, padding = "same", activation = "relu") |>
  layer_conv_2d(16, kernel_size = 3, strides = 2, padding = "same", activation = "relu") |>
  layer_conv_2d_transpose(16, kernel_size = 3, strides = 2, padding = "same", activation = "relu") |>
  layer_conv_2d_transpose(1, kernel_size = 3, strides = 2, padding = "same", activation = "sigmoid")
denoiser |> compile(optimizer = optimizer_adam(learning_rate = 0.003), loss = "mse")
denoiser |> fit(noisy, upright$x, epochs = 8, verbose = 0)
cleaned <- predict(denoiser, noisy)
draw("autoencoder-network", plot(denoiser, main = "The convolutional autoencoder"), height = 4)
draw("autoencoder-denoising",
     plot_images(compare(noisy, cleaned), max = 32, ncol = 8,
                 main = "Taking noise away: input above, output below"), height = 4.2)

error <- function(x) mean((x - upright$x)^2)
cat(sprintf("\nMean squared error against the clean pictures: noisy %.4f, cleaned %.4f\n",
            error(noisy), error(cleaned)))
cat(sprintf("Dense autoencoder with a code of two numbers: %.4f; the mean picture alone: %.4f\n",
            error(restored), mean(apply(upright$x, 2:4, var))))

cat("\nPictures:\n", paste0("  ", normalizePath(pictures), "\n"), sep = "")
