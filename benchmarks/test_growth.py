"""Speed and memory of training, by the number of rows and by their length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import GlueBenchError, Unavailable

if TYPE_CHECKING:
    from harness.session.suites import Suite

TITLE = "GLUE growth"
pytestmark = pytest.mark.glue_suite(tasks=("sst2",), targets=("cpu-fp32",))


def test_growth(glue_suite: Suite, glue_suite_cell: str) -> None:
    from benchmarks.growth import growth

    case = glue_suite.cases(glue_suite_cell)[0]
    try:
        glue_suite.show(TITLE, growth.text(growth.measure(case, glue_suite.say)))
    except Unavailable as error:
        pytest.skip(str(error))
    except GlueBenchError as error:
        pytest.fail(str(error), pytrace=False)
