"""Records of older schemas, converted to the current one: a function for each step."""

from __future__ import annotations

from collections.abc import Callable

from harness.records import identity
from harness.records.schema import SCHEMA
from harness.spec import JsonObject

WITHOUT_CHECKSUM = {1}


def _to_2(raw: JsonObject) -> JsonObject:
    """Schema 2 added the checksum, `batching` and `observed`."""
    return {**raw, "schema": 2, "batching": None, "observed": None}


def _to_3(raw: JsonObject) -> JsonObject:
    """In schema 3 identities hold numerics by part, and no settings without effect on scores."""
    return {**raw, "schema": 3, "saved_model_sha256": None, **identity.as_of_schema_3(raw)}


STEPS: dict[int, Callable[[JsonObject], JsonObject]] = {1: _to_2, 2: _to_3}
READ = {*STEPS, SCHEMA}


def upgraded(raw: JsonObject) -> JsonObject:
    """The JSON of a record in the current schema."""
    while raw["schema"] in STEPS:
        raw = STEPS[raw["schema"]](raw)
    return raw
