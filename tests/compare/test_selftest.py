"""The self-test of a machine: labelings of equal code, what is found, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.compare import selftest
from harness.compare.selftest import CellNoise, SelfTest
from harness.errors import StorageError
from tests.support.simulated_speed import PINNED, SHARED, Noise, nothing, pairs


def processes(noise: Noise, count: int, seed: int = 1) -> list[float]:
    """Times of processes of equal code, in their order."""
    draw = np.random.default_rng(seed)
    found = pairs(draw, noise, 0.0, count // 2, nothing)
    return [time for place, (a, b) in enumerate(found) for time in ((a, b), (b, a))[place % 2]]


def made(noise: CellNoise) -> SelfTest:
    return SelfTest(boot="b", cpu="c", effect=0.05, cells={"sst2-toy-bert-cpu-fp32": noise})


def test_a_block_is_labeled_both_ways() -> None:
    blocks = [[1.0, 2.0, 3.0, 4.0]] * 2
    assert selftest._labeled(blocks, (False, True)) == (
        [(1.0, 2.0), (4.0, 3.0), (2.0, 1.0), (3.0, 4.0)],
        "abbabaab",
    )


def test_a_machine_with_little_noise_finds_small_slowdowns() -> None:
    pinned = selftest.study(processes(PINNED, 24), 0.03)
    shared = selftest.study(processes(SHARED, 24), 0.05)
    assert (pinned.processes, pinned.labelings, pinned.red) == (24, 64, 0)
    assert pinned.detectable is not None
    assert shared.detectable is not None
    assert 0.03 < pinned.detectable < 0.045
    assert 0.05 < shared.detectable < 0.11
    assert pinned.sd < shared.sd
    assert shared == selftest.study(processes(SHARED, 24), 0.05)  # nothing is left to chance


def test_more_blocks_than_can_be_flipped_in_every_way_are_sampled() -> None:
    assert selftest.study(processes(PINNED, 48), 0.03).labelings == 1024


def test_a_machine_that_finds_nothing_says_so() -> None:
    wild = [1.0, 30.0, 0.05, 9.0] * 3 + [0.01, 7.0, 90.0, 2.0] * 3
    noise = selftest.study(wild, 0.05)
    assert noise.detectable is None
    assert made(noise).lines[0].endswith("10 to 30 pairs do not find +300% four times in five")


def test_too_few_processes_are_an_error() -> None:
    with pytest.raises(ValueError, match="11 processes; expected 12 or more"):
        selftest.study([1.0] * 11, 0.05)


@pytest.mark.parametrize(("red", "alarms"), [(0, False), (1, True)])
def test_a_rule_that_is_red_too_often_has_false_alarms(red: int, alarms: bool) -> None:
    noise = CellNoise(processes=24, sd=0.02, labelings=64, red=red, detectable=0.06)
    assert made(noise).has_false_alarms is alarms
    assert f"false alarms: {red} of 64 labelings; 10 to 30 pairs find +6.0%" in made(noise).lines[0]


def test_the_newest_is_kept_for_reports(tmp_path: Path) -> None:
    assert selftest.notes(tmp_path) == []
    noise = CellNoise(processes=24, sd=0.02, labelings=64, red=0, detectable=0.06)
    older = made(noise).model_copy(update={"created": made(noise).created.replace(year=2020)})
    newer = made(noise)
    for one in (newer, older):
        selftest.save(tmp_path, one)
    assert selftest.newest(tmp_path) == newer
    (tmp_path / "selftest" / "9.json").write_text('{"effect": "x"}')
    with pytest.raises(StorageError, match=r"9\.json: key "):
        selftest.newest(tmp_path)
    assert "9.json: key " in selftest.notes(tmp_path)[0]
