# Pictures from files: MNIST's IDX format, CIFAR's binary batches, PNG and JPEG.  Nothing is believed
# of a file before it is checked: memory is taken for what is there, not for what a header promises.

# A file that is not what it should be.
abort_file <- function(path, expected, actual, hint = NULL, arg = "path", call = rlang::caller_env()) {
  abort_lamina(
    c(sprintf("%s must have %s, but has %s.", path, expected, actual), hint),
    "file", arg = arg, expected = expected, actual = actual, path = path, call = call
  )
}

check_file <- function(path, arg = arg_name(substitute(path)), call = rlang::caller_env()) {
  path <- check_string(path, arg = arg, call = call)
  if (!file.exists(path) || dir.exists(path)) {
    abort_lamina(sprintf("There is no file %s.", path), "file", arg = arg, expected = "a file",
                 actual = if (dir.exists(path)) "a folder" else "nothing", path = path, call = call)
  }
  path
}

read_chunk <- 2^24 # bytes read at a time

# At most n bytes of a connection, in pieces, so that a promise of n that is not kept costs nothing.
read_at_most <- function(con, n) {
  pieces <- list()
  while (n > 0 && length(piece <- readBin(con, "raw", min(n, read_chunk))) > 0L) {
    pieces <- c(pieces, list(piece))
    n <- n - length(piece)
  }
  if (length(pieces) == 1L) pieces[[1L]] else as.raw(unlist(pieces))
}

# use(con) for a connection to a file, plain or compressed; damage becomes a lamina_error_file.
with_file <- function(path, use, arg, call) {
  con <- gzfile(path, "rb") # reads plain files as they are
  on.exit(close(con))
  withCallingHandlers(
    use(con),
    warning = function(w) { # zlib's: crc error, invalid compressed data
      abort_file(path, "intact data", conditionMessage(w), arg = arg, call = call)
    }
  )
}

# ---- IDX -----------------------------------------------------------------------------------------

# By the third byte of the file: how readBin() reads one element.
idx_types <- list(
  "8" = list(what = "integer", size = 1L, signed = FALSE),
  "9" = list(what = "integer", size = 1L, signed = TRUE),
  "11" = list(what = "integer", size = 2L, signed = TRUE),
  "12" = list(what = "integer", size = 4L, signed = TRUE),
  "13" = list(what = "double", size = 4L, signed = TRUE),
  "14" = list(what = "double", size = 8L, signed = TRUE)
)

#' Read an IDX file
#'
#' IDX is the format of the MNIST files: two zero bytes, a byte for the type of the numbers, a byte
#' for the number of dimensions, each dimension as a 4-byte integer, then the numbers, all with the
#' high byte first and the last dimension moving fastest (Y. LeCun, C. Cortes, C. Burges, "The MNIST
#' database of handwritten digits"). The types are unsigned byte (8), signed byte (9), 2-byte (11)
#' and 4-byte integer (12), 4-byte (13) and 8-byte floating point (14).
#'
#' @param path A file, plain or compressed by gzip.
#' @return An array of the file's dimensions, integer or double; a vector where there is only one.
#' @section Errors:
#' `lamina_error_file` when there is no such file, when it is no IDX file, or when it is shorter or
#' longer than its header says.
#' @family data
#' @examples
#' file <- tempfile()
#' writeBin(as.raw(c(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1:6)), file)
#' read_idx(file)
#' @export
read_idx <- function(path) {
  path <- check_file(path)
  call <- rlang::current_env()
  with_file(path, function(con) read_idx_from(con, path, call), "path", call)
}

