# How lamina's training grows: with width, depth, batch, rows of data and threads; lamina alone, in some minutes.
#
#   Rscript bench/scaling.R [quick]
#
# Run from the top of the project; `quick` leaves out what takes long.  Dense networks with rectifiers and Adam on random
# data, each with one and two threads.  A step is the difference of two medians over epochs of fit(): those of several
# steps less those of one, by the steps between; so the end of an epoch, when R gets the weights, does not count.
# Against rows the time of fit() as a whole counts: checks, conversion to floats, all steps, weights back to R.
#
# At the end stands what 16 and 64 cores would make of it.  That part is arithmetic on profiles taken here with one
# thread, not a measurement; its formulas are printed with it.
#
# Writes bench/results/<date>-scaling.csv and .png.
args <- commandArgs(TRUE)
quick <- "quick" %in% args
suppressPackageStartupMessages(library(lamina))
source("bench/memory.R")
`.data` <- rlang::.data
epochs <- 5

network <- function(inputs, units, outputs) {
  set_random_seed(1)
  model <- keras_model_sequential(input_shape = inputs)
  for (n in units) layer_dense(model, n, activation = "relu")
  layer_dense(model, outputs)
  compile(model, optimizer_adam(1e-4), "mse")
}

noise <- function(rows, inputs, outputs) list(x = matrix(rnorm(rows * inputs), rows), y = matrix(rnorm(rows * outputs), rows))

# Multiply-adds twice: forward, gradients of weights, and of inputs except those of the network.
flops <- function(sizes, batch) {
  weights <- utils::head(sizes, -1) * sizes[-1]
  2 * batch * (3 * sum(weights) - weights[1])
}

# The peak beyond what was there before, while `run` runs.
growth <- function(run) {
  invisible(gc())
  reset <- reset_peak()
  before <- memory("VmRSS")
  run()
  if (reset) memory("VmHWM") - before else NA_real_
}

train <- function(model, data, batch, epochs, steps, callbacks = NULL) {
  suppressMessages(fit(model, data$x, data$y, batch_size = batch, epochs = epochs, steps_per_epoch = steps, callbacks = callbacks, verbose = 0))
}

# Seconds from the begin of each epoch to that of the next; the first warms up.
epoch_seconds <- function(model, data, batch, steps) {
  begins <- numeric()
  note <- callback_lambda(on_epoch_begin = function(epoch, logs) begins <<- c(begins, as.numeric(Sys.time())))
  train(model, data, batch, epochs + 1, steps, note)
  diff(begins)[-1]
}

# In a process of its own: memory that earlier models have left would be used again, and not show.
memory_apart <- function(batch, threads) {
  got <- system2(file.path(R.home("bin"), "Rscript"), c("bench/scaling.R", "memory", batch, threads), stdout = TRUE)
  as.numeric(utils::tail(got, 1))
}

print_memory <- function(batch, threads) {
  options(lamina.threads = threads)
  model <- network(512, c(512, 512), 10)
  data <- noise(batch, 512, 10)
  cat(growth(function() train(model, data, batch, 1, 1)), "\n")
}

# ---- measured ------------------------------------------------------------------------------------

# Steps that take about a tenth of a second, of data that fit into 64 MB.
measure_step <- function(sweep, at, threads, width, depth, batch) {
  options(lamina.threads = threads)
  sizes <- c(rep(width, depth + 1), 10)
  model <- network(width, rep(width, depth), 10)
  wanted <- 0.08 / (flops(sizes, batch) / 6e10 + 1e-5)
  steps <- ceiling(max(2, min(wanted, 8e6 / (batch * width))))
  data <- noise((steps + 1) * batch, width, 10)
  one <- stats::median(epoch_seconds(model, data, batch, 1))
  took <- (epoch_seconds(model, data, batch, steps + 1) - one) / steps
  rates(sweep, at, threads, took, flops(sizes, batch), if (sweep == "batch") memory_apart(batch, threads) else NA)
}

