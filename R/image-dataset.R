# Folders of pictures as data.

#' Pictures in folders
#'
#' Makes a dataset of the PNG and JPEG files in a folder. [fit()][fit.lamina_model], [evaluate()] and
#' `predict()` take it in place of arrays and read a batch of files when it is needed, so that the
#' pictures need not fit into memory. In training the order changes every epoch; `evaluate()` and
#' `predict()` go through the files in their order.
#'
#' @param directory The folder. With `labels = "inferred"` it has a folder for each class.
#' @param labels `"inferred"`: the classes are the folders in `directory`; an integer vector or a
#'   factor with a class for each file, in alphabetical order of the paths; `NULL`: no labels, for
#'   `predict()`.
#' @param label_mode `"int"`: classes counted from 0; `"categorical"`: a column of 0 and 1 for each
#'   class; `"binary"`: 0 and 1, for two classes; `NULL`: no labels.
#' @param class_names The names of the folders, in the order of the classes; `NULL`: alphabetical.
#' @param color_mode `"rgb"`, `"grayscale"` or `"rgba"`, as in [image_load()].
#' @param batch_size Pictures a batch.
#' @param image_size `c(height, width)` that pictures are resized to.
#' @param shuffle `FALSE` keeps the order of the files in training.
#' @param seed A seed for the order, and for which files `validation_split` takes; `NULL`: the
#'   order comes from the model's seed.
#' @param validation_split Fraction of the files to keep for validation, shuffled before when
#'   `shuffle` is `TRUE`.
#' @param subset With `validation_split`: `"training"`, `"validation"`, or `"both"` for a list of the
#'   two.
#' @param interpolation How to resize, as in [layer_resizing()].
#' @param crop_to_aspect_ratio,pad_to_aspect_ratio `TRUE`: do not distort, but resize the largest part
#'   of the wanted aspect ratio, or pad with 0.
#' @param follow_links `FALSE`: folders that are symbolic links are left out.
#' @param data_format `"channels_last"`, the only one, or `NULL`.
#' @param verbose `TRUE`: say how many files were found.
#' @param ... Not used.
#' @return A dataset: `length()` is the number of batches, `dataset[[i]]` batch i in the order of the
#'   files, as `list(x, y)` with numbers from 0 to 255; `dataset$class_names`, `dataset$classes` (from
#'   0), `dataset$file_paths` and `dataset$samples` tell about it. With `subset = "both"` a list of two.
#' @section Errors:
#' `lamina_error_file` when there are no pictures, or one is damaged, at the time it is read;
#' `lamina_error_argument` for a bad argument.
#' @family data
#' @examplesIf requireNamespace("png", quietly = TRUE)
#' folder <- tempfile()
#' shapes <- sim_shapes(40, size = 16)
#' for (i in 1:40) {
#'   dir.create(file.path(folder, shapes$y[i]), showWarnings = FALSE, recursive = TRUE)
#'   png::writePNG(shapes$x[i, , , 1], file.path(folder, shapes$y[i], sprintf("%02d.png", i)))
#' }
#' pictures <- image_dataset_from_directory(folder, color_mode = "grayscale", image_size = c(16, 16),
#'                                          batch_size = 8)
#' pictures
#' model <- keras_model_sequential(input_shape = c(16, 16, 1)) |>
#'   layer_rescaling(1 / 255) |>
#'   layer_flatten() |>
#'   layer_dense(4, activation = "softmax")
#' model |> compile(loss = "sparse_categorical_crossentropy", metrics = "accuracy")
#' model |> fit(pictures, epochs = 2, verbose = 0)
#' evaluate(model, pictures)
#' dim(predict(model, pictures))
#' @export
image_dataset_from_directory <- function(directory, labels = "inferred", label_mode = "int",
                                         class_names = NULL, color_mode = "rgb", batch_size = 32,
                                         image_size = c(256, 256), shuffle = TRUE, seed = NULL,
                                         validation_split = NULL, subset = NULL,
                                         interpolation = "bilinear", follow_links = FALSE,
                                         crop_to_aspect_ratio = FALSE, pad_to_aspect_ratio = FALSE,
                                         data_format = NULL, verbose = TRUE, ...) {
  check_no_dots(list(...))
  check_data_format(data_format)
  check_folder(directory)
  check_choice(color_mode, names(color_channels))
  check_choice(interpolation, resample_kinds)
  if (!is.null(label_mode)) {
    check_choice(label_mode, c("int", "categorical", "binary"))
  }
  picture <- list(
    color_mode = color_mode, size = check_image_size(image_size), interpolation = interpolation,
    aspect = aspect_of(check_flag(crop_to_aspect_ratio), check_flag(pad_to_aspect_ratio))
  )
  order <- list(batch_size = check_count(batch_size), shuffle = check_flag(shuffle), seed = check_seed(seed))
  verbose <- check_flag(verbose)
  files <- find_pictures(directory, labels, class_names, check_flag(follow_links), is.null(label_mode))
  check_classes(files, label_mode)
  parts <- split_pictures(files, validation_split, subset, order)
  if (verbose) {
    inform_found(files, parts, subset)
  }
  datasets <- lapply(parts, picture_dataset, files, label_mode, picture, order)
  if (identical(subset, "both")) datasets else datasets[[1L]]
}

