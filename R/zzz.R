.onLoad <- function(libname, pkgname) {
  isa <- getOption("lamina.isa")
  if (!is.null(isa)) {
    .Call(ffi_isa, isa)
  }
  register_explainers()
  when_loaded("parsnip", register_engine)
}

.onUnload <- function(libpath) {
  library.dynam.unload("lamina", libpath)
}
