"""A comparison as tables for the terminal, and as a file of JSON."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers import figures, sides
from benchmarks.peers.comparison import Result
from benchmarks.peers.figures import SideFigures, Spread
from harness.errors import StorageError
from harness.files.disk import DISK, make_folders, write_file
from harness.files.outputs import cannot_write
from harness.system import environment
from harness.tables.columns import figures as numbers
from harness.tables.columns import words
from harness.tables.table import MISSING, RATIO, SCORE, Figure, Table, TableValue, Unit

FOLDER = "peers"  # in the results folder
SPEED = Unit("per second", digits=0)
SHARE = Unit("fraction", scale=100, digits=1)
TRAINING = (*words("side"), *numbers("examples/s", "ours / side", "real %", "score", "se", "n"))
EVALUATION = (*words("side"), *numbers("rows/s", "ours / side"))


def text(result: Result) -> str:
    """The tables of training and evaluation, and what to know about them."""
    return "\n\n".join(table.text() for table in tables(result))


def tables(result: Result) -> tuple[Table, Table]:
    """The table of training with the dev scores, and that of evaluation."""
    found = [figures.figures_of(result.rounds, side) for side in result.comparison.sides]
    config = result.comparison.config
    what = f"{config.case.cell}, recipe {config.recipe.name}"
    rows, epochs = result.comparison.rows, config.recipe.epochs
    training = Table(
        f"Training: {what}, {rows} rows, {epochs} epoch{'s' * (epochs > 1)}",
        TRAINING,
        tuple(_training_row(side) for side in found),
    )
    evaluation = Table(
        f"Evaluation: {what}, {result.rounds[0].sides[sides.OURS].eval_rows // epochs} rows",
        EVALUATION,
        tuple(
            (side.side, _figure(side.evaluation, SPEED), _figure(side.evaluation_ratio, RATIO))
            for side in found
        ),
        tuple(_notes(result, found)),
    )
    return training, evaluation


def _training_row(side: SideFigures) -> tuple[TableValue, ...]:
    scores = side.scores
    return (
        side.side,
        _figure(side.training, SPEED),
        _figure(side.training_ratio, RATIO),
        Figure(side.fill, SHARE),
        Figure(scores.mean, SCORE),
        Figure(scores.standard_error, SCORE),
        str(len(scores.of_seeds)),
    )


def _figure(spread: Spread | None, unit: Unit) -> TableValue:
    return Figure(spread.value, unit, low=spread.low, high=spread.high) if spread else MISSING


def _notes(result: Result, found: list[SideFigures]) -> Iterator[str]:
    left_out = figures.dropped(result.rounds)
    kept = len(result.rounds) - left_out.total()
    why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    yield f"pairs: {kept}; dropped: {why or 'none'}"
    each = ", ".join(f"{side.side} {1e3 * side.cpu_per_example_s:.2f}" for side in found)
    yield f"CPU time of a training example, ms, also of dropped pairs: {each}"
    if not kept:
        yield "No pair is left: repeat it while the machine does nothing else."
    recipe, rows = result.comparison.config.recipe, result.comparison.rows
    if recipe.group_by_length:
        ours, theirs = sides.our_megabatch(rows, recipe), sides.trainers_megabatch(rows, recipe)
        if ours != theirs:
            yield f"rows sorted by length together: ours {ours}, Trainer's {theirs}"
    for name, batch in result.eval_batches.items():
        fastest = ", its fastest" if sides.PEERS[name].is_tuned else ""
        yield f"{name}: {sides.PEERS[name].about}, in batches of {batch}{fastest}"


def store(result: Result, results: Path) -> Path:
    """Write a comparison into the results folder. Raises `StorageError`."""
    config = result.comparison.config
    now = datetime.now(UTC)
    content = {
        "created": now.isoformat(),
        "cell": config.case.cell,
        "cell_key": config.cell_key,
        "recipe": asdict(config.recipe),
        "rows": result.comparison.rows,
        "rows_in_source": result.comparison.rows_in_source,
        "threads": config.threads,
        "peers": {name: asdict(sides.PEERS[name]) for name in result.eval_batches},
        "eval_batches": dict(result.eval_batches),
        "environment": environment.facts(None),
        "figures": [
            asdict(figures.figures_of(result.rounds, side)) for side in result.comparison.sides
        ],
        "dropped": dict(figures.dropped(result.rounds)),
        "faults": result.faults,
        "rounds": [
            {"dropped": round.disturbance, "sides": {n: asdict(s) for n, s in round.sides.items()}}
            for round in result.rounds
        ],
    }
    file = results / FOLDER / f"{config.case.cell}-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}.json"
    written = f"{json.dumps(content, indent=1)}\n".encode()
    try:
        make_folders(DISK, file.parent)
        write_file(DISK, file, written)
    except OSError as error:
        raise StorageError(cannot_write(file, error, "--glue-results", len(written))) from error
    return file
