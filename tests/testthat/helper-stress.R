# How often a randomized test tries: a tenth of its full count, unless LAMINA_STRESS is the multiple wanted
# (10 for the full count).
stress_trials <- function(full) {
  multiple <- as.numeric(Sys.getenv("LAMINA_STRESS", "1"))
  max(1L, as.integer(round(full / 10 * multiple)))
}
