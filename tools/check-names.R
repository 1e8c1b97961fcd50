# Of two functions of one name in R/ the later file's would silently take the other's place: there must be none.

files <- list.files("R", "[.]R$", full.names = TRUE)
names_in <- function(file) {
  assigned <- Filter(function(code) is.call(code) && identical(code[[1L]], quote(`<-`)) && length(code) == 3L, parse(file))
  unlist(lapply(assigned, function(code) if (is.name(code[[2L]])) as.character(code[[2L]])))
}
names <- unlist(lapply(files, names_in))
twice <- unique(names[duplicated(names)])
if (length(twice)) {
  stop("defined twice in R/: ", paste(twice, collapse = ", "))
}
