"""Finds persons who recur: in a column of ids that repeat, and hidden in the ids of the samples.

Step in the line: **files** -> Dataset. Rows of one person must not be in two folds; who they are is
advice, never a decision.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from smalldata.datasets.assembling import listed
from smalldata.datasets.commands import command
from smalldata.findings import Finding

MIN_ROWS = 6
MIN_PAIRED = 0.6
"""Share of rows whose person has another row; below it, equal beginnings are chance."""
MIN_RECURRING = 0.8
"""Share of rows whose ending other persons have, too: a few may have one more visit."""
MAX_ENDINGS = 12
"""Different endings of ids of one pattern: more are no visits or tissues of a person."""
MAX_MEAN = 20
"""Rows of a person on average."""

# What tells the samples of a person apart, behind a separator or glued to a number: when and on
# which side it was taken, or what it is.
_MOMENTS = (
    r"pre|post|before|after|baseline|base|bl|bsl|follow\W?up|fu|screening|end|start|left|right|"
    r"vor|nach|links|rechts|avant|apr[eè]s|gauche|droite?|antes|despu[eé]s|voor|na|prima|dopo"
)
_KINDS = (
    r"tumou?r|normal|primary|metastasis|met|relapse|diagnosis|remission|adjacent|on|off|"
    r"cancer|control|ctrl|case|treated|untreated|plasma|serum|urine|stool|saliva|blood|csf|"
    r"fasting|fasted|fed|stim|unstim|stimulated|unstimulated|am|pm|morning|evening|op|surgery|treatment|therapy|tx|dose|"
    r"eye|ear|knee|side|lobe|kidney|tissue"
)
_VISITS = (
    r"v|visit|t|tp|time|timepoint|d|day|w|wk|week|m|mo|month|y|yr|year|h|hr|hour|r|rep|replicate|"
    r"tr|br|s|session|run|scan|c|cycle|aliquot|dup|fu|slice|section|region|biopsy|bx|"
    r"visite|visita|besuch|termin|woche|tag|monat|jour|semaine|mois|semana|mes"
)


@dataclass(frozen=True)
class _Pattern:
    """A pattern of ids: its person, and its ending, or beginning, to judge it by."""

    person: str
    ending: str
    is_vague: bool = False
    is_before: bool = False

    @property
    def whole(self) -> re.Pattern[str]:
        """The expression that fits a whole id."""
        if self.is_before:
            before = rf"^(?P<prefix>(?:[A-Za-z]+(?:{_SEPARATOR}))?)"
            return re.compile(rf"{before}(?P<ending>{self.ending}){self.person}")
        return re.compile(rf"{self.person}(?P<ending>{self.ending})\)?$")


_DATE = re.compile(r"\d{4}[-/._]?\d{2}[-/._]?\d{2}(?!\d)|\d{2}[-/.]\d{2}[-/.]\d{4}")
_SEPARATOR = r" ?[._\-:/ (#|] ?"
_WORD = rf"(?i:{_MOMENTS}|{_KINDS})"
_ENDINGS = rf"{_WORD}(?:(?:{_SEPARATOR})?(?:{_WORD}|\d{{1,2}}))?"
_VISIT = rf"(?i:{_VISITS})(?:{_SEPARATOR})?\d{{1,3}}"
# In this order: the more a pattern says, the earlier.
_PATTERNS = (
    # A barcode of TCGA: the patient and the kind of sample.
    _Pattern(r"^(?P<person>TCGA[-.]\w{2}[-.]\w{4})", r"[-.]\d{2}[A-Z]?(?:[-.].*)?"),
    _Pattern(
        r"^(?P<person>.*?\d)" + _SEPARATOR,
        rf"(?:{_WORD}|{_VISIT}){_SEPARATOR}(?:{_WORD}|{_VISIT})",
    ),
    _Pattern(r"^(?P<person>.+?)" + _SEPARATOR, _ENDINGS),
    _Pattern(r"^(?P<person>.+?)" + _SEPARATOR, _VISIT),
    _Pattern(r"^(?P<person>\d+)" + _SEPARATOR, r"[A-Za-z][A-Za-z0-9]*"),
    _Pattern(r"^(?P<person>.*\d)" + _SEPARATOR, r"[A-Za-z]{1,3}"),
    _Pattern(r"^(?P<person>.*\d)" + _SEPARATOR, r"\d{1,2}"),
    _Pattern(
        r"^(?P<person>.*\d)" + _SEPARATOR,
        r"(?:19|20)\d{2}|[A-Za-z]{1,3}\d{1,2}",
        is_vague=True,
    ),
    _Pattern(r"^(?P<person>.*\d)", r"[A-Za-z]", is_vague=True),
    _Pattern(r"^(?P<person>.*\d)", _ENDINGS, is_vague=True),
    _Pattern(r"^(?P<person>.*\d)", _VISIT, is_vague=True),
    # In front of the person only what can be nothing else: case_1 and control_1 are two persons.
    _Pattern(
        _SEPARATOR + r"(?P<person>.*\d.*)$",
        rf"(?i:{_MOMENTS}|(?:visit|v|t|tp|time|timepoint|day|w|wk|week|month|year|session|"
        rf"rep|replicate)(?:{_SEPARATOR})?\d{{1,3}})",
        is_before=True,
    ),
    _Pattern(r"(?P<person>\d+)$", rf"(?i:{_MOMENTS})", is_vague=True, is_before=True),
)


def persons_column(name: str, n_ids: int, n_rows: int) -> Finding:
    """Say that a column of ids that repeat is no feature."""
    return Finding(
        code="SD008",
        what=f"column {name!r} has {n_ids} values in {n_rows} rows, as ids that repeat, and is no "
        "feature",
        remedy=f"if these are repeated measures, set {command('groups', name)}, so that nobody is "
        f"in two folds; take it in with {command('categorical', [name])}",
    )


def persons_in_ids(sample_ids: Sequence[str]) -> list[Finding]:
    r"""Find persons who recur in the ids: subject3_pre, P01-V2, 12A, V1_P01, TCGA-02-0001-11.

    A pattern is taken where it pairs rows: most of them share their person with another row, each
    person has an ending once, and there are few endings, which recur from person to person. Plain
    numbering (S1 … S24) and the wells of a plate (A01 … H12) have none.

    Parameters
    ----------
    sample_ids : sequence of str

    Returns
    -------
    list of Finding
        At most one.
    """
    if len(sample_ids) < MIN_ROWS or all(_DATE.match(entry) for entry in sample_ids):
        return []
    for pattern in _PATTERNS:
        found = [match for entry in sample_ids if (match := pattern.whole.search(entry))]
        if len(found) < len(sample_ids):
            continue
        if pattern.is_before and len({match["prefix"] for match in found}) > 1:
            continue
        if pattern.is_before and _count_treatments([match["ending"] for match in found]):
            continue
        persons = [match["person"] for match in found]
        endings = [match["ending"] for match in found]
        if not _pairs_rows(persons, endings, is_vague=pattern.is_vague):
            continue
        written = _written(pattern, persons, endings, sample_ids)
        if written is None:
            continue
        counts = Counter(persons)
        first = next(person for person in persons if counts[person] > 1)
        rows = [entry for entry, person in zip(sample_ids, persons, strict=True) if person == first]
        return [
            Finding(
                code="SD002",
                what=f"the ids name {len(counts)} persons (or the like) in {len(sample_ids)} rows",
                evidence=f"{first!r} has {listed(rows)}",
                remedy="if so, keep the rows of one together with "
                f"{command('groups', f'id:{written}')}, which makes {len(counts)} groups",
            )
        ]
    return []


def _count_treatments(beginnings: Sequence[str]) -> bool:
    """Whether ids begin with T1, T2, T3, which may be treatments; T0 and T6 are times."""
    if not all(re.fullmatch(r"[TtWw]\W?\d+", beginning) for beginning in beginnings):
        return False
    numbers = {int(re.sub(r"\D", "", beginning)) for beginning in beginnings}
    return numbers == set(range(1, len(numbers) + 1))


def _pairs_rows(persons: Sequence[str], endings: Sequence[str], *, is_vague: bool) -> bool:
    """Whether persons recur, each ending with a person once, the endings with several persons."""
    rows_of, with_ending = Counter(persons), Counter(endings)
    if len(rows_of) < 3 or len(persons) / len(rows_of) > MAX_MEAN:
        return False
    if sum(count for count in rows_of.values() if count > 1) < MIN_PAIRED * len(persons):
        return False
    if len(set(zip(persons, endings, strict=True))) < len(persons):
        return False
    is_number = all(ending.isdigit() for ending in endings)
    most = 4 if is_vague or is_number else MAX_ENDINGS
    recurring = sum(count for count in with_ending.values() if count > 1)
    return 2 <= len(with_ending) <= most and recurring >= MIN_RECURRING * len(endings)


def _written(
    pattern: _Pattern, persons: Sequence[str], endings: Sequence[str], sample_ids: Sequence[str]
) -> str | None:
    r"""Write the shortest expression that makes the same groups: ``^(subject\d+)``."""
    stems = {re.sub(r"\d+$", "", person) for person in persons}
    start, end = ("", "$") if pattern.is_before else ("^", "")
    simple = []
    if len(stems) == 1 and re.fullmatch(r"(?:[^\W\d]|[ :/-])*", stem := next(iter(stems))):
        simple.append(rf"{start}({stem}\d+){end}")
    simple.append(rf"{start}([^._ :/(-]+){end}")
    written = "|".join(re.escape(ending).replace(r"\ ", " ") for ending in sorted(set(endings)))
    if pattern.is_before:
        simple.append(rf"(?:{written})[._ :/(-]*(.+)$")
    else:
        simple += [r"^(.+)[._ :/-]", r"^(.*\d)[._ :/-]", rf"^(.+?)[._ :/(-]*(?:{written})\)?$"]
    for expression in simple:
        matches = [re.search(expression, entry) for entry in sample_ids]
        if [match and match[1] for match in matches] == list(persons):
            return expression
    return None
