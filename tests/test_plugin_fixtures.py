"""Tests of one's own with the plugin's fixtures: which case they run, and what is timed."""

from __future__ import annotations

import json

import pytest

from tests.support.engines import FakeEngine
from tests.support.pytest_project import ARGS


def test_a_test_of_ones_own_has_times_in_its_own_group(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    project.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.benchmark(group="mine")
        def test_mine(glue_run, glue_show_times, glue_case):
            glue_show_times(glue_run(glue_case))
        """
    )
    only = ("test_mine.py", "-k", "sst2 and fp32", "-W", "error", *ARGS)
    found = project.runpytest_inprocess(*only, "--benchmark-json=out.json")
    found.assert_outcomes(passed=1, deselected=17)
    (case,) = json.loads((project.path / "out.json").read_text())["benchmarks"]
    assert (case["group"], case["stats"]["data"]) == ("mine", [1.0, 2.0])
    kept = project.runpytest_inprocess(*only, "--glue-resume")
    kept.assert_outcomes(passed=1, deselected=17, warnings=0)


def test_a_test_may_name_its_case_itself(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    project.makepyfile(
        test_mine="""
        from harness.spec import Case

        def test_mine(glue_run, glue_show_times):
            glue_show_times(glue_run(Case("sst2", "toy-bert", "cpu-fp32", 7)))
        """
    )
    found = project.runpytest_inprocess("test_mine.py", *ARGS, "--benchmark-json=out.json")
    found.assert_outcomes(passed=1)
    (case,) = json.loads((project.path / "out.json").read_text())["benchmarks"]
    assert case["stats"]["data"] == [1.0, 2.0]
