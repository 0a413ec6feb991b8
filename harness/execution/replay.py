"""The first steps of a stored run, computed again and compared with what it recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from harness.catalog import adaptations, models, profiles, targets, tasks
from harness.errors import Exit, UsageError
from harness.execution.engine import Engine
from harness.planning.options import Settings
from harness.planning.plan import Plan
from harness.planning.resolve import resolve
from harness.planning.stored_run import source_of
from harness.records.diff import differences
from harness.records.schema import Outcome, Record, Status
from harness.spec import Case, DataRequest, Recipe, RunConfig, Target
from harness.system import environment
from harness.text.values import shown

CODE = ("commit", "glue-bench", "glue-bench_sha256")


def verify(
    record: Record,
    engine: Engine,
    *,
    data: str | None = None,
    model: str | None = None,
    vectors: str | None = None,
    threads: int | None = None,
) -> Replay | None:
    """Compute the first steps of a run again; None if it has no losses to compare.

    `data`, `model` and `vectors` say where to find those of the record, which holds no paths;
    `threads` replaces the recorded number. Raises `UsageError` if one of them is needed, and
    `GlueBenchError` for data or a model that cannot be found.
    """
    if not record.first_losses:
        return None
    config = configuration(record, data=data, model=model, vectors=vectors, threads=threads)
    now = engine.submit(config, lambda step, steps: None).result().outcome
    return Replay(
        case=record.case.id,
        threads=config.threads,
        then=tuple(record.first_losses),
        now=tuple(now.first_losses),
        tolerance=tolerance(targets.get(record.case.target)),
        status=now.status,
        reason=now.reason,
        differences=tuple(_differences(record, config, now)),
        unknown=tuple(_unknown(record)),
    )


def configuration(
    record: Record,
    *,
    data: str | None = None,
    model: str | None = None,
    vectors: str | None = None,
    threads: int | None = None,
) -> RunConfig:
    """The configuration of a stored run, cut to the steps whose losses it holds.

    Raises `GlueBenchError`.
    """
    case = Case(**record.case.model_dump(exclude={"id"}))
    plan = Plan(
        profile=profiles.get(profiles.DEFAULT),
        settings=Settings(vectors=vectors),
        data=DataRequest(source_of(record, data), record.source.max_train, record.source.max_eval),
        tasks={case.task: tasks.get(case.task)},
        models={case.model: _model(record, model)},
        targets={case.target: targets.get(case.target)},
        seeds=(case.seed,),
        recipe=_recipe(record),
    )
    config = resolve(case, plan)
    recipe = config.recipe
    if record.batching:  # a step that did not fit in memory was divided further than planned
        recipe = dataclasses.replace(recipe, accumulation=record.batching.accumulation)
    return dataclasses.replace(
        config,
        recipe=recipe,
        threads=threads or record.threads or 1,
        replay_steps=len(record.first_losses),
    )


def _model(record: Record, model: str | None) -> models.Adapted:
    """The model of a stored run, or `model` in its place, adapted as the run adapted it."""
    base = adaptations.base_name(record.case.model, record.identity)
    if model is None and base not in models.MODELS and not models.HUB_ID.fullmatch(base):
        raise UsageError(
            f"{record.case.id}: its model {shown(base)} came from a folder, and records hold no "
            "folders. Fix: say --model FOLDER, the folder that holds it"
        )
    suffixes = [row.name for row in adaptations.of_identity(record.identity)]
    adapted = models.adapted(model or base, suffixes, record.case.model)
    return dataclasses.replace(adapted, name=record.case.model)


def _recipe(record: Record) -> Recipe:
    known = {field.name for field in dataclasses.fields(Recipe)}
    foreign = sorted({*record.recipe} - known)
    try:
        if not foreign:
            return TypeAdapter(Recipe).validate_python(record.recipe)
    except ValidationError as error:
        foreign = [str(error.errors()[0]["loc"][0])]
    raise UsageError(
        f"{record.case.id}: key recipe.{foreign[0]}: found "
        f"{shown(record.recipe.get(foreign[0], 'nothing'))}; recipes have no such setting here. "
        "Fix: verify it with the glue-bench that wrote it: "
        f"{record.environment.get('glue-bench')}, commit {record.environment.get('commit')}"
    )


def _differences(record: Record, config: RunConfig, now: Outcome) -> Iterator[Difference]:
    """Every input that is not what it was, in the order of `INPUTS`."""
    # Rounding on the CPU also affects the last bits of random weights.
    for name, rounds, lines in (
        ("recipe", False, _of_identity(record, config, "recipe", "target", "adaptation")),
        ("rows", False, _rows(record, now)),
        ("weights", False, _of_identity(record, config, "model_files")),
        ("weights", True, _observed(record, now, "weights_sha256")),
        ("order", False, _observed(record, now, "order_sha256")),
        ("code", True, _code(record, config)),
        ("environment", True, _environment(record, config, now)),
    ):
        yield from (Difference(name, line, rounds) for line in lines)


def _unknown(record: Record) -> Iterator[str]:
    """What may differ without our knowing it."""
    if record.observed is None:
        yield "the first weights and the order of rows: the record does not hold their hashes"
    if record.environment.get("dirty") or environment.facts()["dirty"]:
        yield "the code: there were changes beside its commit, then or now"


def _of_identity(record: Record, config: RunConfig, *keys: str) -> list[str]:
    then, now = record.identity, config.identity
    return [line for key in keys for line in _of(key, then.get(key), now.get(key))]


def _rows(record: Record, now: Outcome) -> list[str]:
    """What differs in the training rows; the losses depend on no others."""
    if record.data is None or now.data is None:
        return []
    then, today = record.data.splits["train"], now.data.splits["train"]
    return _of("train.rows", then.rows, today.rows) + _of("train", then.sha256, today.sha256)


def _observed(record: Record, now: Outcome, name: str) -> list[str]:
    if record.observed is None or now.observed is None:
        return []
    return _of(name, getattr(record.observed, name), getattr(now.observed, name))


def _code(record: Record, config: RunConfig) -> list[str]:
    lines = _of_identity(record, config, "numerics")
    if isinstance(record.identity.get("task"), Mapping):  # older records hold only its name
        lines += _of_identity(record, config, "task")
    return lines + _facts(record, CODE)


def _environment(record: Record, config: RunConfig, now: Outcome) -> list[str]:
    lines = _facts(record, environment.ROUNDING)
    if record.model and now.model:
        lines += _of("bf16_products", record.model.bf16_products, now.model.bf16_products)
    return lines + _of("threads", record.threads, config.threads)


def _facts(record: Record, names: tuple[str, ...]) -> list[str]:
    then, now = record.environment, environment.facts()
    return [line for name in names if name in then for line in _of(name, then[name], now[name])]


def _of(name: str, then: object, now: object) -> list[str]:
    return differences(then, now, name)


INPUTS = ("recipe", "rows", "weights", "order", "code", "environment")
"""What a loss depends on, in the order of `Replay.differences`."""

FP32_TOLERANCE, REDUCED_TOLERANCE = 1e-3, 1e-2
"""How far losses may be apart, relative to the larger, and still differ by rounding alone.

