"""Sampled values of any function: brute force, exact addition, budgets, batches and errors."""

import numpy as np
import pytest

from shapley_oracle import add_up, brute_force
from smalldata.errors import ExplanationError
from smalldata.shapley import permutation_values
from smalldata.shapley.networks import chosen_player_values


@pytest.fixture
def game():
    """A small network of 6 columns and 3 outputs."""
    rng = np.random.default_rng(0)
    inner, outer = rng.normal(size=(6, 8)), rng.normal(size=(8, 3))

    def function(rows):
        return np.maximum(rows @ inner - 0.5, 0) @ outer

    return function, rng.normal(size=(4, 6)), rng.normal(size=(20, 6))


@pytest.mark.parametrize("players", [None, np.array([0, 1, 1, 2, 0, 3])])
def test_walks_equal_brute_force_within_their_errors(game, players):
    function, X, background = game
    want, base = brute_force(function, X, background, players)
    values, base_values, errors = permutation_values(
        function, X, background, players=players, n_permutations=40, seed=1
    )
    np.testing.assert_allclose(base_values, base, atol=1e-12)
    assert add_up(values, base_values, function(X)) < 1e-12
    assert (np.abs(values - want) <= 4 * errors + 1e-12).all()
    assert errors.max() < 0.05 * np.abs(want).max()
    calibration = np.sqrt(np.mean(np.square((values - want) / errors)))
    assert 0.6 < calibration < 1.5


def test_additive_functions_have_no_error(game):
    _, X, background = game
    coef = np.arange(6.0)
    values, _, errors = permutation_values(lambda rows: rows @ coef, X, background)
    np.testing.assert_allclose(values[:, :, 0], coef * (X - background.mean(axis=0)), atol=1e-12)
    assert not errors.any()


@pytest.mark.parametrize(("n_pairs", "rounds"), [(12, 0), (20, 1), (50, 2)])
def test_budget_is_not_exceeded_and_values_add_up(game, n_pairs, rounds):
    function, X, background = game
    n_evaluations = 0

    def counting(rows):
        nonlocal n_evaluations
        n_evaluations += len(rows)
        return function(rows)

    budget = n_pairs * 2 * 5
    values, base_values, errors = permutation_values(
        counting, X, background, n_permutations=40, max_evaluations=budget, seed=2
    )
    n_walked = max(rounds * 20, n_pairs if rounds == 0 else 0)
    assert n_evaluations == len(X) * n_walked * 10 + len(X) + len(background)
    assert add_up(values, base_values, function(X)) < 1e-12
    want, _ = brute_force(function, X, background)
    assert (np.abs(values - want) <= 4 * errors).all()


def test_random_background_subset_is_unbiased(game):
    function, X, background = game
    want, _ = brute_force(function, X[:1], background)
    found = [
        permutation_values(function, X[:1], background, max_evaluations=60, seed=seed)[0]
        for seed in range(150)
    ]
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - want) < 4 * error).all()


@pytest.mark.parametrize("budget", [60, 120, 200])
def test_gradient_reduces_the_error_from_background_rows(budget):
    rng = np.random.default_rng(4)
    inner, outer = rng.normal(size=(6, 8)) / 9, rng.normal(size=(8, 3))

    def function(rows):
        return np.tanh(rows @ inner) @ outer

    def gradient(rows):
        slopes = 1 - np.tanh(rows @ inner) ** 2
        return np.einsum("nh,ch,ho->noc", slopes, inner, outer)

    X, background = rng.normal(size=(2, 6)), rng.normal(size=(20, 6))
    want, _ = brute_force(function, X, background)
    misses = {}
    for name, given in (("with", gradient), ("without", None)):
        found = [
            permutation_values(
                function, X, background, max_evaluations=budget, seed=seed, gradient=given
            )
            for seed in range(60)
        ]
        values, errors = (np.array([one[place] for one in found]) for place in (0, 2))
        bias = values.mean(axis=0) - want
        assert (np.abs(bias) < 4.5 * values.std(axis=0) / np.sqrt(60) + 1e-12).all()
        assert max(add_up(one, found[0][1], function(X)) for one in values) < 1e-12
        misses[name] = np.sqrt(np.mean(np.square(values - want)))
        stated = np.sqrt(np.mean(np.square(errors)))
        if given is not None:
            assert 0.8 < stated / misses[name] < 1.5
    whole = budget == 200  # one pair from each of the 20 rows: nothing was left to chance
    assert misses["with"] < (1.01 if whole else 0.4) * misses["without"]


