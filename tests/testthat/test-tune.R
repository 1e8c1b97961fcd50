for (package in c("parsnip", "workflows", "tune", "rsample", "recipes", "yardstick")) skip_if_not_installed(package)

small <- function(mode = "regression", ...) engine(mode, ..., hidden_units = 4, epochs = 6)

cars2 <- transform(mtcars[rep(1:32, 2), ], cyl = factor(cyl), mpg = mpg + rep(c(0, 0.5), each = 32))
rownames(cars2) <- NULL
folds <- withr::with_seed(1, rsample::vfold_cv(cars2, v = 2))

# What tune_grid() gives from a seed: metrics, and predictions in the order of rows and parameters.
tuned <- function(workflow, grid, resamples = folds, ..., seed = 7) {
  set.seed(seed)
  tune::tune_grid(workflow, resamples, grid = grid, control = tune::control_grid(save_pred = TRUE), ...)
}

# ---- workflows -----------------------------------------------------------------------------------

test_that("workflows of a formula, of variables and of a recipe fit what lamina() fits", {
  set.seed(2)
  own <- lamina(mpg ~ wt + cyl, cars2, hidden_units = 4, epochs = 6)
  workflows <- list(
    workflows::workflow(mpg ~ wt + cyl, small()),
    workflows::add_variables(workflows::workflow(spec = small()), mpg, c(wt, cyl)),
    workflows::workflow(recipes::recipe(mpg ~ wt + cyl, cars2), small())
  )
  for (workflow in workflows) {
    set.seed(2)
    fit <- parsnip::fit(workflow, cars2)
    expect_identical(predict(fit, cars2)$.pred, predict(own, cars2))
    expect_identical(workflows::extract_fit_engine(fit)$outcome, "mpg")
    expect_identical(parsnip::augment(fit, cars2)$.pred, predict(own, cars2))
  }
})

test_that("a recipe's steps come first", {
  recipe <- recipes::recipe(Species ~ ., iris) |> recipes::step_pca(recipes::all_numeric_predictors(), num_comp = 2)
  set.seed(2)
  fit <- parsnip::fit(workflows::workflow(recipe, small("classification")), iris)
  expect_identical(workflows::extract_fit_engine(fit)$predictors, c("PC1", "PC2"))
  baked <- recipes::bake(recipes::prep(recipe), iris)
  set.seed(2)
  own <- lamina(Species ~ PC1 + PC2, baked, hidden_units = 4, epochs = 6)
  expect_identical(unname(as.matrix(predict(fit, iris, type = "prob"))), unname(predict(own, baked, type = "prob")))
})

test_that("a workflow's case weights are the rows' weights", {
  data <- transform(cars2, w = hardhat::importance_weights(seq_len(64)))
  spec <- engine("regression", optimizer = "bfgs", hidden_units = 0)
  workflow <- workflows::add_case_weights(workflows::workflow(mpg ~ hp + wt, spec), w)
  fit <- parsnip::fit(workflow, data)
  expected <- lm(mpg ~ hp + wt, transform(data, w = as.double(w)), weights = w)
  expect_equal(predict(fit, data)$.pred, unname(predict(expected)), tolerance = 1e-4)
})

# ---- resampling ----------------------------------------------------------------------------------

test_that("last_fit() is a fit of the training rows, predicted on the others", {
  split <- withr::with_seed(3, rsample::initial_split(cars2))
  set.seed(4)
  last <- tune::last_fit(workflows::workflow(mpg ~ wt + cyl, small()), split)
  set.seed(4)
  own <- lamina(mpg ~ wt + cyl, rsample::training(split), hidden_units = 4, epochs = 6)
  test <- rsample::testing(split)
  expect_identical(tune::collect_predictions(last)$.pred, predict(own, test))
  rmse <- subset(tune::collect_metrics(last), .metric == "rmse")$.estimate
  expect_equal(rmse, sqrt(mean((test$mpg - predict(own, test))^2)))
  expect_identical(predict(hardhat::extract_workflow(last), test)$.pred, predict(own, test))
})

test_that("the seed fixes resampled fits", {
  workflow <- workflows::workflow(mpg ~ wt + cyl, small())
  run <- function(seed) {
    set.seed(seed)
    tune::collect_metrics(tune::fit_resamples(workflow, folds), summarize = FALSE)
  }
  expect_identical(run(5), run(5))
  expect_false(identical(run(5)$.estimate, run(6)$.estimate))
})

# ---- tuning --------------------------------------------------------------------------------------

test_that("a grid over epochs costs one fit for each combination of the others, and is exact", {
  fits <- 0
  counter <- callback_lambda(on_train_begin = function(logs) fits <<- fits + 1)
  spec <- engine("regression", callbacks = list(counter),
                 hidden_units = 4, penalty = tune::tune(), epochs = tune::tune("ep"))
  workflow <- workflows::workflow(mpg ~ wt + cyl, spec)
  whole <- tuned(workflow, expand.grid(penalty = c(0, 0.01), ep = c(3, 10, 25)))
  expect_identical(fits, 4) # two penalties, two folds
  predictions <- tune::collect_predictions(whole)
  expect_identical(nrow(predictions), 64L * 6L)
  expect_identical(nrow(tune::collect_metrics(whole)), 12L)
  # a resample starts from its seed: the first penalty's predictions are those of grids of one row
  for (ep in c(3, 10, 25)) {
    alone <- tune::collect_predictions(tuned(workflow, data.frame(penalty = 0, ep = ep)))
    here <- predictions[predictions$penalty == 0 & predictions$ep == ep, ]
    expect_identical(here$.pred[order(here$.row)], alone$.pred[order(alone$.row)])
  }
})

