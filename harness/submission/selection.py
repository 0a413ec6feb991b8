"""Which stored runs may be submitted to GLUE, and which of them is: the best on dev, by task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog.sources import SOURCES
from harness.errors import UsageError
from harness.records.cells import dev_digests
from harness.records.schema import Record
from harness.spec import Provenance
from harness.submission.files import ENTRIES, SubmissionFile
from harness.text.names import unknown
from harness.text.values import plain

RUN_OF = tuple(dict.fromkeys(entry.run_of for entry in ENTRIES))
AXES = ("model", "target", "recipe")
OVERLAP = "train_overlap"  # the flag of a run that was scored on training rows


@dataclass(frozen=True)
class RunFilter:
    """What the runs of a submission have to be; None: whatever there is, if it is but one."""

    model: str | None = None
    target: str | None = None
    recipe: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Best:
    """The run that is submitted for a task, and how many it is the best of."""

    record: Record
    of: int

    def predicts(self, entry: SubmissionFile) -> bool:
        """Whether a file can be made from it."""
        return self.record.data is not None and entry.stored_as in self.record.data.splits

    def test_rows(self, entry: SubmissionFile) -> Provenance:
        """How far the rows it predicted for a file were found to be GLUE's own."""
        splits = self.record.data.splits if self.record.data else {}
        return splits[entry.stored_as].provenance if splits else Provenance.other

    @property
    def dev_rows(self) -> Provenance | None:
        """How far the rows that its dev score is of were; None: no record of them."""
        return _dev_rows(self.record)


@dataclass(frozen=True)
class Candidates:
    """The runs of one model, target and recipe that are submitted, by task."""

    axes: Mapping[str, str | None]  # model, target, recipe; None: no run may be submitted
    seed: int | None  # None: of any
    best: Mapping[str, Best]
    left_out: Mapping[str, Mapping[str, int]]  # task without one -> why, and how many runs
    example: Record | None = None  # some run of these axes, which need not be fit


def choose(
    records: Iterable[Record], wanted: RunFilter, filled: Collection[str] = ()
) -> Candidates:
    """The best run of each task: ok, on no toy rows, all dev rows scored, tests predicted.

    Only dev scores on the same rows are held against each other: runs that were scored on GLUE's
    own come before those whose dev rows were only counted, and these before all others; none that
    was scored on its training rows, if another was not. Of equal scores the newest wins. `filled`
    are tasks that may do without. Raises `UsageError` where a name is unknown, or the runs are of
    several models, targets, recipes or sets of other dev rows.
    """
    runs = _wanted([record for record in records if record.case.task in RUN_OF], wanted)
    fit = {task: _fit([run for run in runs if run.case.task == task], filled) for task in RUN_OF}
    fit = {task: _comparable(task, found) for task, found in fit.items()}
    candidates = [run for found in fit.values() for run in found]
    axes = {axis: _one(axis, candidates) or getattr(wanted, axis) for axis in AXES}
    _refuse_namesakes(candidates)
    same = [run for run in runs if all(axes[axis] in (None, _is(run, axis)) for axis in AXES)]
    return Candidates(
        axes,
        wanted.seed,
        best={
            task: Best(max(found, key=lambda run: (run.score, run.created, run.id)), len(found))
            for task, found in fit.items()
            if found
        },
        left_out={task: _reasons(task, same) for task, found in fit.items() if not found},
        example=next(iter(same), None),
    )


def _reasons(task: str, runs: Iterable[Record]) -> Mapping[str, int]:
    needed = _needed(task)
    return Counter(why for run in runs if run.case.task == task if (why := _why_unfit(run, needed)))


def _is(run: Record, axis: str) -> str:
    return str(run.recipe.get("name")) if axis == "recipe" else getattr(run.case, axis)


