# The page of the playground.  Looks and pictures are in inst/playground/: playground.css and playground.js, which
# draws what playground-frame.R sends.

playground_file <- function(name) system.file("playground", name, package = "lamina", mustWork = TRUE)

playground_ui <- function() {
  tags <- shiny::tags
  page <- shiny::bootstrapPage(
    title = "lamina playground",
    tags$head(
      tags$meta(name = "viewport", content = "width=device-width, initial-scale=1"),
      tags$link(rel = "icon", href = "data:,"), # none, so that browsers do not ask for one
      shiny::includeCSS(playground_file("playground.css")),
      shiny::includeScript(playground_file("playground.js"))
    ),
    tags$header(
      class = "pg-bar",
      tags$h1("lamina playground"),
      tags$div(
        class = "pg-buttons", role = "group", `aria-label` = "Training",
        shiny::actionButton("play", "Play", class = "pg-primary"),
        shiny::actionButton("step", "Step", title = "One step of the optimizer"),
        shiny::actionButton("reset", "Reset", title = "A new network with the same settings"),
        native_select("speed", "Speed", c(
          "step by step" = "step", "epoch by epoch" = "epoch", "10 epochs at a time" = "ten"
        ), "epoch")
      ),
      tags$dl(class = "pg-counts", playground_counts())
    ),
    tags$p(id = "pg-alert", class = "pg-alert", role = "alert"),
    tags$p(id = "pg-status", class = "pg-status", role = "status"),
    tags$main(
      class = "pg-main",
      tags$details(class = "pg-panel pg-settings", open = NA, tags$summary("Settings"), playground_controls()),
      picture_panel("network", "Network", "Picture of the network", legend = paste(
        "Lines: weights, blue positive, orange negative, the wider the larger.",
        "Tiles: what each unit puts out over the plane."
      )),
      tags$div(
        class = "pg-column",
        picture_panel("map", "Output", "Picture of the network's output over the plane",
                      legend = tags$span(id = "pg-legend")),
        picture_panel("loss", "Loss", "Losses over the epochs",
                      legend = list(line_sample("train"), "training", line_sample("test"), "test"))
      )
    ),
    tags$section(
      class = "pg-panel pg-sample", `aria-labelledby` = "pg-sample-title",
      tags$h2(id = "pg-sample-title", "One sample, forward and back"),
      shiny::numericInput("sample", "Sample (or choose one in the picture of the output)", 1, 1, playground_points, 1),
      shiny::uiOutput("backprop")
    ),
    tags$section(
      class = "pg-panel pg-code", `aria-labelledby` = "pg-code-title",
      tags$h2(id = "pg-code-title", "R code of this network"),
      tags$button(id = "pg-copy", type = "button", class = "btn btn-default", "Copy code"),
      tags$span(id = "pg-copied", role = "status"),
      tags$textarea(id = "pg-script", readonly = NA, rows = 18, spellcheck = "false", wrap = "off",
                    `aria-label` = "R code of this network")
    )
  )
  attr(page, "lang") <- "en"
  page
}

playground_counts <- function() {
  count <- function(id, label) shiny::tags$div(shiny::tags$dt(label), shiny::tags$dd(id = paste0("pg-", id), "\u2013"))
  list(count("epoch", "Epoch"), count("step", "Step"), count("train", "Training loss"), count("test", "Test loss"))
}

line_sample <- function(kind) shiny::tags$span(class = paste0("pg-line pg-line-", kind), `aria-hidden` = "true")

picture_panel <- function(id, title, label, legend) {
  tags <- shiny::tags
  tags$section(
    class = paste0("pg-panel pg-", id), `aria-label` = title,
    tags$h2(title),
    tags$div(class = "pg-canvas", tags$canvas(id = paste0("pg-", id), role = "img", `aria-label` = label)),
    tags$p(class = "pg-legend", legend)
  )
}

# A browser's own list, which works by keyboard and with screen readers.
native_select <- function(id, label, choices, selected) {
  shiny::selectInput(id, label, choices, selected, selectize = FALSE)
}