test_that("classes are tuned by probabilities and by classes", {
  spec <- engine("classification", class_weights = tune::tune(), batch_size = tune::tune(),
                 hidden_units = 3, epochs = tune::tune(), activation = tune::tune())
  irises <- iris[c(1:50, 51:80, 101:150), ]
  folds <- withr::with_seed(1, rsample::vfold_cv(irises, v = 2, strata = Species))
  grid <- expand.grid(class_weights = c(1, 4), batch_size = c(8, 32), epochs = c(2, 8), activation = "tanh",
                      stringsAsFactors = FALSE)
  out <- tuned(workflows::workflow(Species ~ ., spec), grid, folds,
               metrics = yardstick::metric_set(yardstick::roc_auc, yardstick::accuracy, yardstick::mn_log_loss))
  expect_identical(nrow(tune::collect_notes(out)), 0L)
  expect_identical(nrow(tune::collect_metrics(out)), 24L)
  p <- tune::collect_predictions(out)
  accuracy <- tapply(p$.pred_class == p$Species, list(p$id, p$.config), mean)
  own <- tune::collect_metrics(out, summarize = FALSE)
  own <- own[own$.metric == "accuracy", ]
  expect_equal(accuracy[cbind(own$id, own$.config)], own$.estimate)
})

test_that("the number of layers can be tuned, and what dials does not know", {
  spec <- engine("regression", optimizer = tune::tune(), hidden_units = tune::tune(), epochs = tune::tune())
  grid <- tibble::tibble(hidden_units = list(4, c(6, 2), c(6, 2)), epochs = c(3, 3, 7),
                         optimizer = c("adam", "bfgs", "bfgs"))
  workflow <- workflows::workflow(mpg ~ wt + cyl, spec)
  out <- tuned(workflow, grid)
  expect_identical(nrow(tune::collect_notes(out)), 0L)
  expect_identical(nrow(tune::collect_metrics(out)), 6L)
  final <- tune::finalize_workflow(workflow, grid[3, ])
  fit <- workflows::extract_fit_engine(parsnip::fit(final, cars2))
  expect_identical(fit$settings[c("hidden_units", "epochs", "optimizer")],
                   list(hidden_units = c(6, 2), epochs = 7, optimizer = "bfgs"))
})

test_that("tune makes its own grids from lamina's ranges", {
  skip_if_not_installed("dials")
  spec <- engine("regression", hidden_units = tune::tune(), activation = tune::tune(), learn_rate = tune::tune(),
                                           epochs = 3)
  out <- tuned(workflows::workflow(mpg ~ wt + cyl, spec), 4)
  expect_identical(nrow(tune::collect_notes(out)), 0L)
  tried <- unique(tune::collect_metrics(out)[c("hidden_units", "activation", "learn_rate")])
  expect_true(all(tried$hidden_units >= 2 & tried$hidden_units <= 64))
  expect_true(all(tried$learn_rate >= 1e-4 & tried$learn_rate <= 0.1))
  expect_true(all(tried$activation %in% engine_arguments$activation$values))
})

test_that("what goes wrong in a resample is told in lamina's words", {
  out <- suppressMessages(suppressWarnings(tuned(
    workflows::workflow(mpg ~ wt, engine("regression", activation = tune::tune(), epochs = 2)),
    data.frame(activation = c("relu", "relux"))
  )))
  expect_match(tune::collect_notes(out)$note[1], "Did you mean \"relu\"?", fixed = TRUE)
  expect_identical(nrow(tune::collect_metrics(out)), 2L)
})

# ---- workers -------------------------------------------------------------------------------------

test_that("two workers give the same numbers as none", {
  skip_on_cran()
  skip_if_not_installed("future")
  skip_if_not_installed("future.apply") # which tune asks for
  spec <- engine("regression", hidden_units = 4, penalty = tune::tune(), epochs = tune::tune())
  workflow <- workflows::workflow(mpg ~ wt + cyl, spec)
  grid <- expand.grid(penalty = c(0, 0.01), epochs = c(3, 10))
  alone <- tuned(workflow, grid)
  old <- future::plan(future::multisession, workers = 2)
  withr::defer(future::plan(old))
  expect_false(Sys.getpid() == future::value(future::future(Sys.getpid())))
  both <- tuned(workflow, grid)
  expect_identical(tune::collect_predictions(both), tune::collect_predictions(alone))
  expect_identical(tune::collect_metrics(both, summarize = FALSE), tune::collect_metrics(alone, summarize = FALSE))
})
