"""Code that repositories and models bring along, and what records say of a user: counted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import GlueBenchError, UsageError
from harness.execution import checkout
from harness.system import git
from tests.support import canaries, custom_task, model_payloads, payloads, scoreboard

pytestmark = pytest.mark.faults
ALL = (
    "by {USER} on {HOST} at {REAL}/x and {HOME}/y, {REAL} {HOME}//z, with {HF_TOKEN} {HF_ENDPOINT} "
    "{AWS_SECRET_ACCESS_KEY} {GITHUB_TOKEN} {MY_PASSWORD} {HTTPS_PROXY}"
)
PLANTED = (
    f'raise RuntimeError("{ALL}")',
    f'raise SystemExit("{ALL}")',
    f'raise KeyError("{ALL}")',
    f'print("{ALL}"); os._exit(3)',
    'raise OSError(2, "no such file", "{REAL}//x")',
    'raise ImportError("cannot import x from {REAL}/site/x.py")',
    'raise MemoryError("{HOME}")',
    'raise RuntimeError(ascii("{REAL}/modèle"))',
    'raise RuntimeError(repr(b"{REAL}"))',
    'open("{HOME}/nothing/x")',
    'import torch; torch.load("{REAL}/nothing.pt")',
)


@pytest.mark.parametrize("name", payloads.ARMED)
def test_code_of_repositories(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = payloads.repository(tmp_path)
    payloads.ARMED[name](repo)
    for path in repo.canaries.iterdir():  # of what the making ran
        path.unlink()
    repo.touched()
    git.state(repo.root)
    git.why_not_on(repo.root, "main", repo.commits[0])
    try:
        with checkout.of_commit(repo.root, repo.commits[0]) as made:
            told = ["git", "status", "--porcelain"]  # as the older code would ask
            subprocess.run(told, cwd=made.folder, check=True, capture_output=True)
    except UsageError:
        assert name.startswith("fetch")  # an object is missing, and stays so
    ran = repo.ran
    payloads.run_plainly(repo)
    scoreboard.add(
        "code of repositories", payloads=1, run_by_plain_git=bool(repo.ran), ran=len(ran)
    )
    assert ran == set()


@pytest.mark.filterwarnings("ignore")  # of the libraries, about such folders
def test_code_of_models(tmp_path: Path) -> None:
    from harness.catalog import tasks
    from harness.modeling import checkpoints, pretrained

    ran, left = set(), tmp_path / "canaries"
    for name in model_payloads.PAYLOADS:
        folder = model_payloads.folder(tmp_path, name, left)
        for load in (
            lambda path: pretrained.load(path, tasks.get("rte"), 1),
            checkpoints.load,
        ):
            try:
                load(folder)
            except GlueBenchError:
                continue
    ran |= {path.name for path in left.iterdir()}
    project = canaries.project(tmp_path / "sessions")
    folders = ",".join(str(tmp_path / name) for name in model_payloads.PAYLOADS)
    for engine in ("process", "inline"):
        project.session("--glue-models", folders, "--glue-engine", engine, "--glue-targets",
                        "cpu-fp32", "--glue-results", engine)  # fmt: skip
        runs = [*(project.folder / engine / "runs").iterdir()]
        assert len(runs) == len(model_payloads.PAYLOADS)
    for name in ("network", "pickled-shards"):  # `checkpoints.load` is all that it adds
        project.run("harness", "predict", str(tmp_path / name), "a text", "another")
    ran |= {path.name for path in left.iterdir()}
    tried = len(model_payloads.PAYLOADS)
    scoreboard.add("code of models", payloads=tried, ran=len(ran))
    assert tried >= 19
    assert ran == set()


def test_payloads_of_models_are_armed(tmp_path: Path) -> None:
    import pickle

    from transformers import AutoConfig

    left = tmp_path / "canaries"
    AutoConfig.from_pretrained(
        model_payloads.folder(tmp_path, "configuration", left), trust_remote_code=True
    )
    path = model_payloads.folder(tmp_path, "pickle-alone", left) / "pytorch_model.bin"
    with path.open("rb") as file:
        pickle.load(file)  # noqa: S301  (that it runs code is what is shown)
    assert {one.name for one in left.iterdir()} == {"configuration", "pickle-alone"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> canaries.Project:
    return canaries.project(tmp_path_factory.mktemp("canaries"))


def counted(project: canaries.Project, records: int, *folders: str) -> None:
    """Nothing that was written tells of the user; as many records as were meant are there."""
    leaked = [
        (str(path), canary)
        for folder in ("results", *folders)
        for path, canary in canaries.found_in(project.folder / folder)
    ]
    scoreboard.add("canaries", planted=len(canaries.CANARIES) * records, leaked=len(leaked))
    assert leaked == []


def reasons(project: canaries.Project, folder: str) -> list[str]:
    runs = sorted((project.folder / "results" / folder / "runs").glob("*.json"))
    return [json.loads(path.read_text())["reason"] or "" for path in runs]


@pytest.mark.parametrize("engine", ["process", "inline"])
def test_canaries_in_what_a_run_raises(project: canaries.Project, engine: str) -> None:
    folder = f"raised-{engine}"
    # In this process nothing survives an exit, and what is said is said by the same code.
    planted = PLANTED if engine == "process" else [PLANTED[0], *PLANTED[4:7]]
    for one in planted:
        project.session("--glue-targets", "cpu-fp32", "--glue-engine", engine, "--glue-results",
                        f"results/{folder}", PLANTED=one)  # fmt: skip
    found = reasons(project, folder)
    assert len(found) == len(planted)
    assert all(found)
    counted(project, len(found))


def broken(home: Path) -> Sequence[str]:
    """Models of the home folder, of which all but the last are damaged."""

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:1000])

    damages = {
        "no-object": lambda f: (f / "config.json").write_text("{"),
        "no-weights": lambda f: (f / "model.safetensors").unlink(),
        "cut": lambda f: cut(f / "model.safetensors"),
        "no-tokenizer": lambda f: [(f / n).unlink() for n in ("tokenizer.json", "vocab.txt")
                                   if (f / n).exists()],
        "tokenizer": lambda f: (f / "tokenizer.json").write_text("{}"),
        "link": lambda f: [(f / "config.json").unlink(),
                           (f / "config.json").symlink_to(home / "x")],
        "whole": lambda f: None,
    }  # fmt: skip
    for name, damage in damages.items():
        damage(canaries.toy_model(home / name))
    return [str(home / name) for name in damages]


def test_canaries_in_models_and_data_of_the_home_folder(project: canaries.Project) -> None:
    home = project.home
    names = [*broken(home), f"{home}/whole+lora", f"{home}/whole+frozen", "bilstm", "org/name"]
    project.session(
        "--glue-models", ",".join(names), "--glue-targets", "cpu-fp32", "--glue-predict-test",
        "--glue-save-models", str(home / "project" / "saved"), "--glue-results", "results/models",
    )  # fmt: skip
    rows = home / "glue" / "RTE"
    rows.mkdir(parents=True)
    for damage in ("", "index\tsentence1\n", "index\tsentence1\tsentence2\tlabel\n1\tx\n"):
        if damage:
            (rows / "train.tsv").write_text(damage)
        project.session("--glue-data", str(home / "glue"), "--glue-targets", "cpu-fp32",
                        "--glue-results", "results/data")  # fmt: skip
    (home / "glove.txt").write_text("a 0.1 x\n")
    project.session("--glue-models", "cbow+vectors", "--glue-vectors", str(home / "glove.txt"),
                    "--glue-targets", "cpu-fp32", "--glue-results", "results/data")  # fmt: skip
    project.session("--glue-data", "hub", "--glue-targets", "cpu-fp32",
                    "--glue-results", "results/data")  # fmt: skip
    project.session("--glue-targets", "cpu-fp32", "--glue-timeout", "0.5",
                    "--glue-results", "results/data")  # fmt: skip
    found = len([*(project.folder / "results").glob("*/runs/*.json")])
    assert len(reasons(project, "models")) == len(names)
    assert len(reasons(project, "data")) == 6
    counted(project, found, "saved")


def test_canaries_in_tasks_reports_and_baselines(project: canaries.Project) -> None:
    own = custom_task.put(project.home / "own", {})
    results = project.folder / "results" / "own"
    project.run("pytest", "benchmarks", "--glue-task-file", str(own), "--glue-tasks", "reviews",
                "--glue-targets", "cpu-fp32", "--glue-results", str(results))  # fmt: skip
    project.session("--glue-targets", "cpu-fp32", "--glue-results", str(results))
    written = project.folder / "written"
    for verb in (
        ("report", str(results), "-o", str(written)),
        ("baseline", "save", "main", str(results), "--reason", "why"),
        ("submit", str(results), "-o", str(written / "x.zip")),
    ):
        project.run("harness", *verb)
    assert [*written.iterdir()]
    assert len(reasons(project, "own")) == 2
    counted(project, 2, "written")
