.onLoad <- function(libname, pkgname) {
  isa <- getOption("lamina.isa")
  if (!is.null(isa)) {
    .Call(ffi_isa, isa)
  }
  register_explainers()
  when_loaded("parsnip", register_engine)
}

.onUnload <- function(libpath) {
  if (!.Call(ffi_ranks_live)) { # what ends MPI when R ends is in there
    library.dynam.unload("lamina", libpath)
  }
}
