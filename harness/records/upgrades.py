"""How records of older schemas become records of this one: a function per step."""

from __future__ import annotations

from collections.abc import Callable

from harness.records import identity
from harness.records.schema import SCHEMA
from harness.spec import JsonObject

WITHOUT_CHECKSUM = {1}


def _to_2(raw: JsonObject) -> JsonObject:
    """Schema 2 ends in a checksum and has `batching` and `observed`, which 1 did not know."""
    return {**raw, "schema": 2, "batching": None, "observed": None}


def _to_3(raw: JsonObject) -> JsonObject:
    """In schema 3 identities hold numerics by parts, and no setting that moves no score."""
    return {**raw, "schema": 3, "saved_model_sha256": None, **identity.as_of_schema_3(raw)}


STEPS: dict[int, Callable[[JsonObject], JsonObject]] = {1: _to_2, 2: _to_3}
READ = {*STEPS, SCHEMA}


def upgraded(raw: JsonObject) -> JsonObject:
    """A record's JSON as this schema has it."""
    while raw["schema"] in STEPS:
        raw = STEPS[raw["schema"]](raw)
    return raw
