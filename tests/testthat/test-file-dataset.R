# Files of samples: dataset_from_files().

# Three files with 5, 0, 4 and 6 samples: x is the number of the sample, y ten times that; counts reads.
number_files <- function(folder, rows = c(5, 0, 4, 6)) {
  ends <- cumsum(rows)
  reads <- new.env()
  reads$paths <- character()
  paths <- file.path(folder, sprintf("%d.rds", seq_along(rows)))
  for (i in seq_along(rows)) saveRDS(ends[i] - rows[i] + seq_len(rows[i]), paths[i])
  read <- function(path) {
    reads$paths <- c(reads$paths, basename(path))
    n <- readRDS(path)
    list(x = matrix(n, ncol = 1), y = 10 * n)
  }
  list(paths = paths, read = read, reads = reads, rows = rows)
}

test_that("batches go through the files in their order, over their ends", {
  f <- number_files(withr::local_tempdir())
  d <- dataset_from_files(f$paths, f$read, batch_size = 4)
  expect_identical(f$reads$paths, c("1.rds", "2.rds", "3.rds", "4.rds"))
  expect_identical(c(d$samples, length(d)), c(15, 4))
  expect_identical(d$rows, f$rows)
  seen <- lapply(1:4, function(i) d[[i]])
  expect_identical(lapply(seen, function(b) as.vector(b$x)), list(c(1, 2, 3, 4), c(5, 6, 7, 8), c(9, 10, 11, 12), c(13, 14, 15)))
  expect_identical(unlist(lapply(seen, `[[`, "y")), 10 * (1:15))
  expect_identical(dataset_arrays(d), list(x = matrix(as.double(1:15)), y = 10 * (1:15)))
})

test_that("samples may be asked for in any order", {
  f <- number_files(withr::local_tempdir())
  d <- dataset_from_files(f$paths, f$read, rows = f$rows)
  expect_length(f$reads$paths, 0)
  wanted <- c(15, 1, 7, 6, 2, 10, 9)
  expect_identical(as.vector(d$read(wanted)$x), wanted)
  expect_identical(d$read(wanted)$y, 10 * wanted)
})

test_that("matrices, arrays, factors, data frames and weights keep their kind over the ends of files", {
  folder <- withr::local_tempdir()
  paths <- file.path(folder, c("a", "b"))
  file.create(paths)
  parts <- list(
    a = list(array(1:12, c(2, 3, 2)), factor(c("u", "v"), c("u", "v", "w")), c(1, 2)),
    b = list(array(13:24, c(2, 3, 2)), factor(c("w", "u"), c("u", "v", "w")), c(3, 4))
  )
  d <- dataset_from_files(paths, function(path) parts[[basename(path)]], batch_size = 4)
  got <- d[[1]]
  expect_identical(dim(got[[1]]), c(4L, 3L, 2L))
  expect_equal(got[[1]][3, 2, 1], 15)
  expect_identical(got[[2]], factor(c("u", "v", "w", "u"), c("u", "v", "w")))
  expect_identical(got[[3]], c(1, 2, 3, 4))
  frames <- lapply(parts, function(p) list(data.frame(z = p[[3]]), p[[2]]))
  d <- dataset_from_files(paths, function(path) frames[[basename(path)]], batch_size = 4)
  expect_identical(d[[1]][[1]], data.frame(z = c(1, 2, 3, 4)))
})

test_that("an epoch has every sample once, files in an order by chance, `mix` of them together", {
  rows <- c(5, 0, 4, 6, 3)
  ends <- cumsum(rows)
  begins <- ends - rows
  file_of <- function(samples) findInterval(samples, begins[rows > 0] + 1)
  orders <- list()
  for (mix in 1:4) {
    for (key in 1:20) {
      order <- mixed_order(rows, mix, 7, key)
      whole <- order(1:18)
      expect_identical(sort(whole), as.double(1:18))
      expect_identical(order(c(18, 3)), whole[c(18, 3)]) # whatever was asked for before
      # rows of one file lie within a stretch of the samples of `mix` files
      spread <- tapply(seq_along(whole), file_of(whole), function(at) diff(range(at)) + 1)
      expect_true(all(spread <= sum(sort(rows, decreasing = TRUE)[1:mix])))
      orders[[length(orders) + 1]] <- whole
    }
  }
  expect_identical(mixed_order(rows, 2, 7, 3)(1:18), mixed_order(rows, 2, 7, 3)(1:18))
  expect_gt(length(unique(orders)), 75)
  firsts <- vapply(orders[1:20], function(o) file_of(o[1]), 0L)
  expect_gt(length(unique(firsts)), 2)
  expect_true(any(vapply(orders[1:20], function(o) is.unsorted(o[file_of(o) == 1]), NA)))
})

