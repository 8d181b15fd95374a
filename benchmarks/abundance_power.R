# P-values of propeller for LAMM cells in simulated tables of cells, one row per table.
# Run: Rscript benchmarks/abundance_power.R counts.tsv p.tsv   (Debian: r-bioc-limma r-cran-statmod)
#
# counts.tsv has a row per sample: setting, planted, table, arm, then one column per population.
# The test is speckle's `propeller.ttest` with its defaults: logits of proportions with a pseudocount
# of 0.5, one mean per arm, robust moderation without trend (Phipson 2022, btac582).
suppressPackageStartupMessages(library(limma))
files <- commandArgs(TRUE)
rows <- read.delim(files[1], check.names = FALSE)
names_of_table <- c("setting", "planted", "table")
counts <- as.matrix(rows[setdiff(names(rows), c(names_of_table, "arm"))])
arm <- factor(rows$arm, c("reference", "test"))

propeller <- function(at) {
  share <- (counts[at, ] + 0.5) / rowSums(counts[at, ] + 0.5)
  fit <- lmFit(t(log(share / (1 - share))), model.matrix(~ 0 + arm[at]))
  fit <- contrasts.fit(fit, c(-1, 1))
  p <- function(robust) eBayes(fit, robust = robust, trend = FALSE)$p.value["LA_macrophage", 1]
  c(sum(counts[at, "LA_macrophage"]), signif(p(TRUE), 7), signif(p(FALSE), 7))
}
key <- do.call(paste, rows[names_of_table])
tables <- split(seq_along(key), factor(key, unique(key)))
found <- t(vapply(tables, propeller, numeric(3)))
colnames(found) <- c("n_lamm", "p", "p_not_robust")
output <- cbind(rows[!duplicated(key), names_of_table], found)
write.table(output, files[2], sep = "\t", quote = FALSE, row.names = FALSE)
cat(sprintf("limma %s, %s\n", packageVersion("limma"), R.version.string))
