"""Newton's method in the coefficients: for tables with more rows than columns.

Each step minimises the quadratic model of the loss plus the penalties (proximal Newton; Friedman,
Hastie & Tibshirani 2010, J. Stat. Softw. 33(1)), over the coefficients that are not 0 or may have
to leave it. Rounds of coordinate descent find which are 0, an exact solve among the others saves
the many sweeps that correlated columns would take.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from smalldata.models.elastic_net.losses import Array
from smalldata.models.elastic_net.problem import Fit, Problem, least_slopes
from smalldata.models.elastic_net.systems import solve_positive

MOST_STEPS = 100  # of Newton
MOST_ROUNDS = 200  # of coordinate descent and solve, in one step
N_SWEEPS = 10  # of coordinate descent in a round
# A coefficient of 0 whose gradient exceeds this share of l1 takes part in a step.
NEAR = 0.8
# Added to a singular matrix, as a share of its mean diagonal: the solve then goes along the
# directions in which nothing but the L1 part changes, until a coefficient is 0.
SLIGHT = 1e-9
# Each step is solved to this share of what is left to gain.
ACCURACY = 0.1


def fit_by_columns(problem: Problem, *, most_coefficients: int) -> Fit:
    """Fit one model; the fit says whether it has converged.

    Parameters
    ----------
    problem : Problem
    most_coefficients : int
        Where more would take part in a step, the fit is given up.

    Returns
    -------
    Fit
    """
    loss, X, l1, l2 = problem.loss, problem.design.X, problem.l1, problem.l2
    fit = problem.null_fit()
    coef, intercept = fit.coef, fit.intercept
    output = np.tile(intercept, (len(X), 1))
    value = loss.value(output)
    for _ in range(MOST_STEPS):
        residuals = loss.residuals(output)
        gradient = l2 * coef - problem.design.columns @ residuals
        slopes = least_slopes(gradient, coef, l1)
        pull = residuals.sum(axis=0)
        violation = max(float(slopes.max(initial=0.0)), float(np.abs(pull).max()))
        if violation <= problem.tolerance:
            return Fit(coef=coef, intercept=intercept)
        part = np.nonzero(((coef != 0) | (np.abs(gradient) >= NEAR * l1)).T)[::-1]
        if len(part[0]) > most_coefficients:
            break
        bend, cross, corner = _curvatures(problem.design.columns, part, loss.curvature(output))
        # The intercept is eliminated: at the minimum it is -(1'H1)^-1 (1'r + 1'H X d).
        n_free = loss.n_free
        cross, corner = cross[:, :n_free], corner[:n_free, :n_free]
        solved = np.linalg.solve(corner, np.column_stack([cross.T, -pull[:n_free]]))
        bend -= cross @ solved[:, :-1]
        bend[np.diag_indices(len(bend))] += l2
        slope = gradient[part] - cross @ solved[:, -1]
        step = minimise_quadratic(
            bend, slope, coef[part], l1=l1, tolerance=ACCURACY * max(violation, problem.tolerance)
        )
        moved, along = np.zeros_like(coef), np.zeros_like(intercept)
        moved[part] = step
        along[:n_free] = -solved @ np.append(step, 1.0)
        forward = X @ moved + along
        fall = float((gradient[part] * step).sum() - pull @ along)
        fall += l1 * float(np.abs(coef + moved).sum() - np.abs(coef).sum())
        now = value + _penalty(coef, l1, l2)
        share = 1.0
        for _ in range(40):
            value = loss.value(output + share * forward)
            if value + _penalty(coef + share * moved, l1, l2) <= (
                now + 1e-4 * share * fall + 1e-12 * abs(now)
            ):
                break
            share /= 2
        else:  # rounding leaves nothing to gain
            break
        coef, intercept = coef + share * moved, intercept + share * along
        output = output + share * forward
    return Fit(coef=coef, intercept=intercept, converged=False)


def minimise_quadratic(
    bend: Array, slope: Array, start: Array, *, l1: float, tolerance: float
) -> Array:
    """Minimise slope's + 1/2 s'bend s + l1 |start + s|_1 over steps s.

    Parameters
    ----------
    bend : ndarray of shape (n, n)
    slope, start : ndarray of shape (n,)
    l1 : float
    tolerance : float
        Of the slopes that are left.

    Returns
    -------
    ndarray of shape (n,)
    """
    if l1 == 0:
        return -solve_positive(bend, slope)
    from smalldata.models.elastic_net.sweeps import sweep  # compiled: only where it is needed

    coef, gradient = start.copy(), slope.copy()
    for _ in range(MOST_ROUNDS):
        sweep(bend, gradient, coef, l1, tolerance, N_SWEEPS)
        if least_slopes(gradient, coef, l1).max(initial=0.0) <= tolerance:
            break
        used = np.flatnonzero(coef)
        sign = np.sign(coef[used])
        among, uphill = bend[np.ix_(used, used)], gradient[used] + l1 * sign
        try:
            step = -solve_positive(among.copy(), uphill)
        except LinAlgError:  # no L2 part, and columns that depend on each other
            among[np.diag_indices(len(used))] += SLIGHT * np.trace(among) / len(used)
            step = -solve_positive(among, uphill)
        # The solve holds as far as the first coefficient that reaches 0.
        crossing = np.flatnonzero((coef[used] + step) * sign < 0)
        share = 1.0
        if len(crossing):
            reach = -coef[used][crossing] / step[crossing]
            share = float(reach.min())
        coef[used] += share * step
        if len(crossing):
            coef[used[crossing[reach.argmin()]]] = 0.0
        gradient += bend[:, used] @ (share * step)
        if least_slopes(gradient, coef, l1).max(initial=0.0) <= tolerance:
            break
    return coef - start


def _curvatures(
    design: Array, part: tuple[NDArray[np.int64], ...], curvature: Array
) -> tuple[Array, Array, Array]:
    """Second derivatives in some coefficients, in these and the intercepts, in the intercepts.

    Parameters
    ----------
    design : ndarray of shape (n_columns, n_samples)
    part : (columns, outputs)
        Of each coefficient; the outputs ascend.
    curvature : ndarray of shape (n_samples, n_outputs, n_outputs)
        Of the loss in f.
    """
    columns, outputs = part
    n_outputs = curvature.shape[1]
    ends = np.searchsorted(outputs, np.arange(n_outputs + 1))
    bend = np.empty((len(columns), len(columns)))
    cross = np.empty((len(columns), n_outputs))
    blocks = [design[columns[ends[k] : ends[k + 1]]] for k in range(n_outputs)]
    for k, left in enumerate(blocks):
        rows = slice(ends[k], ends[k + 1])
        cross[rows] = left @ curvature[:, k, :]
        for m in range(k + 1):
            some = slice(ends[m], ends[m + 1])
            if k == m:
                rooted = left * np.sqrt(curvature[:, k, k])
                bend[rows, some] = rooted @ rooted.T
            else:
                bend[rows, some] = (left * curvature[:, k, m]) @ blocks[m].T
                bend[some, rows] = bend[rows, some].T
    return bend, cross, curvature.sum(axis=0)


def _penalty(coef: Array, l1: float, l2: float) -> float:
    return l1 * float(np.abs(coef).sum()) + l2 / 2 * float((coef**2).sum())