check_folder <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  check_string(x, arg = arg, call = call)
  if (!dir.exists(x)) {
    abort_lamina(sprintf("There is no folder %s.", x), "file", arg = arg, expected = "a folder", actual = "nothing",
                 path = x, call = call)
  }
}

aspect_of <- function(crop, pad, call = rlang::caller_env()) {
  if (crop && pad) {
    abort_argument("pad_to_aspect_ratio", "FALSE with `crop_to_aspect_ratio`", "TRUE", call = call)
  }
  if (crop) "crop" else if (pad) "pad" else "stretch"
}

# ---- finding the files ---------------------------------------------------------------------------

# list(paths, class_names, classes): all pictures, with their 0-based classes (NULL without labels).
find_pictures <- function(directory, labels, class_names, follow_links, unlabelled, call = rlang::caller_env()) {
  if (identical(labels, "inferred") && !unlabelled) {
    found <- pictures_by_folder(directory, class_names, follow_links, call)
  } else {
    paths <- pictures_under(directory, follow_links)
    found <- c(list(paths = paths), given_labels(if (unlabelled) NULL else labels, length(paths), class_names, call))
  }
  if (length(found$paths) == 0L) {
    abort_lamina(sprintf("There are no PNG or JPEG files in %s.", directory), "file", arg = "directory",
                 expected = "pictures", actual = "none", path = directory, call = call)
  }
  found
}

pictures_by_folder <- function(directory, class_names, follow_links, call) {
  folders <- visible_folders(directory, follow_links)
  if (is.null(class_names)) {
    class_names <- folders
  } else if (!is.character(class_names) || !setequal(class_names, folders) || anyDuplicated(class_names)) {
    abort_argument("class_names", paste("the names of the folders,", paste(folders, collapse = ", ")),
                   if (is.character(class_names)) paste(class_names, collapse = ", ") else describe(class_names), call = call)
  }
  paths <- lapply(file.path(directory, class_names), pictures_under, follow_links)
  list(paths = unlist(paths), class_names = class_names, classes = rep(seq_along(paths) - 1L, lengths(paths)))
}

visible_folders <- function(directory, follow_links) {
  names <- sort(list.dirs(directory, full.names = FALSE, recursive = FALSE), method = "radix")
  names <- names[!startsWith(names, ".")]
  if (follow_links) names else names[!nzchar(Sys.readlink(file.path(directory, names)))]
}

# The pictures in a folder and the folders in it, sorted alike on all systems.
pictures_under <- function(directory, follow_links) {
  here <- list.files(directory, "\\.(png|jpe?g)$", ignore.case = TRUE)
  here <- here[!dir.exists(file.path(directory, here))]
  below <- lapply(file.path(directory, visible_folders(directory, follow_links)), pictures_under, follow_links)
  sort(c(if (length(here)) file.path(directory, here), unlist(below)), method = "radix")
}

