"""Features that tell the target by themselves: suspected leaks.

Step in the line: **files** -> Dataset. A feature is named where chance would give fewer than 0.01
such features in a table of this size, and no honest rival comes near it: a tissue has many genes
that tell it apart, a diagnosis has one column that repeats it.

The chance that values without any relation to two classes of n0 and n1 samples leave at most u of
the n0 n1 pairs in the wrong order is that of the Mann-Whitney statistic: the number of partitions
of 0 … u into at most min(n0, n1) parts, over the binomial of n0 + n1 and n0 (Mann & Whitney 1947,
Annals of Mathematical Statistics 18:50). Parts are not limited here, which makes it larger.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import N_NAMES_SHOWN, listed
from smalldata.datasets.commands import command
from smalldata.datasets.separation import Separation
from smalldata.findings import Finding
from smalldata.task import TaskKind

EXPECTED_BY_CHANCE = 0.01
"""Features as good as the suspect that a table of noise of this size may have."""

SEPARATES = 0.99
"""AUC that nearly separates two classes."""

NEAR = 0.95
"""AUC of the best feature beside the suspects at which nobody is suspected: there, honest ones
separate the classes as well."""

GAP = 2.0
"""Between a suspect and the best other feature, in standard deviations between the classes
(root 2 times the normal quantile of the AUC, that of half a wrong pair where there is none).
docs/findings.md has the rates of false and missed suspects."""

COPIES = 0.999
"""Absolute rank correlation with a numeric target at which a feature is a copy of it."""

N_TOGETHER = 3
"""Suspects in one table: a code and a label of the target lie as near each other as copies."""

N_ROWS = 12
"""Rows without a gap that a copy of a numeric target needs: fewer are in one order by chance."""

RUNS_OF_NEXT = 0.25
"""With several classes: how far the best other feature must be on the way from perfect order of the
classes (as many runs as classes) to none (the mean number of runs of a random order)."""


def leaks(
    found: Sequence[Separation],
    y: NDArray[np.generic],
    *,
    n_features: int,
    target: str,
    kind: TaskKind,
) -> list[Finding]:
    """Name the features that tell the target by themselves, where none comes near them.

    Parameters
    ----------
    found : sequence of Separation
        Of `Walk.found`.
    y : ndarray of shape (n_samples,)
    n_features : int
    target : str
    kind : TaskKind

    Returns
    -------
    list of Finding
    """
    gaps = [
        entry for entry in found if entry.is_gap and _chance(entry, n_features) < EXPECTED_BY_CHANCE
    ]
    values = [entry for entry in found if not entry.is_gap]
    codes = [
        entry
        for entry in values
        if entry.is_code and _chance(entry, n_features) < EXPECTED_BY_CHANCE
    ]
    others = [entry for entry in values if entry not in codes]
    # Measured values are compared with the others; a code of the target needs no rival.
    suspects = [*codes, *_suspects(others, n_features=n_features, kind=kind)]
    findings = []
    if gaps:
        names = [entry.name for entry in gaps]
        findings.append(
            _finding(
                names,
                what=f"{_features(names)} missing in exactly the samples of one class of "
                f"{target!r}",
                evidence=listed(names),
            )
        )
    if suspects:
        names = [entry.name for entry in suspects]
        verb = "repeats" if len(names) == 1 else "repeat"
        if kind is TaskKind.REGRESSION:
            what = f"feature {_joined(names)} {verb} the target {target!r}"
            told = f"rank correlation {min(entry.score for entry in suspects):.4g}"
        else:
            verb = verb.replace("repeat", "separate")
            what = f"feature {_joined(names)} {verb} the classes of {target!r} alone"
            told = (
                f"AUC {min(entry.score for entry in suspects):.4g}"
                if kind is TaskKind.BINARY
                else "each of its values belongs to one class"
            )
        rest = [entry for entry in values if entry not in suspects]
        beside = (
            f", the next one {rest[0].score:.2f}"
            if rest and kind is not TaskKind.MULTICLASS
            else ""
        )
        findings.append(_finding(names, what=what, evidence=told + beside))
    return findings


def _suspects(
    values: Sequence[Separation], *, n_features: int, kind: TaskKind
) -> Sequence[Separation]:
    """Give the best features, if they are suspects and the next one is none."""
    for n in range(1, min(N_TOGETHER, len(values)) + 1):
        chosen, rest = values[:n], values[n : n + 1]
        if not all(
            _separates(entry, kind) and _chance(entry, n_features) < EXPECTED_BY_CHANCE
            for entry in chosen
        ):
            return ()
        if not rest or _is_far(chosen[-1], rest[0], kind):
            return chosen
    return ()


def _separates(entry: Separation, kind: TaskKind) -> bool:
    if kind is TaskKind.BINARY and not entry.levels:
        return entry.score >= SEPARATES
    return entry.score >= (COPIES if kind is TaskKind.REGRESSION else 1.0)


def _is_far(entry: Separation, other: Separation, kind: TaskKind) -> bool:
    if kind is TaskKind.REGRESSION:
        return other.score < NEAR
    if kind is TaskKind.MULTICLASS:
        return other.score <= 1 - RUNS_OF_NEXT
    return other.score < NEAR and _distance(entry) - _distance(other) > GAP


def _distance(entry: Separation) -> float:
    """Count the standard deviations between two classes whose values give this AUC."""
    n_pairs = entry.counts[0] * entry.counts[1]
    share = min(entry.score * n_pairs, n_pairs - 0.5) / n_pairs
    return math.sqrt(2) * NormalDist().inv_cdf(max(share, 0.5))


def _chance(entry: Separation, n_features: int) -> float:
    """Give the expected number of features as good as this one in a table of noise."""
    n = sum(entry.counts)
    if len(entry.counts) == 1:  # a numeric target; n ways for a last place to differ
        return _exp(math.log(2 * n_features * n) - math.lgamma(n + 1)) if n >= N_ROWS else 1.0
    ways = math.lgamma(n + 1) - sum(math.lgamma(count + 1) for count in entry.counts)
    if entry.levels:  # every way to give levels to classes
        log_good = entry.levels * math.log(len(entry.counts))
    elif len(entry.counts) > 2:
        log_good = math.lgamma(len(entry.counts) + 1)
    else:
        n_wrong = math.ceil((1 - entry.score) * entry.counts[0] * entry.counts[1] - 1e-9)
        log_good = math.log(2) + math.log(_partitions(n_wrong, min(entry.counts)))
    return _exp(math.log(n_features) + log_good - ways)


def _exp(value: float) -> float:
    return math.exp(min(value, 0.0))


def _partitions(total: int, n_parts: int) -> float:
    """Partitions of 0 … total into at most so many parts, counted together.

    Examples
    --------
    >>> _partitions(0, 5), _partitions(3, 2)
    (1.0, 6.0)
    """
    counts = np.zeros(total + 1)
    counts[0] = 1.0
    for part in range(1, min(n_parts, total) + 1):
        for start in range(part):
            counts[start::part] = np.cumsum(counts[start::part])
    return float(counts.sum())


def _joined(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names) if len(names) <= N_TOGETHER else listed(names)


def _features(names: Sequence[str]) -> str:
    return f"{len(names)} feature is" if len(names) == 1 else f"{len(names)} features are"


def _finding(names: Sequence[str], *, what: str, evidence: str) -> Finding:
    return Finding(
        code="SD021",
        what=what,
        evidence=evidence,
        remedy="a suspected leak: if it was made from the target or measured after it, leave it "
        f"out with {command('drop', names) if len(names) <= N_NAMES_SHOWN else 'dataset.drop'}",
    )
