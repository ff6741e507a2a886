"""The findings on a screen: a table, then what to do with commands that can be copied; or json.

Step in the line: none; findings -> **stdout**.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smalldata.doctor.diagnosis import is_healthy
from smalldata.doctor.facts import Facts, Finding

STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


def show_findings(findings: Sequence[Finding], *, console: Console) -> None:
    """Print a table of all findings, what to do about those that need it, and the verdict."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for finding in findings:
        shown = Text(finding.level, style=STYLES[finding.level])
        table.add_row(shown, Text(finding.topic), Text(finding.what))
    console.print(table)
    for level, title in (("problem", "To mend"), ("note", "Worth knowing")):
        advised = [found for found in findings if found.level == level and found.advice]
        if advised:
            console.print(Text(f"\n{title}", style=STYLES[level]))
        for finding in advised:
            console.print(Text(f"{finding.topic}: {finding.advice}"), soft_wrap=True)
            if finding.command:  # in one line, to be copied
                console.print(Text(f"    {finding.command}"), soft_wrap=True)
    n_problems = sum(finding.level == "problem" for finding in findings)
    verdict = "Nothing must be mended."
    if n_problems:
        verdict = f"{n_problems} problem{'s' if n_problems > 1 else ''} to mend."
    console.print(Text(f"\n{verdict}", style=STYLES["problem" if n_problems else "ok"]))


def findings_json(findings: Sequence[Finding], facts: Facts) -> str:
    """Return the findings and the facts behind them as json.

    Keys: ``schema_version``, ``healthy``, ``findings`` (level, topic, what, advice, command) and
    ``facts``.
    """
    content = {
        "schema_version": facts.get("schema_version"),
        "healthy": is_healthy(findings),
        "findings": [asdict(finding) for finding in findings],
        "facts": facts,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)
