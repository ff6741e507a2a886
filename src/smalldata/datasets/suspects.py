"""Features that should not be there: leaks of the target, its other spellings, copies, constants.

Step in the line: **files** -> Dataset. Nothing is left out; each kind gives one finding. The
columns are walked over once, a block at a time, so that a table of 450,000 is not copied.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.assembling import N_NAMES_SHOWN, listed
from smalldata.datasets.commands import command
from smalldata.datasets.leaks import leaks
from smalldata.datasets.separation import Order, Separation, Walk, separations
from smalldata.datasets.side_by_side import Features, in_threads, is_finite, parts_of
from smalldata.datasets.vocabulary import TARGET_AFFIXES
from smalldata.findings import Finding
from smalldata.task import TaskKind

N_TOGETHER = 2048
"""Columns of which the best ones are looked at exactly."""

N_VALUES = 10
"""Values a column must have to be called nearly constant."""

SHARE_DIFFERENT = 0.02
"""Of the values of a nearly constant column, at most these (and at most one of fewer than 100)
differ from the others: in most folds, none of them is among the test rows."""

SMALLEST = 1e-120
"""Length of a column whose square is a float with all its digits; its inverse: the largest."""

EXPECTED_BY_CHANCE = 0.01
"""Pairs of equal columns that chance may give in the whole table: columns of two values, as
mutations have, are equal by chance in wide tables."""


def suspects(
    features: Features, y: NDArray[np.generic], *, target: str, kind: TaskKind
) -> list[Finding]:
    """All findings on the features of one table and on their relation to its target.

    Parameters
    ----------
    features : Features
    y : ndarray of shape (n_samples,)
    target : str
    kind : TaskKind

    Returns
    -------
    list of Finding
    """
    facts = _walk(features, y, kind=kind)
    return [
        *leaks(facts.separations, y, n_features=len(features.columns), target=target, kind=kind),
        *named_like(list(features.columns), target=target),
        *_constants(features, facts),
        *copies(features, facts),
    ]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the walk over the columns tells.

    Attributes
    ----------
    names : list of str
        The numeric columns.
    constant, nearly : list of str
        Columns of one value, and of one value but for a few rows.
    sketches : ndarray of shape (n_numeric, 3)
        Equal for columns that are equal up to sign, scale and shift; NaN for nearly constant ones.
    separations : list of Separation
        The features that tell most of the target.
    """

    names: list[str]
    constant: list[str]
    nearly: list[str]
    sketches: NDArray[np.float64]
    separations: list[Separation]


def _walk(features: Features, y: NDArray[np.generic], *, kind: TaskKind) -> Facts:
    names, matrix = features.numeric, features.matrix
    walk = separations(y, kind=kind)
    # Sorting and arithmetic in numpy, which threads can do side by side.
    looks = in_threads(
        lambda start: _look(matrix[:, start : start + N_TOGETHER], walk),
        range(0, len(names), N_TOGETHER),
    )
    for number, look in enumerate(looks):
        part = slice(number * N_TOGETHER, (number + 1) * N_TOGETHER)
        walk.add_numbers(names[part], matrix[:, part].T, look.scores)
        walk.add_gaps([names[part.start + place] for place in np.flatnonzero(look.is_gap)])
    constant, nearly = (
        [name for name, is_one in zip(names, found, strict=True) if is_one]
        for found in (
            np.concatenate([np.zeros(0, dtype=bool), *(look.is_constant for look in looks)]),
            np.concatenate([np.zeros(0, dtype=bool), *(look.is_nearly for look in looks)]),
        )
    )
    for name, column in features.categorical.items():
        counts = np.bincount(column.codes[column.codes >= 0], minlength=1)
        n_other = int(counts.sum() - counts.max())
        if counts.sum() and not n_other:
            constant.append(name)
        elif counts.sum() >= N_VALUES and n_other <= max(1, SHARE_DIFFERENT * counts.sum()):
            nearly.append(name)
        walk.add_categories(name, column)
    return Facts(
        names=names,
        constant=constant,
        nearly=nearly,
        sketches=np.concatenate([np.zeros((0, 3)), *(look.sketches for look in looks)]),
        separations=walk.found(),
    )


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What is found out about some columns of numbers, one entry each."""

    scores: NDArray[np.float64]
    is_constant: NDArray[np.bool_]
    is_nearly: NDArray[np.bool_]
    is_gap: NDArray[np.bool_]
    sketches: NDArray[np.float64]


def _look(columns: NDArray[np.float64], walk: Walk) -> _Look:
    n_samples, n_columns = columns.shape
    directions = np.random.default_rng(0).standard_normal((n_samples, 3))
    scores = np.zeros(n_columns)
    is_constant, is_nearly, is_gap = np.zeros((3, n_columns), dtype=bool)
    sketches = np.full((n_columns, 3), np.nan)
    for part, values in parts_of(columns):
        absent = _absent(values)
        order = walk.order(values, absent)
        scores[part] = walk.rough_scores(order)
        is_constant[part], is_nearly[part] = _one_value(values, order, walk)
        is_told = (order.n_present > 2) & ~is_constant[part] & ~is_nearly[part]
        told = slice(None) if is_told.all() else np.flatnonzero(is_told)
        sketches[part][told] = _sketch(
            values[told], None if absent is None else absent[told], directions
        )
        if absent is not None:
            is_gap[part] = walk.are_one_class(absent)
    return _Look(
        scores=scores,
        is_constant=is_constant,
        is_nearly=is_nearly,
        is_gap=is_gap,
        sketches=sketches,
    )


def _absent(values: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Tell the missing values; None where there is none."""
    if is_finite(values):
        return None
    absent = np.isnan(values)
    return absent if absent.any() else None


