# Reference results for droplets and ambient RNA, computed by R's DropletUtils and edgeR from simulated counts.
# Run in a folder: Rscript make_droplets.R   (Debian: r-bioc-dropletutils r-bioc-edger)
suppressPackageStartupMessages({library(DropletUtils); library(edgeR); library(Matrix)})
set.seed(1)
w <- function(x, f) write.csv(x, if (grepl("gz$", f)) gzfile(f) else f, quote = FALSE, row.names = FALSE)

# ---- 300 genes: 500 nearly empty barcodes, 60 of ambient RNA only, 60 with cells; ambient counts are overdispersed ----
G <- 200; ambient <- rgamma(G, .3); ambient <- ambient / sum(ambient)
cell <- replicate(2, {x <- rgamma(G, .3); x / sum(x)})
draw <- function(total, p, alpha = 400) {q <- rgamma(G, alpha * p); rmultinom(1, total, q)[, 1]}
totals <- c(sample(1:90, 500, TRUE, prob = 1 / (1:90)), sample(110:400, 60, TRUE))
m <- cbind(sapply(totals, draw, p = ambient), sapply(1:60, function(i) draw(round(rlnorm(1, log(500), .6)) + 101, .9 * cell[, i %% 2 + 1] + .1 * ambient)))
m <- as(m, "CsparseMatrix")
at <- summary(m); w(data.frame(barcode = at$j - 1, gene = at$i - 1, count = at$x), "counts.csv.gz")

# ---- Good-Turing proportions ----
sums <- rowSums(m[, colSums(m) <= 100])
w(data.frame(sum = sums, seen = as.integer(rowSums(m) > 0), profile = format(estimateAmbience(m, lower = 100, round = FALSE), digits = 17)), "profile.csv")
examples <- list(c(1, 2, 0), c(3, 7, 0, 0), c(1, 1, 2, 3, 5, 9, 40, 0, 0, 0, 0), c(1, 3, 0), c(1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 0, 0), rpois(200, rgamma(200, .4, 1 / 30)))
w(do.call(rbind, lapply(seq_along(examples), function(i) data.frame(example = i, count = examples[[i]],
  proportion = format(goodTuringProportions(examples[[i]])[, 1], digits = 17)))), "good_turing.csv")

# ---- EmptyDrops: concentration, log-likelihoods, p-values, false discovery rates ----
for (alpha in c("fitted", "infinite")) {
  set.seed(2)
  e <- emptyDrops(m, lower = 100, retain = 900, niters = 100000, alpha = if (alpha == "infinite") Inf)
  k <- which(!is.na(e$PValue))
  w(data.frame(barcode = k - 1, total = e$Total[k], log_likelihood = format(e$LogProb[k], digits = 17), p = e$PValue[k], fdr = e$FDR[k]), sprintf("empty_drops_%s.csv", alpha))
  if (alpha == "fitted") write(format(metadata(e)$alpha, digits = 15), "concentration.txt")
}

# ---- knee and inflection of three curves ----
curves <- list(
  clear = c(rlnorm(3000, log(6000), .5), 1 + rgamma(60000, .6, 1 / 60)),
  poor = c(rlnorm(60, log(1500), .5), rlnorm(4500, log(500), .2), 1 + rgamma(60000, .6, 1 / 40)),
  gradual = c(rlnorm(2000, log(4000), .9), rlnorm(8000, log(300), .7), 1 + rgamma(80000, .6, 1 / 40)))
ranks <- do.call(rbind, lapply(names(curves), function(n) {
  b <- metadata(barcodeRanks(rbind(round(curves[[n]])))); data.frame(curve = n, knee = b$knee, inflection = b$inflection)}))
w(ranks, "ranks.csv")
w(do.call(rbind, lapply(names(curves), function(n) {
  t <- table(round(curves[[n]])); data.frame(curve = n, total = names(t), barcodes = as.vector(t))})), "curves.csv.gz")

# ---- the same of real libraries, if LAMMSCOPE_REAL_DATA names their folder ----
real <- Sys.glob(file.path(Sys.getenv("LAMMSCOPE_REAL_DATA", "none"), "carpall", "*.h5"))
if (length(real)) w(do.call(rbind, lapply(real, function(f) {
  totals <- diff(c(0, cumsum(as.numeric(rhdf5::h5read(f, "matrix/data"))))[as.numeric(rhdf5::h5read(f, "matrix/indptr")) + 1])
  b <- metadata(suppressWarnings(barcodeRanks(rbind(totals))))
  data.frame(library = sub("[.].*", "", basename(f)), knee = b$knee, inflection = b$inflection)})), "ranks_real.csv")

# ---- ambient contribution to the sums of four populations ----
sums <- sapply(c(.02, .1, .3, .6), function(a) rpois(G, 20000 * (a * ambient + (1 - a) * cell[, 1])))
lacks <- order(cell[, 1] / ambient)[1:25]; sets <- list(lacks[1:8], lacks[9:16], lacks[17:25])
scales <- list(maximum = ambientContribMaximum(sums, ambient), dispersed = ambientContribMaximum(sums, ambient, dispersion = .1),
  negative1 = ambientContribNegative(sums, ambient, list(lacks)), negative2 = ambientContribNegative(sums, ambient, sets[1:2]),
  negative3 = ambientContribNegative(sums, ambient, sets))
w(data.frame(population = 1:4, lapply(scales, function(x) format(as.vector(x), digits = 15))), "scales.csv")
w(data.frame(ambient = format(ambient, digits = 17), sums, share2 = format(ambientContribMaximum(sums, ambient, mode = "proportion")[, 2], digits = 12)), "sums.csv")
w(data.frame(gene = lacks - 1, set = rep(1:3, c(8, 8, 9))), "sets.csv")
writeLines(c(R.version.string, sapply(c("DropletUtils", "edgeR"), function(p) paste(p, packageVersion(p)))), "versions.txt")
