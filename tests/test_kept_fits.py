"""Pipelines that a run keeps for its explanation: the same values, and checked all the same."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import ExplanationError
from smalldata.evaluation import kept_fits
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.explanation.fold import explain_fold
from smalldata.explanation.options import ExplanationOptions, rows_to_explain
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.task import make_task


@pytest.fixture
def cell(tmp_path):
    task = make_task(load_dataset("nutrimouse"))
    splits = make_splits(task, "kfold", n_splits=3)
    return Cell(task=task, learner=load_learner("svm"), splits=splits, fits=tmp_path)


def _explain(cell, results):
    options = ExplanationOptions()
    fold = cell.splits.folds[0]
    rows = rows_to_explain(cell, options)
    return explain_fold(cell, fold, stored=results[0], options=options, rows=rows).values


def test_a_kept_fit_is_explained_as_a_new_one_would_be(cell, monkeypatch):
    results = [evaluate_fold(cell, fold) for fold in cell.splits.folds]
    anew = _explain(replace(cell, fits=None), results)
    monkeypatch.setattr("smalldata.explanation.refit.fit_fold", None)  # nothing is fitted again
    np.testing.assert_array_equal(_explain(cell, results), anew)
    # The fit of another fold does not give the stored predictions.
    shutil.copy(cell.fits / "r0f1.pickle", cell.fits / "r0f0.pickle")
    with pytest.raises(ExplanationError, match="must give the stored predictions"):
        _explain(cell, results)


def test_large_fits_are_not_kept(cell, monkeypatch):
    monkeypatch.setattr(kept_fits, "MOST_BYTES", 10)
    results = [evaluate_fold(cell, cell.splits.folds[0])]
    assert list(cell.fits.iterdir()) == []
    assert _explain(cell, results).shape[1] == cell.task.n_features