read_idx_from <- function(con, path, call) {
  magic <- as.integer(read_at_most(con, 4))
  if (length(magic) < 4L || any(magic[1:2] != 0L)) {
    abort_file(path, "IDX data", "another beginning", call = call)
  }
  type <- idx_types[[as.character(magic[3L])]]
  if (is.null(type)) {
    abort_file(path, "a type of 8, 9, 11, 12, 13 or 14", sprintf("type %d", magic[3L]), call = call)
  }
  if (magic[4L] < 1L) {
    abort_file(path, "at least one dimension", "none", call = call)
  }
  header <- read_at_most(con, 4 * magic[4L])
  if (length(header) < 4 * magic[4L]) {
    abort_file(path, sprintf("%d dimensions", magic[4L]), "an end within them", call = call)
  }
  dim <- colSums(matrix(as.integer(header), 4L) * 256^(3:0))
  if (any(dim > .Machine$integer.max)) {
    abort_file(path, "dimensions below 2^31", format(max(dim)), call = call)
  }
  count <- if (any(dim == 0)) 0 else prod(dim) # else an infinite product times 0
  bytes <- read_at_most(con, count * type$size)
  more <- length(read_at_most(con, 1))
  if (length(bytes) < count * type$size || more > 0L) {
    abort_file(path, sprintf("%s bytes behind its header, for %s numbers", format(count * type$size, scientific = FALSE),
                             paste(dim, collapse = " x ")),
               if (more > 0L) "more" else format(length(bytes), scientific = FALSE), call = call)
  }
  values <- idx_values(bytes, type, count)
  if (length(dim) == 1L) values else row_major(values, dim)
}

idx_values <- function(bytes, type, count) {
  values <- if (type$size == 1L && !type$signed) {
    as.integer(bytes)
  } else {
    readBin(bytes, type$what, count, size = type$size, signed = type$signed, endian = "big")
  }
  if (type$size == 4L && is.integer(values) && anyNA(values)) {
    values <- as.double(values)
    values[is.na(values)] <- -2^31 # R's integers keep this one for NA
  }
  values
}

# Values with the last dimension moving fastest, as an R array.
row_major <- function(values, dim) {
  aperm(array(values, rev(dim)), rev(seq_along(dim)))
}

# ---- CIFAR ---------------------------------------------------------------------------------------

#' Read CIFAR batches
#'
#' Reads the binary version of the CIFAR-10 and CIFAR-100 pictures (A. Krizhevsky, "Learning multiple
#' layers of features from tiny images", 2009): one record a picture, with the label (CIFAR-100: the
#' coarse one of 20 and the fine one of 100) as a byte and then 32 x 32 bytes for each of red, green
#' and blue, row by row.
#'
#' @param paths Files, plain or compressed by gzip; their pictures follow one another.
#' @param type `"cifar10"` or `"cifar100"`.
#' @param label_mode For CIFAR-100: `"fine"` or `"coarse"` labels.
#' @return `list(x, y)`: `x`, an integer array of pictures x 32 x 32 x 3 from 0 to 255; `y`, an
#'   integer vector of classes counted from 0.
#' @section Errors:
#' `lamina_error_file` when a file is missing or empty, does not end with a record, or has labels
#' beyond the last class; `lamina_error_argument` for a bad argument.
#' @family data
#' @examples
#' file <- tempfile()
#' writeBin(as.raw(c(7, rep(0:255, 12))), file)
#' str(read_cifar(file))
#' @export
read_cifar <- function(paths, type = "cifar10", label_mode = "fine") {
  check_choice(type, c("cifar10", "cifar100"))
  check_choice(label_mode, c("fine", "coarse"))
  if (!is.character(paths) || length(paths) == 0L || anyNA(paths)) {
    abort_argument("paths", "the names of files", describe(paths))
  }
  call <- rlang::current_env()
  parts <- lapply(paths, function(path) {
    check_file(path, "paths", call)
    with_file(path, function(con) read_cifar_from(con, path, type, label_mode, call), "paths", call)
  })
  records <- do.call(cbind, lapply(parts, `[[`, "pixels"))
  x <- aperm(array(as.integer(records), c(32L, 32L, 3L, ncol(records))), c(4L, 2L, 1L, 3L))
  list(x = x, y = unlist(lapply(parts, `[[`, "labels")))
}

# list(pixels = a column of 3072 raw bytes a picture, labels)
read_cifar_from <- function(con, path, type, label_mode, call) {
  labels <- if (type == "cifar10") 1L else 2L
  size <- labels + 3072L
  bytes <- read_at_most(con, Inf)
  if (length(bytes) == 0L || length(bytes) %% size != 0) {
    abort_file(path, sprintf("a multiple of %d bytes, a record a picture", size),
               format(length(bytes), scientific = FALSE), arg = "paths", call = call)
  }
  records <- matrix(bytes, size)
  coarse <- type == "cifar100" && label_mode == "coarse"
  classes <- if (type == "cifar10") 10L else if (coarse) 20L else 100L
  label <- as.integer(records[if (type == "cifar10" || coarse) 1L else 2L, ])
  if (any(label >= classes)) {
    abort_file(path, sprintf("labels from 0 to %d", classes - 1L), format(max(label)), arg = "paths", call = call)
  }
  list(pixels = records[-seq_len(labels), , drop = FALSE], labels = label)
}

