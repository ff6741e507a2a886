"""Newton's method in the residuals of the rows: for tables with more columns than rows.

With v the residuals at the minimum and l2 > 0, the coefficients are known: shrink(X'v, l1) / l2.
So v alone is sought. It minimises the dual

    conjugate(v) + |shrink(X'v, l1)|^2 / (2 l2)    with the sum of v over the rows 0,

whose gradient is piecewise smooth, which Newton's method does not mind (semismooth Newton; Li, Sun
& Toh 2018, SIAM J. Optim. 28:433-458): each step solves for as many unknowns as there are
residuals, however many columns there are, and from 4 to 10 steps are enough for 1e-7.

Without much of an L2 part that function has sharp kinks. Then an L2 part around the last
coefficients is added, and that is repeated with ever less of it (the proximal point method).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from smalldata.models.elastic_net.losses import Array
from smalldata.models.elastic_net.problem import Design, Fit, Problem, shrink
from smalldata.models.elastic_net.systems import solve_positive

Mask = NDArray[np.bool_]

MOST_STEPS = 60  # of Newton, for one added L2 part
MOST_ROUNDS = 25  # of the proximal point method
# The first added L2 part makes the whole at least this share of the summed variance; each round
# leaves the second share of it.
LEAST_L2 = 0.001
LEFT = 0.1
# Below this share of the largest residual, a difference may be small enough to end with.
CLOSE = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Residuals and what follows from them.

    Attributes
    ----------
    residuals : ndarray of shape (n_samples, n_outputs)
    covariances : ndarray of shape (n_columns, n_outputs)
        X' residuals.
    """

    residuals: Array
    covariances: Array


@dataclass(eq=False)
class ActiveGrams:
    """For each output, the products of the rows over the columns it uses.

    From one step to the next few columns come and go, so that it is cheaper to correct the
    products than to make them; rounding gathers in the direction of a step only, never in a fit.
    """

    design: Design
    active: Mask = field(init=False)
    grams: Array = field(init=False)

    def update(self, active: Mask) -> Array:
        """Return the products, shape (n_outputs, n_samples, n_samples).

        Parameters
        ----------
        active : ndarray of bool of shape (n_columns, n_outputs)
        """
        n_columns, n_outputs = active.shape
        n_samples = len(self.design.X)
        if not hasattr(self, "active"):
            self.active = np.zeros_like(active)
            self.grams = np.zeros((n_outputs, n_samples, n_samples))
        for k in range(n_outputs):
            now, before = active[:, k], self.active[:, k]
            changed = now != before
            n_active = int(now.sum())
            few = min(n_active, n_columns - n_active)
            if few < int(changed.sum()):
                if few == n_active:
                    self.grams[k] = self._products(now)
                else:
                    self.grams[k] = self.design.gram - self._products(~now)
            else:
                for columns, sign in ((changed & now, 1.0), (changed & before, -1.0)):
                    if columns.any():
                        self.grams[k] += sign * self._products(columns)
        self.active = active
        return self.grams

    def _products(self, columns: Mask) -> Array:
        part = self.design.columns[columns]
        return np.asarray(part.T @ part)


def fit_by_rows(problem: Problem) -> Fit:
    """Fit one model; the fit says whether it has converged.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Fit
    """
    fit = problem.null_fit()
    residuals = problem.loss.residuals(np.tile(fit.intercept, (len(problem.targets), 1)))
    state = State(residuals=residuals, covariances=-problem.null_gradient)
    grams = ActiveGrams(problem.design)
    added = max(LEAST_L2 * problem.design.variance - problem.l2, 0.0)
    for _ in range(MOST_ROUNDS):
        around = fit.coef if added else None
        state, fit = _minimise(problem, state, grams, around=around, added=added)
        if not fit.converged or not added:
            return fit
        if problem.violation(fit) <= problem.tolerance:
            return fit
        added *= LEFT
    return Fit(coef=fit.coef, intercept=fit.intercept, converged=False)


