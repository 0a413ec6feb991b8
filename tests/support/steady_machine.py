"""A machine whose speed does not change: for a process that imports this, as a fork server may.

A run looks before and after training how fast its machine is, and few tests are about that.
"""

from __future__ import annotations

from harness.training import runner

runner.calibration_seconds = lambda device: 0.01
