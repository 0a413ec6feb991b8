"""The options: each is one field of `Settings`, for the command line, the environment and
`[tool.glue-bench]`.

The command line wins over the environment, that over the file, that over the profile.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

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
from harness.text.names import unknown
from harness.text.values import plain, shown, shown_path


def folder(value: str, base: Path) -> str:
    """A folder, or a file, as an absolute path."""
    return str(paths.located(value, base))


def written_folder(value: str, base: Path) -> str:
    """A folder to write into, as an absolute path; one that can be there, or be made."""
    return str(paths.for_writing(value, base))


def source(value: str, base: Path) -> str:
    """A source of rows: a folder as an absolute path, or a name."""
    return value if value in NAMED else folder(value, base)


def baseline(value: str, base: Path) -> str:
    """A baseline: its name, or its folder as an absolute path."""
    return folder(value, base) if "/" in value else value


def model_names(value: tuple[str, ...], base: Path) -> tuple[str, ...]:
    """Models, those that are folders as absolute paths."""
    return tuple(models.located(name, base) for name in value)


@dataclass(frozen=True)
class Option:
    """One option: `--glue-NAME` on the command line, NAME in `[tool.glue-bench]`."""

    name: str
    metavar: str
    help: str
    parse: Callable[[str], Any] = str
    environment: str | None = None
    locate: Callable[[Any, Path], Any] = lambda value, base: value  # base: where it was said

    @property
    def is_switch(self) -> bool:
        """Whether it is on by being there, without a value."""
        return self.parse is yes

    @property
    def flag(self) -> str:
        return f"--glue-{self.name}"

    @property
    def form(self) -> dict[str, Any]:
        """How it is declared to argparse, and to pytest, whose options are argparse's."""
        if self.is_switch:
            return {"action": "store_const", "const": "true", "help": self.help}
        return {"metavar": self.metavar, "help": self.help}

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")


def option(
    metavar: str,
    help: str,
    parse: Callable[[str], Any] = str,
    *,
    environment: str | None = None,
    locate: Callable[[Any, Path], Any] = lambda value, base: value,
) -> Any:
    """A field of `Settings`, which is an option at the same time; see `Option`."""
    about = {"about": (metavar, help, parse, environment, locate)}
    return field(default=None, metadata=about)


@dataclass(frozen=True)
class Settings:
    """The options and their values. None: not said anywhere, so the profile or a default decides.

    A field is an option: its name, what it takes, its help, and how a text of it is read.
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
        "FILE", "word vectors in GloVe's text format, for models that end in +vectors",
        locate=folder,
    )  # fmt: skip
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
        "DIR", "where records go (default: results/local)",
        environment="GLUE_BENCH_RESULTS", locate=written_folder,
    )  # fmt: skip
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
    said: Mapping[str, str] = field(default_factory=dict, compare=False)  # key -> where

    @contextlib.contextmanager
    def naming(self, key: str) -> Generator[None]:
        """Say of a `UsageError` within where the option of this key was said, if that is known."""
        try:
            yield
        except UsageError as error:
            if key not in self.said:
                raise
            raise UsageError(f"{self.said[key]}: {error}") from None


OPTIONS = tuple(
    Option(each.name.replace("_", "-"), *each.metadata["about"])
    for each in fields(Settings)
    if "about" in each.metadata
)


def merge(command_line: Mapping[str, str | None], root: Path, here: Path) -> Settings:
    """The options' values from the command line, the environment and `root`/pyproject.toml.

    `command_line` maps option keys to what was typed. A relative folder is meant from `here` when
    typed or in the environment, from `root` when in the file. Raises `UsageError`.
    """
    from_file = read_file(root / "pyproject.toml")
    values: dict[str, Any] = {}
    said: dict[str, str] = {}
    for option in OPTIONS:
        typed = command_line.get(option.key)
        in_environment = os.environ.get(option.environment or "") or None
        for text, where, base in (
            (typed, option.flag, here),
            (in_environment, option.environment, here),
            (from_file.get(option.name), f"pyproject.toml: [tool.glue-bench] {option.name}", root),
        ):
            if text is not None:
                said[option.key] = str(where)
                values[option.key] = _value(option, text, str(where), base)
                break
    return Settings(**values, said=said)


def _value(option: Option, text: str, where: str, base: Path) -> Any:
    try:
        return option.locate(option.parse(text), base)
    except (ValueError, OSError, RuntimeError) as error:  # no such user, a link to itself
        raise UsageError(f"{where}: found {shown(text)}; {error}") from None


def check(settings: Settings) -> Settings:
    """`settings` that were not typed. Raises `UsageError` for a value that could not be typed."""
    for option in OPTIONS:
        value = getattr(settings, option.key)
        if isinstance(value, int | float | str):
            _value(option, str(value), option.key, Path())
    return settings


def unknown_flags(arguments: Iterable[str]) -> Iterator[str]:
    """What to say of each of `arguments` that looks like an option of ours and is none."""
    flags = {option.flag for option in OPTIONS}
    for argument in arguments:
        flag = argument.partition("=")[0]
        if re.match("--glue[-_]?", flag) and flag not in flags:
            yield option_hints.of_flag(plain(flag), [option.name for option in OPTIONS])


def read_file(path: Path) -> dict[str, str]:
    """What a pyproject.toml says of the options, each value as it would be typed."""
    said = {key: value for key, value in table(path).items() if key not in SUBTABLES}
    where = f"{shown_path(path)}: [tool.glue-bench]"
    known = {option.name: option for option in OPTIONS}
    for key in said:
        if key not in known:
            if hint := option_hints.of_hyper_parameter(key):
                raise UsageError(f"{where} has an unknown key {shown(key)}: {hint}")
            raise UsageError(f"{where} has an {unknown('key', key, [*known, *SUBTABLES])}")
    return {key: _typed(known[key], value, f"{where} {key}") for key, value in said.items()}


def _typed(option: Option, value: Any, where: str) -> str:
    """A value of a pyproject.toml as it would be typed. Raises `UsageError`."""
    parts = value if isinstance(value, list) else [value]
    is_text = option.parse in (str, names, engine)
    expected = "text in quotes" if is_text else "text, a number, or true or false"
    for part in parts:
        if not isinstance(part, str if is_text else str | int | float):
            raise UsageError(f"{where}: found {shown(part)}; expected {expected}")
    # The last comma tells a list of one seed from a number of seeds.
    return "".join(f"{part}," for part in parts) if isinstance(value, list) else str(value)
