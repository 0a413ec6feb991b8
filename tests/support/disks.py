"""Replacements of `Disk`: one records calls, one fails, one never waits for the disk."""

from __future__ import annotations

import errno
import functools
import itertools
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.files.disk import Disk

CALLS = (
    "make_folder", "create", "write", "flush", "close", "link", "rename", "remove", "flush_folder",
)  # fmt: skip
MOST_STATES = 400
"""Of one point; where there are more, every state in which one or two things differ from "all of it
arrived" or "none of it did", and others drawn with a fixed seed."""


class Unflushed(Disk):
    """Quick, for making many files: nothing waits for the disk."""

    def flush(self, descriptor: int) -> None:
        pass

    def flush_folder(self, folder: Path) -> None:
        pass


class Failing(Disk):
    """Another disk that does not do its n-th call, counted from 1; nor any after it, `for_good`.

    The call raises `error`, a write after it took half of its bytes. None counts only writes, and
    one takes half without an error, as on a full disk.
    """

    def __init__(
        self, at: int, error: int | None, for_good: bool = False, disk: Disk | None = None
    ) -> None:
        self.at, self.error, self.for_good = at, error, for_good
        self.disk = disk or Unflushed()
        self.calls = self.failed = 0

    def call(self, name: str, *given: Any) -> Any:
        done = getattr(self.disk, name)
        if self.error is None and name != "write":
            return done(*given)
        self.calls += 1
        if self.calls != self.at and not (self.for_good and self.calls > self.at):
            return done(*given)
        self.failed += 1
        if name == "write":
            descriptor, content = given
            taken = done(descriptor, content[: len(content) // 2])
            if self.error is None:
                return taken
        if name == "close":
            done(*given)  # Linux closes, whatever it returns
        raise OSError(self.error, os.strerror(self.error))


for _name in CALLS:
    setattr(Failing, _name, functools.partialmethod(Failing.call, _name))


class Limited(Unflushed):
    """A file takes this many bytes, and the system then acts as on a full disk."""

    def __init__(self, size: int) -> None:
        self.size = size

    def write(self, descriptor: int, content: bytes) -> int:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, before[1]))
        try:
            return super().write(descriptor, content)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@dataclass(eq=False)
