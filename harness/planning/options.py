"""The options: each is one field of `Settings`, for the command line, the environment and
`[tool.glue-bench]`.

The command line overrides the environment, which overrides the file, which overrides the profile.
"""

from __future__ import annotations

import contextlib
import os
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
    MOST_RECHECKS,
    at_most,
    engine,
    names,
    positive,
    seconds,
    seeds,
    yes,
)
from harness.planning.project import SUBTABLES, table
from harness.spec import Json
from harness.text.names import unknown
from harness.text.values import plain, shown, shown_path

Value = Any
"""The value of an option. Each field of `Settings` declares its type."""


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
        "models to run: rows of `glue-bench list models`, folders, Hub ids",
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
    timeout: float | None = option(
        "SECONDS", "stop a run that takes longer (default: an hour; paper: a week)", seconds
    )
    # The key of an option -> where its value was given: an option, a variable, or the file.
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    # The folder of the project in which pytest runs; None: the current folder.
    project: Path | None = field(default=None, compare=False)

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


def merge(command_line: Mapping[str, str | None], root: Path, here: Path) -> Settings:
    """The options' values from the command line, the environment and `root`/pyproject.toml.

    `command_line` maps option keys to what was typed. A relative folder is relative to `here` if it
    was typed or comes from the environment, and to `root` if it is in the file. Raises
    `UsageError`.
    """
    from_file = read_file(root / "pyproject.toml")
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for option in OPTIONS:
        typed = command_line.get(option.key)
        in_environment = os.environ.get(option.environment or "") or None
        for text, where, base in (
            (typed, option.flag, here),
            (in_environment, option.environment, here),
            (from_file.get(option.name), f"pyproject.toml: [tool.glue-bench] {option.name}", root),
        ):
            if text is not None:
                origins[option.key] = str(where)
                values[option.key] = _value(option, text, str(where), base)
                break
    return Settings(**values, origins=origins, project=root)


def _value(option: Option, text: str, where: str, base: Path) -> Value:
    try:
        return option.locate(option.parse(text), base)
    except (ValueError, OSError, RuntimeError) as error:  # no such user, a link to itself
        raise UsageError(f"{where}: found {shown(text)}; {error}") from None


def check(settings: Settings) -> Settings:
    """`settings` that a script made. Raises `UsageError` for a value that no option accepts."""
    for option in OPTIONS:
        value = getattr(settings, option.key)
        if isinstance(value, int | float | str):
            _value(option, str(value), option.key, Path())
    return settings


def unknown_flags(arguments: Iterable[str]) -> Iterator[str]:
    """A message for each argument that looks like an option of glue-bench and is not one."""
    flags = {option.flag for option in OPTIONS}
    for argument in arguments:
        flag = argument.partition("=")[0]
        if re.match("--glue[-_]?", flag) and flag not in flags:
            yield option_hints.of_flag(plain(flag), [option.name for option in OPTIONS])


def read_file(path: Path) -> dict[str, str]:
    """The options in a pyproject.toml, each value as the text that one would type."""
    values = {key: value for key, value in table(path).items() if key not in SUBTABLES}
    where = f"{shown_path(path)}: [tool.glue-bench]"
    known = {option.name: option for option in OPTIONS}
    for key in values:
        if key not in known:
            if hint := option_hints.of_hyper_parameter(key):
                raise UsageError(f"{where} has an unknown key {shown(key)}: {hint}")
            raise UsageError(f"{where} has an {unknown('key', key, [*known, *SUBTABLES])}")
    return {key: _as_typed(known[key], value, f"{where} {key}") for key, value in values.items()}


def _as_typed(option: Option, value: Json, where: str) -> str:
    """A value of a pyproject.toml as the text that one would type. Raises `UsageError`."""
    parts = value if isinstance(value, list) else [value]
    is_text = option.parse in (str, names, engine)
    expected = "text in quotes" if is_text else "text, a number, or true or false"
    for part in parts:
        if not isinstance(part, str if is_text else str | int | float):
            raise UsageError(f"{where}: found {shown(part)}; expected {expected}")
    # The last comma distinguishes a list of one seed from a number of seeds.
    return "".join(f"{part}," for part in parts) if isinstance(value, list) else str(value)
