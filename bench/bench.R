# lamina beside its peers: training and prediction, all in one run.
#
#   Rscript bench/bench.R [long | short] [workloads = all] [packages = all] [rounds]
#
# for example `Rscript bench/bench.R long W3,W4 lamina,torch 5`; run from the top of the project.  The long form
# (`make bench`, an hour) has three rounds of all packages, the short one (`make bench-short`, five minutes) one round
# of those that come near.  Absent packages are named and passed over.
#
# Each round runs every package once for every workload and number of threads, beginning with another one each
# time, so that a busy neighbour hits all alike.  A run is a process of its own (bench/train.R, bench/peers.py) that
# warms up, then gives the median of its repetitions; here the median over rounds counts, with the range.
# Ratios are lamina's rate by the peer's.  None is given where a package does other work (`apart` in
# bench/packages.R), nor where after the same epochs on the same data its loss is worse than lamina's by more
# than a tenth of what lamina has learned and a fiftieth of the loss of a network that looks at nothing.
#
# Writes bench/results/<date>-<processor>.csv, .md and .png.  A processor that OpenBLAS does not know gets slow kernels:
# peers run with the OPENBLAS_CORETYPE under which sgemm is fastest here, lamina as a user finds it.
source("bench/workloads.R")
source("bench/packages.R")

argument <- function(i, default) {
  args <- commandArgs(TRUE)
  if (length(args) >= i) strsplit(args[i], ",")[[1]] else default
}
form <- match.arg(argument(1, "long"), c("long", "short"))
near <- c("lamina", "torch", "torch-last", "torchscript", "sklearn", "ANN2")
chosen <- argument(2, names(workloads))
packages <- argument(3, if (form == "long") settings$package else near)
rounds <- as.integer(argument(4, if (form == "long") 3 else 1))
seconds <- if (form == "long") 1 else 0.2
openmp <- Sys.getenv("LAMINA_BENCH_OPENMP", Sys.glob("/usr/lib/*/openblas-openmp")[1])

# ---- the machine ---------------------------------------------------------------------------------

has_numpy <- function(python) suppressWarnings(system2(python, c("-c", shQuote("import numpy")), stdout = FALSE, stderr = FALSE)) == 0
python3 <- Find(has_numpy, c("python3", "/usr/bin/python3"))

run <- function(command, args, env = character(), timeout = 300) {
  suppressWarnings(system2(command, args, stdout = TRUE, stderr = FALSE, env = env, timeout = timeout))
}
numbers <- function(text) suppressWarnings(as.numeric(strsplit(utils::tail(c("absent", text), 1), " ")[[1]]))
thread_env <- function(threads) paste0(c("OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS="), threads)
core_env <- function(core) if (nzchar(core)) paste0("OPENBLAS_CORETYPE=", core)

sgemm <- function(core, threads) {
  if (is.null(python3)) return(NA)
  got <- numbers(run(python3, c("bench/peers.py", "sgemm", threads), c(thread_env(threads), core_env(core))))
  if (length(got) == 2 && identical(got[2], 1)) got[1] else NA
}

cpu <- function(field) {
  lines <- tryCatch(readLines("/proc/cpuinfo"), error = function(e) "")
  sub(".*: *", "", grep(paste0("^", field), lines, value = TRUE)[1])
}

best_core <- function() {
  wide <- isTRUE(grepl("avx512f", cpu("flags")))
  cores <- c("", "HASWELL", if (wide) c("SKYLAKEX", "COOPERLAKE"))
  rates <- vapply(cores, sgemm, 0, threads = 1)
  if (all(is.na(rates))) "" else cores[which.max(rates)]
}

# GF/s of multiply-adds on registers, for 1 and 2 threads.
fma_peak <- function() {
  program <- tempfile()
  cc <- strsplit(run(file.path(R.home("bin"), "R"), c("CMD", "config", "CC")), " ")[[1]]
  run(cc[1], c(cc[-1], "-O2", "-march=native", "-Isrc", "bench/peak.c", Sys.glob("src/base/*.c"), "-lm", "-lpthread", "-o", program))
  vapply(1:2, function(threads) numbers(run(program, c("fma", threads)))[1], 0)
}

# ---- runs ------------------------------------------------------------------------------------------

columns <- c("rate", "repetitions", "mb", "loss", "accuracy", "chance")

