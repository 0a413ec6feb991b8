"""Records to tables: one line per cell, and a pivot of models and targets by tasks.

Scores are shown times 100, memory in MB of 2**20 bytes. Nothing is wider than 80 columns.
"""

from __future__ import annotations

import csv as csv_format
import io
import statistics
import textwrap
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabulate import DataRow, TableFormat, tabulate

from harness import tasks
from harness.flags import FLAGS
from harness.records import Record, Source

WIDTH = 80
MISSING = "-"
GLUE_NOTE = "GLUE: mean of the nine task scores, metric pairs averaged first."
NARROWEST = {"model": 8, "recipe": 6, "status": len("contaminated")}  # columns that give way


@dataclass(frozen=True)
class Cell:
    """The runs of one task x model x target that differ in nothing but their seed, one each."""

    task: str
    model: str
    target: str
    records: tuple[Record, ...]

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return next((r.recipe["name"] for r in self.records if r.recipe), MISSING)

    @property
    def ok(self) -> tuple[Record, ...]:
        """The runs that ended as they should."""
        return tuple(record for record in self.records if record.status == "ok")

    @property
    def scores(self) -> list[float]:
        """The score of each ok run."""
        return [record.score for record in self.ok if record.score is not None]

    @property
    def mean(self) -> float | None:
        """Mean score over ok runs."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over ok runs (n - 1); None for fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def states(self) -> dict[str, int]:
        """How many runs have each status or flag, in a fixed order."""
        counts: dict[str, int] = defaultdict(int)
        for record in self.records:
            if record.status != "ok":
                counts[record.status] += 1
        for flag in FLAGS:
            held = sum(flag in record.flags for record in self.ok)
            if held:
                counts[flag] = held
        return dict(counts)


def cells(records: Iterable[Record]) -> list[Cell]:
    """Runs grouped into cells; tasks in GLUE's order, the rest as they came.

    Of a seed that was run again the newest ok run counts, or the newest if none is ok. A run that
    failed before its inputs were known has no key; it joins the cell of its name.
    """
    records = list(records)
    by_key: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        case = record.case
        by_key[case.task, case.model, case.target, record.cell_key or ""].append(record)
    for unkeyed in [key for key in by_key if not key[3]]:
        keyed = [key for key in by_key if key[:3] == unkeyed[:3] and key[3]]
        if len(keyed) == 1:
            by_key[keyed[0]] += by_key.pop(unkeyed)
    order = {name: place for place, name in enumerate(tasks.TASKS)}
    found = [Cell(key[0], key[1], key[2], _one_a_seed(runs)) for key, runs in by_key.items()]
    return sorted(found, key=lambda cell: order.get(cell.task, len(order)))


def _one_a_seed(runs: Iterable[Record]) -> tuple[Record, ...]:
    newest: dict[int, Record] = {}
    for run in sorted(runs, key=lambda run: (run.status == "ok", run.created)):
        newest[run.case.seed] = run
    return tuple(newest.values())


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
                short(text, width) if name in ("model", "recipe") else text
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
        words = {"task", "model", "target", "recipe", "status"}
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
            percent(cell.mean) + (f" ±{100 * cell.sd:.2f}" if cell.sd is not None else ""),
            str(len(cell.scores)),
            percent(_median(record.floor for record in cell.ok)),
            _number(_median(part.train_s for part in timing), ".1f"),
            _number(_median(part.examples_per_s for part in timing), ".0f"),
            _number(_median(peak / 2**20 if peak else None for peak in peaks), ".0f"),
            _status(cell, shared),
        ))  # fmt: skip
    legend = [flag for flag in FLAGS if any(flag in cell.states for cell in found)]
    return Table(
        title=", ".join([_title("Results", records), *common]),
        header=("task", *shown, "score", "n", "floor", "train s", "ex/s", "MB", "status"),
        rows=tuple(rows),
        notes=tuple(
            f"{flag}{' (every run)' if flag in shared else ''}: {FLAGS[flag]}" for flag in legend
        ),
    )


def pivot(records: Sequence[Record]) -> Table:
    """Models and targets by tasks, with the GLUE score if all nine tasks are there.

    Where several cells have one name, because files or versions changed between them, the newest
    stands for it.
    """
    found = [cell for cell in cells(records) if cell.mean is not None]
    found.sort(key=lambda cell: max(record.created for record in cell.records))
    present = [name for name in tasks.GLUE_9 if any(cell.task == name for cell in found)]
    whole = len(present) == len(tasks.GLUE_9)
    recipes = {cell.recipe for cell in found}
    rows = []
    for name in dict.fromkeys((cell.model, cell.target, cell.recipe) for cell in found):
        means: dict[str, float | None] = dict.fromkeys(present)
        means |= {c.task: c.mean for c in found if (c.model, c.target, c.recipe) == name}
        shown = name if len(recipes) > 1 else name[:2]
        average = [percent(glue_score(means))] if whole else []
        rows.append((*shown, *map(percent, means.values()), *average))
    axes = ("model", "target", "recipe") if len(recipes) > 1 else ("model", "target")
    return Table(
        title=_title("Scores x 100", records),
        header=(*axes, *present, *(["GLUE"] if whole else [])),
        rows=tuple(rows),
        notes=(GLUE_NOTE,) if whole else (),
    )


def report(records: Sequence[Record]) -> str:
    """Every table, as one Markdown document; rows of different sources never share one."""
    parts = []
    for board in boards(records):
        parts.append(per_cell(board).markdown())
        if any(record.status == "ok" for record in board):
            parts.append(pivot(board).markdown())
    return "\n\n".join(["# glue-bench report", *parts]) + "\n"


def boards(records: Iterable[Record]) -> list[list[Record]]:
    """Records apart by which rows they were asked to use; in the order they first came."""
    found: dict[Source, list[Record]] = defaultdict(list)
    for record in records:
        found[record.source].append(record)
    return list(found.values())


def csv(records: Sequence[Record]) -> str:
    """One line per cell as CSV: full names, scores times 100, and which rows were used."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\n")
    for place, board in enumerate(boards(records)):
        table, source = per_cell(board, whole=True), board[0].source
        used = (source.kind, source.max_train or "all", source.max_eval or "all")
        if place == 0:
            writer.writerow([*table.header, "data", "train rows", "dev rows"])
        writer.writerows([*row, *used] for row in table.rows)
    return out.getvalue()


def glue_score(scores: Mapping[str, float | None]) -> float | None:
    """The unweighted mean over GLUE's nine tasks; None unless all nine are there."""
    nine = [score for name in tasks.GLUE_9 if (score := scores.get(name)) is not None]
    return statistics.fmean(nine) if len(nine) == len(tasks.GLUE_9) else None


def percent(score: float | None) -> str:
    """A score as a table shows it: times 100, two decimals."""
    return _number(None if score is None else 100 * score, ".2f")


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


def _title(what: str, records: Sequence[Record]) -> str:
    """`what`, and what the numbers under it are scores of."""
    if not records:
        return what
    source = records[0].source
    said = {"toy": "toy data (generated, no GLUE scores)", "glue_data": "GLUE dev"}[source.kind]
    for cap, name in ((source.max_train, "training"), (source.max_eval, "dev")):
        said += f", {cap} {name} rows" if cap else ""
    return f"{what} on {said}"
