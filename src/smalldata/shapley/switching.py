"""Outputs of rows whose columns come from other rows, group after group, without building them.

A row made of a row x and a background row z has a distance to a third row that is a sum: the part
of the columns that stay x's, and the part of those that are z's by now. Both parts are small
tables, each computed once per group of columns; a kernel expansion over both is then a product of
matrices. Used by what removes features and scores the rows again.
"""

from collections.abc import Iterator, Sequence
from math import comb

import numpy as np
from scipy.spatial.distance import cdist

from smalldata.learner import Array, KernelForm, LinearForm, MarginForm, NeighboursForm
from smalldata.runtime.compiling import compiled
from smalldata.shapley.game import Integers
from smalldata.shapley.votes import METRICS, find_nearest, vote_near

ROUNDING_BITS = 40
"""Distances are rounded to this many bits below the largest, so that equal ones tie."""


def can_switch(form: MarginForm) -> bool:
    """Return whether `switched_outputs` knows the form."""
    return isinstance(form, LinearForm | KernelForm | NeighboursForm)


def switched_outputs(
    form: MarginForm, X: Array, Z: Array, groups: Sequence[Integers]
) -> Iterator[Array]:
    """Yield f of each row with the first 1, 2, … groups of columns taken from each background row.

    Parameters
    ----------
    form : LinearForm, KernelForm or NeighboursForm
    X : ndarray of shape (n_rows, n_columns)
    Z : ndarray of shape (n_background, n_columns)
    groups : sequence of ndarray of int
        Disjoint sets of columns; what they leave out never switches.

    Yields
    ------
    ndarray of shape (n_rows, n_background, n_outputs)
    """
    n_columns = X.shape[1]
    left = np.setdiff1d(np.arange(n_columns), np.concatenate([*groups, np.empty(0, dtype=int)]))
    kept_parts = [_parts(form, X, columns) for columns in [*groups[1:], left]]
    # Sums from the end, not differences from the whole: nothing cancels.
    kept = np.cumsum(kept_parts[::-1], axis=0)[::-1]
    moved = np.cumsum([_parts(form, Z, columns) for columns in groups], axis=0)
    for stays, moves in zip(kept, moved, strict=True):
        yield _outputs(form, stays, moves)


def _parts(form: MarginForm, rows: Array, columns: Integers) -> Array:
    """Return what some columns add to the distances or products of rows: (n_rows, n_terms)."""
    here = rows[:, columns]
    match form:
        case LinearForm():
            return np.asarray(here @ form.coef[:, columns].T)
        case KernelForm():
            support = form.support[:, columns]
            products = here @ support.T
            if form.kernel == "poly":
                return np.asarray(products)
            sizes = [np.einsum("ij,ij->i", table, table) for table in (here, support)]
            return np.asarray(np.maximum(sizes[0][:, None] + sizes[1] - 2 * products, 0.0))
        case NeighboursForm(metric="cosine"):
            length = np.linalg.norm(form.train, axis=1)
            products = (
                here @ (form.train[:, columns] / np.where(length > 0, length, 1.0)[:, None]).T
            )
            return np.column_stack([-products, np.square(here).sum(axis=1)])
        case NeighboursForm():
            metric = "cityblock" if form.metric == "manhattan" else "sqeuclidean"
            if not len(columns):
                return np.zeros((len(rows), len(form.train)))
            return np.asarray(cdist(here, form.train[:, columns], metric))
    raise TypeError(f"rows of a {type(form).__name__} cannot be switched")


def _outputs(form: MarginForm, kept: Array, moved: Array) -> Array:
    """Return f from the parts of the columns that stay and of those that moved."""
    match form:
        case LinearForm():
            return np.asarray(kept[:, None, :] + moved + form.intercept)
        case KernelForm(kernel="rbf"):
            near, far = np.exp(-form.gamma * kept), np.exp(-form.gamma * moved)
            found = [(near * coef) @ far.T for coef in form.coef]
        case KernelForm():
            stays, moves = form.gamma * kept + form.coef0, form.gamma * moved
            found = [
                sum(
                    (
                        comb(form.degree, power)
                        * (stays ** (form.degree - power) * coef)
                        @ (moves**power).T
                        for power in range(form.degree + 1)
                    ),
                    start=np.zeros((len(kept), len(moved))),
                )
                for coef in form.coef
            ]
        case NeighboursForm():
            largest = float(np.abs(kept).max() + np.abs(moved).max()) or 1.0
            step = np.exp2(np.ceil(np.log2(largest)) - ROUNDING_BITS)
            shape = (len(kept), len(moved), form.targets.shape[1])
            votes = np.empty(shape)
            _votes(
                np.rint(kept / step) * step,
                np.rint(moved / step) * step,
                np.ascontiguousarray(form.targets),
                form.n_neighbors,
                form.weights == "distance",
                METRICS.index(form.metric),
                votes,
            )
            return votes
        case _:
            raise TypeError(f"rows of a {type(form).__name__} cannot be switched")
    return np.asarray(np.stack(found, axis=2) + form.intercept)


@compiled
def _votes(
    kept: Array,
    moved: Array,
    targets: Array,
    n_neighbors: int,
    by_distance: bool,
    metric: int,
    votes: Array,
) -> None:
    """Put the vote at each pair of a row and a background row into ``votes``."""
    n_terms = kept.shape[1]
    distance = np.empty(n_terms)
    nearest = np.empty(n_neighbors, dtype=np.int64)
    candidates = np.empty(len(targets) + 1, dtype=np.int64)
    away = np.empty(len(targets) + 1)
    for x in range(len(kept)):
        for z in range(len(moved)):
            for i in range(n_terms):
                distance[i] = kept[x, i] + moved[z, i]
            find_nearest(distance, np.inf, nearest, candidates, away)
            vote_near(distance, nearest, targets, by_distance, metric, away, votes[x, z])