def _minimise(
    problem: Problem, state: State, grams: ActiveGrams, *, around: Array | None, added: float
) -> tuple[State, Fit]:
    """Minimise with added/2 |coef - around|^2 beside the penalties."""
    loss, design, l2 = problem.loss, problem.design, problem.l2 + added
    shift = 0.0 if around is None else added * around
    shrunk = shrink(state.covariances + shift, problem.l1)
    fit = problem.null_fit()
    for _ in range(MOST_STEPS):
        coef = shrunk / l2
        output = design.X @ coef
        wanted = loss.output(state.residuals)
        root = loss.root(state.residuals)
        gap = wanted - output
        if loss.n_free < gap.shape[1]:  # what all classes share has no effect
            gap -= gap.mean(axis=1, keepdims=True)
        weight = (root**2).sum(axis=2)
        intercept = (weight * gap).sum(axis=0) / weight.sum(axis=0)
        fit = Fit(coef=coef, intercept=intercept)
        difference = loss.residuals(output + intercept) - state.residuals
        # Far from the minimum the products with all columns are not worth their time.
        if float(np.abs(difference).max()) <= CLOSE * float(np.abs(state.residuals).max()):
            slopes = design.columns @ difference
            pull = difference.sum(axis=0)
            if max(float(np.abs(slopes).max()), float(np.abs(pull).max())) <= problem.tolerance:
                return state, fit
        try:
            step = _newton_step(grams.update(shrunk != 0) / l2, root, gap, n_free=loss.n_free)
        except LinAlgError:
            break
        moved = _search(problem, state, step, shift=shift, l2=l2, slope=-float((step * gap).sum()))
        if moved is None:
            break
        state, shrunk = moved
    return state, Fit(coef=fit.coef, intercept=fit.intercept, converged=False)


def _newton_step(grams: Array, root: Array, gap: Array, *, n_free: int) -> Array:
    """Solve (1 + R' grams R) s = R' (dc - gap) for s and dc, R s summing to 0; return -R s.

    Parameters
    ----------
    grams : ndarray of shape (n_outputs, n_samples, n_samples)
        Divided by l2.
    root : ndarray of shape (n_samples, n_outputs, n_outputs)
        R of each row.
    gap : ndarray of shape (n_samples, n_outputs)
        Outputs that the residuals belong to, less those of the coefficients.
    n_free : int
        Intercepts that are determined.
    """
    n_samples, n_outputs = gap.shape
    size = n_samples * n_outputs
    turned = root.transpose(0, 2, 1)
    if n_outputs == 1:
        whole = root[:, :, 0] * grams[0] * root[:, :, 0].T
    else:
        half = grams[:, :, :, None] * root.transpose(1, 0, 2)[:, None, :, :]
        half = half.transpose(1, 0, 2, 3).reshape(n_samples, n_outputs, size)
        whole = (turned @ half).reshape(size, size)
    whole[np.diag_indices(size)] += 1.0
    ones = turned.reshape(size, n_outputs)[:, :n_free]
    right = np.hstack([-(turned @ gap[:, :, None]).reshape(size, 1), ones])
    solved = solve_positive(whole, right)
    moved = np.linalg.solve(ones.T @ solved[:, 1:], -(ones.T @ solved[:, 0]))
    found = (solved[:, 0] + solved[:, 1:] @ moved).reshape(n_samples, n_outputs, 1)
    return np.asarray(-(root @ found)[:, :, 0])


def _search(
    problem: Problem, state: State, step: Array, *, shift: Array | float, l2: float, slope: float
) -> tuple[State, Array] | None:
    """Go along a step until the dual falls enough; None where it does not."""
    loss = problem.loss

    def dual(residuals: Array, shrunk: Array) -> float:
        return loss.conjugate(residuals) + float((shrunk**2).sum()) / (2 * l2)

    along = problem.design.columns @ step
    now = dual(state.residuals, shrink(state.covariances + shift, problem.l1))
    share = min(1.0, 0.95 * loss.reach(state.residuals, step))
    for _ in range(40):
        residuals = state.residuals + share * step
        covariances = state.covariances + share * along
        shrunk = shrink(covariances + shift, problem.l1)
        if dual(residuals, shrunk) <= now + 1e-4 * share * slope + 1e-12 * abs(now):
            return State(residuals=residuals, covariances=covariances), shrunk
        share /= 2
    return None
