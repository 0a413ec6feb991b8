"""Load a pretrained network from a folder, with a head for a task, and its tokenizer."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import tokenizers
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from harness.catalog import model_files
from harness.errors import ModelError
from harness.hub import snapshots
from harness.modeling import (
    families,
    heads,
    input_limits,
    network_size,
    stored_weights,
    token_cache,
    tokenization,
)
from harness.modeling.library_errors import reading
from harness.modeling.library_types import ModelConfig, Tokenizer, Tuner
from harness.spec import Split, Task
from harness.system import environment
from harness.text.values import shown


@dataclass(frozen=True)
class LoadedModel:
    """A network that maps token ids to logits of shape (examples, `task.outputs`)."""

    network: nn.Module
    tokenizer: Tokenizer
    new_parameters: tuple[str, ...]  # not in the checkpoint: they start from random values
    extra_padding: int = 0  # tokens of padding that every row needs
    tuner: Tuner = None  # of LoRA: its `merge_and_unload` adds the products to the weights
    unused: tuple[str, ...] = ()  # modules of the checkpoint that the network does not have
    notes: tuple[str, ...] = ()  # what a user should know about how texts are read
    # How many ids of a column the network has embeddings for; a column that is absent has no limit.
    known_ids: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def parameters(self) -> int:
        """The number of parameters, those of the head included."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def trained(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [p for p in self.network.parameters() if p.requires_grad]

    def encode(
        self, name: str, split: Split, max_length: int, *, fixed: bool = False
    ) -> tokenization.Encoded:
        """Tokenize the rows of the split called `name`; if `fixed`, all are padded to one length.

        Raises `ModelError` for a token that the network has no embedding for.
        """
        encoded = token_cache.encode(
            self.tokenizer, split.texts, max_length, self.extra_padding, fixed=fixed
        )
        input_limits.check_ids(encoded, self.tokenizer, self.known_ids, name, split.ids)
        return encoded


def load(directory: Path, task: Task, seed: int, *, scratch: bool = False) -> LoadedModel:
    """The pretrained network of `directory` with a head for `task`, in fp32.

    A head of the checkpoint is kept if its labels are the task's, with its outputs in the task's
    order. Any other head is new, and `seed` decides its initial weights. With `scratch`, `seed`
    decides all weights.

    Raises `ModelError` where a weight of the encoder other than a pooler's is missing, has another
    shape or is not stored as floating-point numbers, and where the checkpoint has more weights of
    an encoder than the network.
    """
    silence_transformers()
    with snapshots.offline():
        return _loaded(directory, task, seed, scratch=scratch)


def _loaded(directory: Path, task: Task, seed: int, *, scratch: bool) -> LoadedModel:
    config = read_config(directory)
    families.refuse_unsupported(directory, config)
    with reading(directory):
        network_size.refuse_oversized(directory, config)
    tokenizer = read_tokenizer(directory)
    order = heads.order_of(config, task)
    if order is not None and not scratch:
        heads.check_labels(directory, config)
    heads.describe(config, task)
    families.set_padding_token(directory, tokenizer)
    input_limits.set_padding_id(directory, config, tokenizer)
    torch.manual_seed(seed)
    unused: tuple[str, ...] = ()
    if scratch:
        network = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        new = tuple(name for name, _ in network.named_parameters())
    else:
        loaded = stored_weights.load_classifier(directory, config)
        network, unused = loaded.network, loaded.unused
        new = _keep_or_renew_head(loaded, config, order, seed)
    dtypes = {parameter.dtype for parameter in network.parameters()}
    if dtypes != {torch.float32}:
        raise ModelError(f"{directory}: asked for fp32 parameters, got {shown(dtypes)}")
    if task.is_regression:
        heads.keep_in_fp32(network)
    families.configure_tokenizer(tokenizer, network)
    families.patch_deberta_autocast(network)
    return LoadedModel(
        network,
        tokenizer,
        new,
        families.extra_padding(config),
        unused=unused,
        notes=notes_on(directory, tokenizer),
        known_ids=input_limits.count_known_ids(network),
    )


def _keep_or_renew_head(
    loaded: stored_weights.Loaded, config: ModelConfig, order: list[int] | None, seed: int
) -> tuple[str, ...]:
    """Keep a trained head if it has the task's labels, else renew it; returns the new parameters.

    A last layer that is stored only in part is renewed as a whole: its outputs would be in two
    different orders.
    """
    head = loaded.head
    if order is not None and set(head).isdisjoint(loaded.new):
        heads.reorder(loaded.network, head, order)
    elif set(head).isdisjoint(loaded.missing):  # it was trained on other labels
        heads.renew(loaded.network, config, head, seed)
        return tuple(sorted({*loaded.new, *head}))
    layer = head[-1].rpartition(".")[0] if head else ""
    last = {name for name in head if name.rpartition(".")[0] == layer}
    if not last.isdisjoint(loaded.new) and not last <= {*loaded.new}:
        heads.renew(loaded.network, config, last, seed)
        return tuple(sorted({*loaded.new, *last}))
    return loaded.new


