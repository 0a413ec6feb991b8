"""Task files that are damaged, misspelt, or in places that cannot be read."""

from __future__ import annotations

import codecs
import errno
import gzip
import os
from pathlib import Path

import pytest

from harness.catalog import task_file
from harness.errors import DataError, UsageError
from tests.support import pytest_project
from tests.support.custom_task import CLASSES, TOML, loaded, put, task

cases = pytest.mark.cases
WHOLE = TOML + CLASSES


@cases
@pytest.mark.parametrize(
    "content",
    [codecs.BOM_UTF8 + WHOLE.encode(), WHOLE.replace("\n", "\r\n").encode(), WHOLE.encode()],
    ids=["byte order mark", "CRLF", "plain"],
)
def test_a_task_file_is_read(content: bytes, tmp_path: Path) -> None:
    path = put(tmp_path, {})
    path.write_bytes(content)
    assert task(path).labels == ("bad", "good")


@cases
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WHOLE.encode("utf-16"), r"UTF-16 text \(little-endian\); .*iconv -f UTF-16 -t UTF-8"),
        (codecs.BOM_UTF16_BE + WHOLE.encode("utf-16-be"), r"UTF-16 text \(big-endian\)"),
        (WHOLE.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        (WHOLE.encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        (WHOLE.encode("utf-32"), "UTF-32 text"),
        (WHOLE.encode() + b"# \x93\n", ":7: byte 0x93.*WINDOWS-1252"),
        (WHOLE.encode() + b"# \xe9\n", ":7: byte 0xe9.*LATIN1"),
        (gzip.compress(WHOLE.encode(), mtime=0), "gzip"),
        (b"", r"found no \[\[task\]\]"),
        (f"{WHOLE}x = {'1' * 5000}\n".encode(), "an integer of more than 64 bits"),
        (f"{WHOLE}x = -{'9' * 5000}\n".encode(), "an integer of more than 64 bits"),
        (f"{WHOLE}x = 0x{'f' * 5000}\n".encode(), "an integer of more than 64 bits"),
        (f"{TOML}labels = [1, {'1' * 5000}]\n".encode(), "an integer of more than 64 bits"),
        (f"{TOML}labels = [1, {'1' * 4000}]\n".encode(), "an integer of more than 64 bits"),
        (f"{TOML}labels = [1, 0x{'f' * 5000}]\n".encode(), "an integer of more than 64 bits"),
        (f"{TOML}range = [0, {2**63}]\n".encode(), "an integer of more than 64 bits"),
        (f"{TOML}range = [0, 1e{'1' * 5000}]\n".encode(), "range: found"),
        (f"{WHOLE}x = {'[' * 3000}{']' * 3000}\n".encode(), "not valid TOML"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    path = put(tmp_path, {})
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"mine\.toml.*{said}"):
        task_file.read(path)


def test_integers_of_64_bits_are_read(tmp_path: Path) -> None:
    path = put(tmp_path, {}, f"labels = [{-(2**63)}, {2**63 - 1}]\n")
    assert task(path).labels == (str(-(2**63)), str(2**63 - 1))


@cases
@pytest.mark.parametrize(
    ("old", "new"),
    [("label =", "lable"), ("labels", "lables"), ("text", "texts"), ("data", "date"),
     ("name", "nmae"), ("label =", "Label")],
)  # fmt: skip
def test_an_unknown_key_names_itself(old: str, new: str, tmp_path: Path) -> None:
    path = put(tmp_path, {})
    path.write_text(WHOLE.replace(old, new + (" =" if "=" in old else ""), 1))
    known = old.removesuffix(" =")
    with pytest.raises(UsageError, match=f"unknown key '{new}'. Did you mean '{known}'"):
        task_file.read(path)


@cases
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("~nosuchuser/rows", "cannot be a file's name: no user is called 'nosuchuser'"),
        ("", "cannot be a file's name: expected the name of a folder"),
        ("loop", "'loop', which is not a folder"),
        ("looped", "cannot be a file's name"),
        ("x" * 300, "cannot be a file's name"),
        ("a\\u0000b", "cannot be a file's name: .*NUL"),
    ],
)
def test_folders_that_cannot_be_are_one_error(data: str, said: str, tmp_path: Path) -> None:
    path = put(tmp_path, {})
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "looped").mkdir()
    (tmp_path / "looped" / "train.csv").symlink_to("train.csv")
    (tmp_path / "looped" / "dev.csv").write_text("x")
    path.write_text(WHOLE.replace('"rows"', f'"{data}"'))
    with pytest.raises(UsageError, match=said):
        task_file.read(path)


@cases
@pytest.mark.parametrize(
    ("name", "said"),
    [(".", "rows: it is a directory; expected a file of rows"), ("none", "none: no such file"),
     ("gone.csv", "gone.csv: no such file")],
)  # fmt: skip
def test_what_is_no_file_is_told_so(name: str, said: str, tmp_path: Path) -> None:
    path = put(tmp_path, {}, f'{CLASSES}splits = {{ validation = "{name}" }}\n')
    (tmp_path / "rows" / "gone.csv").symlink_to("blob")
    with pytest.raises(DataError, match=said):
        loaded(path)


@cases
def test_a_link_is_read_by_its_own_ending(tmp_path: Path) -> None:
    path = put(tmp_path, {})
    dev = tmp_path / "rows" / "validation.csv"
    dev.rename(tmp_path / "4b825dc6")  # as tools that keep large files beside a repository do
    dev.symlink_to(tmp_path / "4b825dc6")
    assert len(loaded(path).splits["validation"]) == 2


@cases
def test_a_task_file_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "file").touch()
    for name, said in (
        ("loop.toml", "replace the symbolic link"),
        ("none.toml", "No such file"),
        ("file/mine.toml", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("a\0b", "null byte"),
        (".", "a directory"),
    ):
        with pytest.raises(UsageError, match=said):
            task_file.read(tmp_path / name)


@cases
@pytest.mark.parametrize("where", ["the task file", "its rows"])
def test_a_folder_without_permission_is_one_error(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, {})
    closed = path if where == "the task file" else tmp_path / "rows"
    stat = Path.stat

    def refuse(self: Path, **more: bool) -> os.stat_result:
        if self == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return stat(self, **more)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(UsageError, match=r"Permission denied.*search permission"):
        task_file.read(path)


@cases
def test_a_path_that_is_not_utf_8_is_one_error(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(UsageError, match=r"this path is not UTF-8\. Fix: rename") as caught:
        task_file.read(put(folder, {}))
    str(caught.value).encode()


@cases
@pytest.mark.parametrize("name", ["~nosuchuser/mine.toml", "loop.toml", "none.toml"])
def test_an_option_that_names_no_file_is_a_usage_error(name: str, project: pytest.Pytester) -> None:
    (project.path / "loop.toml").symlink_to("loop.toml")
    ran = pytest_project.run(project, "--collect-only", "--glue-task-file", name)
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    assert str(ran.stderr).count("ERROR: ") == 1
    assert "Traceback" not in str(ran.stderr)
