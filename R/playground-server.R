# The server of the playground: hands what is chosen and pressed to playground-state.R, and pictures to the browser.

PICTURE_PAUSE <- c(step = 150, epoch = 60, slice = 15) # milliseconds between the end of one picture and the next
UNSEEN_PICTURES <- 3 # a browser that is so many behind is waited for

playground_server <- function(input, output, session) {
  pg <- new_playground()
  sent <- 0
  changed <- shiny::reactiveVal(0) # moves whenever numbers on the page are to be worked out anew

  send <- function() {
    sent <<- sent + 1
    session$sendCustomMessage("playground-frame", c(playground_frame(pg), number = sent))
  }
  show <- function() {
    send()
    changed(shiny::isolate(changed()) + 1)
  }
  restart <- function(settings = pg$settings) {
    reset_playground(pg, settings)
    session$sendCustomMessage("playground-setup", playground_setup(pg))
    show()
  }

  chosen <- shiny::debounce(shiny::reactive(playground_input(input)), 200)
  shiny::observeEvent(chosen(), {
    settings <- chosen()
    if (inherits(settings, "lamina_error")) {
      pause_playground(pg)
      show()
      session$sendCustomMessage("playground-refused", list(note = conditionMessage(settings)))
    } else {
      restart(settings)
    }
  })
  shiny::observeEvent(input$data, {
    shiny::updateSelectInput(session, "loss", choices = playground_losses(input$data), selected = input$loss)
  }, ignoreInit = TRUE)

  shiny::observeEvent(input$play, {
    if (pg$phase == "playing") {
      pause_playground(pg)
    } else {
      play_playground(pg)
    }
    show()
  })
  shiny::observeEvent(input$step, {
    step_playground(pg)
    show()
  })
  shiny::observeEvent(input$reset, restart())

  shiny::observe({
    changed()
    if (pg$phase == "playing") {
      speed <- shiny::isolate(input$speed)
      seen <- shiny::isolate(input$drawn)
      if (is.null(seen) || sent - seen < UNSEEN_PICTURES) {
        advance_playground(pg, speed)
        if (pg$phase == "playing") send() else shiny::isolate(show())
      }
      shiny::invalidateLater(PICTURE_PAUSE[[speed]], session)
    }
  })

  shiny::observeEvent(input$picked, shiny::updateNumericInput(session, "sample", value = input$picked))
  output$backprop <- shiny::renderUI({
    changed()
    sample <- input$sample
    if (pg$phase == "playing") {
      return(shiny::tags$p("Pause to see the numbers of that moment."))
    }
    if (!isTRUE(sample %in% seq_len(playground_points))) {
      return(shiny::tags$p(sprintf("Samples are numbered from 1 to %d.", playground_points)))
    }
    backprop_html(backprop_tables(pg, sample), sample, if (sample %in% pg$test) "test" else "training")
  })
}

# The settings that the page shows, or the error that tells what is wrong with them.
playground_input <- function(input) {
  layers <- as.numeric(input$layers)
  units <- vapply(seq_len(layers), function(i) as.numeric(input[[paste0("units", i)]]), 0)
  losses <- playground_losses(input$data)
  tryCatch(
    playground_settings(
      data = input$data, noise = input$noise, test = input$test, features = input$features, units = units,
      activation = input$activation,
      loss = if (input$loss %in% losses) input$loss else losses[1L], # the page's list follows a moment later
      optimizer = input$optimizer, learning_rate = as.numeric(input$learning_rate), l1 = as.numeric(input$l1),
      l2 = as.numeric(input$l2), dropout = as.numeric(input$dropout), batch_size = input$batch_size, seed = input$seed
    ),
    lamina_error = function(e) e
  )
}
