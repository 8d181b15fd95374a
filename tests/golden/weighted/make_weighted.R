# Reference results for the weighted test, computed by R's metafor.
# Run in a folder: Rscript make_weighted.R   (Debian: r-cran-metafor)
suppressPackageStartupMessages(library(metafor))
set.seed(11)
w <- function(x, f) write.csv(format(x, digits = 15, trim = TRUE), f, quote = FALSE, row.names = FALSE)

# ---- 11 patients of two arms; variances between them that differ, or 0, and depths that differ ----
units <- data.frame(arm = rep(c(1, 0), c(5, 6)), age = c(.3, -1.2, .8, 1.5, -.4, .1, -.9, 2.1, -.2, .6, -1.6))
n <- nrow(units); tau <- rep(c(0, .1, .3, 1), 3); range <- rep(c(1, 10, 40), each = 4)
sampling <- sapply(range, function(r) .05 * exp(runif(n, 0, log(r))))
values <- sapply(seq_along(tau), function(i) rnorm(n, .6 * units$arm + .3 * units$age, sqrt(sampling[, i] + (tau[i] * (1 + units$arm))^2)))
names <- sprintf("%02d", seq_along(tau)); colnames(sampling) <- paste0("v", names); colnames(values) <- paste0("y", names)
w(cbind(units, sampling, values), "units.csv")

# ---- what Kenward and Roger (1997) add to the variance of a coefficient, with dense matrices ----
added <- function(v, tau2, X, at) {
  Vi <- diag(1 / (v + tau2)); Phi <- solve(t(X) %*% Vi %*% X); tr <- function(m) sum(diag(m))
  P <- -t(X) %*% Vi %*% Vi %*% X; Q <- t(X) %*% Vi %*% Vi %*% Vi %*% X
  I <- .5 * tr(Vi %*% Vi) - tr(Phi %*% Q) + .5 * tr(Phi %*% P %*% Phi %*% P)
  (2 * Phi %*% (Q - P %*% Phi %*% P) %*% Phi / I)[at, at]
}

control <- list(threshold = 1e-12, maxiter = 10000, stepadj = .5)
models <- list(between = ~ arm, adjusted = ~ arm + age, paired = ~ 1, trend = ~ age)
result <- NULL
add <- function(...) result <<- rbind(result, data.frame(...))
for (i in seq_along(tau)) {
  y <- values[, i]; v <- sampling[, i]; id <- seq_len(n); arm <- units$arm
  for (model in names(models)) {  # one variance between patients, Knapp and Hartung
    f <- rma(y, v, mods = models[[model]], data = units, method = "REML", test = "knha", control = control)
    at <- c(between = 2, adjusted = 2, paired = 1, trend = 2)[[model]]
    add(model, variances = "one", feature = names[i], estimate = f$beta[at], se = f$se[at], df = f$dfs, p = f$pval[at], added = added(v, f$tau2, f$X, at), tau2_first = f$tau2, tau2_second = NA)
  }
  # a variance for each arm: without covariates the arms are apart, and Satterthwaite joins them
  arms <- lapply(0:1, function(a) rma(y, v, subset = arm == a, method = "REML", test = "knha", control = control))
  se2 <- sapply(arms, function(f) f$se^2); free <- sapply(arms, function(f) f$k - 1)
  estimate <- arms[[2]]$beta[1] - arms[[1]]$beta[1]; df <- sum(se2)^2 / sum(se2^2 / free)
  add(model = "between", variances = "two", feature = names[i], estimate, se = sqrt(sum(se2)), df, p = 2 * pt(-abs(estimate) / sqrt(sum(se2)), df), added = sum(sapply(arms, function(f) added(f$vi, f$tau2, f$X, 1))), tau2_first = arms[[1]]$tau2, tau2_second = arms[[2]]$tau2)
  # with covariates: the standard error there is that of known variances, which we do not use
  for (model in c("between", "adjusted")) {
    f <- rma.mv(y, v, mods = models[[model]], random = ~ factor(arm) | id, struct = "DIAG", data = cbind(units, id), method = "REML", control = list(optimizer = "optim", optmethod = "Nelder-Mead", reltol = 1e-15, maxit = 10000))
    add(model, variances = "mv", feature = names[i], estimate = f$beta[2], se = NA, df = NA, p = NA, added = NA, tau2_first = f$tau2[1], tau2_second = f$tau2[2])
  }
}
w(result, "effects.csv")
writeLines(paste(c("R", "metafor"), c(as.character(getRversion()), as.character(packageVersion("metafor")))), "versions.txt")
