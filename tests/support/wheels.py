"""The project's wheel, and environments in which it is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.locations import ROOT


def build(folder: Path) -> Path:
    """The wheel of this checkout. Skips where its builder, hatchling, is not installed."""
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    (wheel,) = builder.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(wheel)


def environment(folder: Path, wheel: Path) -> Path:
    """A new virtual environment with the wheel; returns its folder of programs.

    The packages that the wheel needs are those of the running interpreter: nothing is downloaded.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    (place,) = folder.glob("lib/python*/site-packages")
    # Its name sorts last: what is installed here comes before what the running interpreter has.
    (place / "zz_running.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
         "--no-index", "--disable-pip-version-check", wheel],
        check=True,
    )  # fmt: skip
    return python.parent
