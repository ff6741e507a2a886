"""Which kernel explains which margin form: a form and rows in, arrays out.

Step in the line: fitted margin form -> **Shapley values per column player** -> explanation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
from smalldata.shapley.networks import chosen_player_values, walk_budget
from smalldata.shapley.wide import first_order, leading_players, merge_others, share_rest

KNN_PERMUTATIONS = 4
"""Walks from each background row: two antithetic pairs, the fewest with an honest error."""

KNN_STEPS = 200_000_000
"""Changes of a distance that the walks of one row may cost: players x training rows a walk.

With 160 training rows that pays for all walks up to about 3,000 features; at 20,000 for 31 pairs.
"""

FEWEST_WALKS = 8
"""Walks of a sampled function at any budget: four antithetic pairs."""

MOST_WALKED = 1000
"""Features up to which a function with a gradient is walked by default.

The walks of a row cost at least 8 calls per feature, and a call costs more with more columns: four
times the time for twice the features. For the mlp, with some hundred rows and 1,000 features, that
is minutes per repeat of the cross-validation.
"""

MOST_PRODUCTS = 5e9
"""Multiplications that the walks of one row may cost, if the cost of a call is known.

The mlp stays below this up to `MOST_WALKED` features; networks whose tokens attend to each other or
are read one by one only with far fewer.
"""

USUAL_CALLS = 6_000
"""Most calls that count for it: a request for more precise walks must not cause a quick look."""

ADDITIVE = (
    "the model adds its features up: no pair of them moves the output beyond what each does alone"
)
SAMPLED = (
    "pairs of features are not looked at: the values of this model are sampled, and interactions "
    "would need far more of it"
)

QUICK_LOOK = "expected gradients, a quick look"
"""Start of the note of such an explanation."""

N_CHECKED_ROWS = 2
N_CHECKED_FEATURES = 10
"""Rows and leading features that are also walked, in every fold with expected gradients."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """How expected gradients compare with sampled walks on some rows of a fold.

    Attributes
    ----------
    n_rows : int
        Rows walked.
    lacking, moved : ndarray of shape (n_explained * n_outputs,)
        What the gradients lacked to f(x) - mean f(z) before sharing, and that difference.
    shown, walked : ndarray of shape (n_rows * n_checked_features * n_outputs,)
        Values of the leading features by the two methods.
    variance : ndarray like shown
        Sampling variance of both methods together.
    """

    n_rows: int
    lacking: Array
    moved: Array
    shown: Array
    walked: Array
    variance: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class FormExplanation:
    """What `explain_form` returns; arrays as those of `form_values`."""

    values: Array
    base_values: Array
    standard_errors: Array | None
    note: str = ""
    look: Look | None = None


def explain_form(
    form: MarginForm,
    X: Array,
    Z: Array,
    *,
    players: NDArray[np.int64],
    evaluations: int,
    seed: int,
    quick: bool | None = None,
    leading_error: float | None = None,
) -> FormExplanation:
    """Explain rows and say how well: parameters as in `form_values`."""
    looks = takes_look(form, players, evaluations=evaluations, quick=quick)
    if not (isinstance(form, CallableForm) and looks):
        values, base_values, errors = form_values(
            form,
            X,
            Z,
            players=players,
            evaluations=evaluations,
            seed=seed,
            quick=quick,
            leading_error=leading_error,
        )
        note = describe_sampling(form, players, n_background=len(Z), evaluations=evaluations)
        note = note or _describe_merging(form, X, Z, players)
        return FormExplanation(
            values=values, base_values=base_values, standard_errors=errors, note=note
        )
    labels = np.unique(players, return_inverse=True)[1].astype(np.int64)
    assert form.gradient is not None
    values, base_values, errors, lacking = shapley.expected_gradients(
        form.function, form.gradient, X, Z, players=labels, seed=seed
    )
    leading = np.argsort(-np.abs(values).mean(axis=(0, 2)), kind="stable")[:N_CHECKED_FEATURES]
    checked = np.unique(np.linspace(0, len(X) - 1, N_CHECKED_ROWS).astype(np.int64))
    walked, walk_errors = chosen_player_values(
        form.function, X[checked], Z, chosen=leading, players=labels, seed=seed
    )
    here = np.ix_(checked, leading)
    look = Look(
        n_rows=len(checked),
        lacking=lacking.ravel(),
        moved=values.sum(axis=1).ravel(),
        shown=values[here].ravel(),
        walked=walked.ravel(),
        variance=(np.square(walk_errors) + np.square(errors[here])).ravel(),
    )
    return FormExplanation(
        values=values, base_values=base_values, standard_errors=errors, look=look
    )


def takes_look(
    form: MarginForm, players: NDArray[np.int64], *, evaluations: int, quick: bool | None
) -> bool:
    """Return whether expected gradients replace walks.

    None: above `MOST_WALKED` features, or if the walks of a row cost over `MOST_PRODUCTS`.
    """
    if not isinstance(form, CallableForm) or form.gradient is None:
        return False
    if quick is not None:
        return quick
    n_calls = _paid(min(evaluations, USUAL_CALLS), players)
    return len(np.unique(players)) > MOST_WALKED or n_calls * form.cost > MOST_PRODUCTS


def form_values(
    form: MarginForm,
    X: Array,
    Z: Array,
    *,
    players: NDArray[np.int64],
    evaluations: int,
    seed: int,
    quick: bool | None = None,
    leading_error: float | None = None,
) -> tuple[Array, Array, Array | None]:
    """Explain a margin form by its kernel.

    Parameters
    ----------
    form : MarginForm
    X : ndarray of shape (n_rows, n_columns)
    Z : ndarray of shape (n_background, n_columns)
    players : ndarray of shape (n_columns,)
        Player of each column; ascending labels, not necessarily without gaps.
    evaluations : int
        Most calls per explained row of a sampled function; at least `FEWEST_WALKS` walks are always
        made.
    seed : int
    quick : bool or None
        Expected gradients instead of walks, for a function with a gradient; see `takes_look`.
    leading_error : float, optional
        When the walks of a row may stop; see `smalldata.shapley.permutation_values`.

    Returns
    -------
    values : ndarray of shape (n_rows, n_distinct_players, n_outputs)
    base_values : ndarray of shape (n_outputs,)
    standard_errors : ndarray like values, or None if the values are exact
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
        case KernelForm() if n_leading := leading_players(form, X, Z, labels):
            first = first_order(form, X, Z, labels)
            chosen = np.argsort(-np.abs(first).mean(axis=(0, 2)), kind="stable")[:n_leading]
            merged = merge_others(form, X, Z, labels=labels, chosen=chosen)
            values, base_values, _ = form_values(
                merged.form,
                merged.X,
                merged.Z,
                players=merged.labels,
                evaluations=evaluations,
                seed=seed,
            )
            return share_rest(first, chosen, values), base_values, None
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
                leading_error=leading_error,
                max_pairs=_knn_pairs(form, labels),
                seed=seed,
            )
        case CallableForm(gradient=gradient) if gradient and takes_look(
            form, players, evaluations=evaluations, quick=quick
        ):
            values, base_values, errors, _ = shapley.expected_gradients(
                form.function, gradient, X, Z, players=labels, seed=seed
            )
            return values, base_values, errors
        case CallableForm():
            return shapley.permutation_values(
                form.function,
                X,
                Z,
                players=labels,
                leading_error=leading_error,
                max_evaluations=_paid(evaluations, labels),
                seed=seed,
                gradient=form.gradient,
            )


