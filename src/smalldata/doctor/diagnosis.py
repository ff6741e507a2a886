"""What the collected facts of a machine mean: each finding says what is, and what to do about it.

Pure: a dict in, findings out, so that every case is a test on any machine. Step in the line: none;
collected -> **findings**.
"""

from collections.abc import Callable, Iterator, Sequence

from packaging.specifiers import SpecifierSet

from smalldata.doctor.cards import judge_auto, judge_driver, judge_torch, judge_xgboost
from smalldata.doctor.facts import GIB, Facts, Finding, entries, in_gib, part, set_command, unread
from smalldata.doctor.libraries import judge_extras, judge_numeric, judge_versions

PROCESS_BYTES = GIB // 2
"""Memory that one process of a run takes, with torch and a table loaded."""

DISK_BYTES = GIB
"""With less free disk there is a note; with a tenth of it a problem."""


def diagnose(facts: Facts) -> list[Finding]:
    """Say what the collected facts mean.

    Parameters
    ----------
    facts : dict
        As `smalldata.doctor.machine.collect` gives them.

    Returns
    -------
    list of Finding
        In the order in which they are read: the machine, the libraries, the devices, the outputs.
    """
    rules: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
        _python,
        _cores,
        _memory,
        judge_versions,
        judge_extras,
        judge_numeric,
        judge_driver,
        judge_torch,
        judge_xgboost,
        judge_auto,
        _threads,
        _outputs,
    )
    findings = [finding for rule in rules for finding in rule(facts)]
    return list(dict.fromkeys(findings))  # eight equal cards have one trouble


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Say whether nothing must be mended."""
    return all(finding.level != "problem" for finding in findings)


# ---------------------------------------------------------------- the machine


def _python(facts: Facts) -> Iterator[Finding]:
    python, system = part(facts, "python"), part(facts, "platform")
    version = str(python.get("version", "of unknown version"))
    requires = python.get("requires")
    shown = " ".join(str(system[key]) for key in ("system", "release", "machine") if key in system)
    what = f"Python {version} on {shown or 'an unknown system'}"
    if requires and not SpecifierSet(requires).contains(version, prereleases=True):
        yield Finding(
            level="problem",
            topic="python",
            what=f"Python must be {requires}; this is {version}.",
            advice=f"Make an environment with a Python {requires} and install smalldata in it.",
        )
    elif python.get("bits") == 32:
        yield Finding(
            level="problem",
            topic="python",
            what=f"{what} is a 32-bit build; torch and xgboost are made for 64 bits alone.",
            advice="Install a 64-bit Python and smalldata in it.",
        )
    else:
        yield Finding(level="ok", topic="python", what=f"{what}.")


def _cores(facts: Facts) -> Iterator[Finding]:
    cores = part(facts, "cores")
    if "usable" not in cores:
        yield unread("cores", cores)
        return
    limits = []
    if cores.get("cgroup"):
        limits.append(f"a control group allows {cores['cgroup']:g}")
    if cores.get("affinity") and cores["affinity"] != cores.get("machine"):
        limits.append(f"the affinity of this process {cores['affinity']}")
    if value := part(facts, "environment").get("LOKY_MAX_CPU_COUNT"):
        limits.append(f"LOKY_MAX_CPU_COUNT {value}")
    why = f" ({', '.join(limits)})" if limits else ""
    yield Finding(
        level="ok",
        topic="cores",
        what=f"{cores['usable']} of {cores.get('machine')} cores may be used{why}; a run takes as "
        "many processes unless n_jobs says otherwise.",
    )


def _memory(facts: Facts) -> Iterator[Finding]:
    memory = part(facts, "memory")
    available, total = memory.get("available_bytes"), memory.get("total_bytes")
    if available is None:
        if total is None:
            yield unread("memory", memory)
        else:
            yield Finding(level="ok", topic="memory", what=f"{in_gib(total)} of memory.")
        return
    limit = memory.get("limit_bytes")
    of = in_gib(limit or total or available)
    of += " that a control group allows" if limit else ""
    what = f"{in_gib(available)} of memory are free, of {of}."
    n_processes = int(part(facts, "cores").get("usable", 1))
    n_fit = available // PROCESS_BYTES
    if n_fit == 0:
        yield Finding(
            level="problem",
            topic="memory",
            what=f"{what} A process of a run takes about {in_gib(PROCESS_BYTES)}.",
            advice="Close other programs, or ask the scheduler or the container for more memory.",
        )
    elif n_fit < n_processes:
        yield Finding(
            level="note",
            topic="memory",
            what=f"{what} {n_processes} processes of a run take about "
            f"{in_gib(n_processes * PROCESS_BYTES)}.",
            advice=f"Run with n_jobs={n_fit}.",
        )
    else:
        yield Finding(level="ok", topic="memory", what=what)


# ---------------------------------------------------------------- threads, outputs


def _threads(facts: Facts) -> Iterator[Finding]:
    pools = {
        pool.get("filepath") or pool.get("prefix"): pool
        for name in ("numeric", "torch", "xgboost")
        for pool in entries(facts, name, "pools")
    }
    if not pools:
        return
    shown: dict[str, int] = {}
    for pool in pools.values():
        name = str(pool.get("internal_api") if pool.get("user_api") == "blas" else pool["prefix"])
        shown[name] = max(shown.get(name, 0), int(pool.get("num_threads") or 0))
    what = ", ".join(f"{name} {n_threads}" for name, n_threads in sorted(shown.items()))
    usable = int(part(facts, "cores").get("usable", 0))
    most = max(shown.values())
    asked = {
        name: value
        for name, value in part(facts, "environment").items()
        if name.endswith("_NUM_THREADS")
    }
    if usable and most > usable:
        why = "they count the machine's cores"
        if asked:
            why = f"{', '.join(f'{name}={value}' for name, value in asked.items())} asks for them"
        yield Finding(
            level="note",
            topic="threads",
            what=f"Threads of BLAS and OpenMP ({what}) are more than the {usable} cores that may "
            f"be used: {why}. A run holds its folds to one thread each; your own Python code is "
            "slowed.",
            advice="Set the number before Python starts.",
            # A library's own variable goes before the common one.
            command=set_command(facts, dict.fromkeys(["OMP_NUM_THREADS", *asked], usable)),
        )
    else:
        yield Finding(
            level="ok",
            topic="threads",
            what=f"Threads of BLAS and OpenMP: {what}; a run holds its folds to one each.",
        )
    if {"libiomp", "libomp"} <= shown.keys() and part(facts, "platform").get("system") == "Linux":
        yield Finding(
            level="note",
            topic="threads",
            what="The OpenMP libraries of Intel and LLVM are loaded together, which on Linux can "
            'crash or hang a program (threadpoolctl, "Multiple OpenMP runtimes").',
            advice="Install numpy, scipy, scikit-learn and torch from one source: all by pip, or "
            "all by conda.",
        )


def _outputs(facts: Facts) -> Iterator[Finding]:
    outputs = part(facts, "outputs")
    path = outputs.get("path", "outputs")
    if error := outputs.get("error"):
        yield Finding(
            level="problem",
            topic="outputs",
            what=f"Results cannot be written to {path}: {error}.",
            advice="Give yourself the right to write there, or set outputs=DIR.",
        )
    free = outputs.get("free_bytes")
    if error or free is None:
        return
    what = f"{in_gib(free)} of disk are free where results go ({path})."
    if free < DISK_BYTES // 10:
        yield Finding(
            level="problem",
            topic="outputs",
            what=what,
            advice="Make room, or set outputs=DIR to a folder on another disk.",
        )
    elif free < DISK_BYTES:
        yield Finding(
            level="note", topic="outputs", what=what, advice="A comparison takes 2 to 100 MB."
        )
    else:
        yield Finding(level="ok", topic="outputs", what=what)
