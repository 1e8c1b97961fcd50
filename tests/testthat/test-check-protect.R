# The lint for PROTECT (tools/check-protect.R) finds what it is there for, in functions that have one fault each.

tree <- normalizePath(test_path("..", ".."))
script <- file.path(tree, "tools", "check-protect.R")

lint <- function(body) {
  skip_if_not(file.exists(script), "the tree of the package")
  file <- withr::local_tempfile(fileext = ".c")
  writeLines(c("/* a comment with Rf_mkString( in it */", "SEXP ffi_one(SEXP x)", "{", paste0("    ", body), "}"), file)
  output <- processx::run(file.path(R.home("bin"), "Rscript"), c(script, file), error_on_status = FALSE)
  c(utils::head(strsplit(output$stdout, "\n")[[1L]], -1L), if (output$status > 1L) output$stderr)
}

clean <- c(
  "SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));",
  "SET_VECTOR_ELT(out, 0, Rf_mkString(\"a\"));",
  "if (Rf_xlength(x) == 0) {",
  "    UNPROTECT(1);",
  "    return R_NilValue;",
  "}",
  "SEXP last = Rf_allocVector(REALSXP, 2);",
  "SET_VECTOR_ELT(out, 1, last);",
  "UNPROTECT(1);",
  "return out;"
)

test_that("what is right is left alone", {
  expect_identical(lint(clean), character())
})

test_that("a missing and a superfluous UNPROTECT are found", {
  expect_match(lint(clean[-4L]), "returns with 1 still protected", all = FALSE)
  expect_match(lint(clean[-9L]), "returns with 1 still protected", all = FALSE)
  expect_match(lint(replace(clean, 9L, "UNPROTECT(2);")), "more than was protected", all = FALSE)
  expect_match(lint(replace(clean, 4L, "    UNPROTECT(2);")), "more than was protected", all = FALSE)
})

test_that("an object that is not protected while another is made is found", {
  bare <- "`out` is not protected here"
  expect_match(lint(sub("PROTECT\\((.*)\\);", "\\1;", clean[1:2])), bare, all = FALSE)
  expect_match(lint(c("SEXP out = Rf_ScalarReal(1);", "Rf_setAttrib(out, R_NamesSymbol, x);", "return out;")), bare, all = FALSE)
  expect_match(lint(c("SEXP out;", "out = Rf_mkString(\"a\");", "char *p = R_alloc(1, 1);", "return out;")), bare, all = FALSE)
})

test_that("new objects beside one another in a call are found", {
  expect_match(lint("return Rf_list2(Rf_mkString(\"a\"), Rf_mkString(\"b\"));"), "beside another argument", all = FALSE)
  expect_match(lint("Rf_setAttrib(x, Rf_install(\"a\"), Rf_ScalarReal(1));"), "beside another argument|nothing protects", all = FALSE)
  expect_match(lint("return Rf_ScalarString(Rf_mkChar(\"a\"));"), "nothing protects", all = FALSE)
})

test_that("the package's own calls are right", {
  skip_if_not(file.exists(script), "the tree of the package")
  output <- processx::run(file.path(R.home("bin"), "Rscript"), script, error_on_status = FALSE, wd = tree)
  expect_identical(output$status, 0L, info = output$stdout)
  expect_gt(as.numeric(sub(" functions.*", "", utils::tail(strsplit(output$stdout, "\n")[[1L]], 1L))), 100)
})
