"""A project's settings: `[tool.glue-bench]` of its pyproject.toml, and its default folders."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files import paths, reading, toml
from harness.files.toml import not_toml
from harness.text.values import plain, shown, shown_path

RESULTS = Path("results") / "local"  # where records go unless it is said
BASELINES = Path("results") / "baselines"
TABLE = "glue-bench"  # [tool.glue-bench] of pyproject.toml
SUBTABLES = ("thresholds",)  # of that table, read elsewhere


def table(path: Path) -> dict[str, Any]:
    """The table `[tool.glue-bench]` of a pyproject.toml as it stands. Raises `UsageError`."""
    where = shown_path(path)
    try:
        said: Any = toml.parsed(reading.read(path, reading.SETTINGS).decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if error.errno == errno.EISDIR:
            return {}
        raise UsageError(f"{where}: cannot be read: {paths.reason(error)}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise not_toml(where, error) from None
    for key in ("tool", TABLE):
        said = said.get(key, {})
        if not isinstance(said, dict):
            raise UsageError(f"{where}: {key}: found {shown(said)}; expected a table")
        for other in said if key == "tool" else ():
            if other != TABLE and re.sub("[-_]", "", other).lower() == "gluebench":
                raise UsageError(f"{where}: found [tool.{plain(other)}]; expected [tool.{TABLE}]")
    return said
