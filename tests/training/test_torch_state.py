"""Runs are computed under the same switches whatever these were before, and put them back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from harness.catalog import targets
from harness.errors import UsageError
from harness.training import torch_state
from harness.training.torch_state import SWITCHES, Switch
from tests.support.torch_switches import VALUES, everything_changed, restored, snapshot

FP32, TF32 = targets.get("cpu-fp32"), targets.get("cuda-tf32")


@contextlib.contextmanager
def run_of(target: Any = FP32, seed: int = 3) -> Iterator[dict[str, Any]]:
    with torch_state.of_run(target, threads=1, seed=seed):
        yield snapshot()


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    with run_of() as found:
        return found


def test_every_switch_has_a_foreign_value() -> None:
    assert set(VALUES) == {switch.name for switch in SWITCHES}
    for switch in SWITCHES:
        assert VALUES[switch.name] != switch.value


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.name)
def test_a_switch_is_set_and_put_back(switch: Switch, expected: dict[str, Any]) -> None:
    foreign = VALUES[switch.name]
    with restored():
        switch.write(foreign)
        assert switch.read() == foreign
        changed = snapshot()
        with run_of() as found:
            assert found == expected
        assert snapshot() == changed


def test_all_at_once_are_set_and_put_back(expected: dict[str, Any]) -> None:
    with everything_changed():
        with run_of() as found:
            assert found == expected
        assert {switch.name: switch.read() for switch in SWITCHES} == VALUES


def test_they_are_put_back_after_an_error() -> None:
    before = snapshot()

    def broken() -> None:
        with run_of():
            raise RuntimeError("in the run")

    with pytest.raises(RuntimeError, match="in the run"):
        broken()
    assert snapshot() == before


@pytest.mark.parametrize(
    "block",
    [
        torch.inference_mode,
        torch.no_grad,
        lambda: torch.device("meta"),
        lambda: torch.autocast("cpu", torch.bfloat16),
    ],
    ids=["inference_mode", "no_grad", "device", "autocast"],
)
def test_a_callers_block_ends_at_the_run(block: Any, expected: dict[str, Any]) -> None:
    with block():
        inside = snapshot()
        assert inside != expected
        with run_of() as found:
            assert found == expected
            assert torch.ones(1, requires_grad=True).mul(2).requires_grad
        assert snapshot() == inside


def test_weights_rounded_in_a_callers_autocast_block_are_not_kept_over_a_step() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))

    def product() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            return (torch.ones(2, 2) @ weight).sum().item()

    with torch.autocast("cpu", torch.bfloat16), run_of():
        first = product()
        weight.data += 1  # as an optimizer does
        assert product() == 2 * first


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_random_states_are_the_seeds_own_and_put_back() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    plain = draws()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with run_of(seed=2**40):
        inside = draws()
    assert draws() == plain
    with run_of(seed=2**40):
        assert draws()[:2] == inside[:2]  # torch's is seeded where it is used


def test_tf32_is_a_targets_own() -> None:
    with run_of(TF32) as found:
        assert found["float32_matmul_precision"] == "high"
    with run_of(FP32) as found:
        assert found["float32_matmul_precision"] == "highest"


def test_a_precision_set_for_one_backend_is_told_with_its_fix() -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        with pytest.raises(UsageError, match='engine="process"'), run_of():
            pass
    finally:
        torch.set_float32_matmul_precision("highest")
