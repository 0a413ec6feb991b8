"""Records to tables: one line per cell, and a pivot of models and targets by tasks.

Scores are shown times 100, memory in MB of 2**20 bytes. Nothing is wider than 80 columns.
"""

from __future__ import annotations

import csv as csv_format
import hashlib
import io
import statistics
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from tabulate import DataRow, TableFormat, tabulate

from harness import tasks
from harness.cells import MISSING, Cell, boards, cells, glue_score
from harness.flags import FLAGS
from harness.records import Record

WIDTH = 80
GLUE_NOTE = "GLUE: mean of the nine task scores, metric pairs averaged first."
SOURCES = {  # what a table says of where its rows come from
    "toy": "toy data (generated, no GLUE scores)",
    "glue_data": "GLUE dev (glue_data folder)",
    "hub": "GLUE dev (nyu-mll/glue, revision {revision})",
}
USED = ("data", "revision", "train rows", "dev rows", "all of GLUE's own")  # the CSV's last columns
NARROWEST = {
    "cell": 16,
    "model": 8,
    "recipe": 6,
    "status": len("contaminated"),
}  # columns that give way


@dataclass(frozen=True)
class Table:
    """A title, a header and rows of text, ready for any format."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """As the terminal shows it, at most 80 columns wide: gaps, names and words give way."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else 1
        for name, least in NARROWEST.items():
            if name in self.header:
                place = self.header.index(name)
                excess = sum(widths) + gap * (len(widths) - 1) - WIDTH
                widths[place] = max(min(least, widths[place]), widths[place] - max(0, excess))
        rows = [
            [
                short(text, width) if name in ("cell", "model", "recipe") else text
                for name, text, width in zip(self.header, row, widths, strict=True)
            ]
            for row in self.rows
        ]
        # A header of tabulate's own would be two columns wider than its words.
        ruled = [self.header, ["-" * width for width in widths], *rows]
        row_form = DataRow("", " " * gap, "")
        form = TableFormat(None, None, None, None, row_form, row_form, 0, None)
        body = tabulate(
            ruled, (), form, disable_numparse=True, colalign=self._align, maxcolwidths=widths
        )
        notes = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in self.notes]
        text = "\n".join([*textwrap.wrap(self.title, WIDTH), body, *notes])
        return "\n".join(line.rstrip() for line in text.splitlines())

    def markdown(self) -> str:
        """As GitHub renders it."""
        rows = [[cell.replace("|", "\\|") for cell in row] for row in self.rows]
        body = tabulate(
            rows, self.header, tablefmt="github", disable_numparse=True, colalign=self._align
        )
        return "\n\n".join([f"## {self.title}", body, *self.notes])

    @property
    def _align(self) -> list[str]:
        words = {
            "task", "cell", "verdict", "model", "target", "recipe", "status", "session", "state",
            "baseline", "commit", "last act",
        }  # fmt: skip
        return ["left" if name in words else "right" for name in self.header]


def per_cell(records: Sequence[Record], *, whole: bool = False) -> Table:
    """One line per cell: score, floor, speed, memory, and what to know about it.

    A model, target, recipe or flag that all lines share is said once, outside the table, unless
    each line must be `whole`.
    """
    found = cells(records)
    axes = {name: {getattr(cell, name) for cell in found} for name in ("model", "target", "recipe")}
    shown = [name for name, values in axes.items() if whole or len(values) > 1]
    common = [
        f"recipe {value}" if name == "recipe" else value
        for name, values in axes.items()
        for value in values
        if name not in shown
    ]
    shared = {
        f for f in FLAGS if not whole and all(c.states.get(f) == len(c.records) for c in found)
    }
    rows = []
    for cell in found:
        timing = [record.timing for record in cell.ok if record.timing]
        peaks = [record.memory.peak_memory_bytes for record in cell.ok if record.memory]
        rows.append((
            cell.task,
            *(getattr(cell, name) for name in shown),
            score(cell),
            str(len(cell.scores)),
            percent(_median(record.floor for record in cell.ok)),
            _number(_median(part.train_s for part in timing), ".1f"),
            _number(_median(part.examples_per_s for part in timing), ".0f"),
            _number(_median(peak / 2**20 if peak else None for peak in peaks), ".0f"),
            _status(cell, shared),
        ))  # fmt: skip
    legend = [flag for flag in FLAGS if any(flag in cell.states for cell in found)]
    return Table(
        title=", ".join([titled("Results", records), *common]),
        header=("task", *shown, "score", "n", "floor", "train s", "ex/s", "MB", "status"),
        rows=tuple(rows),
        notes=(
            *(
                f"{flag}{' (every run)' if flag in shared else ''}: {FLAGS[flag]}"
                for flag in legend
            ),
            *_whose_rows(found),
        ),
    )


def _whose_rows(found: Iterable[Cell]) -> list[str]:
    """Which tasks were trained and scored on GLUE's own sets, and which on other rows."""
    notes = []
    for kind in ("training", "dev"):
        pairs = dict.fromkeys((c.task, c.has_own_rows.get(kind)) for c in found)
        said = [
            f"{words} for {', '.join(named)}"
            for words, own in (("GLUE's own", True), ("a part of GLUE's, or others,", False))
            if (named := [task for task, whole in pairs if whole is own])
        ]
        notes += [f"{kind} rows: {'; '.join(said)}"] if said else []
    return notes


