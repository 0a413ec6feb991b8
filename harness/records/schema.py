"""The record of a run, which training writes and reports read.

Scores are fractions, times are in seconds, memory is in bytes; most names end in their unit. The
types limit each value; `consistency` finds values that contradict each other.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
)

from harness.spec import Combination, Provenance, SourceKind

SCHEMA = 3
PredictionTable = dict[str, list[Any]]  # numbers, texts, or a list of logits a row
"""Columns split, row, label, prediction, logits; all of the same length."""

Status = Literal["ok", "diverged", "failed", "oom", "timeout", "crashed", "skipped"]


def _is_json(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Refuse values that would not be read back unchanged: `NaN`, half a surrogate pair."""
    if info.mode == "python":
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


Json = Annotated[dict[str, Any], AfterValidator(_is_json)]  # of any shape, which differs by task


FIRST_YEAR, LAST_YEAR = 1970, 9998  # in others a time cannot be moved to every time zone


def _in_utc(moment: datetime) -> datetime:
    """Give all times the same object for UTC: times of one zone compare faster."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:  # pydantic's own bounds take 20 us
        raise ValueError(f"expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    return moment if moment.utcoffset() else moment.replace(tzinfo=UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]

# The bounds are far from any real value; they keep sums, means and DataFrame columns in range.
MOST = 2**63 - 1
Count = Annotated[int, Field(ge=0, le=MOST)]
PositiveCount = Annotated[int, Field(ge=1, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Rate = Annotated[float, Field(ge=0, le=1e18)]
Loss = Annotated[float, Field(ge=-1e40, le=1e40)]  # of fp32 arithmetic: at most 3.4e38
ROUNDING = 1e-9
Fraction = Annotated[float, Field(ge=-1 - ROUNDING, le=1 + ROUNDING)]  # every metric, and scores
Share = Annotated[float, Field(ge=0, le=1)]  # of a whole
Step = Annotated[float, Field(ge=0, le=2 + ROUNDING)]  # from one fraction to another
Seed = Annotated[int, Field(ge=0, le=MOST)]
Name = Annotated[str, Field(min_length=1, max_length=4096)]
RunId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
FolderName = Annotated[str, Field(pattern=r"^[^./\x00][^/\x00]*$", max_length=255)]
PlainFile = Annotated[str, Field(pattern=r"^[a-z0-9+_-][a-z0-9.+_-]*\.parquet$", max_length=255)]


class Part(BaseModel):
    """A part of a record: unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class CaseInfo(Part):
    """The case that was run. `id` is for reading and is never parsed."""

    id: Name
    task: Name
    model: Name
    target: Name
    seed: Seed


class SplitRecord(Part):
    """One split: how many rows were used, how many its source has, and the sha256 of those used."""

    rows: Count
    rows_in_source: Count
    dropped: Count
    sha256: str
    official: bool  # until `checked` was recorded, also where only counts were known to agree
    agrees: tuple[str, ...] = ()  # of GLUE's own "rows", "class counts", "sha256", "commit": held
    checked: Literal["sha256", "commit", "counts"] | None = None  # the strongest, if none failed
    shared_with_train: Count | None = None  # rows with the texts of a training row; None:
    # the training rows themselves, or not counted by older versions
    missing_labels: tuple[str, ...] = ()  # of the training rows: labels that none of them has

    @property
    def provenance(self) -> Provenance:
        """How far the rows of the source were confirmed as GLUE's."""
        if self.strongest_check is None:
            return Provenance.other
        return Provenance.counted if self.strongest_check == "counts" else Provenance.official

    @property
    def strongest_check(self) -> str | None:
        """What confirmed best that the rows are GLUE's; None where a check failed or none ran.

        Older records have no `checked`; there `agrees` and `official` tell.
        """
        pin = next((fact for fact in ("sha256", "commit") if fact in self.agrees), None)
        return self.checked or ((pin or "counts") if self.official else None)

    @property
    def is_whole(self) -> bool:
        """Whether these are all rows of the source."""
        return self.rows == self.rows_in_source

    @property
    def is_glues_own(self) -> bool:
        """Whether these are GLUE's official rows, all of them."""
        return self.provenance is Provenance.official and self.is_whole


class Source(Part):
    """Which rows were asked for; None means all rows."""

    kind: SourceKind
    revision: str | None = None  # hub: the data set's commit
    max_train: Count | None = None
    max_eval: Count | None = None


class DataRecord(Part):
    """The rows that were used, by split."""

    splits: dict[str, SplitRecord]
    truncated_rows: dict[str, Count]


