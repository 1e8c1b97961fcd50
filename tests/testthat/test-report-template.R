# The R Markdown template "Neural network report" is knitted as a user knits it.

knit_report <- function(..., format = "html_document") {
  skip_if_not_installed("rmarkdown")
  skip_if_not_installed("knitr")
  skip_if_not(rmarkdown::pandoc_available(), "pandoc is there")
  folder <- withr::local_tempdir(.local_envir = parent.frame())
  path <- rmarkdown::draft(file.path(folder, "report.Rmd"), "neural-network-report", package = "lamina", edit = FALSE)
  inside <- new.env(parent = globalenv())
  inside$page <- rmarkdown::render(path, format, params = list(...), envir = inside, quiet = TRUE)
  inside
}

# Without scripts and pictures, which are long.
text_of <- function(page) {
  text <- paste(readLines(page, warn = FALSE, encoding = "UTF-8"), collapse = "\n")
  gsub("(?s)<script.*?</script>|src=\"data:[^\"]*\"|<style.*?</style>", "", text, perl = TRUE)
}
shows <- function(page, text) grepl(text, page, fixed = TRUE)

test_that("the template is found and knits as it is, to a page that fetches nothing", {
  report <- knit_report()
  page <- text_of(report$page)
  for (title in c("The data", "The model", "Training", "Evaluation", "Importance", "Partial effects", "How this was made")) {
    expect_true(shows(page, sprintf("<h1>%s</h1>", title)), label = title)
  }
  expect_false(shows(page, "Warning"))
  expect_false(shows(page, "src=\"http"))
  expect_gte(lengths(regmatches(page, gregexpr("<img ", page, fixed = TRUE))), 8) # 3 of them partial effects
  # 150 rows, a quarter put aside; the figures are those of the rows put aside.
  expect_identical(c(nrow(report$train), nrow(report$test)), c(112L, 38L))
  p <- predict(report$fit, report$test, type = "prob")
  kinds <- as.integer(report$test$Species)
  expect_equal(report$measured["network", "log loss"], -mean(log(p[cbind(1:38, kinds)])))
  expect_equal(report$measured["network", "accuracy"], mean(apply(p, 1, which.max) == kinds))
  expect_gt(report$measured["network", "accuracy"], 0.85)
  shares <- table(report$train$Species) / 112
  expect_equal(report$measured["without predictors", "log loss"], -mean(log(shares[kinds])))
  expect_true(shows(page, sprintf("%.3f", report$measured["network", "log loss"])))
})

test_that("parameters give it other data, with numbers as outcome and gaps", {
  if (requireNamespace("yardstick", quietly = TRUE)) withr::local_package("yardstick") # has a get_weights() of its own
  report <- knit_report(data = airquality, formula = "log(Ozone) ~ Solar.R + Wind + Temp", hidden_units = 6,
                        epochs = 30, effects = 1, test = 0.5, seed = 3)
  # 116 days have an ozone value; 58 are put aside, some of them without Solar.R.
  expect_identical(c(nrow(report$train), nrow(report$test)), c(58L, 58L))
  expect_identical(report$fit$settings$hidden_units, 6)
  truth <- log(report$test$Ozone)
  there <- !is.na(report$test$Solar.R)
  expect_false(all(there))
  error <- (truth - predict(report$fit, report$test))[there]
  expect_equal(report$measured["network", "RMSE"], sqrt(mean(error^2)))
  expect_equal(report$measured["network", "R squared"], 1 - sum(error^2) / sum((truth - mean(truth))[there]^2))
  expect_equal(report$measured["without predictors", "RMSE"], sqrt(mean((truth - mean(log(report$train$Ozone)))^2)))
  expect_true(shows(text_of(report$page), sprintf("%d of these rows have missing values", sum(!there))))
})

test_that("it knits to PDF where there is LaTeX", {
  skip_if(any(Sys.which(c("pdflatex", "kpsewhich")) == ""), "no LaTeX")
  styles <- c("lmodern", "geometry", "booktabs", "longtable", "fancyvrb", "graphicx", "hyperref")
  found <- suppressWarnings(system2("kpsewhich", paste0(styles, ".sty"), stdout = TRUE))
  skip_if(length(found) < length(styles), "LaTeX is not complete")
  withr::local_options(tinytex.install_packages = FALSE)
  report <- knit_report(data = warpbreaks, formula = "breaks ~ wool + tension", hidden_units = 4, epochs = 20, effects = 2,
                        format = "pdf_document")
  expect_identical(readChar(report$page, 4), "%PDF")
})
