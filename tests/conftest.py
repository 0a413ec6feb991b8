"""What every test stands on: no network, and a results folder of its own."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.execution import forking
from harness.execution.process import ProcessEngine
from harness.execution.worker import UNLESS_SET
from harness.hub import snapshots
from tests.support import scoreboard
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.fake_workers import server_that_also_imports
from tests.support.locations import ROOT

pytest_plugins = [
    "pytester",
    "tests.support.ab_sessions",
    "tests.support.gate_project",
    "tests.support.log_files",
]
pytest.register_assert_rewrite("tests.support.glue_files")

# Before torch is here: runs inside this process are as little disturbed by others as a worker's.
os.environ.setdefault("GOMP_SPINCOUNT", UNLESS_SET["GOMP_SPINCOUNT"])
if "PYTEST_XDIST_WORKER" in os.environ:  # each of -n has a core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

MISSING = [
    name
    for name in ("hypothesis", "markdown_it", "peft", "sentencepiece")
    if importlib.util.find_spec(name) is None
]
if "hypothesis" not in MISSING:
    from hypothesis import settings

    # No test asserts a time. Two runs of the tests try the same examples, so that what falls here
    # falls everywhere; `--hypothesis-profile=fresh` draws others, and what it finds is kept as
    # `@example`.
    settings.register_profile("tests", deadline=None, derandomize=True)
    settings.register_profile("fresh", deadline=None, print_blob=True)
    settings.load_profile("tests")


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Any:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] != "127.0.0.1":
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    # Under -n, a session inside a test is no worker's: pytest-benchmark would switch itself off.
    for name in ("GLUE_BENCH_DATA", "GLUE_BENCH_RESULTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GLUE_BENCH_CACHE", "off")


@pytest.fixture(autouse=True)
def _no_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs inside this process do not look twice how fast the machine is."""
    if runner := sys.modules.get("harness.training.runner"):
        monkeypatch.setattr(runner, "calibration_seconds", lambda device: 0.01)


@pytest.fixture(autouse=True, scope="session")
def _no_calibration_in_workers() -> Iterator[None]:
    """Nor do runs in the workers of this process's fork server."""
    with pytest.MonkeyPatch.context() as patch:
        steady = server_that_also_imports("tests.support.steady_machine")
        patch.setattr(forking, "SERVER", steady)
        yield


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    """No test leaves a switch of torch's changed; where torch is not loaded, none is there."""
    if "torch" not in sys.modules:
        yield
        return
    from tests.support.torch_switches import snapshot

    before = snapshot()
    yield
    assert snapshot() == before, "the test left a switch of torch's changed"


@pytest.fixture
def on_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit is in the history of every branch."""
    monkeypatch.setattr("harness.system.git.why_not_on", lambda *where: None)


@pytest.fixture
def pythons_own_sigint() -> Iterator[None]:
    """SIGINT as a terminal's job has it: one in a shell's background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def fork_server() -> None:
    """The fork server that all engines of this process share, begun before any test's own folder.

    A session inside a test then trains for real without seconds of imports.
    """
    engine = ProcessEngine()
    engine.start()
    engine.close()


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a tiny pretrained network for each family; no test changes them."""
    from tests.support import tiny_families

    home = tmp_path_factory.mktemp("families")
    return {name: tiny_families.pretrained(home / name, name) for name in tiny_families.FAMILIES}


@pytest.fixture(scope="session")
def libraries() -> None:
    """Load what a session in this process would load first.

    At its end pytester unloads every module that was not there when it began, and parts of these
    libraries can be loaded only once. Only tests that use pytester pay for it: xdist's controller,
    and `pytest --help` in a clone, do without.
    """
    for name in (
        "pandas.core.arrays.arrow.extension_types",
        "pyarrow.parquet",
        "scipy.optimize",
        "scipy.stats",
        "transformers.modeling_utils",
    ):
        importlib.import_module(name)
    gc.freeze()  # a garbage collection would look through them for 0.3 s


@pytest.fixture
def pytester(libraries: None, pytester: pytest.Pytester) -> pytest.Pytester:
    """pytest's own fixture, which begins when the libraries are loaded."""
    return pytester


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the benchmarks and the root conftest of this one."""
    shutil.copytree(
        ROOT / "benchmarks", pytester.path / "benchmarks", ignore=shutil.ignore_patterns("__*")
    )
    shutil.copy(ROOT / "conftest.py", pytester.path)
    pytester.makefile(".toml", pyproject="[tool.pytest]\nstrict = true\n")
    return pytester


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """The engines a session made; `ANSWERS` decides what they say."""
    made: list[FakeEngine] = []

    def make(settings: Any, _plan: object) -> FakeEngine:
        made.append(FakeEngine(lambda config: ANSWERS[0](config)))
        return made[-1]

    monkeypatch.setattr("harness.execution.driver.make_engine", make)
    monkeypatch.setattr("harness.execution.forking.start_ahead", lambda: None)
    ANSWERS[0] = lambda config: outcome()
    return made


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread: a tiny network is slower on two."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub, offline; nothing that was looked up before is remembered."""
    from datasets import config
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    snapshots.find.cache_clear()
    snapshots.fetch_once.cache_clear()
    return tmp_path / "hub"


@pytest.fixture
def ask(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets this process ask the Hub at an address; its cache is empty at first."""
    from huggingface_hub import close_session, constants

    def at(address: str) -> None:
        form = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", form)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        close_session()  # which may know of a proxy
        snapshots._lookup.cache_clear()

    return at


@pytest.hookimpl(tryfirst=True)  # before the header
def pytest_sessionstart() -> None:
    if MISSING:
        raise pytest.UsageError(
            f"the tests need packages that are not installed: {', '.join(MISSING)}. "
            "Fix: pip install -c constraints.txt -e '.[dev]'\n"
            "(`pytest benchmarks` runs without them.)"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and item.get_closest_marker("cases") and not report.skipped:
        scoreboard.add("cases", tried=1, right=int(report.passed))
    return report


def pytest_collection_finish() -> None:
    gc.freeze()  # what all tests share is in no garbage collection from here on


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under `-n`, what a worker counted goes to the session that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["scores"] = dict(scoreboard.SCORES)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for row, counts in getattr(node, "workeroutput", {}).get("scores", {}).items():
        scoreboard.add(row, **counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in scoreboard.lines():
        terminalreporter.write_line(line)