one_run <- function(package, workload, threads, folder, core) {
  base <- sub("-openmp$", "", package)
  with_openmp <- base != package
  python <- base %in% python_packages
  nothing <- stats::setNames(rep(NA_real_, length(columns)), columns)
  if ((python && is.null(python3)) || (with_openmp && is.na(openmp)) || (package %in% one_thread && threads > 1)) return(nothing)
  script <- if (python) "bench/peers.py" else c("--no-save", "bench/train.R")
  env <- c(thread_env(threads), if (package != "lamina") core_env(core), if (with_openmp) paste0("LD_LIBRARY_PATH=", openmp))
  got <- numbers(run(if (python) python3 else file.path(R.home("bin"), "Rscript"), c(script, base, workload, threads, seconds, folder), env))
  if (length(got) != length(columns)) return(nothing)
  stats::setNames(got, columns)
}

measure_workload <- function(name, folder, core, absent) {
  write_workload(workloads[[name]], name, form, folder)
  on.exit(unlink(file.path(folder, paste0(name, ".*"))))
  runs <- expand.grid(package = setdiff(packages, absent), threads = 1:2, stringsAsFactors = FALSE)
  found <- array(NA_real_, c(nrow(runs), length(columns), rounds), list(NULL, columns, NULL))
  for (round in seq_len(rounds)) {
    order <- (seq_len(nrow(runs)) + round * 3 - 1) %% nrow(runs) + 1
    for (i in order) {
      if (round > 1 && is.na(found[i, "rate", 1])) next # it cannot do this
      found[i, , round] <- one_run(runs$package[i], name, runs$threads[i], folder, core)
    }
  }
  over <- function(column, f) apply(found[, column, , drop = FALSE], 1, f)
  data.frame(workload = name, runs, rate = over("rate", stats::median), low = over("rate", min), high = over("rate", max),
             mb = over("mb", max), loss = over("loss", stats::median), accuracy = over("accuracy", stats::median),
             chance = over("chance", stats::median))
}

# What stands beside the rates: operations, shares of the peaks, ratios where the work is the same.
complete <- function(part, peak, products) {
  part <- part[!is.na(part$rate), ]
  ours <- part[part$package == "lamina", ]
  own <- match(part$threads, ours$threads)
  part$gflops <- part$rate * flops(workloads[[part$workload[1]]]) / 1e9
  part$of_peak <- part$gflops / peak[part$threads]
  part$of_sgemm <- part$gflops / products[part$threads]
  loss <- ours$loss[own]
  allowed <- loss + pmax(0.1 * (part$chance - loss), 0.02 * part$chance)
  apart <- settings$apart[match(part$package, settings$package)]
  part$note <- ifelse(nzchar(apart), "other work", ifelse(!workloads[[part$workload[1]]]$predicts & !is.na(part$loss) & part$loss > allowed, "learned less", ""))
  if (workloads[[part$workload[1]]]$predicts) part$note <- ""
  part$ratio <- ifelse(part$package == "lamina" | nzchar(part$note), NA, ours$rate[own] / part$rate)
  part
}

show <- function(part) {
  for (threads in unique(part$threads)) {
    some <- part[part$threads == threads, ]
    cat(sprintf("\n%s, %d thread%s\n", some$workload[1], threads, if (threads > 1) "s" else ""))
    ratio <- ifelse(is.na(some$ratio), some$note, sprintf("lamina is %.2f times as fast", some$ratio))
    cat(sprintf("  %-18s %12s /s  (%s to %s)  %5.1f GF/s %4.0f %%  %5.0f MB  loss %.4f  %s\n", some$package,
                format(round(some$rate), big.mark = ","), format(round(some$low), big.mark = ",", trim = TRUE),
                format(round(some$high), big.mark = ",", trim = TRUE), some$gflops, 100 * some$of_peak, some$mb, some$loss, ratio), sep = "")
  }
}

# ---- results ---------------------------------------------------------------------------------------

best_peers <- function(results) {
  pieces <- split(results, list(results$workload, results$threads), drop = TRUE)
  rows <- lapply(pieces, function(p) {
    ours <- p[p$package == "lamina", ]
    peers <- p[!is.na(p$ratio), ]
    if (!nrow(ours) || !nrow(peers)) return(NULL)
    best <- peers[which.max(peers$rate), ]
    data.frame(workload = ours$workload, threads = ours$threads, lamina = ours$rate, of_peak = ours$of_peak, peer = best$package,
               best = best$rate, ratio = best$ratio)
  })
  table <- do.call(rbind, rows)
  table[order(table$threads, match(table$workload, names(workloads))), ]
}

markdown <- function(table) {
  c(paste0("| ", paste(names(table), collapse = " | "), " |"), paste0("|", strrep(":--|", ncol(table))),
    apply(as.matrix(table), 1, function(row) paste0("| ", paste(trimws(row), collapse = " | "), " |")))
}

rounded <- function(x) format(round(x), big.mark = ",", trim = TRUE)

