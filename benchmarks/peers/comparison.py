"""Runs the sides of a cell in turns, each time in a fresh process: A B C, C B A, A B C, ..."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.peers import figures, sides
from benchmarks.peers.child import Job
from benchmarks.peers.figures import Measured, Round
from benchmarks.peers.sides import OURS, Peer
from harness.data import load
from harness.data.row_sources import located
from harness.errors import Unavailable, UsageError
from harness.execution.worker import OFFLINE, UNLESS_SET, module_folders
from harness.planning.option_values import FIRST_SEED
from harness.planning.plan import Plan
from harness.planning.resolve import resolve, to_json
from harness.spec import Case, RunConfig
from harness.system import supervisor
from harness.text.escape import harmless

PAIRS = 5
LAST_LINES = 12  # of a process that fails
MODULES = {OURS: "benchmarks.peers.ours"}  # of the sides' processes; all peers have one
PEER_MODULE = "benchmarks.peers.trainer"
Say = Callable[[str], None]
Run = Callable[[Job], object]  # a job's result, as JSON


class NoPeer(Unavailable):
    """Trainer is not installed, or cannot do what the run does."""


@dataclass(frozen=True)
class Comparison:
    """What to compare: the configuration of each round, which differ by their seeds alone."""

    rounds: tuple[RunConfig, ...]
    rows: int  # of training
    rows_in_source: int
    peers: tuple[Peer, ...]

    @property
    def config(self) -> RunConfig:
        """The configuration of the first round."""
        return self.rounds[0]

    @property
    def sides(self) -> list[str]:
        """Ours and the peers, in the order of an odd round."""
        return [OURS, *(peer.name for peer in self.peers)]

    @property
    def steps(self) -> int:
        """The steps that every side has to make."""
        return self.config.recipe.epochs * self.rows // self.config.recipe.batch_size


@dataclass(frozen=True)
class Result:
    """The rounds of a comparison, and the batch in which each peer evaluated."""

    comparison: Comparison
    rounds: tuple[Round, ...]
    eval_batches: Mapping[str, int]

    @property
    def faults(self) -> list[str]:
        """In what the sides did not do the same."""
        return figures.faults(self.rounds, self.comparison.steps, self.comparison.config.threads)


def plan_comparison(plan: Plan, cases: list[Case]) -> Comparison:
    """What to run for a cell, whose cases differ by their seeds alone.

    Raises `NoPeer`, `UsageError` for too few rows, and `GlueBenchError` where the model or
    the rows are not on this machine.
    """
    if find_spec("accelerate") is None:
        raise NoPeer("Trainer needs accelerate. Fix: pip install 'glue-bench[peers]'")
    case = cases[0]
    if why := sides.why_not(config := resolve(case, plan)):
        raise NoPeer(why)
    train = load.load(located(plan.data, config.task), config.task).info["train"]
    peers = sides.peers_of(config.recipe, plan.settings.peers)
    rows = sides.whole_steps(train.rows, config.recipe)
    if why := sides.too_few(rows, train.rows_in_source, config.recipe):
        raise UsageError(f"{case.cell}: {why}")
    whole = dataclasses.replace(plan, data=dataclasses.replace(plan.data, max_train=rows))
    pairs = plan.settings.pairs or PAIRS
    seeds = [case.seed for case in cases]
    if "seeds" not in plan.named:  # a seed for each round
        seeds = [*range(FIRST_SEED, FIRST_SEED + pairs)]
    configs = (
        resolve(dataclasses.replace(case, seed=seeds[place % len(seeds)]), whole)
        for place in range(pairs)
    )
    return Comparison(tuple(configs), rows, train.rows_in_source, tuple(peers))


def run(comparison: Comparison, say: Say, process: Run | None = None) -> Result:
    """Run all rounds; `say` gets a line for each. Raises `UsageError` if a process fails."""
    process = process or run_process
    name, eval_batches = comparison.config.case.cell, {}
    for peer in comparison.peers:
        eval_batches[peer.name] = sides.RUN_GLUE_EVAL_BATCH
        if peer.is_tuned:
            trial = Job(peer.name, to_json(comparison.config), 0, is_trial=True)
            eval_batches[peer.name] = int(str(process(trial)))
    rounds: list[Round] = []
    for place, config in enumerate(comparison.rounds):
        turn = comparison.sides if place % 2 == 0 else comparison.sides[::-1]
        jobs = [Job(side, to_json(config), eval_batches.get(side, 0)) for side in turn]
        rounds.append(Round({job.side: _measured(process(job)) for job in jobs}))
        speeds = ", ".join(
            f"{side} {rounds[-1].sides[side].examples_per_s:.0f}" for side in comparison.sides
        )
        why = rounds[-1].disturbance
        left_out = f"; dropped ({why})" if why else ""
        say(
            f"peers: {name}: pair {place + 1} of {len(comparison.rounds)}: examples/s {speeds}"
            f"{left_out}"
        )
    return Result(comparison, tuple(rounds), eval_batches)


def _measured(result: object) -> Measured:
    if not isinstance(result, dict):
        raise UsageError(f"a side sent {result!r}; expected what it measured")
    return Measured(**result)


def run_process(job: Job) -> object:
    """Run a job in a fresh process, which ends with this one. Raises `UsageError` if it fails."""
    module = MODULES.get(job.side, PEER_MODULE)
    folders = [str(Path(__file__).parents[2]), *module_folders()]
    with tempfile.TemporaryDirectory(prefix="glue-peers-") as folder:
        job_file, result_file = Path(folder, "job.json"), Path(folder, "result.json")
        job_file.write_text(json.dumps(asdict(job)), "utf-8")
        command = [sys.executable, "-m", module, str(job_file), str(result_file)]
        with subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, *command],
            env={
                **UNLESS_SET,
                **os.environ,
                **OFFLINE,
                "TOKENIZERS_PARALLELISM": "false",  # or tokenizers warns of forks
                # One GPU: of several, Trainer would use all, with a batch on each.
                "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0],
                "PYTHONPATH": os.pathsep.join(folders),
            },
            stdin=subprocess.PIPE,  # the supervisor ends the process when this one closes it
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        ) as started:
            try:
                printed = started.stdout.read() if started.stdout else ""
            finally:
                if started.stdin:
                    started.stdin.close()
        if not result_file.is_file():
            end = "\n".join(printed.splitlines()[-LAST_LINES:])
            raise UsageError(harmless(f"{job.side} could not run. The end of its output:\n{end}"))
        return json.loads(result_file.read_text("utf-8"))
