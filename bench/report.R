# The table, the file and the picture of bench/bench.R.

titles <- c(
  W1 = "W1 tiny, batch 10", W2 = "W2 table, batch 32", W3 = "W3 dense 512", W4 = "W4 convolutions", W5 = "W5 conv., batch norm.",
  W6 = "W6 LSTM", W6g = "W6g GRU", W7 = "W7 autoencoder", W8 = "W8 dense 4096", "W9-1" = "W9-1 predict 1 row", "W9-10" = "W9-10 predict 10 rows",
  "W9-W3" = "W9-W3 predict 256 rows", "W9-W4" = "W9-W4 predict 256 pictures"
)

columns <- c(
  "samples/s" = "samples per second, median over the rounds of the median of a process's runs; range: lowest and highest round",
  "us/step" = "microseconds for a batch: training step or predict()",
  "GF/s" = "multiply-adds of the network's products, counted twice, as written down (Winograd's saving counts as speed)",
  "% FMA, % sgemm" = "of the processor's measured multiply-add peak, and of a float32 product of 1024 x 1024 by the peers' BLAS, both in this run with as many threads",
  "loss, right" = "crossentropy (W7: mean squared error) and share of right classes on 512 training rows after the first run, which has the same epochs for all",
  "MB" = "what the process takes at its peak beyond what it held before (R or Python, the package, the data; lamina's own copy of the data counts)",
  "lamina" = "times as fast as the package lamina is; none where the package learns worse than lamina (see below) or does other work (apart)"
)

# A loss is worse when it exceeds lamina's by more than a third of what lamina gained over chance and by more than
# 2 % of the loss of chance: starting weights and order of batches alone make differences of that size.
tolerance_text <- "Worse: the loss exceeds lamina's by more than a third of lamina's gain over chance and by more than 2 % of the loss of chance."
is_worse <- function(loss, ours, chance) {
  over <- loss - ours
  is.na(loss) | over > pmax((chance - ours) / 3, 0.02 * chance)
}

summarise <- function(measured, about) {
  key <- interaction(measured$workload, measured$package, measured$threads, drop = TRUE)
  table <- do.call(rbind, lapply(split(measured, key), function(part) {
    w <- workloads[[part$workload[1]]]
    data.frame(
      workload = part$workload[1], package = part$package[1], threads = part$threads[1], rows = w$rows[[about$form]],
      epochs = w$epochs[[about$form]], batch = w$batch, rounds = nrow(part), runs = sum(part$runs), samples_per_s = stats::median(part$speed),
      low = min(part$speed), high = max(part$speed), memory_mb = max(part$memory), loss = stats::median(part$loss),
      accuracy = stats::median(part$accuracy), chance = part$chance[1], predicts = w$predicts, flops_per_sample = flops(w)
    )
  }))
  table <- table[!is.na(table$samples_per_s), ]
  table$us_per_step <- 1e6 * table$batch / table$samples_per_s
  table$gflops <- ifelse(table$package == "nnet", NA, table$samples_per_s * table$flops_per_sample / 1e9) # nnet's network is smaller
  peak <- about$peaks[match(table$threads, about$peaks$threads), ]
  table$percent_fma <- 100 * table$gflops / peak$fma
  table$percent_sgemm <- 100 * table$gflops / peak$sgemm
  table <- compared(table)
  table[order(match(table$workload, names(workloads)), table$threads, -table$samples_per_s), ]
}

compared <- function(table) {
  ours <- table[table$package == "lamina", ]
  ours <- ours[match(paste(table$workload, table$threads), paste(ours$workload, ours$threads)), ]
  apart <- settings$apart[match(table$package, settings$package)] != ""
  table$status <- ifelse(table$predicts, "compared", ifelse(apart, "apart", ifelse(is_worse(table$loss, ours$loss, ours$chance), "worse", "compared")))
  table$lamina_ratio <- ifelse(table$status == "compared", ours$samples_per_s / table$samples_per_s, NA)
  # what a network that only predicts has learned is no matter
  table[table$predicts, c("loss", "accuracy")] <- NA
  table
}

