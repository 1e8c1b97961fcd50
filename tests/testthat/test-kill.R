# A training process that is killed at any moment, a disk that is full, a folder that cannot be written to: the newest
# checkpoint is whole, and training goes on from it with the bits of a training that was never stopped.

skip_if_not_installed("callr")
skip_on_cran()
skip_on_os("windows")

x <- wave_matrix(64, 6)
y <- (seq_len(64) * 7) %% 3

kill_model <- function() {
  set.seed(1)
  model <- lamina::keras_model_sequential(input_shape = 6)
  model |> lamina::layer_dense(12, activation = "relu") |> lamina::layer_batch_normalization() |>
    lamina::layer_dropout(0.3) |> lamina::layer_dense(3, activation = "softmax")
  model |> lamina::compile(optimizer = lamina::optimizer_adam(0.001), loss = "sparse_categorical_crossentropy")
  model
}

# Goes on from the checkpoint, or begins; says "saved" after the first one it wrote; trains until it is killed.
worker <- '
library(lamina)
parts <- readRDS("in.rds")
model <- if (file.exists("model.keras")) load_model("model.keras") else parts$make()
said <- FALSE
say <- callback_lambda(on_epoch_end = function(epoch) if (!said) { cat("saved\\n"); said <<- TRUE })
fit(model, parts$x, parts$y, batch_size = 16, epochs = 1e7, initial_epoch = model$epoch + 1, verbose = 0,
    callbacks = list(callback_model_checkpoint("model.keras"), say))
'

start_r <- function(script, folder, ...) {
  path <- file.path(folder, "script.R")
  if (!file.exists(path)) writeLines(script, path)
  callr::process$new(file.path(R.home("bin"), "Rscript"), c("--no-init-file", path), wd = folder, stdout = "|", stderr = "2>&1",
                     env = c("current", R_LIBS = paste(.libPaths(), collapse = ":")), ...)
}

# The next line that begins with `word`.
wait_for <- function(process, word, seconds = 60) {
  until <- Sys.time() + seconds
  repeat {
    lines <- process$read_output_lines()
    hit <- lines[startsWith(lines, word)]
    if (length(hit)) return(hit[1L])
    if (!process$is_alive() && length(lines) == 0L) stop("the process ended: ", paste(process$read_all_output(), collapse = "\n"))
    if (Sys.time() > until) stop("nothing was heard of the process")
    process$poll_io(1000)
  }
}

test_that("whenever training is killed its checkpoint is whole and goes on to the same bits", {
  folder <- withr::local_tempdir()
  saveRDS(list(x = x, y = y, make = kill_model), file.path(folder, "in.rds"))
  checkpoint <- file.path(folder, "model.keras")
  seen <- list()
  strays <- 0
  epoch <- 0
  for (trial in seq_len(stress_trials(200))) {
    process <- start_r(worker, folder)
    wait_for(process, "saved")
    Sys.sleep(stats::runif(1, 0.05, 0.6))
    process$kill(0) # SIGKILL
    expect_identical(process$get_exit_status(), -9L)
    # nobody who lists the folder sees anything but the checkpoint
    expect_setequal(list.files(folder), c("in.rds", "model.keras", "script.R"))
    model <- load_model(checkpoint)
    expect_gt(model$epoch, epoch)
    epoch <- model$epoch
    seen[[format(epoch)]] <- list(weights = get_weights(model), loss = utils::tail(model$history$metrics$loss, 1))
    # what was being written is either the whole of a checkpoint or no checkpoint at all
    for (stray in list.files(folder, "^[.]model", all.files = TRUE, full.names = TRUE)) {
      strays <- strays + 1
      found <- tryCatch(load_model(stray), lamina_error_file = identity)
      expect_true(inherits(found, "lamina_error_file") || found$epoch == epoch + 1)
      unlink(stray)
    }
  }
  # the same training, never stopped
  wrong <- character()
  whole <- kill_model()
  look <- callback_lambda(on_epoch_end = function(epoch, logs) {
    kept <- seen[[format(epoch)]]
    if (!is.null(kept) && !identical(kept, list(weights = get_weights(whole), loss = logs$loss))) {
      wrong <<- c(wrong, format(epoch))
    }
  })
  fit(whole, x, y, batch_size = 16, epochs = epoch, callbacks = look)
  expect_identical(wrong, character())
  expect_identical(get_weights(whole), seen[[format(epoch)]]$weights)
  cat(sprintf("\n%d kills, %d of them while a checkpoint was written; %g epochs in all\n", length(seen), strays, epoch))
})

# ---- no room, no right ------------------------------------------------------------------------------

# Runs a script in `folder` by way of a shell command that sets the scene; gives what it saved.
in_shell <- function(folder, before, script) {
  path <- withr::local_tempfile(fileext = ".R")
  out <- withr::local_tempfile(fileext = ".rds")
  Sys.chmod(c(path, out), "666")
  writeLines(c("library(lamina)", "out <- list()", script), path)
  command <- sprintf("%s %s --no-init-file %s", before, shQuote(file.path(R.home("bin"), "Rscript")), shQuote(path))
  run <- callr::process$new("sh", c("-c", command), wd = folder, stdout = "|", stderr = "2>&1",
                            env = c("current", R_LIBS = paste(.libPaths(), collapse = ":")))
  run$wait(60000)
  text <- run$read_all_output_lines()
  if (!identical(run$get_exit_status(), 0L)) stop(paste(text, collapse = "\n"))
  text
}

