"""What the scores lose when the leading features are replaced, in plain numbers.

Step in the line: Explanation.faithfulness -> **Removals** -> figures and words.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from smalldata.measures.registry import Measure, find_measure
from smalldata.report.plain import Estimate
from smalldata.results.explanation import Explanation
from smalldata.runtime.sealing import strict_plain
from smalldata.task import Task

if TYPE_CHECKING:
    from smalldata.explanation.faithfulness import Curve


@dataclass(frozen=True, kw_only=True)
class RemovalPoint:
    """Scores with ``n`` features replaced: the leading ones, and as many random ones."""

    n: int
    leading: Estimate
    random: Estimate


@dataclass(frozen=True, kw_only=True)
class Removals:
    """Scores against the number of replaced features.

    Attributes
    ----------
    title, better : str
        Of the measure; "higher" or "lower".
    points : list of RemovalPoint
    gap : Estimate
        How much more the leading features cost, in the unit of the measure.
    rope : float
        Differences below it do not matter.
    """

    title: str
    better: str
    points: list[RemovalPoint]
    gap: Estimate
    rope: float


def summarize_removals(
    explanation: Explanation, task: Task, *, test_train_ratio: float
) -> Removals | None:
    """Read off the curves of the leading and of random features, and the area between them.

    Parameters
    ----------
    explanation : Explanation
    task : Task
    test_train_ratio : float
        Rows a fold is tested on over rows it is trained on: the correction of the intervals.

    Returns
    -------
    Removals or None
        None where no fold has scores.
    """
    # It scores too, so it knows scikit-learn, whose import takes longer than a whole page.
    from smalldata.explanation.faithfulness import removal_area, removal_curves

    found = explanation.faithfulness
    if found is None:
        return None
    measure = find_measure(found.measure, task.kind)
    area = removal_area(found, ratio=test_train_ratio, higher_is_better=measure.higher_is_better)
    if area is None:
        return None
    leading, random = removal_curves(found, ratio=test_train_ratio)
    mean, low, high = area
    return Removals(
        title=measure.title,
        better="higher" if measure.higher_is_better else "lower",
        points=[
            RemovalPoint(
                n=int(n),
                leading=_point(leading, i, measure),
                random=_point(random, i, measure),
            )
            for i, n in enumerate(found.n_removed)
        ],
        gap=Estimate(mean=mean, low=low, high=high),
        rope=measure.rope_width(task.y),
    )


def _point(curve: "Curve", i: int, measure: Measure) -> Estimate:
    """Mean and interval at one size, the interval within the range of the measure."""
    mean, low, high = (
        strict_plain(np.clip(values[i], measure.low, measure.high))
        for values in (curve.mean, curve.low, curve.high)
    )
    return Estimate(mean=mean, low=low, high=high)
