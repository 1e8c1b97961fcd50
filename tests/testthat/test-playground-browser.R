# The page of the playground in a browser.

skip_if_not_installed("shiny")
skip_if_not_installed("chromote")
skip_if_not_installed("callr")
skip_if(is.null(suppressMessages(chromote::find_chrome())), "there is no Chromium")

# What fails on the page is gathered in `problems`, what it asks for in `asked`.
open_playground <- function(env = parent.frame()) {
  log <- withr::local_tempfile(.local_envir = env)
  port <- sample(10000:30000, 1)
  app <- callr::r_bg(function(port) {
    options(shiny.port = port)
    lamina::lamina_playground()
  }, list(port), libpath = .libPaths(), stdout = log, stderr = "2>&1",
                     env = c(callr::rcmd_safe_env(), LAMINA_THREADS = "1"))
  withr::defer(app$kill(), envir = env)
  listening <- "^Listening on (http.*)$"
  wait_until(any(grepl(listening, readLines(log, warn = FALSE))), "the app listens")
  url <- sprintf("http://127.0.0.1:%d", port)
  expect_identical(sub(listening, "\\1", grep(listening, readLines(log, warn = FALSE), value = TRUE)[1]), url)

  args <- c("--headless=new", "--disable-gpu", if (identical(Sys.info()[["effective_user"]], "root")) "--no-sandbox")
  browser <- chromote::Chromote$new(browser = chromote::Chrome$new(args = args))
  withr::defer(browser$close(), envir = env)
  tab <- browser$new_session(width = 1280, height = 800)
  page <- new.env()
  page$tab <- tab
  page$url <- url
  page$problems <- page$asked <- character()
  note <- function(text) page$problems <- c(page$problems, text)
  tab$Runtime$enable()
  tab$Log$enable()
  tab$Network$enable()
  tab$Runtime$exceptionThrown(function(m) note(paste(m$exceptionDetails$text, m$exceptionDetails$exception$description)))
  tab$Runtime$consoleAPICalled(function(m) if (m$type %in% c("error", "warning")) note(paste("console", m$type)))
  tab$Log$entryAdded(function(m) if (m$entry$level %in% c("error", "warning")) note(paste(m$entry$text, m$entry$url)))
  tab$Network$requestWillBeSent(function(m) page$asked <- c(page$asked, m$request$url))
  page$run <- function(code) {
    tab$Runtime$evaluate(code, returnByValue = TRUE, awaitPromise = TRUE, userGesture = TRUE)$result$value
  }
  page$text <- function(id) page$run(sprintf("document.getElementById('%s').textContent", id))
  page$number <- function(id) as.numeric(sub(" .*", "", page$text(id)))
  page$click <- function(id) page$run(sprintf("document.getElementById('%s').click()", id))
  page$choose <- function(id, value) {
    page$run(sprintf("(e => { e.value = '%s'; jQuery(e).trigger('change'); })(document.getElementById('%s'))", value, id))
  }
  page$key <- function(key, code, text = NULL) {
    tab$Input$dispatchKeyEvent("keyDown", key = key, code = key, windowsVirtualKeyCode = code, text = text)
    tab$Input$dispatchKeyEvent("keyUp", key = key, code = key, windowsVirtualKeyCode = code)
  }
  tab$Page$navigate(url)
  wait_until(identical(page$text("pg-step"), "0"), "the first picture")
  page
}

wait_until <- function(condition, what, seconds = 60) {
  condition <- substitute(condition)
  until <- proc.time()[["elapsed"]] + seconds
  while (!isTRUE(tryCatch(eval(condition, parent.frame()), error = function(e) FALSE))) {
    if (proc.time()[["elapsed"]] > until) stop("waited in vain: ", what)
    Sys.sleep(0.1)
  }
}

