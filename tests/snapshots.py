"""The report that is kept: `python tests/snapshots.py` writes it anew, for a reader of the diff."""

from __future__ import annotations

from pathlib import Path

from boarded import assorted
from harness.reports import report
from harness.spec import Axis

FOLDER = Path(__file__).with_name("golden") / "report"


def files() -> dict[str, str]:
    """Every file of the report of `boarded.assorted`, by its name."""
    made = report.make(assorted(), "results/local", references=True, by=Axis.target)
    return dict(report.files(made))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