# What the scripts do: save a small model, then fail to save a large one, alone and in training.  The last line is the
# verdict.
failing <- '
small <- keras_model_sequential(input_shape = 4) |> layer_dense(2)
large <- keras_model_sequential(input_shape = 1000) |> layer_dense(1000)
large |> compile(loss = "mse")
%s
old <- readBin("model.keras", "raw", 1e6)
class_of <- function(code) tryCatch({ code; "none" }, error = function(e) class(e)[1L])
alone <- class_of(save_model(large, "model.keras", overwrite = TRUE))
weights <- class_of(save_model_weights(large, "new.weights"))
trained <- class_of(fit(large, matrix(1, 4, 1000), matrix(1, 4, 1000), epochs = 3, verbose = 0,
                        callbacks = callback_model_checkpoint("model.keras")))
good <- all(c(alone, weights, trained) == "lamina_error_file") &&
  identical(readBin("model.keras", "raw", 1e6), old) &&
  setequal(list.files(".", all.files = TRUE, no.. = TRUE), "model.keras") &&
  identical(get_weights(load_model("model.keras")), get_weights(load_model(old)))
# nothing is lost: the model in memory is whole and trains on
fit(large, matrix(1, 4, 1000), matrix(1, 4, 1000), verbose = 0)
good <- good && large$epoch == 2 && all(is.finite(predict(large, matrix(1, 1, 1000))))
cat(if (good) "good" else paste("bad:", alone, weights, trained, toString(list.files(".", all.files = TRUE))), "\\n")
'
verdict <- function(lines) trimws(utils::tail(lines, 1L))

test_that("beyond the largest file that the process may write", {
  folder <- withr::local_tempdir()
  # the limit is in blocks of 512 or 1024 bytes
  expect_identical(verdict(in_shell(folder, "ulimit -f 500;", sprintf(failing, 'save_model(small, "model.keras")'))), "good")
})

mounted <- function(options, env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  done <- suppressWarnings(system2("mount", c("-t", "tmpfs", "-o", options, "tmpfs", folder), stdout = FALSE, stderr = FALSE))
  if (!identical(done, 0L)) skip("file systems cannot be mounted here")
  withr::defer(system2("umount", c("-l", folder), stdout = FALSE, stderr = FALSE), envir = env, priority = "first")
  folder
}

test_that("on a disk that is full", {
  folder <- mounted("size=1m")
  expect_identical(verdict(in_shell(folder, "", sprintf(failing, 'save_model(small, "model.keras")'))), "good")
})

test_that("in a file system that may only be read", {
  folder <- mounted("size=1m")
  save_model(keras_model_sequential(input_shape = 4) |> layer_dense(2), file.path(folder, "model.keras"))
  system2("mount", c("-o", "remount,ro", folder))
  expect_identical(verdict(in_shell(folder, "", sprintf(failing, ""))), "good")
})

test_that("in a folder that is another's", {
  folder <- withr::local_tempdir()
  path <- file.path(folder, "model.keras")
  save_model(keras_model_sequential(input_shape = 4) |> layer_dense(2), path)
  as_nobody <- ""
  if (Sys.info()[["effective_user"]] == "root") { # root may write anywhere
    if (!nzchar(Sys.which("setpriv"))) skip("no other user to be")
    as_nobody <- "setpriv --reuid 65534 --regid 65534 --clear-groups"
    Sys.chmod(dirname(folder), "755")
    withr::defer(Sys.chmod(dirname(folder), "700"))
    library_file <- file.path(find.package("lamina"), "DESCRIPTION")
    if (system(paste(as_nobody, "test -r", shQuote(library_file))) != 0) skip("lamina is installed where no other user may read")
  }
  Sys.chmod(folder, "555")
  withr::defer(Sys.chmod(folder, "755"))
  expect_identical(verdict(in_shell(folder, as_nobody, sprintf(failing, ""))), "good")
})

test_that("devices and folders are no files to be replaced", {
  skip_if_not(file.exists("/dev/full"))
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(2)
  expect_error(save_model(model, "/dev/full", overwrite = TRUE), "no plain file", class = "lamina_error_file")
  expect_identical(as.character(file.info("/dev/full")$isdir), "FALSE")
  expect_true(system2("test", c("-c", "/dev/full")) == 0)
  folder <- withr::local_tempdir()
  expect_error(save_model(model, folder, overwrite = TRUE), "no plain file", class = "lamina_error_file")
  expect_true(dir.exists(folder))
  model |> compile(loss = "mse")
  expect_error(fit(model, wave_matrix(4, 4), wave_matrix(4, 2), callbacks = callback_csv_logger("/dev/full", append = TRUE)),
               class = "lamina_error_file")
})
