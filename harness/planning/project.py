"""A project's settings: `[tool.glue-bench]` of its pyproject.toml, and its default folders."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from harness.errors import UsageError
from harness.files import paths, reading, toml
from harness.files.toml import not_toml
from harness.spec import Json
from harness.text.values import plain, shown, shown_path

RESULTS = Path("results") / "local"  # where records go by default
BASELINES = Path("results") / "baselines"
TABLE = "glue-bench"  # [tool.glue-bench] of pyproject.toml
GATE = "gate"  # the table inside it that holds options of the gate
SUBTABLES = (GATE, "thresholds")  # all tables inside it


def table(path: Path) -> dict[str, Json]:
    """The table `[tool.glue-bench]` of a pyproject.toml, unchecked; empty where there is none.

    Raises `UsageError` for a file that cannot be read.
    """
    where = shown_path(path)
    try:
        content: Json = toml.parsed(reading.read(path, reading.SETTINGS).decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if error.errno == errno.EISDIR:
            return {}
        raise UsageError(f"{where}: cannot be read: {paths.reason(error)}") from None
    except (ValueError, RecursionError) as error:  # ValueError: a number of 5,000 digits, too
        raise not_toml(where, error) from None
    tools = content.get("tools")
    for other, place in ((content, ""), (tools if isinstance(tools, dict) else {}, "tools.")):
        if TABLE in other:
            raise UsageError(f"{where}: found [{place}{TABLE}]; expected [tool.{TABLE}]")
    for key in ("tool", TABLE):
        content = content.get(key, {})
        if not isinstance(content, dict):
            raise UsageError(f"{where}: {key}: found {shown(content)}; expected a table")
        for other in content if key == "tool" else ():
            if other != TABLE and re.sub("[-_]", "", other).lower() == "gluebench":
                raise UsageError(f"{where}: found [tool.{plain(other)}]; expected [tool.{TABLE}]")
    return content
