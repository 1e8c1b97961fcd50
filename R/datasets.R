# The data sets that everyone learns with: from files that are there, or fetched when allowed.

# For each data set: where it comes from, what is fetched, and the names under which its parts are
# found (with or without .gz), the first being the original one.
idx_parts <- function(prefix) {
  list(
    train = list(x = c("train-images-idx3-ubyte", "train-images.idx3-ubyte", paste0(prefix, "-train-images-idx3-ubyte")),
                 y = c("train-labels-idx1-ubyte", "train-labels.idx1-ubyte", paste0(prefix, "-train-labels-idx1-ubyte"))),
    test = list(x = c("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", paste0(prefix, "-test-images-idx3-ubyte")),
                y = c("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte", paste0(prefix, "-test-labels-idx1-ubyte")))
  )
}

idx_downloads <- paste0(c("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), ".gz")

data_sets <- list(
  mnist = list(
    title = "MNIST", megabytes = 11, url = "https://storage.googleapis.com/cvdf-datasets/mnist",
    downloads = idx_downloads, parts = idx_parts("mnist")
  ),
  fashion_mnist = list(
    title = "Fashion-MNIST", megabytes = 30,
    url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    downloads = idx_downloads, parts = idx_parts("fashion-mnist")
  ),
  cifar10 = list(
    title = "CIFAR-10", megabytes = 162, url = "https://www.cs.toronto.edu/~kriz",
    downloads = "cifar-10-binary.tar.gz", folder = "cifar-10-batches-bin",
    parts = list(train = sprintf("data_batch_%d.bin", 1:5), test = "test_batch.bin")
  ),
  cifar100 = list(
    title = "CIFAR-100", megabytes = 161, url = "https://www.cs.toronto.edu/~kriz",
    downloads = "cifar-100-binary.tar.gz", folder = "cifar-100-binary",
    parts = list(train = "train.bin", test = "test.bin")
  )
)

#' Data sets of pictures
#'
#' @description
#' Reads well-known data sets from files on this computer, and fetches them when that is allowed.
#'
#' * `dataset_mnist()`: 70,000 handwritten digits, 28 x 28 grey pixels (Y. LeCun, C. Cortes,
#'   C. Burges).
#' * `dataset_fashion_mnist()`: 70,000 pieces of clothing in the same form (H. Xiao, K. Rasul,
#'   R. Vollgraf, 2017). Classes: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt,
#'   sneaker, bag, ankle boot.
#' * `dataset_cifar10()`: 60,000 photographs, 32 x 32 pixels in colour (A. Krizhevsky, 2009).
#'   Classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
#' * `dataset_cifar100()`: the same in 100 classes, or in 20 coarse ones.
#'
#' @details
#' Files are found under their original names, as `train-images-idx3-ubyte` or `data_batch_1.bin`,
#' plain or with `.gz`, also with the data set's name in front, as `mnist-train-images-idx3-ubyte.gz`
#' or `cifar10-data_batch_1.bin.gz`. Of CIFAR-10's training batches those that are there are read.
#'
#' Where files are missing they are fetched from `url`, if `download` is `TRUE`, or after asking when
#' R is used interactively, into `path`. Elsewhere nothing is fetched unasked.
#'
#' @param path The folder of the files. `NULL`: a folder of the data set's own in
#'   `tools::R_user_dir("lamina", "cache")`.
#' @param download `TRUE` allows to fetch missing files, `FALSE` forbids it; `NULL`: ask.
#'   `options(lamina.download =)` sets the default.
#' @param url Where to fetch from, without the file's name; `NULL`: the home of the data set, or
#'   `options(lamina.url.mnist =)`, `lamina.url.fashion_mnist`, `lamina.url.cifar10`,
#'   `lamina.url.cifar100`.
#' @param label_mode For CIFAR-100: `"fine"` or `"coarse"`.
#' @return `list(train = list(x, y), test = list(x, y))`. `x`: integers from 0 to 255, samples x
#'   height x width, in colour x 3. `y`: integer classes counted from 0; as in Keras a vector for
#'   MNIST and Fashion-MNIST, a matrix of one column for CIFAR.
#' @section Errors:
#' `lamina_error_file` when files are missing and may not be fetched, cannot be fetched, or are not
#' what they should be.
#' @family data
#' @examples
#' folder <- tempfile()
#' dir.create(folder)
#' tryCatch(dataset_mnist(folder, download = FALSE), lamina_error_file = conditionMessage)
#' \dontrun{
#' mnist <- dataset_mnist()
#' str(mnist)
#' }
#' @export
dataset_mnist <- function(path = NULL, download = getOption("lamina.download"), url = NULL) {
  read_idx_set("mnist", path, download, url)
}

#' @rdname dataset_mnist
#' @export
dataset_fashion_mnist <- function(path = NULL, download = getOption("lamina.download"), url = NULL) {
  read_idx_set("fashion_mnist", path, download, url)
}

#' @rdname dataset_mnist
#' @export
dataset_cifar10 <- function(path = NULL, download = getOption("lamina.download"), url = NULL) {
  read_cifar_set("cifar10", "fine", path, download, url)
}

#' @rdname dataset_mnist
#' @export
dataset_cifar100 <- function(label_mode = "fine", path = NULL, download = getOption("lamina.download"),
                             url = NULL) {
  check_choice(label_mode, c("fine", "coarse"))
  read_cifar_set("cifar100", label_mode, path, download, url)
}

read_idx_set <- function(name, path, download, url, call = rlang::caller_env()) {
  parts <- data_set_files(name, path, download, url, call)
  lapply(parts, function(part) {
    x <- read_idx(part$x)
    y <- read_idx(part$y)
    if (length(dim(x)) != 3L || !is.null(dim(y)) || length(y) != dim(x)[1L]) {
      abort_file(part$y, sprintf("a label for each of the %d pictures of %s", NROW(x), basename(part$x)),
                 describe(y), call = call)
    }
    list(x = x, y = y)
  })
}

read_cifar_set <- function(name, label_mode, path, download, url, call = rlang::caller_env()) {
  parts <- data_set_files(name, path, download, url, call)
  lapply(parts, function(files) {
    part <- read_cifar(files, name, label_mode)
    list(x = part$x, y = matrix(part$y, ncol = 1L))
  })
}

# ---- finding and fetching ------------------------------------------------------------------------

# The paths of the parts of a data set, fetched where they are missing.
data_set_files <- function(name, path, download, url, call) {
  set <- data_sets[[name]]
  folder <- check_string(path, allow_null = TRUE, call = call)
  download <- check_flag(download, allow_null = TRUE, call = call)
  url <- check_string(url, allow_null = TRUE, call = call)
  if (is.null(folder)) {
    folder <- file.path(tools::R_user_dir("lamina", "cache"), name)
  }
  parts <- find_parts(set, name, folder)
  if (is.null(parts)) {
    allow_download(set, name, folder, download, call)
    fetch(set, folder, sub("/+$", "", if (is.null(url)) getOption(paste0("lamina.url.", name), set$url) else url), call)
    parts <- find_parts(set, name, folder)
  }
  if (is.null(parts)) {
    abort_lamina(sprintf("What was fetched into %s is not %s.", folder, set$title), "file", arg = "url",
                 expected = set$title, actual = "other files", path = folder, call = call)
  }
  parts
}

# The parts with the first file found for each name, or NULL when one has none.
find_parts <- function(set, name, folder) {
  folders <- c(folder, if (!is.null(set$folder)) file.path(folder, set$folder))
  find <- function(names) {
    names <- unique(c(names, paste0(name, "-", names)))
    candidates <- as.vector(outer(folders, c(names, paste0(names, ".gz")), file.path))
    candidates[file.exists(candidates)][1L]
  }
  parts <- lapply(set$parts, function(part) {
    files <- if (is.list(part)) lapply(part, find) else stats::na.omit(vapply(part, find, ""))
    if (length(files) == 0L || anyNA(files)) NULL else if (is.list(files)) files else as.vector(files)
  })
  if (any(vapply(parts, is.null, NA))) NULL else parts
}

allow_download <- function(set, name, folder, download, call) {
  if (isTRUE(download)) {
    return(invisible())
  }
  if (is.null(download) && interactive()) {
    question <- sprintf("%s is not in %s. Fetch it (%d MB)?", set$title, folder, set$megabytes)
    download <- isTRUE(utils::askYesNo(question))
    if (download) {
      return(invisible())
    }
  }
  abort_lamina(
    c(sprintf("The files of %s are not in %s.", set$title, folder),
      i = sprintf("dataset_%s(download = TRUE) fetches them (%d MB), as does options(lamina.download = TRUE).", name, set$megabytes)),
    "file", arg = "path", expected = paste("the files of", set$title), actual = "not all of them", path = folder, call = call
  )
}

# Fetches a data set's files.  A file gets its name only when it is whole.
fetch <- function(set, folder, url, call) {
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  targets <- file.path(folder, set$downloads)
  for (target in targets[!file.exists(targets)]) {
    file <- basename(target)
    partial <- tempfile(file, folder)
    on.exit(unlink(partial))
    address <- paste0(url, "/", file)
    failed <- function(e) {
      abort_lamina(c(sprintf("%s could not be fetched.", address), x = conditionMessage(e)), "file", arg = "url",
                   expected = "a file", actual = conditionMessage(e), path = address, call = call)
    }
    tryCatch(fetch_file(address, partial), error = failed, warning = failed)
    file.rename(partial, target)
    if (!is.null(set$folder)) {
      wanted <- file.path(set$folder, unlist(set$parts))
      tryCatch(utils::untar(target, files = wanted, exdir = folder, tar = "internal"), error = failed, warning = failed)
      unlink(target)
    }
  }
}

fetch_file <- function(address, target) {
  old <- options(timeout = max(3600, getOption("timeout"))) # R's own minute is too short
  on.exit(options(old))
  status <- utils::download.file(address, target, mode = "wb", quiet = !interactive())
  if (status != 0L) {
    stop(sprintf("download.file() returned %d", status))
  }
}