measure_rows <- function(rows, threads) {
  options(lamina.threads = threads)
  model <- network(20, c(64, 32), 1)
  data <- noise(rows, 20, 1)
  run <- function() train(model, data, 32, 1, NULL)
  run()
  took <- vapply(seq_len(if (rows < 1e6) 5 else 3), function(i) {
    begin <- Sys.time()
    run()
    as.numeric(difftime(Sys.time(), begin, units = "secs"))
  }, 0)
  rates("rows", rows, threads, took, flops(c(20, 64, 32, 1), rows), NA)
}

rates <- function(sweep, at, threads, seconds, work, mb) {
  middle <- stats::median(seconds)
  data.frame(sweep = sweep, at = at, threads = threads, seconds = middle, low = min(seconds), high = max(seconds),
             gflops = work / middle / 1e9, mb = mb)
}

over <- function(values, measure) do.call(rbind, lapply(values, function(v) rbind(measure(v, 1), measure(v, 2))))

sweeps <- list(
  width = list(title = "Width: batch 128, two hidden layers", values = 2^(6:(if (quick) 9 else 12)),
               measure = function(v, t) measure_step("width", v, t, width = v, depth = 2, batch = 128)),
  depth = list(title = "Depth: hidden layers of 256, batch 128", values = 2^(0:(if (quick) 3 else 5)),
               measure = function(v, t) measure_step("depth", v, t, width = 256, depth = v, batch = 128)),
  batch = list(title = "Batch: two hidden layers of 512", values = 4^(0:(if (quick) 4 else 6)),
               measure = function(v, t) measure_step("batch", v, t, width = 512, depth = 2, batch = v)),
  rows = list(title = "Rows an epoch, all of fit(): 20-64-32-1, batch 32", values = 10^(3:(if (quick) 4 else 6)),
              measure = function(v, t) measure_rows(v, t))
)

show <- function(part, title, unit) {
  one <- part[part$threads == 1, ]
  two <- part[part$threads == 2, ]
  cat("\n", title, "\n", sep = "")
  cat(sprintf("  %9s %24s %24s %9s %14s\n", part$sweep[1], paste(unit, "1 thread (range)"), "2 threads (range)", "speed-up", "GF/s, 1 and 2"))
  span <- function(p) sprintf("%.3g (%.3g-%.3g)", 1e3 * p$seconds, 1e3 * p$low, 1e3 * p$high)
  cat(sprintf("  %9s %24s %24s %9.2f %8.1f %5.1f\n", format(one$at, big.mark = ",", scientific = FALSE, trim = TRUE), span(one), span(two),
              one$seconds / two$seconds, one$gflops, two$gflops), sep = "")
}

show_memory <- function(part) {
  cat("\nMemory against batch: MB at the peak of the first step beyond what the process held before it (VmHWM - VmRSS), that\n",
      "is buffers of all layers, gradients, Adam's slots, the weights' copies in R, and the floats made of R's data (one batch);\n",
      "each in a process of its own\n", sep = "")
  one <- part[part$threads == 1, ]
  cat(sprintf("  %9d %8.1f MB with one thread, %8.1f MB with two\n", as.integer(one$at), one$mb, part$mb[part$threads == 2]), sep = "")
}

# ---- on paper ------------------------------------------------------------------------------------

fork_join <- function(p) 4e-6 * log2(p)

# The numbers of src/kernels/gemm.c and blas.c: how many tasks a product of m x k by k x n is cut into.
# `blas`: OpenBLAS does the large ones of the way back, which lamina leaves to it where it knows the processor.
product_tasks <- function(m, n, k, p, back, blas) {
  if (2 * m * n * k < 8e6) return(1)
  if (blas && back && min(m, n, k) >= 128 && m * n * k >= 5e8) return(min(max(max(m, n) %/% 1024, 1), 4))
  vectors <- ceiling(n / c(avx512 = 16, avx2 = 8)[lamina_info()$isa])
  if (is.na(vectors)) vectors <- ceiling(n / 4)
  tasks <- min(floor(2 * m * n * k / 3e6), 4 * p)
  by_rows <- n * k <= 2^19 && m >= p * 64
  rows <- if (by_rows) p else 1
  wide <- vectors %/% 6
  cols <- max(min(if (by_rows) wide else wide %/% p * p, tasks %/% rows), 1)
  if (rows * cols < p) rows <- max(min(p, m %/% 64), 1)
  max(rows, ceiling(m / 512)) * cols
}

