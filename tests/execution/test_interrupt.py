"""Ctrl-C strikes where a run is waited for, and nowhere else while a case is handled."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from harness.execution import interrupt
from harness.execution.interrupt import allowed, deferred
from tests.support.pytest_project import ARGS

pytestmark = pytest.mark.usefixtures("pythons_own_sigint")


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def reached(block: Callable[[list[str]], None]) -> list[str]:
    """What `block` noted down until the Ctrl-C that it was struck by."""
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        deferred()(block)(notes)
    return notes


def test_it_is_kept_until_the_end() -> None:
    def block(notes: list[str]) -> None:
        ctrl_c()
        notes.append("stored")

    assert reached(block) == ["stored"]


def test_it_strikes_while_somebody_waits() -> None:
    def block(notes: list[str]) -> None:
        notes.append("began")
        with allowed():
            ctrl_c()
            notes.append("waited on")
        notes.append("went on")

    assert reached(block) == ["began"]


def test_one_that_was_kept_strikes_before_a_wait_begins() -> None:
    def block(notes: list[str]) -> None:
        ctrl_c()
        notes.append("stored")
        with allowed():
            notes.append("waited on")

    assert reached(block) == ["stored"]


def test_a_second_one_strikes_anywhere() -> None:
    def block(notes: list[str]) -> None:
        ctrl_c()
        notes.append("went on")
        ctrl_c()
        notes.append("went on still")

    assert reached(block) == ["went on"]


def test_after_a_wait_it_is_kept_again_and_blocks_may_nest() -> None:
    def block(notes: list[str]) -> None:
        with deferred():
            with allowed():
                notes.append("waited")
            ctrl_c()
        notes.append("the outer block went on")

    assert reached(block) == ["waited", "the outer block went on"]


def test_an_error_goes_before_what_was_kept() -> None:
    @deferred()
    def block() -> None:
        ctrl_c()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()


def test_without_ctrl_c_nothing_happens() -> None:
    with deferred(), allowed():
        pass
    with allowed():
        pass


def test_where_sigint_is_ignored_it_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred():
        ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_session_that_ends_is_cut_off_only_where_it_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt.begin_to_end()
    ctrl_c()
    interrupt.have_ended()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.setattr(interrupt, "GRACE_S", 0.0)
    interrupt.begin_to_end()
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()
    interrupt.have_ended()


def test_the_end_of_a_session_leaves_an_ignored_sigint_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt.begin_to_end()
    interrupt.have_ended()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


CUT_OFF = """
held = []
def pytest_collection_finish():
    held.append(open(__file__))
    raise KeyboardInterrupt
def pytest_unconfigure():
    held.clear()  # nothing closes the file but that nobody knows it any more
"""


@pytest.mark.cases
def test_a_file_that_was_being_read_does_not_change_the_exit_code(
    project: pytest.Pytester,
) -> None:
    (project.path / "conftest.py").write_text(CUT_OFF)
    found = project.runpytest_subprocess("benchmarks", *ARGS, "-k", "rte", "-W", "error")
    assert found.ret == pytest.ExitCode.INTERRUPTED
