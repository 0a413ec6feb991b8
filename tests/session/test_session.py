"""When a session has the fork server start, which imports on a core for seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.engines import FakeEngine

TESTS = "benchmarks/test_finetune.py"
Starts = Callable[..., list[str]]


@pytest.fixture
def starts(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> Starts:
    """What happens in a session with these arguments, among the two things that are listened for.

    They are the start of the server and that of the driver.
    """
    happened: list[str] = []
    monkeypatch.setattr("harness.execution.forking.start_ahead", lambda: happened.append("server"))
    monkeypatch.setattr(FakeEngine, "start", lambda engine: happened.append("driver"))

    def run(*arguments: str) -> list[str]:
        happened.clear()
        project.inline_run("-p", "no:cacheprovider", *arguments)
        return [*happened]

    return run


def test_the_server_starts_before_the_driver_gets_ready(starts: Starts) -> None:
    assert starts(TESTS, "-k", "sst2 and fp32") == ["server", "driver"]


@pytest.mark.parametrize(
    "arguments",
    [
        (TESTS, "--collect-only"),
        (TESTS, "--setup-plan", "-k", "sst2"),
        (TESTS, "-k", "nothing"),
        (TESTS, "--help"),
        (TESTS, "--glue-models", "unknown/model-of-nobody", "--glue-profile", "unknown"),
        ("test_own.py",),
    ],
    ids=lambda arguments: " ".join(arguments[1:]) or "no-case",
)
def test_no_server_starts_where_no_case_runs(
    starts: Starts, project: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    project.makepyfile(test_own="def test_nothing(): pass")
    assert starts(*arguments) == []


def test_cases_of_the_inline_engine_need_no_server(starts: Starts) -> None:
    assert starts(TESTS, "-k", "sst2 and fp32", "--glue-engine", "inline") == ["driver"]
