# The site's index and the help pages must agree: every topic in exactly one group of _pkgdown.yml, and every
# entry there a topic.  Links between pages must lead somewhere.  And what vignettes/ shows as the package's C code must
# stand in src/ as it is shown.
# The last line is "N passed, N failed, N skipped".

failures <- character()
passed <- 0L
expect <- function(wrong, text) {
  if (length(wrong) > 0) {
    failures <<- c(failures, paste0(text, ": ", paste(wrong, collapse = ", ")))
  } else {
    passed <<- passed + 1L
  }
}

# ---- help topics ---------------------------------------------------------------------------------

read_topic <- function(file) {
  lines <- readLines(file)
  field <- function(name) sub("[}]$", "", sub(paste0("^.", name, "[{]"), "", grep(paste0("^.", name, "[{]"), lines, value = TRUE)))
  list(name = field("name"), aliases = gsub("\\\\%", "%", field("alias")), internal = "internal" %in% field("keyword"))
}
topics <- lapply(list.files("man", "[.]Rd$", full.names = TRUE), read_topic)
aliases <- unlist(lapply(topics, `[[`, "aliases"))

namespace <- parseNamespaceFile(basename(getwd()), dirname(getwd()))
expect(setdiff(namespace$exports, aliases), "exported without a help page")

# ---- the index -----------------------------------------------------------------------------------

if (requireNamespace("yaml", quietly = TRUE)) {
  index <- yaml::read_yaml("_pkgdown.yml")
  entries <- unlist(lapply(index$reference, `[[`, "contents"))
  public <- Filter(function(topic) !topic$internal, topics)
  names <- vapply(public, `[[`, "", "name")
  # The topics that an entry stands for: by name or alias, or by the beginning of an alias.
  found_by <- function(entry) {
    start <- sub("^starts_with[(]\"(.*)\"[)]$", "\\1", entry)
    hit <- if (start == entry) {
      vapply(public, function(topic) entry %in% c(topic$name, topic$aliases), NA)
    } else {
      vapply(public, function(topic) any(startsWith(topic$aliases, start)), NA)
    }
    names[hit]
  }
  found <- lapply(entries, found_by)
  times <- table(factor(unlist(found), names))
  expect(entries[lengths(found) == 0], "in _pkgdown.yml without being a help topic")
  expect(names(times)[times == 0], "help topics in no group of _pkgdown.yml")
  expect(names(times)[times > 1], "help topics in more than one group of _pkgdown.yml")
} else {
  cat("skipped: the index, for want of yaml\n")
}

# ---- links ---------------------------------------------------------------------------------------

# [text](target) with a target in the project; in vignettes, other pages are named by what they are knitted to.
for (file in c(list.files(".", "[.]md$"), list.files("vignettes", "[.]Rmd$", full.names = TRUE))) {
  lines <- readLines(file, encoding = "UTF-8", warn = FALSE)
  text <- gsub("`[^`]*`", "", paste(lines, collapse = "\n"))
  targets <- regmatches(text, gregexpr("(?<=\\]\\()[^)[:space:]]+(?=\\))", text, perl = TRUE))[[1]]
  targets <- sub("#.*$", "", targets[!grepl("^(https?:|mailto:|#)", targets)])
  there <- file.exists(file.path(dirname(file), targets)) |
    file.exists(file.path(dirname(file), sub("[.]html$", ".Rmd", targets)))
  expect(unique(targets[!there]), paste(file, "links to what is not there"))
}
if (requireNamespace("lamina", quietly = TRUE)) { # R's own check, against the installed pages
  lost <- format(tools:::.check_Rd_xrefs("lamina", lib.loc = dirname(find.package("lamina"))))
  expect(lost[nzchar(lost)], "links between help pages")
}

# ---- C code in vignettes -------------------------------------------------------------------------

chunks_of <- function(file) {
  lines <- readLines(file, encoding = "UTF-8")
  from <- which(lines == "```c")
  lapply(from, function(i) {
    rest <- lines[-seq_len(i)]
    rest[seq_len(which(rest == "```")[1] - 1)]
  })
}
sources <- list.files("src", "[.](c|h|def)$", recursive = TRUE, full.names = TRUE)
text <- vapply(sources, function(file) paste0("\n", paste(readLines(file), collapse = "\n"), "\n"), "")
for (file in list.files("vignettes", "[.]Rmd$", full.names = TRUE)) {
  chunks <- vapply(chunks_of(file), paste, "", collapse = "\n")
  missing <- !vapply(chunks, function(chunk) any(grepl(paste0("\n", chunk, "\n"), text, fixed = TRUE)), NA)
  expect(sub("\n.*", " ...", trimws(chunks[missing])), paste(file, "shows code that is not in src/"))
}

writeLines(failures)
cat(sprintf("%d passed, %d failed, 0 skipped\n", passed, length(failures)))
quit(status = as.integer(length(failures) > 0))
