"""A run's identity: every field that decides its score, except the seed; and the hash of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

from harness.catalog import numerics
from harness.catalog.adaptations import base_name
from harness.catalog.model_rows import MODELS
from harness.spec import JsonObject

UNSCORED = ("name", "source", "epochs_of", "eval_batch_size")
"""The settings of a recipe that move no score, or are resolved before a run."""

LATER_SETTINGS: Mapping[str, bool] = {"warmup_rounds_up": True, "decays_from_start": False}
"""Settings that recipes got after schema 2 -> what runs did before there was a choice."""

NAMED_IF_ON = ("fast_dropout",)
"""Settings of a recipe that identities name only where they are on, so that older keys stay."""

UNLISTED = {
    "minilm": {
        "special_tokens_map.json": (
            "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
        )
    },
}
"""Files of packaged models that identities did not list before schema 3, though they were read."""

HEADS = {"sequence_summary.summary.weight": "xlnet", "classifier.linear_hidden.weight": "funnel"}
"""New parameters by which a stored run tells its family, which identities do not hold."""


def key_of(identity: JsonObject) -> str:
    """The hash of every input that decides a score."""
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def as_of_schema_3(record: JsonObject) -> dict[str, object]:
    """`identity` and `cell_key` of a record of schema 1 or 2, converted to schema 3, as JSON.

    {} where the key is not the identity's hash or the identity is incomplete: both stay as they
    are.
    """
    identity = record.get("identity")
    if not isinstance(identity, Mapping) or not _is_whole(identity):
        return {}
    if record.get("cell_key") != key_of(identity):
        return {}
    recipe = {k: v for k, v in identity["recipe"].items() if k not in UNSCORED}
    found = {
        **identity,
        "model_files": _model_files(record, identity),
        "recipe": {**LATER_SETTINGS, **recipe},
        "numerics": numerics.parts_of(identity["numerics"], _facts(record, identity)),
    }
    return {"identity": found, "cell_key": key_of(found)}


PARTS = ("model_files", "recipe", "target", "adaptation")


def _is_whole(identity: JsonObject) -> bool:
    """Whether it has what every identity had before schema 3."""
    is_number = isinstance(identity.get("numerics"), int)
    return is_number and all(isinstance(identity.get(part), Mapping) for part in PARTS)


def _model_files(record: JsonObject, identity: JsonObject) -> dict[str, object]:
    files = dict(identity["model_files"])
    row = MODELS.get(_base_name(record, identity))
    if row and row.sha256 and row.sha256 in files.values():
        files |= UNLISTED.get(row.name, {})
    if identity["adaptation"].get("scratch"):  # the run did not read the weights
        files = {name: sha for name, sha in files.items() if not name.endswith(".safetensors")}
    return dict(sorted(files.items()))


def _facts(record: JsonObject, identity: JsonObject) -> numerics.Facts:
    row, adaptation = MODELS.get(_base_name(record, identity)), identity["adaptation"]
    model = record.get("model")
    new = model.get("new_parameters") if isinstance(model, Mapping) else None
    new = tuple(map(str, new)) if isinstance(new, list) else None
    family = row.architecture.family if row and row.architecture else None
    family = family or next((HEADS[name] for name in new or () if name in HEADS), None)
    return numerics.Facts(
        network=adaptation.get("network"),
        method=adaptation.get("method"),
        device=identity["target"].get("device", "cpu"),
        autocast=identity["target"].get("autocast"),
        recipe=identity["recipe"],
        config={"model_type": family},
        new_parameters=new,
    )


def _base_name(record: JsonObject, identity: JsonObject) -> str:
    """The model's name without its adaptations."""
    case = record.get("case")
    model = str(case.get("model")) if isinstance(case, Mapping) else ""
    return base_name(model, identity)