test_that("few files are held at a time", {
  f <- number_files(withr::local_tempdir(), c(5, 4, 6))
  d <- dataset_from_files(f$paths, f$read, batch_size = 2, rows = f$rows)
  for (i in seq_along(d)) if (i <= length(d)) d[[i]]
  expect_identical(f$reads$paths, c("1.rds", "2.rds", "3.rds")) # each once a pass
  f$reads$paths <- character()
  order <- mixed_order(f$rows, 2, 1, 1)
  d <- dataset_from_files(f$paths, f$read, batch_size = 2, rows = f$rows, mix = 2)
  for (at in seq(1, 15, 2)) d$read(order(at:min(at + 1, 15)))
  expect_length(f$reads$paths, 3)
})

test_that("training takes the order of the epoch, evaluation that of the files", {
  f <- number_files(withr::local_tempdir())
  d <- dataset_from_files(f$paths, f$read, batch_size = 15, rows = f$rows, mix = 4)
  straight <- dataset_from_files(f$paths, f$read, batch_size = 15, rows = f$rows, shuffle = FALSE)
  whole <- dataset_arrays(d)
  # One batch holds all samples: whatever the order, a step is that of the arrays up to rounding.
  fresh <- function() {
    set_random_seed(2)
    model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
    compile(model, optimizer_sgd(1e-3), "mse")
  }
  a <- fresh()
  fit(a, straight, epochs = 3, verbose = 0)
  b <- fresh()
  fit(b, whole$x, whole$y, batch_size = 15, epochs = 3, shuffle = FALSE, verbose = 0)
  expect_identical(get_weights(a), get_weights(b))
  expect_equal(unlist(evaluate(a, d, verbose = 0)), unlist(evaluate(b, whole$x, whole$y, batch_size = 15, verbose = 0)))
  expect_equal(predict(a, dataset_from_files(f$paths, function(p) f$read(p)["x"], rows = f$rows)), predict(b, whole$x))

  # Batches of one sample: the weight's path tells their order, which is that of mixed_order().
  d <- dataset_from_files(f$paths, f$read, batch_size = 1, rows = f$rows, mix = 2, seed = 5)
  seen <- numeric()
  spy <- dataset_from_files(f$paths, function(p) f$read(p), batch_size = 1, rows = f$rows, mix = 2, seed = 5)
  read <- spy$read
  spy$read <- function(rows) {
    seen <<- c(seen, rows)
    read(rows)
  }
  c1 <- fresh()
  fit(c1, spy, epochs = 2, verbose = 0)
  expected <- c(mixed_order(f$rows, 2, 5, 1)(1:15), mixed_order(f$rows, 2, 5, 2)(1:15))
  expect_identical(utils::tail(seen, 30), expected)
  c2 <- fresh()
  fit(c2, d, epochs = 2, verbose = 0)
  expect_identical(get_weights(c1), get_weights(c2))
})

test_that("bad files, functions and counts are named", {
  folder <- withr::local_tempdir()
  f <- number_files(folder)
  e <- expect_error(dataset_from_files(c(f$paths, "none.rds"), f$read), class = "lamina_error_file")
  expect_identical(e$path, "none.rds")
  expect_error(dataset_from_files(character(), f$read), class = "lamina_error_argument")
  expect_error(dataset_from_files(3, f$read), class = "lamina_error_argument")
  e <- expect_error(dataset_from_files(f$paths), class = "lamina_error_argument")
  expect_identical(e$arg, "read")
  e <- expect_error(dataset_from_files(f$paths, f$read, rows = 1:3), class = "lamina_error_argument")
  expect_identical(e$arg, "rows")
  expect_error(dataset_from_files(f$paths, f$read, mix = 0), class = "lamina_error_argument")
  e <- expect_error(dataset_from_files(f$paths, function(p) stop("not a table")), class = "lamina_error_file")
  expect_match(conditionMessage(e), "not a table")
  expect_identical(e$path, f$paths[1])
  expect_error(dataset_from_files(f$paths, function(p) 1:3), class = "lamina_error_data")
  e <- expect_error(dataset_from_files(f$paths, function(p) list(matrix(1:3), 1:2)), class = "lamina_error_data")
  expect_match(conditionMessage(e), "3 and 2 samples")
  expect_error(dataset_from_files(f$paths[2], f$read), class = "lamina_error_data") # no samples at all
  d <- dataset_from_files(f$paths, f$read, rows = c(5, 0, 4, 7))
  expect_error(d[[1]], class = "lamina_error_data")
})
