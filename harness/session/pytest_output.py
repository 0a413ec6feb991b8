"""pytest's terminal and reports behind the door, in sessions that have benchmark cases."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from harness.terminal import DRAWING, Door
from harness.text.escape import harmless


def shut(config: pytest.Config) -> None:
    """Let only harmless text reach the terminal of this session from now on, and colours.

    Whatever pytest prints goes through it: ids, warnings, tracebacks, what tests printed.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    writer = getattr(reporter, "_tw", None)  # pytest has no public name for the stream behind it
    stream = getattr(writer, "_file", None)
    if writer is not None and stream is not None and not isinstance(stream, Door):
        draws = writer.hasmarkup or stream.isatty()
        writer._file = Door(stream, DRAWING if draws else None)


def let_through(config: pytest.Config, text: str) -> None:
    """Let one text of ours through as it is: that by which the session announces itself."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    door = getattr(getattr(reporter, "_tw", None), "_file", None)
    if isinstance(door, Door):
        door.let_through(text)


def clean(report: pytest.TestReport) -> None:
    """Make a case's report harmless: why it failed or was skipped, and what was printed."""
    report.sections = [(harmless(title), harmless(said)) for title, said in report.sections]
    report.longrepr = _cleaned(report.longrepr)


def _cleaned(value: Any) -> Any:
    """Every text in what pytest keeps of a failure: texts, lists and data classes of them."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_cleaned, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            object.__setattr__(value, field.name, _cleaned(getattr(value, field.name)))
    elif hasattr(value, "reprtraceback"):
        vars(value).update({name: _cleaned(part) for name, part in vars(value).items()})
    return value
