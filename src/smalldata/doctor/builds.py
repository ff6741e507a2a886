"""Which published builds of torch suit a card and its driver, and how pip installs one.

The table is what PyTorch publishes: the CUDA versions of a release and the compute capabilities
they are compiled for. Pure. Step in the line: none; `diagnosis` asks it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Version = tuple[int, int]

_UP_TO_HOPPER = ((5, 0), (6, 0), (7, 0), (7, 5), (8, 0), (8, 6), (9, 0))
_UP_TO_BLACKWELL = ((7, 5), (8, 0), (8, 6), (9, 0), (10, 0), (12, 0))


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build of torch on PyTorch's own index.

    Attributes
    ----------
    torch : str
    cuda : (int, int)
        Version of the CUDA runtime inside.
    capabilities : tuple of (int, int)
        Compute capabilities its kernels are compiled for.
    pythons : ((int, int), (int, int))
        First and last Python it is built for.
    """

    torch: str
    cuda: Version
    capabilities: tuple[Version, ...]
    pythons: tuple[Version, Version]

    @property
    def tag(self) -> str:
        """The CUDA version as PyTorch writes it in file names: ``cu126``."""
        return f"cu{self.cuda[0]}{self.cuda[1]}"

    def runs(self, capability: Version) -> bool:
        """Say whether a card of this compute capability has kernels in the build."""
        return any(compiled_for(card, capability) for card in self.capabilities)


BUILDS = (
    Build(
        torch="2.13.0",
        cuda=(13, 0),
        capabilities=_UP_TO_BLACKWELL,
        pythons=((3, 10), (3, 14)),
    ),
    Build(torch="2.13.0", cuda=(12, 6), capabilities=_UP_TO_HOPPER, pythons=((3, 10), (3, 14))),
    Build(
        torch="2.11.0",
        cuda=(12, 8),
        capabilities=_UP_TO_BLACKWELL,
        pythons=((3, 10), (3, 14)),
    ),
    Build(torch="2.7.1", cuda=(11, 8), capabilities=_UP_TO_HOPPER, pythons=((3, 9), (3, 13))),
)
"""The best first: the tested release; then what older drivers need, and new cards under them.

Source: the support matrix of PyTorch's RELEASE.md (releases 2.7, 2.11 and 2.12, whose CUDA versions
2.13 and 2.14 keep: pytorch issues 172663, 178665, 190355), Linux x86-64 and Windows.
"""

OLDEST_DRIVERS = {11: "450.80", 12: "525.60", 13: "580"}
"""First NVIDIA driver for each major version of CUDA: within one, older drivers run newer builds.

Source: NVIDIA, CUDA Compatibility, "Minor Version Compatibility".
"""


def compiled_for(kernel: Version, capability: Version) -> bool:
    """Say whether machine code for one capability runs on a card of another.

    It does within a major version, from its minor version on (CUDA C++ Programming Guide, "Binary
    Compatibility").
    """
    return kernel[0] == capability[0] and kernel[1] <= capability[1]


def covers(architectures: Sequence[str], capability: Version) -> bool:
    """Say whether a build runs on a card, by the list ``torch.cuda.get_arch_list()`` gives.

    Parameters
    ----------
    architectures : sequence of str
        ``sm_90`` is machine code, ``compute_90`` code that the driver compiles for any later card;
        ``sm_90a`` runs on 9.0 alone.
    capability : (int, int)

    Examples
    --------
    >>> covers(["sm_80", "sm_90"], (8, 9)), covers(["sm_80", "sm_90"], (12, 0))
    (True, False)
    >>> covers(["sm_90", "compute_90"], (12, 0))
    True
    """
    for architecture in architectures:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
        if found is None:
            continue
        kind, major, minor, suffix = found.groups()
        kernel = (int(major), int(minor))
        if suffix == "a":
            fits = kernel == capability
        elif kind == "compute" and not suffix:
            fits = kernel <= capability
        else:
            fits = compiled_for(kernel, capability)
        if fits:
            return True
    return False


def choose_build(
    capabilities: Sequence[Version], *, driver_cuda: Version | None, python: Version
) -> Build | None:
    """Return the build to install: of those the driver runs, the one for most of the cards.

    Parameters
    ----------
    capabilities : sequence of (int, int)
        Of the cards; empty where they are not known.
    driver_cuda : (int, int) or None
        Newest CUDA version the driver runs; None: not known.
    python : (int, int)

    Returns
    -------
    Build or None
        None where there is none for any of the cards.
    """
    fitting = [
        build
        for build in BUILDS
        if build.pythons[0] <= python <= build.pythons[1]
        and (driver_cuda is None or build.cuda[0] <= driver_cuda[0])
    ]
    if not capabilities:
        return fitting[0] if fitting else None
    n_cards = [sum(map(build.runs, capabilities)) for build in fitting]
    most = max(n_cards, default=0)
    return fitting[n_cards.index(most)] if most else None


def install_words(build: Build, *, flags: Sequence[str] = ()) -> list[str]:
    """Return what pip is told to put a build in the place of the installed one.

    With ``torch==2.13.0`` pip would be content with a build for the CPU; ``+cu130`` names this one.

    Parameters
    ----------
    build : Build
    flags : sequence of str
        Further flags of ``pip install``.

    Examples
    --------
    >>> " ".join(install_words(BUILDS[0]))
    'install torch==2.13.0+cu130 --index-url https://download.pytorch.org/whl/cu130'
    """
    index = f"https://download.pytorch.org/whl/{build.tag}"
    return ["install", *flags, f"torch=={build.torch}+{build.tag}", "--index-url", index]


def read_version(text: str | None) -> Version | None:
    """Read the first two numbers of a version; None where there are none.

    Examples
    --------
    >>> read_version("12.4"), read_version("13"), read_version(None)
    ((12, 4), (13, 0), None)
    """
    found = re.match(r"(\d+)(?:\.(\d+))?", text or "")
    return (int(found.group(1)), int(found.group(2) or 0)) if found else None