# A step in parts: seconds with one thread, bytes, and the tasks with p threads (0: not through threads).
parts_of_step <- function(found, sizes, batch, p, blas) {
  steps <- found$calls[found$phase %in% "loss"]
  seconds <- function(layer, phase) found$seconds[found$phase == phase & (if (is.na(layer)) is.na(found$layer) else found$layer %in% layer)] / steps
  names <- unique(found$layer[!is.na(found$layer)])
  weights <- utils::head(sizes, -1) * sizes[-1]
  layer <- function(l) {
    i <- sizes[l]
    o <- sizes[l + 1]
    products <- if (l == 1) 1 else 2 # on the way back; taken to be equally long
    tasks <- c(product_tasks(batch, o, i, p, FALSE, blas), product_tasks(i, o, batch, p, TRUE, blas), product_tasks(batch, i, o, p, TRUE, blas))
    took <- c(seconds(names[l], "prepare") + seconds(names[l], "forward"), rep(seconds(names[l], "backward") / products, 2))
    parts <- data.frame(part = c("forward", "weights' gradient", "inputs' gradient"), seconds = took, bytes = 4 * (i * o + batch * (i + o)), tasks = tasks)
    parts[seq_len(1 + products), ]
  }
  update <- data.frame(part = "update", seconds = seconds(NA, "update") * weights / sum(weights), bytes = 28 * weights,
                       tasks = ifelse(weights < 131072, 1, ceiling(weights / 32768)))
  gather <- data.frame(part = "data", seconds = seconds(NA, "data"), bytes = 8 * batch * sizes[1],
                       tasks = if (batch * sizes[1] < 65536) 1 else ceiling(batch / max(1, 16384 %/% sizes[1])))
  # what R does once in a training, as if that had 60,000 rows
  rest <- seconds(NA, "loss") + seconds(NA, "metrics") + seconds(NA, "rest") * steps / (60000 / batch)
  serial <- data.frame(part = "serial", seconds = rest, bytes = 0, tasks = 1)
  rbind(do.call(rbind, lapply(seq_along(weights), layer)), update, gather, serial)
}

predicted <- function(parts, p, bandwidth) {
  shared <- parts$tasks > 1
  floor <- ifelse(shared, parts$bytes / bandwidth, 0)
  sum(pmax(parts$seconds / pmin(p, parts$tasks), floor)) + sum(shared) * (if (p > 1) fork_join(p) else 0)
}

# The seconds of each phase; a step before has made Adam's slots, whose first touch is slow.
profile_network <- function(sizes, batch, threads, steps) {
  options(lamina.threads = threads)
  outputs <- sizes[length(sizes)]
  model <- network(sizes[1], sizes[-c(1, length(sizes))], outputs)
  data <- noise(steps * batch, sizes[1], outputs)
  train(model, data, batch, 1, 2)
  as.data.frame(profile_fit(model, data$x, data$y, batch_size = batch, epochs = 1, steps_per_epoch = steps))
}

step_seconds <- function(found, batch) {
  steps <- found$calls[found$phase == "loss"]
  rest <- found$phase == "rest"
  sum(found$seconds[!rest]) / steps + found$seconds[rest] / (60000 / batch)
}

cases <- list(
  list(name = "784-512-512-10, batch 128", sizes = c(784, 512, 512, 10), batch = 128, steps = 100),
  list(name = "784-512-512-10, batch 1024", sizes = c(784, 512, 512, 10), batch = 1024, steps = 16),
  list(name = "2048-4096-4096-1000, batch 256", sizes = c(2048, 4096, 4096, 1000), batch = 256, steps = 4)
)

