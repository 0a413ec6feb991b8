"""The gate: one item per cell, judged against the baseline that --glue-baseline names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_regression(glue_verdict: Callable[[str], None], glue_cell: str) -> None:
    glue_verdict(glue_cell)
