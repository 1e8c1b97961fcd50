bytes <- function(...) as.raw(c(...))

# The bytes in a file, plain or compressed.
write_bytes <- function(x, gz = FALSE, env = parent.frame()) {
  file <- withr::local_tempfile(.local_envir = env)
  con <- if (gz) gzfile(file, "wb") else file(file, "wb")
  writeBin(x, con)
  close(con)
  file
}

file_error <- function(expr, ...) {
  e <- expect_error(expr, ..., class = "lamina_error_file")
  expect_true(all(c("arg", "expected", "actual", "path") %in% names(e)))
}

# ---- IDX -----------------------------------------------------------------------------------------

test_that("every type of IDX is read, high byte first", {
  one <- function(type, ...) read_idx(write_bytes(bytes(0, 0, type, 1, 0, 0, 0, 2, ...)))
  expect_identical(one(8, 0, 255), c(0L, 255L))
  expect_identical(one(9, 127, 128), c(127L, -128L))
  expect_identical(one(11, 1, 2, 255, 254), c(258L, -2L))
  expect_identical(one(12, 0, 1, 0, 0, 255, 255, 255, 255), c(65536L, -1L))
  expect_identical(one(12, 128, 0, 0, 0, 0, 0, 0, 5), c(-2^31, 5))
  expect_identical(one(13, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0), c(1, -2.5))
  expect_identical(one(14, 0x3f, 0xf0, rep(0, 6), 0xc0, 0x04, rep(0, 6)), c(1, -2.5))
})

test_that("the last dimension moves fastest", {
  head <- c(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3)
  for (gz in c(FALSE, TRUE)) {
    x <- read_idx(write_bytes(bytes(head, 1:12), gz))
    expect_identical(dim(x), c(2L, 2L, 3L))
    expect_identical(x[1, 2, ], 4:6)
    expect_identical(x[2, 1, ], 7:9)
  }
  expect_identical(read_idx(write_bytes(bytes(0, 0, 8, 1, 0, 0, 0, 0))), integer())
})

test_that("IDX files that are not what they say are refused", {
  good <- bytes(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1:6)
  for (gz in c(FALSE, TRUE)) {
    for (n in seq(0, length(good) - 1)) {
      file_error(read_idx(write_bytes(good[seq_len(n)], gz)))
    }
    file_error(read_idx(write_bytes(c(good, bytes(0)), gz)), "more")
  }
  file_error(read_idx(write_bytes(bytes(0, 1, good[-(1:2)]))), "beginning")
  file_error(read_idx(write_bytes(bytes(0, 0, 10, 1, 0, 0, 0, 1, 1))), "type 10")
  file_error(read_idx(write_bytes(bytes(0, 0, 8, 0, 1))), "dimension")
  # a header that promises 2^62 bytes costs nothing
  file_error(read_idx(write_bytes(bytes(0, 0, 8, 2, 127, 255, 255, 255, 127, 255, 255, 255, 1))), "2147483647 x 2147483647")
  file_error(read_idx(write_bytes(bytes(0, 0, 8, 1, 255, 255, 255, 255, 1))), "2\\^31")
  file_error(read_idx(tempfile()), "no file")
  file_error(read_idx(tempdir()))
  expect_error(read_idx(3), class = "lamina_error_argument")
})

test_that("damaged and cut-off compressed files are refused", {
  set.seed(1)
  x <- bytes(0, 0, 8, 1, 0, 0, 39, 16, sample(0:255, 10000, TRUE))
  packed <- readBin(write_bytes(x, gz = TRUE), "raw", 1e5)
  file_error(read_idx(write_bytes(packed[1:5000])))
  damaged <- packed
  damaged[4000:4100] <- as.raw(0)
  file_error(read_idx(write_bytes(damaged)))
})

# ---- CIFAR ---------------------------------------------------------------------------------------

cifar_record <- function(labels, seed) {
  set.seed(seed)
  pixels <- array(sample(0:255, 3072, TRUE), c(32, 32, 3)) # row, column, colour
  list(bytes = bytes(labels, aperm(pixels, c(2, 1, 3))), pixels = pixels)
}

test_that("CIFAR-10 records become pictures", {
  records <- Map(cifar_record, c(3, 9, 0), 1:3)
  a <- write_bytes(c(records[[1]]$bytes, records[[2]]$bytes))
  b <- write_bytes(records[[3]]$bytes, gz = TRUE)
  batch <- read_cifar(c(a, b))
  expect_identical(batch$y, c(3L, 9L, 0L))
  expect_identical(dim(batch$x), c(3L, 32L, 32L, 3L))
  for (i in 1:3) {
    expect_identical(batch$x[i, , , ], records[[i]]$pixels)
  }
})

