"""Tokens that are kept in files: read only where each of them would be computed again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, normalizers

from harness.catalog import models
from harness.modeling import pretrained, token_cache, tokenization
from harness.modeling.tokenization import Encoded
from harness.system import environment
from tests.support.locations import ROOT

TOY = models.directory(models.MODELS["toy-bert"])
ROWS = [(f"the film number {row} is good" + " indeed" * row, "it is bad") for row in range(7)]
LIMITS = {"max_length": 12, "extra_padding": 0, "fixed": False}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which keeps splits of four rows and more."""
    made_when_needed = tmp_path / "caches"
    monkeypatch.setenv(token_cache.VARIABLE, str(made_when_needed))
    monkeypatch.setattr(token_cache, "LEAST_ROWS", 4)
    monkeypatch.setattr(token_cache, "PART", 3)
    return made_when_needed / "tokens"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each call that tokenizes."""
    calls: list[int] = []
    original = tokenization.encode

    def encode(tokenizer: Any, texts: Any, *arguments: Any, **named: Any) -> Encoded:
        calls.append(len(texts))
        return original(tokenizer, texts, *arguments, **named)

    monkeypatch.setattr(tokenization, "encode", encode)
    return calls


def tokenizer() -> Any:
    return pretrained.read_tokenizer(TOY)


def plain(encoded: Encoded) -> dict[str, object]:
    """All that is in it, as values that can be compared."""
    assert {array.dtype for array in (encoded.starts, *encoded.columns.values())} == {
        np.dtype(np.int64)
    }
    columns = {name: array.tolist() for name, array in encoded.columns.items()}
    return vars(encoded) | {"starts": encoded.starts.tolist(), "columns": columns}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("extra", "fixed"), [(0, False), (2, True)])
@pytest.mark.parametrize("sides", [1, 2])
def test_the_second_time_the_same_tokens_are_read(
    computed: list[int], side: str, extra: int, fixed: bool, sides: int
) -> None:
    words, rows = tokenizer(), [row[:sides] for row in ROWS]
    words.padding_side = side
    whole = plain(tokenization.encode(words, rows, 12, extra, fixed=fixed))
    assert whole["truncated"]
    del computed[:]
    for calls in ([3, 3, 1], []):
        assert plain(token_cache.encode(words, rows, 12, extra, fixed=fixed)) == whole
        assert computed == calls
        del computed[:]


def test_few_rows_are_not_kept(cache: Path, computed: list[int]) -> None:
    for _ in range(2):
        token_cache.encode(tokenizer(), ROWS[:3], 12)
    assert computed == [3, 3]
    assert not cache.exists()


def test_it_can_be_switched_off(
    cache: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    token_cache.encode(tokenizer(), ROWS, 12)
    monkeypatch.setenv(token_cache.VARIABLE, "off")
    token_cache.encode(tokenizer(), ROWS, 12)
    assert computed == [3, 3, 1] * 2
    assert [*Path.cwd().glob("off*")] == []


def test_it_is_in_the_users_folder_of_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(token_cache.VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert token_cache.folder() == tmp_path / ".cache/glue-bench/tokens"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert token_cache.folder() == tmp_path / "caches/glue-bench/tokens"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("harness.files.paths.home", lambda: None)
    assert token_cache.folder() is None


def lower_case_off(words: Any) -> None:
    words.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)


CHANGES: dict[str, Callable[[Any], object]] = {
    "a token more": lambda words: words.add_tokens(["indeed"]),
    "a special token": lambda words: setattr(words, "sep_token", AddedToken("[MASK]")),
    "padding on the left": lambda words: setattr(words, "padding_side", "left"),
    "cut on the left": lambda words: setattr(words, "truncation_side", "left"),
    "another limit of its own": lambda words: setattr(words, "model_max_length", 10),
    "other columns": lambda words: setattr(words, "model_input_names", ["input_ids"]),
    "special tokens are split": lambda words: setattr(words, "split_special_tokens", True),
    "the backend splits them": lambda words: setattr(
        words.backend_tokenizer, "encode_special_tokens", True
    ),
    "capitals count": lower_case_off,
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_state_of_the_tokenizer_is_another_key(change: str) -> None:
    words = tokenizer()
    before = token_cache.key_of(words, ROWS, LIMITS)
    CHANGES[change](words)
    assert token_cache.key_of(words, ROWS, LIMITS) not in (before, None)


def test_other_rows_and_limits_are_other_keys() -> None:
    words, one, two = tokenizer(), ROWS[0], ROWS[1]
    splits = [
        [one, two],
        [two, one],
        [one],
        [one, two, two],
        [("a", "b")],
        [("a b",)],
        [("", "ab")],
    ]
    keys = [token_cache.key_of(words, rows, LIMITS) for rows in splits]
    for name, value in (("max_length", 13), ("extra_padding", 1), ("fixed", True)):
        keys.append(token_cache.key_of(words, splits[0], LIMITS | {name: value}))
    assert None not in keys
    assert len({*keys}) == len(keys)


def test_other_versions_are_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    words, keys = tokenizer(), []
    for changed in ("", "transformers", "tokenizers"):
        with monkeypatch.context() as patch:
            patch.setattr(environment, "version", lambda name, c=changed: f"{name == c}")
            keys.append(token_cache.key_of(words, ROWS, LIMITS))
    monkeypatch.setattr(environment, "sources_sha256", lambda: "of other code")
    keys.append(token_cache.key_of(words, ROWS, LIMITS))
    monkeypatch.setattr(token_cache, "FORMAT", 0)
    keys.append(token_cache.key_of(words, ROWS, LIMITS))
    assert len({*keys}) == 5


def test_what_a_tokenizer_did_before_does_not_matter() -> None:
    words = tokenizer()
    before = token_cache.key_of(words, ROWS, LIMITS)
    words(["a b c"] * 2, truncation=True, max_length=3, padding=True)
    words("long " * 2000)  # it warns once
    assert token_cache.key_of(words, ROWS, LIMITS) == before


class Unknown:
    """A tokenizer of somebody's own."""

    backend_tokenizer = property(lambda self: tokenizer().backend_tokenizer)


