"""What must not be stored in a text: the home folder, the names of user and machine, secrets.

Messages of libraries hold paths: as they were typed, with links followed, or escaped. `~` replaces
the home folder, `USER` the user's name, `HOST` the machine's name and `$HF_TOKEN` the value of a
variable such as HF_TOKEN. A login in a URL is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

from harness.files import paths
from harness.system import inherited
from harness.text.values import VALUE_END, VALUE_WIDTH

SHORTEST_SECRET = 6
"""Characters: shorter values, such as `1`, stand in too many texts."""
IN_A_NAME = r"\w\-~+@"
"""What goes on with the name of a file; a dot does if a letter follows it."""
NAME_ENDS = rf"(?![{IN_A_NAME}]|\.[{IN_A_NAME}]|\\[xuU][0-9a-fA-F]|%(?!2[fF])[0-9a-fA-F]{{2}})"
SLASHES = r"(?:(?:/|%2[fF]|\\/)\.?){0,40}(?:/|%2[fF]|\\/)"
"""What parts the names in a path: `/`, `//`, `/./`, and as JSON and URLs may write it.

Not more of them than anybody types, or long rows of slashes would be read again and again.
"""
SHARED_NAMES = frozenset({"root", "user", "nobody", "home", "localhost"})
"""Names of users and machines that tell nothing."""
TELLING = re.compile(r"[\d\-.]")
"""What a name has in it that is looked for anywhere, not in paths and URLs alone: `ann` and `atlas`
might be words."""


def redacted(text: str) -> str:
    """`text` without anything that identifies the user or the machine, and without secrets."""
    for name, value in _secrets():
        text = text.replace(value, f"${name}")
    text = inherited.LOGIN.sub("://", text)
    text = without_home(text)
    for name in _users():
        text = re.sub(rf"{_before(name)}{_spelt(name)}{NAME_ENDS}", "USER", text)
    for name in _machines():
        text = re.sub(rf"(?i){_before(name)}{_spelt(name)}(?![{IN_A_NAME}])", "HOST", text)
    return text


def without_home(text: str) -> str:
    """`text` with `~` for the home folder, as options understand it."""
    for pattern in _homes():
        text = pattern.sub(_tilde, text)
    return text


def _before(name: str) -> str:
    """A pattern for what precedes a name: the start of a path or URL, or anything but a letter."""
    return r"(?:(?<=[/@=~\\])|(?<![\w\-]))" if TELLING.search(name) else r"(?<=[/@=~\\])"


def _secrets() -> Iterator[tuple[str, str]]:
    """Variables with secrets, longest values first, since one value may begin with another."""
    found = [
        (name, value)
        for name, value in os.environ.items()
        if inherited.is_secret(name)
        and len(value) >= SHORTEST_SECRET
        and not value.startswith("/")  # the path of a file that holds it
    ]
    for name, value in sorted(found, key=lambda one: -len(one[1])):
        yield from ((name, one) for one in dict.fromkeys((value, quote(value, safe=""))))


def _tilde(found: re.Match[str]) -> str:
    """`~` where the home folder's path is a whole one: `/mnt/home/me` becomes `/mnt/~`."""
    before = found.string[: found.start()][-1:]
    return "/~" if found[0].startswith("/") and re.match(rf"[{IN_A_NAME}.]", before) else "~"


def _homes() -> Iterator[re.Pattern[str]]:
    """Patterns for the home folder in all its spellings; deeper folders first."""
    for folder in sorted(_home_folders(), key=len, reverse=True):
        parts = [part for part in folder.split("/") if part]
        path = "".join(SLASHES + _spelt(part) for part in parts)
        before = "" if len(parts) > 1 else rf"(?<![{IN_A_NAME}./])"  # /app is in /srv/app
        yield re.compile(f"{before}{path}{NAME_ENDS}")
        yield from _cut(folder)


def _home_folders() -> set[str]:
    """The home folder as the environment and the system give it, also with links followed.

    The root of a file system and relative paths are left out.
    """
    said = {os.environ.get("HOME") or "", _of_system("pw_dir") or ""}
    if found := paths.home():
        said.add(str(found))
    followed = {os.path.realpath(folder) for folder in said if folder.startswith("/")}
    return {folder for folder in said | followed if folder.startswith("/") and folder.strip("/.")}


def _cut(folder: str) -> Iterator[re.Pattern[str]]:
    """Patterns for a long home folder in values that `values.shown` cut in the middle."""
    head = VALUE_WIDTH - VALUE_END - 3
    if len(folder) > head:
        yield re.compile(re.escape(f"{folder[:head]}..."))
    if len(folder) > VALUE_WIDTH - VALUE_END:
        ends = "|".join(re.escape(folder[start:]) for start in range(-VALUE_END, -1))
        yield re.compile(rf"(?<=\.\.\.)(?:{ends})(?=/)|(?<=~)(?:{ends})(?=/)")


def _users() -> list[str]:
    """The user's names, except those that identify nobody."""
    said = {os.environ.get(name) or "" for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    return _telling({*said, _of_system("pw_name") or ""})


def _machines() -> list[str]:
    """The machine's names, with and without its domain. Asks no network."""
    whole = platform.node()
    return _telling({whole, whole.partition(".")[0], os.environ.get("HOSTNAME") or ""})


def _telling(names: set[str]) -> list[str]:
    kept = [name for name in names if len(name) > 1 and name not in SHARED_NAMES]
    return sorted(kept, key=lambda name: -len(name))


def _of_system(field: str) -> str | None:
    """The system's entry for this user; None where it has none, or has no list of users."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import pwd

        return getattr(pwd.getpwuid(os.geteuid()), field)
    return None


def _spelt(name: str) -> str:
    """A pattern for a name in all its spellings: plain, escaped, in a URL, in JSON, decomposed."""
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")} | {name}
    for form in tuple(forms):
        raw = os.fsencode(form)
        url, once = quote(raw, safe=""), ascii(form)[1:-1]
        forms |= {url, url.lower(), once, json.dumps(form)[1:-1], repr(raw)[2:-1]}
        forms |= {one.replace("\\", "\\\\") for one in (once, repr(raw)[2:-1])}
        forms |= {one.replace("'", r"\'") for one in (form, once)}
        forms.add(raw.decode(errors="replace"))
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})"
