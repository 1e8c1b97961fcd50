# Calls from anywhere: every entry of the compiled code, each of its arguments replaced by all kinds of R objects,
# must give a value or a classed error, and a network that refuses must be as it was.

test_that("every call gives a value or a classed error, whatever it is given", {
  skip_strangers()
  found <- run_strangers("calls.R", 1, 0, stress_trials(20000), 1)
  expect_identical(found$findings, character())
  # some sixty entries with some three arguments and eighty things each
  expect_gt(found$counts[4], 8000)
  expect_gt(found$counts[2], 5000)
})

test_that("a collection at any allocation changes nothing", {
  skip_strangers()
  # LAMINA_STRESS=10: at every one
  step <- max(1, round(100 / stress_trials(10)^2))
  out <- processx::run(file.path(R.home("bin"), "Rscript"), c(test_path("strangers", "torture.R"), step), error_on_status = FALSE,
                       env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)))
  expect_identical(out$status, 0L, info = paste(out$stdout, out$stderr))
})
