"""Out of memory: what is tried again and recorded, and that the next case is unharmed."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import multiprocessing
import os
import platform
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

import harness
from harness.catalog.models import Adapted
from harness.execution.engine import Finished, InlineEngine, until_it_fits
from harness.execution.fork_server import PRELOAD
from harness.planning.resolve import from_json, to_json
from harness.records import failures
from harness.records.schema import Outcome
from harness.spec import Case, DataRequest, Model, RunConfig
from harness.system import environment
from harness.training import oom_retry
from tests.support import tiny_models
from tests.support.builders import numbers
from tests.support.configs import resolved

CASE, ROWS = Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("toy", max_train=72, max_eval=32)
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
FULL = "CUDA out of memory. Tried to allocate 20.00 MiB."


class Allocator:
    """A memory that holds so many rows of training or evaluation, and what it saw of one attempt.

    It refuses inside the network, where tensors are under way. `spared` steps of an attempt fit.
    """

    def __init__(self) -> None:
        self.training = self.evaluation = 1000
        self.spared = 0
        self.networks: list[weakref.ref[nn.Module]] = []
        self.initial: list[bytes] = []  # the weights that each attempt began with
        self.rows: list[int] = []  # of each micro-batch of the last attempt
        self.updates = 0  # of the last attempt
        self.raised: list[Exception] = []
        self.refused: list[weakref.ref[torch.Tensor]] = []
        self.held = 0  # tensors that were refused and still there when a batch began

    def forward(self, module: Any, inputs: Any) -> None:
        if hasattr(module, "classifier"):
            self.held += sum(tensor() is not None for tensor in self.refused)
            if not self.networks or self.networks[-1]() is not module:
                self.networks.append(weakref.ref(module))
                weights = module.state_dict().values()
                self.initial.append(b"".join(w.numpy().tobytes() for w in weights))
                self.rows, self.updates = [], 0
        elif type(module).__name__ == "BertIntermediate":
            rows = len(inputs[0])
            if module.training:
                self.rows.append(rows)
            # Before the first training row, three short rows are looked at: they fit.
            spared = self.updates < self.spared if module.training else not self.rows
            if not spared and rows > (self.training if module.training else self.evaluation):
                self.refuse(*inputs)

    def refuse(self, hidden: torch.Tensor) -> None:
        """Raise an error with a cause, and keep both, as a debugger or a log would."""
        self.refused.append(weakref.ref(hidden))
        try:
            self.shorten(hidden * 2)
        except MemoryError as cause:
            error = torch.OutOfMemoryError(FULL)
            self.raised += [cause, error]
            raise error from cause

    def shorten(self, hidden: torch.Tensor) -> None:
        raise MemoryError(len(hidden))

    def updated(self, *_: Any) -> None:
        self.updates += 1


@pytest.fixture(autouse=True, scope="module")
def _quick_collection() -> Iterator[None]:
    """Leave what other tests made out of every garbage collection: it takes 0.3 s each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def memory() -> Iterator[Allocator]:
    made = Allocator()
    hooks = (
        register_module_forward_pre_hook(made.forward),
        register_optimizer_step_post_hook(made.updated),
    )
    yield made
    for hook in hooks:
        hook.remove()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """72 rows, 32 a step, 2 epochs: 6 updates, every third of 8 rows. No dropout."""
    folder = tiny_models.classifier(tmp_path_factory.mktemp("m"), "bert", ["no"] * 2, **NO_DROPOUT)
    return config_of(folder)


def config_of(folder: Path) -> RunConfig:
    """A run of the model of a folder, under toy-bert's name."""
    adapted = Adapted("toy-bert", Model("toy-bert", path=str(folder), recipe="toy"))
    return resolved(CASE, ROWS, adapted=adapted, epochs=2, threads=1)


@pytest.fixture(scope="module")
def undisturbed(config: RunConfig) -> Finished:
    return run(config)


def run(config: RunConfig) -> Finished:
    return InlineEngine().submit(config, lambda *step: None).result()


def sizes(outcome: Outcome) -> tuple[int, ...]:
    """Rows asked for, rows at once, parts of a step, rows of evaluation, fresh starts."""
    assert outcome.batching is not None
    return tuple(outcome.batching.model_dump(exclude={"ran_out_in"}).values())