test_that("CIFAR-100 has two labels", {
  records <- Map(cifar_record, list(c(19, 98), c(0, 99)), 1:2)
  file <- write_bytes(c(records[[1]]$bytes, records[[2]]$bytes))
  expect_identical(read_cifar(file, "cifar100")$y, c(98L, 99L))
  coarse <- read_cifar(file, "cifar100", "coarse")
  expect_identical(coarse$y, c(19L, 0L))
  expect_identical(coarse$x[2, , , ], records[[2]]$pixels)
})

test_that("CIFAR files that are not what they should be are refused", {
  record <- cifar_record(3, 1)$bytes
  file_error(read_cifar(write_bytes(record[-1])))
  file_error(read_cifar(write_bytes(c(record, as.raw(1)))))
  file_error(read_cifar(write_bytes(raw())))
  file_error(read_cifar(write_bytes(cifar_record(10, 1)$bytes)), "0 to 9")
  file_error(read_cifar(write_bytes(record), "cifar100"))
  file_error(read_cifar(tempfile()))
  expect_error(read_cifar(character()), class = "lamina_error_argument")
  expect_error(read_cifar(write_bytes(record), "cifar"), class = "lamina_error_argument")
})

# ---- data sets -----------------------------------------------------------------------------------

idx_bytes <- function(x) { # unsigned bytes
  dim <- if (is.null(dim(x))) length(x) else dim(x)
  size <- unlist(lapply(dim, function(d) c(d %/% 256^3, d %/% 256^2 %% 256, d %/% 256 %% 256, d %% 256)))
  values <- if (length(dim) > 1L) aperm(x, rev(seq_along(dim))) else x
  bytes(0, 0, 8, length(dim), size, values)
}

# Small files in a folder, under the names of MNIST.
mnist_folder <- function(names, gz = FALSE, env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  set.seed(4)
  parts <- list(array(sample(0:255, 5 * 6 * 6, TRUE), c(5, 6, 6)), c(4L, 0L, 9L, 1L, 2L),
                array(sample(0:255, 2 * 6 * 6, TRUE), c(2, 6, 6)), c(7L, 3L))
  for (i in 1:4) {
    con <- (if (gz) gzfile else file)(file.path(folder, names[i]), "wb")
    writeBin(idx_bytes(parts[[i]]), con)
    close(con)
  }
  list(path = folder, set = list(train = list(x = parts[[1]], y = parts[[2]]), test = list(x = parts[[3]], y = parts[[4]])))
}

