"""An A/B comparison on disk: what was compared, and the records of each session.

RESULTS/ab/20260102T030405-1a2b/comparison.json
RESULTS/ab/20260102T030405-1a2b/1-01-a/         a results folder: stage 1, first process, side A
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from harness.compare import speed
from harness.compare.speed_cells import Session
from harness.compare.stats import ALPHA
from harness.errors import StorageError, UsageError
from harness.files.disk import DISK, make_folders, names_in, read_file, write_file
from harness.files.outputs import cannot_write
from harness.records.schema import Json, Moment, Part
from harness.records.store import Store
from harness.text.values import shown_path

FOLDER = "ab"
FILE = "comparison.json"
MOST_BYTES = 1 << 20
SESSION = re.compile(r"([12])-(\d{2,4})-[ab]")
FIX = "Fix: name a folder that `glue-bench ab` made, or compare again"


Effect = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SideInfo(Part):
    """A side as it was named, and what was run for it."""

    label: str
    details: Json


class ComparisonInfo(Part):
    """What was compared. `effects`: measure -> the smallest relative change that counts."""

    created: Moment = Field(default_factory=lambda: datetime.now(UTC))
    a: SideInfo
    b: SideInfo
    arguments: tuple[str, ...]  # of every session
    effects: Annotated[dict[str, Effect], Field(min_length=1)]
    differing: tuple[str, ...]  # parts of a cell's name in which the sides differ on purpose
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = ALPHA  # the level of each look


def create(results: Path, info: ComparisonInfo) -> Path:
    """Make a comparison's folder, with its file. Raises `StorageError`."""
    folder = results / FOLDER / f"{info.created:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
    content = f"{info.model_dump_json(indent=1)}\n".encode()
    try:
        make_folders(DISK, folder)
        write_file(DISK, folder / FILE, content)
    except OSError as error:
        raise StorageError(cannot_write(folder, error, "--results", len(content))) from error
    return folder


def session_folder(folder: Path, stage: int, place: int, side: str) -> Path:
    """The results folder of one session; places are counted from 1."""
    return folder / f"{stage}-{place:02}-{side}"


def load(folder: Path) -> tuple[ComparisonInfo, list[Session], list[StorageError]]:
    """A stored comparison: what was compared, its sessions in their order, what is damaged or lost.

    A session whose folder is gone is lost; it keeps its place, so that the others keep their pairs.
    Raises `UsageError` if the folder holds none, `StorageError` if its file cannot be read.
    """
    if not (folder / FILE).is_file():
        raise UsageError(f"{shown_path(folder)}: found no {FILE}. {FIX}")
    try:
        info = ComparisonInfo.model_validate_json(read_file(DISK, folder / FILE, MOST_BYTES, FIX))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        raise StorageError(
            f"{shown_path(folder / FILE)}: key {where}: {error.errors()[0]['msg']}. {FIX}"
        ) from None
    sessions: list[Session] = []
    damaged: list[StorageError] = []
    for stage, last in sorted(_last_places(folder).items()):
        for place, side in enumerate(speed.order(last)[:last], 1):
            results = session_folder(folder, stage, place, side)
            if results.is_dir():
                found = Store(results).find()
                sessions.append(Session(side, found.records, stage))
                damaged += found.damaged
            else:
                sessions.append(Session(side, (), stage, is_lost=True))
                damaged.append(
                    StorageError(
                        f"{shown_path(results)}: found no folder; expected the records of a "
                        "session. It is left out. Fix: restore the folder, or compare again"
                    )
                )
    return info, sessions, damaged


def _last_places(folder: Path) -> dict[int, int]:
    """The highest place of each stage, by the names of the sessions' folders."""
    last: dict[int, int] = {}
    for name in names_in(DISK, folder, "", FIX):
        form = SESSION.fullmatch(name)
        if form and 0 < int(form[2]) <= 2 * speed.MOST_PAIRS:
            stage, place = int(form[1]), int(form[2])
            last[stage] = max(place + place % 2, last.get(stage, 0))  # both sessions of the pair
    return last
