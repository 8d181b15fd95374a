"""Names of scores of gene sets."""

from lammscope.core.gene_sets import scored_names


def test_a_pair_of_sets_is_one_score_and_a_set_without_partner_keeps_its_name() -> None:
    names = ["b_down", "a_up", "c", "a_down", "b_up", "d_up"]
    assert scored_names(names) == ["b", "a", "c", "d_up"]
