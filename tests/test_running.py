"""What a run hands to a sweeper, and what a stored cell says after it."""

import dataclasses

import pytest

from smalldata.comparison.comparison import compare
from smalldata.comparison.scores import cell_scores
from smalldata.errors import ConfigError
from smalldata.evaluation.outer_loop import evaluate
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.run.cell import primary_score
from smalldata.task import TaskKind, make_task
from toys import make_toy

LABELS = ["case", "control", "control"] * 10


@pytest.fixture(scope="module")
def record():
    task = make_toy(LABELS, groups=[f"g{row // 3}" for row in range(30)])
    return evaluate(task, load_learner("knn"), make_splits(task, "kfold", n_splits=3), n_jobs=1)


@pytest.mark.parametrize("measure", ["roc_auc", "mcc", "balanced_accuracy"])
def test_a_sweeper_gets_the_mean_of_the_table_under_the_measure_asked_for(record, measure):
    shown = compare([record], measure=measure).rows[0].mean
    assert primary_score(record, measure) == shown
    assert record.measure == "roc_auc"


def test_a_sweeper_gets_no_score_of_a_cell_with_a_failed_fold(record):
    failed = dataclasses.replace(record.folds[0], status="failed", prediction=None, scores={})
    torn = dataclasses.replace(record, folds=(failed, *record.folds[1:]))
    assert cell_scores(torn, find_measure("mcc", TaskKind.BINARY)).mean is None
    assert primary_score(torn, "mcc") is None


def test_a_record_knows_the_groups_of_its_rows(record):
    assert record.groups is not None
    assert len(record.groups) == 30
    assert len(set(record.groups)) == 10
    assert all(len(set(record.groups[3 * g : 3 * g + 3])) == 1 for g in range(10))


def test_records_with_another_positive_class_cannot_be_compared(record):
    task = make_task(make_toy(LABELS).dataset, positive="control")
    splits = make_splits(task, "kfold", n_splits=3)
    other = evaluate(task, load_learner("dummy"), splits, n_jobs=1)
    with pytest.raises(ConfigError, match=r"must be of one task; knn is .* of control, case"):
        compare([record, other])