explain <- function(bandwidths) {
  cat("\n16 and 64 cores, on paper\n",
      "  This is arithmetic, not a measurement: these networks have not been run on so many cores.\n",
      "    t(p)         = serial + sum over parts of max(work / min(p, tasks), bytes / bandwidth(p)) + joins * fork_join(p)\n",
      "    speed-up     = t(1) / t(p), t(1) as measured by profile_fit() with one thread\n",
      "    serial       = loss + metrics + what R does in a fit() of one epoch of 60,000 rows (weights back to R), by its steps\n",
      "    work         = seconds of a part with one thread: of each product, of the optimizer for each matrix, of gathering\n",
      "                   the batch; the two products of a layer's way back are taken to be equally long\n",
      "    tasks        = as src/kernels/gemm.c cuts with p threads: 1 below 8e6 operations; at most 4 a thread and one for 3e6\n",
      "                   operations; of at least 64 rows, or 6 vectors of columns, whose cuts are a multiple of p;\n",
      "                   optimizer: 1 below 131,072 weights, else one for 32,768; data: 1 below 65,536 numbers, else one for 16,384\n",
      "    joins        = parts with more than one task\n",
      "    fork_join(p) = 4 us * log2(p): 4 us is what a parallel call costs here with two threads; its growth is assumed\n",
      "    bytes        = product: 4 * (in * out + batch * (in + out)); Adam: 28 a weight (weight, two slots read and written,\n",
      "                   gradient read); data: 8 a number; as if no cache held anything\n", sep = "")
  cat(sprintf("    bandwidth(p) = min(p * %.1f, B) GB/s: %.1f with one thread, from Adam's step on the widest network (%.1f with two);\n",
              bandwidths[1], bandwidths[1], bandwidths[2]),
      "                   B = 100 and 300 GB/s are assumed, a small and a large server\n",
      "  Not in it: clocks that fall when many cores compute, memory of several sockets, shared caches, uneven tasks.\n", sep = "")
}

# What limits: the parts of the predicted time, the largest first.
limits <- function(parts, p, bandwidth) {
  shared <- parts$tasks > 1
  took <- pmax(parts$seconds / pmin(p, parts$tasks), ifelse(shared, parts$bytes / bandwidth, 0))
  by <- sort(c(tapply(took, parts$part, sum), joins = sum(shared) * fork_join(p)), decreasing = TRUE)
  paste(sprintf("%s %.0f %%", names(by), 100 * by / sum(by))[1:3], collapse = ", ")
}

predict_case <- function(case, found, bandwidth, blas) {
  at <- function(p) parts_of_step(found[[1]], case$sizes, case$batch, p, blas)
  time <- function(p, B) predicted(at(p), p, min(p * bandwidth, B))
  alone <- step_seconds(found[[1]], case$batch)
  cat(sprintf("\n  %s%s\n", case$name, if (blas) ", if OpenBLAS did the products of the way back from 5e8 multiply-adds on" else ""))
  cat(sprintf("    measured: %.3f ms with one thread, %.3f ms with two (%.2f times as fast; on paper %.2f)\n", 1e3 * alone,
              1e3 * step_seconds(found[[2]], case$batch), alone / step_seconds(found[[2]], case$batch), alone / time(2, Inf)))
  for (p in c(16, 64)) {
    parts <- at(p)
    products <- parts$tasks[grepl("forward|gradient", parts$part)]
    cat(sprintf("    %2d cores, on paper: %.1f to %.1f times as fast (B = 100, 300 GB/s); at 300: %s; tasks of the products: %s\n", p,
                alone / time(p, 1e11), alone / time(p, 3e11), limits(parts, p, min(p * bandwidth, 3e11)), paste(products, collapse = " ")))
  }
}

