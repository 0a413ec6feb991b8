"""Paths of this checkout, of its golden files and of real GLUE."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
REAL_GLUE = Path(os.environ.get("GLUE_BENCH_REAL_DATA") or ROOT.parent / "shared" / "glue")

needs_real_glue = pytest.mark.skipif(
    not (REAL_GLUE / "SST-2").is_dir(),
    reason="real GLUE is not beside this checkout; name its folder in GLUE_BENCH_REAL_DATA",
)
