"""A model of a results folder, a dict: the folder must hold what was reported as stored."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from harness.errors import NotStored
from harness.records.schema import Record
from harness.records.store import Store, file_name
from tests.support import printed_records
from tests.support.builders import TABLE
from tests.support.disk_failures import ERRORS, same
from tests.support.disks import Failing, Remembering
from tests.support.power_cuts import run

STEPS: Counter[str] = Counter()
TABLES = st.sampled_from([None, TABLE])


class StoreMachine(RuleBasedStateMachine):
    """`safe` is what must be there, `perhaps` what may be there, `lines` what was printed."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.disk = Remembering(self.root)
        self.safe: dict[str, Record] = {}
        self.perhaps: dict[str, Record] = {}
        self.lines: list[str] = []
        self.number = 0
        self.reopen()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def _new(self) -> Record:
        self.number += 1
        return run(self.number)

    @rule()
    def reopen(self) -> None:
        self.stores = [Store(self.root / "new" / "results", self.disk) for _ in range(2)]

    @rule(writer=st.integers(0, 1), table=TABLES)
    def save(self, writer: int, table: Any) -> None:
        stored = self.stores[writer].save(self._new(), table)
        self.safe[stored.id] = stored

    @rule(
        call=st.integers(1, 40), error=st.sampled_from(ERRORS), for_good=st.booleans(), table=TABLES
    )
    def save_on_a_failing_disk(
        self, call: int, error: int | None, for_good: bool, table: Any
    ) -> None:
        failing = Store(self.stores[0].root, Failing(call, error, for_good, self.disk))
        made = self._new()
        try:
            stored = failing.save(made, table)
            self.safe[stored.id] = stored
        except NotStored as refused:
            (stored,) = printed_records.records_in(refused.line)
            assert isinstance(stored, Record)
            assert same(stored) == same(made)
            self.perhaps[stored.id] = stored
            self.lines.append(refused.line)

    @rule(data=st.data())
    def import_a_line(self, data: st.DataObject) -> None:
        if not self.lines:
            return
        (stored,) = printed_records.records_in(data.draw(st.sampled_from(self.lines)))
        assert isinstance(stored, Record)
        if stored not in self.stores[0].find().records:
            self.stores[1].save(stored)
            self.safe[stored.id] = self.perhaps.pop(stored.id)

    @rule(score=st.floats(0, 1), table=TABLES)
    def another_writer_takes_the_same_id(self, score: float, table: Any) -> None:
        for there in list(self.safe.values())[-1:]:
            other = same(there).model_copy(update={"score": score, "reason": "another"})
            with pytest.raises(NotStored):
                self.stores[1].save(other, table and table | {"row": [3, 4, 5]})

    @rule(data=st.data())
    def power_cut(self, data: st.DataObject) -> None:
        states = list(self.disk.states())
        state = states[data.draw(st.integers(0, len(states) - 1))]
        self.disk = self.disk.after_power_cut(state)
        found = {one.id for one in Store(self.stores[0].root).find().records}
        # What was not promised and is there now was read from the disk: it stays.
        self.safe |= {one: self.perhaps.pop(one) for one in found & {*self.perhaps}}
        self.reopen()

    @rule(data=st.data())
    def damage_a_file_and_repair_it(self, data: st.DataObject) -> None:
        for there in list(self.safe.values())[:1]:
            path = self.stores[0].runs / file_name(there)
            whole = path.read_bytes()
            at = data.draw(st.integers(0, len(whole) - 1))
            path.write_bytes(whole[:at])
            found = self.stores[0].find()
            assert there not in found.records or whole[at:].isspace()
            assert len(found.damaged) == (there not in found.records)
            path.write_bytes(whole)

    @invariant()
    def it_holds_what_it_should(self) -> None:
        STEPS["steps"] += 1
        found = Store(self.stores[0].root).find()
        by_id = {one.id: one for one in found.records}
        assert not found.damaged
        assert len(by_id) == len(found.records)
        assert self.safe.items() <= by_id.items()
        assert by_id.items() <= (self.safe | self.perhaps).items()
        for one in found.records:
            assert self.stores[0].has_predictions(one) == (one.predictions is not None)


def walks(examples: int, steps: int) -> Counter[str]:
    """So many walks of so many steps; raises at the first step after which it is not so."""
    before = STEPS["steps"]
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    return Counter(steps=STEPS["steps"] - before, violations=0)
