"""The types that every part of the harness speaks. Frozen, without I/O, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

Json = Any
"""A value parsed from JSON or TOML: `Any`, since its type is only known once it was checked."""
JsonObject = Mapping[str, Json]

NOTHING: JsonObject = MappingProxyType({})
SourceKind = Literal["toy", "hub", "glue_data", "own"]  # as records say it: `catalog.sources`
TEST = "test"  # the unlabelled splits of a task, by one name

Progress = Callable[[int, int], None]  # called with the steps done, and all there are


class Provenance(StrEnum):
    """How far the rows of a split, or of a run, were found to be GLUE's own."""

    official = (
        "official"  # the file's sha256 is that of GLUE's, or it is a commit's of nyu-mll/glue
    )
    counted = "counted"  # as many rows, and as many of each class; the texts are not checked
    other = "other"  # neither


class Axis(StrEnum):
    """What of runs can be held against one another, while all else is the same."""

    target = "target"
    model = "model"  # each with its own recipe
    recipe = "recipe"
    torch = "torch"


@dataclass(frozen=True)
class CustomRows:
    """Where the rows of a user's task are: files of this machine, or a data set of the Hub."""

    label: str  # the column
    splits: Mapping[str, str]  # split -> absolute file, or the data set's own name of it
    hub: str | None = None  # the data set's id
    config: str | None = None  # likewise, where it has several
    revision: str | None = None  # its commit; None: the one in the cache, or the newest


@dataclass(frozen=True)
class Task:
    """A GLUE task, or a user's. Split names are the Hub's (`validation` is what GLUE calls dev)."""

    name: str
    title: str  # as the leaderboard prints it
    text_columns: tuple[str, ...]
    labels: tuple[str, ...]  # in id order; empty for regression
    metrics: tuple[str, ...]  # the task's score is their unweighted mean
    rows: Mapping[str, int]  # official row count of each split
    class_counts: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: NOTHING)
    label_means: Mapping[str, float] = field(default_factory=lambda: NOTHING)  # of regression
    evaluated: tuple[str, ...] = ("validation",)  # labelled splits that make the score
    predicted: tuple[str, ...] = ("test",)  # unlabelled splits that a submission needs
    label_range: tuple[float, float] | None = None  # of a regression target
    is_adversarial: bool = False  # its dev rows contradict training rows that share their sentences
    part_of: str | None = None  # an evaluation set that another task's model predicts
    rows_of: str | None = None  # the task whose rows these are; None: its own
    only: Mapping[str, tuple[int, int]] = field(default_factory=lambda: NOTHING)  # split -> rows
    earlier_rows: Mapping[str, int] = field(default_factory=lambda: NOTHING)  # before corrections
    # Split -> how many of its official rows have the texts of a training row; absent: not counted.
    shared_with_train: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    custom: CustomRows | None = field(default=None, hash=False)  # of a user's task; None: GLUE's

    @property
    def source(self) -> str:
        """The task under whose name a folder or a data set holds the rows."""
        return self.rows_of or self.name

    def stored_as(self, split: str) -> str:
        """The name of a split in the records of runs that predict it."""
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
    """The rows of one split: `texts[i]` holds one string, or two for a pair task."""

    texts: Sequence[tuple[str, ...]]
    labels: Sequence[int] | Sequence[float] | None  # None: an unlabelled split
    ids: Sequence[int]  # the row number in its source: unchanged by sampling

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Architecture:
    """What a model is, as transformers builds it, and how many parameters were published of it."""

    family: str  # transformers' model_type
    parameters: float | None = None  # as published; None: no source was found
    counts: str = "encoder"  # what that number is of: the encoder, or "pretraining" with its head
    source: str = ""  # of that number
    # What differs from the family's defaults in transformers 5.23, as its config.json says.
    config: Mapping[str, Any] = field(default_factory=lambda: NOTHING, hash=False)


