"""The types that all parts of the harness share. They are frozen, and need no I/O and no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

Json = Any
"""A value parsed from JSON or TOML: `Any`, since its type is only known once it was checked."""
JsonObject = Mapping[str, Json]

NOTHING: JsonObject = MappingProxyType({})
SourceKind = Literal["toy", "hub", "glue_data", "own"]
"""The kinds of sources, by their names in records; see `catalog.sources`."""
CUSTOM: Final = "own"  # the kind of custom data: records keep the name that it had first
TEST = "test"  # one name for all unlabelled splits of a task

Progress = Callable[[int, int], None]  # called with the number of steps done, and of all steps


class Provenance(StrEnum):
    """How far it was confirmed that the rows of a split, or of a run, are the official ones."""

    # The file's sha256 is that of GLUE's file, or it is the one of a commit of nyu-mll/glue.
    official = "official"
    # The number of rows, and of each class, is the official one; the texts are not checked.
    counted = "counted"
    other = "other"  # neither


class Policy(StrEnum):
    """Which verdicts of the gate fail a test, and give `compare` an exit code other than 0."""

    strict = "strict"  # also those that cannot tell
    normal = "normal"  # worse, gone, incomparable
    report = "report"  # none


class Axis(StrEnum):
    """What can differ between two runs that are compared, while everything else is the same."""

    target = "target"
    model = "model"  # each with its own recipe
    recipe = "recipe"
    torch = "torch"


@dataclass(frozen=True)
class CustomRows:
    """Where the rows of a custom task are: files on this machine, or a data set of the Hub."""

    label: str  # the column
    splits: Mapping[str, str]  # split -> absolute path, or the name of the split in the data set
    hub: str | None = None  # the data set's id
    config: str | None = None  # the data set's config, if it has several
    revision: str | None = None  # the data set's commit; None: the cached one, or the newest


@dataclass(frozen=True)
class Task:
    """A GLUE task or a custom task. Splits have the Hub's names: `validation` is GLUE's dev set."""

    name: str
    title: str  # its name on the leaderboard
    text_columns: tuple[str, ...]
    labels: tuple[str, ...]  # in id order; empty for regression
    metrics: tuple[str, ...]  # the task's score is their unweighted mean
    rows: Mapping[str, int]  # official row count of each split
    class_counts: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: NOTHING)
    label_means: Mapping[str, float] = field(default_factory=lambda: NOTHING)  # of a regression
    evaluated: tuple[str, ...] = ("validation",)  # labelled splits that make the score
    predicted: tuple[str, ...] = ("test",)  # unlabelled splits that a submission needs
    label_range: tuple[float, float] | None = None  # of a regression
    is_adversarial: bool = False  # dev rows contradict training rows that have the same sentences
    part_of: str | None = None  # the task whose models predict this evaluation set
    rows_of: str | None = None  # the task whose rows it uses; None: it has rows of its own
    # The row numbers that belong to the task, from the first to before the last; absent: all rows.
    only: Mapping[str, tuple[int, int]] = field(default_factory=lambda: NOTHING)
    # Row counts of an earlier version of the official files.
    earlier_rows: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    # How many official rows of a split have the texts of a training row; absent: not counted.
    shared_with_train: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    custom: CustomRows | None = field(default=None, hash=False)  # None: a task of GLUE

    @property
    def source(self) -> str:
        """The name under which a folder or a data set holds the rows."""
        return self.rows_of or self.name

    def stored_as(self, split: str) -> str:
        """The name of a split in records: that of the task, for a part of another task."""
        return self.name if self.part_of else split

    @property
    def is_regression(self) -> bool:
        return not self.labels

    @property
    def outputs(self) -> int:
        """Width of the model's output layer."""
        return len(self.labels) or 1


@dataclass(frozen=True)
class Split:
    """The rows of one split. `texts[i]` holds one string, or two for a pair task."""

    texts: Sequence[tuple[str, ...]]
    labels: Sequence[int] | Sequence[float] | None  # None: an unlabelled split
    ids: Sequence[int]  # row numbers in the source, which sampling does not change

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Architecture:
    """The architecture of a model in transformers, and its published number of parameters."""

    family: str  # transformers' model_type
    parameters: float | None = None  # the published number; None: no source was found
    counts: str = "encoder"  # what is counted: "encoder", or "pretraining" for the head too
    source: str = ""  # of the number of parameters
    # The settings of its config.json that differ from the family's defaults in transformers 5.23.
    config: JsonObject = field(default_factory=lambda: NOTHING, hash=False)


