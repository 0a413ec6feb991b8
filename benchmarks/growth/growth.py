"""Trains on generated rows: more and more of them, then longer and longer ones."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import api
from harness.errors import UsageError
from harness.records.schema import Record
from harness.spec import Case
from harness.tables.columns import figures, words
from harness.tables.table import Figure, Table, Unit

WORDS = ("the", "film", "is", "a", "good", "bad", "and", "it", "was", "not", "so", "long")
TASK = """
[[task]]
name = "growth"
data = "."
text = ["text"]
label = "label"
labels = ["no", "yes"]
"""
ROWS = (1_000, 10_000, 67_349)  # the last: SST-2's own number
SHORT = (6, 18)  # words of a row, if their number grows: about SST-2's lengths
LENGTHS = (32, 64, 128, 256)  # tokens of a row
TOKENS = 2**16  # that are trained on for each length
SPECIAL = 2  # tokens around a row
DEV_ROWS = 64
RATE, MEMORY, SECONDS = Unit("per second", digits=0), Unit("MB", digits=0), Unit("s", digits=1)
COLUMNS = (*words("rows"), *figures("tokens a row", "examples/s", "tokens/s", "MB", "load s"))

Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """Rows to generate: how many, and the least and the largest number of words in each."""

    rows: int
    words: tuple[int, int]
    recipe: str  # whose max_length they fit into

    def lines(self, seed: int) -> Iterator[str]:
        """The lines of a file of rows, the header first; the labels are random."""
        draw = random.Random(seed)
        yield "text\tlabel"
        for _ in range(self.rows):
            text = " ".join(draw.choices(WORDS, k=draw.randint(*self.words)))
            yield f"{text}\t{draw.choice(('no', 'yes'))}"


def sizes() -> dict[str, list[Size]]:
    """The sizes of each table."""
    return {
        "by number of rows": [Size(rows, SHORT, "miniature") for rows in ROWS],
        "by length": [
            Size(TOKENS // length, (length - SPECIAL, length - SPECIAL), "roberta")
            for length in LENGTHS
        ],
    }


def measure(case: Case, say: Say) -> dict[str, list[Record]]:
    """One epoch of each size with the model and target of a case.

    Raises `UsageError` for a run that did not end ok.
    """
    return {
        title: [_trained(case, size, say) for size in several] for title, several in sizes().items()
    }


def _trained(case: Case, size: Size, say: Say) -> Record:
    with tempfile.TemporaryDirectory(prefix="glue-growth-") as name:
        folder = Path(name)
        (folder / "task.toml").write_text(TASK, "utf-8")
        dev = Size(DEV_ROWS, size.words, size.recipe)
        for split, rows in (("train", size), ("validation", dev)):
            lines = rows.lines(seed=len(split))
            (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
        record = api.run(
            "growth", case.model, case.target, recipe=size.recipe, epochs=1,
            task_file=folder / "task.toml", results=folder / "results",
        )  # fmt: skip
    if record.status != "ok" or record.timing is None:
        raise UsageError(f"growth: {size.rows} rows: {record.status}: {record.reason}")
    say(
        f"growth: {case.model} {case.target}: {size.rows} rows of {size.words[0]} to "
        f"{size.words[1]} words: {record.timing.examples_per_s:.0f} examples/s"
    )
    return record


def text(measured: dict[str, list[Record]]) -> str:
    """The tables of what was measured."""
    return "\n\n".join(_table(title, records).text() for title, records in measured.items())


def _table(title: str, records: list[Record]) -> Table:
    first = records[0]
    return Table(
        f"{title}: {first.case.model}, {first.case.target}, one epoch on generated rows",
        COLUMNS,
        tuple(_row(record) for record in records),
        ("MB: the peak of the run's process, less what it held before the run",),
    )


def _row(record: Record) -> tuple[Figure | str, ...]:
    timing, memory = record.timing, record.memory
    if timing is None:
        raise UsageError(f"{record.case.id}: no times")
    used = None
    if memory and memory.peak_memory_bytes is not None and memory.floor_memory_bytes is not None:
        used = (memory.peak_memory_bytes - memory.floor_memory_bytes) / 2**20
    return (
        f"{timing.examples:,}",
        Figure(timing.tokens / timing.examples, SECONDS),
        Figure(timing.examples_per_s, RATE),
        Figure(timing.tokens_per_s, RATE),
        Figure(used, MEMORY),
        Figure(timing.load_s, SECONDS),
    )
