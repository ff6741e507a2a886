"""The verb ``doctor``: its arguments, what it prints, its exit status."""

import sys
from collections.abc import Sequence
from pathlib import Path

from smalldata.errors import ConfigError, did_you_mean
from smalldata.runtime.console import open_console

HEALTHY, TO_FIX = 0, 1
_ARGUMENTS = ("--json", "outputs=DIR")


def run_verb(arguments: Sequence[str]) -> int:
    """Look at this machine and print what was found and what to do.

    Parameters
    ----------
    arguments : sequence of str
        ``--json`` for json output; ``outputs=DIR`` for the folder that results should go to.

    Returns
    -------
    int
        0 healthy, 1 something must be fixed.

    Raises
    ------
    ConfigError
        If there is any other argument.
    """
    as_json, outputs = _read(arguments)
    from smalldata.doctor.diagnosis import diagnose, is_healthy
    from smalldata.doctor.machine import collect
    from smalldata.doctor.screen import findings_json, show_findings

    with open_console(stderr=True).status("looking at this machine, its libraries and cards …"):
        facts = collect(outputs)
    findings = diagnose(facts)
    if as_json:
        sys.stdout.write(findings_json(findings, facts) + "\n")
    else:
        show_findings(findings, console=open_console())
    return HEALTHY if is_healthy(findings) else TO_FIX


def _read(arguments: Sequence[str]) -> tuple[bool, Path]:
    from smalldata.runtime.catalogue import conf_dir, read_yaml

    outputs = None
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "outputs" and value:
            outputs = value
        elif argument != "--json":
            hint = did_you_mean(argument, ("--json", "outputs="), "leave it out.")
            raise ConfigError(f"doctor takes {' and '.join(_ARGUMENTS)}; got {argument!r}; {hint}")
    default = read_yaml(conf_dir() / "run.yaml")["outputs"]
    return "--json" in arguments, Path(outputs or default)
