# mlp(mode, ...) |> set_engine("lamina", ...): each argument goes where it belongs.
engine <- function(mode, ...) {
  args <- list(...)
  main <- names(args) %in% names(formals(parsnip::mlp))
  spec <- do.call(parsnip::mlp, c(list(mode), args[main]))
  do.call(parsnip::set_engine, c(list(spec, "lamina"), args[!main]))
}
