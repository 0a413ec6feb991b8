"""A server that speaks the Hub's protocol, and the Hub's cache on disk."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.catalog import tasks
from harness.data import toy
from harness.spec import Split, Task

COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
GLUE = "nyu-mll/glue"

Repository = dict[str, bytes]


def parquet(task: Task, name: str, split: Split, labels: Sequence[Any] | None = None) -> bytes:
    """A split as the Hub holds it; of an unlabelled one every label is -1, unless given."""
    import datasets

    kind: Any = datasets.Value("float32")
    if task.labels:
        kind = datasets.ClassLabel(names=list(task.labels))
    columns: dict[str, Any] = {
        column: [texts[at] for texts in split.texts] for at, column in enumerate(task.text_columns)
    }
    columns["label"] = labels or split.labels or [-1] * len(split)
    columns["idx"] = [3 * row + 1 for row in split.ids]  # with gaps, as MRPC's
    features = datasets.Features(
        {column: datasets.Value("string") for column in task.text_columns}
        | {"label": kind, "idx": datasets.Value("int32")}
    )
    out = io.BytesIO()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(out)
    return out.getvalue()


def glue(*names: str) -> Repository:
    """`nyu-mll/glue` with toy rows in these tasks; MRPC's test labels are real ones, as there."""
    files: Repository = {}
    card, info = ["---", "configs:"], ["dataset_info:"]
    for name in names:
        task = tasks.TASKS[name]
        card += [f"- config_name: {name}", "  data_files:"]
        info += [f"- config_name: {name}", "  splits:"]
        for split_name, split in toy.generate(name).items():
            if split_name not in task.rows:
                continue
            path = f"{name}/{split_name}-00000-of-00001.parquet"
            leaked = (
                [row % 2 for row in split.ids] if (name, split_name) == ("mrpc", "test") else None
            )
            files[path] = parquet(task, split_name, split, leaked)
            card += [f"  - split: {split_name}", f"    path: {name}/{split_name}-*"]
            info += [f"  - name: {split_name}", f"    num_examples: {len(split)}"]
            info += [f"    num_bytes: {len(files[path])}"]
    files["README.md"] = "\n".join([*card, *info, "---", "# stand-in", ""]).encode()
    return files


def model(directory: Path) -> Repository:
    """A model's folder as a repository, with files beside it that nobody wants."""
    files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    files["model.safetensors.index.json"] = b"{}"  # of weights in several files
    return files | {"pytorch_model.bin": b"a pickle", "tf_model.h5": b"x", "README.md": b"# model"}


def put_in_cache(cache: Path, kind: str, name: str, files: Repository) -> Path:
    """The repository as the Hub's client leaves it in its cache."""
    home = cache / f"{kind}s--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(COMMIT)
    snapshot = home / "snapshots" / COMMIT
    for path, content in files.items():
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).write_bytes(content)
    return snapshot


@contextmanager
def serving(repositories: Mapping[tuple[str, str], Repository]) -> Iterator[tuple[str, list[str]]]:
    """A server of (kind, name) -> files; yields its address and the requests it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def answer(self, body: bytes, *, code: int = 200, **headers: str) -> None:
            self.send_response(code)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            path = self.path.split("?")[0]
            for (kind, name), files in repositories.items():
                if path.startswith(f"/api/{kind}s/{name}"):
                    return self.api(path.removeprefix(f"/api/{kind}s/{name}"), name, files)
                found = re.fullmatch(
                    rf"/{'datasets/' if kind == 'dataset' else ''}{name}/resolve/\w+/(.+)", path
                )
                if found and found[1] in files:
                    body = files[found[1]]
                    etag = f'"{hashlib.sha256(body).hexdigest()}"'
                    return self.answer(body, ETag=etag, X_Repo_Commit=COMMIT)
            return self.answer(b"{}", code=404, X_Error_Code="RepoNotFound")

        def api(self, rest: str, name: str, files: Repository) -> None:
            if rest.startswith("/tree/"):
                listed = [
                    {
                        "type": "file", "path": path, "size": len(body),
                        "oid": hashlib.sha1(body).hexdigest(),
                    }
                    for path, body in files.items()
                ]  # fmt: skip
                return self.answer(json.dumps(listed).encode(), Content_Type="application/json")
            siblings = [{"rfilename": path} for path in files]
            info = {"id": name, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
            return self.answer(json.dumps(info).encode(), Content_Type="application/json")

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
