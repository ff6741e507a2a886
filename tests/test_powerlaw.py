"""Oracles: known laws, scipy's curve_fit and a brute-force grid, crossings in closed form, seeded
simulations of overlapping folds."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from smalldata.statistics.power_law import (
    N_SIZES,
    REACH,
    clear_stretches,
    draw_laws,
    find_crossing,
    fit_laws,
)
from smalldata.statistics.significance import corrected_draws, corrected_interval

SIZES = np.array([20.0, 40.0, 80.0, 150.0])
LAWS = [
    # a, b, c, higher is better, low, high
    (0.9, 2.0, 1.0, True, 0.0, 1.0),
    (0.95, 0.6, 0.3, True, 0.0, 1.0),
    (1.0, 3.0, 0.8, True, 0.0, 1.0),  # the asymptote on its bound
    (0.4, 1.5, 0.5, True, -1.0, 1.0),
    (-2.0, 8.0, 0.7, True, -np.inf, 1.0),
    (0.8, 5.0, 0.6, False, 0.0, np.inf),
    (0.0, 900.0, 0.5, False, 0.0, np.inf),
    (350.0, 9000.0, 1.2, False, 0.0, np.inf),
]


def law(n, a, b, c, higher):
    return a - b * n**-c if higher else a + b * n**-c


# ---------------------------------------------------------------- the fit


@pytest.mark.parametrize(("a", "b", "c", "higher", "low", "high"), LAWS)
@pytest.mark.parametrize("sizes", [SIZES, np.geomspace(8, 500, 9)], ids=["four", "nine"])
def test_a_known_law_is_recovered(a, b, c, higher, low, high, sizes):
    scores = law(sizes, a, b, c, higher)
    found = fit_laws(sizes, scores, higher_is_better=higher, low=low, high=high)
    scale = np.abs(scores).max()
    assert found.at(sizes) == pytest.approx(scores, abs=1e-5 * scale)
    assert float(found.c) == pytest.approx(c, rel=2e-3)
    assert float(found.a) == pytest.approx(a, abs=2e-3 * scale)
    assert float(found.b) == pytest.approx(b, rel=5e-3)
    beyond = np.array([2, REACH]) * sizes[-1]
    assert found.at(beyond) == pytest.approx(law(beyond, a, b, c, higher), abs=1e-4 * scale)


def loss_of(found, sizes, scores):
    return float(np.sum((found.at(sizes) - scores) ** 2))


@pytest.mark.parametrize("seed", range(12))
def test_fit_is_no_worse_than_scipy_from_many_starts(seed):
    """curve_fit with the same bounds, the best of 12 starts: it never finds less squared error."""
    rng = np.random.default_rng(seed)
    sizes = np.sort(rng.choice(np.arange(10, 400), size=6, replace=False)).astype(float)
    scores = 0.9 - rng.uniform(0.5, 4) * sizes ** -rng.uniform(0.2, 1.2)
    scores = np.clip(scores + rng.normal(scale=0.02, size=6), 0, 1)
    found = fit_laws(sizes, scores, higher_is_better=True, low=0, high=1)
    losses = []
    for c in np.geomspace(0.06, 2.9, 12):
        try:
            best, _ = curve_fit(
                lambda n, a, b, c: a - b * n**-c,
                sizes,
                scores,
                p0=(0.9, 1.0, c),
                bounds=([0, 0, 0.05], [1, np.inf, 3.0]),
            )
        except RuntimeError:
            continue
        losses.append(float(np.sum((law(sizes, *best, True) - scores) ** 2)))
    assert loss_of(found, sizes, scores) <= min(losses) * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("high", [1.0, 0.82, np.inf])
@pytest.mark.parametrize("seed", range(4))
def test_fit_is_no_worse_than_a_grid_over_all_three_numbers(seed, high):
    rng = np.random.default_rng(seed)
    scores = np.minimum(0.85 - 1.2 / SIZES**0.6 + rng.normal(scale=0.05, size=4), high)
    found = fit_laws(SIZES, scores, higher_is_better=True, low=0, high=high)
    a, b, c = np.meshgrid(
        np.linspace(0, min(high, 1.5), 61),
        np.concatenate([[0], np.geomspace(1e-3, 50, 60)]),
        np.geomspace(0.05, 3, 50),
        indexing="ij",
    )
    fitted = a[..., None] - b[..., None] * SIZES ** -c[..., None]
    assert loss_of(found, SIZES, scores) <= np.sum((fitted - scores) ** 2, axis=-1).min() + 1e-12
    assert 0 <= float(found.a) <= high
    assert float(found.b) >= 0


def test_a_small_rise_is_found_where_a_fall_would_fit_better():
    """Falling in log n, so that a law free to fall would; still the rise after the first size."""
    scores = np.array([0.77, 0.90, 0.85, 0.70])
    found = fit_laws(SIZES, scores, higher_is_better=True, low=0, high=1)
    flat = np.sum((scores - scores.mean()) ** 2)
    assert float(found.b) > 0
    assert loss_of(found, SIZES, scores) < flat - 1e-4


def test_law_stays_within_the_range_of_the_measure():
    found = fit_laws(SIZES, [0.0, 0.0, 0.9, 0.95], higher_is_better=True, low=0, high=1)
    assert float(found.a - found.b * 20**-found.c) < -0.01  # the line itself leaves it
    assert found.at(SIZES).min() == 0


def test_fit_of_many_draws_equals_single_fits():
    rng = np.random.default_rng(0)
    draws = 0.9 - 2 / SIZES + rng.normal(scale=0.03, size=(5, 3, 4))
    together = fit_laws(SIZES, draws, higher_is_better=True, low=0, high=1)
    assert together.a.shape == (5, 3)
    for i, j in np.ndindex(5, 3):
        alone = fit_laws(SIZES, draws[i, j], higher_is_better=True, low=0, high=1)
        assert float(alone.a) == pytest.approx(float(together.a[i, j]), abs=1e-12)
        assert float(alone.c) == pytest.approx(float(together.c[i, j]), rel=1e-9)


def test_law_of_an_error_mirrors_the_law_of_a_score():
    rng = np.random.default_rng(1)
    scores = 0.8 - 3 / SIZES + rng.normal(scale=0.02, size=4)
    up = fit_laws(SIZES, scores, higher_is_better=True, low=0, high=1)
    down = fit_laws(SIZES, 1 - scores, higher_is_better=False, low=0, high=1)
    assert down.at(SIZES) == pytest.approx(1 - up.at(SIZES), abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "value"),
    [([1.0, 1.0, 1.0, 1.0], 1.0), ([0.7] * 4, 0.7), ([0.9, 0.8, 0.8, 0.7], 0.8), ([0.0] * 4, 0.0)],
    ids=["ceiling", "flat", "falling", "zero"],
)
def test_falling_scores_are_fitted_flat(scores, value):
    found = fit_laws(SIZES, scores, higher_is_better=True, low=0, high=1)
    assert (float(found.b), float(found.c)) == (0, 1)
    assert found.at([20, 150, 600]) == pytest.approx(value)


def test_scores_of_any_size_keep_their_law():
    found = fit_laws(SIZES, 1e7 * (1 + 5 / SIZES), higher_is_better=False, low=0)
    assert float(found.a) == pytest.approx(1e7, rel=1e-4)
    assert float(found.c) == pytest.approx(1, rel=1e-3)


# ---------------------------------------------------------------- what is refused


def test_law_is_refused_outside_its_reach():
    found = fit_laws(SIZES, 0.9 - 2 / SIZES, higher_is_better=True, low=0, high=1)
    assert REACH == 4
    assert found.reach == 600
    assert found.at([20, 600]).shape == (2,)
    for size in (601, 19):
        with pytest.raises(ValueError, match=r"is evaluated between 20 and 600; got"):
            found.at([100, size])


@pytest.mark.parametrize("sizes", [[20, 40, 80], [20, 20, 40, 80], [0, 20, 40, 80]])
def test_too_few_sizes_are_refused(sizes):
    assert N_SIZES == 4
    with pytest.raises(ValueError, match="at least 4 different positive sizes"):
        fit_laws(sizes, np.linspace(0.5, 0.8, len(sizes)), higher_is_better=True)


# ---------------------------------------------------------------- crossings


def test_crossing_equals_closed_form():
    """0.8 - 1/n and 0.9 - 10/n meet where 9/n = 0.1, at 90."""
    grid = np.unique(np.round(np.geomspace(20, 600, 121)))
    difference = (0.9 - 10 / grid) - (0.8 - 1 / grid)
    assert find_crossing(grid, difference) == pytest.approx(90, rel=0.01)
    assert find_crossing(grid, difference + 1) is None
    assert find_crossing(grid, np.sin(grid / 60)) is None  # several


def noisy(curve, spread, rng, n=400):
    return curve + rng.normal(scale=spread, size=(n, 1))


def test_stretches_lie_on_either_side_of_the_crossing():
    rng = np.random.default_rng(0)
    grid = np.geomspace(20, 600, 121)
    slow, quick = noisy(0.9 - 10 / grid, 0.01, rng), noisy(0.8 - 1 / grid, 0.01, rng)
    before, after = clear_stretches(grid, slow, quick[None], higher_is_better=True)
    assert (before.ahead, after.ahead) == (False, True)
    assert before.start == grid[0]
    assert after.stop == grid[-1]
    assert before.stop < 90 < after.start
    # Where |0.1 - 9/n| is 1.96 standard deviations of the difference:
    reach = 1.96 * 0.01 * np.sqrt(2)
    assert before.stop == pytest.approx(9 / (0.1 + reach), rel=0.06)
    assert after.start == pytest.approx(9 / (0.1 - reach), rel=0.06)
    mirrored = clear_stretches(grid, 1 - slow, 1 - quick[None], higher_is_better=False)
    assert mirrored == [before, after]


def test_ahead_needs_every_rival_and_behind_needs_one():
    rng = np.random.default_rng(0)
    grid = np.geomspace(20, 600, 50)
    middle, low, high = (noisy(np.full(50, mean), 0.005, rng) for mean in (0.8, 0.7, 0.9))
    (lead,) = clear_stretches(grid, middle, low[None], higher_is_better=True)
    assert (lead.ahead, lead.start, lead.stop) == (True, 20, pytest.approx(600))
    (lead,) = clear_stretches(grid, middle, np.stack([low, high]), higher_is_better=True)
    assert not lead.ahead
    alike = noisy(np.full(50, 0.8), 0.005, rng)
    assert clear_stretches(grid, middle, np.stack([low, alike]), higher_is_better=True) == []


def test_more_rivals_make_it_harder_to_be_called_behind():
    """At 2.2 standard deviations one rival is clearly ahead, one of five is not (Bonferroni)."""
    rng = np.random.default_rng(0)
    one = noisy(np.zeros(1), 1.0, rng, n=20_000)
    rival = np.full((20_000, 1), 2.2)
    grid = np.array([50.0])
    (lead,) = clear_stretches(grid, one, rival[None], higher_is_better=True)
    assert not lead.ahead
    assert clear_stretches(grid, one, np.stack([rival] * 5), higher_is_better=True) == []


# ---------------------------------------------------------------- draws of the folds


def test_margins_of_draws_equal_corrected_intervals():
    rng = np.random.default_rng(3)
    scores = rng.normal([0.8, 0.7], [0.05, 0.02], size=(10, 2))
    draws = corrected_draws(scores, ratio=0.25, n_draws=40_000, seed=0)
    for column in range(2):
        wanted = corrected_interval(scores[:, column], ratio=0.25)
        low, high = np.quantile(draws[:, column], [0.025, 0.975])
        reach = wanted.high - wanted.low
        assert low == pytest.approx(wanted.low, abs=0.03 * reach)
        assert high == pytest.approx(wanted.high, abs=0.03 * reach)


def test_draws_keep_the_pairing_of_columns():
    rng = np.random.default_rng(3)
    one = rng.normal(0.8, 0.1, size=8)
    scores = np.column_stack([one, one - 0.05, one[::-1]])
    draws = corrected_draws(scores, ratio=0.25, n_draws=5000, seed=0)
    assert draws[:, 0] - draws[:, 1] == pytest.approx(0.05)
    wanted = np.corrcoef(scores, rowvar=False)[0, 2]
    assert np.corrcoef(draws, rowvar=False)[0, 2] == pytest.approx(wanted, abs=0.05)
    again = corrected_draws(scores, ratio=0.25, n_draws=5000, seed=0)
    assert np.array_equal(draws, again)
    with pytest.raises(ValueError, match="at least two scores; got 1"):
        corrected_draws(scores[:1], ratio=0.25, n_draws=10, seed=0)


def test_misfit_of_a_law_widens_its_draws():
    bounds = {"higher_is_better": True, "low": 0.0, "high": 1.0}
    means = 0.9 - 2 / SIZES
    draws = means + np.random.default_rng(0).normal(scale=0.01, size=(4000, 4))
    law, laws = draw_laws(SIZES, means, draws, seed=0, **bounds)
    plain = fit_laws(SIZES, draws, **bounds)
    assert float(law.c) == pytest.approx(1, rel=1e-3)
    assert laws.at([300]) == pytest.approx(plain.at([300]), abs=1e-4)  # it misses nothing
    bent = means + np.array([0.02, -0.02, -0.02, 0.02])
    law, laws = draw_laws(SIZES, bent, np.tile(bent, (4000, 1)), seed=0, **bounds)
    missed = np.sqrt(np.sum((law.at(SIZES) - bent) ** 2) / (4 - 3))
    assert missed > 0.02
    # Without a spread over the folds all of the spread is that of such errors, refitted.
    errors = np.random.default_rng(1).normal(scale=missed, size=(4000, 4))
    wanted = fit_laws(SIZES, np.clip(bent + errors, 0, 1), **bounds).at([300])
    assert laws.at([300]).std() == pytest.approx(wanted.std(), rel=0.05)
    again = draw_laws(SIZES, bent, np.tile(bent, (4000, 1)), seed=0, **bounds)[1]
    assert np.array_equal(again.at([300]), laws.at([300]))


# ---------------------------------------------------------------- coverage


def overlapping_folds(truth, rng, *, n_folds=25, ratio=0.25, spread=0.06):
    """Scores of folds whose means err together, as far as the corrected variance says they do.

    Each of the columns has a spread over the folds of its own and one that all share (the test
    samples are hard or easy for every size); the mean over infinitely many folds still errs with
    variance ratio * spread^2.
    """
    shared = rng.normal(size=(n_folds, 1)) + np.sqrt(ratio) * rng.normal()
    own = rng.normal(size=(n_folds, len(truth))) + np.sqrt(ratio) * rng.normal(size=len(truth))
    return truth + spread * (np.sqrt(0.7) * shared + np.sqrt(0.3) * own)


@pytest.mark.parametrize("n_folds", [25, 5])
def test_extrapolated_intervals_cover_where_plain_resampling_does_not(n_folds):
    """At twice and four times the largest size, over 150 studies; the binomial error is 0.018."""
    rng = np.random.default_rng(11)
    sizes = np.array([20.0, 40.0, 80.0, 160.0])
    asked = np.array([160.0, 320.0, 640.0])
    held, plainly = np.zeros(3), np.zeros(3)
    n_studies = 150
    for study in range(n_studies):
        c, gain = rng.uniform(0.4, 1.0), rng.uniform(0.05, 0.25)
        truth = (0.9, gain * 20**c, c, True)
        scores = overlapping_folds(law(sizes, *truth), rng, n_folds=n_folds)
        resampled = scores[rng.integers(0, n_folds, size=(300, n_folds))].mean(axis=1)
        drawn = corrected_draws(scores, ratio=0.25, n_draws=300, seed=study)
        for draws, count in ((drawn, held), (resampled, plainly)):
            laws = fit_laws(sizes, np.clip(draws, 0, 1), higher_is_better=True, low=0, high=1)
            low, high = np.quantile(laws.at(asked), [0.025, 0.975], axis=0)
            count += (low <= law(asked, *truth)) & (law(asked, *truth) <= high)
    assert np.all(held / n_studies >= 0.90)
    assert np.all(plainly[:2] / n_studies < 0.75)


def test_no_lead_is_claimed_on_the_wrong_side_of_a_crossing():
    """Two laws that meet at 90 samples; each side is wrong in at most 2.5 % of the studies."""
    rng = np.random.default_rng(5)
    sizes = np.array([20.0, 40.0, 80.0, 160.0])
    grid = np.unique(np.round(np.geomspace(20, 640, 61)))
    truth = np.concatenate([0.92 - 7.2 / sizes, 0.84 - 0.0 / sizes])
    wrong = told = 0
    n_studies = 120
    for study in range(n_studies):
        scores = overlapping_folds(truth, rng, spread=0.05)
        draws = np.clip(corrected_draws(scores, ratio=0.25, n_draws=300, seed=study), 0, 1)
        slow, quick = (
            fit_laws(sizes, part, higher_is_better=True, low=0, high=1).at(grid)
            for part in (draws[:, :4], draws[:, 4:])
        )
        found = clear_stretches(grid, slow, quick[None], higher_is_better=True)
        wrong += any(s.start < 89 if s.ahead else s.stop > 91 for s in found)
        told += bool(found)
    assert wrong / n_studies <= 0.08
    assert told / n_studies >= 0.5
