# lamina beside its peers: training and prediction, all in one run.
#
#   Rscript bench/bench.R [form=long|short] [rounds=3] [seconds=2] [workloads=W1,W2,...] [packages=lamina,torch,...]
#                         [results=bench/results]
#
# Long takes about 40 minutes on two cores, short (one round, fewer rows, fewer forms of peers) less than five.
# Each round runs every package once for every workload and thread count, each time in a fresh process and in
# an order that moves on from round to round, so that a busy neighbour hits all alike.  A process warms up by a run
# of fixed length, whose loss shows how well the package learns, and repeats that run for `seconds`; its figure is
# the median of its runs, and the table shows the median over the processes.  See bench/report.R for the
# columns, bench/packages.R for what each package is set to.  Absent packages are named and passed over.
#
# The results are <results>/<date>-<cpu>.csv, .md and .png, written anew after each round.

source("bench/workloads.R")
source("bench/packages.R")
source("bench/report.R")

arguments <- function(defaults) {
  given <- strsplit(commandArgs(TRUE), "=", fixed = TRUE)
  unknown <- setdiff(vapply(given, `[`, "", 1), names(defaults))
  if (length(unknown)) stop("unknown argument: ", paste(unknown, collapse = ", "), "; known are ", paste(names(defaults), collapse = ", "))
  for (pair in given) defaults[[pair[1]]] <- pair[2]
  defaults
}
args <- arguments(list(form = "long", rounds = "", seconds = "", workloads = paste(names(workloads), collapse = ","),
                       packages = paste(settings$package, collapse = ","), results = "bench/results"))
form <- match.arg(args$form, c("long", "short"))
short <- form == "short"
default <- function(given, otherwise) if (nzchar(given)) as.numeric(given) else otherwise
rounds <- default(args$rounds, if (short) 1 else 3)
seconds <- default(args$seconds, if (short) 0.3 else 2)
chosen <- strsplit(args$workloads, ",")[[1]]
packages <- strsplit(args$packages, ",")[[1]]
stopifnot(chosen %in% names(workloads), packages %in% settings$package)

# Peers are told the processor; lamina finds the machine as a user does.
Sys.unsetenv(c("OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"))

output_of <- function(command, args, env = character(), timeout = 60) {
  suppressWarnings(system2(command, args, stdout = TRUE, stderr = FALSE, env = env, timeout = timeout))
}
imports <- function(module) function(python) length(output_of(python, c("-c", shQuote(paste0("import ", module, "; print(1)"))))) == 1
# Debian's Python may stand behind another one on the path, which has none of the packages.
pythons <- c("python3", "/usr/bin/python3")
python3 <- c(Filter(imports("torch"), pythons), Filter(imports("numpy"), pythons))[1]

openmp <- Sys.getenv("LAMINA_BENCH_OPENMP", c(Sys.glob("/usr/lib/*/openblas-openmp"), "")[1])

present <- function(package) {
  if (grepl("-openmp$", package)) {
    nzchar(openmp) && present("torch")
  } else if (package %in% python_packages) {
    !is.na(python3) && imports(if (package == "sklearn") "sklearn" else "torch")(python3)
  } else {
    requireNamespace(package, quietly = TRUE)
  }
}

# Which package runs which workload; what the short form leaves out has been tried to be slower or much the same.
able <- function(package, name, threads) {
  w <- workloads[[name]]
  pictures <- length(w$shape) == 3
  classic <- package %in% c("nnet", "RSNNS", "neuralnet", "ANN2", "deepnet")
  small <- prod(w$shape) <= 100
  all(
    !(classic || package == "sklearn") || !is.null(hidden_units(w)),
    !(package %in% c("nnet", "RSNNS", "neuralnet")) || small,
    !(package %in% one_thread) || threads == 1,
    !classic || name != "W8", # minutes a run
    !grepl("-last", package) || pictures && !w$predicts,
    package != "torch-loader" || !w$predicts,
    !grepl("^torchscript", package) || w$predicts,
    package != "torch-openmp" || !w$predicts,
    package != "torchscript-openmp" || !small,
    !short || !classic || threads == 1 && name != "W9-W3",
    !short || !grepl("-openmp", package) || threads == 2 && prod(w$shape) > 100,
    !short || package != "torch-loader" || threads == 1 && name %in% c("W1", "W2", "W3")
  )
}

planned <- function(packages) {
  runs <- expand.grid(threads = 1:2, package = packages, workload = chosen, stringsAsFactors = FALSE)
  runs[mapply(able, runs$package, runs$workload, runs$threads), ]
}

cpu_field <- function(field) {
  lines <- tryCatch(readLines("/proc/cpuinfo"), error = function(e) character())
  sub(".*: *", "", grep(paste0("^", field, "\\s*:"), lines, value = TRUE)[1])
}

