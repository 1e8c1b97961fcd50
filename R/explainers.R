# Packages that explain models (DALEX, pdp, iml, marginaleffects), and what they need to know of a lamina() fit.

#' Explaining a fit with other packages
#'
#' [importance()] and [partial()] answer the first questions. Fits of [lamina()] also go, as they are, into the
#' packages that explain models of any kind:
#'
#' * **DALEX**: `DALEX::explain(fit, data, y)`, then `model_parts()`, `model_profile()`, `predict_parts()`,
#'   `model_performance()`, `model_diagnostics()`. *For comparing models in the same pictures, and for breaking down
#'   single predictions.* `y` are numbers, for two classes 0 and 1 (the second level is 1), for more a factor.
#' * **iml**: `iml::Predictor$new(fit, data, y = y)`, then `FeatureImp`, `FeatureEffect`, `Shapley`, `Interaction`
#'   and others. *For Shapley values, interactions, and effects of two columns.* Both classes of two have a
#'   probability, so that `loss = "ce"` works with a factor `y`; `type = "class"` predicts classes.
#' * **pdp**: `pdp::partial(fit, pred.var = "x")`. *For convex hulls, quantile grids, and partial dependence on the
#'   logit scale*, which is its default for classes (`prob = TRUE` for probabilities, `which.class` for the class).
#'   Where lamina is attached after pdp write `pdp::partial()`, and the other way round `lamina::partial()`.
#' * **marginaleffects**: `avg_slopes(fit)`, `avg_comparisons(fit)`, `predictions(fit)` and so on. *For average
#'   slopes and contrasts in the units of the data, by groups, at chosen values.* There are no standard errors: the
#'   weights of a network have no covariance matrix that means anything. Slopes are differences over 1/10,000 of a
#'   column's range, of predictions in single precision: the second or third digit is the last to trust, and a larger
#'   `eps` (in units of the column) gives more. `type` is `"response"`, `"link"` or `"prob"`. (On R before 4.4
#'   version 1.0.0 of that package lacks the operator `%||%`.)
#' * **vip**: `vip::vi_permute(fit, train = data, target = "y", metric = "rmse", pred_wrapper = function(object,
#'   newdata) predict(object, newdata))`, by its help; for classes with `type = "class"` inside and
#'   `metric = "accuracy"`.
#'
#' broom's `tidy()`, `glance()` and `augment()` are those of [lamina_tidy].
#'
#' @family R models
#' @examples
#' set.seed(1)
#' cars <- transform(mtcars, cyl = factor(cyl))[c("mpg", "wt", "hp", "cyl")]
#' fit <- lamina(mpg ~ ., cars, hidden_units = 4, optimizer = "bfgs", penalty = 0.01)
#' flowers <- lamina(Species ~ ., iris, hidden_units = 8, epochs = 60)
#'
#' if (requireNamespace("DALEX", quietly = TRUE)) {
#'   explainer <- DALEX::explain(flowers, iris[1:4], iris$Species, verbose = FALSE)
#'   print(DALEX::predict_parts(explainer, iris[101, 1:4]))
#' }
#'
#' if (requireNamespace("iml", quietly = TRUE)) {
#'   predictor <- iml::Predictor$new(fit, cars[-1], y = cars$mpg)
#'   print(iml::Shapley$new(predictor, x.interest = cars[1, -1])$results)
#' }
#'
#' if (requireNamespace("pdp", quietly = TRUE)) {
#'   print(pdp::partial(flowers, pred.var = "Petal.Width", which.class = "virginica", prob = TRUE,
#'                      grid.resolution = 5))
#' }
#'
#' if (requireNamespace("marginaleffects", quietly = TRUE) && getRversion() >= "4.4.0") {
#'   print(marginaleffects::avg_slopes(fit))
#' }
#' @name lamina_explainers
NULL

# ---- DALEX ---------------------------------------------------------------------------------------

# Numbers; the probability of the second of two classes, or of the one asked for; a matrix for more.
#' @exportS3Method DALEX::yhat
yhat.lamina_fit <- function(X.model, newdata, ...) {
  out <- if (has_probabilities(X.model)) predict(X.model, newdata, type = "prob") else predict(X.model, newdata)
  target <- attr(X.model, "predict_function_target_column")
  if (is.null(target) && has_probabilities(X.model) && ncol(out) == 2L) {
    target <- 2L
  }
  if (is.null(target) || is.null(dim(out))) out else out[, target]
}

