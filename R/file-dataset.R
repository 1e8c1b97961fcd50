# Files of samples as data: what is larger than memory.

#' Files of samples
#'
#' Makes a dataset of files that hold samples, such as the parts of a large table. [fit()][fit.lamina_model], [evaluate()] and
#' `predict()` take it in place of arrays and read a file when its samples are needed, so that only a few files
#' need fit into memory.
#'
#' In training the order changes every epoch: that of the files, and that of the samples among `mix` files at a time. So
#' samples that stand in files in some order (by class, by year) should be dealt out to the files at random first, or
#' `mix` be large. `evaluate()` and `predict()` go through the files in the order given.
#'
#' @param files Paths, one or several. (An arrow Dataset has its own in `$files`.)
#' @param read A function of one path that returns the samples of this file: `list(x, y)`, `list(x, y, sample_weight)` or, for
#'   `predict()` alone, `list(x)`. `x` is a matrix or an array, samples first; `y` a vector, factor, matrix or array.
#'   A factor must have the same levels in all files.
#' @param ... Not used.
#' @param batch_size Samples a batch. A batch may reach from one file into the next.
#' @param rows How many samples each file has, where that is known. `NULL`: all files are read once to count them.
#' @param mix The samples of how many files are mixed in training. So many files are in memory, and one more where a batch
#'   reaches into the next.
#' @param shuffle `FALSE` keeps the order in training.
#' @param seed A seed for the order; `NULL`: the order comes from the model's seed.
#' @return A dataset: `length()` is the number of batches, `dataset[[i]]` batch i in the order of the files, `dataset$samples`
#'   how many samples there are, `dataset$files` and `dataset$rows` the files and how many each has.
#' @section Errors:
#' `lamina_error_file` when `read` fails, `lamina_error_data` when it returns something else than described or another number
#' of samples than before, both at the time the file is read and with the path; `lamina_error_argument` for a bad
#' argument.
#' @family data
#' @examples
#' # Iris in three files, read one at a time.
#' folder <- tempfile()
#' dir.create(folder)
#' part <- sample(rep(1:3, 50))
#' for (i in 1:3) {
#'   write.csv(iris[part == i, ], file.path(folder, sprintf("part-%d.csv", i)), row.names = FALSE)
#' }
#' read_part <- function(path) {
#'   rows <- read.csv(path)
#'   list(as.matrix(rows[1:4]), factor(rows$Species, levels(iris$Species)))
#' }
#' flowers <- dataset_from_files(list.files(folder, full.names = TRUE), read_part, batch_size = 10)
#' flowers
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(8, activation = "relu") |>
#'   layer_dense(3, activation = "softmax")
#' model |> compile("adam", "sparse_categorical_crossentropy", metrics = "accuracy")
#' model |> fit(flowers, epochs = 20, verbose = 0)
#' evaluate(model, flowers)
#' @export
dataset_from_files <- function(files, read, ..., batch_size = 32, rows = NULL, mix = 1, shuffle = TRUE, seed = NULL) {
  check_no_dots(list(...))
  files <- check_files(files)
  if (missing(read) || !is.function(read)) {
    abort_argument("read", "a function of a path that returns list(x, y)", if (missing(read)) "left out" else describe(read))
  }
  batch_size <- check_count(batch_size)
  mix <- check_count(mix)
  shuffle <- check_flag(shuffle)
  seed <- check_seed(seed)
  if (!is.null(rows)) {
    rows <- check_rows_of_files(rows, length(files))
  }
  store <- file_store(files, read, rows, mix)
  rows <- store$rows()
  new_dataset(
    sum(rows), batch_size, function(wanted) read_samples(store, rows, wanted), shuffle, seed,
    files = files, rows = rows, reorder = function(from, key) mixed_order(rows, mix, from, key)
  )
}

check_files <- function(files, call = rlang::caller_env()) {
  if (!is.character(files) || length(files) == 0L || anyNA(files)) {
    abort_argument("files", "paths of at least one file", describe(files), call = call)
  }
  lost <- which(!file.exists(files))
  if (length(lost)) {
    abort_lamina(sprintf("There is no file %s.", files[lost[1L]]), "file", arg = "files", expected = "files", actual = "nothing",
                 path = files[lost[1L]], call = call)
  }
  files
}

check_rows_of_files <- function(rows, n, call = rlang::caller_env()) {
  if (!is.numeric(rows) || length(rows) != n || !all(is.finite(rows)) || any(rows < 0 | rows != floor(rows)) || sum(rows) == 0) {
    abort_argument("rows", sprintf("the number of samples of each of the %d files", n), describe(rows), call = call)
  }
  as.double(rows)
}

