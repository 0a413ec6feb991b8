"""Every file that transformers opens in a model's folder is in the key: watched, not guessed."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from pathlib import Path

import pytest
import transformers
from transformers import AutoTokenizer

from harness.catalog import model_files, tasks, weights
from harness.modeling import pretrained
from tests.support import tiny_families, tiny_models
from tests.support.opened_files import needs_inotify, opened

SST2 = tasks.get("sst2")
BESIDE = {
    "special_tokens_map.json": '{"cls_token": "[CLS]"}',
    "added_tokens.json": "{}",
    "chat_template.jinja": "x",
    "additional_chat_templates/tools.jinja": "x",
    "generation_config.json": "{}",
    "preprocessor_config.json": "{}",
    "processor_config.json": "{}",
    "README.md": "x",
    "vocab.txt": "a\n",
    "vocab.json": "{}",
    "merges.txt": "#version: 0.2\n",
    "spiece.model": "x",
    "tokenizer.model": "x",
    "modules.json": "[]",
    "training_args.bin": "x",
    "pytorch_model.bin": "x",
    "config.4.0.0.json": "{}",
    "model.safetensors.index.json": "{}",
}
"""What else may lie in a folder, read or not."""


def check_each_moves_the_key(folder: Path, seen: set[str]) -> None:
    """Each file that was opened is in the key: with another byte at its end, and without it."""
    assert seen
    before = weights.fingerprint(folder)
    assert seen <= set(before)
    for name in sorted(seen):
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        after = weights.fingerprint(folder)
        assert {n for n in before if before[n] != after[n]} == {name}
        path.write_bytes(content)
        if name != "config.json":
            path.unlink()
            assert name not in weights.fingerprint(folder)
            path.write_bytes(content)
    assert weights.fingerprint(folder) == before


@needs_inotify
@pytest.mark.cases
@pytest.mark.parametrize("name", tiny_families.FAMILIES)
def test_every_file_that_is_opened_for_a_family_is_in_the_key(
    name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[name], tmp_path / "m"))
    for beside, text in BESIDE.items():
        (folder / beside).parent.mkdir(exist_ok=True)
        (folder / beside).write_text(text)
    with opened(folder) as seen:
        pretrained.load(folder, SST2, seed=1)
    assert {"config.json", "model.safetensors", "special_tokens_map.json"} <= seen
    check_each_moves_the_key(folder, seen)


def pieces() -> bytes:
    """A SentencePiece model of the words of tiny models."""
    sentencepiece = pytest.importorskip("sentencepiece")
    drawn, made = random.Random(0), io.BytesIO()
    texts = [" ".join(drawn.choices(tiny_models.WORDS[5:], k=8)) for _ in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=made, vocab_size=40, hard_vocab_limit=False,
        minloglevel=2, pad_id=3,
    )  # fmt: skip
    return made.getvalue()


BPE = {
    name: place
    for place, name in enumerate(
        ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "<|endoftext|>", *"abcdefghij", "Ġ", "ab"]
    )
}
VOCABULARIES: dict[str, str] = {
    "vocab.txt": "\n".join(tiny_models.WORDS) + "\n",
    "vocab.json": json.dumps(BPE),
    "merges.txt": "#version: 0.2\na b\n",
    "entity_vocab.json": '{"[MASK]": 0, "[UNK]": 1, "[PAD]": 2, "[MASK2]": 3}',
}
WORD_PIECES, BYTE_PAIRS = ("vocab.txt",), ("vocab.json", "merges.txt")
OWN_TOKENIZERS: dict[str, tuple[str, ...]] = {
    "bert": WORD_PIECES,
    "distilbert": WORD_PIECES,
    "electra": WORD_PIECES,
    "mobilebert": WORD_PIECES,
    "mpnet": WORD_PIECES,
    "squeezebert": WORD_PIECES,
    "funnel": WORD_PIECES,
    "roberta": BYTE_PAIRS,
    "gpt2": BYTE_PAIRS,
    "openai-gpt": BYTE_PAIRS,
    "deberta": BYTE_PAIRS,
    "luke": (*BYTE_PAIRS, "entity_vocab.json"),
    "xlnet": ("spiece.model",),
    "big_bird": ("spiece.model",),
    "deberta-v2": ("spm.model",),
    "llama": ("tokenizer.model",),
    "xlm-roberta": ("sentencepiece.bpe.model",),
    "camembert": ("sentencepiece.bpe.model",),
    "rembert": ("sentencepiece.model",),
}
"""Families, and the vocabulary that their own tokenizers read where there is no tokenizer.json."""


@needs_inotify
@pytest.mark.parametrize("family", OWN_TOKENIZERS)
def test_every_file_that_a_familys_own_tokenizer_opens_is_in_the_key(
    family: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    for name in OWN_TOKENIZERS[family]:
        known = VOCABULARIES.get(name)
        (tmp_path / name).write_bytes(known.encode() if known else pieces())
    with opened(tmp_path) as seen:
        assert len(AutoTokenizer.from_pretrained(tmp_path)) > len(tiny_models.WORDS) - 6
    assert set(OWN_TOKENIZERS[family]) <= seen
    check_each_moves_the_key(tmp_path, seen)


def test_the_vocabulary_of_every_tokenizer_of_transformers_would_be_in_the_key(
    tmp_path: Path,
) -> None:
    names = set()
    for name in dir(transformers):
        if name.endswith("Tokenizer"):
            with contextlib.suppress(ImportError):  # of a package that this machine lacks
                found = getattr(transformers, name)
                names |= {*getattr(found, "vocab_files_names", {}).values()}
    assert len(names) > 10
    (tmp_path / "config.json").write_text("{}")
    for name in names:
        (tmp_path / name).write_text("{}")
    assert names <= set(model_files.files(tmp_path))
