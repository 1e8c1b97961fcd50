# The path of a file or folder of the real data, which lies beside the repository and is no part of
# the package.  Where it is absent the test is skipped, except in CI: there it must be.
skip_without_data <- function(...) {
  folder <- Sys.getenv("LAMINA_TEST_DATA")
  path <- file.path(folder, ...)
  if (nzchar(folder) && file.exists(path)) {
    return(path)
  }
  what <- paste("no test data", file.path(...), "under LAMINA_TEST_DATA")
  if (identical(Sys.getenv("CI"), "true")) stop(what)
  testthat::skip(what)
}