def form_interactions(
    form: MarginForm,
    X: Array,
    Z: Array,
    *,
    chosen: NDArray[np.int64],
    players: NDArray[np.int64],
    n_players: int,
) -> Array:
    """Compute the pair interactions of a margin form by its kernel.

    Parameters
    ----------
    form : MarginForm
        One that `refuse_interactions` does not refuse for being sampled.
    X, Z
        As in `form_values`.
    chosen : ndarray of shape (n_chosen,)
        Players whose pairs to compute; one without a column has no interactions.
    players : ndarray of shape (n_columns,)
        Player of each column, below ``n_players``.

    Returns
    -------
    ndarray of shape (n_rows, n_chosen, n_chosen, n_outputs)
        Shapley interaction index; symmetric, 0 on the diagonal.
    """
    if isinstance(form, KernelForm):
        labels = np.unique(players, return_inverse=True)[1].astype(np.int64)
        owners = np.unique(players)
        if leading_players(form, X, Z, labels) and np.isin(chosen, owners).all():
            merged = merge_others(form, X, Z, labels=labels, chosen=np.searchsorted(owners, chosen))
            return form_interactions(
                merged.form,
                merged.X,
                merged.Z,
                chosen=np.arange(len(chosen)),
                players=merged.labels,
                n_players=len(chosen) + 1,
            )
    match form:
        case LinearForm():
            return np.zeros((len(X), len(chosen), len(chosen), len(form.intercept)))
        case KernelForm(kernel="rbf"):
            return shapley.rbf_interactions(
                X,
                Z,
                support=form.support,
                coef=form.coef,
                gamma=form.gamma,
                intercept=form.intercept,
                chosen=chosen,
                players=players,
                n_players=n_players,
            )
        case KernelForm():
            return shapley.polynomial_interactions(
                X,
                Z,
                support=form.support,
                coef=form.coef,
                gamma=form.gamma,
                coef0=form.coef0,
                degree=form.degree,
                intercept=form.intercept,
                chosen=chosen,
                players=players,
                n_players=n_players,
            )
        case TreesForm():
            return shapley.tree_interactions(
                form.model, X, Z, chosen=chosen, players=players, n_players=n_players
            )
        case NeighboursForm() | CallableForm():
            raise NotImplementedError(SAMPLED)