Another number of threads, CPU or version of torch adds the same numbers in another order. Reduced:
bf16, fp16 and TF32, of which bf16 rounds by up to 4e-3. docs/reliability.md has measured figures.
"""


def tolerance(target: Target) -> float:
    """The largest relative difference of two losses on a target that rounding may explain."""
    return REDUCED_TOLERANCE if target.autocast or target.tf32 else FP32_TOLERANCE


@dataclass(frozen=True)
class Difference:
    """One input that is not what it was."""

    input: str  # of `INPUTS`
    what: str  # `recipe.learning_rate: was 2e-05, is 0.0001`
    rounds: bool  # alone it can change only how results are rounded


@dataclass(frozen=True)
class Replay:
    """The losses of a run's first steps, then and now, and what differs between the two."""

    case: str
    threads: int
    then: tuple[float, ...]
    now: tuple[float, ...]  # empty if the replay failed
    tolerance: float  # the largest relative difference of equal losses
    status: Status  # of the replay
    reason: str | None  # why the status is not ok
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]  # what may differ without our knowing it

    @property
    def is_equal(self) -> bool:
        """Whether every loss is the same to the last bit."""
        return self.then == self.now

    @property
    def apart(self) -> float:
        """The largest relative difference of two losses; infinite if there are fewer losses now."""
        if len(self.then) != len(self.now):
            return float("inf")
        pairs = zip(self.then, self.now, strict=True)
        return max(abs(a - b) / (max(abs(a), abs(b)) or 1.0) for a, b in pairs)

    @property
    def is_close(self) -> bool:
        """Whether rounding may explain the difference: it is small, and no input explains it."""
        return self.apart <= self.tolerance and all(found.rounds for found in self.differences)

    @property
    def step(self) -> int | None:
        """The first step, counted from 1, whose loss differs; None if there is none."""
        pairs = enumerate(zip(self.then, self.now, strict=False), start=1)
        return next((step for step, (then, now) in pairs if then != now), None)

    @property
    def exit(self) -> Exit:
        """The exit code of `glue-bench verify`."""
        if self.status not in ("ok", "diverged"):
            return Exit.UNDECIDED
        return Exit.FINE if self.is_equal or self.is_close else Exit.WORSE


def text(replay: Replay) -> str:
    """A replay as the terminal shows it."""
    lines = [f"{replay.case}, {replay.threads} thread(s)", _judgement(replay)]
    if replay.differences:
        first = replay.differences[0].input
        lines.append(f"the first input that differs: {first}")
        lines += [f"  {found.input}: {found.what}" for found in replay.differences]
    elif not replay.is_equal:
        lines.append("no input that the record knows of differs")
    if not replay.is_equal:
        lines += [f"not known: {what}" for what in replay.unknown]
    return "\n".join(lines)


def _judgement(replay: Replay) -> str:
    steps, at = len(replay.then), replay.step
    if replay.exit is Exit.UNDECIDED:
        return f"cannot tell: {replay.reason}"
    if replay.is_equal:
        return f"equal: {steps} losses are bitwise the same"
    if at is None:
        ended = replay.reason or f"there are {len(replay.now)} now"
        return f"different: {steps} losses were finite; {ended}"
    was = f"step {at}: loss was {replay.then[at - 1]!r}, is {replay.now[at - 1]!r}"
    if replay.exit is Exit.FINE:
        return (
            f"equal within {replay.tolerance:g}: {steps} losses differ by {replay.apart:.1e} at "
            f"most, first at {was}"
        )
    return f"different at {was}"
