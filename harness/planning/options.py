"""The options: each is one field of `Settings`, for the command line, the environment and
`[tool.glue-bench]`.

The command line overrides the environment, which overrides the file, which overrides the profile.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

from harness.catalog import models, profiles
from harness.catalog.sources import NAMED
from harness.errors import UsageError
from harness.files import paths
from harness.planning import option_hints
from harness.planning.option_values import (
    MOST_EPOCHS,
    MOST_JOBS,
    MOST_PAIRS,
    MOST_RECHECKS,
    MOST_SEEDS,
    at_most,
    duration,
    engine,
    names,
    policy,
    positive,
    seconds,
    seeds,
    speedups,
    subject,
    yes,
)
from harness.text.values import plain, shown

Value = Any
"""The value of an option. Each field of `Settings` declares its type."""

FILE = "pyproject.toml"  # of the project in which pytest runs


class ArgparseForm(TypedDict, total=False):
    """Keywords of argparse's `add_argument` and of pytest's `addoption`."""

    action: str
    const: str
    metavar: str
    help: str


def folder(value: str, base: Path) -> str:
    """A folder, or a file, as an absolute path."""
    return str(paths.located(value, base))


def written_folder(value: str, base: Path) -> str:
    """A folder to write into, which exists or can be made, as an absolute path."""
    return str(paths.for_writing(value, base))


def source(value: str, base: Path) -> str:
    """A source of rows: a folder as an absolute path, or a name."""
    return value if value in NAMED else folder(value, base)


def baseline(value: str, base: Path) -> str:
    """A baseline: its name, or its folder as an absolute path."""
    return folder(value, base) if "/" in value else value


def model_names(value: tuple[str, ...], base: Path) -> tuple[str, ...]:
    """Names of models, with folders as absolute paths."""
    return tuple(models.located(name, base) for name in value)


@dataclass(frozen=True)
class Option:
    """One option: `--glue-NAME` on the command line, NAME in `[tool.glue-bench]`."""

    name: str
    metavar: str
    help: str
    parse: Callable[[str], Value] = str
    environment: str | None = None
    # Makes the paths in a value absolute. The second argument is the folder they are relative to.
    locate: Callable[[Value, Path], Value] = lambda value, base: value

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value: naming it turns it on."""
        return self.parse is yes

    @property
    def flag(self) -> str:
        return f"--glue-{self.name}"

    @property
    def form(self) -> ArgparseForm:
        """How it is declared to argparse and to pytest."""
        if self.is_switch:
            return {"action": "store_const", "const": "true", "help": self.help}
        return {"metavar": self.metavar, "help": self.help}

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")


def option(
    metavar: str,
    help: str,
    parse: Callable[[str], Value] = str,
    *,
    environment: str | None = None,
    locate: Callable[[Value, Path], Value] = lambda value, base: value,
) -> Value:
    """A field of `Settings` that declares an option; the arguments are those of `Option`."""
    about = {"about": (metavar, help, parse, environment, locate)}
    return field(default=None, metadata=about)


