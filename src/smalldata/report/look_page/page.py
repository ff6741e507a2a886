"""The page of a look, one HTML text that loads nothing.

Step in the line: LookNumbers + figures -> **HTML**.
"""

from collections.abc import Sequence

from smalldata.datasets.preview import FilePreview
from smalldata.findings import Finding
from smalldata.report.figures.grammar import no_figures
from smalldata.report.look_page.figures import look_figures
from smalldata.report.look_page.numbers import LookNumbers
from smalldata.report.plain import count, format_percent, join_words, sentence
from smalldata.report.render import Page

TEMPLATE = "look_page/look.html"
N_SHOWN = 200
"""Names and units in a list of the page."""


def look_page(numbers: LookNumbers, *, yaml: str, command: str = "") -> Page:
    """Make the page of a dataset.

    Parameters
    ----------
    numbers : LookNumbers
    yaml : str
        The yaml that fixes the reading; empty where there is none.
    command : str
        The command that made the page.
    """
    context = {
        "title": numbers.name,
        "numbers": numbers,
        "lead": [sentence(text) for text in say_table(numbers)],
        "findings": [_told(entry) for entry in numbers.findings],
        "dropped": numbers.dropped,
        "units": list(numbers.units.items())[:N_SHOWN],
        "n_units": len(numbers.units),
        "roles": [
            (title, labels)
            for title, labels in (
                ("Groups", numbers.groups),
                ("Batches", numbers.batch),
                ("Fixed folds", numbers.folds),
            )
            if labels is not None
        ],
        "previews": [],
        "refusal": "",
        "yaml": yaml,
        "command": command,
    }
    return Page(template=TEMPLATE, figures=look_figures(numbers), context=context)


def preview_page(previews: Sequence[FilePreview], *, refusal: str, command: str = "") -> Page:
    """Make the page of files that did not become a dataset.

    Parameters
    ----------
    previews : sequence of FilePreview
    refusal : str
        Why; empty if only the target is missing.
    command : str
        The command that made the page.
    """
    findings = [finding for found in previews for finding in found.findings]
    context = {
        "title": ", ".join(found.source for found in previews) or "no table",
        "numbers": None,
        "lead": [],
        "findings": [_told(entry) for entry in findings],
        "dropped": [entry for found in previews for entry in found.dropped],
        "units": [],
        "n_units": 0,
        "roles": [],
        "previews": list(previews),
        "refusal": refusal,
        "yaml": "",
        "command": command,
    }
    return Page(template=TEMPLATE, figures=no_figures(), context=context)


def say_table(numbers: LookNumbers) -> list[str]:
    """Say in clauses what was read."""
    types = f"{count(numbers.n_numeric, 'feature')} of numbers"
    if numbers.n_categorical:
        types += f", {numbers.n_categorical} of categories"
    told = [f"{count(numbers.n_samples, 'sample')} and {count(numbers.n_features, 'feature')}"]
    told.append(types)
    if len(numbers.blocks) > 1:
        told.append(
            "blocks: " + join_words([f"{block.name} ({block.n})" for block in numbers.blocks])
        )
    if numbers.target_values is not None:
        values = numbers.target_values
        told.append(
            f"target: {numbers.target}, numbers from {values.low:.4g} to {values.high:.4g}, "
            f"mean {values.mean:.4g}"
        )
    else:
        classes = [f"{entry.name} ({entry.n})" for entry in numbers.classes]
        told.append(f"target: {numbers.target}, {join_words(classes)}")
        if numbers.positive is not None:
            told.append(f"positive class: {numbers.positive}")
    for title, labels in (("groups", numbers.groups), ("batches", numbers.batch)):
        if labels is not None:
            told.append(f"{title}: {labels.n}, the largest with {count(labels.sizes[0], 'sample')}")
    gaps = f"{format_percent(numbers.missing)} of the values are missing"
    if numbers.n_gappy:
        gaps += f", in {count(numbers.n_gappy, 'feature')}"
    told.append(gaps if numbers.n_gappy else "no value is missing")
    return told


def _told(finding: Finding) -> dict[str, str]:
    return {
        "code": finding.code,
        "level": finding.level,
        "what": sentence(finding.what) if not finding.evidence else _capital(finding.what),
        "evidence": finding.evidence,
        "remedy": _capital(finding.remedy),
    }


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
