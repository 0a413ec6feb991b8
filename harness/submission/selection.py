"""Which stored runs may be submitted to GLUE, and which one is, task by task: the best on dev."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog.sources import SOURCES
from harness.errors import UsageError
from harness.records.cells import dev_digests
from harness.records.flags import Spoils, that_spoil
from harness.records.schema import Record
from harness.spec import Provenance
from harness.submission.files import SUBMISSION_FILES, SubmissionFile
from harness.text.names import unknown
from harness.text.values import plain

RUN_OF = tuple(dict.fromkeys(file.run_of for file in SUBMISSION_FILES))
AXES = ("model", "target", "recipe")
NO_CHOICE = frozenset(that_spoil(Spoils.CHOICE))


@dataclass(frozen=True)
class RunFilter:
    """What the runs of a submission have in common; None: what all of them have, if they agree."""

    model: str | None = None
    target: str | None = None
    recipe: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Best:
    """The run that is submitted for a task, and the number of runs it was chosen from."""

    record: Record
    of: int

    def predicts(self, file: SubmissionFile) -> bool:
        """Whether it has the predictions of a file."""
        return self.record.data is not None and file.stored_as in self.record.data.splits

    def test_rows(self, file: SubmissionFile) -> Provenance:
        """How far the rows that it predicted for a file were confirmed as GLUE's."""
        splits = self.record.data.splits if self.record.data else {}
        return splits[file.stored_as].provenance if splits else Provenance.other

    @property
    def dev_rows(self) -> Provenance | None:
        """How far its dev rows were confirmed as GLUE's; None: not recorded."""
        return _dev_provenance(self.record)


@dataclass(frozen=True)
class Candidates:
    """The runs of one model, target and recipe that are submitted, by task."""

    axes: Mapping[str, str | None]  # model, target, recipe; None: no run may be submitted
    seed: int | None  # None: any seed
    best: Mapping[str, Best]  # by task
    left_out: Mapping[str, Mapping[str, int]]  # task without a run -> reason -> number of runs
    example: Record | None = None  # some run of these axes, which need not be fit


def choose(
    records: Iterable[Record], run_filter: RunFilter, may_fill: Collection[str] = ()
) -> Candidates:
    """The best run of each task, among those that ended ok and predicted GLUE's test rows.

    All dev rows have to be scored, and toy rows do not count. Only dev scores on the same rows are
    compared. Runs scored on confirmed GLUE rows come before runs whose dev rows were only counted,
    and these before all others. A run that was scored on its training rows is chosen only if there
    is no other. Of equal scores the newest wins. `may_fill` has the tasks whose files may be
    placeholders. Raises `UsageError` if a name is unknown, or the runs are of several models,
    targets, recipes or sets of unconfirmed dev rows.
    """
    runs = _matching([record for record in records if record.case.task in RUN_OF], run_filter)
    fit = {task: _fit([run for run in runs if run.case.task == task], may_fill) for task in RUN_OF}
    fit = {task: _comparable(task, of_task) for task, of_task in fit.items()}
    candidates = [run for of_task in fit.values() for run in of_task]
    axes = {axis: _only_value(axis, candidates) or getattr(run_filter, axis) for axis in AXES}
    _refuse_namesakes(candidates)
    same = [run for run in runs if all(axes[axis] in (None, _value(run, axis)) for axis in AXES)]
    return Candidates(
        axes,
        run_filter.seed,
        best={
            task: Best(max(of_task, key=lambda run: (run.score, run.created, run.id)), len(of_task))
            for task, of_task in fit.items()
            if of_task
        },
        left_out={task: _count_reasons(task, same) for task, of_task in fit.items() if not of_task},
        example=next(iter(same), None),
    )


def _count_reasons(task: str, runs: Iterable[Record]) -> Mapping[str, int]:
    files = _files_of(task)
    return Counter(why for run in runs if run.case.task == task if (why := _why_unfit(run, files)))


def _value(run: Record, axis: str) -> str:
    return str(run.recipe.get("name")) if axis == "recipe" else getattr(run.case, axis)


