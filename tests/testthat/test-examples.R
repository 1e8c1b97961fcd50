# The scripts that `make demo` runs, each in a process of its own, as a user runs them.

run_example <- function(name, ...) {
  script <- system.file("examples", name, package = "lamina")
  expect_true(nzchar(script))
  callr::rscript(
    script, cmdargs = c(...), libpath = .libPaths(), show = FALSE, fail_on_status = FALSE,
    stderr = "2>&1", env = c(callr::rcmd_safe_env(), LAMINA_THREADS = "1")
  )
}

# The accuracies in a line such as "... network 93.3 %, glm(binomial) 93.1 %".
percentages <- function(line) {
  as.numeric(regmatches(line, gregexpr("[0-9.]+(?= %)", line, perl = TRUE))[[1]])
}

test_that("the clinical trial is learned as well as glm() learns it, and is drawn", {
  skip_if_not_installed("callr")
  folder <- withr::local_tempdir()
  run <- run_example("clinical-trial.R", folder)
  expect_identical(run$status, 0L, info = run$stdout)

  lines <- strsplit(run$stdout, "\n")[[1]]
  expect_match(lines, "Total params: 642", all = FALSE)
  expect_match(lines, "^Epoch 30/30 .* val_accuracy: ", all = FALSE)
  probabilities <- grep("^\\[0\\.[0-9]+ 0\\.[0-9]+\\]$", lines, value = TRUE)
  expect_length(probabilities, 10)
  both <- vapply(strsplit(gsub("[][]", "", probabilities), " "), function(p) sum(as.numeric(p)), 0)
  expect_equal(both, rep(1, 10), tolerance = 1e-5)

  # 5 % of the people are exceptions that cannot be predicted from age; 420 people are tested
  reached <- percentages(grep("^Accuracy on the test set", lines, value = TRUE))
  expect_length(reached, 2)
  expect_gt(reached[1], 90)
  expect_lt(abs(reached[1] - reached[2]), 4)

  pictures <- file.path(folder, c("clinical-trial-history.png", "clinical-trial-network.png"))
  expect_true(all(file.exists(pictures)))
  for (picture in pictures) {
    expect_identical(readBin(picture, "raw", 8), as.raw(c(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)))
    expect_match(lines, basename(picture), fixed = TRUE, all = FALSE)
  }
  expect_setequal(list.files(folder), basename(pictures))
})

test_that("networks on real data are about as good as glm(), nnet() and multinom()", {
  skip_if_not_installed("callr")
  skip_if_not_installed("MASS")
  skip_if_not_installed("nnet")
  run <- run_example("real-data.R")
  expect_identical(run$status, 0L, info = run$stdout)

  lines <- strsplit(run$stdout, "\n")[[1]]
  expect_match(lines, "16 of 699 rows dropped", all = FALSE)
  accuracy_of <- function(model) {
    rows <- grep(paste0("^", model, " +[01]"), lines, value = TRUE)
    as.numeric(sub("^[a-z]+ +([0-9.]+) .*", "\\1", rows))
  }
  ours <- accuracy_of("lamina")
  classical <- c(accuracy_of("glm"), accuracy_of("multinom"))
  expect_length(ours, 3)
  expect_length(classical, 3)
  # three binomial standard errors of the difference on 332, 228 and 50 rows, rounded up
  expect_true(all(ours > classical - c(0.1, 0.06, 0.13)), info = run$stdout)
})

test_that("a convolutional network is seen through, and learns what a linear model cannot", {
  skip_if_not_installed("callr")
  folder <- withr::local_tempdir()
  run <- run_example("seeing.R", folder)
  expect_identical(run$status, 0L, info = run$stdout)

  lines <- strsplit(run$stdout, "\n")[[1]]
  reached <- percentages(grep("^Accuracy on the test set", lines, value = TRUE))
  expect_gt(reached[1], 85)
  expect_lt(reached[2], 45)
  # the rows of the edge filter and of pooling, worked out by hand
  expect_match(lines, "4  4  0.* -4 -4", all = FALSE)
  expect_match(lines, "^\\[2,\\] +5 +9$", all = FALSE)
  errors <- as.numeric(regmatches(run$stdout, gregexpr("0\\.[0-9]{4}", run$stdout))[[1]])
  expect_lt(errors[2], errors[1] / 4) # noise taken away
  expect_lt(errors[3], errors[4] / 3) # two numbers against the mean picture
  expect_length(list.files(folder, pattern = "^seeing-.*[.]png$"), 18)
})

test_that("series are forecast about as well as lm() forecasts them, one step and many ahead", {
  skip_if_not_installed("callr")
  folder <- withr::local_tempdir()
  run <- run_example("series.R", folder)
  expect_identical(run$status, 0L, info = run$stdout)

  # the numbers below "persistence  lm  GRU" and "last year again  lm, step by step  GRU, ..."
  lines <- strsplit(run$stdout, "\n")[[1]]
  errors_below <- function(first) {
    numbers <- lines[grep(paste0("^ *", first), lines) + 1]
    as.numeric(strsplit(trimws(numbers), " +")[[1]])
  }
  sunspots <- errors_below("persistence")
  expect_length(sunspots, 3)
  expect_lt(sunspots[3], 0.95 * sunspots[1])
  expect_lt(sunspots[3], 1.02 * sunspots[2])
  temperatures <- errors_below("last year again")
  expect_length(temperatures, 4)
  expect_true(all(temperatures[3:4] < 0.8 * temperatures[1]), info = run$stdout)
  expect_true(all(temperatures[3:4] < 1.1 * temperatures[2]), info = run$stdout)
  expect_setequal(list.files(folder), c("series-sunspots.png", "series-temperatures.png"))
})

test_that("a network that heeds the order of words reads reviews better than counting words", {
  skip_if_not_installed("callr")
  run <- run_example("words.R")
  expect_identical(run$status, 0L, info = run$stdout)
  lines <- strsplit(run$stdout, "\n")[[1]]
  right_of <- function(model) percentages(grep(paste0("^", model), lines, value = TRUE))
  lstm <- right_of("bidirectional LSTM") # all, with not, with but, neither
  expect_length(lstm, 4)
  expect_gt(lstm[1], 94)
  for (model in c("word list, by hand", "word list, from the reviews", "bag of words", "bag with pairs")) {
    expect_gt(lstm[1], right_of(model)[1] + 2, label = model)
  }
  # what a bag cannot see
  expect_gt(lstm[2], right_of("bag of words")[2] + 20)
  expect_gt(lstm[3], right_of("bag of words")[3] + 20)
})
