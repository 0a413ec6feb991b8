"""A GLUE submission: one zip of eleven files, made from stored runs. Needs no torch."""

from __future__ import annotations

import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import tasks
from harness.errors import UsageError
from harness.planning import command
from harness.records.flags import FLAGS
from harness.records.schema import Record, Source
from harness.records.store import Store
from harness.spec import NOTHING, Provenance
from harness.submission import files
from harness.submission.files import SUBMISSION_FILES, SubmissionFile
from harness.submission.selection import AXES, Best, Candidates, RunFilter, choose
from harness.tables.columns import figures, words
from harness.tables.table import MISSING, Table, percent
from harness.text.names import unknown
from harness.text.values import plain, shown_path

ALL = "all"
DEV_ROWS = {
    Provenance.counted: "dev rows match GLUE's only in number, texts not checked: {}",
    Provenance.other: "scored on dev rows that are not GLUE's: {}",
}
TEST_ROWS = {
    Provenance.counted: "test rows match GLUE's only in number, texts not checked: {}",
    Provenance.other: "the test file differs from GLUE's: {}: it has as many rows and other bytes. "
    "Are its rows in the same order?",
}
"""Notes on files whose rows were not confirmed to be GLUE's."""
FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
MODE = 0o100644 << 16
UNIX = 3


@dataclass(frozen=True)
class Member:
    """A file of a submission and the run that predicts it; None: a placeholder."""

    file: SubmissionFile
    best: Best | None


@dataclass(frozen=True)
class Plan:
    """The files of a submission, and those that are missing. It is complete if none is."""

    candidates: Candidates
    members: tuple[Member, ...]
    missing: tuple[SubmissionFile, ...]


def tasks_to_fill(names: str) -> frozenset[str]:
    """The tasks that `--fill` names: `wnli,ax`, or `all`. Raises `UsageError`."""
    if names.strip().lower() == ALL:
        return frozenset(tasks.DATA_SETS)
    named = set()
    for name in names.split(","):
        task = tasks.get(name)
        if task.name not in tasks.DATA_SETS:
            raise UsageError(unknown("task of a submission", name, (*tasks.DATA_SETS, ALL)))
        named |= {task.name, *(part.name for part in tasks.parts(task.name))}
    return frozenset(named)


def plan(
    records: Iterable[Record], run_filter: RunFilter, may_fill: frozenset[str] = frozenset()
) -> Plan:
    """Which run predicts each file; a task of `may_fill` without a run gets a placeholder.

    Raises `UsageError`, as `selection.choose` does.
    """
    candidates = choose(records, run_filter, may_fill)
    if not candidates.best:  # a submission of placeholders only would be of no model
        return Plan(candidates, (), SUBMISSION_FILES)
    members, missing = [], []
    for file in SUBMISSION_FILES:
        best = candidates.best.get(file.run_of)
        if best and best.predicts(file):
            members.append(Member(file, best))
        elif file.task in may_fill:
            members.append(Member(file, None))
        else:
            missing.append(file)
    return Plan(candidates, tuple(members), tuple(missing))


