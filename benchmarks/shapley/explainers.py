"""Every explainer behind one call: ours through its public functions, shap's and shapiq's.

All of them get the same function, rows and background (shapiq's plays a game without background,
see `explain`); a budget is what the explainer's own users would set.
"""

import contextlib
import io
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from problems import Array, Problem

from smalldata import shapley
from smalldata.learner import (
    CallableForm,
    KernelForm,
    LinearForm,
    MarginForm,
    NeighboursForm,
    TreesForm,
)

OURS = "smalldata"
OURS_ALONE = "smalldata, absent = 1"
OURS_FOLD = "smalldata, a whole fold"
OURS_QUICK = "smalldata, gradients"
SHAPIQ = "shapiq.ProductKernelExplainer"
# A call shorter than this is made again, and the median taken.
SHORT_SECONDS = 1.0
# Where the evaluations are what is limited.
NO_LIMIT = 1_000_000
N_REPEATS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """Values (n_rows, n_players), their standard errors where known, seconds of the call."""

    values: Array
    standard_errors: Array | None = None
    seconds: float = float("nan")


def explain(problem: Problem, explainer: str, budget: int | None, *, seed: int = 0) -> Explained:
    """Explain the problem's rows once.

    Parameters
    ----------
    explainer : str
        ``smalldata``, or a class of shap or shapiq with its package's name. ``smalldata,
        gradients`` is its quick look at a network, which plays another game. ``smalldata, absent =
        1`` plays shapiq's game, in which the factors of absent columns are 1, by `rbf_values`:
        against the support row itself as background the factors of a term are 1.
    budget : int or None
        Walks from each background row (smalldata, knn), evaluations (smalldata, mlp), gradients
        for each background row (smalldata, gradients), passes of 2 columns + 1 coalitions
        (PermutationExplainer), coalitions, each of which is evaluated at the whole background
        (KernelExplainer), evaluations (SamplingExplainer); None: exact.
    """
    match explainer:
        case "smalldata":
            values, _, *errors = our_values(
                problem.form, problem.rows, problem.background, budget=budget, seed=seed
            )
            return Explained(
                values=values[:, :, 0], standard_errors=errors[0][:, :, 0] if errors else None
            )
        case "smalldata, gradients":
            assert budget is not None
            values, _, error = quick_values(
                problem.form, problem.rows, problem.background, n_draws=budget, seed=seed
            )
            return Explained(values=values[:, :, 0], standard_errors=error[:, :, 0])
        case "smalldata, absent = 1":
            return Explained(values=_without_background(problem))
        case "shapiq.ProductKernelExplainer":
            return Explained(values=_by_shapiq(problem))
    with _quietly():
        return Explained(values=_by_shap(problem, explainer.removeprefix("shap."), budget, seed))


def explain_timed(
    problem: Problem, explainer: str, budget: int | None, *, seed: int = 0
) -> Explained:
    """Explain, warm, with the seconds of the whole call: the median of a few where it is short.

    From arrays and a fitted model to values: what an explainer prepares is in it, what is compiled
    once for all calls is not.
    """
    if explainer not in ("shap.KernelExplainer", "shap.SamplingExplainer"):
        first = replace(problem, rows=problem.rows[:1])
        least = budget if explainer.startswith(OURS) else budget and 1
        explain(first, explainer, least, seed=seed)  # compiles
    taken: list[float] = []
    while len(taken) < N_REPEATS:
        start = time.perf_counter()
        explained = explain(problem, explainer, budget, seed=seed)
        taken.append(time.perf_counter() - start)
        if taken[0] > SHORT_SECONDS:
            break
    return Explained(
        values=explained.values,
        standard_errors=explained.standard_errors,
        seconds=float(np.median(taken)),
    )


