# Running scripts by mpirun.

skip_without_mpi <- function() {
  skip_on_cran()
  skip_if_not_installed("processx")
  skip_if_not(lamina::mpi_available(), "lamina was installed without MPI (LAMINA_MPI=1 installs it with): MPI")
  skip_if(!nzchar(Sys.which("mpirun")), "there is no mpirun: it")
}

# More ranks than cores, as root, in containers that forbid one process to read another's memory; others are ignored.
mpi_environment <- c(
  "current", OMPI_ALLOW_RUN_AS_ROOT = "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = "1", OMPI_MCA_rmaps_base_oversubscribe = "1",
  OMPI_MCA_btl_vader_single_copy_mechanism = "none", OMPI_MCA_hwloc_base_binding_policy = "none", OMPI_MCA_btl = "self,vader",
  OMPI_MCA_pml = "ob1", OMPI_MCA_mpi_yield_when_idle = "1", LAMINA_THREADS = "1", TESTTHAT = "", R_TESTS = ""
)

rscript <- function() file.path(R.home("bin"), "Rscript")

# A script on n ranks; n == 0: without mpirun.  Its arguments come after the folder that it writes to.
mpi_start <- function(script, n, folder, ...) {
  run <- c(rscript(), "--vanilla", testthat::test_path("mpi", script), folder, ...)
  if (n > 0) run <- c("mpirun", "-n", n, run)
  processx::process$new(run[1L], run[-1L], env = c(mpi_environment, R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)),
                        stdout = tempfile("mpi-"), stderr = "2>&1", cleanup_tree = TRUE)
}

# list(status, output); a job that hangs is an error.
mpi_finish <- function(job, seconds = 300) {
  job$wait(1000 * seconds)
  hangs <- job$is_alive()
  if (hangs) job$kill_tree()
  output <- paste(readLines(job$get_output_file(), warn = FALSE), collapse = "\n")
  if (hangs) stop("The job hangs: ", output)
  list(status = job$get_exit_status(), output = output)
}

mpi_run <- function(script, n, folder, ..., seconds = 300) mpi_finish(mpi_start(script, n, folder, ...), seconds)

# What each rank saved.
mpi_results <- function(folder, name, n) lapply(seq_len(n) - 1L, function(rank) readRDS(file.path(folder, sprintf("%s-%d-%d.rds", name, n, rank))))
