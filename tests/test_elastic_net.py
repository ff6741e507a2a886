"""The solvers of the elastic net against each other and against the conditions of a minimum.

Everything here is small and convex, so all solvers must end at one point.
"""

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from smalldata.models.elastic_net import Design, Problem, fit_elastic_net
from smalldata.models.elastic_net.columns import fit_by_columns, minimise_quadratic
from smalldata.models.elastic_net.descent import fit_by_descent
from smalldata.models.elastic_net.losses import LOSSES
from smalldata.models.elastic_net.rows import ActiveGrams, fit_by_rows
from smalldata.models.elastic_net.systems import solve_positive

SOLVERS = {
    "rows": fit_by_rows,
    "columns": lambda problem: fit_by_columns(problem, most_coefficients=10_000),
    "descent": fit_by_descent,
}
LOSS_NAMES = sorted(LOSSES)


def make_problem(
    loss_name, *, shape=(40, 60), l1_share=0.1, l2_share=0.05, seed=0, n_classes=3, balanced=True
):
    """Correlated columns of which three tell; unequal row weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=shape) + rng.normal(size=(shape[0], 1))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    signal = X[:, 0] + X[:, 1] - X[:, 2] + rng.normal(size=shape[0])
    if loss_name == "squared":
        targets = signal[:, None]
    elif loss_name == "logistic":
        targets = (signal > np.quantile(signal, 0.6)).astype(np.float64)[:, None]
    else:
        targets = np.eye(n_classes)[np.argsort(np.argsort(signal)) * n_classes // len(X)]
    design = Design.of(X)
    return Problem(
        design=design,
        targets=targets,
        weights=rng.uniform(0.5, 2, len(X)) if balanced else np.ones(len(X)),
        loss_name=loss_name,
        l1_share=l1_share,
        l2=l2_share * design.variance,
    )


def objective(problem, coef, intercept):
    output = problem.design.X @ coef + intercept
    penalty = problem.l1 * np.abs(coef).sum() + problem.l2 / 2 * (coef**2).sum()
    return problem.loss.value(output) + penalty


def outputs_of(problem, fit):
    output = problem.design.X @ fit.coef + fit.intercept
    if problem.loss_name == "multinomial":
        output = output - output.mean(axis=1, keepdims=True)
    return output


# ---------------------------------------------------------------- the solvers agree


@pytest.mark.parametrize("loss_name", LOSS_NAMES)
@pytest.mark.parametrize("shape", [(40, 90), (60, 20)])
@pytest.mark.parametrize(
    ("l1_share", "l2_share"),
    [(0.0, 0.3), (0.0, 1e-3), (0.3, 0.1), (0.02, 0.01), (0.7, 1e-3), (0.1, 1e-6)],
)
def test_all_solvers_reach_the_same_minimum(loss_name, shape, l1_share, l2_share):
    problem = make_problem(loss_name, shape=shape, l1_share=l1_share, l2_share=l2_share)
    fits = {name: solve(problem) for name, solve in SOLVERS.items()}
    values = {name: objective(problem, fit.coef, fit.intercept) for name, fit in fits.items()}
    least = min(values.values())
    for name in ("rows", "columns"):
        assert fits[name].converged, name
        assert problem.violation(fits[name]) <= problem.tolerance, name
        assert values[name] <= least + 1e-9 * abs(least), name
    np.testing.assert_allclose(
        outputs_of(problem, fits["rows"]), outputs_of(problem, fits["columns"]), atol=1e-4
    )
    if fits["descent"].converged:
        np.testing.assert_allclose(
            outputs_of(problem, fits["rows"]), outputs_of(problem, fits["descent"]), atol=1e-3
        )


@pytest.mark.parametrize("loss_name", LOSS_NAMES)
@pytest.mark.parametrize("name", ["rows", "columns"])
def test_random_step_from_the_fit_never_lowers_the_objective(loss_name, name):
    problem = make_problem(loss_name, shape=(30, 12), l1_share=0.1, l2_share=0.02)
    fit = SOLVERS[name](problem)
    best = objective(problem, fit.coef, fit.intercept)
    rng = np.random.default_rng(1)
    for scale in (1e-1, 1e-3, 1e-5):
        for _ in range(100):
            away = rng.normal(size=fit.coef.shape) * (rng.random(fit.coef.shape) < 0.3) * scale
            aside = rng.normal(size=fit.intercept.shape) * scale
            assert objective(problem, fit.coef + away, fit.intercept + aside) > best - 1e-11


@pytest.mark.parametrize("loss_name", LOSS_NAMES)
@pytest.mark.parametrize("shape", [(30, 100), (50, 10)])
@pytest.mark.parametrize("strength", [1.0, 0.1, 1e-3, 1e-5])
def test_lasso_without_l2_penalty_converges(loss_name, shape, strength):
    problem = make_problem(loss_name, shape=shape, l1_share=0.9 * strength, l2_share=0.0)
    fit = fit_elastic_net(problem)
    assert fit.converged
    assert problem.violation(fit) <= problem.tolerance
    if strength < 1:
        assert (fit.coef != 0).any(axis=1).sum() > 0


@pytest.mark.parametrize("name", ["rows", "columns"])
def test_duplicated_columns_share_a_coefficient(name):
    problem = make_problem("logistic", shape=(30, 20), l1_share=0.1, l2_share=0.02)
    X = np.hstack([problem.design.X, problem.design.X[:, :5], np.zeros((30, 2))])
    copied = Problem(
        design=Design.of(X),
        targets=problem.targets,
        weights=problem.weights,
        loss_name="logistic",
        l1_share=0.1,
        l2=problem.l2,
    )
    fit = SOLVERS[name](copied)
    assert fit.converged
    np.testing.assert_allclose(fit.coef[:5], fit.coef[20:25], atol=1e-5)
    assert (fit.coef[25:] == 0).all()


@pytest.mark.parametrize("shape", [(30, 200), (60, 4)])
def test_separable_classes_converge(shape):
    problem = make_problem("logistic", shape=shape)
    targets = (problem.design.X[:, :1] > 0).astype(np.float64)
    for l1_share, l2_share in ((0.0, 1e-7), (1e-3, 1e-7), (1e-5, 0.0)):
        parted = Problem(
            design=problem.design,
            targets=targets,
            weights=problem.weights,
            loss_name="logistic",
            l1_share=l1_share,
            l2=l2_share * problem.design.variance,
        )
        fit = fit_elastic_net(parted)
        assert fit.converged
        assert ((problem.design.X @ fit.coef + fit.intercept > 0) == (targets > 0)).all()


# ---------------------------------------------------------------- choosing a solver


@pytest.mark.parametrize("loss_name", LOSS_NAMES)
def test_system_too_large_for_newton_is_solved_by_descent(monkeypatch, loss_name):
    for shape in ((20, 40), (40, 20)):
        problem = make_problem(loss_name, shape=shape, l1_share=0.05)
        wanted = fit_elastic_net(problem)
        with monkeypatch.context() as patch:
            patch.setattr("smalldata.models.elastic_net.MOST_UNKNOWNS", 1)
            found = fit_elastic_net(problem)
        assert found.converged
        assert not np.array_equal(found.coef, wanted.coef)  # it was another solver
        np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-5)


@pytest.mark.parametrize(("shape", "solver"), [((20, 40), "rows"), ((40, 20), "columns")])
def test_descent_continues_where_newton_stops_early(monkeypatch, shape, solver):
    problem = make_problem("logistic", shape=shape, l1_share=0.05)
    wanted = fit_elastic_net(problem)
    monkeypatch.setattr(f"smalldata.models.elastic_net.{solver}.MOST_STEPS", 1)
    found = fit_elastic_net(problem)
    assert found.converged
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-5)
    monkeypatch.setattr("smalldata.models.elastic_net.descent.MOST_STEPS", 1)
    assert not fit_elastic_net(problem).converged


def test_l1_share_of_one_uses_no_column():
    for loss_name in LOSS_NAMES:
        fit = fit_elastic_net(make_problem(loss_name, l1_share=1.0))
        assert (fit.coef == 0).all()
        assert (fit_elastic_net(make_problem(loss_name, l1_share=0.99)).coef != 0).any()


def test_fit_does_not_depend_on_earlier_fits():
    first = make_problem("multinomial", shape=(30, 80))
    alone = fit_elastic_net(first)
    for share in (0.5, 0.01):
        fit_elastic_net(
            Problem(
                design=first.design,
                targets=first.targets[::-1],
                weights=first.weights,
                loss_name="multinomial",
                l1_share=share,
                l2=share,
            )
        )
    again = fit_elastic_net(make_problem("multinomial", shape=(30, 80)))
    np.testing.assert_array_equal(fit_elastic_net(first).coef, alone.coef)
    np.testing.assert_array_equal(again.coef, alone.coef)


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("loss_name", LOSS_NAMES)
def test_loss_and_its_conjugate_are_consistent(loss_name):
    loss = make_problem(loss_name).loss
    rng = np.random.default_rng(2)
    output = rng.normal(size=loss.targets.shape) * 2
    output -= output.mean(axis=1, keepdims=True) if output.shape[1] > 1 else 0
    residuals = loss.residuals(output)
    np.testing.assert_allclose(loss.output(residuals), output, atol=1e-9)
    # Fenchel and Young: the loss and its conjugate sum to the product where one derives the other.
    both = loss.value(output) + loss.conjugate(residuals)
    np.testing.assert_allclose(both, -(residuals * output).sum(), atol=1e-9)
    curvature = loss.curvature(output)
    root = loss.root(residuals)
    np.testing.assert_allclose(root @ root.transpose(0, 2, 1), curvature, atol=1e-9)
    step = rng.normal(size=output.shape)
    change = 1e-6 * step
    slope = (loss.value(output + change) - loss.value(output - change)) / 2e-6
    np.testing.assert_allclose(slope, -(residuals * step).sum(), rtol=1e-6)
    bent = (loss.residuals(output - change) - loss.residuals(output + change)) / 2e-6
    np.testing.assert_allclose(bent, (curvature @ step[:, :, None])[:, :, 0], atol=1e-6)
    away = step * (loss.weights if loss_name != "multinomial" else 1.0)
    if loss_name == "multinomial":
        away = away - away.mean(axis=1, keepdims=True)
    reach = loss.reach(residuals, away)
    if loss_name == "squared":
        assert reach == np.inf
    else:
        with np.errstate(all="ignore"):
            assert np.isfinite(loss.output(residuals + 0.999 * reach * away)).all()
            assert not np.isfinite(loss.output(residuals + 1.001 * reach * away)).all()


def test_active_set_products_stay_up_to_date():
    rng = np.random.default_rng(3)
    design = Design.of(rng.normal(size=(6, 30)))
    grams = ActiveGrams(design)
    for share in (0.1, 0.15, 0.9, 0.95, 0.5, 0.0, 1.0):
        active = rng.random((30, 2)) < share
        found = grams.update(active)
        for k in range(2):
            part = design.X[:, active[:, k]]
            np.testing.assert_allclose(found[k], part @ part.T, atol=1e-12)


@pytest.mark.parametrize("l1", [0.0, 0.5])
def test_minimise_quadratic_meets_the_optimality_conditions(l1):
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(40, 30)) + 3 * rng.normal(size=(40, 1))
    bend, slope, start = rows.T @ rows, rng.normal(size=30) * 10, rng.normal(size=30)
    step = minimise_quadratic(bend.copy(), slope, start, l1=l1, tolerance=1e-9)
    gradient, coef = slope + bend @ step, start + step
    if l1 == 0:
        np.testing.assert_allclose(gradient, 0, atol=1e-8)
    else:
        assert 0 < (coef != 0).sum() < 30
        np.testing.assert_allclose(gradient[coef != 0], -l1 * np.sign(coef[coef != 0]), atol=1e-8)
        assert (np.abs(gradient[coef == 0]) <= l1 + 1e-8).all()


def test_solve_positive_refuses_matrix_that_is_not_positive():
    found = solve_positive(np.diag([2.0, 4.0]), np.array([[2.0, 4.0], [4.0, 8.0]]))
    np.testing.assert_allclose(found, [[1, 2], [1, 2]])
    with pytest.raises(LinAlgError):
        solve_positive(np.diag([1.0, -1.0]), np.ones(2))