class ModelRecord(Part):
    """The model that was trained."""

    parameters: Count
    new_parameters: list[str]  # not in the checkpoint: they started random
    unused: list[str] = []  # modules of the checkpoint that the network lacks, such as other heads
    notes: list[str] = []  # notes for the user on how weights and texts were read
    trained_parameters: Count | None = None  # those that training may change
    saved_bytes: Count | None = None  # what a task adds to a disk that has the checkpoint
    dtype: str
    bf16_products: Literal["native", "upcast"] | None = None
    # Each speed-up that was asked for -> "used", or why it was not.
    speedups: dict[str, str] = {}


class Batching(Part):
    """How a step was divided to fit in memory. The rows of a step are always the same."""

    batch_requested: PositiveCount
    micro_batch: PositiveCount  # rows that are computed at once
    accumulation: PositiveCount  # micro-batches in a step
    eval_batch: PositiveCount
    oom_retries: Count = 0  # fresh starts, each with half the micro-batch
    ran_out_in: Literal["training", "evaluation"] | None = None  # of a run that ended as `oom`


class Observed(Part):
    """What was measured while the run trained; `training.checks` compares it with the plan."""

    steps_planned: Count
    examples_planned: Count
    updates: Count  # as the optimizer counted them
    skipped_updates: Count = 0  # their fp16 gradients were not finite
    skipped_late: Count = 0  # those after the point where fp16's scale should be stable
    arithmetic: str | None = None  # dtype of the matrix products; None: no product was observed
    weights_sha256: str  # of the network before the first step, head included
    order_sha256: str  # of the rows of the first steps, those of `first_losses`
    calibration_s: tuple[Seconds, Seconds] | None = None  # a fixed task's,
    # before training and after it


class Timing(Part):
    """Seconds of each phase, and how much the training phases processed."""

    load_s: Seconds
    train_s: Seconds
    eval_s: Seconds
    epoch_s: list[Seconds]
    steps: Count
    examples: Count
    tokens: Count  # real ones, without padding
    examples_per_s: Rate
    tokens_per_s: Rate
    # Of training alone; older records have none of these.
    step_s: Seconds | None = None  # median of the steps
    cpu_s: Seconds | None = None  # user and system time of all threads
    steal_share: Share | None = None  # of the machine's CPU time: what other machines got
    instructions: Count | None = None  # None also where they cannot be counted


class Memory(Part):
    """Peak memory of the run's process, what the process held before the run, and device memory."""

    peak_memory_bytes: Count | None
    floor_memory_bytes: Count | None
    peak_device_memory_bytes: Count | None


class Evaluation(Part):
    """The metrics of each evaluation split after one epoch, and the mean training loss in it."""

    epoch: Count
    train_loss: Loss
    metrics: dict[str, dict[str, Fraction]]
    score: Fraction


class PredictionsFile(Part):
    """The file with a prediction for every row; written before the record that names it."""

    name: PlainFile
    sha256: str
    rows: Count


class Outcome(Part):
    """What a worker reports of a run, as JSON."""

    status: Status
    reason: str | None = None  # one line, for any status but ok
    flags: list[str] = []
    score: Fraction | None = None
    floor: Fraction | None = None
    metrics: dict[str, dict[str, Fraction]] = {}
    one_row: dict[str, Step] = {}  # metric, or "score" -> the most that one dev row can change it
    history: list[Evaluation] = []
    first_losses: list[Loss] = Field([], max_length=1000)
    data: DataRecord | None = None
    model: ModelRecord | None = None
    batching: Batching | None = None
    observed: Observed | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    saved_model: FolderName | None = None  # its folder, below --glue-save-models
    saved_model_sha256: str | None = None  # of its card, which has that of each file


PartT = TypeVar("PartT", bound=Part)


def revised(part: PartT, **changes: Any) -> PartT:
    """A copy of a part with other values, which are validated like those of a new part."""
    held = {name: getattr(part, name) for name in type(part).model_fields}
    return type(part)(**held | changes)


class Record(Outcome):
    """One run of one case. Never changed once written."""

    schema_number: int = Field(SCHEMA, alias="schema")
    id: RunId = Field(default_factory=lambda: uuid.uuid4().hex)
    created: Moment = Field(default_factory=lambda: datetime.now(UTC))
    case: CaseInfo
    profile: str
    session: str | None = None  # its journal says more
    source: Source
    recipe: Json
    threads: PositiveCount | None = None
    cell_key: str | None  # None: the run failed before its inputs were known
    identity: Json  # what `cell_key` is the hash of
    environment: dict[str, str | int | bool | None]
    predictions: PredictionsFile | None = None

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, populate_by_name=True
    )

    @property
    def combination(self) -> Combination:
        """The task, model and target, which all runs of a cell share; `.name` names the cell."""
        return Combination(self.case.task, self.case.model, self.case.target)
