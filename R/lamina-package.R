#' lamina: neural networks in plain C
#'
#' Networks are put together in R from layers ([layer_dense()] and its kin), given a loss, an
#' optimizer and metrics by [compile()], and trained by [fit()]. Names, arguments and defaults are
#' those of Keras; the arithmetic runs in lamina's own C engine, in single precision, with vector
#' code for the processor at hand. Nothing is fetched or started when the package is loaded.
#'
#' @section Options:
#' * `lamina.threads`: how many threads compute.
#' * `lamina.isa`: the vector instructions to use at most: `"best"`, `"avx512"`, `"avx2"` or
#'   `"portable"`. The environment variable `LAMINA_ISA` does the same when the package is loaded.
#' * `lamina.verbose`: the default of `verbose` where that is `"auto"`.
#'
#' @aliases NULL lamina-package
#' @useDynLib lamina, .registration = TRUE
#' @keywords internal
"_PACKAGE"