class File:
    """The bytes of a file that are on disk, and the writes that may be."""

    flushed: bytes = b""
    pending: list[bytes] = field(default_factory=list)

    def possible(self) -> list[bytes]:
        """What may be found in it; the last is all of it."""
        if not self.pending:
            return [self.flushed]
        whole = b"".join(self.pending)
        ends = itertools.accumulate(map(len, self.pending), initial=0)
        cuts = sorted({0, 1, len(whole) // 2, len(whole) - 1, *ends} & {*range(len(whole))})
        lengths_only = self.flushed + bytes(len(whole))  # the blocks were not written
        return [
            *(self.flushed + whole[:cut] for cut in cuts), lengths_only, self.flushed + whole
        ]  # fmt: skip


@dataclass(eq=False)
class Folder:
    """The names of a folder that are on disk, and all that each of the others may stand for."""

    flushed: dict[str, File | Folder] = field(default_factory=dict)
    pending: dict[str, list[File | Folder | None]] = field(default_factory=dict)

    def set(self, name: str, what: File | Folder | None) -> None:
        before = self.pending.setdefault(name, [self.flushed.get(name)])
        before.append(what)

    def get(self, name: str) -> File | Folder | None:
        return self.pending[name][-1] if name in self.pending else self.flushed.get(name)

    def flush(self) -> None:
        for name, (*_, last) in self.pending.items():
            if last is None:
                self.flushed.pop(name, None)
            else:
                self.flushed[name] = last
        self.pending.clear()


Contents = dict[Path, bytes]


class Remembering(Disk):
    """Works, and knows every state the disk may be in if the power fails after any call.

    Flushed bytes and names are there. Unflushed bytes are there up to any point, or are zeros; an
    unflushed name is there or not, whatever became of others; a folder without a name takes along
    what is in it. `leave_out` names calls that then do nothing, as a careless writer's.
    """

    def __init__(self, root: Path, leave_out: tuple[str, ...] = (), links: bool = True) -> None:
        self.root, self.leave_out, self.links = root, leave_out, links
        self.top = Folder()
        self.files: dict[int, File] = {}
        self.after_call: Callable[[], None] = lambda: None
        self.before_call: Callable[[], None] = lambda: None

    def _folder(self, path: Path) -> Folder:
        place: Any = self.top
        for name in path.relative_to(self.root).parts:
            place = place.get(name)
        return place

    def make_folder(self, folder: Path) -> None:
        self.before_call()
        if not folder.exists():
            folder.mkdir()
            self._folder(folder.parent).set(folder.name, Folder())
        self.after_call()

    def create(self, path: Path) -> int:
        self.before_call()
        descriptor = super().create(path)
        self.files[descriptor] = File()
        self._folder(path.parent).set(path.name, self.files[descriptor])
        self.after_call()
        return descriptor

    def write(self, descriptor: int, content: bytes) -> int:
        self.before_call()
        taken = super().write(descriptor, content)
        self.files[descriptor].pending.append(content[:taken])
        self.after_call()
        return taken

    def flush(self, descriptor: int) -> None:
        self.before_call()
        if "flush" not in self.leave_out:
            file = self.files[descriptor]
            file.flushed, file.pending = file.possible()[-1], []
        self.after_call()

    def link(self, path: Path, name: Path) -> None:
        if not self.links:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        self.before_call()
        super().link(path, name)
        self._folder(name.parent).set(name.name, self._folder(path.parent).get(path.name))
        self.after_call()

    def rename(self, path: Path, name: Path) -> None:
        self.before_call()
        super().rename(path, name)
        self._folder(name.parent).set(name.name, self._folder(path.parent).get(path.name))
        self._folder(path.parent).set(path.name, None)
        self.after_call()

    def remove(self, path: Path) -> None:
        self.before_call()
        super().remove(path)
        self._folder(path.parent).set(path.name, None)
        self.after_call()

    def flush_folder(self, folder: Path) -> None:
        if not folder.is_relative_to(self.root):
            return
        self.before_call()
        if "flush_folder" not in self.leave_out:
            self._folder(folder).flush()
        self.after_call()

    def after_power_cut(self, state: Contents) -> Remembering:
        """This disk as it is then."""
        shutil.rmtree(self.root)
        self.root.mkdir()
        disk = Remembering(self.root, self.leave_out, self.links)
        for path, content in state.items():
            place = disk.top
            for name in path.relative_to(self.root).parts[:-1]:
                place = place.flushed.setdefault(name, Folder())
            place.flushed[path.name] = File(content)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return disk

    def states(self) -> Iterator[Contents]:
        """Each different content of the disk that a power cut may leave now."""
        seen: set[frozenset[tuple[Path, bytes]]] = set()
        for choice in choices(self._questions()):
            state: Contents = {}
            _collect(self.top, self.root, choice, state)
            key = frozenset(state.items())
            if key not in seen:
                seen.add(key)
                yield state

    def _questions(self) -> dict[object, list[Any]]:
        """All that is open: a file's bytes, and what a name of a folder stands for."""
        found: dict[object, list[Any]] = {}
        places: list[File | Folder | None] = [self.top]
        while places:
            place = places.pop()
            if isinstance(place, File) and place.pending:
                found[place] = place.possible()
            elif isinstance(place, Folder):
                for name, may_be in place.pending.items():
                    found[place, name] = may_be
                    places += may_be
                places += place.flushed.values()
        return found


def _collect(place: File | Folder | None, path: Path, choice: Any, state: Contents) -> None:
    if isinstance(place, File):
        state[path] = choice[place] if place.pending else place.flushed
    elif isinstance(place, Folder):
        for name in {*place.flushed, *place.pending}:
            one = choice[place, name] if name in place.pending else place.flushed[name]
            _collect(one, path / name, choice, state)


def choices(questions: dict[object, list[Any]]) -> Iterator[dict[object, Any]]:
    """Every way to answer; a fair part of them if there are more than `MOST_STATES`."""
    asked = list(questions)
    count = 1
    for answers in questions.values():
        count *= len(answers)
    if count <= MOST_STATES:
        for answers in itertools.product(*questions.values()):
            yield dict(zip(asked, answers, strict=True))
        return
    for base in (
        {one: questions[one][-1] for one in asked},
        {one: questions[one][0] for one in asked},
    ):
        for pair in itertools.combinations_with_replacement(asked, 2):
            for answers in itertools.product(*(questions[one] for one in pair)):
                yield base | dict(zip(pair, answers, strict=True))
    drawn = random.Random(0)
    for _ in range(MOST_STATES):
        yield {one: drawn.choice(answers) for one, answers in questions.items()}


class Left(Disk):
    """What a power cut left, to be read."""

    def __init__(self, state: Contents) -> None:
        self.state = state

    def read(self, path: Path, limit: int) -> bytes:
        if path not in self.state:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.state[path][:limit]

    def names(self, folder: Path) -> list[str]:
        return sorted({
            path.relative_to(folder).parts[0]
            for path in self.state if path.is_relative_to(folder)
        })  # fmt: skip
