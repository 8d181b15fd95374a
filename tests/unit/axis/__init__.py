"""Tests of LAMM cells and T cells."""