test_that("MNIST is found under the names it goes by", {
  original <- c("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
  there <- mnist_folder(original)
  expect_identical(dataset_mnist(there$path), there$set)
  expect_identical(dataset_fashion_mnist(there$path), there$set)
  there <- mnist_folder(paste0(original, ".gz"), gz = TRUE)
  expect_identical(dataset_mnist(there$path), there$set)
  there <- mnist_folder(sprintf("mnist-%s-idx%d-ubyte.gz", c("train-images", "train-labels", "test-images", "test-labels"), c(3, 1, 3, 1)), gz = TRUE)
  expect_identical(dataset_mnist(there$path), there$set)
})

test_that("nothing is fetched unasked", {
  folder <- withr::local_tempdir()
  withr::local_options(lamina.download = NULL, rlang_interactive = FALSE)
  file_error(dataset_mnist(folder), "download = TRUE")
  file_error(dataset_cifar10(folder, download = FALSE))
  expect_identical(list.files(folder), character())
})

test_that("missing files are fetched when allowed", {
  there <- mnist_folder(paste0(c("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), ".gz"), gz = TRUE)
  here <- file.path(withr::local_tempdir(), "new", "mnist")
  url <- paste0("file://", there$path)
  expect_identical(dataset_mnist(here, download = TRUE, url = url), there$set)
  expect_length(list.files(here), 4)
  expect_identical(dataset_mnist(here, download = FALSE), there$set)
  withr::local_options(lamina.download = TRUE, lamina.url.mnist = paste0(url, "/"))
  withr::local_envvar(R_USER_CACHE_DIR = withr::local_tempdir())
  expect_identical(dataset_mnist(), there$set)
  expect_true(dir.exists(file.path(tools::R_user_dir("lamina", "cache"), "mnist")))
})

test_that("what cannot be fetched is an error, and nothing is left", {
  here <- withr::local_tempdir()
  file_error(dataset_mnist(here, download = TRUE, url = paste0("file://", withr::local_tempdir())), "could not be fetched")
  expect_identical(list.files(here, all.files = TRUE, no.. = TRUE), character())
})

test_that("CIFAR comes out of its archive, and partial sets are read", {
  there <- withr::local_tempdir()
  withr::with_dir(there, {
    dir.create("cifar-10-batches-bin")
    for (i in 1:5) writeBin(cifar_record(i, i)$bytes, sprintf("cifar-10-batches-bin/data_batch_%d.bin", i))
    writeBin(cifar_record(9, 9)$bytes, "cifar-10-batches-bin/test_batch.bin")
    writeLines("no part of it", "cifar-10-batches-bin/readme.html")
    utils::tar("cifar-10-binary.tar.gz", "cifar-10-batches-bin", compression = "gzip", tar = "internal")
  })
  here <- withr::local_tempdir()
  set <- dataset_cifar10(here, download = TRUE, url = paste0("file://", there))
  expect_identical(set$train$y, matrix(1:5))
  expect_identical(set$test$x[1, , , ], cifar_record(9, 9)$pixels)
  expect_setequal(list.files(here, recursive = TRUE),
                  file.path("cifar-10-batches-bin", c(sprintf("data_batch_%d.bin", 1:5), "test_batch.bin")))
  unlink(file.path(here, "cifar-10-batches-bin", sprintf("data_batch_%d.bin", c(1, 3:5))))
  expect_identical(dataset_cifar10(here)$train$y, matrix(2L))
  unlink(file.path(here, "cifar-10-batches-bin", "test_batch.bin"))
  file_error(dataset_cifar10(here, download = FALSE))
  hundred <- withr::local_tempdir()
  writeBin(cifar_record(c(3, 33), 1)$bytes, file.path(hundred, "train.bin"))
  writeBin(cifar_record(c(4, 44), 2)$bytes, file.path(hundred, "test.bin"))
  expect_identical(dataset_cifar100(path = hundred)$train$y, matrix(33L))
  expect_identical(dataset_cifar100("coarse", path = hundred)$test$y, matrix(4L))
})

test_that("pictures and labels must be as many", {
  there <- mnist_folder(c("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
  file.copy(file.path(there$path, "t10k-labels-idx1-ubyte"), file.path(there$path, "train-labels-idx1-ubyte"), overwrite = TRUE)
  file_error(dataset_mnist(there$path))
})

test_that("the real data sets are read", {
  folder <- skip_without_data("images")
  mnist <- dataset_mnist(folder, download = FALSE)
  for (part in mnist) {
    expect_identical(dim(part$x)[2:3], c(28L, 28L))
    expect_identical(range(part$x), c(0L, 255L))
    expect_identical(length(part$y), dim(part$x)[1])
    expect_setequal(part$y, 0:9)
  }
  # ones have little ink, zeros much: rows and columns are not mixed up
  ink <- tapply(rowSums(matrix(mnist$test$x, length(mnist$test$y))), mnist$test$y, mean)
  expect_identical(names(which.min(ink)), "1")
  expect_identical(names(which.max(ink)), "0")
  upright <- apply(mnist$test$x[mnist$test$y == 1, , ], c(2, 3), mean)
  expect_gt(sum(rowSums(upright) > 20), sum(colSums(upright) > 20))
  cifar <- read_cifar(file.path(folder, "cifar10-test_batch.bin.gz"))
  expect_identical(dim(cifar$x)[-1], c(32L, 32L, 3L))
  expect_setequal(cifar$y, 0:9)
  # ships and airplanes are blue above
  sky <- apply(cifar$x[cifar$y %in% c(0, 8), 1:8, , ], 4, mean)
  expect_identical(which.max(sky), 3L)
})

# ---- PNG and JPEG --------------------------------------------------------------------------------

save_png <- function(x, env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ".png", .local_envir = env)
  png::writePNG(x / 255, file)
  file
}

test_that("pictures are loaded as they were saved", {
  skip_if_not_installed("png")
  set.seed(1)
  colour <- array(sample(0:255, 4 * 6 * 3, TRUE), c(4, 6, 3))
  picture <- image_load(save_png(colour))
  expect_s3_class(picture, "lamina_image")
  expect_equal(image_to_array(picture), colour)
  expect_output(print(picture), "4 x 6, rgb")
  grey <- image_to_array(image_load(save_png(colour), color_mode = "grayscale"))
  expect_equal(grey[, , 1], round(0.299 * colour[, , 1] + 0.587 * colour[, , 2] + 0.114 * colour[, , 3]))
  rgba <- image_to_array(image_load(save_png(colour), color_mode = "rgba"))
  expect_equal(rgba, array(c(colour, rep(255, 24)), c(4, 6, 4)))
})

test_that("grey and see-through files get the channels asked for", {
  skip_if_not_installed("png")
  grey <- matrix(c(0, 50, 100, 150, 200, 255), 2)
  expect_equal(image_to_array(image_load(save_png(grey)))[, , 2], grey)
  expect_equal(dim(image_load(save_png(grey), color_mode = "grayscale")), c(2, 3, 1))
  both <- array(c(grey, 255 - grey), c(2, 3, 2))
  expect_equal(image_to_array(image_load(save_png(both), color_mode = "rgba")), array(c(grey, grey, grey, 255 - grey), c(2, 3, 4)))
  four <- array(c(grey, grey + 0, 255 - grey, grey), c(2, 3, 4))
  expect_equal(image_to_array(image_load(save_png(four))), four[, , 1:3])
  pixel <- array(c(1, 2, 3), c(1, 1, 3))
  expect_equal(image_to_array(image_load(save_png(pixel))), pixel)
})

test_that("pictures are resized on loading", {
  skip_if_not_installed("png")
  x <- array(rep(c(0, 10, 20, 30), each = 2), c(2, 4, 1))
  file <- save_png(x[, , 1])
  load <- function(...) image_to_array(image_load(file, color_mode = "grayscale", ...))[, , 1]
  expect_equal(load(target_size = c(2, 2)), rbind(c(10, 30), c(10, 30)))
  expect_equal(load(target_size = c(2, 2), interpolation = "box"), rbind(c(5, 25), c(5, 25)))
  # weights 3, 3, 1 of the widened triangle, rounded to whole numbers
  expect_equal(load(target_size = c(1, 2), interpolation = "bilinear"), round(c(50 / 7, 160 / 7)))
  expect_equal(load(target_size = c(2, 2), keep_aspect_ratio = TRUE), x[, 2:3, 1])
  for (interpolation in c("nearest", "bilinear", "bicubic", "lanczos", "box")) {
    expect_equal(load(target_size = c(2, 4), interpolation = interpolation), x[, , 1])
  }
})

test_that("JPEG is read, whatever its name", {
  skip_if_not_installed("jpeg")
  x <- array(rep(c(200, 100, 50), each = 64), c(8, 8, 3))
  file <- withr::local_tempfile(fileext = ".png")
  jpeg::writeJPEG(x / 255, file, quality = 1)
  expect_lt(max(abs(image_to_array(image_load(file)) - x)), 4)
})

test_that("arrays are saved as pictures", {
  skip_if_not_installed("png")
  file <- withr::local_tempfile(fileext = ".png")
  x <- array(c(0, 100, 200, 255), c(2, 2, 1))
  expect_identical(image_array_save(x, file, scale = FALSE), file)
  expect_equal(image_to_array(image_load(file, "grayscale")), x)
  image_array_save(matrix(c(-1, 0, 1, 0), 2), file)
  expect_equal(image_to_array(image_load(file, "grayscale"))[, , 1], matrix(c(0, 128, 255, 128), 2))
  image_array_save(matrix(7, 2, 2), file)
  expect_equal(unique(c(image_to_array(image_load(file)))), 0)
  expect_error(image_array_save(x, "picture.gif"), class = "lamina_error_argument")
  expect_error(image_array_save(array(0, c(2, 2, 2)), file), class = "lamina_error_argument")
})

test_that("files that are no pictures are refused", {
  skip_if_not_installed("png")
  file_error(image_load(tempfile()))
  file_error(image_load(write_bytes(bytes(1:100))), "PNG or JPEG")
  file_error(image_load(write_bytes(raw())))
  whole <- readBin(save_png(matrix(0:255, 16)), "raw", 1e5)
  file_error(image_load(write_bytes(whole[1:60])), "intact")
  expect_error(image_load(save_png(matrix(0, 2, 2)), color_mode = "hsv"), class = "lamina_error_argument")
  expect_error(image_load(save_png(matrix(0, 2, 2)), target_size = 3), class = "lamina_error_argument")
  expect_error(image_to_array("a"), class = "lamina_error_argument")
})

test_that("a picture is plotted", {
  withr::local_pdf(withr::local_tempfile())
  expect_silent(plot(structure(array(c(0, 255, 100, 50), c(2, 2, 1)), class = "lamina_image")))
  expect_silent(plot(structure(array(0:11, c(2, 2, 3)), class = "lamina_image")))
})
