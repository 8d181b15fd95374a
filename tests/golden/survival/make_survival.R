# Reference results for survival, computed by R's survival and cmprsk.
# Run in a folder: Rscript make_survival.R   (Debian: r-cran-survival, r-cran-cmprsk)
suppressPackageStartupMessages({library(survival); library(cmprsk)})
w <- function(x, f) write.csv(format(x, digits = 15, trim = TRUE), f, quote = FALSE, row.names = FALSE)

# ---- cohorts: n, time in days, tied time in months, two causes, three columns, two and three groups ----
draw <- function(set, n, seed, censored, round) {
  set.seed(seed)
  x1 <- rnorm(n); x2 <- rnorm(n) + .5 * x1; x3 <- rep(c(0, 1), length.out = n)
  t1 <- rexp(n, exp(.7 * x1 - .3 * x3)); t2 <- rexp(n, .5); c <- runif(n, censored, 3 * censored)
  time <- pmin(t1, t2, c); cause <- ifelse(c <= pmin(t1, t2), 0, ifelse(t1 < t2, 1, 2))
  data.frame(set, time = ceiling(time * 365 / round) * round, cause, x1, x2, x3, group = rep(c(2, 0, 1), length.out = n))
}
cohorts <- rbind(draw("n10", 10, 1, .6, 1), draw("n16", 16, 2, .3, 1), draw("n16_ties", 16, 3, .5, 90), draw("n30", 30, 4, .3, 1), draw("n30_ties", 30, 5, .4, 60))
sorted <- draw("monotone", 12, 6, .3, 1); sorted <- sorted[order(sorted$time), ]
sorted$x1 <- sort(sorted$x1, decreasing = TRUE); sorted$cause <- ifelse(seq_len(12) %in% c(1, 3, 4, 6, 9), 1, 0)
v <- subset(veteran, celltype != "large" & prior == 0)
vet <- data.frame(set = "veteran", time = v$time, cause = ifelse(v$status == 1, 1 + v$diagtime %% 2, 0), x1 = v$karno / 10, x2 = v$age / 10, x3 = v$trt - 1, group = as.integer(factor(v$celltype)) - 1)
cohorts <- rbind(cohorts, sorted, vet)
w(cohorts, "cohorts.csv")

# ---- Firth's penalty: log likelihood + half the log determinant of the information, from coxph itself ----
penalized <- function(b, d, terms) {
  f <- suppressWarnings(coxph(reformulate(terms, "Surv(time, any)"), d, init = b, ties = "efron", control = coxph.control(iter.max = 0)))
  f$loglik[2] - .5 * determinant(vcov(f))$modulus
}
# Newton's steps, with the slope of five points and the curvature of three
climb <- function(f, b, h = 2e-3) {
  at <- function(...) { z <- b; i <- c(...); for (j in seq_along(i)) z[abs(i[j])] <- z[abs(i[j])] + sign(i[j]) * step[j]; f(z) }
  for (i in 1:60) {
    k <- length(b); here <- f(b)
    slope <- sapply(1:k, function(j) { step <<- 2 * h; far <- at(j) - at(-j); step <<- h; (8 * (at(j) - at(-j)) - far) / (12 * h) })
    bend <- matrix(0, k, k)
    for (j in 1:k) for (l in 1:j) { step <<- c(h, h) * 5
      bend[j, l] <- bend[l, j] <- if (j == l) (at(j) - 2 * here + at(-j)) / step[1]^2 else (at(j, l) - at(j, -l) - at(-j, l) + at(-j, -l)) / (4 * step[1]^2) }
    e <- eigen(-bend, symmetric = TRUE); go <- drop(e$vectors %*% (crossprod(e$vectors, slope) / pmax(abs(e$values), 1e-3)))
    while (max(abs(go)) > 1e-10 && !(f(b + go) >= here - 1e-12)) go <- go / 2
    b <- b + go; if (max(abs(go)) < 1e-9) return(b)
  }
  stop("no maximum")
}
step <- NULL
profile <- function(b1, d, terms, start) {  # maximum over the other columns
  if (length(terms) == 1) return(as.numeric(penalized(b1, d, terms)))
  as.numeric(penalized(c(b1, climb(function(b) as.numeric(penalized(c(b1, b), d, terms)), start)), d, terms))
}
firth <- function(d, terms) {
  best <- climb(function(b) as.numeric(penalized(b, d, terms)), rep(0, length(terms)))
  top <- as.numeric(penalized(best, d, terms))
  f <- suppressWarnings(coxph(reformulate(terms, "Surv(time, any)"), d, init = best, ties = "efron", control = coxph.control(iter.max = 0)))
  se <- sqrt(vcov(f)[1, 1]); drop <- function(b) profile(b, d, terms, best[-1]) - top + qchisq(.95, 1) / 2
  bound <- function(side) uniroot(drop, sort(best[1] + side * c(0, 4 * se)), extendInt = if (side < 0) "upX" else "downX", tol = 1e-9)$root
  data.frame(coef1 = best[1], se = se, ci_low = bound(-1), ci_high = bound(1), p = pchisq(2 * (top - profile(0, d, terms, best[-1])), 1, lower.tail = FALSE))
}

