"""What a table holds among its numbers: reported, or refused, in one sentence.

Step in the line: **files** -> Dataset. `columns` types columns one by one; this gathers what they
hold: markers of missing values and of limits of detection, flags, words, zeros.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smalldata.datasets.assembling import N_NAMES_SHOWN, listed
from smalldata.datasets.columns import TypedColumn, shown
from smalldata.datasets.commands import command
from smalldata.datasets.detection import BRACKETS, NOTHING, Met, is_vague
from smalldata.datasets.side_by_side import Features, parts_of
from smalldata.errors import DataError
from smalldata.findings import Finding

N_KINDS = 12
"""Markers that a sentence lists with their counts; more are stated limits, each its own text."""

N_WORDS = 60
"""Words that are offered as missing; a table with more has columns of text."""

LARGE = 1000.0
"""Intensities are at least this; a count or a concentration between 0 and it clears a column."""

FEWEST_COLUMNS = 3
"""Columns that must have such zeros before they are said: in one alone, 0 may be an income."""

FEWEST_ZEROS = 10
"""Zeros that they must have together."""

CLEARED = 0.05
"""Share of the columns with zeros that may have smaller values without clearing all."""


@dataclass
class Marks:
    """What was met in the columns of one table.

    Attributes
    ----------
    below_detection : str or None
        As in `smalldata.datasets.options.TableOptions`.
    met : dict of str to Met
        By the name of the column; only those that hold something.
    """

    below_detection: str | None
    met: dict[str, Met] = field(default_factory=dict)
    _lowest: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, column: TypedColumn) -> None:
        """Take note of a typed column."""
        met = column.met
        if met is NOTHING:
            return
        self.met[name] = met
        if met.below and isinstance(column.values, np.ndarray):
            self._lowest[name] = float(np.nanmin(column.values, initial=np.inf))

    def check(self, where: Callable[[int], str], suspects: Sequence[Finding] = ()) -> None:
        """Refuse what no option says what to do with, all of it at once.

        Parameters
        ----------
        where : callable
            Names a row by its position.
        suspects : sequence of Finding
            Columns that may be metadata: left out, their cells need no option.

        Raises
        ------
        DataError
        """
        open_columns = {name: met for name, met in self.met.items() if met.unsettled}
        if open_columns:
            message, settings = _refusal(open_columns, where)
            suspected = [f" But {f.what}: {f.evidence}; {f.remedy}." for f in suspects]
            raise DataError(message + "".join(suspected), settings=settings)
        negative = [name for name, low in self._lowest.items() if low < 0]
        if self.below_detection == "half" and negative:
            name = negative[0]
            raise DataError(
                "dataset.below_detection=half needs columns without negative values, since half of "
                f"a negative number is larger; {listed(negative)} {_have(negative)} some next to "
                f"values below a limit (down to {self._lowest[name]:g}). Use "
                "dataset.below_detection=value (the smallest value itself) for logarithms and "
                "background-corrected values, or missing."
            )

    def findings(self) -> list[Finding]:
        """Say what was done, one finding a kind."""
        return [*self._missing(), *self._limits(), *self._flags(), *self._zeros()]

    def _missing(self) -> list[Finding]:
        found, columns = self._total("missing")
        if not columns:
            return []
        return [
            Finding(
                code="SD040",
                what=f"{_cells(found)} in {_columns(columns)} taken as missing",
                evidence=_counted(found),
            )
        ]

    def _limits(self) -> list[Finding]:
        below, columns = self._total("below")
        above, columns_above = self._total("above")
        taken = {
            "missing": "taken as missing",
            "half": "taken as half of the stated limit, or half of the column's smallest training "
            "value where none is stated",
            "value": "taken as the stated limit, or the column's smallest training value where "
            "none is stated",
        }.get(self.below_detection or "", "")
        found = []
        if columns:
            found.append(
                Finding(
                    code="SD041",
                    what=f"{_cells(below)} below a limit of detection in {_columns(columns)}, "
                    f"{taken}",
                    evidence=_counted(below),
                )
            )
        if columns_above:
            rest = (
                "missing"
                if self.below_detection == "missing"
                else "the column's largest training value"
            )
            found.append(
                Finding(
                    code="SD041",
                    what=f"{_cells(above)} above a limit in {_columns(columns_above)}, taken as "
                    f"the stated limit, or {rest} where none is stated",
                    evidence=_counted(above),
                )
            )
        return found

    def _flags(self) -> list[Finding]:
        found, columns = self._total("flags")
        if not columns:
            return []
        n = found.total()
        return [
            Finding(
                code="SD042",
                what=f"flags taken off {n} number{'s' * (n > 1)} in {_columns(columns)}",
                evidence=_counted(found),
            )
        ]

    def _zeros(self) -> list[Finding]:
        counts = {name: met.n_zeros for name, met in self.met.items() if met.n_zeros}
        if not counts:
            return []
        return [
            Finding(
                code="SD043",
                what=f"{sum(counts.values())} zeros in {_columns(list(counts))} taken as missing",
                evidence=listed(list(counts)),
            )
        ]

    def _total(self, what: str) -> tuple[Counter[str], list[str]]:
        total: Counter[str] = Counter()
        columns = []
        for name, met in self.met.items():
            if here := getattr(met, what):
                total += here
                columns.append(name)
        return total, columns

    @property
    def n_unknown(self) -> int:
        """Number of cells whose limit is learned in each fold."""
        rows = [
            part for met in self.met.values() for part in (met.below_unknown, met.above_unknown)
        ]
        return sum(int(part.sum()) for part in rows if part is not None)


def suspect_zeros(features: Features, blocks: Sequence[str]) -> list[Finding]:
    """Zeros that look like missing intensities: nothing lies between them and thousands.

    A block is suspected if nearly all of its columns with zeros have no other value below `LARGE`,
    unlike counts of reads, taxa and cells, whose small numbers fill the gap.

    Parameters
    ----------
    features : Features
    blocks : sequence of str
        Block of each feature.

    Returns
    -------
    list of Finding
    """
    n_zeros, is_gap = np.zeros((2, len(features.numeric)), dtype=np.int64)
    for part, values in parts_of(features.matrix):
        zero = values == 0
        if zero.any():
            n_zeros[part] = zero.sum(axis=1)
            small = (values < LARGE) & ~zero
            is_gap[part] = ~small.any(axis=1) & (values >= LARGE).any(axis=1)
    block_of = dict(zip(features.columns, blocks, strict=True)) if n_zeros.any() else {}
    found = []
    for block in dict.fromkeys(block_of.values()):
        is_here = np.array([block_of[name] == block for name in features.numeric])
        with_zeros = is_here & (n_zeros > 0)
        suspects = with_zeros & (is_gap > 0)
        if (
            suspects.sum() >= FEWEST_COLUMNS
            and suspects.sum() >= (1 - CLEARED) * with_zeros.sum()
            and n_zeros[suspects].sum() >= FEWEST_ZEROS
        ):
            names = [features.numeric[place] for place in np.flatnonzero(suspects)]
            found.append(
                Finding(
                    code="SD043",
                    what=f"{n_zeros[suspects].sum()} zeros in {len(names)} columns whose other "
                    f"values are all {LARGE:g} or more look like missing values",
                    evidence=listed(names),
                    remedy="if they are, set dataset.zeros=missing",
                )
            )
    return found


_TITLES = {
    "below": "below a limit of detection",
    "above": "above a limit",
    "flags": "flags",
    "words": "other text",
}


def _refusal(columns: Mapping[str, Met], where: Callable[[int], str]) -> tuple[str, dict[str, Any]]:
    """Say what stands among numbers, and what to type; give the settings that take all of it."""
    totals = {kind: Counter[str]() for kind in _TITLES}
    for met in columns.values():
        for what in met.unsettled:
            for kind in ("below", "above") if what == "below" else (what,):
                totals[kind] += getattr(met, kind)
    names = list(columns)
    n = sum(total.total() for total in totals.values())
    row, cell = min(
        (met.first for met in columns.values() if met.first is not None), key=lambda first: first[0]
    )
    parts = [f"{_TITLES[kind]} {_counted(total)}" for kind, total in totals.items() if total]
    if n == 1:
        told = f"{names[0]!r} has {shown(cell)} in {where(row)}"
    else:
        told = (
            f"{listed(names)} {_have(names)} {n} other cells, first {shown(cell)} in {where(row)}: "
            f"{'; '.join(parts)}"
        )
    remedies, typed = [], []
    settings: dict[str, Any] = {}
    if totals["below"] or totals["above"]:
        remedies.append(
            "take values below a limit as missing with dataset.below_detection=missing, or as "
            "half of the limit with dataset.below_detection=half"
        )
        typed.append("dataset.below_detection=half")
        settings["below_detection"] = "missing"
        if vague := [cell for cell in totals["below"] if is_vague(cell)]:
            option = command("missing", vague)
            remedies[-1] += f" (or, where {shown(vague[0])} means not done, with {option})"
    if totals["flags"]:
        sign = next(
            (
                " (numbers in brackets are not negative then)"
                for b in BRACKETS
                if b in totals["flags"]
            ),
            "",
        )
        remedies.append(f"take flags off numbers with dataset.strip_flags=true{sign}")
        typed.append("dataset.strip_flags=true")
        settings["strip_flags"] = True
    words = list(totals["words"])
    if words and len(words) <= N_WORDS and all(word.isprintable() for word in words):
        option = command("missing", words)
        remedies.append(f"take {'it' if n == 1 else 'other text'} as missing with {option}")
        typed.append(option)
        settings["missing"] = words
    together = f" (all together: {' '.join(typed)})" if len(typed) > 1 else ""
    if not typed or len(names) <= N_NAMES_SHOWN:
        which = "the column" if len(names) == 1 else "columns"
        remedies.append(f"take {which} as categories with {command('categorical', names)}")
    *others, last = remedies
    ways = f"{'; '.join(others)}{together}; or {last}" if others else last
    message = (
        f"a numeric column must hold numbers only; {told}. "
        f"Correct {'it' if n == 1 else 'them'}, or {ways}."
    )
    return message, settings


def _counted(found: Counter[str]) -> str:
    listed_ = ", ".join(f"{shown(cell)} {count}" for cell, count in found.most_common(N_KINDS))
    if len(found) <= N_KINDS:
        return listed_
    rest = sum(count for _, count in found.most_common()[N_KINDS:])
    return f"{listed_} and {rest} of {len(found) - N_KINDS} other kinds"


def _cells(found: Counter[str]) -> str:
    n = found.total()
    return f"{n} cell{'s' * (n > 1)}"


def _columns(names: Sequence[str]) -> str:
    return f"{len(names)} column{'s' * (len(names) > 1)}"


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