@dataclass(frozen=True)
class Model:
    """Where a model comes from and what to know about it.

    One of `package`, `hub` and `path` says where pretrained weights are; `network` names a network
    that has none.
    """

    name: str
    package: str | None = None  # the Python package that ships it
    folder: str = ""  # its folder inside that package
    hub: str | None = None  # its id on the Hugging Face Hub
    revision: str | None = None  # the commit there; None: the newest
    path: str | None = None  # an absolute folder of the user's
    network: str | None = None  # of `harness.modeling.scratch`: it starts from random weights
    recipe: str | None = None  # used when none is named; None: its family's
    extra: str | None = None  # the extra of glue-bench that installs the package
    architecture: Architecture | None = None
    read: str = ""  # what it was pretrained on, as far as a source says
    contaminated: frozenset[str] = frozenset()  # tasks whose texts were seen in pretraining
    quirks: str = ""  # what to know before fine-tuning it
    sha256: str | None = None  # of its weights, which tells a copy under another name
    # Its names in published results -> how that model is related to this one; "": it is the same.
    published: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A device with a precision.

    `autocast` is the dtype of the arithmetic; parameters and optimizer stay fp32.
    """

    name: str
    device: str  # torch's device type: cpu, cuda, mps, xpu
    autocast: str | None = None  # "bfloat16", "float16" or None for the parameters' own dtype
    tf32: bool = False


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of a fine-tuning run, with the source they are taken from."""

    name: str
    source: str
    learning_rate: float
    epochs: int
    batch_size: int  # examples in one optimizer step
    max_length: int  # tokens; longer inputs are truncated
    warmup: float = 0.0  # share of the steps in which the learning rate rises
    warmup_rounds_up: bool = True  # a part of a step, as Trainer does; False: it is cut off
    decays_from_start: bool = False  # the rate falls from step 0 on, below the warm-up: BERT's own
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    grad_clip: float | None = 1.0  # the longest that a step's gradient may be; None: any length
    accumulation: int = 1  # micro-batches that one step is computed in
    group_by_length: bool = False  # a step's rows are of like length: less padding
    bias_correction: bool = True  # of Adam's moments; BERT's own optimizer left it out
    held_out: float = 0.0  # share of the training rows that a seed sets aside, unused
    eval_batch_size: int = 64
    epochs_of: Mapping[str, int] = field(default_factory=lambda: NOTHING)  # task -> epochs

    @property
    def micro_batch(self) -> int:
        """Rows that are computed at once."""
        return -(-self.batch_size // self.accumulation)


@dataclass(frozen=True)
class Combination:
    """One task x model x target: what all runs of a cell have in common."""

    task: str
    model: str  # its name in records: a row's, the Hub's id, or a folder's last part
    target: str

    @property
    def name(self) -> str:
        """For reading and for selecting, such as `sst2-minilm-cpu-fp32`; never parsed, no key."""
        return f"{self.task}-{self.model.rsplit('/', 1)[-1].lower()}-{self.target}"


@dataclass(frozen=True)
class Case:
    """One task x model x target x seed: what one benchmark item runs."""

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
        """For reading and for selecting, such as `sst2-minilm-cpu-fp32-s42`; never parsed."""
        return f"{self.cell}-s{self.seed}"

    @property
    def cell(self) -> str:
        """The name of its cell."""
        return self.combination.name


@dataclass(frozen=True)
class DataRequest:
    """Which data a run reads: `source` is "toy", "hub", "own" or an absolute folder."""

    source: str = "toy"
    max_train: int | None = None
    max_eval: int | None = None
    predict_test: bool = False  # also the unlabelled splits, to be predicted
    needed: tuple[str, ...] = ()  # unlabelled sets that the user named: "test", or a part's name
    snapshot: str | None = None  # hub: the folder that holds the revision
    revision: str | None = None  # hub: the data set's commit

    @property
    def kind(self) -> SourceKind:
        """What holds the rows, as records say it."""
        kinds: dict[str, SourceKind] = {"toy": "toy", "hub": "hub", "own": "own"}
        return kinds.get(self.source, "glue_data")


@dataclass(frozen=True)
class RunConfig:
    """Everything one run needs, resolved once in the driver and sent to its worker as JSON."""

    case: Case
    task: Task
    target: Target
    recipe: Recipe
    data: DataRequest
    model_directory: str | None  # None: a network that has no pretrained weights
    identity: Mapping[str, Any]  # every field that decides the score
    cell_key: str  # sha256 of `identity`
    threads: int
    cpus: tuple[int, ...] | None = None  # the CPUs this run may use; None: all
    jobs: int = 1  # runs that share the machine with this one, itself included
    scratch: bool = False  # random initial weights in place of the pretrained ones
    network: str | None = None  # of `harness.modeling.scratch`, in place of a folder
    method: str | None = None  # of `catalog.adaptations`: which part is trained
    vectors: str | None = None  # an absolute file of word vectors that a network starts from
    contaminated: bool = False  # the model's pretraining saw the task's texts
    warm_start: str | None = None  # the task that its weights were fine-tuned on before
    save_to: str | None = None  # an absolute folder that the fine-tuned model is put in
    oom_retries: int = 0  # how often this run was out of memory and began again
    replay_steps: int | None = None  # only so many first steps, and nothing is evaluated
