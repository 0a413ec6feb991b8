"""The report that is kept; `python -m tests.support.snapshots` writes it anew, to read the diff."""

from __future__ import annotations

from harness.reports import report
from harness.spec import Axis
from tests.support.boarded import assorted
from tests.support.locations import GOLDEN

FOLDER = GOLDEN / "report"


def files() -> dict[str, str]:
    """Every file of the report of `boarded.assorted`, by its name."""
    made = report.make(assorted(), "results/local", references=True, by=Axis.target)
    return dict(report.files(made))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