# ---- PNG and JPEG --------------------------------------------------------------------------------

#' Load a picture
#'
#' `image_load()` reads a PNG or JPEG file (with the packages png and jpeg), `image_to_array()` gives
#' its numbers as a plain array, and `image_array_save()` writes an array to a file.
#'
#' @param path A file; its first bytes, not its name, tell PNG from JPEG. For `image_array_save()`
#'   the name ends in `.png`, `.jpg` or `.jpeg` when `file_format` is `NULL`.
#' @param color_mode `"rgb"`, `"grayscale"` (`0.299 R + 0.587 G + 0.114 B`) or `"rgba"`.
#' @param target_size `c(height, width)` to resize to; `NULL`: as it is.
#' @param interpolation How to resize: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"` or
#'   `"box"` (the mean over what an output pixel covers). All but the first smooth what they shrink.
#' @param keep_aspect_ratio `TRUE`: resize the largest part in the middle that has the aspect ratio
#'   of `target_size`, instead of distorting.
#' @param img A picture of `image_load()`, or an array of height x width or height x width x channels.
#' @param data_format,dtype `"channels_last"` and `"float32"`, the only ones, or `NULL`.
#' @param x An array of height x width x channels, or a matrix.
#' @param file_format `"png"` or `"jpeg"`; `NULL`: by the name.
#' @param scale `TRUE`: from its least and largest number to 0 and 255; `FALSE`: numbers are taken as
#'   0 to 255, and cut off there.
#' @param ... Not used.
#' @return `image_load()`: an array of height x width x channels, whole numbers from 0 to 255, of class
#'   `lamina_image`, which `plot()` shows. `image_to_array()`: the same without the class.
#'   `image_array_save()`: `path`, invisibly.
#' @section Errors:
#' `lamina_error_file` when the file is missing, damaged, or neither PNG nor JPEG;
#' `lamina_error_argument` for a bad argument.
#' @family data
#' @examplesIf requireNamespace("png", quietly = TRUE)
#' file <- tempfile(fileext = ".png")
#' image_array_save(sim_shapes(1, size = 64, color = TRUE)$x[1, , , ], file)
#' picture <- image_load(file, target_size = c(32, 32), interpolation = "bilinear")
#' picture
#' plot(picture)
#' range(image_to_array(picture))
#' @export
image_load <- function(path, color_mode = "rgb", target_size = NULL, interpolation = "nearest",
                       keep_aspect_ratio = FALSE) {
  path <- check_file(path)
  check_choice(color_mode, names(color_channels))
  size <- if (!is.null(target_size)) check_image_size(target_size)
  kinds <- c(nearest = "nearest", bilinear = "bilinear", bicubic = "bicubic", lanczos = "lanczos3", box = "area")
  check_choice(interpolation, names(kinds))
  keep_aspect_ratio <- check_flag(keep_aspect_ratio)
  picture <- read_picture(path, color_mode)
  if (!is.null(size) && !identical(as.double(dim(picture)[1:2]), size)) {
    picture <- resize_picture(picture, size, kinds[[interpolation]], antialias = TRUE,
                              aspect = if (keep_aspect_ratio) "crop" else "stretch")
    picture <- pmin(pmax(round(picture), 0), 255)
  }
  structure(picture, class = "lamina_image")
}

color_channels <- c(rgb = 3L, grayscale = 1L, rgba = 4L)

check_image_size <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  check_shape(x, min_rank = 2L, max_rank = 2L, arg = arg, call = call)
}

resize_picture <- function(x, size, interpolation, antialias = FALSE, aspect = "stretch") {
  .Call(ffi_image_resize, x, size[1L], size[2L], interpolation, antialias, aspect)
}

