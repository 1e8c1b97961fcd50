# What a student reads when the data or the call are wrong.  Nothing is trained before any of these is said.

# The condition's text, once it is of the class and names the argument or column.
told <- function(code, arg, class = "lamina_error_data") {
  error <- expect_error(code, class = class)
  expect_s3_class(error, "lamina_error")
  expect_identical(error$arg, arg)
  expect_identical(as.character(conditionCall(error)[[1]]), "lamina")
  rlang::cnd_message(error)
}

test_that("outcomes that cannot be learned", {
  one <- subset(iris, Species == "setosa")
  text <- told(lamina(Species ~ ., one), "Species")
  expect_match(text, "has only one class, setosa: there is nothing to tell apart")
  expect_match(text, "No row that can be used is of class versicolor, virginica")
  expect_match(told(lamina(Species ~ ., droplevels(one)), "Species"), "only one class")
  text <- told(lamina(Species ~ ., transform(iris, Species = as.character(Species))), "Species")
  expect_match(text, "is text.*make it a factor: factor\\(Species\\)")
  expect_match(told(lamina(I(-carb) ~ wt, mtcars, family = poisson()), "I(-carb)"), "counts, 0 and above.*not -8")
  expect_match(told(lamina(carb ~ wt, mtcars, family = binomial()), "carb"), "a factor, or 0 and 1")
  expect_match(told(lamina(day ~ x, data.frame(day = as.Date("2024-01-01") + 1:5, x = 1:5)), "day"), "numbers or a factor")
  warning <- expect_warning(lamina(y ~ x, data.frame(y = 3, x = 1:20), epochs = 1), class = "lamina_warning_constant")
  expect_match(conditionMessage(warning), "`y` is the same number in all rows")
})

test_that("missing values: in the outcome, in predictors, everywhere", {
  gaps <- iris
  gaps$Species[5] <- NA
  gaps$Sepal.Width[c(5, 8)] <- NA
  message <- expect_message(lamina(Species ~ ., gaps, epochs = 1), class = "lamina_message_na")
  expect_match(conditionMessage(message), "2 of 150 rows have missing values (Sepal.Width: 2, Species: 1) and are left out", fixed = TRUE)
  expect_match(told(lamina(Species ~ ., gaps, na.action = "na.fail"), "na.action"), "na.action = na.omit leaves these rows out")
  expect_match(told(lamina(mpg ~ x, transform(mtcars, x = NA_real_)), "data"), "Every row has missing values")
  levels <- transform(mtcars, cyl = factor(ifelse(cyl == 8, NA, cyl)))
  message <- expect_message(lamina(mpg ~ cyl + wt, levels, epochs = 1), class = "lamina_message_na")
  expect_match(conditionMessage(message), "(cyl: 14)", fixed = TRUE) # the column, not its indicators
})

test_that("columns that tell nothing, or are no numbers", {
  warning <- expect_warning(lamina(mpg ~ ., transform(mtcars, k = 1), epochs = 1), class = "lamina_warning_constant")
  expect_match(conditionMessage(warning), "One predictor has the same value in all rows and can tell nothing: k.")
  text <- told(lamina(mpg ~ ., transform(mtcars, k = "a")), "k")
  expect_match(text, "`k` is the same in all rows, a, and can tell nothing.*Leave it out")
  expect_match(told(lamina(mpg ~ ., transform(mtcars, wt = wt / 0)), "wt"), "finite numbers, not infinite ones")
})

test_that("too few rows", {
  expect_match(told(lamina(mpg ~ wt, mtcars[0, ]), "data"), "has no rows")
  expect_match(told(lamina(mpg ~ wt, mtcars[1, ]), "data"), "one row to learn from; at least two are needed")
  warning <- expect_warning(lamina(mpg ~ wt, mtcars[1:3, ], epochs = 1), class = "lamina_warning_validation")
  expect_match(conditionMessage(warning), "3 rows are too few to hold some out")
})

test_that("formulas", {
  told <- function(formula, ...) {
    error <- expect_error(lamina(formula, mtcars), class = "lamina_error")
    conditionMessage(error)
  }
  expect_match(told(mpg ~ mpg + wt), "`mpg` on both sides")
  expect_match(told(mpg ~ log(mpg) + wt), "`mpg` on both sides")
  expect_match(told(mpg ~ wt - 1), "one with its intercept.*biases take the part")
  expect_match(told(mpg ~ 1), "one with predictors")
  expect_match(told(~wt), "one with an outcome")
  expect_match(told(mpg ~ weight), "weight")
  expect_match(told(miles ~ wt), "miles")
  expect_match(told(cbind(log(mpg), hp) ~ wt), "names of columns inside cbind")
  expect_equal(lamina(mpg ~ 1 + wt, mtcars, epochs = 1)$predictors, "wt")
})