big <- function(x) format(signif(x, 3), big.mark = ",", scientific = FALSE, trim = TRUE, drop0trailing = TRUE)
each_big <- function(x) vapply(x, big, "")
blank <- function(text, x) ifelse(is.na(x), "", text)

shown <- function(part) {
  data.frame(
    package = part$package, "samples/s" = each_big(part$samples_per_s), range = paste(each_big(part$low), "to", each_big(part$high)),
    "us/step" = each_big(part$us_per_step), "GF/s" = blank(each_big(part$gflops), part$gflops),
    "% FMA" = blank(each_big(round(part$percent_fma, 1)), part$percent_fma),
    "% sgemm" = blank(each_big(round(part$percent_sgemm, 1)), part$percent_sgemm),
    loss = blank(sprintf("%.4f", part$loss), part$loss), right = blank(sprintf("%.0f %%", 100 * part$accuracy), part$accuracy),
    MB = sprintf("%.0f", part$memory_mb), lamina = ifelse(is.na(part$lamina_ratio), part$status, sprintf("%.2f", part$lamina_ratio)),
    check.names = FALSE
  )
}

# A table that reads as text and as markdown.
markdown <- function(table) {
  cells <- rbind(names(table), as.matrix(table))
  cells <- apply(cells, 2, format)
  line <- function(row) paste0("| ", paste(row, collapse = " | "), " |")
  c(line(cells[1, ]), line(strrep("-", nchar(cells[1, ]))), apply(cells[-1, , drop = FALSE], 1, line))
}

# The fastest peer whose training may be compared.
best_peers <- function(table) {
  peers <- table[table$package != "lamina" & !is.na(table$lamina_ratio), ]
  peers <- peers[order(peers$lamina_ratio), ]
  peers[!duplicated(peers[c("workload", "threads")]), ]
}

overview <- function(table) {
  best <- best_peers(table)
  best <- best[order(match(best$workload, names(workloads)), best$threads), ]
  if (nrow(best) == 0) return(NULL)
  ours <- table[table$package == "lamina", ]
  ours <- ours[match(paste(best$workload, best$threads), paste(ours$workload, ours$threads)), ]
  c("## lamina and the best peer", "", markdown(data.frame(
    workload = best$workload, threads = best$threads, "lamina samples/s" = each_big(ours$samples_per_s), "best peer" = best$package,
    "its samples/s" = each_big(best$samples_per_s), "times as fast" = sprintf("%.2f", best$lamina_ratio), check.names = FALSE
  )), "")
}

header <- function(about) {
  cores <- ifelse(nzchar(names(about$cores)), names(about$cores), "unset")
  packages <- Filter(function(p) requireNamespace(p, quietly = TRUE), c("lamina", "nnet", "RSNNS", "neuralnet", "ANN2", "deepnet"))
  versions <- vapply(packages, function(p) paste(p, utils::packageVersion(p)), "")
  set <- settings[settings$package %in% about$packages, ]
  set$apart[set$apart == ""] <- "-"
  names(set)[3] <- "apart, because"
  c(
    sprintf("# lamina beside its peers, %s", format(Sys.Date())), "",
    sprintf("%s (family-model %s), %s; %s form, %d round%s, %g s a process.", about$cpu, about$model, R.version.string, about$form, about$rounds,
            if (about$rounds > 1) "s" else "", about$seconds),
    paste0(paste(versions, collapse = ", "), "; ", about$python, "."),
    paste0("Absent: ", if (length(about$absent)) paste(about$absent, collapse = ", ") else "none", "."), "",
    sprintf("- %d thread%s: multiply-add peak %.0f GF/s, sgemm 1024 %.0f GF/s.", about$peaks$threads, ifelse(about$peaks$threads > 1, "s", ""),
            about$peaks$fma, about$peaks$sgemm),
    sprintf("- OPENBLAS_CORETYPE by GF/s of sgemm on one thread: %s. Peers run with: %s; lamina without.",
            paste(cores, round(about$cores), collapse = ", "), if (nzchar(about$core)) about$core else "unset"),
    "- OMP_NUM_THREADS = OPENBLAS_NUM_THREADS = threads for all peers; threadpoolctl besides in Python.", "",
    markdown(set), ""
  )
}

