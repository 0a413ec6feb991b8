"""Models as rows: what each is, held against transformers, without its weights."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForPreTraining

from harness.catalog import tasks
from harness.catalog.models import MODELS, directory, is_here, label
from harness.catalog.recipes import RECIPES
from harness.catalog.weights import warm_start
from harness.hub import snapshots
from harness.spec import Case, DataRequest, Model
from harness.training import runner
from tests.support import hub_server, pytest_project, tiny_families, tiny_models
from tests.support.configs import resolved
from tests.support.locations import ROOT

NLI = [name.upper() for name in tasks.NLI]
OF_THE_HUB = [model for model in MODELS.values() if model.hub]
TOY = directory(MODELS["toy-bert"])


@pytest.mark.parametrize("model", OF_THE_HUB, ids=lambda model: model.name)
def test_it_has_the_published_number_of_parameters(model: Model) -> None:
    """To 1%. Numbers of two digits may themselves be further off: those rows have a file's size."""
    made = model.architecture
    assert made is not None, (
        f"{model.name}: harness/catalog/model_rows.py: expected an architecture"
    )
    config = AutoConfig.for_model(made.family, **made.config)
    build = {"encoder": AutoModel, "pretraining": AutoModelForPreTraining}[made.counts]
    with torch.device("meta"):
        network = build.from_config(config)
    assert made.parameters is not None, f"{model.name}: expected parameters with their source"
    assert network.num_parameters() == pytest.approx(made.parameters, rel=0.01)
    assert made.source


def test_every_family_of_a_row_is_held_by_tests() -> None:
    tested = {row.model_type for row in tiny_families.FAMILIES.values()}
    assert {model.architecture.family for model in OF_THE_HUB if model.architecture} <= tested


def test_the_docs_have_every_row() -> None:
    lines = (ROOT / "docs" / "models.md").read_text().splitlines()
    table = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    for model in OF_THE_HUB:
        made = model.architecture
        assert made is not None, (
            f"{model.name}: harness/catalog/model_rows.py: expected an architecture"
        )
        assert made.parameters is not None, f"{model.name}: expected parameters with their source"
        at = f" at `{model.revision[:7]}`" if model.revision else ""
        millions = f"{made.parameters / 1e6:.3g}, {made.source}"
        cells = [
            f"`{model.name}`", f"{model.hub}{at}", millions, model.read or "-",
            model.recipe or "by family", model.quirks,
        ]  # fmt: skip
        line = f"| {' | '.join(cells)} |"
        assert table.get(model.name) == line, f"docs/models.md: expected this line:\n{line}"


def test_one_row_is_listed_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said, _ = pytest_project.glue_bench(
        capsys, monkeypatch, "list", "models", "--model", "deberta-v3-small"
    )
    assert code == 0
    for part in ("a59be8a", "142 million", "160 GB", "extra sentencepiece", "by family"):
        assert part in said
    assert max(map(len, said.splitlines())) <= 80
    code, _, said = pytest_project.glue_bench(
        capsys, monkeypatch, "list", "models", "--model", "deberta-v3-smal"
    )
    assert code == 2
    assert "Did you mean 'deberta-v3-small'" in said


def test_names_are_ones_that_ids_can_hold() -> None:
    for name, model in MODELS.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert label(name) == name
        assert model.recipe is None or model.recipe in RECIPES
        assert model.revision is None or re.fullmatch(r"[0-9a-f]{40}", model.revision)
    ids = [model.hub for model in OF_THE_HUB]
    assert len({*ids}) == len(ids)


@pytest.mark.parametrize(
    ("files", "task"),
    [
        ({"config.json": {"model_type": "bert"}}, None),
        ({"config.json": {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}}, None),
        ({"config.json": {"finetuning_task": "mnli"}}, "mnli"),
        (
            {
                "config.json": {
                    "id2label": {"0": "CONTRADICTION", "1": "NEUTRAL", "2": "ENTAILMENT"}
                }
            },
            "mnli",
        ),
        ({"config.json": {"finetuning_task": ""}}, None),
        ({"config.json": {"architectures": ["BertForMaskedLM"]}}, None),
        ({"config.json": {"architectures": ["BertForSequenceClassification"]}}, "another"),
        ({"config.json": {}, "glue-bench.json": {"task": "rte"}}, "rte"),
        ({"config.json": {}, "glue-bench.json": {}}, None),
        ({"config.json": {}, "glue-bench.json": {"task": "rte", "method": "frozen"}}, None),
    ],
)
def test_weights_that_were_fine_tuned_before_say_so(
    files: dict[str, dict[str, object]], task: str | None, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert warm_start(tmp_path) == task


def test_a_warm_start_is_a_flag(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path, "bert", ["contradiction", "neutral", "entailment"])
    rows = DataRequest("toy", 16, 8)
    config = resolved(
        Case("rte", str(folder), "cpu-fp32", 1), rows, recipe="toy", epochs=1, threads=1
    )
    assert "warm_start" in runner.run(config)[0].flags
    fresh = resolved(
        Case("rte", f"{folder}+scratch", "cpu-fp32", 1), rows, recipe="toy", epochs=1, threads=1
    )
    assert "warm_start" not in runner.run(fresh)[0].flags


def test_a_row_may_name_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    files = hub_server.model(TOY)
    snapshot = hub_server.put_in_cache(tmp_path, "model", "org/one", files)
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)  # since then it has moved on
    snapshots.find.cache_clear()
    model = Model("one", hub="org/one", revision=hub_server.COMMIT)
    assert is_here(model)
    assert directory(model) == snapshot
    assert not is_here(replace(model, revision=None))
    snapshots.find.cache_clear()
