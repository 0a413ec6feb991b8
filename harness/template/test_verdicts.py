"""The verdicts on each cell, after all runs: on scores (--glue-baseline), on speed (--glue-ab)."""


def test_regression(glue_verdict, glue_cell):
    """With --glue-baseline NAME: fails if the cell's scores are worse than the baseline's."""
    glue_verdict(glue_cell)


def test_speed(glue_speed, glue_speed_cell):
    """With --glue-ab SIDE: fails if the cell is slower than on that side."""
    glue_speed(glue_speed_cell)
