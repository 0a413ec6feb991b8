"""A GLUE submission: one zip of eleven files, made from stored runs. Needs no torch."""

from __future__ import annotations

import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import tasks
from harness.errors import UsageError
from harness.planning import command
from harness.records.flags import FLAGS
from harness.records.schema import Record, Source
from harness.records.store import Store
from harness.spec import NOTHING, Provenance
from harness.submission import files as entries
from harness.submission.files import ENTRIES, SubmissionFile
from harness.submission.selection import AXES, Best, Candidates, RunFilter, choose
from harness.tables.columns import figures, words
from harness.tables.table import MISSING, Table, percent
from harness.text.names import unknown
from harness.text.values import plain, shown_path

ALL = "all"
DEV_ROWS = {
    Provenance.counted: "dev rows that are GLUE's in number alone, texts not checked: {}",
    Provenance.other: "scored on dev rows that are not GLUE's: {}",
}
TESTS = {
    Provenance.counted: "test rows that are GLUE's in number alone, texts not checked: {}",
    Provenance.other: "another test file than GLUE's own: {}: as many rows, other bytes. "
    "Do they stand in the same order?",
}
"""What notes say of files whose rows are not known to be GLUE's own."""
FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
MODE = 0o100644 << 16
UNIX = 3


@dataclass(frozen=True)
class Member:
    """A file of a submission and the run it is made from; None: a placeholder."""

    entry: SubmissionFile
    best: Best | None


@dataclass(frozen=True)
class Plan:
    """What a submission is made of. It can be made where nothing is missing."""

    candidates: Candidates
    members: tuple[Member, ...]
    missing: tuple[SubmissionFile, ...]


def filled(names: str) -> frozenset[str]:
    """The tasks that `--fill` names: `wnli,ax`, or `all`. Raises `UsageError`."""
    if names.strip().lower() == ALL:
        return frozenset(tasks.DATA_SETS)
    found = set()
    for name in names.split(","):
        task = tasks.get(name)
        if task.name not in tasks.DATA_SETS:
            raise UsageError(unknown("task of a submission", name, (*tasks.DATA_SETS, ALL)))
        found |= {task.name, *(part.name for part in tasks.parts(task.name))}
    return frozenset(found)


def plan(
    records: Iterable[Record], wanted: RunFilter, may_fill: frozenset[str] = frozenset()
) -> Plan:
    """Which run each file comes from; a task of `may_fill` that has none gets a placeholder.

    Raises `UsageError`, as `candidates.choose` does.
    """
    found = choose(records, wanted, may_fill)
    if not found.best:  # placeholders alone are nobody's
        return Plan(found, (), ENTRIES)
    members, missing = [], []
    for entry in ENTRIES:
        best = found.best.get(entry.run_of)
        if best and best.predicts(entry):
            members.append(Member(entry, best))
        elif entry.task in may_fill:
            members.append(Member(entry, None))
        else:
            missing.append(entry)
    return Plan(found, tuple(members), tuple(missing))