# ---- files in memory -----------------------------------------------------------------------------

# The files read last: get(i) gives the parts of file i, keep(which) forgets others but the newest `room`.
file_store <- function(files, read, rows, room) {
  held <- list() # names: numbers of files; the newest last
  get <- function(i) {
    name <- as.character(i)
    parts <- held[[name]]
    if (is.null(parts)) parts <- read_file_parts(files[i], read, if (!is.null(rows)) rows[i])
    held[[name]] <<- NULL
    held[[name]] <<- parts
    parts
  }
  keep <- function(needed) {
    last <- utils::tail(names(held), room)
    held <<- held[names(held) %in% c(needed, last)]
  }
  list(
    get = get, keep = keep,
    rows = function() {
      if (is.null(rows)) {
        rows <<- vapply(seq_along(files), function(i) {
          keep(character())
          as.double(sample_count(get(i)[[1L]]))
        }, 0)
        if (sum(rows) == 0) abort_lamina("There are no samples in the files.", "data", arg = "files")
      }
      rows
    }
  )
}

read_file_parts <- function(path, read, rows) {
  parts <- tryCatch(read(path), error = function(e) {
    abort_lamina(c(sprintf("`read` failed for %s.", path), x = conditionMessage(e)), "file", arg = "read", path = path, parent = e,
                 call = NULL)
  })
  refuse <- function(expected, actual) {
    abort_lamina(c(sprintf("`read` must return %s.", expected), x = sprintf("For %s it returned %s.", path, actual)), "data",
                 arg = "read", expected = expected, actual = actual, path = path, call = NULL)
  }
  if (!is.list(parts) || is.data.frame(parts) || !length(parts) %in% 1:3) {
    refuse("list(x, y)", describe(parts))
  }
  counts <- vapply(parts, sample_count, 0)
  if (any(counts != counts[1L])) {
    refuse("parts with one entry a sample", paste(format_counts(counts), "samples"))
  }
  if (!is.null(rows) && counts[1L] != rows) {
    refuse(sprintf("the %.0f samples of the file", rows), sprintf("%.0f", counts[1L]))
  }
  parts
}

format_counts <- function(counts) paste(format(counts, trim = TRUE, scientific = FALSE), collapse = " and ")

# ---- samples -------------------------------------------------------------------------------------

# Samples by their numbers over all files.
read_samples <- function(store, rows, wanted) {
  before <- cumsum(c(0, rows))
  file <- findInterval(wanted, before + 1, left.open = FALSE)
  used <- unique(file)
  taken <- lapply(used, function(i) {
    store$keep(as.character(i))
    lapply(store$get(i), take_samples, wanted[file == i] - before[i])
  })
  if (length(used) == 1L) {
    return(taken[[1L]])
  }
  back <- order(order(match(file, used))) # where each sample stands in what was taken file by file
  parts <- lapply(seq_along(taken[[1L]]), function(p) take_samples(join_samples(lapply(taken, `[[`, p)), back))
  stats::setNames(parts, names(taken[[1L]]))
}

join_samples <- function(parts) {
  if (is.data.frame(parts[[1L]])) {
    do.call(rbind, parts)
  } else if (length(dim(parts[[1L]])) < 2L) {
    do.call(c, parts)
  } else {
    bind_samples(parts)
  }
}

# The order of an epoch, as a function of places in it: files in an order by chance, `mix` at a time, and all samples of these.
# Worked out group by group: an order of all samples at once can be large.
mixed_order <- function(rows, mix, from, key) {
  files <- .Call(ffi_order, from, key, length(rows))
  groups <- split(files, ceiling(seq_along(files) / mix))
  ends <- cumsum(vapply(groups, function(group) sum(rows[group]), 0))
  before <- cumsum(c(0, rows))
  known <- list()
  order_of <- function(g) {
    name <- as.character(g)
    if (is.null(known[[name]])) {
      samples <- unlist(lapply(groups[[g]], function(i) before[i] + seq_len(rows[i])))
      known <<- c(utils::tail(known, 1L), stats::setNames(list(samples[.Call(ffi_order, from, key * 2^20 + g, length(samples))]), name))
    }
    known[[name]]
  }
  function(places) {
    group <- findInterval(places, c(0, ends) + 1)
    out <- numeric(length(places))
    for (g in unique(group)) {
      here <- group == g
      out[here] <- order_of(g)[places[here] - c(0, ends)[g]]
    }
    out
  }
}
