"""Finds ids of several files that are one sample's but are spelled differently.

Step in the line: **files** -> Dataset. Programs change ids: R writes ``TCGA.A1`` for ``TCGA-A1``
and ``X12`` for ``12``, a spreadsheet writes ``1`` for ``001``, a pipeline adds ``_counts``. The
rules that undo this are tried from the mildest on. A rule that makes two ids of one file equal is
not used, and of the others only those that are needed.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Ids = Mapping[str, Sequence[str]]
"""The ids of each file, by block."""

N_TO_CUT = 3
"""A file needs as many ids before what all of them begin or end with is looked at."""

N_CUTS = 4
"""Places at which a common beginning, or end, is cut off: the outermost and the innermost ones."""


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _dotted(text: str) -> str:
    """Write each run of punctuation as one dot, as `make.names` of R nearly does."""
    return re.sub(r"[\W_]+", ".", text).strip(".") or text


def _without_x(text: str) -> str:
    return re.sub(r"^[xX][\W_]?(?=\d)", "", text)


def _without_decimals(text: str) -> str:
    return re.sub(r"^(\d+)\.0+$", r"\1", text)


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def _joined(text: str) -> str:
    """Leave out punctuation, but between digits: 1-01 is not 10-1."""
    return re.sub(r"[\W_]+(?!\d)|(?<!\d)[\W_]+", "", text) or text


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A difference in spelling that is ignored: its name, and how an id reads without it."""

    ignores: str
    spell: Callable[[str], str]


RULES = (
    Rule(ignores="unicode forms", spell=_composed),
    Rule(ignores="case", spell=str.casefold),
    Rule(ignores="punctuation", spell=_dotted),
    Rule(ignores="a leading X", spell=_without_x),
    Rule(ignores="'.0'", spell=_without_decimals),
    Rule(ignores="leading zeros", spell=_without_zeros),
    Rule(ignores="punctuation", spell=_joined),
)
"""The rules, the mildest first; the file-wide beginnings and ends come after them."""