def archive(made: Plan, store: Store) -> bytes:
    """The zip: the same bytes from the same runs. Raises `DataError`, `StorageError`."""
    contents = {
        member.entry: entries.content(member.entry, [entries.placeholder(member.entry)] * rows)
        for member in made.members
        if member.best is None and (rows := member.entry.rows)
    }
    for task, best in made.candidates.best.items():
        table = store.read_predictions(best.record, "split", "row", "prediction")
        for member in made.members:
            if member.best and member.entry.run_of == task:
                predicted = entries.values(member.entry, table, best.record.case.id)
                contents[member.entry] = entries.content(member.entry, predicted)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archived:
        for entry in ENTRIES:
            info = zipfile.ZipInfo(entry.name, FIXED_DATE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, MODE
            info.create_system = UNIX
            archived.writestr(info, contents[entry])
    return sink.getvalue()


def table(made: Plan, output: Path) -> Table:
    """Each file, the run that it comes from, its dev score, and how many runs it is the best of."""
    rows, caps, placeholders = [], defaultdict(list), []
    tests: dict[Provenance, list[str]] = defaultdict(list)
    dev: dict[Provenance | None, list[str]] = defaultdict(list)
    flagged: dict[str, list[str]] = defaultdict(list)
    for entry, best in ((member.entry, member.best) for member in made.members):
        if best is None:
            word = entries.words(entry, [entries.placeholder(entry)])[0]
            placeholders.append(entry.name)
            rows.append((entry.name, str(entry.rows), f"placeholder: {word}", MISSING, MISSING))
            continue
        run = best.record
        caps[run.source.max_train].append(entry.name)
        tests[best.test_rows(entry)].append(entry.name)
        dev[best.dev_rows].append(entry.name)
        for name in run.flags:
            flagged[name].append(entry.name)
        score, of = percent(run.score), str(best.of)
        rows.append((entry.name, str(entry.rows), plain(run.case.id), score, of))
    notes = ["dev: the run's dev score; best of: so many runs of the task."]
    if placeholders:
        notes.append(
            f"placeholder: {', '.join(placeholders)}: no run's. In every row the most frequent "
            "label of the training set; STS-B: its mean score; AX: MNLI's label."
        )
    notes += [f"{cap} training rows: {', '.join(of)}" for cap, of in caps.items() if cap]
    notes += [
        f"{flag.submission}: {', '.join(flagged[name])}"
        for name, flag in FLAGS.items()
        if flag.submission and flagged[name]
    ]
    notes += [said.format(", ".join(dev[held])) for held, said in DEV_ROWS.items() if dev[held]]
    notes += [said.format(", ".join(tests[held])) for held, said in TESTS.items() if tests[held]]
    model, target, recipe = [plain(str(made.candidates.axes[axis])) for axis in AXES]
    return Table(
        title=f"{shown_path(output)}: {model}, {target}, recipe {recipe}",
        columns=(*words("file"), *figures("rows"), *words("run"), *figures("dev", "best of")),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def missing(made: Plan, results: Path) -> str:
    """One line: each file that cannot be made, why, and the command that makes it."""
    found = made.candidates
    fill = ",".join(dict.fromkeys(entry.task for entry in made.missing))
    mend = f"Mend: {_command(made, results)}"
    if not found.best:
        reasons = sum(map(Counter, found.left_out.values()), Counter())
        what = f"no run may be submitted ({_said(reasons)}): {_names(made.missing)}"
        return f"{shown_path(results)}: {what}. {mend}"
    by_reason: dict[str, list[SubmissionFile]] = defaultdict(list)
    for entry in made.missing:
        by_reason[_said(found.left_out.get(entry.run_of, {}))].append(entry)
    what = "; ".join(f"{_names(of)} ({said})" for said, of in by_reason.items())
    return f"{shown_path(results)}: cannot make {what}. {mend}, or --fill {fill}"


def _names(files: Iterable[SubmissionFile]) -> str:
    return ", ".join(entry.name for entry in files)


def _said(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "no run"


def _command(made: Plan, results: Path) -> str:
    """What runs the missing tasks, the way the others were run."""
    found = made.candidates
    runs = [best.record for best in found.best.values()]
    caps = {run.source.max_train for run in runs}
    source = Source(
        kind=runs[0].source.kind if runs else "glue_data",
        max_train=caps.pop() if len(caps) == 1 else None,
    )
    # Where no run is stored, the names are those that the user asked for.
    model, recipe = found.axes["model"], found.axes["recipe"]
    settings: Mapping[str, object] = {"name": recipe}
    if found.example:
        model = model and command.model_of(found.example)
        settings = found.example.recipe
    return command.command(
        results,
        profile=None if runs else "paper",
        source=source if runs else None,
        tasks=[entry.task for entry in made.missing] if runs else (),
        models=[model] if model else (),
        target=found.axes["target"],
        recipe=settings if recipe else NOTHING,
        seeds=() if found.seed is None else (found.seed,),
        predict_test=True,
    )
