"""Records grouped into cells: runs of one task x model x target that differ only in the seed."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.records.flags import CONTAMINATED, FLAGS
from harness.records.schema import Record, Source, SplitRecord, revised
from harness.spec import Combination, JsonObject, Provenance
from harness.tables.table import MISSING


@dataclass(frozen=True)
class CheckedRows:
    """How far rows were confirmed as GLUE's, and whether they are all rows of their source."""

    provenance: Provenance
    is_whole: bool

    @property
    def is_glues_own(self) -> bool:
        """Whether these are GLUE's official rows, all of them."""
        return self.provenance is Provenance.official and self.is_whole

    @classmethod
    def weakest(cls, splits: Sequence[SplitRecord]) -> CheckedRows:
        """What holds for all of the splits; without splits nothing does."""
        order = [*Provenance]
        found = max((split.provenance for split in splits), key=order.index, default=order[-1])
        return cls(found, all(split.is_whole for split in splits))


@dataclass(frozen=True)
class Cell:
    """A task, model and target, and its runs that differ only in their seed, one for each seed.

    `replaced` holds older runs of the same seeds. Figures over all runs are computed once, since
    tables ask for them often.
    """

    combination: Combination
    records: tuple[Record, ...]
    replaced: tuple[Record, ...] = ()

    @property
    def task(self) -> str:
        return self.combination.task

    @property
    def model(self) -> str:
        return self.combination.model

    @property
    def target(self) -> str:
        return self.combination.target

    @property
    def name(self) -> str:
        """As in the ids of its cases: for reading and selecting, no key."""
        return self.combination.name

    @property
    def key(self) -> str | None:
        """The hash of every input that decides the score; None if no run got so far."""
        return next((record.cell_key for record in self.records if record.cell_key), None)

    @property
    def settings(self) -> JsonObject:
        """The recipe that was run, as records hold it; {} if no run got far enough to have one."""
        return next((record.recipe for record in self.records if record.recipe), {})

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return str(self.settings.get("name", MISSING))

    @cached_property
    def ok(self) -> tuple[Record, ...]:
        """The runs that ended ok."""
        return tuple(record for record in self.records if record.status == "ok")

    @cached_property
    def scores(self) -> list[float]:
        """The score of each ok run."""
        return [record.score for record in self.ok if record.score is not None]

    @cached_property
    def mean(self) -> float | None:
        """Mean score over ok runs."""
        return statistics.fmean(self.scores) if self.scores else None

    @cached_property
    def sd(self) -> float | None:
        """Standard deviation over ok runs (n - 1); None for fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    @cached_property
    def checked_rows(self) -> dict[str, CheckedRows]:
        """What is known of its `training` and its `dev` rows; {} if nothing is."""
        data = next((record.data for record in self.ok if record.data), None)
        if data is None or not SOURCES[self.records[0].source.kind].is_glue:
            return {}
        dev = [split for name, split in data.splits.items() if name.startswith("validation")]
        train = data.splits.get("train")
        return {
            "training": CheckedRows.weakest([train] if train else []),
            "dev": CheckedRows.weakest(dev),
        }

    @cached_property
    def identity(self) -> JsonObject:
        """Every input that decides the score, except the seed; {} if no run got far enough."""
        return next((record.identity for record in self.records if record.identity), {})

    @property
    def weights(self) -> str:
        """The sha256 of the model's files as text, since two models may share a name."""
        return str(self.identity.get("model_files"))

    @property
    def is_contaminated(self) -> bool:
        """Whether the model of a run in the score had seen the task's texts before."""
        return CONTAMINATED in self.states

    @property
    def mark(self) -> str:
        """The marks of its flags, which are shown beside its score."""
        return "".join(FLAGS[name].mark for name in self.states if name in FLAGS)

    @cached_property
    def states(self) -> dict[str, int]:
        """How many runs have each status or flag, in a fixed order."""
        counts: dict[str, int] = defaultdict(int)
        for record in self.records:
            if record.status != "ok":
                counts[record.status] += 1
        held = Counter(chain.from_iterable({*record.flags} for record in self.ok))
        counts |= {flag: held[flag] for flag in FLAGS if flag in held}
        if self.ignores_its_seed:
            counts["same_seed"] = len(self.records)
        return dict(counts)

    @cached_property
    def ignores_its_seed(self) -> bool:
        """Whether runs of different seeds had the same losses or the same order of rows."""
        losses = [tuple(run.first_losses) for run in self.ok if len(run.first_losses) > 1]
        # With one step per epoch and rows grouped by length, every seed has the same order.
        orders = [
            run.observed.order_sha256
            for run in self.ok
            if run.observed and run.observed.steps_planned > len(run.history)
        ]
        return any(len(set(found)) < len(found) for found in (losses, orders))


