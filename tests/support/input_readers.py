"""Places where bad inputs are put, and for each place the functions that read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.support import dataset_cards, odd_files
from tests.support.odd_files import (
    CARD_KEYS,
    CONFIG_KEYS,
    JSON,
    TENSORS,
    TOKENIZER_KEYS,
    TRAPS,
    Make,
    odd_values,
)

Act = Callable[[Path], object]
Input = tuple[str, Make, Act]  # what it is, what puts it into a folder, what reads the folder

MODEL_JSON = (
    "config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json",
    "added_tokens.json", "glue-bench.json", "model.safetensors.index.json", "adapter_config.json",
)  # fmt: skip
MODEL_FILES = (*MODEL_JSON, "model.safetensors", "vocab.txt", "merges.txt", "chat_template.jinja")


def predict(folder: Path) -> None:
    """What `glue-bench predict` does with a folder."""
    from harness.catalog import models
    from harness.modeling import checkpoints
    from harness.modeling.library_errors import reading

    ours = (folder / checkpoints.CARD).is_file()
    whole = folder if ours else models.directory(models.get(str(folder)).model)
    tuned = checkpoints.load(whole)
    with reading(whole):
        tuned.answer("the film is good")


def plan(folder: Path) -> None:
    """What the driver does with a model before a run."""
    from harness.catalog import models
    from harness.spec import Case, DataRequest
    from tests.support.configs import resolved

    adapted = models.get(str(folder))
    resolved(Case("sst2", "m", "cpu-fp32", 42), DataRequest("toy"), adapted=adapted, threads=1)


def load(folder: Path) -> None:
    """What a worker does with a model's folder, which the driver has planned."""
    from harness.catalog import tasks
    from harness.modeling import pretrained

    plan(folder)
    pretrained.load(folder, tasks.TASKS["sst2"], 42)


def at(name: str, make: Make) -> Make:
    return lambda folder: odd_files.put(folder / name, make)


def _model(base: Path) -> None:
    from tests.support import tiny_models

    tiny_models.classifier(base, "bert", ["x", "y"])


def each(names: tuple[str, ...], makes: Mapping[str, Make], *acts: Act) -> Iterator[Input]:
    for name in names:
        for what, make in makes.items():
            for act in acts:
                yield f"{act.__name__}: {name}: {what}", at(name, make), act


def model_traps(base: Path) -> Iterator[Input]:
    _model(base)
    return each(MODEL_FILES, TRAPS, predict, plan)


def model_json(base: Path) -> Iterator[Input]:
    _model(base)
    return each(MODEL_JSON, JSON, predict, plan)


def model_values(base: Path) -> Iterator[Input]:
    _model(base)
    yield from each(("config.json",), odd_values(CONFIG_KEYS), predict)
    yield from each(("tokenizer_config.json",), odd_values(TOKENIZER_KEYS), predict)
    yield from each(("glue-bench.json",), odd_values(CARD_KEYS), predict)


def model_tensors(base: Path) -> Iterator[Input]:
    _model(base)
    return each(("model.safetensors", "model-1.safetensors"), TENSORS, predict, plan, load)


HOSTILE_CODE = b"raise SystemExit('code of a model ran')\n"
PICKLE = b"\x80\x04cposix\nsystem\n(Vtouch PICKLE-RAN\ntR."


