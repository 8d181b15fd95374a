# Random-effects meta-analyses by R's metafor: Rscript make_meta.R, in this folder.
suppressMessages(library(metafor))
cohorts <- read.csv("cohorts.csv")
rows <- list()
for (set in unique(cohorts$set)) {
  own <- cohorts[cohorts$set == set, ]
  fit <- rma(yi = own$estimate, sei = own$se, method = "PM", test = "adhoc",
             control = list(tol = 1e-14, tau2.max = 1e4, maxiter = 1000))
  fixed <- rma(yi = own$estimate, sei = own$se, method = "EE")
  ci <- confint(fit, control = list(tol = 1e-14, tau2.max = 1e4, maxiter = 1e4))$random
  pi <- predict(fit)
  rows[[set]] <- data.frame(
    set = set, estimate = fit$b[1], se = fit$se, ci_low = fit$ci.lb, ci_high = fit$ci.ub,
    p = fit$pval, prediction_low = pi$pi.lb, prediction_high = pi$pi.ub, tau2 = fit$tau2,
    tau2_low = ci["tau^2", "ci.lb"], tau2_high = ci["tau^2", "ci.ub"], i2 = fit$I2 / 100,
    i2_low = ci["I^2(%)", "ci.lb"] / 100, i2_high = ci["I^2(%)", "ci.ub"] / 100,
    q = fit$QE, q_p = fit$QEp, fixed = fixed$b[1], fixed_low = fixed$ci.lb, fixed_high = fixed$ci.ub)
}
write.csv(format(do.call(rbind, rows), digits = 12), "combined.csv", row.names = FALSE, quote = FALSE)
writeLines(paste(R.version.string, "metafor", packageVersion("metafor")), "versions.txt")
