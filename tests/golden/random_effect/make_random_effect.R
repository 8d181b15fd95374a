# Reference results for the random patient effect, computed by R's lme4, pbkrtest and nlme.
# Run in a folder: Rscript make_random_effect.R   (Debian: r-cran-lme4 r-cran-pbkrtest r-cran-nlme)
suppressPackageStartupMessages({library(lme4); library(pbkrtest); library(nlme)})
set.seed(7)
w <- function(x, f) write.csv(format(x, digits = 15, trim = TRUE), f, quote = FALSE, row.names = FALSE)

# ---- 12 patients of two arms, 8 of them with both phases; correlations of either sign ----
patients <- data.frame(patient = sprintf("P%02d", 1:12), arm = rep(c(1, 0), c(5, 7)),
                       age = c(.3, -1.2, .8, 1.5, -.4, .1, -.9, 2.1, -.2, .6, -1.6, .9))
samples <- merge(patients, data.frame(post = 0:1))
samples <- samples[!paste(samples$patient, samples$post) %in% c("P02 1", "P05 0", "P07 1", "P12 1"), ]
samples <- samples[order(samples$patient, samples$post), ]; n <- nrow(samples)
correlation <- rep(c(.8, .5, .2, 0, -.3, -.6), 2)
values <- sapply(correlation, function(r) {
  shared <- rnorm(12); names(shared) <- patients$patient
  e <- rnorm(n); sign <- ifelse(r < 0, 2 * samples$post - 1, 1)
  (sqrt(abs(r)) * sign * shared[samples$patient] + sqrt(1 - abs(r)) * e) * ifelse(samples$arm == 1, 2, 1) + .7 * samples$post * samples$arm
})
colnames(values) <- sprintf("f%02d", seq_along(correlation))
w(cbind(samples, values), "samples.csv")

# ---- restricted likelihood and Kenward and Roger (1997) with dense matrices, term by term ----
pieces <- function(s, arms) {  # V = sum of theta_k G_k: residual and patients, of each arm
  same <- outer(s$patient, s$patient, "==") * 1
  unlist(lapply(unique(arms), function(a) { own <- diag(as.numeric(arms == a)); list(own, own %*% same %*% own) }), recursive = FALSE)
}
parts_at <- function(theta, G, X, y) {
  V <- Reduce(`+`, Map(`*`, theta, G)); Vi <- solve(V); Phi <- solve(t(X) %*% Vi %*% X)
  P <- Vi - Vi %*% X %*% Phi %*% t(X) %*% Vi
  score <- sapply(G, function(g) -.5 * sum(diag(P %*% g)) + .5 * as.numeric(t(y) %*% P %*% g %*% P %*% y))
  info <- outer(seq_along(G), seq_along(G), Vectorize(function(k, l) .5 * as.numeric(t(y) %*% P %*% G[[k]] %*% P %*% G[[l]] %*% P %*% y)))
  list(V = V, Vi = Vi, Phi = Phi, P = P, score = score, info = info,
       dev = as.numeric(determinant(V)$modulus - determinant(Phi)$modulus + t(y) %*% P %*% y))
}
inside <- function(theta) { within <- theta[c(TRUE, FALSE)]; between <- within + 2 * theta[c(FALSE, TRUE)]  # no spikes
  all(within > 0 & between > 0) && min(within / between, between / within) >= 1e-4 }
reml <- function(G, X, y) {  # from correlations of either sign, since the likelihood may have two maxima
  f <- function(theta) if (inside(theta)) parts_at(theta, G, X, y)$dev else 1e10
  starts <- as.matrix(expand.grid(rep(list(c(-.7, .7)), length(G) / 2))); best <- NULL
  for (row in seq_len(nrow(starts))) { start <- as.vector(rbind(1 - starts[row, ], starts[row, ])) * var(y)
    for (i in 1:2) start <- optim(start, f, control = list(maxit = 4000, reltol = 1e-15))$par
    for (i in 1:500) { at <- parts_at(start, G, X, y); step <- solve(at$info, at$score); size <- 1
      while (f(start + size * step) > at$dev + 1e-10) size <- size / 2
      start <- start + size * step; if (max(abs(step / (abs(start) + 1e-3))) < 1e-12) break }
    if (max(abs(at$score * start)) < 1e-7) if (is.null(best) || f(start) < f(best)) best <- start }
  stopifnot(!is.null(best)); best
}
kenward_roger <- function(G, X, y, theta, at) {
  s <- parts_at(theta, G, X, y); Phi <- s$Phi; K <- length(G); Vi <- s$Vi; tr <- function(m) sum(diag(m))
  P <- lapply(G, function(g) -t(X) %*% Vi %*% g %*% Vi %*% X)
  Q <- lapply(G, function(g) lapply(G, function(h) t(X) %*% Vi %*% g %*% Vi %*% h %*% Vi %*% X))
  I <- matrix(0, K, K)
  for (k in 1:K) for (l in 1:K) I[k, l] <- .5 * tr(Vi %*% G[[k]] %*% Vi %*% G[[l]]) - tr(Phi %*% Q[[k]][[l]]) + .5 * tr(Phi %*% P[[k]] %*% Phi %*% P[[l]])
  W <- solve(I); U <- matrix(0, ncol(X), ncol(X)); A1 <- A2 <- 0; L <- as.numeric(seq_len(ncol(X)) == at)
  Theta <- L %*% solve(t(L) %*% Phi %*% L) %*% t(L)
  for (k in 1:K) for (l in 1:K) { U <- U + W[k, l] * (Q[[k]][[l]] - P[[k]] %*% Phi %*% P[[l]])
    A1 <- A1 + W[k, l] * tr(Theta %*% Phi %*% P[[k]] %*% Phi) * tr(Theta %*% Phi %*% P[[l]] %*% Phi)
    A2 <- A2 + W[k, l] * tr(Theta %*% Phi %*% P[[k]] %*% Phi %*% Theta %*% Phi %*% P[[l]] %*% Phi) }
  adjusted <- Phi + 2 * Phi %*% U %*% Phi; beta <- as.numeric(Phi %*% t(X) %*% Vi %*% y)[at]
  q <- 1; B <- (A1 + 6 * A2) / (2 * q); g <- ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2); d <- 3 * q + 2 * (1 - g)
  c1 <- g / d; c2 <- (q - g) / d; c3 <- (q + 2 - g) / d; E <- 1 / (1 - A2 / q)
  V <- 2 / q * (1 + c1 * B) / ((1 - c2 * B)^2 * (1 - c3 * B)); rho <- V / (2 * E^2); m <- 4 + (q + 2) / (q * rho - 1)
  scale <- m / (E * (m - 2)); stopifnot(abs(scale - 1) < 1e-6)
  se <- sqrt(adjusted[at, at]); c(estimate = beta, se = se, df = m, p = 2 * pt(-abs(beta / se), m))
}