def weights_sha256(network: nn.Module) -> str:
    """sha256 over the name, dtype, shape and bytes of every parameter and buffer of a network."""
    digest = hashlib.sha256()
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def silence_transformers() -> None:
    """Turn off transformers' progress bars and its report of new weights.

    `stored_weights` checks the weights and reports on them itself.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


SENTENCEPIECE = {"sentencepiece": "sentencepiece", "protobuf": "google.protobuf"}
"""The Python packages that a SentencePiece tokenizer needs -> the module to import of each."""


def read_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer of a folder. Raises `ModelError` where it cannot be read or is empty.

    For a folder without a tokenizer, transformers returns an empty one: every word is unknown.
    """
    _check_sentencepiece(directory)
    with reading(directory):
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        limit, vocabulary_size = tokenizer.model_max_length, len(tokenizer)
    if not isinstance(limit, int | float):
        raise ModelError(
            f"{directory}: tokenizer_config.json: model_max_length: found {shown(limit)}; expected "
            "a number. Fix: write it without quotes"
        )
    if vocabulary_size <= len(tokenizer.all_special_tokens):
        raise ModelError(
            f"{directory}: holds no tokenizer; expected tokenizer.json, or a vocabulary. Fix: "
            "save the tokenizer there too with `save_pretrained`, or fetch the model again with "
            "`glue-bench fetch --again MODEL`"
        )
    return tokenizer


def _check_sentencepiece(directory: Path) -> None:
    """Raise `ModelError` where a tokenizer needs packages that are missing.

    A folder with tokenizer.json needs none of them. DeBERTa-v3, for example, has only spm.model.
    """
    if (directory / "tokenizer.json").is_file() or not any(directory.glob("*.model")):
        return
    if missing := [name for name, module in SENTENCEPIECE.items() if not _is_installed(module)]:
        raise ModelError(
            f"{directory}: its tokenizer is a SentencePiece model, which needs the Python packages "
            f"{' and '.join(SENTENCEPIECE)}; not installed: {', '.join(missing)}. Fix: "
            f"{environment.install_command('sentencepiece')}"
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is not installed
        return False


def read_config(directory: Path) -> ModelConfig:
    """The configuration of a folder, set to return outputs by name and no states of inner layers.

    config.json may ask for tuples, or for states of every layer, which cost memory. Raises
    `ModelError` where it cannot be read.
    """
    model_files.refuse_pickles(directory)
    with reading(directory):
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        for part in (config, config.get_text_config()):
            part.return_dict = True
            part.output_hidden_states = part.output_attentions = False
    return config


WORD = re.compile(r"(?:##|\u2581|\u0120)?([^\W\d_]+)(?:</w>)?")
"""A word or a part of one, with the marks that vocabularies put before or after it."""
MOST_CAPITALS = 0.01  # the largest share of words with capitals in an uncased vocabulary


SAMPLE = "a small film that few will see and nobody who forgets"


def notes_on(directory: Path, tokenizer: Tokenizer) -> tuple[str, ...]:
    """What a user should know about how a tokenizer reads text, as sentences."""
    return (*_note_lower_casing(tokenizer), *_note_other_tokens(directory, tokenizer))


def _note_other_tokens(directory: Path, tokenizer: Tokenizer) -> Iterator[str]:
    """Note that a tokenizer's class splits text otherwise than the folder's tokenizer.json.

    For most classes transformers builds the tokenizer from the vocabulary alone, and ignores the
    other parts of tokenizer.json.
    """
    path = directory / "tokenizer.json"
    if not path.is_file() or not tokenizer.is_fast:
        return
    as_stored = tokenizers.Tokenizer.from_file(str(path))
    as_stored.no_truncation()
    as_stored.no_padding()
    expected = as_stored.encode(SAMPLE, add_special_tokens=False).tokens
    actual = tokenizer.tokenize(SAMPLE)
    if 2 * len({*expected} & {*actual}) < len({*expected}):
        yield (
            f"text is read by {type(tokenizer).__name__}, which splits {shown(SAMPLE)} into the "
            f"tokens {shown(' '.join(actual[:5]))} and so on; tokenizer.json splits it into "
            f"{shown(' '.join(expected[:5]))}. If the network was trained with those, put "
            '`"tokenizer_class": "PreTrainedTokenizerFast"` into tokenizer_config.json'
        )


def _note_lower_casing(tokenizer: Tokenizer) -> Iterator[str]:
    """Note that a tokenizer lower-cases text although its vocabulary is cased.

    transformers lower-cases for BERT and similar families unless tokenizer_config.json forbids it.
    """
    words = [match[1] for entry in tokenizer.get_vocab() if (match := WORD.fullmatch(entry))]
    cased = [word for word in words if word != word.lower()]
    if len(cased) <= MOST_CAPITALS * len(words):
        return
    tokens = {token for word in cased[:20] for token in tokenizer.tokenize(word)}
    if any(token != token.lower() for token in tokens.difference(tokenizer.all_special_tokens)):
        return
    # A class with this setting makes its own normalizer and ignores that of tokenizer.json.
    has_setting = "do_lower_case" in inspect.signature(type(tokenizer).__init__).parameters
    remedy = (
        'put `"do_lower_case": false` into tokenizer_config.json'
        if has_setting
        else "set `lowercase` of the normalizer to false in tokenizer.json"
    )
    yield (
        f"text is lower-cased, and {100 * len(cased) / len(words):.0f}% of the words in the "
        "tokenizer's vocabulary have capitals, so they never occur. If the model is cased, "
        f"{remedy}"
    )