python_env <- function(threads, core) {
  c(paste0(c("OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS="), threads), if (nzchar(core)) paste0("OPENBLAS_CORETYPE=", core))
}

# GF/s of a product; NA where it is wrong or there is no Python with NumPy.
sgemm <- function(threads, core) {
  if (is.na(python3)) return(NA_real_)
  out <- utils::tail(output_of(python3, c("bench/peers.py", "sgemm", threads), python_env(threads, core)), 1)
  got <- suppressWarnings(as.numeric(strsplit(c(out, "NA NA")[1], " ")[[1]]))
  if (isTRUE(got[2] == 1)) got[1] else NA_real_
}

# An OpenBLAS older than the processor falls back to slow code unless told a processor that it knows.  The
# names are those that the processor's flags allow; the fastest one is for all peers.
core_types <- function() {
  flags <- strsplit(cpu_field("flags"), " ")[[1]]
  has <- function(...) all(c(...) %in% flags)
  cores <- c("", if (has("avx2", "fma")) "HASWELL", if (has("avx512f", "avx512dq", "avx512bw", "avx512vl")) "SKYLAKEX",
             if (has("avx512_bf16")) "COOPERLAKE")
  stats::setNames(vapply(cores, function(core) max(c(sgemm(1, core), sgemm(1, core))), 0), cores)
}

# The processor's peak in GF/s, as profile_fit() measures it.
fma_peak <- function(threads) {
  options(lamina.threads = threads)
  lamina:::machine_peak()$gflops
}

# Measured before and after each round; the highest counts, for others on the machine can only lower it.
bounds <- function(core) {
  once <- function(threads) c(fma_peak(threads), sgemm(threads, core))
  got <- rbind(once(1), once(2), once(1), once(2))
  data.frame(threads = c(1, 2, 1, 2), fma = got[, 1], sgemm = got[, 2])
}

# One process: samples per second, runs, MB, loss, accuracy, loss of chance.
measure <- function(package, workload, threads, folder, core) {
  base <- sub("-openmp$", "", package)
  python <- base %in% python_packages
  env <- if (package != "lamina") python_env(threads, core)
  if (base != package) env <- c(env, paste0("LD_LIBRARY_PATH=", openmp))
  command <- if (python) python3 else file.path(R.home("bin"), "Rscript")
  script <- if (python) "bench/peers.py" else c("--no-save", "bench/train.R")
  out <- output_of(command, c(script, base, workload, threads, seconds, folder), env, timeout = 300)
  numbers <- suppressWarnings(as.numeric(strsplit(utils::tail(c("absent", out), 1), " ")[[1]]))
  stats::setNames(numbers[1:6], c("speed", "runs", "memory", "loss", "accuracy", "chance"))
}

# The runs of a workload in the order of this round: nobody always goes first.
rotated <- function(runs, round) {
  by <- (round - 1) * ceiling(nrow(runs) / rounds) + match(runs$workload[1], names(workloads))
  runs[(seq_len(nrow(runs)) + by - 1) %% nrow(runs) + 1, ]
}

one_round <- function(runs, round, folder, core) {
  do.call(rbind, lapply(split(runs, factor(runs$workload, chosen)), function(part) {
    part <- rotated(part, round)
    got <- t(mapply(measure, part$package, part$workload, part$threads, MoreArgs = list(folder = folder, core = core)))
    cat(sprintf("round %d %-6s %-18s %d: %s samples/s\n", round, part$workload, part$package, part$threads,
                format(round(got[, "speed"]), big.mark = ",")), sep = "")
    cbind(part, got, round = round)
  }))
}

bench <- function() {
  folder <- tempfile("bench")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  absent <- Filter(Negate(present), packages)
  runs <- planned(setdiff(packages, absent))
  for (name in chosen) write_workload(workloads[[name]], name, form, folder)
  cores <- core_types()
  core <- if (all(is.na(cores))) "" else names(which.max(cores))
  measured <- peaks <- NULL
  for (round in seq_len(rounds)) {
    peaks <- rbind(peaks, bounds(core))
    measured <- rbind(measured, one_round(runs, round, folder, core))
    peaks <- rbind(peaks, bounds(core))
    about <- list(form = form, rounds = round, planned = rounds, packages = packages, seconds = seconds, absent = absent, cores = cores,
                  core = core, cpu = cpu_field("model name"), model = paste(cpu_field("cpu family"), cpu_field("model"), sep = "-"),
                  peaks = stats::aggregate(cbind(fma, sgemm) ~ threads, peaks, max, na.action = stats::na.pass),
                  python = if (!is.na(python3)) output_of(python3, c("bench/peers.py", "versions")) else "no Python")
    report(measured, about, args$results)
  }
}
bench()