test_that("arguments", {
  wrong <- function(..., arg, class = "lamina_error_argument") told(lamina(mpg ~ wt, mtcars, ...), arg, class)
  expect_match(wrong(hiden_units = 3, arg = "hiden_units"), "Did you mean `hidden_units`")
  expect_match(wrong(seed = 1, arg = "seed"), "set.seed\\(\\) before lamina")
  expect_match(wrong(hidden_units = c(3, -1), arg = "hidden_units"), "not -1")
  expect_match(wrong(activation = "rellu", arg = "activation"), "Did you mean \"relu\"")
  expect_match(wrong(activation = c("relu", "tanh", "relu"), arg = "activation"), "one for each of 2 hidden layers")
  expect_match(wrong(activation = function(x) x, arg = "activation"), "cannot be trained through")
  expect_match(wrong(optimizer = "adm", arg = "optimizer"), "Did you mean \"adam\"")
  expect_match(wrong(dropout = 1, arg = "dropout"), "below 1")
  expect_match(wrong(mixture = 2, arg = "mixture"), "from 0 to 1")
  expect_match(wrong(validation = 1, arg = "validation"), "fraction below 1")
  expect_match(wrong(family = "gamma", arg = "family"), "gaussian\\(\\), binomial\\(\\) or poisson\\(\\)")
  expect_match(wrong(family = poisson("sqrt"), arg = "family"), "the link \"log\"")
  expect_match(wrong(loss = "hinge", arg = "loss"), "`mpg` is no factor")
  expect_match(wrong(loss = "huber", family = gaussian(), arg = "loss"), "left out where `family` is given")
  expect_match(wrong(weights = 1:3, arg = "weights", class = "lamina_error_data"), "32 numbers, one for each row")
  expect_match(wrong(weights = -hp, arg = "weights", class = "lamina_error_data"), "at least 0")
  expect_match(wrong(weights = nowhere, arg = "weights"), "cannot be found")
  expect_match(wrong(subset = "a", arg = "subset"), "32 logicals")
  expect_match(wrong(class_weights = "balanced", arg = "class_weights"), "no factor.*`weights` gives each row")
  expect_match(wrong(layers = "dense", arg = "layers"), "a list of layers")
  expect_match(wrong(layers = list(layer_dense(units = 2)), hidden_units = 3, arg = "hidden_units"), "left out where `layers`")
  expect_match(wrong(start = list(1), arg = "start", class = "lamina_error_shape"), "a list of 6 arrays")
  expect_match(wrong(optimizer = "bfgs", dropout = 0.1, arg = "dropout"), "`penalty` shrinks")
  expect_match(wrong(optimizer = "bfgs", learn_rate = 0.1, arg = "learn_rate"), "finds its own steps")
  own <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_true))
  expect_match(wrong(loss = own, weights = hp, arg = "weights"), "not told of weights")
  stack <- list(layer_dense(units = 2), layer_batch_normalization())
  expect_match(wrong(optimizer = "bfgs", layers = stack, arg = "layers"), "BatchNormalization")
  expect_error(lamina(mpg ~ wt), class = "lamina_error_argument")
  expect_error(lamina(mpg ~ wt, as.matrix(mtcars)), class = "lamina_error_argument")
  expect_error(lamina(mtcars["wt"]), class = "lamina_error_argument")
  expect_error(lamina(mtcars["wt"], 1:3), class = "lamina_error_data")
  expect_error(lamina(as.list(mtcars), 1), class = "lamina_error_argument")
})

test_that("class weights with a wrong name, number or kind", {
  wrong <- function(w) told(lamina(Species ~ ., iris, class_weights = w), "class_weights", "lamina_error_argument")
  text <- wrong(c(setosa = 1, versicolour = 2))
  expect_match(text, "not \"versicolour\"")
  expect_match(text, "Did you mean \"versicolor\"")
  expect_match(wrong(c(1, 2)), "3 numbers, one a class")
  expect_match(wrong("equal"), "\"balanced\" or numbers")
  expect_error(lamina(Species ~ ., iris, family = binomial()), class = "lamina_error_argument")
  expect_error(lamina(Species ~ ., iris, offset = Sepal.Length), class = "lamina_error_argument")
})
