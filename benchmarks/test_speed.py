"""The speed of each cell, against the side that --glue-ab names: both take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_speed(glue_speed: Callable[[str], None], glue_speed_cell: str) -> None:
    glue_speed(glue_speed_cell)