def test_a_tokenizer_whose_state_cannot_be_told_has_no_key() -> None:
    words = tokenizer()
    words.hook = print
    assert token_cache.key_of(words, ROWS, LIMITS) is None
    assert token_cache.key_of(Unknown(), ROWS, LIMITS) is None
    assert token_cache.key_of(object(), ROWS, LIMITS) is None


def spoil(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "short": lambda raw: raw[:20],
    "cut": lambda raw: raw[:-1],
    "longer": lambda raw: raw + b"x",
    "a bit of the checksum": lambda raw: spoil(raw, 3),
    "a bit of the settings": lambda raw: spoil(raw, 60),
    "a bit of the last token": lambda raw: spoil(raw, len(raw) - 1),
    "another program's": lambda raw: b"PK\x03\x04" + bytes(4000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_again(cache: Path, computed: list[int], damage: str) -> None:
    whole = plain(token_cache.encode(tokenizer(), ROWS, 12))
    (file,) = cache.iterdir()
    good = file.read_bytes()
    file.write_bytes(DAMAGES[damage](good))
    assert plain(token_cache.encode(tokenizer(), ROWS, 12)) == whole
    assert computed == [3, 3, 1] * 2
    assert file.read_bytes() == good


def test_a_file_under_anothers_name_is_not_taken(cache: Path, computed: list[int]) -> None:
    token_cache.encode(tokenizer(), ROWS, 12)
    (file,) = cache.iterdir()
    key = token_cache.key_of(tokenizer(), ROWS, LIMITS | {"max_length": 9})
    file.rename(cache / f"{key}{token_cache.SUFFIX}")
    encoded = token_cache.encode(tokenizer(), ROWS, 9)
    assert encoded.lengths.max() == 9
    assert computed == [3, 3, 1] * 2


@pytest.mark.parametrize("obstacle", ["a file", "read-only", "a folder in the file's place"])
def test_a_folder_that_cannot_be_used_is_no_failure(
    cache: Path, computed: list[int], obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle == "a file":
        cache.parent.write_text("in the way")
    elif obstacle == "read-only":  # as it is for any user but root
        denied = PermissionError(13, "Permission denied")
        monkeypatch.setattr(token_cache, "make_folders", lambda disk, folder: raised(denied))
    else:
        key = token_cache.key_of(tokenizer(), ROWS, LIMITS)
        (cache / f"{key}{token_cache.SUFFIX}").mkdir(parents=True)
    for _ in range(2):
        assert len(token_cache.encode(tokenizer(), ROWS, 12)) == len(ROWS)
    assert computed == [3, 3, 1] * 2


def raised(error: Exception) -> None:
    raise error


def test_the_folder_stays_below_its_largest_size(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for place, length in enumerate((10, 11, 12)):
        token_cache.encode(tokenizer(), ROWS, length)
        key = token_cache.key_of(tokenizer(), ROWS, LIMITS | {"max_length": length})
        os.utime(cache / f"{key}{token_cache.SUFFIX}", (now, now - 300 + 60 * place))
    for name, age in ((".old.tmp", 2 * token_cache.ABANDONED_S), (".new.tmp", 0)):
        (cache / name).touch()
        os.utime(cache / name, (now, now - age))
    token_cache.encode(tokenizer(), ROWS, 10)  # the oldest is used, and so the newest
    size = sum(file.stat().st_size for file in cache.iterdir())
    monkeypatch.setattr(token_cache, "MOST_BYTES", size * 7 // 6)  # room for three files, not four
    token_cache.encode(tokenizer(), ROWS, 13)
    names = {file.name.removesuffix(token_cache.SUFFIX) for file in cache.iterdir()}
    kept = {token_cache.key_of(tokenizer(), ROWS, LIMITS | {"max_length": n}) for n in (10, 12, 13)}
    assert names == kept | {".new.tmp"}


PROCESS = """
import sys
from harness.modeling import token_cache
from tests.modeling import test_token_cache as tests
token_cache.LEAST_ROWS, token_cache.PART = 4, 3
words = tests.tokenizer()
print("ready", flush=True)
sys.stdin.readline()
for length in range(8, 13):
    token_cache.encode(words, tests.ROWS, length)
"""


def test_two_processes_at_once_write_what_a_third_reads(cache: Path, computed: list[int]) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.communicate("go\n", timeout=60)
    assert [process.returncode for process in started] == [0, 0]
    assert len([*cache.iterdir()]) == 5
    for length in range(8, 13):
        assert token_cache.encode(tokenizer(), ROWS, length).lengths.max() == length
    assert computed == []