def live_tensors() -> int:
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())


def same_bits(one: Finished, other: Finished) -> bool:
    return numbers(one.outcome) == numbers(other.outcome) and one.predictions == other.predictions


@pytest.mark.parametrize(("fits", "spared", "retries"), [(16, 0, 1), (4, 2, 3)])
def test_training_starts_again_from_its_seed_in_smaller_parts(
    fits: int,
    spared: int,
    retries: int,
    memory: Allocator,
    config: RunConfig,
    undisturbed: Finished,
) -> None:
    memory.training, memory.spared = fits, spared
    outcome = run(config).outcome
    assert outcome.status == "ok"
    assert sizes(outcome) == (32, fits, 32 // fits, 128, retries)
    assert memory.initial == [memory.initial[0]] * (retries + 1)
    step = [fits] * (32 // fits)
    assert memory.rows == [*step, *step, *[min(8, fits)] * -(-8 // fits)] * 2
    assert memory.updates == 6
    assert outcome.first_losses == pytest.approx(undisturbed.outcome.first_losses, abs=1e-6)
    assert "degraded" in outcome.flags


def test_a_run_that_needed_no_retry_says_its_sizes(undisturbed: Finished) -> None:
    assert sizes(undisturbed.outcome) == (32, 32, 1, 128, 0)
    assert undisturbed.outcome.status == "ok"
    assert "degraded" not in undisturbed.outcome.flags


def test_after_three_retries_it_is_oom_and_the_next_case_is_unharmed(
    memory: Allocator, config: RunConfig, undisturbed: Finished
) -> None:
    gc.collect()
    before = live_tensors()
    memory.training, memory.spared = 3, 1
    doomed = dataclasses.replace(config, case=dataclasses.replace(CASE, target="cpu-bf16"))
    outcome = run(doomed).outcome
    assert live_tensors() == before
    assert [network() for network in memory.networks] == [None] * 4
    assert (outcome.status, outcome.score, sizes(outcome)) == ("oom", None, (32, 4, 8, 128, 3))
    assert outcome.reason == (
        f"OutOfMemoryError: {FULL[:-1]}; tried with 32, then 16, then 8, then 4 rows at a time. "
        "Fix: a smaller model, or another target, or a recipe whose max_length is below 48"
    )
    memory.training = 1000
    assert same_bits(run(config), undisturbed)


def test_evaluation_goes_on_in_smaller_batches(
    memory: Allocator, config: RunConfig, undisturbed: Finished
) -> None:
    memory.evaluation = 10
    done = run(config)
    assert done.outcome.status == "ok"
    assert sizes(done.outcome) == (32, 32, 1, 8, 0)
    assert (len(memory.refused), memory.held) == (4, 0)
    assert len(memory.networks) == 1
    assert done.outcome.first_losses == undisturbed.outcome.first_losses
    assert done.predictions
    assert undisturbed.predictions
    expected = torch.tensor(undisturbed.predictions["logits"])
    assert torch.allclose(torch.tensor(done.predictions["logits"]), expected, atol=1e-6)
    assert "degraded" in done.outcome.flags


def test_rows_that_cannot_be_evaluated_one_by_one_are_oom(
    memory: Allocator, config: RunConfig
) -> None:
    memory.evaluation = 0
    recipe = dataclasses.replace(config.recipe, eval_batch_size=2)
    outcome = run(dataclasses.replace(config, recipe=recipe)).outcome
    assert (outcome.status, sizes(outcome)) == ("oom", (32, 32, 1, 1, 0))
    assert len(memory.networks) == 1
    assert "; not even one row at a time could be evaluated. Fix: " in (outcome.reason or "")


def test_a_model_that_cannot_be_loaded_is_oom_at_once(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Any] = []

    def load(*args: Any, **kwargs: Any) -> None:
        loads.append(args)
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr("harness.modeling.pretrained.load", load)
    outcome = run(dataclasses.replace(config, jobs=2)).outcome
    assert (outcome.status, outcome.batching, len(loads)) == ("oom", None, 1)
    assert "nothing to halve. Fix: fewer --glue-jobs, or a smaller model" in (outcome.reason or "")


def test_other_failures_are_not_tried_again(memory: Allocator, config: RunConfig) -> None:
    recipe = dataclasses.replace(config.recipe, learning_rate=1e30)
    outcome = run(dataclasses.replace(config, recipe=recipe)).outcome
    assert (outcome.status, sizes(outcome)) == ("diverged", (32, 32, 1, 128, 0))
    assert len(memory.networks) == 1


@pytest.mark.parametrize(
    ("batch", "accumulation", "tried"),
    [
        (32, 1, [(32, 1), (16, 2), (8, 4), (4, 8)]),
        (32, 4, [(8, 4), (4, 8), (2, 16), (1, 32)]),
        (32, 16, [(2, 16), (1, 32)]),
        (10, 1, [(10, 1), (5, 2), (3, 4), (2, 5)]),
        (1, 1, [(1, 1)]),
    ],
)
def test_what_is_tried(
    batch: int, accumulation: int, tried: list[tuple[int, int]], config: RunConfig
) -> None:
    found: list[tuple[int, ...]] = []

    def full(smaller: RunConfig) -> Finished:
        record = oom_retry.BatchSizes(smaller.recipe, smaller.oom_retries, "training").record(
            ran_out=True
        )
        outcome = Outcome(status="oom", reason="full", batching=record)
        found.append(sizes(outcome)[1:3])
        return Finished(outcome, None, log="said\n")

    recipe = dataclasses.replace(config.recipe, batch_size=batch, accumulation=accumulation)
    done = until_it_fits(dataclasses.replace(config, recipe=recipe), full)
    assert found == tried
    assert done.log == "said\n" * len(tried)
    assert re.findall(r"\d+(?=,| rows)", done.outcome.reason or "") == [str(m) for m, _ in tried]


def test_the_record_is_of_the_cell_that_was_asked_for(memory: Allocator, tmp_path: Path) -> None:
    def record() -> Any:
        return harness.run(
            "rte", max_train=32, max_eval=32, epochs=1, results=tmp_path, engine="inline"
        )

    undisturbed = record()
    memory.training = 16
    degraded = record()
    assert (undisturbed.batching.oom_retries, degraded.batching.oom_retries) == (0, 1)
    assert "degraded" in degraded.flags
    assert degraded.cell_key == undisturbed.cell_key
    assert degraded.recipe == undisturbed.recipe


def short_of_memory(sender: Any, *configs: str) -> None:
    """In a child: run both, then leave 40 MB more than is in use and run both again."""
    import resource

    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # threads' stacks would need a varying part of it
    m_mmap_threshold = -3
    ctypes.CDLL(None).mallopt(m_mmap_threshold, 1 << 16)  # so that what is freed can be used again
    small, large = map(from_json, configs)
    done = [run(large), run(small)]
    size = environment.memory_bytes("VmSize") or 0
    resource.setrlimit(resource.RLIMIT_AS, (size + (40 << 20), resource.RLIM_INFINITY))
    sender.send([*done, run(large), run(small)])


def test_what_torch_raises_where_memory_lacks_is_oom() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.int8)
    assert failures.outcome_of(caught.value).status == "oom"


@pytest.mark.slow  # the quick tests have an allocator that refuses, and torch's own error above
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's malloc and Linux")
def test_a_real_lack_of_memory(config: RunConfig, tmp_path: Path) -> None:
    wide = tiny_models.classifier(
        tmp_path, "bert", ["no"] * 2, intermediate_size=4096, **NO_DROPOUT
    )
    small = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, epochs=1))
    large = dataclasses.replace(
        config_of(wide), recipe=dataclasses.replace(small.recipe, batch_size=72)
    )
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=short_of_memory, args=(sender, to_json(small), to_json(large)))
    child.start()
    sender.close()
    with receiver:
        roomy, before, tight, after = receiver.recv()
    child.join()
    child.close()
    assert "degraded" not in roomy.outcome.flags
    assert tight.outcome.status in ("ok", "oom")
    assert sizes(tight.outcome)[-1] > 0
    if tight.outcome.status == "ok":
        assert "degraded" in tight.outcome.flags
        assert tight.outcome.first_losses == pytest.approx(roomy.outcome.first_losses, abs=1e-6)
    assert same_bits(after, before)
