"""Chooses and merges the classes of a target, and finds labels that are one in several spellings.

Step in the line: **files** -> Dataset. Nothing is merged or left out that was not asked for.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed, nearest
from smalldata.datasets.columns import parse_number
from smalldata.datasets.commands import command
from smalldata.datasets.naming import without_accents
from smalldata.datasets.options import TableOptions
from smalldata.datasets.vocabulary import SAME_CLASSES, SHORT_FORMS
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding

_BOOLEAN_WORDS = {"true", "false", "yes", "no"}
# Apostrophes and dashes that a word processor makes of the plain ones.
_SIGNS = str.maketrans(dict.fromkeys("’‘`´ʼ", "'") | dict.fromkeys("–—−‐‑", "-"))
# A mapping on the command line takes such keys only.
_KEY = re.compile(r"(?!(?i:true|false|null|nan|inf)$)[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What became of the classes.

    Attributes
    ----------
    labels : list of str
        Class of each row, also of those that leave.
    kept : ndarray of bool
        Rows that stay.
    findings : tuple of Finding
    """

    labels: list[str]
    kept: NDArray[np.bool_]
    findings: tuple[Finding, ...] = field(default=())


def choose_classes(
    labels: Sequence[str], options: TableOptions, *, target: str, decimal: str = "."
) -> Choice:
    """Keep and merge the classes that the user names; refuse one class in several spellings.

    Parameters
    ----------
    labels : sequence of str
        Class of each row.
    options : TableOptions
        Of these ``classes`` and ``ignore_case``. A mapping gives a class its spellings; its own
        name is one of them.
    target : str
        Name of the target.
    decimal : str

    Returns
    -------
    Choice

    Raises
    ------
    ConfigError
        If a class is named that is none, or twice.
    DataError
        If labels differ in spelling only; the merge is offered.
    """
    counts = Counter(labels)
    owner = {name: name for name in counts}
    if options.ignore_case:
        for names in _groups(counts, case_key):
            best = max(names, key=lambda name: counts[name])
            owner |= dict.fromkeys(names, best)
    classes = options.classes
    wanted: dict[str, list[str]] | None = None
    if isinstance(classes, Mapping):
        wanted = {
            _text(key): [*([_text(key)] if _text(key) in counts else []), *_texts(value)]
            for key, value in classes.items()
        }
    elif classes is not None:
        wanted = {name: [name] for name in _texts(classes)}
    if wanted is not None:
        owner = _owners(wanted, counts, options, target=target)
    else:
        _check_spellings(Counter(owner[name] for name in labels), {}, target, decimal)
    if wanted is not None and not isinstance(classes, Mapping):
        _check_spellings(counts, owner, target, decimal)
    kept = np.array([name in owner for name in labels], dtype=bool)
    return Choice(
        labels=[owner.get(name, name) for name in labels],
        kept=kept,
        findings=tuple(_told(counts, owner)),
    )


def _texts(value: object) -> list[str]:
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [_text(entry) for entry in entries]


def _text(entry: object) -> str:
    """Write a class that yaml took for a truth value or a number as it stands in a table."""
    if isinstance(entry, bool):
        return str(entry).lower()
    number = isinstance(entry, float) and entry.is_integer()
    return str(int(entry)) if number and isinstance(entry, float) else str(entry).strip()


def _owners(
    wanted: Mapping[str, Sequence[str]],
    counts: Mapping[str, int],
    options: TableOptions,
    *,
    target: str,
) -> dict[str, str]:
    """Map each label that stays to the class that it is counted as."""
    owner: dict[str, str] = {}
    for new, spellings in wanted.items():
        for spelling in dict.fromkeys(spellings):
            found = _found(spelling, counts, ignore_case=options.ignore_case)
            if not found:
                raise ConfigError(
                    f"classes must name classes of {target!r} ({listed(sorted(counts))}); there is "
                    f"no class {spelling!r}{nearest(spelling, sorted(counts))}"
                )
            for name in found:
                if owner.get(name, new) != new:
                    raise ConfigError(
                        f"classes must name each class once; {name!r} of {target!r} is in "
                        f"{owner[name]!r} and in {new!r}."
                    )
                # A list keeps the label as it stands: [True] may mean TRUE.
                is_list = not isinstance(options.classes, Mapping)
                owner[name] = name if is_list and not options.ignore_case else new
    return owner


def _found(spelling: str, counts: Mapping[str, int], *, ignore_case: bool) -> list[str]:
    same = [name for name in counts if case_key(name) == case_key(spelling)]
    if ignore_case:
        return same
    if spelling in counts:
        return [spelling]
    return same if len(same) == 1 else []