def _wanted(runs: Sequence[Record], wanted: RunFilter) -> list[Record]:
    for axis in AXES:
        name = getattr(wanted, axis)
        known = sorted({plain(_is(run, axis)) for run in runs if run.recipe or axis != "recipe"})
        if runs and name is not None and plain(name) not in known:
            raise UsageError(unknown(axis, name, known))
    return [
        run
        for run in runs
        if all(getattr(wanted, axis) in (None, _is(run, axis)) for axis in AXES)
        and wanted.seed in (None, run.case.seed)
    ]


def _needed(task: str) -> list[SubmissionFile]:
    return [entry for entry in ENTRIES if entry.run_of == task]


def _fit(runs: Sequence[Record], filled: Collection[str]) -> list[Record]:
    """The candidates among a task's runs: those that predict its parts too, if any does."""
    needed = _needed(runs[0].case.task) if runs else []
    own = [entry for entry in needed if entry.task == entry.run_of or entry.task not in filled]
    whole = [run for run in runs if not _why_unfit(run, needed)]
    return whole or [run for run in runs if not _why_unfit(run, own)]


def _dev_rows(run: Record) -> Provenance | None:
    splits = run.data.splits if run.data else {}
    order = [*Provenance]
    found = [split.provenance for name, split in splits.items() if name.startswith("validation")]
    return max(found, key=order.index, default=None)


def _comparable(task: str, runs: Sequence[Record]) -> list[Record]:
    """The runs with the best-checked dev rows, whose scores can be held against each other.

    One that trained on dev rows is among them only where all did: its score says nothing of others.
    """
    runs = [run for run in runs if OVERLAP not in run.flags] or runs
    order = [*Provenance, None]
    best = min((_dev_rows(run) for run in runs), key=order.index, default=None)
    found = [run for run in runs if _dev_rows(run) is best]
    sets = {dev_digests(run) for run in found}
    if best is not Provenance.official and len(sets) > 1:
        raise UsageError(
            f"{task}: runs were scored on {len(sets)} different sets of dev rows, none of which is "
            "known to be GLUE's own: the best of them cannot be told. Mend: keep the runs of each "
            "in a results folder of its own, or score them on GLUE's own files"
        )
    return found


def _why_unfit(run: Record, needed: Sequence[SubmissionFile]) -> str | None:
    """What keeps a run out of a submission."""
    if run.status != "ok" or run.score is None:
        return "not ok"
    if not SOURCES[run.source.kind].is_glue:
        return f"on {SOURCES[run.source.kind].rows}, which is not GLUE"
    if run.source.max_eval is not None:
        return "scored on a part of dev (--glue-max-eval)"
    splits = run.data.splits if run.data else {}
    for entry in needed:
        found = splits.get(entry.stored_as)
        if found is None or run.predictions is None:
            is_part = entry.task != entry.run_of
            mend = f"--glue-tasks {entry.run_of},{entry.task}" if is_part else "--glue-predict-test"
            return f"without predictions of {entry.stored_as}: say {mend}"
        if found.rows != entry.rows:
            return f"with {found.rows:,} rows of {entry.stored_as}, where GLUE has {entry.rows:,}"
    return None


def _one(axis: str, candidates: Sequence[Record]) -> str | None:
    found = sorted({_is(run, axis) for run in candidates})
    if len(found) > 1:
        raise UsageError(
            f"runs of {len(found)} {axis}s may be submitted: {', '.join(map(plain, found))}; "
            f"expected one for all tasks. Mend: --{axis} {plain(found[0])}"
        )
    return found[0] if found else None


def _refuse_namesakes(candidates: Sequence[Record]) -> None:
    """Raise `UsageError` where models with other files have the same name."""
    tasks_of: dict[str, dict[str, None]] = {}
    for run in candidates:
        tasks_of.setdefault(str(run.identity.get("model_files")), {})[run.case.task] = None
    if len(tasks_of) > 1:
        said = " and ".join(", ".join(names) for names in tasks_of.values())
        raise UsageError(
            f"runs of {len(tasks_of)} models have the name {plain(candidates[0].case.model)}: "
            f"their weights differ between {said}. Mend: keep them in results folders of their own"
        )
