"""The hyperparameters of a tuned cell: what was searched, what the folds chose, what matters.

Step in the line: Dimension + TunedFold -> **Parameter** -> tuning section.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from smalldata.comparison.tuning_summary import (
    Agreement,
    Dimension,
    TunedFold,
    agreeing_share,
    judge_agreement,
)
from smalldata.report.plain import count


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A value in words, and its place in the searched range from 0 to 1; None outside it."""

    text: str
    at: float | None


@dataclass(frozen=True, kw_only=True)
class Weight:
    """Importance of a hyperparameter: mean, 10th and 90th percentile of the folds."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A hyperparameter: what was searched, what was chosen, how much it matters.

    Attributes
    ----------
    kind : str
    log : bool
        Searched on a log scale.
    is_path : bool
        Read off each fit; no trial chose it.
    searched, range, chosen : str
    ticks : list of Placed
        Both ends of a number, all choices of a category.
    default : Placed
    agreeing : float
        Share of the folds that agree; ``n_agreeing`` is their number.
    agreement : str
    importance : Weight or None
    """

    name: str
    kind: str
    log: bool
    is_path: bool
    searched: str
    range: str
    ticks: list[Placed]
    default: Placed
    chosen: str
    agreeing: float
    n_agreeing: int
    agreement: Agreement
    importance: Weight | None


def summarize_parameter(
    dimension: Dimension, folds: Sequence[TunedFold], stored: Mapping[str, Any]
) -> Parameter:
    """Describe a hyperparameter by the folds that were tuned and the stored importances."""
    values = [fold.values[dimension.name] for fold in folds]
    share = agreeing_share(dimension, values) if values else 0.0
    known = () if dimension.is_path else stored.get("shares", {}).values()
    shares = [found[dimension.name] for found in known]
    return Parameter(
        name=dimension.name,
        kind=dimension.kind,
        log=dimension.log,
        is_path=dimension.is_path,
        searched=_searched(dimension),
        range=_range(dimension),
        ticks=_ticks(dimension),
        default=place_value(dimension, dimension.default),
        chosen=_chosen(dimension, values),
        agreeing=share,
        n_agreeing=round(share * len(values)),
        agreement=judge_agreement(share, len(values)),
        importance=Weight(
            mean=float(np.mean(shares)),
            low=float(np.percentile(shares, 10)),
            high=float(np.percentile(shares, 90)),
        )
        if shares
        else None,
    )


def place_value(dimension: Dimension, value: Any) -> Placed:
    """Write a value, and place it in the searched range."""
    return Placed(text=_write_value(value), at=dimension.position(value))


def _write_value(value: Any) -> str:
    """Write a value: three significant digits, whole numbers in full."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def _searched(dimension: Dimension) -> str:
    if dimension.kind == "categorical":
        return ", ".join(str(choice) for choice in dimension.choices)
    return f"{_range(dimension)}{', log scale' if dimension.log else ''}"


def _range(dimension: Dimension) -> str:
    if dimension.kind == "categorical":
        return count(len(dimension.choices), "choice")
    return f"{_number(dimension, dimension.low)} to {_number(dimension, dimension.high)}"


def _ticks(dimension: Dimension) -> list[Placed]:
    if dimension.kind == "categorical":
        return [Placed(text=str(one), at=dimension.position(one)) for one in dimension.choices]
    ends = ((0.0, dimension.low), (1.0, dimension.high))
    return [Placed(text=_number(dimension, end), at=at) for at, end in ends]


def _number(dimension: Dimension, value: Any) -> str:
    return str(int(value)) if dimension.kind == "int" else _write_value(float(value))


def _chosen(dimension: Dimension, values: Sequence[Any]) -> str:
    """Write what was chosen: each category with its folds, a number as median and ends."""
    if not values:
        return "–"
    if dimension.kind == "categorical":
        counts = Counter(str(value) for value in values).most_common()
        if len(counts) == 1:
            return counts[0][0]
        return ", ".join(f"{name} ({n})" for name, n in counts)
    low, high = min(values), max(values)
    if low == high:
        return _number(dimension, low)
    middle = float(np.median(values))
    median = f"{middle:g}" if dimension.kind == "int" else _write_value(middle)
    return f"{_number(dimension, low)} to {_number(dimension, high)}, median {median}"
