"""Elastic-net fits of squared, logistic and multinomial loss, for `smalldata.models.linear`.

Newton's method in the smaller of two systems, that of the rows (`rows`) or that of the columns
(`columns`); where even that is large, or it stops, accelerated gradients (`descent`). All end at
the same minimum, to the tolerance of `problem`. Step in the line: as `smalldata.models`.
"""

from scipy.linalg import LinAlgError

from smalldata.models.elastic_net.columns import fit_by_columns
from smalldata.models.elastic_net.descent import fit_by_descent
from smalldata.models.elastic_net.losses import LossName
from smalldata.models.elastic_net.problem import Design, Fit, Problem
from smalldata.models.elastic_net.rows import fit_by_rows

__all__ = ["Design", "Fit", "LossName", "Problem", "fit_elastic_net"]

# Unknowns of a system of equations; its solution costs their cube.
MOST_UNKNOWNS = 1500


def fit_elastic_net(problem: Problem) -> Fit:
    """Fit one model.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Fit
        The minimum; if ``converged`` is False, what was reached.
    """
    if problem.l1_share >= 1:
        return problem.null_fit()
    n_samples, n_columns = problem.design.X.shape
    try:
        if n_columns <= n_samples:
            fit = fit_by_columns(problem, most_coefficients=MOST_UNKNOWNS)
        elif problem.targets.size <= MOST_UNKNOWNS:
            fit = fit_by_rows(problem)
        else:
            return fit_by_descent(problem)
    except LinAlgError:
        return fit_by_descent(problem)
    return fit if fit.converged else fit_by_descent(problem)
