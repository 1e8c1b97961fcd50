#' @importFrom generics fit
#' @export
generics::fit

#' @importFrom generics compile
#' @export
generics::compile

#' @importFrom magrittr %>%
#' @export
magrittr::`%>%`

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @importFrom generics augment
#' @export
generics::augment

#' @importFrom zeallot %<-%
#' @export
zeallot::`%<-%`
