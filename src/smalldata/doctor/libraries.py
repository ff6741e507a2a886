"""The rules on libraries: their versions, the optional extras, and what is installed but broken.

Pure. Step in the line: none; facts -> **findings**.
"""

from collections.abc import Iterator, Mapping

from packaging.specifiers import SpecifierSet

from smalldata.doctor.builds import BUILDS, Build, choose_build, install_words, read_version
from smalldata.doctor.facts import (
    Facts,
    Finding,
    part,
    pip_command,
    tested,
    unread,
    visible_cards,
)

CPU_INDEX = "https://download.pytorch.org/whl/cpu"

EXTRAS = {
    "cmaes": "tune.sampler=cmaes",
    "figures": "report.figures=[png,svg,pdf]",
    "foundation": "model=tabicl",
    "h5ad": "dataset=h5ad",
    "postgres": "tune.storage=postgresql://…",
}
"""What each optional extra is for."""


def judge_versions(facts: Facts) -> Iterator[Finding]:
    """Compare what is installed with the bounds of the package and with the tested versions."""
    libraries = part(facts, "libraries")
    if not libraries or "error" in libraries:
        yield unread("versions", libraries)
        return
    others = []
    n_right = 0
    for name, entry in libraries.items():
        installed, requires = entry["installed"], entry["requires"]
        if installed is None:
            if entry["extra"] is None:
                yield _wrong_version(facts, name, f"{name}{requires} is not installed.")
        elif not SpecifierSet(requires).contains(installed, prereleases=True):
            what = f"{name} must be {requires}; {installed} is installed."
            yield _wrong_version(facts, name, what)
        else:
            n_right += 1
            # What follows "+" says for which machine a build was made: that is no other version.
            if entry["tested"] and installed.partition("+")[0] != entry["tested"]:
                others.append(f"{name} {installed} (tested: {entry['tested']})")
    if others:
        yield Finding(
            level="note",
            topic="versions",
            what=f"{len(others)} of {n_right} libraries are of other versions than the tested "
            f"ones, within their bounds: {', '.join(others)}.",
            advice="Nothing to do, unless something is odd; then install the tested versions.",
        )
    elif n_right:
        yield Finding(
            level="ok", topic="versions", what=f"{n_right} libraries are of the tested versions."
        )


def _wrong_version(facts: Facts, name: str, what: str) -> Finding:
    command = torch_command(facts) if name == "torch" else None
    return Finding(
        level="problem",
        topic="versions",
        what=what,
        advice="Install the tested version.",
        command=command or pip_command(facts, "install", tested(facts, name)),
    )


def judge_extras(facts: Facts) -> Iterator[Finding]:
    """Name the optional extras that are not installed; that is no fault."""
    missing = {
        str(entry["extra"]): entry["wanted"]
        for entry in part(facts, "libraries").values()
        if isinstance(entry, Mapping) and entry["extra"] and entry["installed"] is None
    }
    if missing:
        shown = [f"{name} ({EXTRAS[name]})" if name in EXTRAS else name for name in missing]
        yield Finding(
            level="note",
            topic="extras",
            what=f"Optional extras that are not installed: {', '.join(shown)}.",
            advice="Install those you want to use.",
            command=pip_command(facts, "install", *missing.values()),
        )


def judge_numeric(facts: Facts) -> Iterator[Finding]:
    """Say which of the compiled libraries do not load, or compute wrongly."""
    numeric = part(facts, "numeric")
    failed = part(numeric, "failed")
    for name, reason in failed.items():
        if is_installed(facts, name):  # else its version is a finding already
            yield broken(facts, name, reason)
    if wrong := part(numeric, "computed").get("cpu"):
        yield broken(facts, "numpy", wrong)
    elif "error" in numeric and "numpy" not in failed:
        name = str(numeric.get("trying") or "numpy")
        yield broken(facts, name, str(numeric["error"]))


def is_installed(facts: Facts, name: str) -> bool:
    """Whether a library is installed, or nothing is known about that."""
    entry = part(facts, "libraries").get(name)
    return not isinstance(entry, Mapping) or entry.get("installed") is not None


def broken(facts: Facts, name: str, reason: str) -> Finding:
    """Say that an installed library does not work, and how to install it anew."""
    if hidden := part(facts, "hidden").get(name):
        return Finding(
            level="problem",
            topic=name,
            what=f"{name} is hidden by {hidden}, which Python takes in its place.",
            advice="Rename that file, or start Python in another folder.",
        )
    entry = part(part(facts, "libraries"), name)
    again = ("install", "--force-reinstall", "--no-cache-dir")
    command = torch_command(facts, "--force-reinstall") if name == "torch" else None
    return Finding(
        level="problem",
        topic=name,
        what=f"{' '.join(filter(None, (name, entry.get('installed'))))} is installed and does "
        f"not work: {reason.rstrip('.')}.",
        advice=_remedy(reason, name) or "Install it anew.",
        command=command or pip_command(facts, *again, tested(facts, name)),
    )


def _remedy(reason: str, name: str) -> str:
    """Return what helps, before a new installation, against an error that is well known."""
    if "DLL load failed" in reason or "WinError 126" in reason:
        return "Install Microsoft's Visual C++ Redistributable; if that does not help, it anew."
    if "libomp" in reason:
        return "Install the OpenMP runtime (brew install libomp); if that does not help, it anew."
    if "SIGILL" in reason:
        return (
            f"This processor lacks instructions that {name} is compiled for: use a newer one (in a "
            "virtual machine: pass the host's processor through), or try another build."
        )
    if "GLIBC" in reason:
        return "The C library of this system is too old for it: use a newer system, or try anew."
    return ""


def torch_command(facts: Facts, *flags: str) -> str:
    """Return the command that installs the build of torch for this machine."""
    build = suitable_build(facts) if visible_cards(facts) else None
    if build is not None:
        return pip_command(facts, *install_words(build, flags=flags))
    words = ("install", *flags, f"torch=={BUILDS[0].torch}", "--index-url", CPU_INDEX)
    return pip_command(facts, *words)


def suitable_build(facts: Facts) -> Build | None:
    """Return the published build of torch for the cards and the driver, or None."""
    capabilities = [read_version(card.get("capability")) for card in visible_cards(facts)]
    python = read_version(part(facts, "python").get("version"))
    return choose_build(
        [capability for capability in capabilities if capability is not None],
        driver_cuda=read_version(part(facts, "driver").get("cuda")),
        python=python or BUILDS[0].pythons[1],
    )