tight <- lmerControl(optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-11, xtol_rel = 1e-11, ftol_abs = 1e-14, ftol_rel = 1e-14, maxeval = 5000),
                     check.conv.singular = "ignore")
models <- list(paired = ~ post, change = ~ arm * post, adjusted = ~ (arm + age) * post)
tested <- c(paired = "post", change = "arm:post", adjusted = "arm:post"); rows <- list()
for (model in names(models)) for (arms in c("one", "own")) if (model != "paired" || arms == "one") for (f in colnames(values)) {
  y <- values[, f]; X <- model.matrix(models[[model]], samples); at <- match(tested[[model]], colnames(X))
  G <- pieces(samples, if (arms == "one") rep(1, n) else samples$arm); theta <- reml(G, X, y)
  own <- kenward_roger(G, X, y, theta, at); source <- "dense"
  if (arms == "one") {
    fit <- lmer(update(models[[model]], y ~ . + (1 | patient)), samples, control = tight)
    constant <- (n - ncol(X)) * log(2 * pi)
    if (!isSingular(fit, tol = 1e-3) && abs(REMLcrit(fit) - constant - parts_at(theta, G, X, y)$dev) < 1e-6) {
      adjusted <- vcovAdj(fit); L <- as.numeric(seq_len(ncol(X)) == at); source <- "pbkrtest"
      theirs <- c(estimate = fixef(fit)[[at]], se = sqrt(adjusted[at, at]), df = Lb_ddf(L, vcov(fit), adjusted))
      theirs["p"] <- 2 * pt(-abs(theirs["estimate"] / theirs["se"]), theirs["df"])
      stopifnot(abs(theirs / own - 1) < 1e-6); own <- theirs
    } else {
      g <- gls(update(models[[model]], y ~ .), samples, correlation = corCompSymm(form = ~ 1 | patient), control = glsControl(tolerance = 1e-12, msTol = 1e-14))
      if (abs(-2 * as.numeric(logLik(g)) - constant - parts_at(theta, G, X, y)$dev) < 1e-6) { source <- "nlme"
        stopifnot(abs(coef(g)[[at]] / own["estimate"] - 1) < 1e-4) }
    }
  } else {
    if (all(theta > 1e-3)) {
      fit <- lme(update(models[[model]], y ~ .), samples, random = list(patient = pdDiag(~ 0 + factor(arm))), weights = varIdent(form = ~ 1 | arm),
                 control = lmeControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 500, returnObject = TRUE))
      if (abs(-2 * as.numeric(logLik(fit)) - (n - ncol(X)) * log(2 * pi) - parts_at(theta, G, X, y)$dev) < 1e-6) { source <- "nlme"
        stopifnot(abs(fixef(fit)[[at]] / own["estimate"] - 1) < 1e-4) }
    }
  }
  k <- length(theta) / 2; within <- theta[2 * seq_len(k) - 1]; between <- within + 2 * theta[2 * seq_len(k)]
  name <- rep(c(NA, NA), 2); name <- c(within, if (k == 1) NA, between, if (k == 1) NA)
  rows[[length(rows) + 1]] <- data.frame(model = model, arms = arms, feature = f, source = source, t(own), within_first = name[1], within_second = name[2],
                                         between_first = name[3], between_second = name[4])
}
found <- do.call(rbind, rows); print(table(found$model, found$source, found$arms)); w(found, "effects.csv")
packages <- c("lme4", "pbkrtest", "nlme")
writeLines(c(R.version.string, sprintf("%s %s", packages, sapply(packages, function(p) as.character(packageVersion(p))))), "versions.txt")
