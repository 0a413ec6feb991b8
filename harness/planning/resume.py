"""Find a stored run that can be kept in place of a new one, or the reasons why there is none."""

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
    """A stored run for a configuration; or None, and why the nearest stored run is not one."""

    record: Record | None
    reasons: tuple[str, ...] = ()


class Resume:
    """The runs of a results folder, to be found by configuration. The folder is read once."""

    def __init__(self, store: Store) -> None:
        stored = store.find()
        self.store, self.damaged = store, stored.damaged
        self.records = stored.records
        self._digests: dict[tuple[object, ...], dict[str, str]] = {}  # sha256 of rows, read once

    def find(self, config: RunConfig) -> Reuse:
        """The newest ok run of the same case with the same inputs and outputs.

        Inputs are those of `cell_key`. Outputs are the predictions and the saved model.
        """
        case = config.case
        same_case = [
            record
            for record in reversed(self.records)
            if (record.case.task, record.case.model, record.case.target, record.case.seed)
            == (case.task, case.model, case.target, case.seed)
        ]
        for record in same_case:
            if not any(self._reasons(config, record)):
                return Reuse(record)
        if not same_case:
            return Reuse(None, ("no run of this case is stored",))
        # The nearest run is the newest with the same inputs, or else the newest of all.
        same_key = (record for record in same_case if record.cell_key == config.cell_key)
        nearest = next(same_key, same_case[0])
        return Reuse(None, tuple(self._reasons(config, nearest)))

    def _reasons(self, config: RunConfig, record: Record) -> Iterator[str]:
        """Why a stored run cannot take the place of a new one, one line for each reason."""
        if record.status != "ok":
            yield f"status: {record.status} ({record.reason})"
        if record.cell_key is None:  # it failed before its inputs were known
            return
        if record.cell_key != config.cell_key:
            yield from differences(record.identity, config.identity)
        if record.cell_key != key_of(record.identity):
            yield "cell_key: is not the hash of the stored run's identity"
        if record.status == "ok" and not self.store.has_predictions(record):
            yield "predictions: the stored run's file is missing, or was changed"
        yield from _missing_outputs(config, record)
        if config.data.snapshot and record.status == "ok" and record.cell_key == config.cell_key:
            yield from self._changed_rows(config, record)

    def _changed_rows(self, config: RunConfig, record: Record) -> Iterator[str]:
        """The splits whose rows in the Hub's cache are not those of the stored run.

        `cell_key` holds only the commit of a data set, and files in the cache may change.
        """
        stored = record.data.splits if record.data else {}
        seed = config.case.seed if config.recipe.held_out else 0
        task = config.task
        key = (config.data, task.name, config.recipe.held_out, seed)
        if key not in self._digests:
            self._digests[key] = data.used_digests(
                config.data, task, held_out=config.recipe.held_out, seed=seed
            )
        for name, sha256 in self._digests[key].items():
            if name in stored and stored[name].sha256 != sha256:
                yield (
                    f"rows of {name}: the files in the Hub's cache are of the same commit, and "
                    "hold other rows"
                )


def _missing_outputs(config: RunConfig, record: Record) -> Iterator[str]:
    """The predictions and the model that a run would make now, and the stored run did not."""
    stored = record.data.splits if record.data else {}
    for name, sha256 in data.unlabelled_digests(config.data, config.task).items():
        if name not in stored:
            yield f"predictions of {name}: the stored run made none"
        elif stored[name].sha256 != sha256:
            yield f"predictions of {name}: the stored run predicted other rows"
    if config.save_to:
        home, card = Path(config.save_to), record.saved_model_sha256
        for problem in cards.problems(home, record.saved_model, card):
            yield f"the fine-tuned model: {problem}"
