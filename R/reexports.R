#' @importFrom generics fit
#' @export
generics::fit

#' @importFrom generics compile
#' @export
generics::compile

#' @importFrom magrittr %>%
#' @export
magrittr::`%>%`
