"""Look up a model by its name, and find its weights on this machine.

A name is that of a row, a folder, or an id of the Hugging Face Hub. `NAME=` before a folder or id
gives it a name of the user's, so that it has one name while its location changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import adaptations, model_files, weights
from harness.catalog.adaptations import ADAPTATIONS, Adaptation
from harness.catalog.model_rows import MODELS
from harness.errors import ModelError, ModelUnavailable, UsageError
from harness.files import paths
from harness.hub import snapshots
from harness.spec import Model
from harness.system import environment
from harness.text.names import MOST_GUESSES, guesses, one_of, unknown
from harness.text.values import shown

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
GIVEN_NAME = re.compile(r"([a-z0-9][a-z0-9._-]*)=(?=.)")
FILES, OTHER_FILES = model_files.NEEDED, (*model_files.OPTIONAL, model_files.CARD)
"""Patterns of the files that are fetched: those that a model must have, and those that it may."""


@dataclass(frozen=True)
class Adapted:
    """A model together with how it is adapted, as in `toy-bert+scratch`.

    `name` is the name in records and ids: a row's name, the Hub's id, or a folder's last part.
    """

    name: str
    model: Model
    adaptations: tuple[Adaptation, ...] = ()
    has_given_name: bool = False  # the user's, as in `mine=checkpoints/step-2000`

    @property
    def scratch(self) -> bool:
        """Whether it starts from random weights instead of the pretrained ones."""
        return any(row.name == "scratch" for row in self.adaptations)

    @property
    def method(self) -> Adaptation | None:
        """The adaptation that trains only a part of a pretrained network; None: all is trained."""
        return next((row for row in self.adaptations if row.trains_part), None)

    @property
    def has_vectors(self) -> bool:
        """Whether it starts from a file of word vectors."""
        return any(row.name == "vectors" for row in self.adaptations)

    @property
    def recipe(self) -> str | None:
        """The recipe it is trained with where none is named; None: its family's."""
        of_adaptations = (row.recipe for row in self.adaptations if row.recipe)
        return next(of_adaptations, self.model.recipe)


def get(name: str) -> Adapted:
    """A model and its adaptation, from a name such as `minilm`, `./mine` or `org/model+scratch`.

    Raises `UsageError` with the nearest known name.
    """
    given, location = _given_name(name.strip())
    if given is not None:
        _require_model(_parts(location)[0], name)
    found = adapted(*_parts(location), name)
    if given is None:
        return found
    if given in MODELS:
        raise UsageError(
            f"model {shown(name)}: {shown(given)} is a row of `glue-bench list models`; expected "
            "another name before the `=`"
        )
    renamed = dataclasses.replace(found.model, name=given)
    full_name = f"{given}{adaptations.suffixes(found.adaptations)}"
    return Adapted(full_name, renamed, found.adaptations, has_given_name=True)


def _require_model(base: str, name: str) -> None:
    """Raise `UsageError` if what follows `NAME=` names no model."""
    if not (base in MODELS or _folder(base) or HUB_ID.fullmatch(base)):
        raise UsageError(
            f"model {shown(name)}: {shown(base)}: {_why_none(base)}; expected a folder with a "
            "config.json, an id of the Hugging Face Hub (ORG/NAME) or a row of `glue-bench list "
            "models`"
        )


def _given_name(name: str, base: Path | None = None) -> tuple[str | None, str]:
    """The name before the `=`, if there is one, and what follows it."""
    match = GIVEN_NAME.match(name)
    if match is None or _folder(name, base):  # a folder may have a `=` in its name
        return None, name
    return match[1], name[match.end() :]


def adapted(base: str, suffixes: Sequence[str], name: str) -> Adapted:
    """The model that `base` names, adapted by the rows of these names; `name` is for messages.

    Raises `UsageError` with the nearest known name.
    """
    model = _find(base)
    possible = [n for n, row in ADAPTATIONS.items() if row.of_networks == bool(model.network)]
    for place, suffix in enumerate(suffixes):
        if suffix not in possible or suffix in suffixes[:place]:
            raise UsageError(unknown(f"adaptation of {base}", suffix, possible))
    rows = tuple(row for row in ADAPTATIONS.values() if row.name in suffixes)
    if len(methods := [row.name for row in rows if row.trains_part]) > 1:
        raise UsageError(
            f"model {shown(name)}: found {' and '.join(methods)}; expected one of them: each says "
            "which part of the network is trained"
        )
    return Adapted(f"{model.name}{adaptations.suffixes(rows)}", model, rows)


def _splits(name: str) -> Iterator[tuple[str, list[str]]]:
    """Every way to split a name into a base name and suffixes, the longest base name first."""
    parts = name.split("+")
    for count in range(len(parts), 0, -1):
        yield "+".join(parts[:count]), parts[count:]


def _parts(name: str) -> tuple[str, list[str]]:
    """The base name and the suffixes. The base name is a folder with a plus, if there is one."""
    *others, shortest = _splits(name)
    folders = (split for split in others if _folder(split[0]))
    return next(folders, shortest)


