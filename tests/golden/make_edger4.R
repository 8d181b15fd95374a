# Reference results of edgeR 4's quasi-likelihood test and of voomLmFit, on the cohort of make_golden.R.
# Run in its folder: Rscript make_edger4.R   (edgeR 4; reads samples.csv and pseudobulk_counts.csv)
suppressPackageStartupMessages(library(edgeR))
stopifnot(packageVersion("edgeR") >= "4.0")
tidy <- function(x) as.data.frame(lapply(x, function(v) if (is.numeric(v)) signif(v, 10) else v))
w <- function(x, f) write.csv(tidy(x), f, quote = FALSE, row.names = FALSE)
samples <- read.csv("samples.csv")
Y <- as.matrix(read.csv("pseudobulk_counts.csv", row.names = 1, check.names = FALSE))[, samples$sample]
nr <- samples$response == "NR"; post <- samples$timepoint == "post"
full <- samples$patient %in% names(which(table(samples$patient) == 2))

# counts of some samples, filtered by a design, with TMM factors
lists <- function(Y, filtering, used = rep(TRUE, ncol(Y))) {
  dge <- DGEList(Y); kept <- filterByExpr(dge, filtering)
  dge <- DGEList(Y[kept & rowSums(Y[, used]) > 0, used])
  normLibSizes(dge)
}
# the last column of each design is the comparison
patient <- function(k) model.matrix(~ factor(samples$patient[k]))
k <- !post
baseline <- model.matrix(~ factor(samples$product[k]) + nr[k])
paired <- cbind(patient(full), post[full])
groups <- cbind(!nr, nr, !nr & post, nr & post) + 0
within <- cbind(patient(full), post[full], (nr & post)[full])
tested <- list(baseline = list(lists(Y[, k], baseline), baseline),
               paired = list(lists(Y[, full], paired), paired),
               change = list(lists(Y, groups, full), within))
ql <- function(dge, d, f) {
  fit <- glmQLFit(dge, d, legacy = FALSE); test <- glmQLFTest(fit, coef = ncol(d))
  w(data.frame(gene = rownames(dge), log2fc = test$table$logFC, f = test$table$F, df = test$df.total,
               p = test$table$PValue, dispersion = fit$dispersion,
               s2_prior = fit$s2.prior, s2_post = fit$s2.post), f)
}
for (name in names(tested)) ql(tested[[name]][[1]], tested[[name]][[2]], sprintf("edger4_%s.csv", name))

# voomLmFit; some genes have zeros throughout a group, whose fitted values are left out of the variance
top <- function(dge, fit, coef, f) {
  fit <- eBayes(fit)
  w(data.frame(gene = rownames(dge), log2fc = fit$coefficients[, coef], t = fit$t[, coef], df = fit$df.total,
               df_residual = fit$df.residual, p = fit$p.value[, coef]), f)
}
voom_fits <- function(Y, suffix) {
  dge <- lists(Y[, k], baseline); top(dge, voomLmFit(dge, baseline), ncol(baseline), sprintf("voomlmfit_baseline%s.csv", suffix))
  # difference of differences as one coefficient, patients as correlated blocks
  d <- cbind(1, nr, post, nr & post) + 0
  dge <- lists(Y, d); fit <- voomLmFit(dge, d, block = samples$patient)
  top(dge, fit, 4, sprintf("voomlmfit_change%s.csv", suffix))
  write(format(fit$correlation, digits = 15), sprintf("voomlmfit_change%s.correlation.txt", suffix))
}
voom_fits(Y, "")
# the same counts, where every tenth gene is seen in non-responders only
silent <- Y; silent[seq(5, nrow(Y), 10), !nr] <- 0L
voom_fits(silent, "_zeros")

# voom with a trend for each arm (voomByGroup), divided by the mean root of an estimated deviation
mean_root <- function(df) (2 / df)^.25 * gamma(df / 2 + .25) / gamma(df / 2)
by_arm <- function(dge, d, arm, block = NULL, ...) {
  v <- voom(dge, d)
  for (a in unique(arm)) {
    i <- arm == a; q <- qr(d[i, ]); own <- d[i, q$pivot[seq_len(q$rank)]]
    part <- voom(dge$counts[, i], own, lib.size = getNormLibSizes(dge)[i], block = block[i], ...)
    v$weights[, i] <- part$weights * mean_root(sum(i) - q$rank)^4
  }
  v
}
dge <- lists(Y[, k], baseline); fit <- lmFit(by_arm(dge, baseline, nr[k]), baseline)
top(dge, fit, ncol(baseline), "voom_by_arm_baseline.csv")
d <- cbind(1, nr, post, nr & post) + 0; dge <- lists(Y, d); v <- by_arm(dge, d, nr); patients <- samples$patient
cor <- duplicateCorrelation(v, d, block = patients)$consensus.correlation
v <- by_arm(dge, d, nr, block = patients, correlation = cor)
cor <- duplicateCorrelation(v, d, block = patients)$consensus.correlation
top(dge, lmFit(v, d, block = patients, correlation = cor), 4, "voom_by_arm_change.csv")
writeLines(c(R.version.string, sapply(c("limma", "edgeR", "statmod"), function(p) paste(p, packageVersion(p)))), "versions_edger4.txt")