def our_values(
    form: MarginForm,
    rows: Array,
    background: Array,
    *,
    players: NDArray[np.int64] | None = None,
    budget: int | None = None,
    seed: int = 0,
) -> tuple[Array, ...]:
    """Call the public function of this form: values, base values and, where sampled, errors.

    ``budget`` as in `explain`.
    """
    match form:
        case LinearForm():
            return shapley.linear_values(
                rows, background, coef=form.coef, intercept=form.intercept, players=players
            )
        case KernelForm(kernel="rbf"):
            return shapley.rbf_values(
                rows,
                background,
                support=form.support,
                coef=form.coef,
                gamma=form.gamma,
                intercept=form.intercept,
                players=players,
            )
        case KernelForm():
            return shapley.polynomial_values(
                rows,
                background,
                support=form.support,
                coef=form.coef,
                gamma=form.gamma,
                coef0=form.coef0,
                degree=form.degree,
                intercept=form.intercept,
                players=players,
            )
        case TreesForm():
            return shapley.tree_values(form.model, rows, background, players=players)
        case NeighboursForm():
            return shapley.knn_values(
                rows,
                background,
                train=form.train,
                targets=form.targets,
                n_neighbors=form.n_neighbors,
                weights=form.weights,
                metric=form.metric,
                players=players,
                n_permutations=budget or 4,
                seed=seed,
            )
        case CallableForm():
            return shapley.permutation_values(
                form.function,
                rows,
                background,
                players=players,
                gradient=form.gradient,
                n_permutations=NO_LIMIT,
                max_evaluations=budget,
                seed=seed,
            )


def quick_values(
    form: MarginForm, rows: Array, background: Array, *, n_draws: int, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Take expected gradients of a network: values, base values, errors of the drawing."""
    assert isinstance(form, CallableForm)
    assert form.gradient is not None
    values, base, errors, _ = shapley.expected_gradients(
        form.function, form.gradient, rows, background, n_draws=n_draws, seed=seed
    )
    return values, base, errors


def _without_background(problem: Problem) -> Array:
    form = problem.form
    assert isinstance(form, KernelForm)
    values = np.zeros(problem.rows.shape)
    for position in range(len(form.support)):
        support = form.support[position : position + 1]
        part, _ = shapley.rbf_values(
            problem.rows,
            support,
            support=support,
            coef=form.coef[:, position : position + 1],
            gamma=form.gamma,
            intercept=[0.0],
        )
        values += part[:, :, 0]
    return values


def _by_shapiq(problem: Problem) -> Array:
    from shapiq.explainer.product_kernel import ProductKernelExplainer

    explainer = ProductKernelExplainer(problem.estimator)
    values = np.empty(problem.rows.shape)
    for row, x in enumerate(problem.rows):
        found = explainer.explain_function(x).dict_values
        values[row] = [found[(column,)] for column in range(problem.n_columns)]
    return values


def _by_shap(problem: Problem, name: str, budget: int | None, seed: int) -> Array:
    import shap

    background, rows = problem.background, problem.rows
    # Given an array, the explainers with a masker would use its first 100 rows.
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer: Any
    match name:
        case "PermutationExplainer":
            assert budget is not None
            explainer = shap.PermutationExplainer(problem.function, masker, seed=seed)
            evaluations = budget * (2 * problem.n_columns + 1)
            values = explainer(rows, max_evals=evaluations, silent=True).values
        case "ExactExplainer":
            explainer = shap.ExactExplainer(problem.function, masker)
            values = explainer(rows).values
        case "KernelExplainer":
            # It draws from numpy's global stream.
            np.random.seed(seed)  # noqa: NPY002
            explainer = shap.KernelExplainer(problem.function, background)
            # By default all but ten columns would get 0.
            values = explainer.shap_values(rows, nsamples=budget, l1_reg=0, silent=True)
        case "SamplingExplainer":
            np.random.seed(seed)  # noqa: NPY002
            explainer = shap.SamplingExplainer(problem.function, background)
            values = explainer.shap_values(rows, nsamples=budget, silent=True)
        case "LinearExplainer":
            explainer = shap.LinearExplainer(problem.estimator, masker)
            values = explainer.shap_values(rows)
        case "TreeExplainer":
            explainer = shap.TreeExplainer(
                problem.estimator, masker, feature_perturbation="interventional"
            )
            values = explainer.shap_values(rows)
        case _:
            raise ValueError(f"no such explainer: {name}")
    values = np.asarray(values, dtype=np.float64)
    # A forest has one output per class; the second one is explained.
    return values[:, :, 1] if values.ndim == 3 else values


@contextlib.contextmanager
def _quietly() -> Any:
    """Keep the notices and progress bars of a library out of the run."""
    said = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stderr(said):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(said):
            yield
