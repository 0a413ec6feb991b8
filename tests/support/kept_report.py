"""The report in tests/golden; `python -m tests.support.kept_report` writes it again."""

from __future__ import annotations

from harness.reports import report
from harness.spec import Axis
from tests.support.board_runs import assorted
from tests.support.locations import GOLDEN

FOLDER = GOLDEN / "report"


def files() -> dict[str, str]:
    """Every file of the report of `board_runs.assorted`, by its name."""
    made = report.make(assorted(), "results/local", references=True, by=Axis.target)
    return dict(report.files(made))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
