"""The fine-tuning matrix: one item per task x model x target x seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.schema import Record
    from harness.spec import Case


def test_finetune(
    glue_run: Callable[[Case], Record],
    glue_show_times: Callable[[Record], None],
    glue_case: Case,
) -> None:
    glue_show_times(glue_run(glue_case))
