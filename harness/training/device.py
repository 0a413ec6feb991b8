"""Everything that differs between devices, but for memory: arithmetic, synchronizing, clocks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from harness.errors import TargetUnavailable
from harness.modeling.tokenization import Batch
from harness.spec import Target
from harness.training import bf16

aten = torch.ops.aten


def _nothing() -> None:
    """What a device does that has nothing to do."""


@dataclass(frozen=True)
class Backend:
    """A kind of device: what torch offers for it."""

    is_available: Callable[[], bool]
    synchronize: Callable[[], None]  # returns once the device has finished its work
    empty_cache: Callable[[], None] = _nothing
    peak_memory_bytes: Callable[[], int] | None = None  # None: it has no memory of its own


BACKENDS = {
    "cpu": Backend(lambda: True, synchronize=_nothing),
    "cuda": Backend(
        torch.cuda.is_available,
        torch.cuda.synchronize,
        torch.cuda.empty_cache,
        torch.cuda.max_memory_allocated,
    ),
    "mps": Backend(torch.backends.mps.is_available, torch.mps.synchronize, torch.mps.empty_cache),
    "xpu": Backend(
        torch.xpu.is_available,
        torch.xpu.synchronize,
        torch.xpu.empty_cache,
        torch.xpu.max_memory_allocated,
    ),
}
"""The kinds of devices, by their names in torch."""


class Device:
    """The device of a target. Raises `TargetUnavailable` where this machine has none."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.backend = BACKENDS[target.device]
        if not self.backend.is_available():
            raise TargetUnavailable(
                f"target {target.name}: torch {torch.__version__} finds no {target.device} device "
                "on this machine. See `glue-bench doctor`"
            )
        self.torch = torch.device(target.device)
        self.dtype = getattr(torch, target.autocast) if target.autocast else None

    def autocast(self) -> AbstractContextManager[object]:
        """A block whose forward pass is in the target's precision; parameters stay fp32."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.torch.type, self.dtype)

    @property
    def arithmetic(self) -> str:
        """The dtype of its matrix products, by its name in torch."""
        return self.target.autocast or "float32"

    def grad_scaler(self) -> CountingScaler:
        """Scales the loss so that fp16 gradients do not vanish; off for every other dtype."""
        return CountingScaler(self.torch.type, enabled=self.dtype is torch.float16)

    @property
    def bf16_products(self) -> bf16.Products | None:
        """How bf16 matrix products are computed; None for a target without any.

        "upcast" multiplies the bf16 values as fp32 and rounds the product. torch's own kernels give
        the same result, since they accumulate in fp32. But on a CPU without bf16 instructions they
        are slow: a training step of a 6-layer BERT took 17.6 s with them, and 0.9 s upcast. So both
        are timed (`harness.training.bf16`).
        """
        if self.dtype is not torch.bfloat16:
            return None
        if self.torch.type != "cpu":
            return "native"
        return bf16.products()

    def active(self) -> AbstractContextManager[object]:
        """The block that everything is computed in: forward, backward and evaluation."""
        return UpcastProducts() if self.bf16_products == "upcast" else contextlib.nullcontext()

    def move(self, batch: Batch) -> Batch:
        """The batch with its tensors on this device."""
        inputs = {name: tensor.to(self.torch) for name, tensor in batch.inputs.items()}
        labels = None if batch.labels is None else batch.labels.to(self.torch)
        layout = batch.layout and batch.layout.to(lambda tensor: tensor.to(self.torch))
        return Batch(inputs, labels, batch.rows, batch.tokens, layout)

    def synchronize(self) -> None:
        """Wait until the device has finished its work, as must be before a clock is read."""
        self.backend.synchronize()


class CountingScaler(torch.amp.GradScaler):
    """A gradient scaler that counts the updates it skips because a gradient is not finite.

    Each skipped update halves the scale, which starts at 2**16. So after `SETTLING` updates the
    scale has had the time to fall to 1, and updates that are skipped later are counted apart.
    """

    SETTLING = 16

    def __init__(self, device: str, enabled: bool) -> None:
        super().__init__(device, enabled=enabled)
        self.calls = self.skipped = self.skipped_late = 0

    def update(self, new_scale: float | torch.Tensor | None = None) -> None:
        before = self.get_scale()
        super().update(new_scale)
        self.calls += 1
        if self.get_scale() < before:
            self.skipped += 1
            self.skipped_late += self.calls > self.SETTLING


class UpcastProducts(TorchDispatchMode):
    """Computes bf16 matrix products as fp32 products of the bf16 values, rounded to bf16.

    It works below autograd, so it covers the backward pass too. The states of an LSTM stay fp32
    between one token and the next; for these torch has no bf16 kernel on such a CPU.
    """

    PRODUCTS = frozenset(
        {
            aten.linear.default,
            aten.mm.default,
            aten.addmm.default,
            aten.bmm.default,
            aten.baddbmm.default,
            aten.convolution.default,
            aten.convolution_backward.default,
            aten.mkldnn_rnn_layer.default,
            aten.mkldnn_rnn_layer_backward.default,
        }
    )

    def __torch_dispatch__(  # torch declares it with Any: an operation takes and returns anything
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.PRODUCTS and args[0].dtype is torch.bfloat16:
            wide = tree_map_only(torch.Tensor, _to_fp32, args)
            return tree_map_only(torch.Tensor, _to_bf16, func(*wide, **kwargs))
        return func(*args, **kwargs)


def _to_fp32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor


def _to_bf16(tensor: torch.Tensor) -> torch.Tensor:
    # An LSTM also returns bytes, which it needs for its backward pass: they stay as they are.
    return tensor.bfloat16() if tensor.dtype is torch.float32 else tensor


@dataclass
class Stopwatch:
    """Adds up the seconds of a phase, and those of each of its laps."""

    device: Device
    seconds: float = 0.0
    laps: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Add the seconds of the block. The device is synchronized at both ends."""
        self.device.synchronize()
        start = time.perf_counter()
        yield
        self.device.synchronize()
        self.seconds += time.perf_counter() - start

    def lap(self) -> None:
        """End a lap, such as an epoch."""
        self.laps.append(self.seconds - sum(self.laps))
