# The server of the playground: hands what is chosen and pressed to playground-state.R, and pictures to the browser.

PICTURE_PERIOD <- c(step = 200, epoch = 80, ten = 80) # milliseconds from one picture to the next
PICTURE_PAUSE <- 10 # at least so many of them are left for what is pressed
UNSEEN_PICTURES <- 3 # a browser that is so many behind is waited for

playground_server <- function(input, output, session) {
  pg <- new_playground()
  sent <- 0
  refused <- FALSE # the settings on the page
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

  # Brings the settings of the page into the playground.
  settle <- function(settings) {
    if (inherits(settings, "lamina_error")) {
      pause_playground(pg)
      show()
      session$sendCustomMessage("playground-refused", list(note = conditionMessage(settings)))
    } else if (refused || sent == 0 || !identical(settings, pg$settings)) {
      restart(settings)
    }
    refused <<- inherits(settings, "lamina_error")
  }
  # Both may come at once, a new setting and a button pressed: what is pressed means the new setting.
  pressed <- function(act) {
    force(act) # what it does is read off the button before anything changes
    settle(chosen())
    if (!refused) {
      act(pg)
      show()
    }
  }

  chosen <- shiny::reactive({
    shiny::req(input$layers) # the page is there
    playground_input(input)
  })
  shiny::observeEvent(chosen(), settle(chosen()), priority = -1) # after the buttons
  shiny::observeEvent(input$data, {
    shiny::updateSelectInput(session, "loss", choices = playground_losses(input$data),
                             selected = fitting_loss(input$loss, input$data))
  }, ignoreInit = TRUE)

  shiny::observeEvent(input$play, {
    pressed(if (pg$phase == "playing") pause_playground else play_playground)
  })
  shiny::observeEvent(input$step, pressed(step_playground))
  shiny::observeEvent(input$reset, pressed(function(pg) restart()))

  shiny::observe({
    changed()
    if (pg$phase == "playing") {
      started <- proc.time()[["elapsed"]]
      speed <- shiny::isolate(input$speed)
      seen <- shiny::isolate(input$drawn)
      if (is.null(seen) || sent - seen < UNSEEN_PICTURES) {
        advance_playground(pg, speed)
        if (pg$phase == "playing") send() else shiny::isolate(show())
      }
      took <- 1000 * (proc.time()[["elapsed"]] - started)
      shiny::invalidateLater(max(PICTURE_PERIOD[[speed]] - took, PICTURE_PAUSE), session)
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
  tryCatch(
    playground_settings(
      data = input$data, noise = input$noise, test = input$test, features = input$features, units = units,
      activation = input$activation,
      loss = fitting_loss(input$loss, input$data), # the page's list follows a moment later
      optimizer = input$optimizer, learning_rate = as.numeric(input$learning_rate), l1 = as.numeric(input$l1),
      l2 = as.numeric(input$l2), dropout = as.numeric(input$dropout), batch_size = input$batch_size, seed = input$seed
    ),
    lamina_error = function(e) e
  )
}
