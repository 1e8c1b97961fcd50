# lamina alone: how the time of a step grows with width, depth, batch and rows, what a second thread gives, what
# memory a batch takes, and what would follow for more cores than there are here.
#
#   Rscript bench/scaling.R [results = bench/results]
#
# Less than five minutes.  Prints tables and writes <date>-scaling.csv, .md and .png.  From the top of the project.

source("bench/report.R") # markdown()
args <- commandArgs(TRUE)
seconds <- 0.4 # a measurement, at least

# MB that Linux keeps about this process: VmRSS now, VmHWM at its peak.
memory <- function(what) {
  status <- tryCatch(readLines("/proc/self/status"), error = function(e) character())
  as.numeric(gsub("[^0-9]", "", grep(what, status, value = TRUE))) / 1024
}

network <- function(inputs, units) {
  lamina::set_random_seed(1)
  model <- lamina::keras_model_sequential(input_shape = inputs)
  for (n in units) lamina::layer_dense(model, n, activation = "relu")
  lamina::layer_dense(model, 10, activation = "softmax")
  lamina::compile(model, "adam", "sparse_categorical_crossentropy")
}

parameters <- function(inputs, units) sum((c(inputs, units) + 1) * c(units, 10))

made_up <- function(rows, inputs) list(x = matrix(stats::runif(rows * inputs), rows), y = sample.int(10, rows, replace = TRUE) - 1L)

# Seconds of a fit() of so many epochs; the median of those that fit into the time, after one to warm up.
fit_seconds <- function(model, data, batch, epochs) {
  fit <- function() suppressMessages(lamina::fit(model, data$x, data$y, batch_size = batch, epochs = epochs, verbose = 0))
  once <- function() system.time(fit())[["elapsed"]]
  fit()
  took <- once()
  while (sum(took) < seconds) took <- c(took, once())
  stats::median(took)
}

# Microseconds of a step.  The difference of a long and a short fit() leaves out what each fit() costs once.
step_time <- function(inputs, units, batch, threads, steps = 8) {
  options(lamina.threads = threads)
  data <- made_up(batch * steps, inputs)
  model <- network(inputs, units)
  flops <- 6 * batch * parameters(inputs, units)
  epochs <- max(2, min(2000, ceiling(5e9 / (flops * steps)))) # about 50 ms
  one <- fit_seconds(model, data, batch, 1)
  1e6 * max(fit_seconds(model, data, batch, 1 + epochs) - one, 0) / (epochs * steps)
}

# One row for each value of what is varied and each thread count.
vary <- function(what, values, inputs, units, batch) {
  cat("measuring", what, "...\n")
  do.call(rbind, lapply(values, function(value) {
    at <- list(inputs = inputs, units = units, batch = batch)
    if (what == "width") at$units <- rep(value, 2)
    if (what == "depth") at$units <- rep(units[1], value)
    if (what == "batch") at$batch <- value
    one <- step_time(at$inputs, at$units, at$batch, 1)
    two <- step_time(at$inputs, at$units, at$batch, 2)
    n <- parameters(at$inputs, at$units)
    data.frame(what = what, value = value, parameters = n, batch = at$batch, layers = length(at$units) + 1, us_1 = one, us_2 = two,
               speedup = one / two, gflops_1 = 6 * n * at$batch / one / 1e3, gflops_2 = 6 * n * at$batch / two / 1e3)
  }))
}

# A whole fit() of an epoch, with the conversion of R's numbers: it should grow as the rows do.
vary_rows <- function(values) {
  cat("measuring rows ...\n")
  do.call(rbind, lapply(values, function(rows) {
    data <- made_up(rows, 20)
    took <- vapply(1:2, function(threads) {
      options(lamina.threads = threads)
      fit_seconds(network(20, c(64, 32)), data, 32, 1)
    }, 0)
    data.frame(rows = rows, seconds_1 = took[1], seconds_2 = took[2], us_per_row_1 = 1e6 * took[1] / rows)
  }))
}

# MB that training adds at its peak, in a fresh process: memory given back does not show otherwise.
batch_memory <- function(batch) {
  data <- made_up(4096, 256)
  model <- network(256, c(256, 256))
  invisible(gc())
  try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
  before <- memory("VmRSS")
  lamina::fit(model, data$x, data$y, batch_size = batch, epochs = 1, verbose = 0)
  cat(memory("VmHWM") - before, "\n")
}
vary_memory <- function(values) {
  cat("measuring memory ...\n")
  took <- vapply(values, function(batch) {
    out <- system2(file.path(R.home("bin"), "Rscript"), c("bench/scaling.R", paste0("memory=", batch)), stdout = TRUE)
    as.numeric(utils::tail(out, 1))
  }, 0)
  data.frame(batch = values, MB = took)
}