@dataclass(frozen=True)
class Settings:
    """The values of all options. None: not given, so the profile or a default decides.

    Each field declares an option: its name, what it takes, its help, and how its text is parsed.
    """

    profile: str | None = option(
        "NAME", f"what to run unless said otherwise: {', '.join(profiles.PROFILES)}"
    )
    suite: str | None = option(
        "NAME", "run the tests of test_NAME.py alone, such as finetune or peers"
    )
    pairs: int | None = option(
        "N", "how often each side of --glue-suite peers runs (default: 5)", at_most(MOST_PAIRS)
    )
    peers: tuple[str, ...] | None = option(
        "A,B", "the sides of --glue-suite peers beside ours (default: all for the recipe)", names
    )
    data: str | None = option(
        "toy|hub|DIR",
        "toy: generated data; hub: nyu-mll/glue of the Hugging Face Hub; "
        "DIR: a folder in the glue_data layout",
        environment="GLUE_BENCH_DATA",
        locate=source,
    )
    tasks: tuple[str, ...] | None = option("A,B", "tasks to run", names)
    task_file: str | None = option(
        "FILE",
        "tasks of your own, a row of TOML each; without --glue-tasks just these are run",
        locate=folder,
    )
    models: tuple[str, ...] | None = option(
        "A,B",
        "models to run: rows of `glue-bench list models`, folders, Hub ids; NAME=FOLDER names one",
        names,
        locate=model_names,
    )
    vectors: str | None = option(
        "FILE",
        "word vectors in GloVe's text format, for models that end in +vectors",
        locate=folder,
    )
    targets: tuple[str, ...] | None = option(
        "A,B", "device-precision pairs (`glue-bench list targets`)", names
    )
    seeds: tuple[int, ...] | None = option(
        "N|A,B", "how many seeds, from 42 on, or which ones", seeds
    )
    recipe: str | None = option("NAME", "one recipe for every model (`glue-bench list recipes`)")
    epochs: int | None = option("N", "epochs, in place of the recipe's", at_most(MOST_EPOCHS))
    max_train: int | None = option(
        "N", "train on N rows: a stratified sample, the same each time", positive
    )
    max_eval: int | None = option(
        "N", "evaluate on N rows of each split, sampled likewise", positive
    )
    results: str | None = option(
        "DIR",
        "where records go (default: results/local)",
        environment="GLUE_BENCH_RESULTS",
        locate=written_folder,
    )
    baseline: str | None = option(
        "NAME",
        "judge each cell against a baseline (`glue-bench baseline list`), or "
        "against the one in a folder",
        locate=baseline,
    )
    recheck: int | None = option(
        "N",
        "run N fresh seeds of both sides where a cell looks worse; 10 is usual",
        at_most(MOST_RECHECKS),
    )
    subject: tuple[str, ...] | None = option(
        "A,B",
        "what the gate compares, and so may differ: commit (default: whatever your change moved), "
        "or model, data, recipe, target, code, glue-bench, versions",
        subject,
    )
    policy: str | None = option(
        "strict|normal|report",
        "which verdicts fail: also those that cannot tell; worse, gone and incomparable (default); "
        "none",
        policy,
    )
    trust_baseline: bool | None = option(
        "", "let --glue-recheck run the commit that a baseline of another folder names", yes
    )
    ab: str | None = option(
        "SIDE",
        "judge each cell's speed against that side (main, say), which takes turns with the "
        "working tree: see `glue-bench ab --help`",
    )
    ab_budget: float | None = option("TIME", "how long --glue-ab may take, such as 15m", duration)
    max_seeds: int | None = option(
        "N",
        "with --glue-baseline: run more seeds of a cell while its verdict is open, up to N",
        at_most(MOST_SEEDS),
    )
    resume: bool | None = option(
        "",
        "keep ok runs of the results folder with the same rows, weights, recipe, target and seed",
        yes,
    )
    save_models: str | None = option(
        "DIR", "put each fine-tuned model there", locate=written_folder
    )
    predict_test: bool | None = option("", "predict the unlabelled test splits too", yes)
    engine: str | None = option(
        "process|inline", "a fresh process per run (default), or this one", engine
    )
    jobs: int | None = option(
        "N", "runs at a time, each on its share of the CPUs (default: 1)", at_most(MOST_JOBS)
    )
    speedups: tuple[str, ...] | None = option(
        "all|none|A,B",
        "ways to compute the same in less time (`glue-bench list speedups`; default: all)",
        speedups,
    )
    timeout: float | None = option(
        "SECONDS", "stop a run that takes longer (default: an hour; paper: a week)", seconds
    )
    # The key of an option -> where its value was given: an option, a variable, or the file.
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    # The folder of the project in which pytest runs; None: the current folder.
    project: Path | None = field(default=None, compare=False)

    def is_of_file(self, key: str) -> bool:
        """Whether an option has its value from the project's file, which is part of its code."""
        return self.origins.get(key, "").startswith(FILE)

    @contextlib.contextmanager
    def naming(self, key: str) -> Generator[None]:
        """Begin the message of a `UsageError` with where the option was given, if that is known."""
        try:
            yield
        except UsageError as error:
            if key not in self.origins:
                raise
            raise UsageError(f"{self.origins[key]}: {error}") from None


OPTIONS = tuple(
    Option(setting.name.replace("_", "-"), *setting.metadata["about"])
    for setting in fields(Settings)
    if "about" in setting.metadata
)


def parsed(option: Option, text: str, where: str, base: Path) -> Value:
    """The value of an option that was given as text. Raises `UsageError`, naming `where`."""
    try:
        return option.locate(option.parse(text), base)
    except (ValueError, OSError, RuntimeError) as error:  # no such user, a link to itself
        raise UsageError(f"{where}: found {shown(text)}; {error}") from None


def absolute(option: Option, text: str, where: str, base: Path) -> str:
    """A value as it may be typed in any folder: its relative paths start at `base`."""
    value = parsed(option, text, where, base)
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    return value if isinstance(value, str) else text


def check(settings: Settings) -> Settings:
    """`settings` that a script made. Raises `UsageError` for a value that no option accepts."""
    for option in OPTIONS:
        value = getattr(settings, option.key)
        if isinstance(value, int | float | str):
            parsed(option, str(value), option.key, Path())
    return settings


def unknown_flags(arguments: Iterable[str]) -> Iterator[str]:
    """A message for each argument that looks like an option of glue-bench and is not one."""
    flags = {option.flag for option in OPTIONS}
    for argument in arguments:
        flag = argument.partition("=")[0]
        if re.match("--glue[-_]?", flag) and flag not in flags:
            yield option_hints.of_flag(plain(flag), [option.name for option in OPTIONS])
