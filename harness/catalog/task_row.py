"""A table of the task file: its keys, their types, and what messages say of each."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field

HUB = "hub:"


class Row(BaseModel):
    """A table of the file, checked for its keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    data: str  # the folder of the files, or hub:ORG/NAME
    config: str | None = None  # of a data set of the Hub that has several configs
    revision: str | None = None  # of a data set of the Hub: a commit
    text: list[str] = Field(min_length=1, max_length=2)
    label: str
    labels: list[str | int | bool] | None = Field(None, min_length=2)
    range: tuple[float, float] | None = Field(None, strict=False)
    metrics: list[str] | None = Field(None, min_length=1)
    splits: dict[str, str] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels as a column holds them; empty for a regression."""
        return tuple(
            name if isinstance(name, str) else json.dumps(name) for name in self.labels or ()
        )


EXPECTED = {  # key -> what messages say is expected
    "name": 'a name in quotes, as "reviews"',
    "data": f'a folder in quotes, as "rows", or "{HUB}ORG/NAME"',
    "config": "the name of one of the data set's configs, in quotes",
    "revision": "a commit of the data set, in quotes",
    "text": 'one column or two, as ["review"]',
    "label": 'a column, as "stars"',
    "labels": 'two names or more, as ["bad", "good"]',
    "range": "two numbers, the lowest score and the highest, as [0, 5]",
    "metrics": 'a list of names, as ["accuracy"]',
    "splits": 'a table of names in quotes, as { train = "a.csv", validation = "b.csv" }',
}
