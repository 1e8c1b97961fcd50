importance <- function(...) NULL