_AFFIX = "what all ids of a file begin or end with"


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How far the ids of several files agree.

    Attributes
    ----------
    ids : dict of str to list of str
        The ids of each block in the spelling of the first file that has them.
    n_ids : int
        Ids of the smallest file.
    n_exact, n_loose : int
        Ids that are in every file: as written, and when the differences are ignored.
    ignored : tuple of str
        The differences that have to be ignored for it.
    example : tuple of str
        One sample's id as each file writes it, where these differ.
    merging : tuple of str, optional
        A difference that has to count, since ignoring it would let more ids agree, but would make
        one of two ids of a file: what it is, the block, and the two ids.
    """

    ids: dict[str, list[str]]
    n_ids: int
    n_exact: int
    n_loose: int
    ignored: tuple[str, ...]
    example: tuple[str, ...]
    merging: tuple[str, str, str, str] | None = None

    @property
    def gains(self) -> bool:
        """Whether more ids agree when the differences are ignored."""
        return self.n_loose > self.n_exact

    @property
    def sentence(self) -> str:
        """How many ids agree as written, and how many more there could be."""
        shown = " and ".join(map(repr, self.example))
        verb = "agrees" if self.n_exact == 1 else "agree"
        also = "does" if self.n_loose == 1 else "do"
        return (
            f"{self.n_exact} of {self.n_ids} ids {verb} as written; {self.n_loose} {also} when "
            f"{self.differences} {'are' if self.is_plural else 'is'} ignored, as {shown}"
        )

    @property
    def differences(self) -> str:
        """The ignored differences as words."""
        *first, last = self.ignored or ("nothing",)
        return f"{', '.join(first)} and {last}" if first else last

    @property
    def is_plural(self) -> bool:
        """Whether the words are followed by a plural."""
        return len(self.ignored) > 1 or self.ignored[:1] in {("unicode forms",), ("leading zeros",)}


def plain_id(entry: str) -> str:
    """Return what is left of an id when all rules are applied.

    Examples
    --------
    >>> plain_id("X01.0"), plain_id("TCGA.A1"), plain_id("tcga-a1")
    ('1', 'tcgaa1', 'tcgaa1')
    """
    for rule in RULES:
        entry = rule.spell(entry)
    return entry


def match_ids(ids: Ids) -> Matching:
    """Find the ids that agree, as written and when differences in spelling are ignored.

    Parameters
    ----------
    ids : mapping of str to sequence of str
        Of each file; unique in each.

    Returns
    -------
    Matching

    Examples
    --------
    >>> found = match_ids({"rna": ["X1.A", "X2.B"], "sheet": ["2-b", "1-a", "3-c"]})
    >>> found.sentence
    "0 of 2 ids agree as written; 2 do when case, punctuation and a leading X are ignored, as \
'X1.A' and '1-a'"
    >>> found.ids["sheet"]
    ['X2.B', 'X1.A', '3-c']
    """
    exact = set.intersection(*map(set, ids.values()))
    n_ids = min(len(entries) for entries in ids.values())
    rules, keys, merging = _usable_rules(ids, n_ids)
    n_found = _n_common(keys)
    # What all ids of a file begin with keeps nearly all of them apart, or none.
    cut = _cut(ids, rules) if 2 * n_found < n_ids else None
    if cut is not None and (2 * cut.n_found < n_ids or _spelling(ids, cut.keys, exact) is None):
        cut = None
    if cut is not None:
        keys, n_found = cut.keys, cut.n_found
    for rule in reversed(rules):  # those that are not needed go, the strongest first
        rest = [other for other in rules if other is not rule]
        less = None if cut is None else _cut(ids, rest)
        if cut is not None and (less is None or less.n_sides > cut.n_sides):
            continue
        fewer = _spelled(ids, rest) if less is None else less.keys
        if _n_common(fewer) >= n_found and _are_unique(fewer):
            rules, keys = rest, fewer
    spelled = _spelling(ids, keys, exact) or {
        block: list(entries) for block, entries in ids.items()
    }
    agreed = set.intersection(*map(set, spelled.values()))
    example = next((entry for entry in next(iter(spelled.values())) if entry in agreed - exact), "")
    shown = [
        ids[block][spelled[block].index(example)] for block in ids if example in spelled[block]
    ]
    return Matching(
        ids=spelled,
        n_ids=n_ids,
        n_exact=len(exact),
        n_loose=len(agreed),
        ignored=tuple(
            dict.fromkeys([*(rule.ignores for rule in rules), *([] if cut is None else [_AFFIX])])
        ),
        example=tuple(dict.fromkeys(shown)),
        merging=merging,
    )


def _usable_rules(
    ids: Ids, n_ids: int
) -> tuple[list[Rule], dict[str, list[str]], tuple[str, str, str, str] | None]:
    """Give the rules, up to the one that lets all ids agree, that keep apart the ids of a file.

    And the ids after them, and the first rule that would have helped but merges two ids.
    """
    used: list[Rule] = []
    keys = _spelled(ids, [])
    merging = None
    for rule in RULES:
        if _n_common(keys) == n_ids:
            break
        spelled = _spelled(keys, [rule])
        if _are_unique(spelled):
            used, keys = [*used, rule], spelled
        elif merging is None and _n_common(spelled) > _n_common(keys):
            merging = (rule.ignores, *_merged(ids, spelled))
    return used, keys, merging


def _merged(ids: Ids, spelled: Mapping[str, Sequence[str]]) -> tuple[str, str, str]:
    """Give the first two ids of a block that became equal."""
    for block, entries in spelled.items():
        seen: dict[str, str] = {}
        for key, entry in zip(entries, ids[block], strict=True):
            if key in seen:
                return block, seen[key], entry
            seen[key] = entry
    raise AssertionError("all ids differ")


def _spelled(ids: Ids, rules: Sequence[Rule]) -> dict[str, list[str]]:
    keys = {block: list(entries) for block, entries in ids.items()}
    for rule in rules:
        keys = {block: [rule.spell(key) for key in entries] for block, entries in keys.items()}
    return keys


def _are_unique(keys: Mapping[str, Sequence[str]]) -> bool:
    return all(len(set(entries)) == len(entries) for entries in keys.values())


def _n_common(keys: Mapping[str, Sequence[str]]) -> int:
    return len(set.intersection(*map(set, keys.values())))


def _spelling(
    ids: Ids, keys: Mapping[str, Sequence[str]], exact: set[str]
) -> dict[str, list[str]] | None:
    """Write the ids as the first file does; what agrees as written stays together.

    None if two files have an id that is written alike but would be two samples.
    """
    as_first: dict[tuple[bool, str], str] = {}
    key_of: dict[str, tuple[bool, str]] = {}
    spelled: dict[str, list[str]] = {}
    for block, entries in ids.items():
        spelled[block] = []
        for entry, plain in zip(entries, keys[block], strict=True):
            key = (True, entry) if entry in exact else (False, plain)
            if key_of.setdefault(entry, key) != key:
                return None
            spelled[block].append(as_first.setdefault(key, entry))
    return spelled


# ------------------------------------------------------------------ common beginnings and ends


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """The ids of each file without what all of them begin and end with."""

    keys: dict[str, list[str]]
    n_found: int
    n_letters: int
    n_sides: int


def _cut(ids: Ids, rules: Sequence[Rule]) -> _Cut | None:
    """Cut off what all ids of a file begin or end with, where most ids of all files agree then.

    Of equal ways the one that cuts least. None where a file has too few ids.
    """
    if any(len(entries) < N_TO_CUT for entries in ids.values()):
        return None
    keys = _spelled(ids, [rule for rule in rules if rule.spell is not _joined])
    finish = next((rule.spell for rule in rules if rule.spell is _joined), str)
    cuts = {
        block: [
            (begin, end, [finish(_core(entry, begin, end)) for entry in entries])
            for begin, end in _places(entries)
        ]
        for block, entries in keys.items()
    }
    best: _Cut | None = None
    for base in keys:
        for own in cuts[base]:
            chosen = {block: own if block == base else _fitting(own, cuts[block]) for block in keys}
            found = {block: cores for block, (_, _, cores) in chosen.items()}
            now = _Cut(
                keys=found,
                n_found=_n_common(found),
                n_letters=sum(begin + end for begin, end, _ in chosen.values()),
                n_sides=sum((begin > 0) + (end > 0) for begin, end, _ in chosen.values()),
            )
            is_better = best is None or (now.n_found, -now.n_letters) > (
                best.n_found,
                -best.n_letters,
            )
            if is_better and _are_unique(found):
                best = now
    return best


def _fitting(
    own: tuple[int, int, list[str]], cuts: Sequence[tuple[int, int, list[str]]]
) -> tuple[int, int, list[str]]:
    """Give the cut of another file that agrees best with this one."""
    mine = set(own[2])
    return max(
        (cut for cut in cuts if _may_agree(cut, own)),
        key=lambda cut: (len(mine.intersection(cut[2])), -cut[0] - cut[1]),
    )


def _may_agree(one: tuple[int, int, list[str]], other: tuple[int, int, list[str]]) -> bool:
    """Bare numbers are no evidence where both lost a beginning: P1 and S1, CA01 and CO01."""
    if not (one[0] and other[0]):
        return True
    return not all(core.isdigit() for core in (*one[2], *other[2]))


def _core(entry: str, begin: int, end: int) -> str:
    if not (begin or end):
        return entry
    return entry[begin : len(entry) - end].strip("._- ")


def _places(entries: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Lengths of beginnings and ends that may be cut off; nothing is one of them."""
    begins = _lengths(entries)
    ends = _lengths([entry[::-1] for entry in entries])
    shortest = min(map(len, entries))
    for begin, end in product(begins, ends):
        if begin + end < shortest and all(_core(entry, begin, end) for entry in entries):
            yield begin, end


def _lengths(entries: Sequence[str]) -> list[int]:
    """Where a common beginning may end: never within a word or a number."""
    first, last = min(entries), max(entries)
    same = [one == other for one, other in zip(first, last, strict=False)]
    n_shared = same.index(False) if False in same else len(same)
    places = [
        place
        for place in range(1, n_shared + 1)
        if all(_is_between(entry, place) for entry in entries)
    ]
    return [0, *(places if len(places) <= N_CUTS else [*places[:2], *places[-N_CUTS + 2 :]])]


def _is_between(entry: str, place: int) -> bool:
    if place >= len(entry):
        return False
    before, after = entry[place - 1], entry[place]
    within = (before.isdigit() and after.isdigit()) or (before.isalpha() and after.isalpha())
    return not within
