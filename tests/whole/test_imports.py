"""What is imported when: collecting and reporting must work without the heavy packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import record
from tests.support.locations import ROOT

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError(f"{{name}} must not be imported here")
sys.meta_path.insert(0, Blocker())
"""


def run_blocked(blocked: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    program = BLOCKED.format(blocked=set(blocked)) + code
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_collecting_a_thousand_cases_imports_nothing_heavy() -> None:
    done = run_blocked(
        ("torch", "transformers", "datasets", "scipy", "sklearn", "pandas", "numpy"),
        "import pytest\n"
        "sys.exit(pytest.main(['benchmarks', '--collect-only', '-q', '-p', 'no:cacheprovider',"
        " '--glue-seeds', '56']))",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("::test_finetune[") == 9 * 2 * 56 == 1008


def test_a_worker_scores_without_scikit_learn_scipy_stats_and_pandas() -> None:
    done = subprocess.run(
        [
            sys.executable, "-c",
            "import sys\n"
            "from harness import metrics\n"
            "from harness.catalog.tasks import TASKS\n"
            "from harness.execution import fork_server\n"
            "fork_server.preload()\n"
            "for task in TASKS.values():\n"
            "    if task.metrics: metrics.evaluate(task, [0, 1, 1, 0], [0, 1, 0, 0])\n"
            "print(*sys.modules)",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert {"harness.training.runner", "transformers.models.bert.modeling_bert"} <= loaded
    assert not {"sklearn", "scipy.stats", "pandas"} & loaded
    assert done.stderr == ""  # a module that cannot be imported prints its traceback


LISTS = ("tasks", "models", "targets", "recipes", "profiles", "references")
COMMANDS = [
    *(["list", kind] for kind in LISTS),
    ["report", "RESULTS"],
    ["report", "RESULTS", "--format", "csv"],
]


def test_lists_and_reports_need_no_torch(tmp_path: Path) -> None:
    Store(tmp_path).save(record(Case("sst2", "toy-bert", "cpu-fp32", 42)))
    given = [[str(tmp_path) if word == "RESULTS" else word for word in line] for line in COMMANDS]
    done = run_blocked(
        ("torch", "transformers", "datasets"),
        f"from harness.cli import main\nfor arguments in {given!r}:\n"
        "    sys.argv = ['glue-bench', *arguments]\n"
        "    print('begin', flush=True)\n"
        "    try:\n        main()\n"
        "    except SystemExit as ended:\n        assert not ended.code, arguments\n",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.split("begin\n")[1:]
    assert len(shown) == len(COMMANDS)
    for arguments, text in zip(COMMANDS, shown, strict=True):
        assert "sst2" in text or arguments[1] not in ("tasks", "RESULTS")


def test_results_in_a_notebook_need_no_torch(tmp_path: Path) -> None:
    Store(tmp_path).save(record(Case("sst2", "toy-bert", "cpu-fp32", 42)))
    done = run_blocked(
        ("torch", "transformers", "datasets"),
        f"import harness\nprint(*harness.load_results({str(tmp_path)!r})['task'])",
    )
    assert done.stdout == "sst2\n", done.stderr


def test_the_plugin_itself_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, harness.plugin; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    heavy = {"torch", "transformers", "datasets", "scipy", "sklearn", "pandas", "numpy", "pydantic"}
    assert not heavy & set(done.stdout.split())
