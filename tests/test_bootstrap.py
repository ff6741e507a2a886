"""Oracle: the plain way, each draw's rows repeated and scored one draw at a time."""

import numpy as np
import pytest

from smalldata.measures.draws import mean_defined, taken
from smalldata.measures.registry import measures_for
from smalldata.results.folds import Prediction
from smalldata.statistics.significance import draw_weights
from smalldata.task import TaskKind

CLASSES = {
    TaskKind.BINARY: ("control", "case"),
    TaskKind.MULTICLASS: ("a", "b", "c"),
    TaskKind.REGRESSION: (),
}
CASES = [(kind, measure) for kind in TaskKind for measure in measures_for(kind)]


def random_prediction(kind, rng, n):
    if kind is TaskKind.REGRESSION:
        y = np.round(rng.normal(size=n), 1)
        return Prediction(row=np.arange(n), y=y, value=np.round(y + rng.normal(size=n), 1))
    n_classes = len(CLASSES[kind])
    y = rng.integers(0, n_classes, n)
    p = np.round(rng.dirichlet(np.ones(n_classes), n), 1)
    margin = np.round(rng.normal(size=(n, 1 if n_classes == 2 else n_classes)), 1)
    return Prediction(
        row=np.arange(n),
        y=y,
        label=p.argmax(axis=1),
        probabilities=p,
        margin=margin if rng.uniform() < 0.5 else None,
    )


@pytest.mark.parametrize(("kind", "measure"), CASES, ids=[f"{k}-{m.name}" for k, m in CASES])
@pytest.mark.parametrize("n", [3, 4, 25])
def test_all_draws_at_once_equal_one_by_one(kind, measure, n):
    rng = np.random.default_rng(n)
    n_defined = 0
    for _ in range(10):
        prediction = random_prediction(kind, rng, n)
        weights = draw_weights(np.arange(n), 12, seed=int(rng.integers(2**31)))
        weights[-1] = 0
        weights[-1, 0] = 3  # one row thrice: undefined for most measures
        quick = measure.score_draws(prediction, weights, classes=CLASSES[kind])
        plain = measure.score_each_draw(prediction, weights, classes=CLASSES[kind])
        assert quick == pytest.approx(plain, abs=1e-9, nan_ok=True)
        n_defined += int(np.sum(~np.isnan(quick)))
    assert n_defined > 0 or measure.name == "calibration_slope"


def test_draws_without_probabilities_or_margins_are_nan():
    auc = measures_for(TaskKind.BINARY)[0]
    bare = Prediction(row=np.arange(2), y=np.array([0, 1]), label=np.array([0, 1]))
    assert np.all(np.isnan(auc.score_draws(bare, np.ones((3, 2)), classes=("a", "b"))))


def test_taken_rows_keep_their_labels_and_probabilities():
    prediction = random_prediction(TaskKind.BINARY, np.random.default_rng(0), 6)
    some = taken(prediction, np.array([4, 1, 1]))
    assert some.row.tolist() == [4, 1, 1]
    assert np.array_equal(some.probabilities, prediction.probabilities[[4, 1, 1]])
    assert some.value is None


def test_mean_defined_ignores_nan():
    scores = np.array([[1.0, np.nan, 3.0], [np.nan] * 3])
    assert mean_defined(scores) == pytest.approx([2.0, np.nan], nan_ok=True)