# bench/peak.c: microseconds of a fork and join, GB/s of memory.
machine <- function() {
  program <- tempfile("peak")
  cc <- strsplit(system2(file.path(R.home("bin"), "R"), c("CMD", "config", "CC"), stdout = TRUE), " ")[[1]]
  system2(cc[1], c(cc[-1], "-std=gnu11", "-O2", "-march=native", "-Isrc", "bench/peak.c", Sys.glob("src/base/*.c"), "-lm", "-lpthread", "-o", program))
  run <- function(what, threads) as.numeric(system2(program, c(what, threads), stdout = TRUE))
  list(join = run("forkjoin", 2), memory = c(run("memory", 1), run("memory", 2)), fma = c(run("fma", 1), run("fma", 2)))
}

# ---- more cores --------------------------------------------------------------------------------

# How many tasks a large product is cut into at most (TASKS, src/kernels/gemm.c).  More threads than that idle.
# Convolutions that go depth first have 8 (LAM_LANES, src/nn/plan.h), recurrent layers a task for 8 samples.
most_tasks <- 32
# GB/s that a socket with 8 channels of DDR5-4800 gives; what it has here is shared with others.
socket_memory <- 300

# Microseconds of a step on p threads, by Amdahl with two additions.
#   serial = 2 T(2) - T(1), not below 0: what the second thread did not halve, with the cost of handing out work
#   T(p) = serial + (T(1) - serial) / min(p, tasks) + regions (p - 2) join
#   T(p) >= bytes / memory(p)
# A step has about three regions for each layer with weights (forward, two gradients) and one for the update; to
# hand out work costs one thread what it costs for each other one, which is pessimistic.  Bytes: Adam reads
# weights, gradient and two moments and writes all but the gradient, 28 for each weight.
predicted <- function(row, p, here) {
  if (p == 1) return(row$us_1)
  serial <- min(max(2 * row$us_2 - row$us_1, 0), row$us_1)
  regions <- 3 * row$layers + 1
  time <- serial + (row$us_1 - serial) / min(p, most_tasks) + regions * (p - 2) * max(here$join, 0)
  bytes <- if (row$parameters * 16 > 32e6) 28 * row$parameters else 0 # below that it stays in the caches
  rate <- min(socket_memory, p / 2 * here$memory[2])
  max(time, bytes / rate / 1e3)
}

more_cores <- function(steps, here) {
  do.call(rbind, lapply(seq_len(nrow(steps)), function(i) {
    row <- steps[i, ]
    gain <- vapply(c(2, 4, 16, 64), function(p) row$us_1 / predicted(row, p, here), 0)
    best <- which.max(vapply(1:64, function(p) row$us_1 / predicted(row, p, here), 0))
    data.frame(step = paste(row$what, row$value), us_1 = row$us_1, serial_us = min(max(2 * row$us_2 - row$us_1, 0), row$us_1), p2 = gain[1],
               p4 = gain[2], p16 = gain[3], p64 = gain[4], best = best)
  }))
}

# ---- output ------------------------------------------------------------------------------------

rounded <- function(table) {
  table[] <- lapply(table, function(x) if (is.numeric(x)) vapply(x, function(v) format(signif(v, 3), big.mark = ",", scientific = FALSE, drop0trailing = TRUE), "") else x)
  markdown(table)
}

explained <- function(here) {
  c(
    "## What would follow for 16 and 64 cores", "",
    sprintf("Measured here: a fork and join of two threads %.1f us; memory %.0f GB/s on one thread, %.0f on two; multiply-adds %.0f and %.0f GF/s.",
            here$join, here$memory[1], here$memory[2], here$fma[1], here$fma[2]), "",
    "    serial = 2 T(2) - T(1), at least 0",
    sprintf("    T(p) = serial + (T(1) - serial) / min(p, %d) + (3 layers + 1) (p - 2) join", most_tasks),
    sprintf("    T(p) >= 28 bytes x weights / min(%d GB/s, p/2 x memory of two), where weights and moments exceed 32 MB", socket_memory), "",
    "p2 ... p64: times as fast as one thread by this formula; best: the number of threads that is fastest.  No step was run on",
    "more than two threads; noise in T(2) shows as a serial part. Where two threads do not help, the engine keeps the step on",
    "one, and the formula says nothing more than that. Products are cut into at most 32 tasks, large ones that go to OpenBLAS",
    "into 4, convolutions that go depth first into 8, recurrent layers into one for 8 samples: with more threads than",
    "that the bound is the cut, not the formula.", ""
  )
}

