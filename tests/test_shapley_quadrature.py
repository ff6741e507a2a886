"""The rules, series and bounds that the exact values of product kernels rest on."""

import numpy as np
import pytest

from smalldata.shapley.diagonal import MOST_EXPANDED, make_diagonals, walk_diagonals
from smalldata.shapley.quadrature import MOST_POWERS, make_rules, n_nodes


def test_rules_integrate_polynomials_exactly():
    rules = make_rules(24)
    assert rules.sizes[-1] == 12
    for size, start in zip(rules.sizes, rules.starts, strict=True):
        rule = slice(start, start + size)
        degree = 2 * size - 1
        integral = (rules.weights[rule] * rules.nodes[rule] ** degree).sum()
        assert integral == pytest.approx(1 / (degree + 1))
    for wanted, rule in enumerate(make_rules(3000).rule_for):
        sizes = make_rules(3000).sizes
        assert sizes[rule] >= wanted
        assert rule == 0 or sizes[rule - 1] < wanted


@pytest.mark.parametrize("y", [-1.2, -0.5, -0.03, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("n_powers", [2, 4, 8, 12, 24])
def test_series_error_stays_below_the_proven_remainder(y, n_powers):
    rules = make_rules(400)
    tau = rules.nodes - 0.5
    g = np.cosh(y / 2) + 2 * tau * np.sinh(y / 2)
    powers = y ** np.arange(n_powers + 1)
    for series, tail, exact in (
        (rules.logs, rules.log_tail, np.log(g)),
        (rules.shares, rules.share_tail, 2 * np.sinh(y / 2) / g),
    ):
        error = np.abs(series[:, : n_powers + 1] @ powers - exact).max()
        bound = tail[n_powers] * abs(y) ** (n_powers + 1) / (1 - abs(y) / 2)
        assert error <= bound + 1e-15
        if bound > 1e-12:
            assert error > bound / 50


def test_node_count_bounds_the_quadrature_error():
    # The bound against the error that a rule of that size really makes, for one factor to a power.
    rules = make_rules(400)
    for v, n_players in [(0.05, 100), (0.3, 60), (-0.5, 200), (1.5, 30)]:
        exact = ((1 + v / 2) ** n_players - (1 - v / 2) ** n_players) / n_players
        for tolerance in (1e-3, 1e-6, 1e-9):
            allowed = tolerance * abs(exact)
            room = -np.log(allowed) + np.log(abs(v))
            drift, squares = (n_players + 1) * abs(v), n_players * v**2
            wanted, _ = n_nodes(room, np.inf, drift, squares, 0.0, 0)
            rule = rules.rule_for[min(int(np.ceil(wanted)), len(rules.rule_for) - 1)]
            part = slice(rules.starts[rule], rules.starts[rule] + rules.sizes[rule])
            tau = rules.nodes[part] - 0.5
            found = v * (rules.weights[part] * (1 + v * tau) ** (n_players - 1)).sum()
            assert abs(found - exact) <= allowed


@pytest.mark.parametrize("scale", [1e-9, 0.01, 0.1, 0.4, 8.0])
def test_products_at_the_nodes_equal_plain_products(scale):
    # Scales up to 0.01 take power series alone, 8 multiplies nearly all factors one by one.
    rng = np.random.default_rng(7)
    n_players, n_background = 40, 300
    present = -rng.exponential(scale, size=n_players)
    absent = -rng.exponential(scale, size=(n_background, n_players))
    absent[0] = present
    rules = make_rules(n_players)
    diagonals = make_diagonals(n_background, n_players, rules)
    n_together = len(diagonals.gaps)
    assert 1 < n_together < n_background
    absent = absent[:n_together]
    allowed = 1e-10 * np.exp(present.sum())
    walk_diagonals(present, absent, present.sum(), absent.sum(axis=1), allowed, 1, rules, diagonals)
    apart = diagonals.n_far > 0
    assert apart.any() == (np.abs(present - absent).max() > MOST_EXPANDED)
    assert diagonals.n_used.any()
    for z in np.flatnonzero(diagonals.n_used):
        part = slice(diagonals.first[z], diagonals.first[z] + diagonals.n_used[z])
        t = rules.nodes[part, None]
        logs = np.logaddexp(np.log(t) + present, np.log(1 - t) + absent[z]).sum(axis=1)
        found = diagonals.products[z, : diagonals.n_used[z]]
        np.testing.assert_allclose(found, rules.weights[part] * np.exp(logs), rtol=1e-11)
    largest = np.maximum(present, absent).sum(axis=1)
    assert (largest[diagonals.n_used == 0] <= np.log(allowed)).all()


def test_most_powers_suffice_for_the_largest_expansion():
    rules = make_rules(2)
    rest = MOST_EXPANDED ** (MOST_POWERS + 1) / (1 - MOST_EXPANDED / 2)
    assert rules.log_tail[MOST_POWERS] * rest < 1e-15
    assert rules.share_tail[MOST_POWERS] * rest < 1e-15