on_paper <- function() {
  profiles <- lapply(cases, function(case) lapply(1:2, function(threads) profile_network(case$sizes, case$batch, threads, case$steps)))
  widest <- cases[[length(cases)]]
  bytes <- 28 * sum(utils::head(widest$sizes, -1) * widest$sizes[-1])
  bandwidth <- function(found) bytes * found$calls[found$phase == "loss"] / found$seconds[found$phase == "update"]
  bandwidths <- vapply(profiles[[length(cases)]], bandwidth, 0)
  explain(bandwidths / 1e9)
  for (i in seq_along(cases)) predict_case(cases[[i]], profiles[[i]], bandwidths[1], FALSE)
  predict_case(widest, profiles[[length(cases)]], bandwidths[1], TRUE)
}

# ---- picture -------------------------------------------------------------------------------------

panels <- function(results) {
  titles <- c(width = "ms a step against width\n(batch 128, depth 2)", depth = "ms a step against depth\n(width 256, batch 128)",
              batch = "ms a step against batch\n(width 512, depth 2)", rows = "ms an epoch against rows\n(all of fit(), 20-64-32-1, batch 32)",
              mb = "MB of the first step against batch\n(width 512, depth 2)")
  memory <- results[results$sweep == "batch" & !is.na(results$mb), ]
  long <- rbind(data.frame(panel = results$sweep, at = results$at, value = 1e3 * results$seconds, threads = results$threads),
                data.frame(panel = rep("mb", nrow(memory)), at = memory$at, value = memory$mb, threads = memory$threads))
  long$panel <- factor(titles[long$panel], titles)
  long$threads <- ifelse(long$threads == 1, "1 thread", "2 threads")
  long
}

draw <- function(results, file) {
  plain <- function(x) format(x, big.mark = ",", scientific = FALSE, trim = TRUE, drop0trailing = TRUE)
  each <- function(x) vapply(x, plain, "")
  plot <- ggplot2::ggplot(panels(results), ggplot2::aes(.data$at, .data$value, colour = .data$threads, shape = .data$threads)) +
    ggplot2::geom_line() +
    ggplot2::geom_point(size = 2) +
    ggplot2::scale_x_log10(labels = each) +
    ggplot2::scale_y_log10(labels = each) +
    ggplot2::scale_colour_manual(values = c("#0072B2", "#D55E00")) +
    ggplot2::facet_wrap(~panel, scales = "free", nrow = 2) +
    ggplot2::labs(x = NULL, y = NULL, colour = NULL, shape = NULL) +
    ggplot2::theme_bw(base_size = 12) +
    ggplot2::theme(legend.position = "bottom", panel.grid.minor = ggplot2::element_blank())
  ggplot2::ggsave(file, plot, width = 11, height = 7, dpi = 110, bg = "white")
}

# ---- all -----------------------------------------------------------------------------------------

if ("memory" %in% args) { # called by memory_apart()
  print_memory(as.integer(args[2]), as.integer(args[3]))
  quit("no")
}
cat(sprintf("%s, lamina %s, vectors %s, %d cores, %s\n", format(Sys.Date()), utils::packageVersion("lamina"), lamina_info()$isa,
            parallel::detectCores(), R.version.string))
results <- NULL
for (name in names(sweeps)) {
  part <- over(sweeps[[name]]$values, sweeps[[name]]$measure)
  show(part, sweeps[[name]]$title, if (name == "rows") "ms an epoch," else "ms a step,")
  if (name == "batch") show_memory(part)
  results <- rbind(results, part)
}
dir.create("bench/results", showWarnings = FALSE)
file <- file.path("bench/results", paste0(format(Sys.Date()), "-scaling"))
utils::write.csv(results, paste0(file, ".csv"), row.names = FALSE)
if (requireNamespace("ggplot2", quietly = TRUE)) draw(results, paste0(file, ".png"))
on_paper()
cat("\nWritten: ", file, ".csv and .png\n", sep = "")
