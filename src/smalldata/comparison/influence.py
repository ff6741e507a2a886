"""The influence of each sample (or group) on the mean score of a cell.

Step in the line: RunRecord -> **Influence** -> intervals and tests of a comparison. Each unit is
left out of the test folds in turn; no model is refitted.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smalldata.comparison.scores import part_draws, score_parts
from smalldata.measures.registry import Measure
from smalldata.results.folds import Array, Prediction
from smalldata.results.record import RunRecord
from smalldata.statistics.influence import Influence, from_units, spread_share

Units = NDArray[np.int64]


def cell_influence(record: RunRecord, measure: Measure) -> Influence | None:
    """Return the influence of each sample, or each group, on the mean score of a finished cell.

    Parameters
    ----------
    record : RunRecord
    measure : Measure

    Returns
    -------
    Influence or None
        None where leaving out one unit leaves the measure undefined, as with one positive sample in
        a test fold: samples then can't be counted (see `statistics.influence.from_folds`).
    """
    units = _units(record)
    n_units = int(units.max()) + 1
    moved, shares, n_folds, n_parts = [], [], 1, []
    for parts, n_tested_folds in score_parts(record, measure):
        found = _moved_in_repeat(parts, measure, record.classes, units, n_units)
        if found is None:
            return None
        moved.append(found)
        n_parts.append(len(parts))
        tested = np.unique(units[np.concatenate([part.row for part in parts])])
        shares.append(len(tested) / n_units)
        n_folds = max(n_folds, n_tested_folds)
    # The mean is over all parts, so that a repeat with fewer of them weighs less.
    weights = np.array(n_parts) / np.mean(n_parts)
    return from_units(
        weights[:, None] * np.stack(moved),
        tested_share=float(np.mean(shares)),
        n_folds=n_folds,
        share=measure.jackknife_share,
    )


def rarest(record: RunRecord, measure: Measure) -> tuple[int, int]:
    """Return the number of tested units of the rarest class (of all, without one), and classes."""
    units = _units(record)
    n_classes = max(len(record.classes), 1)
    by_class: dict[int, set[int]] = {}
    for parts, _ in score_parts(record, measure):
        for part in parts:
            for row, y in zip(part.row, part.y, strict=True):
                by_class.setdefault(int(y) if record.classes else 0, set()).add(int(units[row]))
    return min((len(found) for found in by_class.values()), default=1), n_classes


def _units(record: RunRecord) -> Units:
    if record.groups is None:
        return np.arange(record.n_samples)
    return np.asarray(np.unique(np.array(record.groups), return_inverse=True)[1], dtype=np.int64)


def _moved_in_repeat(
    parts: Sequence[Prediction],
    measure: Measure,
    classes: tuple[str, ...],
    units: Units,
    n_units: int,
) -> Array | None:
    """Return the score of a repeat minus its score without each unit; None if one is undefined."""
    moved = np.zeros(n_units)
    whole = np.array(
        [part_draws(part, measure, np.ones((1, len(part.y))), classes) for part in parts]
    )
    for place, part in enumerate(parts):
        present, codes = np.unique(units[part.row], return_inverse=True)
        if len(present) == 1:
            # Without its only unit the part itself is gone.
            if len(parts) == 1:
                return None
            deviation = (whole[place, 0] - whole.mean()) / (len(parts) - 1)
            moved[present] += deviation * spread_share(np.array(len(parts)))
            continue
        kept = (codes[None, :] != np.arange(len(present))[:, None]).astype(np.float64)
        without = part_draws(part, measure, kept, classes)
        if np.any(np.isnan(without)):
            return None
        share = spread_share(_n_alike(part, codes, measure))
        moved[present] += share * (whole[place, 0] - without) / len(parts)
    return None if np.any(np.isnan(moved)) else moved


def _n_alike(part: Prediction, codes: Units, measure: Measure) -> Array:
    """Count for each unit those that share its part of the score: of its rarest class, or all."""
    n_units = int(codes.max()) + 1
    alike = np.full(n_units, float(n_units))
    for code in np.unique(part.y) if measure.loses_with_a_class else ():
        of_class = np.unique(codes[part.y == code])
        alike[of_class] = np.minimum(alike[of_class], len(of_class))
    return alike
