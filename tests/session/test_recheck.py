"""The second stage of the gate: the baseline's code and this code, on fresh seeds."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.compare import thresholds
from harness.compare.comparison import compare
from harness.compare.subject import DEFAULT
from harness.compare.verdicts import Verdict
from harness.execution.checkout import Checkout
from harness.planning.options import Settings
from harness.records.identity import key_of
from harness.records.schema import Record
from harness.records.store import Store
from harness.session.regression import Regression
from harness.spec import Case
from tests.support.builders import record
from tests.support.cell_runs import failed, side, spread
from tests.support.engines import FakeEngine
from tests.support.gate_project import BOTH, SST2, judged, scoring

NOT_RUN = "Worse in stage 1. Stage 2 proves nothing: "


class BaselinesCode:
    """In place of a checkout of the baseline's commit, and of the session in it: all it writes."""

    def __init__(
        self, mean: float, root: Path, fails: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.mean, self.root, self.fails = mean, root, fails
        self.said: list[str] = []
        if fails != "checkout":
            place = contextlib.nullcontext(Checkout(root, root, root))
            monkeypatch.setattr("harness.execution.checkout.of_commit", lambda *which: place)
        monkeypatch.setattr("harness.execution.other_code.run_pytest", self.run)

    def run(self, checkout: Checkout, options: Sequence[str | Path]) -> str:
        self.said = [*map(str, options)]
        said = dict(itertools.pairwise(self.said))
        store = Store(Path(said["--glue-results"]))
        stored = Store(self.root / "b").load()
        like = next(run for run in stored if run.case.task == said["--glue-tasks"])
        other = {
            "other commit": {"commit": "d" * 40},
            "dirty": {"dirty": True},
            "versions": {"torch": "9.9.9"},
        }
        for seed in map(int, said["--glue-seeds"].strip(",").split(",")):
            score = self.mean + random.Random(seed).gauss(0, 0.004)
            case = Case(said["--glue-tasks"], said["--glue-models"], said["--glue-targets"], seed)
            identity = {**like.identity}
            if self.fails == "inputs":
                identity["recipe"] = {**like.identity["recipe"], "epochs": 99}
            made = record(
                case, cell_key=key_of(identity), identity=identity, score=score,
                metrics={"validation": {"accuracy": score}}, first_losses=[score, score],
                environment=like.environment | other.get(self.fails, {}),
            )  # fmt: skip
            if self.fails != "run":
                store.save(made)
        return "what it printed"


@pytest.mark.parametrize(
    ("mean", "fails", "outcome", "words"),
    [
        (0.90, "", "failed", "worse; score *Worse in both stages.*"),
        (0.90, "luck", "passed", "*Worse in stage 1, not in stage 2.*"),
        (0.87, "", "failed", f"worse; *{NOT_RUN}*baseline's code now has a score of 87.*"),
        (0.90, "versions", "failed", f"worse; *{NOT_RUN}*both of its sides have what changed*"),
        (0.90, "run", "failed", f"worse; *{NOT_RUN}*commit cccccccccccc ran 0 of 10 cases*"),
        (0.90, "other commit", "failed", f"worse; *{NOT_RUN}*commit cccccccccccc ran 0 of 10 *"),
        (0.90, "dirty", "failed", f"worse; *{NOT_RUN}*commit cccccccccccc ran 0 of 10 *"),
        (0.90, "inputs", "failed", f"worse; *{NOT_RUN}*is not here any more: recipe.epochs: was *"),
        (
            0.90,
            "checkout",
            "failed",
            f"worse; *{NOT_RUN}*: is in no git checkout, so no other code can run*",
        ),
    ],
    ids=[
        "confirmed",
        "not confirmed",
        "changed outside the project",
        "other versions",
        "does not run",
        "other commit",
        "dirty",
        "other inputs",
        "no such commit",
    ],
)
def test_a_second_stage_runs_both_sides_on_fresh_seeds(
    mean: float, fails: str, outcome: str, words: str,
    gated: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, engines: list[FakeEngine],
    code: dict[str, Any],
) -> None:  # fmt: skip
    if fails == "versions":  # today's, which the older code has too
        code |= {"commit": "d" * 40, "torch": "9.9.9"}
    unlucky = range(60, 65) if fails in ("luck", "versions") else ()
    scoring(0.90 if unlucky else 0.87, unlucky=unlucky)
    base = BaselinesCode(mean, gated.path, fails, monkeypatch)
    found = judged(
        gated, *SST2, "--glue-recheck", "10", "--glue-epochs", "4", "--glue-profile", "toy", "-rs"
    )
    counts = {"passed": 6} if outcome == "passed" else {"passed": 5, outcome: 1}
    found.assert_outcomes(deselected=48, **counts)
    found.stdout.fnmatch_lines([words])
    if fails in ("", "luck"):
        seeds = [config.case.seed for config in engines[-1].submitted]
        assert seeds == [*range(60, 65), *range(65, 75)]
        command = base.said
        assert command[command.index("--glue-seeds") + 1] == "65,66,67,68,69,70,71,72,73,74,"
        assert command[command.index("--glue-epochs") + 1] == "4"
        assert command[command.index("--glue-profile") + 1] == "toy"
        assert "--glue-baseline" not in command


@pytest.mark.parametrize(("trusted", "exit_code"), [(False, 4), (True, 1)])
def test_the_commit_that_a_foreign_baseline_names_is_not_run(
    trusted: bool, exit_code: int, gated: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring(0.87)
    BaselinesCode(0.90, gated.path, "", monkeypatch)
    (gated.path / "results" / "baselines" / "main").rename(gated.path / "foreign")
    options = ["--glue-baseline", "./foreign", "--glue-recheck", "10"]
    options += ["--glue-trust-baseline"] if trusted else []
    found = judged(gated, "-k", "sst2", "--glue-targets", "cpu-fp32", *options)
    assert found.ret == exit_code
    if not trusted:
        found.stderr.fnmatch_lines(["*foreign is not below *, so the commit *"])


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (0.90, "worse; a small loss everywhere, in both stages: -*"),
        (0.893, "worse; Worse in stage 1. Stage 2 proves nothing: the baseline's code now has *"),
    ],
    ids=["confirmed", "changed outside the project"],
)
def test_a_small_loss_in_every_cell_is_worse_in_all_of_them_together(
    mean: float, words: str, gated: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring(0.8937)
    BaselinesCode(mean, gated.path, "", monkeypatch)
    found = judged(gated, *BOTH, "--glue-recheck", "10", "-v", "-rs")
    found.stdout.fnmatch_lines(["*test_regression[[]all-cells]*", words])
    assert found.ret == 1


@pytest.mark.cases
def test_a_cell_that_was_not_compared_is_not_run_again() -> None:
    asked: list[str] = []
    base = [run for name in ("a", "b", "other") for run in side(spread(0.9, 10), model=name)]
    new = [run for name in ("a", "b", "other") for run in side(spread(0.8), first=60, model=name)]
    new += failed([65], model="other")
    gate, limits = Regression.__new__(Regression), thresholds.from_option(["score:-0.2pt"])
    gate.settings, gate.thresholds = Settings(recheck=10), limits
    gate.subject, gate._comparison = DEFAULT, compare(base, new, limits)
    gate.judged = {}

    def recheck(cell: str, seeds: list[int]) -> tuple[list[Record], list[Record]]:
        asked.append(cell)
        model, first = cell.split("-")[1], seeds[0]
        runs = len(seeds) - lost
        then, now = (side(spread(mean, runs), first=first, model=model) for mean in (0.9, fresh))
        return then, now

    lost, fresh = 0, 0.8
    assert gate.judge_all(recheck)[0] is Verdict.WORSE
    assert asked == ["sst2-a-cpu-fp32", "sst2-b-cpu-fp32"]
    fresh = 0.9
    assert gate.judge_all(recheck) == (Verdict.CANNOT_TELL, "Worse in stage 1, not in stage 2.")
    lost = 7  # 3 and 3 runs are left: a weaker test, which clears nothing
    verdict, why = gate.judge_all(recheck)
    assert verdict is Verdict.WORSE
    assert why.endswith("Stage 2 compared too few runs to see it")
