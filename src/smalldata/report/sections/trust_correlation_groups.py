"""Features that rise and fall together, and so share the credit.

Step in the line: Task + Explanation -> **Twins** -> figures and words. It covers the
leading features and the twin of each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalldata.pipeline.limits import without_limits
from smalldata.report.plain import round_significant
from smalldata.results.explanation import N_LEADING, Explanation
from smalldata.statistics.correlation_groups import ALIKE, CorrelationGroups, correlation_groups
from smalldata.task import Task


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A feature of the tree.

    Attributes
    ----------
    mean : float or None
        Mean |phi|.
    leads : bool
        Whether it is a leading feature, or only the like of one.
    group : int or None
        Position in the groups.
    twin : str or None
        The feature most like it, and ``r``, their correlation.
    """

    name: str
    rank: int
    mean: float | None
    leads: bool
    group: int | None
    twin: str | None
    r: float | None


@dataclass(frozen=True, kw_only=True)
class TwinGroup:
    """At least two features that rise and fall together.

    Attributes
    ----------
    members : list of str
        Most important first.
    r : float
        Mean |r| at which the group joins.
    joint : float
        Joint importance: mean |sum of phi|.
    """

    members: list[str]
    r: float
    joint: float


@dataclass(frozen=True, kw_only=True)
class Corner:
    """A point of a bracket of the tree, at height ``y`` among the leaves."""

    y: float
    r: float


@dataclass(frozen=True, kw_only=True)
class Twins:
    """The tree of the leading features and their twins.

    Attributes
    ----------
    leaves : list of Leaf
        Along the tree.
    branches : list of lists of Corner
        Brackets of the tree, four corners each, from |r| = 1 down.
    groups : list of TwinGroup
    """

    leaves: list[Leaf]
    branches: list[list[Corner]]
    groups: list[TwinGroup]


def summarize_twins(
    task: Task, explanation: Explanation, ranking: NDArray[np.int64], overall: NDArray[np.float64]
) -> Twins | None:
    """Group the leading features and their twins by correlation.

    Parameters
    ----------
    task : Task
    explanation : Explanation
    ranking : ndarray of shape (n_features,)
        Positions of the features, most important first.
    overall : ndarray of shape (n_features,)
        Mean |phi| of each feature.

    Returns
    -------
    Twins or None
        None where fewer than two features are used.
    """
    X = without_limits(task.X, task.dataset.below)
    names = [str(name) for name in X.columns]
    place = {names[j]: position for position, j in enumerate(ranking)}
    leading = [names[j] for j in ranking[:N_LEADING] if overall[j] > 0]
    if len(leading) < 2:
        return None
    twins = correlation_groups(X, leading, threshold=ALIKE).twins
    outside = dict.fromkeys(
        twin.name
        for twin in twins
        if twin is not None and abs(twin.correlation) >= ALIKE and twin.name not in leading
    )
    found = correlation_groups(X, [*leading, *outside], threshold=ALIKE)
    order, branches = _draw_tree(found)
    sizes = np.bincount(found.group)
    shared = [g for g in range(len(sizes)) if sizes[g] > 1]
    leaves = []
    for leaf in order:
        name, twin, group = found.features[leaf], found.twins[leaf], found.group[leaf]
        leaves.append(
            Leaf(
                name=name,
                rank=place[name] + 1,
                mean=round_significant(float(overall[ranking[place[name]]])),
                leads=name in leading,
                group=shared.index(group) if group in shared else None,
                twin=None if twin is None else twin.name,
                r=None if twin is None else round(twin.correlation, 3),
            )
        )
    return Twins(
        leaves=leaves,
        branches=branches,
        groups=[_group(found, g, explanation, ranking, place) for g in shared],
    )


def _draw_tree(found: CorrelationGroups) -> tuple[list[int], list[list[Corner]]]:
    """Turn the brackets of a tree so that on each the more important feature stands first.

    Returns
    -------
    order : list of int
        Positions of the features along the tree.
    branches : list of lists of Corner
        Four of each bracket.
    """
    nodes = {(float(i), 0.0): [leaf] for i, leaf in enumerate(found.order)}
    sides = []
    for merge in found.merges:
        pair = [
            (nodes.pop((merge.left, merge.left_height)), merge.left_height),
            (nodes.pop((merge.right, merge.right_height)), merge.right_height),
        ]
        pair.sort(key=lambda side: min(side[0]))
        sides.append((pair, merge.height))
        nodes[(merge.left + merge.right) / 2, merge.height] = [*pair[0][0], *pair[1][0]]
    (order,) = nodes.values()
    stands: dict[tuple[int, ...], float] = {(leaf,): float(i) for i, leaf in enumerate(order)}
    branches = []
    for ((first, low), (second, high)), height in sides:
        ends = stands[tuple(first)], stands[tuple(second)]
        stands[(*first, *second)] = sum(ends) / 2
        points = ((ends[0], low), (ends[0], height), (ends[1], height), (ends[1], high))
        branches.append([Corner(y=y, r=round(1 - at, 4)) for y, at in points])
    return order, branches


def _group(
    found: CorrelationGroups,
    group: int,
    explanation: Explanation,
    ranking: NDArray[np.int64],
    place: dict[str, int],
) -> TwinGroup:
    members = [name for name, own in zip(found.features, found.group, strict=True) if own == group]
    members.sort(key=lambda name: place[name])
    features = ranking[[place[name] for name in members]]
    stands = [found.order.index(found.features.index(name)) for name in members]
    inside = [m for m in found.merges if min(stands) <= m.left and m.right <= max(stands)]
    joint = np.abs(explanation.values[:, features].sum(axis=1, dtype=np.float64)).mean()
    return TwinGroup(
        members=members, r=1 - max(merge.height for merge in inside), joint=float(joint)
    )