def _one_value(
    values: NDArray[np.float64], order: Order, walk: Walk
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell the columns of one value, and those of one value but for a few rows."""
    n_present = order.n_present
    few = np.maximum(1, (SHARE_DIFFERENT * n_present).astype(int))
    n_other = few + 1
    # The values between the few smallest and the few largest ones are the same.
    rows = np.flatnonzero(order.may_be_equal(few, n_present - 1 - few))
    middle = walk.samples_of(order.tag_at(n_present // 2 - (n_present == values.shape[1])))[rows]
    some = values[rows]
    n_other[rows] = n_present[rows] - (some == values[rows, middle][:, None]).sum(axis=1)
    is_constant = (n_present > 0) & (n_other == 0)
    return is_constant, ~is_constant & (n_other <= few) & (n_present >= N_VALUES)


def _sketch(
    values: NDArray[np.float64],
    absent: NDArray[np.bool_] | None,
    directions: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Two projections of each standardised column without their signs, and one of its gaps."""
    sketches = np.zeros((len(values), 3))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        z = values - _means(values, absent)
        if absent is not None:
            z[absent] = 0.0
            sketches[:, 2] = absent @ directions[:, 2]
        length = np.sqrt(np.einsum("ij,ij->i", z, z))
        sketches[:, :2] = np.abs(z @ directions[:, :2]) / length[:, None]
    # The squares of very large or small values leave the range of floats.
    odd = ~((length > SMALLEST) & (length < 1 / SMALLEST))
    if odd.any():
        sketches[odd, :2] = np.abs(_standardised(values[odd]) @ directions[:, :2])
    return sketches


def _means(values: NDArray[np.float64], absent: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Mean of each row; several times as fast as nanmean."""
    if absent is None:
        return np.asarray(values.mean(axis=1, keepdims=True))
    total = np.where(absent, 0.0, values).sum(axis=1, keepdims=True)
    return np.asarray(total / (~absent).sum(axis=1, keepdims=True))


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean 0 and length 1, missing ones 0; a column of infinities stays one of NaN."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        z = values - _means(values, np.isnan(values))
        z[np.isnan(values)] = 0.0
        z /= np.abs(z).max(axis=1, keepdims=True)
        z /= np.sqrt((z**2).sum(axis=1, keepdims=True))
    return np.asarray(z, dtype=np.float64)


def _constants(features: Features, facts: Facts) -> list[Finding]:
    gappy = [name for name in facts.constant if pd.isna(features.columns[name]).any()]
    whole = [name for name in facts.constant if name not in set(gappy)]
    found = []
    for code, names, what, why in (
        ("SD022", whole, "the same value in every sample", "nothing can be learned"),
        (
            "SD022",
            gappy,
            "one value in some samples and nothing in the others",
            "if an empty cell means no, fill it in; else little can be learned",
        ),
        ("SD023", facts.nearly, "one value in all but a few samples", "little can be learned"),
    ):
        if names:
            verb = "column holds" if len(names) == 1 else "columns hold"
            found.append(
                Finding(
                    code=code,
                    what=f"{len(names)} {verb} {what}",
                    evidence=listed(names),
                    remedy=f"{why} from {'it' if len(names) == 1 else 'them'}{_drop(names)}",
                )
            )
    return found


def copies(features: Features, facts: Facts) -> list[Finding]:
    """Columns that are equal to an earlier one, also up to sign, scale and shift."""
    twins = [*_numeric_twins(features, facts), *_categorical_twins(features)]
    if not twins:
        return []
    place = {name: number for number, name in enumerate(features.columns)}
    twins.sort(key=lambda pair: place[pair[1]])
    shown = ", ".join(f"{later!r} copies {first!r}" for first, later, _ in twins[:N_NAMES_SHOWN])
    more = f" and {len(twins) - N_NAMES_SHOWN} more" if len(twins) > N_NAMES_SHOWN else ""
    n_scaled = sum(not exact for _, _, exact in twins)
    scaled = f" ({n_scaled} up to sign or scale)" if n_scaled else ""
    verb = "column copies" if len(twins) == 1 else "columns copy"
    return [
        Finding(
            code="SD025",
            what=f"{len(twins)} {verb} another one{scaled}",
            evidence=shown + more,
            remedy="their importance is shared out among them; keep one of each"
            + _drop([later for _, later, _ in twins]),
        )
    ]


def _numeric_twins(features: Features, facts: Facts) -> list[tuple[str, str, bool]]:
    """Pairs (first, later, whether the values are equal)."""
    sketches = facts.sketches
    known = np.flatnonzero(np.isfinite(sketches).all(axis=1))
    rounded = sketches[known, 0].round(7)
    order = np.argsort(rounded)
    gaps = np.diff(rounded[order], prepend=-np.inf, append=np.inf)
    # Most columns have no other near them.
    known = np.sort(known[order[np.minimum(gaps[1:], gaps[:-1]) < 1.5e-7]])
    order = known[np.lexsort(sketches[known].T[::-1].round(7))]
    near = np.abs(np.diff(sketches[order], axis=0)).max(axis=1, initial=0.0) < 1e-7
    twins: list[tuple[str, str, bool]] = []
    # Consecutive ones that are near each other are compared with the first of their group.
    place = 0
    while place < len(near):
        if not near[place]:
            place += 1
            continue
        end = place + 1
        while end < len(near) and near[end]:
            end += 1
        group = sorted(int(row) for row in order[place : end + 1])
        first, *later = (features.matrix[:, row] for row in group)
        for row, other in zip(group[1:], later, strict=True):
            if _are_twins(first, other) and not _by_chance(first, n_columns=len(features.columns)):
                exact = bool(np.array_equal(first, other, equal_nan=True))
                twins.append((facts.names[group[0]], facts.names[row], exact))
        place = end
    return twins


def _are_twins(first: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    a, b = _standardised(np.array([first, other]))
    return bool(
        np.array_equal(np.isnan(first), np.isnan(other))
        and (np.allclose(a, b, atol=1e-9) or np.allclose(a, -b, atol=1e-9))
    )


def _categorical_twins(features: Features) -> list[tuple[str, str, bool]]:
    firsts: dict[bytes, str] = {}
    twins = []
    for name, column in features.categorical.items():
        codes, _ = pd.factorize(column.codes)  # by first appearance, whatever the levels are called
        gaps = column.codes < 0
        key = codes.tobytes() + gaps.tobytes()
        if key not in firsts:
            firsts[key] = name
        elif not _by_chance(np.asarray(codes, dtype=np.float64), n_columns=len(features.columns)):
            twins.append((firsts[key], name, True))
    return twins


def _by_chance(values: NDArray[np.float64], *, n_columns: int) -> bool:
    """Whether a table this wide may have a pair of such columns by chance.

    A column's values can be arranged in n! / (n1! n2! …) ways.
    """
    counts = np.unique(values[~np.isnan(values)], return_counts=True)[1]
    n = int(counts.sum())
    if len(counts) > n / 2:
        return False  # measured values: their sizes are equal too, not only their order
    ways = math.lgamma(n + 1) - sum(math.lgamma(count + 1) for count in counts)
    return 2 * math.log(n_columns) - ways > math.log(EXPECTED_BY_CHANCE)


def named_like(names: Sequence[str], *, target: str) -> list[Finding]:
    """Features whose name is another spelling of the target's: outcome_code, Class.1."""
    wanted = _tokens(target)
    core = _core(wanted)
    probe = (core or wanted[0] if wanted else "")[:3]
    hits = [
        name
        for name in names
        if probe in name.lower()
        and (tokens := _tokens(name))
        and (tokens == wanted or (core != "" and _core(tokens) == core))
    ]
    if not hits:
        return []
    verb = "feature is" if len(hits) == 1 else "features are"
    return [
        Finding(
            code="SD026",
            what=f"{len(hits)} {verb} named like the target {target!r}",
            evidence=listed(hits),
            remedy=f"another form of the target gives it away{_drop(hits)}",
        )
    ]


def _tokens(name: str) -> tuple[str, ...]:
    own = name.rpartition(":")[2]
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", own)
    return tuple(re.findall(r"[^\W\d_]+|\d+", spaced.lower()))


def _core(tokens: Sequence[str]) -> str:
    """Join the words of a name without affixes and the numbers that a repeated name is given."""
    words = [token for token in tokens if token not in TARGET_AFFIXES]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    # A name that is all affixes (class, outcome) is its own core, but for its number.
    if not words or all(word.isdigit() for word in words):
        words = [token for token in tokens if not token.isdigit()][:1]
    core = "".join(words)
    return core if len(core) > 1 else ""


def _drop(names: Sequence[str]) -> str:
    """End a remedy with the option that leaves a few columns out."""
    if len(names) > N_NAMES_SHOWN:
        return ""
    return f": {command('drop', names)}"
