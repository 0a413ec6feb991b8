"""What to raise where transformers, tokenizers or safetensors cannot read a folder."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import GlueBenchError, ModelError

PANIC = "PanicException"
"""The type of a panic in Rust code, by its name: no module exports the class."""


@contextmanager
def reading(directory: Path) -> Generator[None]:
    """Turn whatever a library raises for a folder that it cannot read into one `ModelError`."""
    try:
        yield
    except (GlueBenchError, MemoryError):
        raise
    except Exception as error:  # damaged or unusual files have raised every kind of exception
        raise unreadable(directory, error) from error
    except BaseException as error:
        if type(error).__name__ == PANIC:
            raise unreadable(directory, error) from error
        raise


def unreadable(directory: Path, error: BaseException) -> ModelError:
    """The error to raise for a folder that transformers cannot read."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if isinstance(error, ImportError):
        return ModelError(
            f"{directory}: needs a package that is not installed: {reason}. Fix: remove the key "
            "of config.json that asks for it, such as `attn_implementation`, or install the package"
        )
    return ModelError(
        f"{directory}: holds no model that transformers can read: {reason}. Fix: save it again "
        "with `save_pretrained`, or fetch it again with `glue-bench fetch --again MODEL`"
    )
