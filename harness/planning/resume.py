"""Which stored run stands for a case that is asked for, and if none does, why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import cards
from harness.data import load as data
from harness.records.diff import differences
from harness.records.identity import key_of
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import RunConfig


@dataclass(frozen=True)
class Reuse:
    """A stored run for a configuration; or none, and what keeps the newest from being one."""

    record: Record | None
    reasons: tuple[str, ...] = ()


class Resume:
    """The runs of a results folder, asked for by configuration. Reads the folder once."""

    def __init__(self, store: Store) -> None:
        found = store.find()
        self.store, self.damaged = store, found.damaged
        self.records = found.records
        self._digests: dict[tuple[object, ...], dict[str, str]] = {}  # of rows, read once

    def find(self, config: RunConfig) -> Reuse:
        """The newest ok run of the same case with the same inputs.

        `cell_key` decides, and what the run was asked to leave behind: predictions, a model.
        """
        case = config.case
        same = [
            r
            for r in reversed(self.records)
            if (r.case.task, r.case.model, r.case.target, r.case.seed)
            == (case.task, case.model, case.target, case.seed)
        ]
        for record in same:
            if not any(self._against(config, record)):
                return Reuse(record)
        if not same:
            return Reuse(None, ("no run of this case is stored",))
        # Of runs with other inputs the newest is told of; before them one with the same.
        nearest = next((r for r in same if r.cell_key == config.cell_key), same[0])
        return Reuse(None, tuple(self._against(config, nearest)))

    def _against(self, config: RunConfig, record: Record) -> Iterator[str]:
        """Why a stored run cannot stand for a configuration, each reason one line."""
        if record.status != "ok":
            yield f"status: {record.status} ({record.reason})"
        if record.cell_key is None:  # it failed before its inputs were known
            return
        if record.cell_key != config.cell_key:
            yield from differences(record.identity, config.identity)
        if record.cell_key != key_of(record.identity):
            yield "cell_key: is not the hash of the stored run's own identity"
        if record.status == "ok" and not self.store.has_predictions(record):
            yield "predictions: the stored run's file is not there, or was changed"
        yield from _left_out(config, record)
        if config.data.snapshot and record.status == "ok" and record.cell_key == config.cell_key:
            yield from self._changed_rows(config, record)

    def _changed_rows(self, config: RunConfig, record: Record) -> Iterator[str]:
        """Where rows of the Hub are others than the run's: a key holds their commit alone."""
        held = record.data.splits if record.data else {}
        seed = config.case.seed if config.recipe.held_out else 0
        task = config.task
        place = (config.data, task.name, config.recipe.held_out, seed)
        if place not in self._digests:
            self._digests[place] = data.used_digests(
                config.data, task, held_out=config.recipe.held_out, seed=seed
            )
        for name, rows in self._digests[place].items():
            if name in held and held[name].sha256 != rows:
                yield (
                    f"rows of {name}: the files in the Hub's cache are of the same commit, and "
                    "hold others"
                )


def _left_out(config: RunConfig, record: Record) -> Iterator[str]:
    """What a run would leave behind now that the stored one did not."""
    held = record.data.splits if record.data else {}
    for name, rows in data.unlabelled_digests(config.data, config.task).items():
        if name not in held:
            yield f"predictions of {name}: the stored run made none"
        elif held[name].sha256 != rows:
            yield f"predictions of {name}: its rows were others"
    if config.save_to:
        home, sha256 = Path(config.save_to), record.saved_model_sha256
        for why in cards.problems(home, record.saved_model, sha256):
            yield f"the fine-tuned model: {why}"
