"""The records in a printed text."""

from __future__ import annotations

from harness.errors import StorageError
from harness.records import codec
from harness.records.schema import Record


def records_in(text: str) -> list[Record | StorageError]:
    """The records of every `codec.to_line` in a text; an error for a damaged one."""
    found: list[Record | StorageError] = []
    for number, line in enumerate(text.split("\n"), start=1):
        found += codec.in_line(line.encode(errors="surrogatepass"), number)
    return found
