"""Which kernel explains which margin form: a form and rows in, arrays out.

Step in the line: fitted margin form -> **Shapley values per column player** -> explanation.
"""

import numpy as np
from numpy.typing import NDArray

from smalldata import shapley
from smalldata.learner import (
    Array,
    CallableForm,
    KernelForm,
    LinearForm,
    MarginForm,
    NeighboursForm,
    TreesForm,
)
from smalldata.shapley.networks import walk_budget

KNN_PERMUTATIONS = 4
"""Walks from each background row: two antithetic pairs, the fewest with an honest error."""

FEWEST_WALKS = 8
"""Of a function that has to be sampled, whatever the budget: four antithetic pairs."""


def form_values(
    form: MarginForm, X: Array, Z: Array, *, players: NDArray[np.int64], evaluations: int, seed: int
) -> tuple[Array, Array, Array | None]:
    """Send a margin form to its kernel.

    Parameters
    ----------
    form : MarginForm
    X : ndarray of shape (n_rows, n_columns)
    Z : ndarray of shape (n_background, n_columns)
    players : ndarray of shape (n_columns,)
        Player of each column; ascending labels, not necessarily without gaps.
    evaluations : int
        Most calls per explained row of a function that has to be sampled; `FEWEST_WALKS` walks are
        always paid for.
    seed : int

    Returns
    -------
    values : ndarray of shape (n_rows, n_distinct_players, n_outputs)
    base_values : ndarray of shape (n_outputs,)
    standard_errors : ndarray like values, or None where the values are exact
    """
    labels = np.unique(players, return_inverse=True)[1].astype(np.int64)
    match form:
        case LinearForm():
            return (
                *shapley.linear_values(
                    X, Z, coef=form.coef, intercept=form.intercept, players=labels
                ),
                None,
            )
        case KernelForm(kernel="rbf"):
            return (
                *shapley.rbf_values(
                    X,
                    Z,
                    support=form.support,
                    coef=form.coef,
                    gamma=form.gamma,
                    intercept=form.intercept,
                    players=labels,
                ),
                None,
            )
        case KernelForm():
            return (
                *shapley.polynomial_values(
                    X,
                    Z,
                    support=form.support,
                    coef=form.coef,
                    gamma=form.gamma,
                    coef0=form.coef0,
                    degree=form.degree,
                    intercept=form.intercept,
                    players=labels,
                ),
                None,
            )
        case TreesForm():
            return *shapley.tree_values(form.model, X, Z, players=labels), None
        case NeighboursForm():
            return shapley.knn_values(
                X,
                Z,
                train=form.train,
                targets=form.targets,
                n_neighbors=form.n_neighbors,
                weights=form.weights,
                metric=form.metric,
                players=labels,
                n_permutations=KNN_PERMUTATIONS,
                seed=seed,
            )
        case CallableForm():
            return shapley.permutation_values(
                form.function,
                X,
                Z,
                players=labels,
                max_evaluations=_paid(evaluations, labels),
                seed=seed,
            )


def describe_sampling(
    form: MarginForm, players: NDArray[np.int64], *, n_background: int, evaluations: int
) -> str:
    """Say what the budget did not pay for, where it did not; parameters as in `form_values`."""
    if not isinstance(form, CallableForm):
        return ""
    n_starts, _ = walk_budget(
        len(np.unique(players)), n_background, max_evaluations=_paid(evaluations, players)
    )
    if n_starts == n_background:
        return ""
    return (
        f"{evaluations} calls of the model per row pay for walks from {n_starts} of the "
        f"{n_background} background rows; what the values lack to f(x) - mean f(z) is shared among "
        "the features by their squared standard errors (a larger explain.evaluations pays for more)"
    )


def _paid(evaluations: int, players: NDArray[np.int64]) -> int:
    return max(evaluations, FEWEST_WALKS * len(np.unique(players)))
