# A network fitted as lm(), glm() and nnet() are, on data that come with R.
#
#     Rscript models.R

library(lamina)
set.seed(1)

# Classes: diabetes among 532 women, MASS's own split into training and test -------------------

train <- MASS::Pima.tr
test <- MASS::Pima.te

network <- lamina(type ~ ., train, hidden_units = 8, optimizer = "bfgs", penalty = 0.02)
print(network)
logistic <- glm(type ~ ., binomial, train)

judge <- function(p) {
  truth <- test$type == "Yes"
  c(accuracy = mean((p > 0.5) == truth), `log loss` = -mean(log(ifelse(truth, p, 1 - p))))
}
cat("\nOn the test data:\n")
print(round(rbind(network = judge(predict(network, test)), glm = judge(predict(logistic, test, type = "response"))), 3))

# A network without hidden layers is logistic regression.
same <- lamina(type ~ ., train, hidden_units = 0, optimizer = "bfgs")
cat("\nCoefficients without hidden layers, and glm()'s:\n")
print(round(rbind(lamina = coef(same), glm = coef(logistic)), 4))

# Numbers: fuel consumption ---------------------------------------------------------------------

cars <- transform(mtcars, cyl = factor(cyl), am = factor(am, labels = c("automatic", "manual")))
fuel <- lamina(mpg ~ wt + hp + cyl + am, cars, hidden_units = 4, optimizer = "bfgs", penalty = 0.01)
cat("\n")
print(summary(fuel))
cat("\nAIC of the network and of lm():", round(AIC(fuel), 1), "and", round(AIC(lm(mpg ~ wt + hp + cyl + am, cars)), 1),
    "\n(each of the network's weights counts in full, though the penalty holds them back)\n")
cat("A car of 3,000 pounds, 110 horse power, 6 cylinders, manual:",
    round(predict(fuel, data.frame(wt = 3, hp = 110, cyl = "6", am = "manual")), 1), "miles a gallon\n")

# Counts, with an exposure ----------------------------------------------------------------------

claims <- lamina(Claims ~ District + Group + Age, MASS::Insurance, family = poisson(), offset = log(Holders),
                 hidden_units = 3, optimizer = "bfgs", penalty = 0.001)
cat("\n")
print(claims)

png("models-network.png", 1100, 700, res = 130)
plot(fuel, type = "network")
invisible(dev.off())
png("models-partial.png", 1100, 700, res = 130)
print(plot(fuel, type = "partial"))
invisible(dev.off())
