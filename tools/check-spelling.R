# Spelling of help pages, vignettes, README and NEWS, in the language that DESCRIPTION names.  inst/WORDLIST holds the
# names and terms that no dictionary has.  The last line is "N passed, N failed, N skipped".
#
#     Rscript tools/check-spelling.R --update    puts words that are right, but unknown, into inst/WORDLIST

if (!requireNamespace("spelling", quietly = TRUE)) {
  cat("skipped, for want of spelling\n0 passed, 0 failed, 1 skipped\n")
  quit(status = 0)
}
found <- spelling::spell_check_package(".", vignettes = TRUE)
if (identical(commandArgs(TRUE), "--update")) {
  path <- file.path("inst", "WORDLIST")
  words <- unique(c(if (file.exists(path)) readLines(path, encoding = "UTF-8"), found$word))
  writeLines(enc2utf8(words[order(tolower(words), words)]), path, useBytes = TRUE)
  cat("new in inst/WORDLIST:", found$word, fill = 100)
  found <- found[0, ]
}
if (nrow(found) > 0) print(found)
ok <- nrow(found) == 0
cat(sprintf("%d passed, %d failed, 0 skipped\n", ok, !ok))
quit(status = as.integer(!ok))
