# Networks beside classical models on real tables, by compare_models() with 10 folds.
#
#   Rscript bench/models.R <folder with the tables> [abalone,wine,housing,pima,banknote = all]
#
# The folder holds abalone.csv, winequality-red.csv, winequality-white.csv, housing.data, pima-indians-diabetes.csv and
# banknote_authentication.csv of the UCI repository, without header lines.
# All models as they stand, with their defaults: nnet() is given 5 units and, as usual with it, data that are not
# scaled.  Needs lamina, rsample, yardstick, rpart, nnet, MASS and randomForest installed.  Takes two minutes.

args <- commandArgs(TRUE)
if (length(args) == 0) stop("Give the folder with the tables.")
suppressPackageStartupMessages(library(lamina))

read <- function(file, sep = ",") {
  data <- read.table(file.path(args[1], file), sep = sep, stringsAsFactors = TRUE)
  names(data)[ncol(data)] <- "y"
  data
}
classes <- function(data) transform(data, y = factor(y))
tables <- list(
  abalone = function() read("abalone.csv"),
  wine = function() rbind(read("winequality-red.csv"), read("winequality-white.csv")),
  housing = function() read("housing.data", ""),
  pima = function() classes(read("pima-indians-diabetes.csv")),
  banknote = function() classes(read("banknote_authentication.csv"))
)
forest <- function(formula, data) randomForest::randomForest(formula, data, ntree = 100)
small <- function(formula, data) lamina(formula, data, hidden_units = 8, optimizer = "bfgs", penalty = 0.003)

for (name in if (length(args) > 1) strsplit(args[2], ",")[[1]] else names(tables)) {
  data <- tables[[name]]()
  models <- if (is.factor(data$y)) list(glm = glm, lda = MASS::lda) else list(lm = lm)
  models <- c(models, rpart = rpart::rpart, nnet = nnet::nnet, forest = forest, lamina = lamina, "lamina, bfgs" = small)
  set.seed(1)
  cat("\n==", name, "==\n")
  print(suppressWarnings(compare_models(
    y ~ ., data, models, metrics = if (is.factor(data$y)) c("mn_log_loss", "roc_auc") else "rmse", verbose = 0
  )))
}