given_labels <- function(labels, n, class_names, call) {
  if (is.null(labels)) {
    return(NULL)
  }
  labels <- if (is.list(labels)) unlist(labels) else labels
  if (is.factor(labels)) {
    if (is.null(class_names)) class_names <- levels(labels)
    labels <- as.integer(labels) - 1L
  }
  whole <- is.numeric(labels) && all(is.finite(labels)) && all(labels >= 0 & labels == floor(labels))
  if (!whole || length(labels) != n) {
    abort_argument("labels", sprintf("\"inferred\", NULL, or a class from 0 for each of the %d files", n), describe(labels), call = call)
  }
  if (is.null(class_names)) {
    class_names <- as.character(seq(0, max(labels)))
  }
  if (max(labels) >= length(class_names)) {
    abort_argument("class_names", sprintf("%d names", max(labels) + 1), describe(class_names), call = call)
  }
  list(class_names = class_names, classes = as.integer(labels))
}

check_classes <- function(files, label_mode, call = rlang::caller_env()) {
  if (identical(label_mode, "binary") && !is.null(files$classes) && length(files$class_names) != 2L) {
    abort_argument("label_mode", "\"int\" or \"categorical\" unless there are two classes",
                   sprintf("\"binary\" with %d", length(files$class_names)), call = call)
  }
}

# ---- the datasets --------------------------------------------------------------------------------

# Which files belong to the dataset, or to the two of subset = "both".
split_pictures <- function(files, split, subset, order, call = rlang::caller_env()) {
  n <- length(files$paths)
  if (is.null(split)) {
    if (!is.null(subset)) {
      abort_argument("subset", "NULL without `validation_split`", describe(subset), call = call)
    }
    return(list(seq_len(n)))
  }
  split <- check_number(split, min = 0, max = 1, arg = "validation_split", call = call)
  subset <- check_choice(subset, c("training", "validation", "both"), arg = "subset", call = call)
  if (order$shuffle && is.null(order$seed) && subset != "both") {
    abort_argument("seed", "given when `validation_split` shuffles, so that the two parts do not overlap", "NULL", call = call)
  }
  held <- floor(split * n)
  if (held == 0 || held == n) {
    abort_argument("validation_split", "a fraction that leaves files on both sides", sprintf("%g of %d files", split, n), call = call)
  }
  rows <- if (order$shuffle) {
    .Call(ffi_order, if (is.null(order$seed)) draw_seed() else order$seed, 0, n)
  } else {
    seq_len(n)
  }
  list(training = rows[seq_len(n - held)], validation = rows[seq(n - held + 1, n)])[if (subset == "both") 1:2 else subset]
}

inform_found <- function(files, parts, subset) {
  found <- sprintf("Found %d files%s.", length(files$paths),
                   if (is.null(files$classes)) "" else sprintf(" of %d classes", length(files$class_names)))
  used <- if (!is.null(subset)) sprintf("%d for %s", lengths(parts), names(parts))
  inform_lamina(c(found, i = if (length(used)) paste0("Used: ", paste(used, collapse = ", "), ".")), "lamina_message_files")
}

picture_dataset <- function(rows, files, label_mode, picture, order) {
  paths <- files$paths[rows]
  classes <- files$classes[rows]
  k <- length(files$class_names)
  read <- function(rows) {
    x <- array(0, c(length(rows), picture$size, color_channels[[picture$color_mode]]))
    for (i in seq_along(rows)) {
      x[i, , , ] <- sized_picture(paths[rows[i]], picture)
    }
    c(list(x), if (!is.null(classes)) list(coded_labels(classes[rows], k, label_mode)))
  }
  new_dataset(length(paths), order$batch_size, read, order$shuffle, order$seed, files$class_names, classes,
              file_paths = paths)
}

sized_picture <- function(path, picture) {
  x <- read_picture(path, picture$color_mode, arg = "directory", call = lamina_frame())
  if (identical(as.double(dim(x)[1:2]), picture$size)) {
    return(x)
  }
  resize_picture(x, picture$size, picture$interpolation, aspect = picture$aspect)
}

coded_labels <- function(classes, k, label_mode) {
  switch(label_mode, int = classes, binary = matrix(classes, ncol = 1L), categorical = to_categorical(classes, k))
}
