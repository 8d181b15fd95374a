# Writes the files of this folder, which test_rds.py reads; run in it: Rscript make_rds.R
# Debian 12: r-cran-seurat 4.3.0, r-bioc-singlecellexperiment 1.20.0, R 4.2.2.
# Gene i and cell j, from 1, have (3 i + 5 j) %% 7 - 3 counts, and none where that is negative.
suppressPackageStartupMessages({
  library(Matrix)
  library(Seurat)
  library(SingleCellExperiment)
})

symbols <- c("ACTB", "B2M", "CD14", "CD68", "CSF1R", "MT-CO1", "GAPDH", "VIM", "CD74", "MALAT1")
ids <- sprintf("ENSG%011d", 1:10)
cells <- paste0(c("AAAC", "CCCA", "GGGA", "TTTA", "ACGT", "TGCA"), "GATTACAGATTA-1")
dense <- outer(1:10, 1:6, function(i, j) pmax((3 * i + 5 * j) %% 7 - 3, 0))
dimnames(dense) <- list(symbols, cells)
counts <- as(dense, "dgCMatrix")
logs <- counts
logs@x <- log1p(logs@x)
by_id <- function(m) { rownames(m) <- ids; m }
save_as <- function(x, name, ...) saveRDS(x, paste0(name, ".rds"), ...)

# Seurat: plain, normalized, with another assay, by id, without counts, without an assay RNA
seurat <- CreateSeuratObject(counts)
save_as(seurat, "seurat")
save_as(NormalizeData(seurat, verbose = FALSE), "seurat_normalized", compress = "xz")
proteins <- counts[1:3, ]
rownames(proteins) <- c("CD3", "CD4", "CD8")
two <- CreateSeuratObject(proteins, assay = "ADT")
two[["RNA"]] <- CreateAssayObject(counts)
save_as(two, "seurat_two_assays", compress = "bzip2")
save_as(CreateSeuratObject(by_id(counts)), "seurat_ids", compress = FALSE)
save_as(CreateSeuratObject(CreateAssayObject(data = logs)), "seurat_no_counts")
lost <- two
DefaultAssay(lost) <- "ADT"
lost[["SPLICED"]] <- lost[["RNA"]]
lost[["RNA"]] <- NULL
save_as(lost, "seurat_no_rna")

# SingleCellExperiment: the columns of DropletUtils, dense, cells named in colData only,
# parts of the molecules, logarithms
table <- DataFrame(ID = ids, Symbol = symbols, Type = "Gene Expression")
sce <- SingleCellExperiment(list(counts = by_id(counts), logcounts = by_id(logs)), rowData = table)
save_as(sce, "sce")
whole <- dense
storage.mode(whole) <- "integer"
save_as(SingleCellExperiment(list(counts = by_id(whole)), rowData = table), "sce_dense", ascii = TRUE)
unnamed <- SingleCellExperiment(list(counts = unname(counts)), rowData = table,
                                colData = DataFrame(Sample = "P1", Barcode = cells))
save_as(unnamed, "sce_unnamed")
one <- counts
one@x <- rep(1, length(one@x))
parts <- SingleCellExperiment(list(spliced = counts - one, unspliced = counts, ambiguous = one))
save_as(parts, "sce_parts")
save_as(SingleCellExperiment(list(logcounts = logs)), "sce_logs")

# SummarizedExperiment: without and with positions, and an assay by rows and as triplets
se <- SummarizedExperiment(list(counts = counts), rowData = DataFrame(gene_id = ids))
writeBin(serialize(se, NULL, xdr = FALSE), "se.rds")
places <- GRanges("1", IRanges(1:10, width = 5), gene_name = Rle(factor(symbols)), id = factor(ids))
names(places) <- ids
save_as(SummarizedExperiment(list(counts = by_id(counts)), rowRanges = places), "rse")
save_as(SummarizedExperiment(list(counts = as(counts, "RsparseMatrix"))), "se_by_row")
save_as(SummarizedExperiment(list(counts = as(counts, "TsparseMatrix"))), "se_triplets")
# before Bioconductor 3.11 the assays were a reference class
setClass("ReferenceAssays", slots = c(.xData = "list"))
old <- se
attr(old, "assays") <- new("ReferenceAssays", .xData = list(data = list(counts = counts)))
save_as(old, "se_old")
# an assay whose values are in another file
late <- se
attr(late, "assays") <- new("SimpleAssays", data = S4Vectors::SimpleList(
  counts = DelayedArray::DelayedArray(counts) + 1))
save_as(late, "se_delayed")

# Matrices, and objects without counts
save_as(counts, "matrix_sparse")
save_as(dense, "matrix_dense")
save_as(t(dense), "matrix_cells_in_rows")
gaps <- whole
gaps[2, 3] <- NA
save_as(gaps, "matrix_na")
save_as(as.data.frame(dense), "data_frame")
save_as(function(x) x, "function")
save_as(as(counts > 0, "lgCMatrix"), "matrix_logical")

# The classes of Seurat 5 as its source defines them, with the slots that are read: Seurat 5 itself
# is not in Debian 12
setClass("LogMap", contains = "matrix")
setClass("Assay5", slots = c(layers = "list", cells = "LogMap", features = "LogMap",
                             default = "integer", assay.orig = "character",
                             meta.data = "data.frame", misc = "list", key = "character"))
assay5 <- function(layers) {
  map <- function(names) new("LogMap", matrix(TRUE, length(names), length(layers),
                                              dimnames = list(names, names(layers))))
  new("Assay5", layers = layers, cells = map(cells), features = map(symbols), default = 1L,
      meta.data = data.frame(gene = ids), key = "rna_")
}
setClass("Seurat5", slots = c(assays = "list", meta.data = "data.frame"))
five <- function(layers) new("Seurat5", assays = list(RNA = assay5(layers)))
save_as(five(list(counts = unname(counts), data = unname(logs))), "seurat5")
save_as(five(list(counts.1 = unname(counts[, 1:3]), counts.2 = unname(counts[, 4:6]))), "seurat5_split")
setClass("Seurat2", slots = c(raw.data = "ANY", data = "ANY"))
save_as(new("Seurat2", raw.data = counts, data = logs), "seurat2")
