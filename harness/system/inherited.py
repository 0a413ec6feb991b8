"""The variables that a process which runs other code inherits: none with a secret.

Such processes are git, and the benchmarks of an older commit. They get only what is listed here.
"""

from __future__ import annotations

import os
import re

USER = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "SUDO_UID", "VIRTUAL_ENV", "CI")
TEMPORARY = ("TMPDIR", "TMP", "TEMP")
LANGUAGE = ("LANG", "LANGUAGE", "TZ", "SOURCE_DATE_EPOCH")
TERMINAL = ("TERM", "COLUMNS", "LINES", "NO_COLOR")
LIBRARIES = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "ATEN_CPU_CAPABILITY")
XDG = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
PYTHON = ("PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE")
HUB_CACHE = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE")
HUB = ("HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
TOKENIZERS = ("TOKENIZERS_PARALLELISM",)
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
NAMES = frozenset().union(
    *(USER, TEMPORARY, LANGUAGE, TERMINAL, LIBRARIES, XDG, PYTHON),
    *(HUB_CACHE, HUB, TOKENIZERS, CERTIFICATES, PROXIES),
)
LOCALE_AND_OURS = ("LC_", "GLUE_BENCH_")
THREADS = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "ONEDNN_", "DNNL_")
TORCH = ("MALLOC_", "TORCH_", "TORCHINDUCTOR_", "PYTORCH_")
DEVICES = ("CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "ZE_")
PREFIXES = (*LOCALE_AND_OURS, *THREADS, *TORCH, *DEVICES)
SECRET = re.compile(
    r"(?i)token(?!iz)|secret|passw|passphrase|credential|cookie|session_?id|private|signature"
    r"|(?<![a-z])(keys?|pass|pat|auth|bearer)(?![a-z])|_pwd|key$"
)
"""Parts of the names of variables whose values are secret."""
LOGIN = re.compile(r"://[^/\s]*@")
"""A URL with a user's name or password."""
SECRET_VALUE = re.compile(
    r"(?i)://\S*@|^[^\s/@]*:\S*@"  # a login, also without a scheme or with a slash
    r"|[?&]\w*(access|token|key|sig)\w*="  # a key in a query
)
"""Values that are not given to other code."""


def environment() -> dict[str, str]:
    """The variables of this process that other code may have."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name in NAMES or (name.startswith(PREFIXES) and not is_secret(name)))
        and not SECRET_VALUE.search(value)
    }


def is_secret(name: str) -> bool:
    """Whether a variable probably has a secret value, by its name."""
    return SECRET.search(name) is not None