# A file as an array of height x width x channels, 0 to 255.
read_picture <- function(path, color_mode, arg = "path", call = rlang::caller_env()) {
  start <- readBin(path, "raw", 4L)
  begins <- function(...) identical(utils::head(start, ...length()), as.raw(c(...)))
  package <- if (begins(0x89, 0x50, 0x4e, 0x47)) {
    "png"
  } else if (begins(0xff, 0xd8)) {
    "jpeg"
  } else {
    abort_file(path, "a picture as PNG or JPEG", "something else", arg = arg, call = call)
  }
  rlang::check_installed(package, "to read pictures", call = call)
  read <- if (package == "png") png::readPNG else jpeg::readJPEG
  damaged <- function(e) abort_file(path, "an intact picture", conditionMessage(e), arg = arg, call = call)
  picture <- tryCatch(read(path), error = damaged, warning = damaged)
  if (length(dim(picture)) == 2L) {
    dim(picture) <- c(dim(picture), 1L)
  }
  with_channels(round(255 * picture), color_mode)
}

# x has 1 (grey), 2 (grey, opacity), 3 (red, green, blue) or 4 channels (and opacity).
with_channels <- function(x, color_mode) {
  size <- dim(x)[1:2]
  channels <- dim(x)[3L]
  if (color_mode == "grayscale") {
    grey <- if (channels < 3L) x[, , 1L] else round(0.299 * x[, , 1L] + 0.587 * x[, , 2L] + 0.114 * x[, , 3L])
    return(array(grey, c(size, 1L)))
  }
  colours <- if (channels < 3L) x[, , c(1L, 1L, 1L)] else x[, , 1:3]
  opacity <- if (color_mode == "rgba") if (channels %in% c(2L, 4L)) x[, , channels] else rep(255, prod(size))
  array(c(colours, opacity), c(size, color_channels[[color_mode]]))
}

#' @rdname image_load
#' @export
image_to_array <- function(img, data_format = NULL, dtype = NULL) {
  check_data_format(data_format)
  if (!is.null(dtype)) {
    check_unsupported(dtype, "float32")
  }
  x <- unclass(img)
  if (!is.numeric(x) || !length(dim(x)) %in% 2:3) {
    abort_argument("img", "a picture of image_load() or an array of height x width x channels", describe(img))
  }
  storage.mode(x) <- "double"
  array(x, if (length(dim(x)) == 2L) c(dim(x), 1L) else dim(x))
}

#' @rdname image_load
#' @export
image_array_save <- function(x, path, data_format = NULL, file_format = NULL, scale = TRUE, ...) {
  check_no_dots(list(...))
  check_data_format(data_format)
  path <- check_string(path)
  if (is.null(file_format)) {
    file_format <- tolower(sub(".*\\.", "", path))
  }
  check_choice(file_format, c("png", "jpeg", "jpg"))
  x <- image_to_array(x)
  if (!dim(x)[3L] %in% c(1L, 3L, if (file_format == "png") 4L) || !all(is.finite(x))) {
    abort_argument("x", sprintf("finite numbers with %s channels", if (file_format == "png") "1, 3 or 4" else "1 or 3"), describe(x))
  }
  if (check_flag(scale)) {
    x <- (x - min(x)) / max(diff(range(x)), 1e-7)
  } else {
    x <- pmin(pmax(x / 255, 0), 1)
  }
  if (dim(x)[3L] == 1L) {
    dim(x) <- dim(x)[1:2]
  }
  if (file_format == "png") {
    rlang::check_installed("png", "to write pictures")
    png::writePNG(x, path)
  } else {
    rlang::check_installed("jpeg", "to write pictures")
    jpeg::writeJPEG(x, path, quality = 0.95)
  }
  invisible(path)
}

#' @export
print.lamina_image <- function(x, ...) {
  kind <- names(color_channels)[match(dim(x)[3L], color_channels)]
  cat(sprintf("<picture> %d x %d, %s\n", dim(x)[1L], dim(x)[2L], kind))
  invisible(x)
}

#' @export
plot.lamina_image <- function(x, ..., interpolate = FALSE) {
  shown <- unclass(x) / 255
  if (dim(x)[3L] == 1L) {
    dim(shown) <- dim(shown)[1:2]
  }
  plot(grDevices::as.raster(shown), interpolate = interpolate, ...)
  invisible(x)
}