write_report <- function(results, machine, file) {
  best <- best_peers(results)
  short <- data.frame(workload = best$workload, threads = best$threads, "lamina, samples/s" = rounded(best$lamina),
                      "of FMA peak" = sprintf("%.0f %%", 100 * best$of_peak), "best peer" = best$peer, "samples/s" = rounded(best$best),
                      ratio = sprintf("%.2f", best$ratio), check.names = FALSE)
  all <- data.frame(workload = results$workload, threads = results$threads, package = results$package, "samples/s" = rounded(results$rate),
                    range = paste(rounded(results$low), "-", rounded(results$high)), "GF/s" = sprintf("%.1f", results$gflops),
                    "of FMA peak" = sprintf("%.0f %%", 100 * results$of_peak), "of sgemm" = sprintf("%.0f %%", 100 * results$of_sgemm),
                    MB = rounded(results$mb), loss = sprintf("%.4f", results$loss),
                    ratio = ifelse(is.na(results$ratio), results$note, sprintf("%.2f", results$ratio)), check.names = FALSE)
  used <- settings[settings$package %in% results$package, ]
  writeLines(c("# lamina beside its peers", "", machine, "", "## The best peer", "", markdown(short), "", "## All", "", markdown(all), "",
               "## Settings", "", markdown(used)), file)
}

draw <- function(results, file) {
  shown <- results[!is.na(results$ratio), ]
  shown$workload <- factor(shown$workload, rev(names(workloads)))
  shown$threads <- ifelse(shown$threads == 1, "1 thread", "2 threads")
  plot <- ggplot2::ggplot(shown, ggplot2::aes(.data$ratio, .data$workload, colour = .data$package)) +
    ggplot2::geom_vline(xintercept = 1, colour = "grey40") +
    ggplot2::geom_point(size = 2.5) +
    ggplot2::scale_x_log10(breaks = c(1, 2, 5, 10, 20, 50, 100, 200)) +
    ggplot2::facet_wrap(~threads) +
    ggplot2::labs(x = "lamina's speed by that of the peer (log scale)", y = NULL, colour = NULL) +
    ggplot2::theme_minimal(base_size = 12) +
    ggplot2::theme(legend.position = "bottom")
  ggplot2::ggsave(file, plot, width = 9, height = 5.5, dpi = 110, bg = "white")
}

# ---- all -------------------------------------------------------------------------------------------

installed <- function(package) {
  base <- sub("-openmp$", "", package)
  if (base %in% python_packages) {
    module <- if (base == "sklearn") "sklearn" else "torch"
    !is.null(python3) && (base == package || !is.na(openmp)) && any(grepl(module, run(python3, c("bench/peers.py", "versions"))))
  } else {
    requireNamespace(base, quietly = TRUE)
  }
}

`.data` <- ggplot2::.data
absent <- Filter(Negate(installed), packages)
core <- best_core()
peak <- fma_peak()
products <- c(sgemm(core, 1), sgemm(core, 2))
machine <- c(
  sprintf("%s, %s, %s form, %d round%s.", format(Sys.Date()), cpu("model name"), form, rounds, if (rounds > 1) "s" else ""),
  sprintf("Multiply-adds on registers %.0f and %.0f GF/s with one and two threads, sgemm %.0f and %.0f GF/s%s.", peak[1], peak[2], products[1],
          products[2], if (nzchar(core)) sprintf(" (OPENBLAS_CORETYPE=%s; without it %.0f)", core, sgemm("", 1)) else ""),
  sprintf("lamina %s, vectors %s; %s; %s.", utils::packageVersion("lamina"), lamina::lamina_info()$isa, R.version.string,
          if (is.null(python3)) "no Python" else run(python3, c("bench/peers.py", "versions"))),
  if (length(absent)) paste0("Absent: ", paste(absent, collapse = ", "), ".")
)
cat(machine, "", sprintf("%-18s %s%s", settings$package, settings$settings, ifelse(nzchar(settings$apart), paste0("; apart: ", settings$apart), "")), sep = "\n")
folder <- tempfile("bench")
dir.create(folder)
results <- NULL
for (name in chosen) {
  part <- complete(measure_workload(name, folder, core, absent), peak, products)
  show(part)
  results <- rbind(results, part)
}
dir.create("bench/results", showWarnings = FALSE)
file <- file.path("bench/results", paste0(format(Sys.Date()), "-", gsub("[^A-Za-z0-9]+", "-", cpu("model name"))))
utils::write.csv(results, paste0(file, ".csv"), row.names = FALSE)
write_report(results, machine, paste0(file, ".md"))
draw(results, paste0(file, ".png"))
cat("\nWritten: ", file, ".csv, .md and .png\n", sep = "")
