"""Kernel machines on wide tables: the leading features as if the others were one player."""

import numpy as np
import pytest

from smalldata.learner import KernelForm
from smalldata.shapley import wide
from smalldata.shapley.dispatch import explain_form, form_interactions, form_values


def _machine(kernel, n_outputs=1):
    rng = np.random.default_rng(0)
    support = rng.normal(size=(30, 40))
    form = KernelForm(
        kernel=kernel,
        support=support,
        coef=rng.normal(size=(n_outputs, 30)),
        intercept=rng.normal(size=n_outputs),
        gamma=0.02,
        degree=3,
        coef0=1.0,
    )
    X, Z = rng.normal(size=(5, 40)), rng.normal(size=(7, 40))
    X[:, :4] *= 4.0  # these lead
    return form, X, Z


def _play(form, X, Z, players):
    return form_values(form, X, Z, players=players, evaluations=6000, seed=0)


@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_leading_players_are_those_of_the_game_with_the_others_as_one(monkeypatch, kernel):
    form, X, Z = _machine(kernel, n_outputs=2)
    players = np.repeat(np.arange(20), 2)
    exact, base, _ = _play(form, X, Z, players)
    first = wide.first_order(form, X, Z, players)
    chosen = np.argsort(-np.abs(first).mean(axis=(0, 2)), kind="stable")[:5]
    place = np.full(20, 5)
    place[chosen] = np.arange(5)
    merged, _, _ = _play(form, X, Z, place[players])
    monkeypatch.setattr(wide, "MOST_STEPS", 1)
    monkeypatch.setattr(wide, "LEADING_STEPS", 5 * 5 * 7 * 30)
    monkeypatch.setattr(wide, "FEWEST_LEADING", 1)
    found = explain_form(form, X, Z, players=players, evaluations=6000, seed=0)
    np.testing.assert_allclose(found.values[:, chosen], merged[:, :5], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.values.sum(axis=1), exact.sum(axis=1), atol=1e-8)
    np.testing.assert_allclose(found.base_values, base, atol=1e-9)
    assert 0 in chosen
    gap = np.abs(found.values[:, chosen] - exact[:, chosen]).max()
    assert gap < 0.1 * np.abs(exact).max()
    assert found.note.startswith("this many features would take hours")
    assert "about 5" in found.note
    assert "the other 15" in found.note


def test_pairs_of_a_wide_table_are_those_beside_one_joint_player(monkeypatch):
    form, X, Z = _machine("rbf")
    place = np.full(40, 3)
    place[[0, 2, 5]] = [0, 1, 2]
    ask = {"chosen": np.arange(3), "players": place, "n_players": 4}
    expected = form_interactions(form, X, Z, **ask)
    monkeypatch.setattr(wide, "MOST_STEPS", 1)
    monkeypatch.setattr(wide, "FEWEST_LEADING", 3)
    monkeypatch.setattr(wide, "LEADING_STEPS", 1)
    assert wide.leading_players(form, X, Z, np.arange(40)) == 3
    found = form_interactions(
        form, X, Z, chosen=np.array([0, 2, 5]), players=np.arange(40), n_players=40
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-10)