def test_batch_size_does_not_change_values(game):
    function, X, background = game
    sizes = []

    def watching(rows):
        sizes.append(len(rows))
        return function(rows)

    one, _, _ = permutation_values(watching, X, background, batch_rows=7)
    assert max(sizes) == 7
    other, _, _ = permutation_values(function, X, background, batch_rows=100_000)
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_tolerance_stops_early(game):
    function, X, background = game
    _, _, few = permutation_values(function, X, background, n_permutations=4)
    _, _, stopped = permutation_values(
        function, X, background, n_permutations=400, tolerance=few.max() / 2
    )
    _, _, many = permutation_values(function, X, background, n_permutations=400)
    assert many.max() < stopped.max() <= few.max() / 2


def test_single_player_takes_all_and_players_without_a_column_get_zero(game):
    function, X, background = game
    values, base_values, errors = permutation_values(
        function, X, background, players=np.full(6, 2), n_players=4
    )
    assert values.shape == (4, 4, 3)
    assert not values[:, [0, 1, 3]].any()
    np.testing.assert_allclose(values[:, 2], function(X) - base_values, atol=1e-12)
    assert errors.max() < 1e-7


def test_missing_values_reach_the_function():
    values, _, _ = permutation_values(
        lambda rows: np.isnan(rows).sum(axis=1), [[np.nan, 0.0]], [[0.0, 0.0]], missing=True
    )
    assert values[0, :, 0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_permutations": 3}, "n_permutations must be even and at least 4; got 3"),
        ({"max_evaluations": 39}, "max_evaluations must be at least 40 .* 6 players; got 39"),
        ({"batch_rows": 0}, "batch_rows must be at least 1"),
        ({"function": lambda rows: rows[:1]}, r"one row of outputs per row \(4\); got \(1, 6\)"),
        ({"function": lambda rows: rows[:, :1] / 0.0}, "must return finite numbers"),
    ],
)
def test_settings_out_of_range_are_refused(game, changes, sentence):
    function, X, background = game
    function = changes.pop("function", function)
    with pytest.raises(ExplanationError, match=sentence), np.errstate(divide="ignore"):
        permutation_values(function, X, background, **changes)


@pytest.mark.parametrize("players", [None, np.array([0, 1, 1, 4, 0, 3])])
def test_chosen_players_have_the_values_of_the_whole_game(game, players):
    function, X, background = game
    labels = np.arange(6) if players is None else np.unique(players, return_inverse=True)[1]
    want, _ = brute_force(function, X, background, labels)
    places = [3, 1]
    chosen = [3, 1] if players is None else [4, 1]
    sizes = []

    def watching(rows):
        sizes.append(len(rows))
        return function(rows)

    values, errors = chosen_player_values(
        watching, X, background, chosen=chosen, players=players, n_permutations=40, batch_rows=30
    )
    assert max(sizes) == 60  # a step has two ends
    assert sum(sizes) == 4 * 40 * 20 * 2 * 2
    assert (np.abs(values - want[:, places]) <= 4 * errors + 1e-12).all()
    calibration = np.sqrt(np.mean(np.square((values - want[:, places]) / errors)))
    assert 0.5 < calibration < 1.6


def test_a_chosen_player_must_own_a_column(game):
    function, X, background = game
    with pytest.raises(ExplanationError, match=r"got \[0, 7\], of which \[7\] own none"):
        chosen_player_values(function, X, background, chosen=[0, 7])


def test_walks_that_stop_early_state_honest_errors():
    """Against brute force over many seeds, with the gradient, as networks are explained."""
    rng = np.random.default_rng(6)
    first, last = rng.normal(size=(7, 12)) / 2, rng.normal(size=12) / 3
    X, background = rng.normal(size=(2, 7)), rng.normal(size=(40, 7))

    def function(rows):
        return (np.tanh(rows @ first) @ last)[:, None]

    def gradient(rows):
        return (((1 - np.tanh(rows @ first) ** 2) * last) @ first.T)[:, None, :]

    want, base = brute_force(function, X, background)
    ask = {"gradient": gradient, "max_evaluations": 12 * 40}
    gaps, errors = [], []
    for seed in range(60):
        values, base_values, stated = permutation_values(
            function, X, background, **ask, leading_error=0.3, seed=seed
        )
        np.testing.assert_allclose(base_values, base)
        assert add_up(values, base_values, function(X)) < 1e-12
        gaps.append(values - want)
        errors.append(stated)
    _, _, full = permutation_values(function, X, background, **ask)
    assert np.mean(errors) > 1.2 * full.mean()  # they did stop
    ratio = np.sqrt(np.mean(np.square(gaps)) / np.mean(np.square(errors)))
    assert 0.5 < ratio < 1.1  # never understated; sharing what is lacking helps
    bias = np.abs(np.mean(gaps, axis=0)) / (np.std(gaps, axis=0, ddof=1) / np.sqrt(60))
    assert bias.max() < 4
