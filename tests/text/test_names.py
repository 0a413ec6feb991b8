"""What an unknown name, option or key is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import models, recipes, targets, tasks
from harness.compare import thresholds
from harness.errors import UsageError
from harness.planning import option_sources, options, project
from harness.text.names import guesses, unknown

CUDA = "'cuda-fp32', 'cuda-tf32', 'cuda-bf16' or 'cuda-fp16'"


@pytest.mark.parametrize(
    ("get", "name", "meant"),
    [
        (models.get, "bert-base", "'bert-base-uncased' or 'bert-base-cased'"),
        (models.get, "BERT-base", "'bert-base-uncased' or 'bert-base-cased'"),
        (models.get, "bert_base", "'bert-base-uncased' or 'bert-base-cased'"),
        (models.get, "bert-base-uncase", "'bert-base-uncased'"),
        (models.get, "roberta", "'roberta-base' or 'roberta-large'"),
        (models.get, "distilbert", "'distilbert-base-uncased'"),
        (models.get, "deberta-v3", "'deberta-v3-small', 'deberta-v3-base' or 'deberta-v3-large'"),
        (models.get, "mini-lm", "'minilm'"),
        (models.get, "bert-base+lora", "'bert-base-uncased' or 'bert-base-cased'"),
        (targets.get, "cuda", CUDA),
        (targets.get, "gpu", CUDA),
        (targets.get, "cuda:0", CUDA),
        (targets.get, "CUDA", CUDA),
        (targets.get, "gpu-fp16", "'cuda-fp16'"),
        (targets.get, "cpu", "'cpu-fp32' or 'cpu-bf16'"),
        (targets.get, "fp16", "'cuda-fp16' or 'mps-fp16'"),
        (targets.get, "bf16", "'cpu-bf16', 'cuda-bf16' or 'xpu-bf16'"),
        (targets.get, "bfloat16", "'cpu-bf16', 'cuda-bf16' or 'xpu-bf16'"),
        (targets.get, "mps", "'mps-fp32' or 'mps-fp16'"),
        (targets.get, "cpu_fp32", "'cpu-fp32'"),
        (tasks.get, "sst", "'sst2'"),
        (tasks.get, "sts", "'stsb'"),
        (recipes.get, "bert", "'bert-paper'"),
    ],
)
@pytest.mark.cases
def test_a_name_is_told_what_it_may_mean(get, name: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        get(name)
    assert f"Did you mean {meant}?" in str(caught.value)


@pytest.mark.parametrize("name", ["", "-", "xyz", "0"])
def test_a_name_like_no_other_is_told_none(name: str) -> None:
    assert guesses(name, models.MODELS) == []
    assert "Did you mean" not in unknown("model", name, models.MODELS)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--glue-task", "--glue-task: there is no such option. Did you mean --glue-tasks?"),
        ("--glue-task=cola", "Did you mean --glue-tasks?"),
        ("--glue-model", "Did you mean --glue-models?"),
        ("--glue-target", "Did you mean --glue-targets?"),
        ("--glue-seed=1", "Did you mean --glue-seeds?"),
        ("--glue_tasks=cola", "Did you mean --glue-tasks?"),
        ("--glue-max", "Did you mean --glue-max-train, --glue-max-eval or --glue-max-seeds?"),
        ("--glue-device", "Did you mean --glue-targets?"),
        ("--glue-dataset", "Did you mean --glue-data?"),
        ("--glue-output-dir", "Did you mean --glue-results?"),
        ("--glue-xyz", "`pytest --help` lists the options."),
        ("--glue", "`pytest --help` lists the options."),
        ("--glue-lr=1e-3", "hyper-parameters stand together in a recipe. Fix: --glue-recipe"),
        ("--glue-learning-rate", "--glue-learning-rate: there is no such option: hyper-parameters"),
        ("--glue-batch-size", "in a recipe"),
        ("--glue-warmup", "in a recipe"),
        ("--glue-weight_decay", "in a recipe"),
        ("--glue-max-length", "in a recipe"),
        ("--glue-dropout", "in a recipe"),
    ],
)
@pytest.mark.cases
def test_an_option_that_does_not_exist_is_told_what_is_meant(argument: str, said: str) -> None:
    (found,) = options.unknown_flags([argument])
    assert said in found


def test_other_arguments_are_not_ours() -> None:
    known = [option.flag for option in options.OPTIONS]
    assert list(options.unknown_flags([*known, "--glucose", "-k", "--tasks=x", "glue-x"])) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tool.glue-bench]\ntask = "rte"\n', "unknown key 'task'. Did you mean 'tasks'?"),
        ("[tool.glue-bench]\nlearning_rate = 1\n", "unknown key 'learning_rate': hyper-parameters"),
        ("[tool.glue-bench]\nlr = 1\n", "unknown key 'lr': hyper-parameters"),
        (
            "[tool.glue-bench]\nmax_train = 1\n",
            "'max_train'. Did you mean 'max-train'?",
        ),
        ("[tool.glue-bench.threshold]\n", "unknown key 'threshold'. Did you mean 'thresholds'?"),
        ("[tool.glue_bench]\nseeds = 1\n", "found [tool.glue_bench]; expected [tool.glue-bench]"),
        ("[glue-bench.gate]\n", "found [glue-bench]; expected [tool.glue-bench]"),
        ("[tools.glue-bench]\n", "found [tools.glue-bench]; expected [tool.glue-bench]"),
        ("[tool.glue-bench.gate]\nbaseline = ['main']\n", "found a list; expected one text in"),
        ("[tool.gluebench]\n", "found [tool.gluebench]; expected [tool.glue-bench]"),
        ("[tool.GLUE-Bench]\n", "found [tool.GLUE-Bench]; expected [tool.glue-bench]"),
    ],
)
@pytest.mark.cases
def test_an_unknown_key_names_itself(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        option_sources.options_in(project.table(path), path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.cases
def test_an_unknown_measure_of_a_threshold_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.glue-bench.thresholds]\n"rte-*" = { scoer = "1pt" }\n')
    with pytest.raises(UsageError) as caught:
        thresholds.from_pyproject(tmp_path)
    for said in ("[tool.glue-bench.thresholds] 'rte-*'", "'scoer'. Did you mean 'score'?"):
        assert said in str(caught.value)


def test_other_tools_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.glue]\nx = 1\n[tool.glue-bench]\ntasks = ["rte"]\n')
    assert option_sources.options_in(project.table(path), path) == {"tasks": "rte,"}