test_that("one can train, pause, step, reset and copy the code", {
  page <- open_playground()
  first <- page$number("pg-train")
  expect_identical(page$text("pg-status"), "Ready. Press Play.")

  page$click("play")
  wait_until(page$number("pg-epoch") >= 20, "20 epochs")
  expect_identical(page$text("play"), "Pause")
  page$click("play")
  wait_until(page$text("play") == "Play", "a pause")
  expect_lt(page$number("pg-train"), first / 2)
  expect_match(page$text("pg-status"), "^Paused after [0-9]+ steps")
  wait_until(grepl("Weighted sum", page$text("backprop")), "the tables")
  epoch <- page$number("pg-epoch")
  steps <- page$number("pg-step")
  Sys.sleep(0.5)
  expect_identical(page$number("pg-step"), steps)

  page$click("step")
  wait_until(page$number("pg-step") == steps + 1, "a step")
  expect_identical(page$number("pg-epoch"), epoch)

  # the sample of the tables, by a click into the middle of the picture
  page$run("(c => { const b = c.getBoundingClientRect(); c.dispatchEvent(new MouseEvent('click', {clientX: b.left + b.width / 2,
    clientY: b.top + b.height / 2, bubbles: true})); })(document.getElementById('pg-map'))")
  wait_until(page$run("document.getElementById('sample').value") != "1", "another sample")
  sample <- page$run("document.getElementById('sample').value")
  wait_until(grepl(sprintf("Sample %s is", sample), page$text("backprop")), "its tables")

  # what is copied gives the losses on the page
  page$tab$Browser$grantPermissions(list("clipboardReadWrite", "clipboardSanitizedWrite"), origin = page$url)
  page$click("pg-copy")
  wait_until(page$text("pg-copied") == "Copied", "a copy")
  script <- page$run("navigator.clipboard.readText()")
  made <- new.env(parent = globalenv())
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  eval(parse(text = script), made)
  loss <- evaluate(made$model, made$x[made$test, ], made$y[made$test], verbose = 0)$loss
  expect_lte(abs(page$number("pg-test") - loss), 0.0005 + 1e-9)

  page$click("reset")
  wait_until(page$text("pg-step") == "0", "a new network")
  expect_identical(page$number("pg-train"), first)

  # a refused setting is said, a good one begins anew
  page$choose("seed", "")
  wait_until(grepl("`seed` must be", page$text("pg-alert")), "a refusal")
  page$choose("seed", "7")
  wait_until(page$text("pg-alert") == "", "the refusal to go")
  page$choose("data", "hills")
  wait_until(page$run("document.getElementById('loss').value") == "mean_squared_error", "a loss for numbers")
  wait_until(!grepl("right", page$text("pg-test")), "a regression")

  # pictures are not blank
  colours <- page$run("['pg-map', 'pg-network', 'pg-loss'].map(id => { const c = document.getElementById(id);
    return new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size; })")
  expect_true(all(unlist(colours) > 20))

  expect_identical(page$problems, character())
  expect_true(all(startsWith(page$asked, page$url) | startsWith(page$asked, "data:")))
})

test_that("it fits wide and narrow screens, works by keyboard, and everything has a name", {
  page <- open_playground()
  for (size in list(c(1280, 800), c(390, 844))) {
    page$tab$Emulation$setDeviceMetricsOverride(width = size[1], height = size[2], deviceScaleFactor = 1, mobile = FALSE)
    page$run("document.querySelector('.pg-settings').open = true") # narrow screens begin with it closed
    page$choose("layers", "4")
    wait_until(page$run("document.getElementById('units4').offsetParent !== null"), "a fourth layer")
    wait_until(page$run("document.getElementById('pg-network').getAttribute('aria-label').includes('2-4-2-2-2-1')"), "its picture")
    expect_lte(page$run("document.documentElement.scrollWidth"), size[1])
    outside <- page$run("[...document.querySelectorAll('button, select, input, canvas, textarea, .pg-panel')].filter(e => {
      const b = e.getBoundingClientRect(); return b.width > 0 && (b.left < 0 || b.right > innerWidth); }).map(e => e.id)")
    expect_length(outside, 0)
  }

  nameless <- page$run("[...document.querySelectorAll('select, input, textarea, canvas, button')].filter(e =>
    !(e.labels && e.labels.length) && !e.getAttribute('aria-label') && !(e.tagName === 'BUTTON' && e.textContent.trim()))
    .map(e => e.id || e.outerHTML)")
  expect_length(nameless, 0)
  expect_identical(page$run("document.documentElement.lang"), "en")

  page$run("document.querySelector('.pg-settings').open = true")
  # Tab goes from what trains to the settings; space and enter press
  page$run("document.activeElement.blur()")
  order <- vapply(1:6, function(i) {
    page$key("Tab", 9)
    page$run("document.activeElement.id || document.activeElement.tagName")
  }, "")
  expect_identical(order, c("play", "step", "reset", "speed", "SUMMARY", "data"))
  page$run("document.getElementById('play').focus()")
  page$key(" ", 32, " ")
  wait_until(page$text("play") == "Pause", "Play by space")
  page$key("Enter", 13, "\r")
  wait_until(page$text("play") == "Play", "Pause by enter")
  expect_gt(page$number("pg-step"), 0)
  expect_identical(page$problems, character())
})