def _find(name: str) -> Model:
    """The model of a base name. Raises `UsageError`."""
    if name in MODELS:
        return MODELS[name]
    if path := _folder(name):
        return Model(folder_name(str(path)), path=str(path))
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise UsageError(
            f"model {shown(name)}: {_why_none(name)}; expected a folder with a config.json"
        )
    if HUB_ID.fullmatch(name):
        row = next((row for row in MODELS.values() if row.hub == name), None)
        return row or Model(name, hub=name)
    if "=" in name:
        raise UsageError(
            f"model {shown(name)}: expected NAME=FOLDER, and in the name small letters, digits, "
            "`.`, `_` and `-`"
        )
    known = unknown("model", name, MODELS)
    raise UsageError(f"{known} Or name a folder, or an id of the Hugging Face Hub: ORG/NAME.")


def _folder(name: str, base: Path | None = None) -> Path | None:
    """The folder of a name, relative to `base` or the current folder; None if there is none."""
    try:
        path = paths.located(name, base)
    except ValueError:
        return None
    return path if paths.is_folder(path) else None


def _why_none(name: str) -> str:
    """Why a name is not that of a folder."""
    try:
        return paths.why_no_folder(paths.expanded(name)) or "no such folder"
    except ValueError as error:
        return str(error)


def located(name: str, base: Path) -> str:
    """`name`, with a folder below `base` replaced by its absolute path."""
    given, location = _given_name(name, base)
    prefix = f"{given}=" if given else ""
    for base_name, suffixes in _splits(location):
        if base_name not in MODELS and (path := _folder(base_name, base)):
            return prefix + "+".join([str(path), *suffixes])
    return name


def folder_name(path: str) -> str:
    """The name of a user's folder in ids and records: its last part."""
    return re.sub(r"[^\w.-]", "_", paths.located(path).name, flags=re.ASCII)


def choose(names: Iterable[str]) -> dict[str, Adapted]:
    """Models by their names in ids and records, which are made unique.

    If two models have one name, or a model that is not a row has a row's name, `.` and 6 hex digits
    are added, but not to names that the user gave. Raises `UsageError`.
    """
    chosen = list(dict.fromkeys(get(name) for name in names))
    counts = Counter(label(adapted.name) for adapted in chosen)
    for adapted in chosen:
        if adapted.has_given_name and counts[label(adapted.name)] > 1:
            raise UsageError(f"models: two are called {shown(adapted.name)}; expected two names")
    models = {}
    for adapted in chosen:
        location = adapted.model.hub or adapted.model.path
        clashes = counts[label(adapted.name)] > 1 or label(adapted.model.name) in MODELS
        if clashes and location and adapted.model not in MODELS.values():
            suffix = hashlib.sha256(location.encode()).hexdigest()[:6]
            adapted = dataclasses.replace(adapted, name=f"{adapted.name}.{suffix}")
        models[adapted.name] = adapted
    return models


def label(name: str) -> str:
    """A model's name in ids: without the Hub's organization, in lower case."""
    return name.rsplit("/", 1)[-1].lower()


def is_here(model: Model) -> bool:
    """Whether the weights are on this machine."""
    if model.network:
        return True
    if model.hub and not model.package:
        return snapshots.cached("model", model.hub, FILES, model.revision) is not None
    try:
        directory(model)
    except (ModelUnavailable, ModelError):
        return False
    return True


def directory(model: Model) -> Path:
    """The folder with the model's weights and tokenizer, fetched from the Hub if it must be.

    Raises `ModelUnavailable` with the command that fetches them, and `ModelError` for a folder
    without weights.
    """
    if model.path:
        return weights.checked(Path(model.path))
    if model.hub:
        result = snapshots.find("model", model.hub, FILES, OTHER_FILES, model.revision)
        if isinstance(result, snapshots.Snapshot):
            return weights.checked(result.directory)
        no_folder = f"no such folder here{_similar(model.hub)}, " if model.name == model.hub else ""
        raise ModelUnavailable(
            f"model {model.name}: {no_folder}not in the cache of the Hugging Face Hub, and "
            f"{result.why}. "
            f"Fix: run {fetch_command(model)} where there is a network, or name a folder that "
            "holds the model, or a model that is here (`glue-bench list models`)"
        )
    package = importlib.util.find_spec(str(model.package))
    if package is None or not package.submodule_search_locations:
        raise ModelUnavailable(
            f"model {model.name}: its weights come with the Python package {model.package!r}, "
            f"which is not installed. Fix: {fetch_command(model)}"
        )
    return weights.checked(Path(next(iter(package.submodule_search_locations))) / model.folder)


def _similar(name: str) -> str:
    """For a folder that does not exist: the folders with similar names beside it, as a question."""
    parent = Path(name).parent
    siblings = [f"{parent}/{entry.name}" for entry in parent.glob("*/")] if parent.is_dir() else []
    similar = guesses(name, siblings)[:MOST_GUESSES]
    return f" (did you mean {one_of(similar)}?)" if similar else ""


def fetch_command(model: Model) -> str:
    """The command that fetches a model's weights."""
    if model.hub:
        return f"glue-bench fetch {model.name if model.name in MODELS else model.hub}"
    return environment.install_command(model.extra)


def contaminated(model: Model, files: Mapping[str, str]) -> frozenset[str]:
    """The tasks whose texts a model has seen in pretraining.

    `files` are the sha256 of its files, by which a copy of a row's model is recognized.
    """
    rows = [row for row in MODELS.values() if row.sha256 in files.values()]
    return model.contaminated.union(*(row.contaminated for row in rows))
