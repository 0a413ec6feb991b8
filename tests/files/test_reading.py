"""Foreign files and servers: a few of each kind; all of them are `tox -e faults`'s."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from harness.catalog import models, weights
from harness.catalog.weights import check_files
from harness.data import data_card, parquet
from harness.errors import DataError, ModelError, UsageError
from harness.files import reading
from harness.hub import snapshots
from harness.modeling import checkpoints
from harness.planning import option_sources, plan, project
from harness.planning.options import Settings
from tests.support import dataset_cards, hostile_servers, hub_server, odd_files, tiny_models


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.classifier(tmp_path_factory.mktemp("tiny") / "m", "bert", ["x", "y"])


@pytest.fixture
def folder(tmp_path: Path, whole: Path) -> Path:
    for file in whole.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("trap", [t for t in odd_files.TRAPS if "dangles" not in t])
def test_what_is_no_file_is_not_opened(tmp_path: Path, trap: str) -> None:
    odd_files.TRAPS[trap](tmp_path / "x")
    with pytest.raises(OSError):  # noqa: PT011  (each trap has its own words)
        reading.read(tmp_path / "x", reading.SETTINGS)


def test_a_file_and_a_link_to_one_are_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a")
    (tmp_path / "y").symlink_to("x")
    assert reading.read(tmp_path / "y", reading.SETTINGS) == b"a"


def test_a_file_that_is_too_large_is_refused_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    os.truncate(tmp_path / "x", reading.SETTINGS.most + 1)
    with pytest.raises(reading.Refused, match="1,048,577 bytes or more"):
        reading.read(tmp_path / "x", reading.SETTINGS)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("trap", ["a named pipe", "a link to zeros", "a sparse file of 10 TB"])
def test_a_trap_among_a_models_files_is_one_error(folder: Path, name: str, trap: str) -> None:
    odd_files.put(folder / name, odd_files.TRAPS[trap])
    for act in (weights.checked, checkpoints.load):
        with pytest.raises(ModelError, match=rf"{name}: cannot be read: it .* Fix: "):
            act(folder)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("a header of 10 TB", "a header of 10,000,000,000,000 bytes is announced"),
        ("10 TB of numbers", r"tensors up to byte 10,000,\d+,\d+,\d+ are announced"),
        ("deep", "its header is not JSON: RecursionError"),
    ],
)
def test_weights_that_announce_more_than_they_hold(folder: Path, file: str, words: str) -> None:
    odd_files.put(folder / "model.safetensors", odd_files.TENSORS[file])
    with pytest.raises(ModelError, match=rf"model\.safetensors: .*{words}.* Fix: "):
        weights.checked(folder)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("num_hidden_layers", 10**9, "key 'num_hidden_layers': found '1000000000'; .* 1,000"),
        ("num_labels", 10**9, "key 'num_labels': .* at most 100,000"),
        ("hidden_size", 2**30, "describes a network of .* bytes in fp32"),
        ("vocab_size", 10**13, "describes a network of .* bytes in fp32"),
    ],
)
def test_a_network_that_no_machine_holds_is_known_before_it_is_made(
    folder: Path, key: str, value: int, words: str
) -> None:
    odd_files.changed(key, value)(folder / "config.json")
    with pytest.raises(ModelError, match=rf"config\.json.*{words}.* Fix: "):
        checkpoints.load(folder)


@pytest.mark.parametrize("card", [{}, {"labels": ["x", "y"]}, {"method": "frozen"}])
def test_an_adapter_beside_a_model_is_refused_whatever_the_card_says(
    folder: Path, card: dict[str, object]
) -> None:
    (folder / "glue-bench.json").write_text(json.dumps(card))
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/model"}')
    with pytest.raises(ModelError, match="an adapter"):
        checkpoints.load(folder)
    with pytest.raises(ModelError, match="an adapter"):
        check_files(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [("labels", 3), ("texts", "one"), ("max_length", "x"), ("max_length", 10**30), ("task", [])],
)
def test_a_card_of_other_types(folder: Path, key: str, value: object) -> None:
    (folder / "glue-bench.json").write_text(json.dumps({key: value}))
    with pytest.raises(ModelError, match=rf"glue-bench\.json: key {key}: found .* Fix: "):
        checkpoints.load(folder)


def test_offline_is_as_it_was_afterwards_also_from_within(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    for before in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", before)
        with snapshots.offline(), snapshots.offline():
            assert constants.HF_HUB_OFFLINE
        assert before == constants.HF_HUB_OFFLINE


# ---- A data set's card --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    ["an absolute path", "a path above", "a URL", "another data set", "a chain", "a home folder"],
)
def test_a_card_that_leads_out_is_refused_with_the_key(tmp_path: Path, what: str) -> None:
    said = dataset_cards.outside(tmp_path / "secret.csv")[what]
    card = dataset_cards.configs(dataset_cards.forms(said)["path"])
    files = {"train.csv": dataset_cards.ROWS.encode(), "README.md": card.encode()}
    snapshot = hub_server.put_in_cache(tmp_path, "dataset", "org/x", files)
    words = r"org/x: README\.md: key configs\[0\]\.data_files\[0\]\.path: found .* leads out"
    with pytest.raises(DataError, match=words):
        data_card.check(snapshot, "org/x")


def test_a_link_out_of_a_snapshot_is_refused_and_one_to_a_blob_is_not(tmp_path: Path) -> None:
    snapshot = hub_server.put_in_cache(tmp_path, "dataset", "org/x", {"README.md": b"# x"})
    (snapshot.parents[1] / "blobs").mkdir()
    (snapshot.parents[1] / "blobs" / "ab").write_text("a")
    (snapshot / "train.csv").symlink_to("../../blobs/ab")
    data_card.check(snapshot, "org/x")
    (snapshot / "test.csv").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match=r"org/x: test\.csv: found '/etc/passwd'"):
        data_card.check(snapshot, "org/x")


def test_a_few_bytes_that_stand_for_many_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": ["y" * 10_000] * 5_000}), tmp_path / "x.parquet")
    raw = (tmp_path / "x.parquet").read_bytes()
    monkeypatch.setattr(parquet, "ROWS", reading.Kind("rows", 1 << 24))
    with pytest.raises(DataError, match=r"hold more than 16,777,216 bytes"):
        parquet.read(tmp_path / "x.parquet", raw, ["x"])


# ---- The Hub ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("LOOKUPS", "a login page", "was answered with 'text/html'.*a login page of the network"),
        ("LOOKUPS", "a body that drips", r"sent \d+ bytes in 0.8 s, and was given up"),
        ("LOOKUPS", "redirects without end", "redirects"),
        ("DOWNLOADS", "a name above", "has the header etag: '../../../../evil'; expected a file's"),
        ("DOWNLOADS", "a file without end", "sent more than 100 bytes"),
    ],
)
def test_a_server_that_is_no_hub_is_one_error_in_time(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, words: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(
        snapshots, "LOOKUP", {"wait_s": 0.8 if "drips" in name else 60, "least": 1_000}
    )
    snapshots._lookup.cache_clear()
    with hostile_servers.serving(getattr(hostile_servers, kind)[name]) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        found = snapshots.fetch("model", "org/x", ["*.json"])
    snapshots._lookup.cache_clear()
    assert isinstance(found, snapshots.Absent)
    assert re.search(words, found.why), found.why


# ---- Limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("seeds", "999999999"), ("seeds", "-1"), ("seeds", str(10**30)), ("seeds", "1e9"),
        ("seeds", ",".join(map(str, range(10_001)))), ("jobs", "999999"), ("epochs", "1e9"),
        ("epochs", "10001"), ("max-train", str(10**30)), ("max-eval", "0"), ("timeout", "nan"),
        ("timeout", "inf"), ("timeout", "0"), ("timeout", "-1"), ("timeout", "1e300"),
        ("recheck", "1001"), ("max-seeds", "10001"),
    ],
)  # fmt: skip
def test_a_number_beyond_its_limit(tmp_path: Path, option: str, text: str) -> None:
    said = {option.replace("-", "_"): text}
    with pytest.raises(UsageError, match=rf"--glue-{option}: found .*; expected "):
        option_sources.merge(said, tmp_path, tmp_path)


def test_more_cases_than_a_session_holds() -> None:
    seeds = tuple(range(10_000))
    with pytest.raises(UsageError, match=r"found 1\d\d,000 cases: .* at most 100,000 .* Fix: "):
        plan.make(Settings(seeds=seeds, targets=("cpu-fp32", "cpu-bf16")))
    assert (
        len(plan.make(Settings(seeds=seeds, tasks=("rte",), targets=("cpu-fp32",))).cases) == 10_000
    )


def test_a_key_of_many_parts_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[" + "a." * 100_000 + "a]\n")
    with pytest.raises(UsageError, match="line 1 has more than 1,000 dots"):
        project.table(tmp_path / "pyproject.toml")


def test_models_are_found_as_before(folder: Path) -> None:
    assert models.directory(models.get(str(folder)).model) == folder