def _matching(runs: Sequence[Record], run_filter: RunFilter) -> list[Record]:
    """The runs that fit the filter. Raises `UsageError` for a name that no run has."""
    for axis in AXES:
        name = getattr(run_filter, axis)
        known = sorted({plain(_value(run, axis)) for run in runs if run.recipe or axis != "recipe"})
        if runs and name is not None and plain(name) not in known:
            raise UsageError(unknown(axis, name, known))
    return [
        run
        for run in runs
        if all(getattr(run_filter, axis) in (None, _value(run, axis)) for axis in AXES)
        and run_filter.seed in (None, run.case.seed)
    ]


def _files_of(task: str) -> list[SubmissionFile]:
    """The files that runs of a task predict."""
    return [file for file in SUBMISSION_FILES if file.run_of == task]


def _fit(runs: Sequence[Record], may_fill: Collection[str]) -> list[Record]:
    """The candidates among a task's runs: those that predict all of its files, if any does."""
    files = _files_of(runs[0].case.task) if runs else []
    required = [file for file in files if file.task == file.run_of or file.task not in may_fill]
    complete = [run for run in runs if not _why_unfit(run, files)]
    return complete or [run for run in runs if not _why_unfit(run, required)]


def _dev_provenance(run: Record) -> Provenance | None:
    splits = run.data.splits if run.data else {}
    order = [*Provenance]
    dev = [split.provenance for name, split in splits.items() if name.startswith("validation")]
    return max(dev, key=order.index, default=None)


def _comparable(task: str, runs: Sequence[Record]) -> list[Record]:
    """The runs whose dev scores can be compared: those whose dev rows are confirmed best.

    A run whose flags forbid to choose it by its dev score is left out, unless all are such.
    """
    runs = [run for run in runs if not NO_CHOICE & set(run.flags)] or runs
    order = [*Provenance, None]
    best = min((_dev_provenance(run) for run in runs), key=order.index, default=None)
    comparable = [run for run in runs if _dev_provenance(run) is best]
    dev_sets = {dev_digests(run) for run in comparable}
    if best is not Provenance.official and len(dev_sets) > 1:
        raise UsageError(
            f"{task}: runs were scored on {len(dev_sets)} different sets of dev rows, none of them "
            "confirmed as GLUE's, so their scores cannot be compared. Fix: keep the runs of each "
            "set in a results folder of its own, or score them on GLUE's own files"
        )
    return comparable


def _why_unfit(run: Record, files: Sequence[SubmissionFile]) -> str | None:
    """Why a run may not be submitted for these files; None: it may."""
    if run.status != "ok" or run.score is None:
        return "not ok"
    if not SOURCES[run.source.kind].is_glue:
        return f"on {SOURCES[run.source.kind].rows}, which is not GLUE"
    if run.source.max_eval is not None:
        return "scored on a part of dev (--glue-max-eval)"
    splits = run.data.splits if run.data else {}
    for file in files:
        split = splits.get(file.stored_as)
        if split is None or run.predictions is None:
            is_part = file.task != file.run_of
            fix = f"--glue-tasks {file.run_of},{file.task}" if is_part else "--glue-predict-test"
            return f"without predictions of {file.stored_as}: use {fix}"
        if split.rows != file.rows:
            return f"with {split.rows:,} rows of {file.stored_as}, where GLUE has {file.rows:,}"
    return None


def _only_value(axis: str, candidates: Sequence[Record]) -> str | None:
    """What all candidates have on an axis; None if there is none. Raises `UsageError`."""
    values = sorted({_value(run, axis) for run in candidates})
    if len(values) > 1:
        raise UsageError(
            f"runs of {len(values)} {axis}s may be submitted: {', '.join(map(plain, values))}; "
            f"expected one for all tasks. Fix: --{axis} {plain(values[0])}"
        )
    return values[0] if values else None


def _refuse_namesakes(candidates: Sequence[Record]) -> None:
    """Raise `UsageError` if models with different files have the same name."""
    tasks_of: dict[str, dict[str, None]] = {}
    for run in candidates:
        tasks_of.setdefault(str(run.identity.get("model_files")), {})[run.case.task] = None
    if len(tasks_of) > 1:
        groups = " and ".join(", ".join(names) for names in tasks_of.values())
        raise UsageError(
            f"runs of {len(tasks_of)} models have the name {plain(candidates[0].case.model)}: "
            f"their weights differ between {groups}. Fix: keep them in separate results folders"
        )