def pivot(records: Sequence[Record]) -> Table:
    """Models and targets by tasks, with the GLUE score if all nine tasks are there.

    Where several cells have one name, because files or versions changed between them, the newest
    stands for it.
    """
    found = [c for c in cells(records) if c.mean is not None and c.task in tasks.GLUE_9]
    found.sort(key=lambda cell: max(record.created for record in cell.records))
    present = [name for name in tasks.GLUE_9 if any(cell.task == name for cell in found)]
    whole = len(present) == len(tasks.GLUE_9)
    recipes = {cell.recipe for cell in found}
    names = _model_names(found)
    scores: dict[tuple[str, str, str], dict[str, float | None]] = {}
    for cell in found:
        name = (names[cell.model, cell.weights], cell.target, cell.recipe)
        scores.setdefault(name, dict.fromkeys(present))[cell.task] = cell.mean
    rows = []
    for name, means in scores.items():
        shown = name if len(recipes) > 1 else name[:2]
        average = [percent(glue_score(means))] if whole else []
        rows.append((*shown, *map(percent, means.values()), *average))
    axes = ("model", "target", "recipe") if len(recipes) > 1 else ("model", "target")
    return Table(
        title=titled("Scores x 100", records),
        header=(*axes, *present, *(["GLUE"] if whole else [])),
        rows=tuple(rows),
        notes=(*([GLUE_NOTE] if whole else []), *_whose_rows(found), *_contaminated(found)),
    )


def _model_names(found: Iterable[Cell]) -> dict[tuple[str, str], str]:
    """Each model's name by name and weights; two of one name are told apart by their weights."""
    pairs = dict.fromkeys((cell.model, cell.weights) for cell in found)
    count = Counter(model for model, _ in pairs)
    return {
        (model, weights): model
        if count[model] == 1
        else f"{model}.{hashlib.sha256(weights.encode()).hexdigest()[:6]}"
        for model, weights in pairs
    }


def _contaminated(found: Iterable[Cell]) -> list[str]:
    cells_of = [cell for cell in found if "contaminated" in cell.states]
    named = dict.fromkeys(f"{cell.task} of {cell.model}" for cell in cells_of)
    return [f"contaminated ({FLAGS['contaminated']}): {', '.join(named)}"] if named else []


def summary(records: Sequence[Record]) -> str:
    """What a session ends with: its cells and, where several of GLUE's tasks ran, the pivot."""
    first, second = per_cell(records), pivot(records)
    if len({*tasks.GLUE_9}.intersection(second.header)) < 2:
        return first.text()
    unsaid = tuple(note for note in second.notes if note not in first.notes)
    return f"{first.text()}\n\n{replace(second, notes=unsaid).text()}"


def report(records: Sequence[Record]) -> str:
    """Every table, as one Markdown document; rows of different sources never share one."""
    parts = []
    for board in boards(records):
        parts.append(per_cell(board).markdown())
        if (table := pivot(board)).rows:
            parts.append(table.markdown())
    return "\n\n".join(["# glue-bench report", *parts]) + "\n"


def csv(records: Sequence[Record]) -> str:
    """One line per cell as CSV: full names, scores times 100, and which rows were used."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\n")
    for place, board in enumerate(boards(records)):
        table, source = per_cell(board, whole=True), board[0].source
        used = (source.kind, source.revision, source.max_train or "all", source.max_eval or "all")
        if place == 0:
            writer.writerow([*table.header, *USED])
        for row, cell in zip(table.rows, cells(board), strict=True):
            own = [kind for kind, whole in cell.has_own_rows.items() if whole]
            writer.writerow([*row, *used, " and ".join(own)])
    return out.getvalue()


def percent(fraction: float | None) -> str:
    """A score as a table shows it: times 100, two decimals."""
    return _number(None if fraction is None else 100 * fraction, ".2f")


def score(cell: Cell) -> str:
    """A cell's mean score and, of several runs, its standard deviation, as a table shows them."""
    return percent(cell.mean) + (f" ±{100 * cell.sd:.2f}" if cell.sd is not None else "")


def short(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; the middle gives way, since both ends tell apart."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def _number(value: float | None, form: str) -> str:
    return MISSING if value is None else format(value, form)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _status(cell: Cell, shared: Collection[str]) -> str:
    """`ok`, or how many runs ended otherwise, and the flags that not every line has."""
    words = [] if not cell.ok else ["ok"]
    for state, count in cell.states.items():
        if state not in shared:
            words.append(
                state if count == len(cell.records) else f"{state} {count}/{len(cell.records)}"
            )
    return " ".join(words)


def titled(what: str, records: Sequence[Record]) -> str:
    """The title `what`, and what the numbers under it are scores of."""
    if not records:
        return what
    source = records[0].source
    said = SOURCES[source.kind].format(revision=(source.revision or "unknown")[:7])
    for cap, name in ((source.max_train, "training"), (source.max_eval, "dev")):
        said += f", {cap} {name} rows" if cap else ""
    return f"{what} on {said}"
