"""What a process that runs other code than ours inherits of the environment: no secret.

Such are git, and an older commit's benchmarks. They get what is listed here and nothing else.
"""

from __future__ import annotations

import os
import re

NAMES = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "SUDO_UID", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    "TMP", "TEMP", "TERM", "COLUMNS", "LINES", "NO_COLOR", "CI", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "LD_PRELOAD", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "HF_HOME",
    "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE",
    "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "TOKENIZERS_PARALLELISM", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
    "https_proxy", "no_proxy", "ATEN_CPU_CAPABILITY", "SOURCE_DATE_EPOCH",
})  # fmt: skip
BEGINNINGS = (
    "LC_", "GLUE_BENCH_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_",
    "ONEDNN_", "DNNL_", "MALLOC_", "TORCH_", "TORCHINDUCTOR_", "PYTORCH_", "CUDA_", "CUBLAS_",
    "CUDNN_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "ZE_",
)  # fmt: skip
SECRET = re.compile(
    r"(?i)token(?!iz)|secret|passw|passphrase|credential|cookie|session_?id|private|signature"
    r"|(?<![a-z])(keys?|pass|pat|auth)(?![a-z])|_pwd|key$"
)
"""What the name of a variable has in it whose value nobody else should see."""
LOGIN = re.compile(r"://[^/\s]*@")
"""A user's name or password in a URL."""


def environment() -> dict[str, str]:
    """The part of this process's environment that others' code may have."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name in NAMES or (name.startswith(BEGINNINGS) and not is_secret(name)))
        and not LOGIN.search(value)
    }


def is_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret, as far as names tell."""
    return SECRET.search(name) is not None