#' @exportS3Method DALEX::model_info
model_info.lamina_fit <- function(model, is_multiclass = FALSE, ...) {
  type <- if (length(model$task$levels) == 0L) {
    "regression"
  } else {
    if (is_multiclass) "multiclass" else "classification"
  }
  version <- as.character(utils::packageVersion("lamina"))
  structure(list(package = "lamina", ver = version, type = type), class = "model_info")
}

has_probabilities <- function(fit) fit$task$kind == "classes" && !gives_scores(fit$task)

# ---- marginaleffects and insight -----------------------------------------------------------------

#' @exportS3Method marginaleffects::get_predict
get_predict.lamina_fit <- function(model, newdata, type = "response", ...) {
  type <- check_choice(if (is.null(type)) "response" else type, c("response", "link", "prob"), arg = "type")
  out <- as.matrix(predict(model, as.data.frame(newdata), type = type))
  frame <- data.frame(estimate = as.vector(out))
  if (ncol(out) > 1L) {
    frame$group <- factor(rep(colnames(out), each = nrow(out)), colnames(out))
  }
  if ("rowid" %in% names(newdata)) {
    frame$rowid <- rep(newdata$rowid, ncol(out))
  }
  frame
}

# The weights of a network have no covariance matrix that means anything, so there are no standard errors.
#' @exportS3Method marginaleffects::get_vcov
get_vcov.lamina_fit <- function(model, vcov = NULL, ...) {
  if (!is.null(vcov) && !is.logical(vcov)) {
    abort_argument("vcov", "left out: there are no standard errors for the weights of a network", describe(vcov))
  }
  NULL
}

#' @exportS3Method insight::get_data
get_data.lamina_fit <- function(x, ...) fit_frame(x)

# Fits of `x` and `y` have none of their own.
#' @exportS3Method insight::find_formula
find_formula.lamina_fit <- function(x, ...) {
  if (!is.null(x$formula)) {
    return(NextMethod())
  }
  predictors <- sprintf("`%s`", names(x$blueprint$ptypes$predictors))
  formula <- stats::reformulate(predictors, as.name(x$outcome), env = globalenv())
  structure(list(conditional = formula), class = c("insight_formula", "list"))
}

# ---- what their generics do not do ---------------------------------------------------------------

# Called as lamina is loaded.  pdp and iml decide by generics that they do not export; should another version lack
# one, their defaults apply.  marginaleffects takes only classes that an option names.
register_explainers <- function() {
  when_loaded("pdp", function() {
    register_method("pdp", "get_task",
                    function(object) if (has_probabilities(object)) "classification" else "regression")
    register_method("pdp", "get_training_data", function(object, ...) frame_for(object, require_data(object)))
  })
  when_loaded("iml", function() {
    register_method("iml", "inferTaskFromModel",
                    function(model) if (has_probabilities(model)) "classification" else "regression")
    register_method("iml", "create_predict_fun2", iml_predictions)
  })
  when_loaded("marginaleffects", function() {
    options(marginaleffects_model_classes = union(getOption("marginaleffects_model_classes"), "lamina_fit"))
  })
}

when_loaded <- function(package, code) {
  if (isNamespaceLoaded(package)) {
    code()
  }
  setHook(packageEvent(package, "onLoad"), function(...) code())
}

register_method <- function(package, generic, method) {
  home <- asNamespace(package)
  if (exists(generic, envir = home, mode = "function", inherits = FALSE)) {
    registerS3method(generic, "lamina_fit", method, envir = home)
  }
}

# A function of new data: the probabilities of all classes, numbers, or what `type` asks for.
iml_predictions <- function(model, task, predict.fun = NULL, type = NULL) {
  type <- if (!is.null(type)) type else if (has_probabilities(model)) "prob" else "response"
  function(newdata) {
    out <- predict(model, newdata, type = type)
    if (is.factor(out)) {
      out <- to_categorical(as.integer(out) - 1, nlevels(out))
      colnames(out) <- model$task$levels
    }
    data.frame(out, check.names = FALSE)
  }
}
