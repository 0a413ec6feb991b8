"""What every test stands on: no network, and a results folder of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
REAL_GLUE = Path(os.environ.get("GLUE_BENCH_REAL_DATA") or ROOT.parent / "shared" / "glue")

settings.register_profile("tests", deadline=None)  # no test asserts a time
settings.load_profile("tests")

needs_real_glue = pytest.mark.skipif(
    not (REAL_GLUE / "SST-2").is_dir(),
    reason="real GLUE is not beside this checkout; name its folder in GLUE_BENCH_REAL_DATA",
)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Any:
    """Refuse every connection but the local ones that processes talk over."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLUE_BENCH_DATA", "GLUE_BENCH_RESULTS"):
        monkeypatch.delenv(name, raising=False)
