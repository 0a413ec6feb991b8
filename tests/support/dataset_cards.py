"""Cards of data sets, and snapshots of the Hub, that name files outside their own folder."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.support import hub_server

UNPACKED = 65 << 20  # bytes; `bad_places` sets the limit below
SECRET = "the secret of this machine"
ROWS = "review,stars\na dull film,bad\na fine film,good\n"
OTHER = "review,stars\na dull song,bad\na fine song,good\n"
Make = Callable[[Path, Path], Mapping[str, bytes | str]]  # secret file, snapshot -> the repository


def outside(secret: Path) -> dict[str, str]:
    """Ways to say a path that is not the data set's."""
    up = "../" * 30
    return {
        "an absolute path": str(secret),
        "a path above": f"{up}{str(secret)[1:]}",
        "a path below and above": f"rows/{up}{str(secret)[1:]}",
        "a pattern": f"{secret.parent}/*.csv",
        "a pattern of folders": f"{secret.parent}/**",
        "a file URL": f"file://{secret}",
        "a local URL": f"local://{secret}",
        "a URL": "https://127.0.0.2/x.csv",
        "another URL": "http://127.0.0.2:9/x.csv",
        "ftp": "ftp://127.0.0.2/x.csv",
        "another data set": "hf://datasets/evil/x/x.csv",
        "a bucket": "s3://evil/x.csv",
        "a folder in memory": "memory://x.csv",
        "a chain": f"simplecache::file://{secret}",
        "a zip elsewhere": f"zip://*.csv::{secret}",
        "a zip of the network": "zip://x.csv::https://127.0.0.2/x",
        "a tar": f"tar://x.csv::{secret}",
        "a home folder": "~/secret.csv",
        "a user's": "~root/x.csv",
        "a folder of folders": f"dir::file://{secret.parent}",
        "a link's name": "linked.csv",
        "data in the URL": "data:text/csv;base64,YQ==",
        "a reference": "reference://x",
        "back-slashes": f"..\\..\\{secret}",
        "the process": "/proc/self/environ",
        "a password file": "/etc/passwd",
        "github": "github://evil:repo@main/x.csv",
        "capitals": f"FILE://{secret}",
        "a blob": "abfs://x/y.csv",
        "ssh": "ssh://127.0.0.2/etc/passwd",
    }


def configs(said: object) -> str:
    return f"---\nconfigs: {json.dumps(said)}\n---\n# x\n"


def forms(path: str) -> dict[str, object]:
    """The places of a card that name files."""
    train = {"split": "train", "path": path}
    validation = {"split": "validation", "path": "validation.csv"}
    both = {**train, "path": ["train.csv", path]}
    return {
        "path": [{"config_name": "a", "data_files": [train, validation]}],
        "paths": [{"config_name": "a", "data_files": [both, validation]}],
        "data_files": [{"config_name": "a", "data_files": path}],
        "a list": [{"config_name": "a", "data_files": ["train.csv", path]}],
        "data_dir": [{"config_name": "a", "data_dir": path}],
        "another config": [
            {"config_name": "a", "data_files": [{**train, "path": "train.csv"}, validation]},
            {"config_name": "b", "data_files": path},
        ],
    }


def cards(secret: Path) -> Iterator[tuple[str, Mapping[str, bytes | str]]]:
    """Repositories that would have the secret read, or the network asked."""
    sound = {"train.csv": ROWS, "validation.csv": OTHER}
    for what, path in outside(secret).items():
        for form, said in forms(path).items():
            yield f"README.md: {form}: {what}", {**sound, "README.md": configs(said)}
        yaml = json.dumps({"configs": forms(path)["path"]})
        yield f".huggingface.yaml: {what}", {**sound, ".huggingface.yaml": yaml, "README.md": "# x"}
    for kind in ("image", "audio", "video", "pdf"):
        info = {
            "features": [{"name": "review", "dtype": kind}, {"name": "stars", "dtype": "string"}]
        }
        rows = f"review,stars\n{secret},bad\nhttps://127.0.0.2/x.png,good\n"
        card = f"---\ndataset_info: {json.dumps(info)}\n---\n"
        yield (
            f"a column of type {kind}",
            {"train.csv": rows, "validation.csv": OTHER, "README.md": card},
        )
    script = "raise SystemExit('a script of a data set ran')\n"
    yield (
        "a script",
        {"reviews.py": script, "x.py": script, "README.md": configs(forms("x.py")["path"])},
    )
    for key in ("builder_name", "script", "loading_script", "module"):
        infos = json.dumps({"default": {key: "evil", "download_checksums": {str(secret): {}}}})
        yield f"dataset_infos.json: {key}", {"dataset_infos.json": infos, "README.md": configs(
            forms(str(secret))["path"]
        )}  # fmt: skip
    for name in ("x.tar", "x.pkl", "x.sql", "x.h5", "x.lance", "x.xml", "x.zst", "x.7z"):
        raw = b"\x28\xb5\x2f\xfd" * 9 if name == "x.zst" else b"7z\xbc\xaf\x27\x1c" * 9
        card = configs(forms(name)["path"])
        yield f"a file {name}", {name: raw, "validation.csv": OTHER, "README.md": card}
    yield "a bomb", {**sound, "train.csv": gzip.compress(b"\0" * UNPACKED), "README.md": "# x"}
    archive = _zip(b"\0" * UNPACKED)
    yield "a zip bomb", {"train.zip": archive, "validation.zip": archive, "README.md": "# x"}
    deep = "---\nconfigs: " + "[" * 5_000 + "]" * 5_000 + "\n---\n"
    yield "a deep card", {**sound, "README.md": deep}
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    yield (
        "a card of aliases",
        {**sound, "README.md": f"---\na0: &a0 [x]\n{laughs}\nconfigs: *a11\n---\n"},
    )


def _zip(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", content)
    return out.getvalue()


def place(cache: Path, files: Mapping[str, bytes | str], secret: Path) -> None:
    """Put a repository into the Hub's cache, and a link to the secret beside its files."""
    made = {name: raw if isinstance(raw, bytes) else raw.encode() for name, raw in files.items()}
    snapshot = hub_server.put_in_cache(cache, "dataset", "org/reviews", made)
    if "linked.csv" in str(files.get("README.md", "")) + str(files.get(".huggingface.yaml", "")):
        (snapshot / "linked.csv").symlink_to(secret)