playground_controls <- function() {
  start <- playground_settings()
  number <- function(id, label, value, min, max, step) shiny::numericInput(id, label, value, min, max, step)
  plain <- function(values) stats::setNames(as.character(values), format_plain(values))
  group <- function(title, ...) shiny::tags$fieldset(shiny::tags$legend(title), shiny::tags$div(class = "pg-fields", ...))
  units <- lapply(seq_len(playground_layers), function(i) {
    shiny::conditionalPanel(
      sprintf("input.layers >= %d", i),
      native_select(paste0("units", i), sprintf("Units %d", i), seq_len(playground_units),
                    if (i <= length(start$units)) start$units[i] else 2)
    )
  })
  list(
    group(
      "Data",
      shiny::tags$div(class = "pg-long", native_select("data", "Data set", data_labels, start$data)),
      number("noise", "Noise", start$noise, 0, 0.5, 0.05),
      number("test", "Test data, %", start$test, 10, 50, 5),
      number("seed", "Seed", start$seed, 0, .Machine$integer.max, 1)
    ),
    shiny::tags$div(class = "pg-features", shiny::checkboxGroupInput(
      "features", "Features", inline = TRUE, choiceNames = unname(feature_labels), choiceValues = names(feature_labels),
      selected = start$features
    )),
    group(
      "Network",
      native_select("layers", "Hidden layers", 0:playground_layers, length(start$units)),
      native_select("activation", "Activation", playground_activations, start$activation),
      units
    ),
    group(
      "Training",
      shiny::tags$div(class = "pg-long", native_select("loss", "Loss", playground_losses(start$data), start$loss)),
      native_select("optimizer", "Optimizer", names(playground_optimizers), start$optimizer),
      native_select("learning_rate", "Learning rate", plain(playground_rates), start$learning_rate),
      number("batch_size", "Batch size", start$batch_size, 1, playground_points, 1),
      native_select("l1", "L1 penalty", plain(playground_penalties), start$l1),
      native_select("l2", "L2 penalty", plain(playground_penalties), start$l2),
      native_select("dropout", "Dropout", plain(playground_dropouts), start$dropout)
    )
  )
}

format_plain <- function(x) vapply(x, format, "", scientific = FALSE, drop0trailing = TRUE)

data_labels <- c(
  "circles" = "circles", "exclusive or" = "xor", "spirals" = "spirals", "clusters" = "clusters", "moons" = "moons",
  "hills (regression)" = "hills"
)

# The two tables of one sample.
backprop_html <- function(tables, sample, part) {
  number <- function(x) formatC(x, digits = 4, format = "g", flag = "#")
  columns <- list(
    units = c(unit = "Unit", sum = "Weighted sum z", activation = "Activation a", d_sum = "Gradient \u2202L/\u2202z"),
    weights = c(from = "From", to = "To", input = "Input", weight = "Weight w", gradient = "Gradient \u2202L/\u2202w")
  )
  captions <- c(units = "Units", weights = "Weights")
  shiny::tagList(
    shiny::tags$p(sprintf("Sample %d is %s data. Gradients are of its loss alone, penalties included.", sample, part)),
    shiny::tags$div(class = "pg-tables", lapply(names(columns), function(name) {
      html_table(tables[[name]], columns[[name]], captions[[name]], number)
    }))
  )
}

html_table <- function(data, headings, caption, number) {
  tags <- shiny::tags
  texts <- lapply(data[names(headings)], function(column) if (is.numeric(column)) number(column) else column)
  names <- sum(!vapply(data[names(headings)], is.numeric, NA)) # of the columns that name the row
  row <- function(i) {
    cells <- lapply(seq_along(texts), function(j) {
      if (j <= names) tags$th(scope = "row", texts[[j]][i]) else tags$td(texts[[j]][i])
    })
    tags$tr(cells)
  }
  heads <- lapply(seq_along(headings), function(j) {
    tags$th(scope = "col", class = if (j <= names) "pg-name", headings[[j]])
  })
  tags$div(
    class = "pg-table", tabindex = "0", role = "region", `aria-label` = caption,
    tags$table(
      tags$caption(caption),
      tags$thead(tags$tr(heads)),
      tags$tbody(lapply(seq_len(nrow(data)), row))
    )
  )
}
