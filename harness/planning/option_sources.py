"""Where options are given: on the command line, in the environment, and in a pyproject.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.planning import option_hints
from harness.planning.option_values import engine, names, policy, subject
from harness.planning.options import FILE, OPTIONS, Option, Settings, Value, parsed
from harness.planning.project import GATE, SUBTABLES, TABLE, table
from harness.spec import Json
from harness.text.names import unknown
from harness.text.values import shown, shown_path


def merge(command_line: Mapping[str, str | None], root: Path, here: Path) -> Settings:
    """The options' values from the command line, the environment and `root`/pyproject.toml.

    `command_line` maps option keys to what was typed. A relative folder is relative to `here` if it
    was typed or comes from the environment, and to `root` if it is in the file. Raises
    `UsageError`.
    """
    content = table(root / FILE)
    from_file = options_in(content, root / FILE)
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for option in OPTIONS:
        typed = command_line.get(option.key)
        in_environment = os.environ.get(option.environment or "") or None
        in_file = f"{FILE}: [{_table_of(option, content)}] {option.name}"
        for text, where, base in (
            (typed, option.flag, here),
            (in_environment, option.environment, here),
            (from_file.get(option.name), in_file, root),
        ):
            if text is not None:
                origins[option.key] = str(where)
                values[option.key] = parsed(option, text, str(where), base)
                break
    return Settings(**values, origins=origins, project=root)


def _table_of(option: Option, content: Mapping[str, Json]) -> str:
    gate = content.get(GATE)
    is_there = isinstance(gate, dict) and option.name in gate
    return f"tool.{TABLE}.{GATE}" if is_there else f"tool.{TABLE}"


OF_THE_GATE = ("baseline", "recheck", "max-seeds", "subject", "policy", "trust-baseline")
"""Options that may also stand in a table of their own, `[tool.glue-bench.gate]`."""


def options_in(content: Mapping[str, Json], path: Path) -> dict[str, str]:
    """The options in the table of a pyproject.toml, each value as the text that one would type.

    `path` is the file's, for messages. Raises `UsageError`.
    """
    values = {key: value for key, value in content.items() if key not in SUBTABLES}
    where = f"{shown_path(path)}: [tool.glue-bench]"
    known = {option.name: option for option in OPTIONS}
    for key in values:
        if key not in known:
            if hint := option_hints.of_hyper_parameter(key):
                raise UsageError(f"{where} has an unknown key {shown(key)}: {hint}")
            raise UsageError(f"{where} has an {unknown('key', key, [*known, *SUBTABLES])}")
    typed = {key: _as_typed(known[key], value, f"{where} {key}") for key, value in values.items()}
    return typed | _of_the_gate(content.get(GATE, {}), typed, f"{shown_path(path)}: ")


def _of_the_gate(gate: Json, beside: Mapping[str, str], file: str) -> dict[str, str]:
    where = f"{file}[tool.glue-bench.{GATE}]"
    if not isinstance(gate, dict):
        raise UsageError(f"{where}: found {shown(gate)}; expected a table")
    known = {option.name: option for option in OPTIONS if option.name in OF_THE_GATE}
    for key in gate:
        if key not in known:
            raise UsageError(f"{where} has an {unknown('key', key, [*known])}")
        if key in beside:
            raise UsageError(f"{where} {key}: stands in [tool.glue-bench] too; expected it once")
    return {key: _as_typed(known[key], value, f"{where} {key}") for key, value in gate.items()}


def _as_typed(option: Option, value: Json, where: str) -> str:
    """A value of a pyproject.toml as the text that one would type. Raises `UsageError`."""
    parts = value if isinstance(value, list) else [value]
    is_text = option.parse in (str, names, engine, subject, policy)
    expected = "text in quotes" if is_text else "text, a number, or true or false"
    if isinstance(value, list) and option.parse in (str, engine, policy):
        raise UsageError(f"{where}: found a list; expected one {expected}")
    for part in parts:
        if not isinstance(part, str if is_text else str | int | float):
            raise UsageError(f"{where}: found {shown(part)}; expected {expected}")
    # The last comma distinguishes a list of one seed from a number of seeds.
    return "".join(f"{part}," for part in parts) if isinstance(value, list) else str(value)