def network(base: Path) -> Iterator[Input]:
    """Folders whose files name another repository, a URL, a file elsewhere, or code."""
    _model(base)
    named = ("evil/model", "https://127.0.0.2/x", "hf://evil/model", "file:///etc/passwd")
    code = {"AutoModelForSequenceClassification": "evil/r--m.M", "AutoConfig": "evil/r--m.C"}
    rows: dict[str, dict[str, object]] = {}
    for name in named:
        rows[f"an adapter of {name}"] = {
            "adapter_config.json": {
                "peft_type": "LORA",
                "base_model_name_or_path": name,
                "task_type": "SEQ_CLS",
            }
        }
        for key in (
            "_name_or_path",
            "name_or_path",
            "transformers_weights",
            "backbone",
            "tokenizer_class",
            "model_type",
            "gguf_file",
            "attn_implementation",
            "_attn_implementation",
            "experts_implementation",
            "base_model",
            "custom_pipelines",
        ):
            rows[f"config.json: {key} = {name}"] = {"config.json": {key: name}}
        for key in (
            "name_or_path",
            "_name_or_path",
            "tokenizer_class",
            "vocab_file",
            "tokenizer_file",
            "chat_template",
            "gguf_file",
            "processor_class",
            "vocab",
        ):
            rows[f"tokenizer_config.json: {key} = {name}"] = {"tokenizer_config.json": {key: name}}
    for key in ("auto_map", "custom_pipelines"):
        rows[f"config.json: {key}"] = {"config.json": {key: code}}
    rows["code of a new type"] = {"config.json": {"model_type": "evil", "auto_map": code}}
    rows["code here"] = {"config.json": {"model_type": "evil", "auto_map": {"AutoConfig": "m.C"}}}
    rows["a tokenizer's code"] = {
        "tokenizer_config.json": {
            "auto_map": {"AutoTokenizer": ["evil/r--t.T", None]},
            "tokenizer_class": "Evil",
        }
    }
    rows["templates with includes"] = {
        "tokenizer_config.json": {"chat_template": "{% include 'http://127.0.0.2/x' %}"}
    }
    for lost in (
        (),
        ("tokenizer.json",),
        ("model.safetensors",),
        ("config.json",),
        ("tokenizer.json", "tokenizer_config.json"),
    ):
        for card in (None, {"labels": ["x", "y"]}, {"labels": ["x", "y"], "method": "frozen"}):
            for what, files in rows.items():
                if (
                    not lost
                    or what.startswith(("an adapter of evil", "code"))
                    or "evil/model" in what
                ):
                    yield f"{what}, without {lost}, {card}", _writes(files, card, lost), predict


def _writes(files: Mapping[str, object], card: object, lost: tuple[str, ...]) -> Make:
    def make(folder: Path) -> None:
        for name, said in files.items():
            for key, value in dict(said).items():  # ty: ignore[no-matching-overload]  (of JSON)
                odd_files.changed(key, value)(folder / name)
        if card:
            (folder / "glue-bench.json").write_text(json.dumps(card))
        for name in lost:
            (folder / name).unlink()
        (folder / "m.py").write_bytes(HOSTILE_CODE)
        for name in ("pytorch_model.bin", "adapter_model.bin", "training_args.bin", "model.pkl"):
            (folder / name).write_bytes(PICKLE)

    return make


# ---- Rows, and files of settings ----------------------------------------------------------------


def glue_folder(folder: Path) -> None:
    from harness.catalog import tasks
    from harness.data import load as data
    from harness.data import row_sources
    from harness.spec import DataRequest

    request = row_sources.located(DataRequest(str(folder), predict_test=True), tasks.TASKS["rte"])
    data.fingerprint(request, tasks.TASKS["rte"])
    data.load(request, tasks.TASKS["rte"])


def own_rows(folder: Path) -> None:
    from harness.catalog import task_file
    from harness.data import load as data
    from harness.data import row_sources
    from harness.spec import DataRequest

    (task,) = task_file.read(folder / "mine.toml").values()
    request = row_sources.located(DataRequest("toy"), task)
    data.fingerprint(request, task)
    data.load(request, task)


def vectors(folder: Path) -> None:
    from harness.data import word_vectors

    word_vectors.fingerprint(folder / "vectors.txt")
    word_vectors.read(folder / "vectors.txt", ["the", "film"])


def settings(folder: Path) -> None:
    from harness.compare import thresholds
    from harness.planning import option_sources

    option_sources.merge({}, folder, folder)
    thresholds.from_pyproject(folder)


def score(folder: Path) -> None:
    from harness.catalog import tasks
    from harness.submission import scoring

    scoring.score(folder / "predictions.tsv", folder / "labels.tsv", tasks.TASKS["rte"], None)


def hub_rows(folder: Path) -> None:
    """A data set in the Hub's cache, a folder of its own; nothing may give the secret away."""
    from datasets import config
    from huggingface_hub import constants

    from harness.catalog import task_file
    from harness.data import compressed, row_sources
    from harness.data import load as data
    from harness.files import reading
    from harness.hub import snapshots
    from harness.spec import DataRequest

    compressed.ROWS = reading.Kind("a file of rows", 64 << 20)  # real ones take a while
    constants.HF_HUB_CACHE = str(folder / "hub")
    config.HF_DATASETS_CACHE = folder / "datasets"
    snapshots.find.cache_clear()
    snapshots.fetch_once.cache_clear()
    with snapshots.offline():
        (task,) = task_file.read(folder / "mine.toml").values()
        found = data.load(row_sources.located(DataRequest("toy"), task), task)
    told = str([split.texts for split in found.splits.values()])
    if dataset_cards.SECRET in told or "root:" in told:
        raise AssertionError(f"a file of this machine was read: {told}")