@dataclass(frozen=True)
class Model:
    """Where a model comes from, and facts about it.

    `package`, `hub` or `path` says where pretrained weights are. `network` names a network that has
    no pretrained weights.
    """

    name: str
    package: str | None = None  # the Python package that contains it
    folder: str = ""  # its folder inside that package
    hub: str | None = None  # its id on the Hugging Face Hub
    revision: str | None = None  # the commit there; None: the newest
    path: str | None = None  # an absolute path of the user's folder
    network: str | None = None  # a key of `scratch.NETWORKS`: it starts from random weights
    recipe: str | None = None  # used where the user names none; None: its family's
    extra: str | None = None  # the extra of glue-bench that installs the package
    architecture: Architecture | None = None
    read: str = ""  # the data it was pretrained on, if a source says it
    contaminated: frozenset[str] = frozenset()  # tasks whose texts were in its pretraining
    quirks: str = ""  # facts to know before fine-tuning it
    sha256: str | None = None  # of its weights, to recognize a copy under another name
    # Its names in published results -> how that model differs from this one; "": not at all.
    published: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A device with a precision.

    `autocast` is the dtype of the arithmetic. Parameters and optimizer states stay fp32.
    """

    name: str
    device: str  # torch's device type: cpu, cuda, mps, xpu
    autocast: str | None = None  # "bfloat16", "float16", or None for fp32 arithmetic
    tf32: bool = False


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of a fine-tuning run, with their source."""

    name: str
    source: str
    learning_rate: float
    epochs: int
    batch_size: int  # examples in one optimizer step
    max_length: int  # in tokens; longer inputs are truncated
    warmup: float = 0.0  # share of the steps in which the learning rate rises
    # Whether the number of warm-up steps is rounded up, as in Trainer, or down.
    warmup_rounds_up: bool = True
    # Whether the decay counts from step 0, as in BERT's optimizer, or from the end of the warm-up.
    decays_from_start: bool = False
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    grad_clip: float | None = 1.0  # the largest norm of a step's gradient; None: no limit
    accumulation: int = 1  # micro-batches in one optimizer step
    group_by_length: bool = False  # batches of rows of similar length, which need less padding
    bias_correction: bool = True  # of Adam's moments; BERT's optimizer has none
    fast_dropout: bool = (
        False  # on a CPU, masks of `harness.modeling.speedups.dropout`, not torch's own
    )
    held_out: float = 0.0  # share of the training rows that are set aside, unused, by the seed
    eval_batch_size: int = 64
    epochs_of: Mapping[str, int] = field(default_factory=lambda: NOTHING)  # task -> epochs

    @property
    def micro_batch(self) -> int:
        """How many rows are computed at once."""
        return -(-self.batch_size // self.accumulation)


@dataclass(frozen=True)
class Combination:
    """One task x model x target: what all runs of a cell have in common."""

    task: str
    model: str  # its name in records: of a row, the Hub's id, or a folder's last part
    target: str

    @property
    def name(self) -> str:
        """A name for people and for `pytest -k`: `sst2-minilm-cpu-fp32`. It is never parsed."""
        return f"{self.task}-{self.model.rsplit('/', 1)[-1].lower()}-{self.target}"


@dataclass(frozen=True)
class Case:
    """One task x model x target x seed. Each test of the benchmark runs one case."""

    task: str
    model: str  # as in `Combination`
    target: str
    seed: int

    @property
    def combination(self) -> Combination:
        """What it shares with the cases of other seeds."""
        return Combination(self.task, self.model, self.target)

    @property
    def id(self) -> str:
        """A name for people and for `pytest -k`: `sst2-minilm-cpu-fp32-s42`. It is never parsed."""
        return f"{self.cell}-s{self.seed}"

    @property
    def cell(self) -> str:
        """The name of its cell."""
        return self.combination.name


@dataclass(frozen=True)
class DataRequest:
    """The data that a run reads. `source` is "toy", "hub", `CUSTOM` or an absolute folder."""

    source: str = "toy"
    max_train: int | None = None
    max_eval: int | None = None
    predict_test: bool = False  # also predict the unlabelled splits
    needed: tuple[str, ...] = ()  # unlabelled sets that must exist: "test", or the name of a part
    snapshot: str | None = None  # of the Hub: the folder of the revision
    revision: str | None = None  # of the Hub: the data set's commit

    @property
    def kind(self) -> SourceKind:
        """The kind of the source, by its name in records."""
        kinds: dict[str, SourceKind] = {"toy": "toy", "hub": "hub", CUSTOM: CUSTOM}
        return kinds.get(self.source, "glue_data")


@dataclass(frozen=True)
class RunConfig:
    """All that a run needs, resolved once in the driver and sent to the worker as JSON."""

    case: Case
    task: Task
    target: Target
    recipe: Recipe
    data: DataRequest
    model_directory: str | None  # None: a network that has no pretrained weights
    identity: JsonObject  # every input that decides the score, except the seed
    cell_key: str  # sha256 of `identity`
    threads: int
    cpus: tuple[int, ...] | None = None  # the CPUs that this run may use; None: all
    jobs: int = 1  # how many runs share the machine, including this one
    scratch: bool = False  # start from random weights, not the pretrained ones
    network: str | None = None  # a key of `scratch.NETWORKS`, in place of a folder
    method: str | None = None  # the adaptation of `catalog.adaptations` that trains only a part
    vectors: str | None = None  # the absolute path of the word vectors that a network starts from
    contaminated: bool = False  # the task's texts were in the model's pretraining
    warm_start: str | None = None  # the task that the weights were fine-tuned on before
    save_to: str | None = None  # the absolute path of the folder for fine-tuned models
    oom_retries: int = 0  # how often this run ran out of memory and started again
    speedups: tuple[str, ...] = ()  # names of `catalog.speedups` that are used where possible
    replay_steps: int | None = None  # compute only this many steps, and evaluate nothing