picture_scaling <- function(steps, file) {
  if (!requireNamespace("ggplot2", quietly = TRUE)) return(invisible())
  long <- rbind(data.frame(steps[c("what", "value")], us = steps$us_1, threads = "1 thread"),
                data.frame(steps[c("what", "value")], us = steps$us_2, threads = "2 threads"))
  titles <- c(width = "width: two layers, batch 128", depth = "depth: layers of 256, batch 128", batch = "batch: two layers of 256")
  long$title <- factor(titles[long$what], titles)
  plot <- ggplot2::ggplot(long, ggplot2::aes(.data$value, .data$us, colour = .data$threads)) +
    ggplot2::geom_line() +
    ggplot2::geom_point() +
    ggplot2::facet_wrap(~title, scales = "free_x") +
    ggplot2::scale_x_continuous(trans = "log2", breaks = 2^seq(0, 12, 2)) +
    ggplot2::scale_y_log10(labels = function(x) format(x, big.mark = ",", scientific = FALSE, trim = TRUE, drop0trailing = TRUE)) +
    ggplot2::scale_colour_manual(values = c("#0072B2", "#D55E00")) +
    ggplot2::labs(title = "A training step of lamina", x = NULL, y = "microseconds (log axis)", colour = NULL) +
    ggplot2::theme_minimal(base_size = 11) +
    ggplot2::theme(legend.position = "bottom", panel.grid.minor = ggplot2::element_blank(), plot.background = ggplot2::element_rect(fill = "white", colour = NA))
  ggplot2::ggsave(file, plot, width = 10, height = 4.5, dpi = 120)
}

scaling <- function(folder) {
  here <- machine()
  steps <- rbind(
    vary("width", 2^(6:12), 256, NULL, 128),
    vary("depth", 2^(0:5), 256, 256, 128),
    vary("batch", 4^(0:6), 256, c(256, 256), NULL)
  )
  rows <- vary_rows(10^(3:6))
  memory <- vary_memory(4^(0:6))
  text <- c(
    sprintf("# lamina: scaling, %s", format(Sys.Date())), "", utils::capture.output(print(lamina::lamina_info())), "",
    "## A step (Adam; 256 inputs, 10 classes)", "",
    "us: microseconds of a step on one and two threads, without what fit() does once; GF/s from 6 operations for each weight and sample.", "",
    rounded(steps), "", "## An epoch by rows (20 columns, 64 and 32 units, batches of 32; all of fit())", "", rounded(rows), "",
    "## Memory by batch (4,096 x 256, two layers of 256): MB added at the peak", "", rounded(memory), "",
    explained(here), rounded(more_cores(steps, here))
  )
  dir.create(folder, FALSE, TRUE)
  stem <- file.path(folder, paste0(Sys.Date(), "-scaling"))
  write_csv(stem, steps, rows, memory)
  writeLines(text, paste0(stem, ".md"))
  picture_scaling(steps, paste0(stem, ".png"))
  cat(text, "", paste0("written: ", stem, ".csv, .md, .png"), sep = "\n")
}

# One row for each figure.
write_csv <- function(stem, steps, rows, memory) {
  figures <- rbind(
    data.frame(what = steps$what, value = steps$value, threads = 1, figure = steps$us_1, unit = "us/step"),
    data.frame(what = steps$what, value = steps$value, threads = 2, figure = steps$us_2, unit = "us/step"),
    data.frame(what = "rows", value = rows$rows, threads = 1, figure = rows$seconds_1, unit = "s/epoch"),
    data.frame(what = "rows", value = rows$rows, threads = 2, figure = rows$seconds_2, unit = "s/epoch"),
    data.frame(what = "memory", value = memory$batch, threads = NA, figure = memory$MB, unit = "MB")
  )
  utils::write.csv(figures, paste0(stem, ".csv"), row.names = FALSE)
}

set.seed(1)
if (length(args) && grepl("^memory=", args[1])) {
  batch_memory(as.integer(sub("memory=", "", args[1])))
} else {
  scaling(if (length(args)) args[1] else "bench/results")
}