ROWS = "review,stars\na dull film,bad\na fine film,good\n"
BAD_TEXT: Mapping[str, Make] = {
    name: odd_files.content(raw)
    for name, raw in {
        "empty": b"", "a long line": b"x" * (2 << 20), "zeros": b"\0" * 9_000,
        "no UTF-8": b"\xff\xfe\n" * 9,
        "tabs": b"\t" * 100_000, "quotes": b'"' * 99_999, "gzip": b"\x1f\x8b\x08" + b"\0" * 50,
        "a zip": b"PK\x03\x04" + b"\0" * 50, "PAR1": b"PAR1" + b"\0" * 50 + b"PAR1",
        "deep lists": b"[" * 100_000, "deep tables": b"a = " + b"[" * 100_000,
        "deep keys": b"[" + b"a." * 100_000 + b"a]\n", "a long number": b"a = " + b"9" * 9_000,
        "HTML": b"<html>Log in to the network</html>", "many lines": b"\n" * 100_000,
        "NULs in lines": b"a,b\n\0,\0\n", "10 TB of columns": b"10000000000000 300\nthe 1 2\n",
        "deep objects": b'{"a":' * 100_000,
    }.items()
}  # fmt: skip


def _rows(base: Path, ending: str = "csv", data: str = "rows") -> None:
    (base / "rows").mkdir(parents=True)
    columns = 'text = ["review"]\nlabel = "stars"\nlabels = ["bad", "good"]\n'
    (base / "mine.toml").write_text(f'[[task]]\nname = "mine"\ndata = "{data}"\n{columns}')
    other = ROWS.replace("film", "song")
    for name, text in ((f"train.{ending}", ROWS), (f"validation.{ending}", other)):
        (base / "rows" / name).write_text(text)


def data_files(base: Path) -> Iterator[Input]:
    from harness.catalog.glue_files import FILES
    from tests.support import glue_files

    _rows(base)
    for split in ("train", "validation", "test"):
        file = FILES["rte", split]
        glue_files.put(base, file, glue_files.encode(file, [glue_files.row(file)] * 4))
    (base / "vectors.txt").write_text("the 1 2\nfilm 3 4\n")
    (base / "pyproject.toml").write_text("[tool.glue-bench]\nseeds = 2\n")
    (base / "predictions.tsv").write_text("0\n1\n")
    (base / "labels.tsv").write_text("0\n1\n")
    makes = TRAPS | BAD_TEXT
    yield from each(("RTE/train.tsv", "RTE/dev.tsv", "RTE/test.tsv"), makes, glue_folder)
    yield from each(("rows/train.csv", "rows/validation.csv", "mine.toml"), makes, own_rows)
    yield from each(("vectors.txt",), makes, vectors)
    yield from each(("pyproject.toml",), makes, settings)
    yield from each(("predictions.tsv", "labels.tsv"), makes, score)


def other_formats(base: Path) -> Iterator[Input]:
    _rows(base)
    for ending in ("tsv", "jsonl", "parquet"):
        for name, make in (TRAPS | BAD_TEXT).items():
            yield f"own_rows: train.{ending}: {name}", _in_place_of_csv(ending, make), own_rows


def _in_place_of_csv(ending: str, make: Make) -> Make:
    def put(folder: Path) -> None:
        (folder / "rows" / "train.csv").unlink()
        make(folder / "rows" / f"train.{ending}")

    return put


def data_cards(base: Path) -> Iterator[Input]:
    _rows(base, data="hub:org/reviews")
    secret = base.parent / "secret.csv"
    secret.write_text(
        f"review,stars\n{dataset_cards.SECRET} one,bad\n{dataset_cards.SECRET} two,good\n"
    )
    for name, files in dataset_cards.cards(secret):
        yield name, _places(files, secret), hub_rows


def _places(files: Mapping[str, bytes | str], secret: Path) -> Make:
    return lambda folder: dataset_cards.place(folder / "hub", files, secret)


PLACES: Mapping[str, Callable[[Path], Iterator[Input]]] = {
    "model traps": model_traps, "model json": model_json, "model values": model_values,
    "model tensors": model_tensors, "data files": data_files, "other formats": other_formats,
    "network": network,
    "data cards": data_cards,
}  # fmt: skip
