"""The verb `score`: scores any file of predictions. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.terminal import say


def score(
    file: Annotated[
        Path,
        typer.Argument(help="predictions: index and prediction, one per line, or a run's .parquet"),
    ],
    task: Annotated[str, typer.Option(help="the task of the predictions")],
    labels: Annotated[
        Path,
        typer.Option(help="labels: a glue_data file, index and label, or one per line"),
    ],
    split: Annotated[
        str | None, typer.Option(help="the split to score; a run's .parquet may hold several")
    ] = None,
) -> None:
    """Score a file of predictions: print each metric, the score and the floor, x 100."""
    from harness.catalog import tasks
    from harness.submission import scoring

    say(scoring.text(scoring.score(file, labels, tasks.get(task), split)))
