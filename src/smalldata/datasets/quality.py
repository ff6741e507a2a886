"""Finds rows of quality control: pools, blanks and standards that were measured among the samples.

Step in the line: **files** -> Dataset. They are named, never left out unasked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from smalldata.datasets.assembling import listed
from smalldata.datasets.commands import command
from smalldata.datasets.naming import words_of
from smalldata.datasets.vocabulary import QC_WORDS, WEAK_QC_WORDS
from smalldata.findings import Finding

MAX_TYPES = 12
"""Values of a column that says what kind of sample a row is."""


def quality_controls(
    classes: Sequence[str] | None,
    sample_ids: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    *,
    target: str,
    named: bool = False,
) -> list[Finding]:
    """Rows that look like quality controls by their class, by their id, or by another column.

    Words as `vocabulary.QC_WORDS`, with or without a number behind. Where half of the rows or more
    have them, they mean something else. Words that honest classes have, too (standard, reference),
    count only beside the others.

    Parameters
    ----------
    classes : sequence of str or None
        Class of each row; None for a target of numbers.
    sample_ids : sequence of str
    columns : mapping of str to sequence of str
        Other columns of text.
    target : str
        Name of the target.
    named : bool
        The user said which classes to keep.

    Returns
    -------
    list of Finding
        At most one.
    """
    n_rows = len(sample_ids)
    by_id = [row for row, entry in enumerate(sample_ids) if _is_control(entry)]
    by_id = by_id if len(by_id) * 2 < n_rows else []
    if classes is not None and not named:
        counts = Counter(classes)
        found = _controls(counts, by_name=bool(by_id))
        left = [name for name in counts if name not in found]
        if found and len(left) > 1 and sum(counts[name] for name in found) * 2 < n_rows:
            return [_by_class(found, left, counts, target)]
    if by_id:
        return [_by_id(by_id, sample_ids, classes)]
    for name, entries in columns.items():
        if entries[0][:1].isdigit():  # tables have thousands of columns of numbers
            continue
        counts = Counter(entry for entry in entries if entry)
        if not 2 <= len(counts) <= MAX_TYPES:
            continue
        found = _controls(counts, by_name=False)
        n_found = sum(counts[entry] for entry in found)
        if found and n_found * 2 < n_rows:
            return [
                Finding(
                    code="SD004",
                    what=f"{n_found} row{'s' * (n_found > 1)} look like quality controls by column "
                    f"{name!r}",
                    evidence=", ".join(f"{entry!r} {counts[entry]}" for entry in found),
                    remedy="leave them out of the file unless they are samples",
                )
            ]
    return []


def _by_class(
    found: Sequence[str], left: Sequence[str], counts: Mapping[str, int], target: str
) -> Finding:
    many = len(found) > 1
    return Finding(
        code="SD004",
        what=f"class{'es' * many} of {target!r} that look{'s' * (not many)} like quality controls",
        evidence=", ".join(f"{name!r} {counts[name]}" for name in found),
        remedy=f"keep the others with {command('classes', sorted(left))}",
    )


def _by_id(
    rows: Sequence[int], sample_ids: Sequence[str], classes: Sequence[str] | None
) -> Finding:
    said = "leave them out of the file unless they are samples"
    if classes is not None:
        theirs = {classes[row] for row in rows}
        inside = set(rows)
        others = {name for row, name in enumerate(classes) if row not in inside}
        if not theirs & others and len(others) > 1:
            said = f"keep the other classes with {command('classes', sorted(others))}"
    return Finding(
        code="SD004",
        what=f"{len(rows)} row{'s' * (len(rows) > 1)} look like quality controls by their ids",
        evidence=listed([sample_ids[row] for row in rows]),
        remedy=said,
    )


def _controls(counts: Mapping[str, int], *, by_name: bool) -> list[str]:
    strong = [name for name in counts if _is_control(name)]
    if not strong and not by_name:
        return []
    return [name for name in counts if name in strong or _tokens(name) & WEAK_QC_WORDS]


def _is_control(entry: str) -> bool:
    """Whether it has such a word, as a word of its own or all its letters."""
    tokens = _tokens(entry)
    return bool(tokens & QC_WORDS) or any(
        token.startswith("qc") or token.endswith("qc") for token in tokens
    )


def _tokens(entry: str) -> frozenset[str]:
    """Words of letters, also split where the case changes, and all letters together."""
    letters = words_of(entry)
    return frozenset([*letters, *words_of(entry.lower()), "".join(letters)])
