"""Makes pytest's terminal output and reports harmless, in sessions with benchmark cases."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from harness.terminal import DRAWING, Door
from harness.text.escape import harmless

Longrepr = Any
"""What pytest keeps of a failure: a text, a tuple, or an object of one of its private classes."""


def shut(config: pytest.Config) -> None:
    """From now on, let only harmless text and colours reach the terminal of this session.

    This holds for everything that pytest prints: ids, warnings, tracebacks, output of tests.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    writer = getattr(reporter, "_tw", None)  # pytest has no public name for the stream behind it
    stream = getattr(writer, "_file", None)
    if writer is not None and stream is not None and not isinstance(stream, Door):
        draws = writer.hasmarkup or stream.isatty()
        writer._file = Door(stream, DRAWING if draws else None)


def let_through(config: pytest.Config, text: str) -> None:
    """Let one text through unchanged: the line with which the session announces itself."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    door = getattr(getattr(reporter, "_tw", None), "_file", None)
    if isinstance(door, Door):
        door.let_through(text)


def clean(report: pytest.TestReport) -> None:
    """Make a case's report harmless: why it failed or was skipped, and what it printed."""
    report.sections = [(harmless(title), harmless(text)) for title, text in report.sections]
    report.longrepr = _clean(report.longrepr)


def _clean(value: Longrepr) -> Longrepr:
    """The value with every text in it made harmless; objects are changed in place."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_clean, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            object.__setattr__(value, field.name, _clean(getattr(value, field.name)))
    elif hasattr(value, "reprtraceback"):
        vars(value).update({name: _clean(part) for name, part in vars(value).items()})
    return value
