"""What the scores lose when the leading features are replaced, in plain numbers.

Step in the line: Explanation.faithfulness -> **plain dict** -> figures and words.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from smalldata.measures.registry import Measure, find_measure
from smalldata.results.explanation import Explanation
from smalldata.runtime.sealing import strict_plain
from smalldata.task import TaskKind

if TYPE_CHECKING:
    from smalldata.explanation.faithfulness import Curve


def summarize_removals(
    explanation: Explanation, *, kind: TaskKind, test_train_ratio: float
) -> dict[str, Any] | None:
    """Read off the curves of the leading and of random features, and the area between them.

    Parameters
    ----------
    explanation : Explanation
    kind : TaskKind
    test_train_ratio : float
        Rows a fold is tested on over rows it is trained on: the correction of the intervals.

    Returns
    -------
    dict or None
        ``points`` (per number of replaced features mean, low and high of the scores, for the
        ``leading`` and for ``random`` ones), and ``gap``: how much more the leading features cost,
        in the unit of the measure, with its interval; None where no fold has scores.
    """
    # It scores too, so it knows scikit-learn, whose import takes longer than a whole page.
    from smalldata.explanation.faithfulness import removal_area, removal_curves

    found = explanation.faithfulness
    if found is None:
        return None
    measure = find_measure(found.measure, kind)
    area = removal_area(found, ratio=test_train_ratio, higher_is_better=measure.higher_is_better)
    if area is None:
        return None
    leading, random = removal_curves(found, ratio=test_train_ratio)
    return {
        "measure": measure.name,
        "title": measure.title,
        "better": "higher" if measure.higher_is_better else "lower",
        "n_folds": len(found.fold),
        "n_draws": found.random.shape[1],
        "points": [
            {
                "n": int(n),
                "leading": _point(leading, i, measure),
                "random": _point(random, i, measure),
            }
            for i, n in enumerate(found.n_removed)
        ],
        "gap": dict(zip(("mean", "low", "high"), area, strict=True)),
    }


def _point(curve: "Curve", i: int, measure: Measure) -> dict[str, float | None]:
    """Mean and interval at one size, the interval within the range of the measure."""
    values = {name: getattr(curve, name)[i] for name in ("mean", "low", "high")}
    return {
        name: strict_plain(np.clip(value, measure.low, measure.high))
        for name, value in values.items()
    }
