"""Which device a fit runs on, and how many threads it takes.

``auto`` means CUDA where a small computation really works there, else the CPU with one line saying
why.
Step in the line: config -> **resolved device** -> learner.build.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smalldata.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(name: str) -> tuple[str, str]:
    """Turn ``auto``, ``cpu`` or ``cuda`` into the device to use and the reason.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}

    Returns
    -------
    device : {"cpu", "cuda"}
    reason : str
        One line for the log.

    Raises
    ------
    ConfigError
        If the name is another, or ``cuda`` is asked for and does not work.

    Examples
    --------
    >>> resolve_device("cpu")
    ('cpu', 'asked for')
    """
    if name not in DEVICES:
        raise ConfigError(f"device must be one of {', '.join(DEVICES)}; got {name!r}.")
    if name == "cpu":
        return "cpu", "asked for"
    hindrance = _cuda_hindrance()
    if hindrance is None:
        return "cuda", "asked for" if name == "cuda" else "a small computation on it worked"
    if name == "cuda":
        raise ConfigError(
            f"device=cuda needs a card that computes; {hindrance}. Use device=auto or device=cpu."
        )
    return "cpu", hindrance


def _cuda_hindrance() -> str | None:
    """Why CUDA cannot be used, or None. Imports torch only where the machine shows a driver."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "unset").strip() in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every card"
    if sys.platform == "darwin":
        return "macOS has no CUDA"
    # WSL shows its card as /dev/dxg. Windows has no device files, so torch is asked there.
    if sys.platform.startswith("linux") and not any(
        Path(device).exists() for device in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
    ):
        return "this machine shows no NVIDIA card"
    import torch

    if torch.version.cuda is None:
        return f"the installed torch {torch.__version__} is a build without CUDA"
    try:
        square = torch.full((64, 64), 0.5, device="cuda")
        total = float((square @ square).sum())
    except (RuntimeError, AssertionError) as error:
        return f"torch cannot compute on it ({str(error).strip().splitlines()[0]})"
    if total != 64 * 64 * 16.0:
        return f"the card computed a wrong sum ({total})"
    return None


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread inside the block, then give the caller's number of threads back.

    The order of a sum depends on the number of threads, so equal seeds give equal numbers only with
    a fixed one; and folds already run in parallel, one process a core.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