def make_zip(plan: Plan, store: Store) -> bytes:
    """The zip; the same runs give the same bytes. Raises `DataError`, `StorageError`."""
    contents = {
        member.file: files.content(member.file, [files.placeholder(member.file)] * rows)
        for member in plan.members
        if member.best is None and (rows := member.file.rows)
    }
    for task, best in plan.candidates.best.items():
        table = store.read_predictions(best.record, "split", "row", "prediction")
        for member in plan.members:
            if member.best and member.file.run_of == task:
                predicted = files.values(member.file, table, best.record.case.id)
                contents[member.file] = files.content(member.file, predicted)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in SUBMISSION_FILES:
            info = zipfile.ZipInfo(file.name, FIXED_DATE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, MODE
            info.create_system = UNIX
            archive.writestr(info, contents[file])
    return buffer.getvalue()


def table(plan: Plan, output: Path) -> Table:
    """Each file, the run that predicts it, its dev score, and how many runs it is the best of."""
    model, target, recipe = [plain(str(plan.candidates.axes[axis])) for axis in AXES]
    return Table(
        title=f"{shown_path(output)}: {model}, {target}, recipe {recipe}",
        columns=(*words("file"), *figures("rows"), *words("run"), *figures("dev", "best of")),
        rows=tuple(map(_row, plan.members)),
        notes=tuple(_notes(plan.members)),
    )


def _row(member: Member) -> tuple[str, ...]:
    file, best = member.file, member.best
    if best is None:
        word = files.words(file, [files.placeholder(file)])[0]
        return (file.name, str(file.rows), f"placeholder: {word}", MISSING, MISSING)
    run = best.record
    return (file.name, str(file.rows), plain(run.case.id), percent(run.score), str(best.of))


def _notes(members: Iterable[Member]) -> Iterator[str]:
    placeholders: list[str] = []
    caps: dict[int | None, list[str]] = defaultdict(list)
    test_rows: dict[Provenance, list[str]] = defaultdict(list)
    dev_rows: dict[Provenance | None, list[str]] = defaultdict(list)
    flagged: dict[str, list[str]] = defaultdict(list)
    for member in members:
        name, best = member.file.name, member.best
        if best is None:
            placeholders.append(name)
            continue
        caps[best.record.source.max_train].append(name)
        test_rows[best.test_rows(member.file)].append(name)
        dev_rows[best.dev_rows].append(name)
        for flag in best.record.flags:
            flagged[flag].append(name)
    yield "dev: the run's dev score; best of: the number of runs it was chosen from."
    if placeholders:
        yield (
            f"placeholder: {', '.join(placeholders)}: not predicted by a run. Every row has the "
            "most frequent label of the training set; STS-B: its mean score; AX: MNLI's label."
        )
    yield from (f"{cap} training rows: {', '.join(names)}" for cap, names in caps.items() if cap)
    for name, flag in FLAGS.items():
        if flag.submission and flagged[name]:
            yield f"{flag.submission}: {', '.join(flagged[name])}"
    for by_provenance, notes in ((dev_rows, DEV_ROWS), (test_rows, TEST_ROWS)):
        for provenance, note in notes.items():
            if names := by_provenance[provenance]:
                yield note.format(", ".join(names))


def describe_missing(plan: Plan, results: Path) -> str:
    """One line: each file that cannot be made, why, and the command that fixes it."""
    candidates = plan.candidates
    fix = f"Fix: {_command(plan, results)}"
    if not candidates.best:
        reasons = sum(map(Counter, candidates.left_out.values()), Counter())
        problem = f"no run may be submitted ({_list_reasons(reasons)}): {_names(plan.missing)}"
        return f"{shown_path(results)}: {problem}. {fix}"
    by_reason: dict[str, list[SubmissionFile]] = defaultdict(list)
    for file in plan.missing:
        by_reason[_list_reasons(candidates.left_out.get(file.run_of, {}))].append(file)
    problem = "; ".join(f"{_names(missing)} ({why})" for why, missing in by_reason.items())
    fill = ",".join(dict.fromkeys(file.task for file in plan.missing))
    return f"{shown_path(results)}: cannot make {problem}. {fix}, or --fill {fill}"


def _names(missing: Iterable[SubmissionFile]) -> str:
    return ", ".join(file.name for file in missing)


def _list_reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "no run"


def _command(plan: Plan, results: Path) -> str:
    """The command that runs the missing tasks as the others were run."""
    candidates = plan.candidates
    runs = [best.record for best in candidates.best.values()]
    caps = {run.source.max_train for run in runs}
    source = Source(
        kind=runs[0].source.kind if runs else "glue_data",
        max_train=caps.pop() if len(caps) == 1 else None,
    )
    # If no run is stored, the names are those that the user asked for.
    model, recipe = candidates.axes["model"], candidates.axes["recipe"]
    settings: Mapping[str, object] = {"name": recipe}
    if candidates.example:
        model = model and command.model_of(candidates.example)
        settings = candidates.example.recipe
    return command.command(
        results,
        profile=None if runs else "paper",
        source=source if runs else None,
        tasks=[file.task for file in plan.missing] if runs else (),
        models=[model] if model else (),
        target=candidates.axes["target"],
        recipe=settings if recipe else NOTHING,
        seeds=() if candidates.seed is None else (candidates.seed,),
        predict_test=True,
    )
