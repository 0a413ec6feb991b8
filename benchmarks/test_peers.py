"""Our training and evaluation beside Hugging Face's Trainer: one run, one recipe, in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import GlueBenchError, Unavailable
from harness.files.outputs import make_folder

if TYPE_CHECKING:
    from harness.session.suites import Suite

TITLE = "GLUE peers, in turns"
pytestmark = pytest.mark.glue_suite(tasks=("sst2",), targets=("cpu-fp32",))


def test_peers(glue_suite: Suite, glue_suite_cell: str) -> None:
    from benchmarks.peers import comparison, tables

    try:
        make_folder(glue_suite.results / tables.FOLDER)  # before any work is done
        planned = comparison.plan_comparison(glue_suite.plan, glue_suite.cases(glue_suite_cell))
        result = comparison.run(planned, glue_suite.say)
        glue_suite.show(TITLE, tables.text(result))
        tables.store(result, glue_suite.results)
    except Unavailable as error:
        pytest.skip(str(error))
    except GlueBenchError as error:
        pytest.fail(str(error), pytrace=False)
    if faults := result.faults:
        pytest.fail("the sides did not do the same: " + "; ".join(faults), pytrace=False)
