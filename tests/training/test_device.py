from __future__ import annotations

import errno
import weakref
from types import TracebackType

import pytest
import torch

from harness.catalog import targets
from harness.errors import ModelError, TargetUnavailable, is_out_of_memory
from harness.training import bf16
from harness.training.device import Device, Stopwatch, UpcastProducts
from harness.training.memory import release

BF16 = torch.bfloat16


def test_bf16_means_fp32_parameters_under_autocast() -> None:
    device = Device(targets.get("cpu-bf16"))
    layer = torch.nn.Linear(8, 8)
    with device.active(), device.autocast():
        out = layer(torch.randn(4, 8))
    out.float().sum().backward()
    assert out.dtype is BF16
    assert layer.weight.dtype is torch.float32
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype is torch.float32


def test_fp32_is_fp32() -> None:
    device = Device(targets.get("cpu-fp32"))
    with device.active(), device.autocast():
        assert torch.nn.Linear(8, 8)(torch.randn(4, 8)).dtype is torch.float32
    assert device.bf16_products is None


X86 = "fpu sse2 avx2 fma avx512f avx512dq avx512bw avx512vl avx512_vnni"


@pytest.mark.cases
@pytest.mark.parametrize(
    ("flags", "cap", "expected"),
    [
        ("fpu sse2 avx2 fma", None, "upcast"),
        (X86, None, "upcast"),  # Skylake, Cascade Lake: AVX-512 alone
        (f"{X86} avx512_fp16", None, "upcast"),
        (f"{X86} avx512_bf16", None, "native"),  # Cooper Lake, Zen 4
        (f"{X86} avx512_bf16 amx_bf16 amx_tile", None, "native"),  # Sapphire Rapids
        ("fpu avx2 avx_vnni avx_ne_convert", None, "native"),  # Sierra Forest
        ("fp asimd sve", None, "upcast"),
        ("fp asimd sve i8mm bf16", None, "native"),  # Graviton 3
        ("", None, "upcast"),  # not Linux
        (f"{X86} avx512_bf16 amx_bf16", "AVX512_CORE", "upcast"),
        (f"{X86} avx512_bf16 amx_bf16", "AVX512_CORE_VNNI", "upcast"),
        (f"{X86} avx512_bf16 amx_bf16", "avx2", "upcast"),
        (f"{X86} avx512_bf16 amx_bf16", "AVX512_CORE_BF16", "native"),
        (f"{X86} avx512_bf16 amx_bf16", "AVX10_1_512_AMX", "native"),
        (f"{X86} avx512_bf16 amx_bf16", "DEFAULT", "native"),
    ],
)
def test_bf16_products_are_native_where_the_cpu_has_instructions_for_them(
    flags: str, cap: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_cpu_flags", flags.split)
    monkeypatch.setattr(bf16, "native_speed", lambda: 1.0)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if cap:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap)
    device = Device(targets.get("cpu-bf16"))
    assert device.bf16_products == expected
    assert isinstance(device.active(), UpcastProducts) is (expected == "upcast")
    assert Device(targets.get("cpu-fp32")).bf16_products is None


def test_bf16_products_are_upcast_where_torch_has_no_kernels_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "_cpu_flags", lambda: ["avx512_bf16"])
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    monkeypatch.setattr(bf16, "native_speed", bf16.native_speed.__wrapped__)
    assert bf16.native_speed() is None
    assert Device(targets.get("cpu-bf16")).bf16_products == "upcast"


@pytest.mark.parametrize(
    ("flags", "speed", "expected"),
    [
        ("avx512_bf16", 0.7, "native"),
        ("avx512_bf16", 0.6, "upcast"),
        ("avx512f", 1.4, "upcast"),
        ("avx512f", 1.6, "native"),
    ],
)
def test_what_is_clearly_faster_is_used_whatever_the_flags_say(
    flags: str, speed: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_cpu_flags", flags.split)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(bf16, "native_speed", lambda: speed)
    assert Device(targets.get("cpu-bf16")).bf16_products == expected


def test_upcast_products_are_torchs_own_up_to_one_rounding() -> None:
    torch.manual_seed(0)
    x = torch.randn(33, 65, dtype=BF16)
    w = torch.randn(17, 65, dtype=BF16)
    b = torch.randn(17, dtype=BF16)
    products = {
        "linear": lambda: torch.nn.functional.linear(x, w, b),
        "mm": lambda: x @ w.t(),
        "addmm": lambda: torch.addmm(b, x, w.t()),
        "bmm": lambda: x[None] @ w.t()[None],
    }
    for name, product in products.items():
        own = product()
        with UpcastProducts():
            ours = product()
        assert ours.dtype is BF16
        # bf16 keeps 8 bits: one unit in the last place of a result is at most 1/128 of it.
        torch.testing.assert_close(ours, own, rtol=2**-7, atol=1e-2, msg=name)


def test_upcast_products_cover_the_backward_pass() -> None:
    seen = []

    class Watch(UpcastProducts):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func in self.PRODUCTS:
                seen.append(args[0].dtype)
            return super().__torch_dispatch__(func, types, args, kwargs)

    layer = torch.nn.Linear(8, 8)
    with Watch():
        with torch.autocast("cpu", BF16):
            out = layer(torch.randn(4, 8, requires_grad=True))
        out.float().pow(2).sum().backward()
    assert len(seen) == 3  # forward, gradient of the input, gradient of the weights
    assert set(seen) == {BF16}


def test_what_torch_cannot_reach_is_unavailable() -> None:
    if torch.xpu.is_available():
        pytest.skip("this machine has an Intel GPU")
    with pytest.raises(TargetUnavailable, match=r"xpu-bf16.*no xpu device.*glue-bench doctor"):
        Device(targets.get("xpu-bf16"))


def test_the_stopwatch_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in device with a queue: its work is done only when somebody waits for it."""
    now = [0.0]
    queued = [0.0]
    device = Device(targets.get("cpu-fp32"))

    def synchronize() -> None:
        now[0] += queued[0]
        queued[0] = 0.0

    monkeypatch.setattr(device, "synchronize", synchronize)
    monkeypatch.setattr("harness.training.device.time.perf_counter", lambda: now[0])
    clock = Stopwatch(device)
    queued[0] = 7.0  # work from before is not the block's
    for seconds in (3.0, 2.0):
        with clock.running():
            queued[0] += seconds
        clock.lap()
    assert clock.seconds == 5.0
    assert clock.laps == [3.0, 2.0]


def test_released_errors_hold_no_tensor_even_if_somebody_keeps_them() -> None:
    held: list[weakref.ref[torch.Tensor]] = []
    kept: list[Exception | TracebackType | None] = []

    def fail() -> None:
        tensor, looped = torch.ones(9), torch.ones(9)
        loop: list[object] = [looped]
        loop.append(loop)
        held.extend(map(weakref.ref, (tensor, looped)))
        raise MemoryError

    def wrap() -> None:
        try:
            fail()
        except MemoryError as cause:
            kept.append(cause.__traceback__)
            raise RuntimeError from cause

    try:
        wrap()
    except RuntimeError as error:
        kept.append(error)
        release(error, targets.get("cpu-fp32"))
    assert [tensor() for tensor in held] == [None, None]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("tried to allocate 20 MiB"), True),
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("unable to mmap 9 bytes from file <m>: Cannot allocate memory (12)"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError(errno.ENOENT, "No such file"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
    wrapped = ModelError("no model that transformers can read")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped) is expected
