#' A playground for small networks
#'
#' Opens a page in the browser where one sees a network learn: choose data, features, layers and how to train, press
#' Play, and watch the decision boundary, the weights and the losses move. Single steps of the optimizer can be taken, and
#' the numbers of one sample's way forward and back be read in tables. It works without a network connection.
#'
#' @section What one sees:
#' * **Output**: what the network makes of each point of the plane, blue for class `b` and orange for class `a`, the
#'   paler the less sure; the line is where it changes its mind. The points are those of [sim_points()]: discs are `b` and
#'   squares `a`, filled ones are trained on, hollow ones are test data. Of the hills, blue is high and orange low; discs
#'   are trained on, squares are test data.
#' * **Network**: lines are weights, blue for positive and orange for negative ones, the wider the larger; each
#'   tile is what a unit puts out over the plane. A pointer on them reads the numbers.
#' * **Loss**: of training data (solid) and test data (dashed), with the weights of that moment, dropout
#'   switched off and penalties included, as [evaluate()][evaluate.lamina_model] gives it.
#' * **One sample, forward and back**: weighted sums, activations and gradients of one sample, when training
#'   pauses: [layer_outputs()] and [compute_gradients()]. Choose it by its number or in the picture of the output.
#' * **R code**: a script that makes the same data and network and trains as far as the playground has come,
#'   to the same weights and losses.
#'
#' A change of the settings starts with a new network. Training runs in slices of at most 50 ms, so that Pause and the
#' settings answer while it does; "Speed" says whether a picture comes after every step, every epoch, or ten.
#'
#' @section Where it runs:
#' `options(shiny.port = , shiny.host = , shiny.launch.browser = )` are obeyed, as by [shiny::runApp()]. The object
#' that `launch = FALSE` gives can be put on a server or be run by `runApp()` in other ways.
#'
#' @param launch `FALSE`: return the app instead of running it.
#' @return The app, an object of class `shiny.appobj`, if `launch` is `FALSE`; else nothing, when the app is stopped.
#' @section Errors:
#' `lamina_error_package` where package shiny is not installed.
#' @seealso [sim_points()] for the data, [plot()][plot.lamina_model] for pictures of networks.
#' @examplesIf requireNamespace("shiny", quietly = TRUE)
#' app <- lamina_playground(launch = FALSE)
#' if (interactive()) {
#'   lamina_playground()
#' }
#' @export
lamina_playground <- function(launch = TRUE) {
  launch <- check_flag(launch)
  require_shiny()
  app <- shiny::shinyApp(playground_ui(), playground_server)
  if (launch) invisible(shiny::runApp(app)) else app
}

require_shiny <- function(installed = rlang::is_installed("shiny"), call = rlang::caller_env()) {
  if (!installed) {
    abort_lamina(
      c("The playground needs package shiny, which is not installed.", i = "install.packages(\"shiny\") installs it."),
      "package", expected = "shiny", actual = "not installed", call = call
    )
  }
}