def refuse_interactions(form: MarginForm) -> str:
    """Say why the pairs of a form are not computed; "" if they can be."""
    match form:
        case LinearForm():
            return ADDITIVE
        case NeighboursForm() | CallableForm():
            return SAMPLED
        case _:
            return ""


def describe_sampling(
    form: MarginForm, players: NDArray[np.int64], *, n_background: int, evaluations: int
) -> str:
    """Say what the budget did not pay for, if anything; parameters as in `form_values`.

    If a gradient makes up for it there is nothing to say: the standard errors show the rest.
    """
    shared = (
        f"of the {n_background} background rows; what the values lack to f(x) - mean f(z) is "
        "shared among the features by their squared standard errors"
    )
    if isinstance(form, NeighboursForm):
        n_starts = min(n_background, _knn_pairs(form, players))
        if n_starts == n_background:
            return ""
        return f"this many features are walked from {n_starts} {shared}"
    if not isinstance(form, CallableForm) or form.gradient is not None:
        return ""
    n_starts, _ = walk_budget(
        len(np.unique(players)), n_background, max_evaluations=_paid(evaluations, players)
    )
    if n_starts == n_background:
        return ""
    return (
        f"{evaluations} calls of the model for a row in each repeat pay for walks from {n_starts} "
        f"{shared} (a larger explain.evaluations pays for more)"
    )


def describe_looks(looks: Sequence[Look]) -> str:
    """Describe expected gradients and their distance from sampled walks; "" without any."""
    if not looks:
        return ""
    shown, walked, variance, lacked, moved = (
        np.concatenate([getattr(look, name) for look in looks])
        for name in ("shown", "walked", "variance", "lacking", "moved")
    )
    apart = np.square(shown - walked).mean() - variance.mean()
    size = np.square(walked).mean()
    off = float(np.sqrt(max(apart, 0.0) / size)) if size > 0 else 0.0
    noise = float(np.sqrt(variance.mean() / size)) if size > 0 else 0.0
    distance = (
        f"differ from sampled walks by {off:.0%} of their size"
        if apart > variance.mean() / np.sqrt(len(shown))
        else f"cannot be told from sampled walks, whose error is {noise:.0%} of their size"
    )
    whole = float(np.square(moved).mean())
    lacking = float(np.sqrt(np.square(lacked).mean() / whole)) if whole > 0 else 0.0
    n_rows = sum(look.n_rows for look in looks)
    return (
        f"{QUICK_LOOK}: not the Shapley values that other models are explained by. On {n_rows} "
        f"rows the leading features {distance}; {lacking:.1%} of f(x) - mean f(z) was lacking and "
        "is shared among the features by their squared standard errors (both root mean square). "
        "explain.quick=false walks instead"
    )


def _describe_merging(form: MarginForm, X: Array, Z: Array, players: NDArray[np.int64]) -> str:
    """Say that only the leading features are explained one by one; "" if all are."""
    if not isinstance(form, KernelForm):
        return ""
    labels = np.unique(players, return_inverse=True)[1].astype(np.int64)
    n_leading = leading_players(form, X, Z, labels)
    if not n_leading:
        return ""
    n_others = int(labels.max()) + 1 - n_leading
    return (
        f"this many features would take hours: in each fold the leading ones, about {n_leading:,}, "
        f"are explained one by one, and the other {n_others:,} together as one feature, whose "
        "exact joint value is shared among them by the slope of the model"
    )


def _knn_pairs(form: NeighboursForm, players: NDArray[np.int64]) -> int:
    """Count the pairs of walks of one row that `KNN_STEPS` pays for."""
    costs = 2 * len(np.unique(players)) * len(form.train)
    return max(FEWEST_WALKS // 2, KNN_STEPS // costs)


def _paid(evaluations: int, players: NDArray[np.int64]) -> int:
    return max(evaluations, FEWEST_WALKS * len(np.unique(players)))
