"""How large a record may be, and what is left out of a larger one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.errors import DataError
from harness.records.schema import Record, revised
from harness.spec import JsonObject

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Of a record's file: larger ones are neither read nor written."""
MAX_IDENTITY_BYTES = MAX_RECORD_BYTES // 4
LONGEST_REASON = 16_384
"""Characters of a reason: enough for any message, and for the end of a long traceback."""
MOST_NAMES = 200
"""That each list of a record keeps where the record is too large."""


def reason(text: str) -> str:
    """Why a run went wrong; a long text loses its middle, and says how many characters."""
    return _cut(text, LONGEST_REASON)


def shortened(record: Record) -> Record:
    """A record that is too large, with its long lists of names cut and a note in each.

    Scores, metrics, losses, recipe and identity stay as they are.
    """
    changed: dict[str, object] = {"reason": record.reason and reason(record.reason)}
    if record.model:
        lists = {
            name: _first(getattr(record.model, name))
            for name in ("new_parameters", "unused", "notes")
        }
        changed["model"] = revised(record.model, **lists)
    if record.data:
        splits = {
            name: revised(split, missing_labels=tuple(_first(split.missing_labels)))
            for name, split in record.data.splits.items()
        }
        changed["data"] = revised(record.data, splits=splits)
    changed = {key: value for key, value in changed.items() if value != getattr(record, key)}
    return revised(record, **changed) if changed else record


def check_identity(case: str, identity: JsonObject) -> None:
    """Raise `DataError` before a run whose identity is too large for a record.

    This happens for a task with very many labels, such as a label column of free text.
    """
    size = len(json.dumps(identity))
    if size > MAX_IDENTITY_BYTES:
        largest = max(identity, key=lambda key: len(json.dumps(identity[key])))
        raise DataError(
            f"{case}: the inputs that decide its score take {size:,} bytes, most of them for "
            f"{largest!a}; a record can hold at most {MAX_IDENTITY_BYTES:,}. "
            "Fix: a task with fewer or shorter labels"
        )


def _first(names: Sequence[str]) -> list[str]:
    left_out = len(names) - MOST_NAMES
    kept = [_cut(name, LONGEST_REASON) for name in names[:MOST_NAMES]]
    return kept if left_out <= 0 else [*kept, f"({left_out:,} more, for which there was no room)"]


def _cut(text: str, limit: int) -> str:
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    half = limit // 2
    return f"{text[:half]} [... {left_out:,} characters left out ...] {text[-half:]}"
