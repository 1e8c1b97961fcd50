# The words in a picture of base graphics.
words <- function(code) {
  path <- withr::local_tempfile(fileext = ".pdf")
  grDevices::pdf(path, compress = FALSE)
  tryCatch(force(code), finally = grDevices::dev.off())
  lines <- grep("T[jJ]$", readLines(path, warn = FALSE, encoding = "latin1"), value = TRUE, useBytes = TRUE)
  # the parts of a kerned word are joined
  vapply(regmatches(lines, gregexpr("\\(([^()]*)\\)", lines)), function(parts) {
    paste(substr(parts, 2, nchar(parts) - 1), collapse = "")
  }, "")
}