def case_key(name: str) -> str:
    """Return a label without its case and blanks."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


def spelling_key(name: str) -> str:
    """Return a label without its case, accents and the separators between letters.

    Signs and digits stay, since they tell classes apart: A and A+, 3+4 and 4+3, -1 and 1.
    """
    text = without_accents(case_key(name).translate(_SIGNS))
    text = re.sub(r"(?<=[^\W\d_])\.(?=[^\W\d_]|$)", "", text)
    text = re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", "", text)
    text = re.sub(r"(?<=[^\W\d_])[\s_-]+(?=\d)|(?<=\d)[\s_-]+(?=[^\W\d_])", "", text)
    text = re.sub(r"(?<=[^\W_])\s+(?=\W)|(?<=\W)\s+(?=[^\W_])", "", text)
    return SHORT_FORMS.get(text, text)


def similar(counts: Mapping[str, int], *, decimal: str = ".") -> list[list[str]]:
    """Find labels that are one in several spellings; numbers are none.

    Genotypes (AA, Aa, aa) differ in case and are several. TRUE, true and 1 are one where all
    labels are such words, and so are pos and positive beside negative; see
    `vocabulary.SAME_CLASSES`.
    """
    if all(parse_number(name, decimal) is not None for name in counts):
        return []
    keys = {name: spelling_key(name) for name in counts}
    folded = set(keys.values())
    for pair in SAME_CLASSES:
        # One letter of each alone is anything: N and R beside NR.
        is_told = folded <= pair[0] | pair[1] and any(len(key) > 2 for key in folded)
        sides = [[name for name in counts if keys[name] in side] for side in pair]
        if is_told and all(sides) and len(folded) > 2:
            return [side for side in sides if len(side) > 1]
    return [
        names for names in _groups(counts, spelling_key) if not _is_genotype(spelling_key(names[0]))
    ]


def _is_genotype(key: str) -> bool:
    return bool(re.fullmatch(r"([a-z])/?\1?", key))


def _groups(counts: Mapping[str, int], key: object) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for name in counts:
        found.setdefault(key(name), []).append(name)  # type: ignore[operator]
    return [names for names in found.values() if len(names) > 1]


def _check_spellings(
    counts: Mapping[str, int], owner: Mapping[str, str], target: str, decimal: str
) -> None:
    """Refuse spellings of one class, unless the user named each of them."""
    groups = similar(counts, decimal=decimal)
    if owner:
        groups = [names for names in groups if any(n in owner for n in names)]
        groups = [names for names in groups if not all(n in owner for n in names)]
    if not groups:
        return
    merged: dict[str, list[str]] = {}
    alone = [name for name in counts if not any(name in names for names in groups)]
    kept = [[name] for name in alone if not owner or name in owner]
    for place, names in enumerate([*groups, *kept], start=1):
        best = max(names, key=lambda name: counts[name])
        merged[_key(best, names, merged, place)] = sorted(names)
    shown = "; ".join(
        ", ".join(f"{name!r} {counts[name]}" for name in sorted(names)) for names in groups
    )
    case_only = all(len({case_key(name) for name in names}) == 1 for names in groups)
    ignoring = " or all that differ in case and blanks with dataset.ignore_case=true"
    raise DataError(
        f"each class of {target!r} must have one spelling; it has {shown}. Merge them with "
        f"{command('classes', merged)}{ignoring if case_only else ''}; or keep them apart by "
        f"naming each: {command('classes', sorted(counts))}.",
        settings={"ignore_case": True} if case_only else {"classes": merged},
    )


def _key(best: str, names: Sequence[str], taken: Mapping[str, object], place: int) -> str:
    """Name a merged class so that the command line takes it."""
    signed = re.sub(r"[+-]$", lambda sign: "_pos" if sign[0] == "+" else "_neg", best)
    plain = unicodedata.normalize("NFKD", signed).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    lower = f"is_{best.lower()}" if best.lower() in _BOOLEAN_WORDS else ""
    choices = (best, *sorted(names), lower, cleaned, re.sub(r"^[\d_]+", "", cleaned))
    for choice in choices:
        if choice and _KEY.fullmatch(choice) and choice not in taken:
            return choice
    return f"class{place}"


def _told(counts: Mapping[str, int], owner: Mapping[str, str]) -> list[Finding]:
    """Say which classes left, and which were merged."""
    gone = [name for name in counts if name not in owner]
    merged = [name for name in counts if owner.get(name, name) != name]
    findings = []
    if gone:
        n_gone = sum(counts[name] for name in gone)
        findings.append(
            Finding(
                code="SD006",
                what=f"{n_gone} row{'s' * (n_gone > 1)} of other classes left out",
                evidence=", ".join(f"{name!r} {counts[name]}" for name in gone[:5])
                + (f" and {len(gone) - 5} more" if len(gone) > 5 else ""),
            )
        )
    if merged:
        n_merged = sum(counts[name] for name in merged)
        findings.append(
            Finding(
                code="SD006",
                what=f"{n_merged} row{'s' * (n_merged > 1)} counted as another class",
                evidence=", ".join(
                    f"{name!r} {counts[name]} as {owner[name]!r}" for name in merged[:5]
                ),
            )
        )
    return findings