def names_of(records: Iterable[Record]) -> tuple[str, ...]:
    """The names of the runs' cells, each once, in the order of `cells`."""
    return tuple(dict.fromkeys(cell.name for cell in cells(records)))


def cells(records: Iterable[Record]) -> list[Cell]:
    """Runs grouped into cells; tasks in GLUE's order, then the others in the order of their runs.

    Where a seed was run again, the newest ok run counts, or the newest if none is ok. A run that
    failed before its inputs were known has no key; it joins the cell of the same name if there is
    only one.
    """
    by_key: dict[tuple[Combination, str | None], list[Record]] = defaultdict(list)
    for record in records:
        by_key[record.combination, record.cell_key or None].append(record)
    for combination in [combination for combination, key in by_key if key is None]:
        keyed = [held for held in by_key if held[0] == combination and held[1] is not None]
        if len(keyed) == 1:
            by_key[keyed[0]] += by_key.pop((combination, None))
    order = {name: place for place, name in enumerate(tasks.TASKS)}
    found = [
        Cell(combination, *_one_a_seed(runs))
        for (combination, _), keyed_runs in by_key.items()
        for runs in _by_rows(keyed_runs)
    ]
    return sorted(found, key=lambda cell: order.get(cell.task, len(order)))


def dev_digests(record: Record) -> tuple[tuple[str, str, int], ...]:
    """Name, sha256 and row count of each dev set that a run was scored on; () if not known.

    The sha256 covers the rows as they were used: texts, labels and row numbers.
    """
    splits = record.data.splits if record.data else {}
    return tuple(
        (name, split.sha256, split.rows)
        for name, split in sorted(splits.items())
        if name.startswith("validation")
    )


def used_digests(record: Record) -> tuple[tuple[str, str, int], ...]:
    """`dev_digests` and that of the training rows, unless each seed sets some of them aside."""
    train = record.data.splits.get("train") if record.data else None
    if train is None or record.recipe.get("held_out"):
        return dev_digests(record)
    return (("train", train.sha256, train.rows), *dev_digests(record))


def _by_rows(runs: Sequence[Record]) -> Iterable[Sequence[Record]]:
    """Runs of one key, grouped by their rows: with the same commit, cached rows may differ."""
    apart: dict[tuple[tuple[str, str, int], ...], list[Record]] = defaultdict(list)
    for run in runs:
        apart[used_digests(run)].append(run)
    unknown = apart.pop((), [])
    if len(apart) <= 1:
        return [runs]
    return [*apart.values(), *([unknown] if unknown else [])]


def _one_a_seed(runs: Iterable[Record]) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """The run that counts for each seed, and the others."""
    newest: dict[int, Record] = {}
    replaced = []
    for run in sorted(runs, key=lambda run: (run.status == "ok", run.created)):
        if older := newest.get(run.case.seed):
            replaced.append(older)
        newest[run.case.seed] = run
    return tuple(newest.values()), tuple(replaced)


def by_source(records: Iterable[Record]) -> list[list[Record]]:
    """Records grouped by which rows were asked for, in the order in which they first appear.

    A run that failed before the Hub's revision was known joins the runs of the only known revision.
    """
    found: dict[Source, list[Record]] = defaultdict(list)
    for record in records:
        found[record.source].append(record)
    for source in [source for source in found if source.revision is None]:
        known = [other for other in found if other.revision]
        same = [k for k in known if revised(k, revision=None) == source]
        if len(same) == 1:
            found[same[0]] += found.pop(source)
    return list(found.values())


def where(source: Source) -> str:
    """Which rows were asked for, as titles name them."""
    said = SOURCES[source.kind].title.format(revision=(source.revision or "unknown")[:7])
    for cap, name in ((source.max_train, "training"), (source.max_eval, "dev")):
        said += f", {cap} {name} rows" if cap else ""
    return said