report <- function(measured, about, folder) {
  table <- summarise(measured, about)
  parts <- split(table, interaction(table$threads, factor(table$workload, names(workloads)), drop = TRUE))
  tables <- lapply(parts, function(part) {
    c(sprintf("### %s, %d thread%s", titles[[part$workload[1]]], part$threads[1], if (part$threads[1] > 1) "s" else ""), "", markdown(shown(part)), "")
  })
  text <- c(header(about), overview(table), "## All", "", sprintf("- %s: %s.", names(columns), columns), "", tolerance_text, "",
            unlist(tables, use.names = FALSE))
  dir.create(folder, FALSE, TRUE)
  slug <- gsub("^-|-$", "", gsub("[^a-z0-9]+", "-", gsub("\\(r\\)|\\(tm\\)", "", tolower(paste(about$cpu, about$model)))))
  stem <- file.path(folder, paste(Sys.Date(), slug, sep = "-"))
  if (about$form == "short") stem <- paste0(stem, "-short")
  dated <- cbind(date = format(Sys.Date()), cpu = about$cpu, table[names(table) != "predicts"])
  utils::write.csv(dated, paste0(stem, ".csv"), row.names = FALSE)
  writeLines(text, paste0(stem, ".md"))
  picture(table, about, paste0(stem, ".png"))
  if (about$rounds == about$planned) cat(text, "", paste0("written: ", stem, ".csv, .md, .png"), sep = "\n")
}

# How many times as fast as each peer lamina is; the nearest peer of each workload by name.
picture <- function(table, about, file) {
  peers <- table[table$package != "lamina" & !is.na(table$lamina_ratio), ]
  if (!requireNamespace("ggplot2", quietly = TRUE) || nrow(peers) == 0) return(invisible())
  aes <- ggplot2::aes
  peers$family <- ifelse(grepl("^torch", peers$package), "PyTorch, all forms", ifelse(peers$package == "sklearn", "scikit-learn", "R packages"))
  peers$place <- factor(titles[peers$workload], rev(titles))
  peers$facet <- paste(peers$threads, ifelse(peers$threads > 1, "threads", "thread"))
  best <- best_peers(peers)
  best$label <- sprintf("%s  %s", best$package, vapply(best$lamina_ratio, function(r) format(signif(r, 2), trim = TRUE), ""))
  right <- max(peers$lamina_ratio) * 2
  plot <- ggplot2::ggplot(peers, aes(.data$lamina_ratio, .data$place)) +
    ggplot2::geom_vline(xintercept = 1, colour = "grey40") +
    ggplot2::geom_point(aes(colour = .data$family, shape = .data$family), size = 2.4, alpha = 0.8) +
    ggplot2::geom_text(aes(x = right, label = .data$label), data = best, hjust = 0, size = 3) +
    ggplot2::facet_wrap(~facet) +
    ggplot2::scale_x_log10(breaks = 10^(-1:3), labels = c("0.1", "1", "10", "100", "1000"),
                           expand = ggplot2::expansion(mult = c(0.05, 0.6))) +
    ggplot2::scale_colour_manual(values = c("PyTorch, all forms" = "#D55E00", "R packages" = "#0072B2", "scikit-learn" = "#009E73")) +
    ggplot2::labs(
      title = "How many times as fast as each peer lamina is",
      subtitle = paste0("Right of the line lamina is ahead; the nearest peer by name.  ", about$cpu, ", ", format(Sys.Date()), ", ", about$form, " form"),
      x = "lamina's samples per second / the peer's (log axis)", y = NULL, colour = NULL, shape = NULL
    ) +
    ggplot2::theme_minimal(base_size = 11) +
    ggplot2::theme(legend.position = "bottom", panel.grid.minor = ggplot2::element_blank(), plot.background = ggplot2::element_rect(fill = "white", colour = NA))
  ggplot2::ggsave(file, plot, width = 11, height = 6, dpi = 120)
}