# ---- all results, one row each ----
fits <- other <- curves <- incidence <- NULL
for (set in unique(cohorts$set)) {
  d <- cohorts[cohorts$set == set, ]; d$any <- d$cause > 0; d$test <- d$x1 > median(d$x1)
  for (terms in list("x1", c("x1", "x3"), c("x1", "x2", "x3"))) if (!(set == "n10" && length(terms) > 2))
    fits <- rbind(fits, data.frame(set, k = length(terms), firth(d, terms)))
  f <- suppressWarnings(coxph(Surv(time, any) ~ x1, d, ties = "efron")); three <- suppressWarnings(coxph(Surv(time, any) ~ x1 + x2 + x3, d, ties = "efron"))
  add <- function(what, value, p = NA) other <<- rbind(other, data.frame(set, what, value, p))
  add("score", f$score, pchisq(f$score, 1, lower.tail = FALSE))
  if (set != "monotone") {
    add("wald", f$wald.test, pchisq(f$wald.test, 1, lower.tail = FALSE)); add("lr", 2 * diff(f$loglik), pchisq(2 * diff(f$loglik), 1, lower.tail = FALSE))
    for (i in 1:3) add(paste0("coef", i), three$coef[i])
    for (t in c("km", "rank")) { z <- cox.zph(three, t)$table; add(paste0("zph_", t), z["x1", "chisq"], z["x1", "p"]) }
  }
  lr <- survdiff(Surv(time, any) ~ test, d); add("logrank", lr$chisq, pchisq(lr$chisq, 1, lower.tail = FALSE))
  s <- survfit(Surv(time, any) ~ 1, d, conf.type = "log-log")
  curves <- rbind(curves, data.frame(set, time = s$time, at_risk = s$n.risk, events = s$n.event, survival = s$surv, low = s$lower, high = s$upper))
  until <- quantile(d$time, .6, names = FALSE); add("until", until)
  add("median", summary(s)$table["median"])
  g <- survfit(Surv(time, any) ~ test, d); means <- summary(g, rmean = until)$table
  for (i in 1:2) { add(paste0("rmean", i - 1), means[i, "rmean"]); add(paste0("rmean_se", i - 1), means[i, "se(rmean)"]) }
  if (set != "monotone") {
    c1 <- cuminc(d$time, d$cause)[["1 1"]]; at <- sort(unique(d$time[d$cause == 1])); e <- timepoints(list(a = c1), at)
    incidence <- rbind(incidence, data.frame(set, time = at, incidence = e$est[1, ], variance = e$var[1, ]))
    for (g in c("test", "group")) { r <- cuminc(d$time, d$cause, d[[g]])$Tests["1", ]; add(paste0("gray_", g), r["stat"], r["pv"]) }
  }
}
w(fits, "firth.csv"); w(other, "tests.csv"); w(curves, "curves.csv"); w(incidence, "incidence.csv")
writeLines(paste(c("R", "survival", "cmprsk"), c(as.character(getRversion()), as.character(packageVersion("survival")), as.character(packageVersion("cmprsk")))), "versions.txt")
