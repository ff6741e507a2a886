"""The losses of a fit: the value itself, what networks tell of theirs, on disk and back."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from scipy.special import huber
from sklearn.base import BaseEstimator
from sklearn.metrics import log_loss

from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate, evaluate_fold
from smalldata.learner import Traits
from smalldata.models import load_learner
from smalldata.models.networks.loss_curves import loss_curves
from smalldata.models.networks.train_together import Learnt
from smalldata.resampling.strategies import make_splits
from smalldata.results.loss_curves import LossCurves
from smalldata.runtime.sealing import sealed
from smalldata.store.cell_folder import CellFolder
from smalldata.task import TaskInfo, TaskKind
from toys import binary_toy, differences

PLAIN = {"loss": "cross-entropy in nats", "n_planned": 3}
QUICK = {"n_members": 3, "width": 8, "n_epochs": 12}


# ---------------------------------------------------------------- the value


def test_of_members_keeps_float32_means():
    rng = np.random.default_rng(0)
    train, held_out = rng.uniform(0.1, 0.9, (2, 3, 4)).astype(np.float32)
    best = np.array([2, 0, 1, 2])
    found = LossCurves.of_members(train, held_out, best, guessing=1 / 3, **PLAIN)
    np.testing.assert_allclose(found.train, train.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.held_out, held_out.mean(axis=1), rtol=1e-6)
    own = [held_out[epoch, member] for member, epoch in enumerate(best)]
    assert found.best_loss == pytest.approx(np.mean(own), rel=1e-6)
    assert found.best_epoch == (2, 0, 1, 2)
    assert {type(epoch) for epoch in found.best_epoch} == {int}
    assert found.guessing == 0.3333333
    for loss in (*found.train, *found.held_out, found.best_loss):
        assert float(f"{loss:.7g}") == loss
    alone = LossCurves.of_members(train, None, [2, 2, 2, 2], **PLAIN)
    assert alone.held_out is None
    assert alone.best_loss == alone.train[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"held_out": (0.5, 0.4)}, "must have 3 epochs; the held-out one has 2"),
        ({"train": (0.5, float("nan"), 0.4)}, "must be finite"),
        ({"held_out": (0.5, float("inf"), 0.4)}, "must be finite"),
        ({"best_loss": float("nan")}, "must be finite"),
        ({"best_epoch": (0, 3)}, r"one of 3 epochs; got \(0, 3\)"),
        ({"best_epoch": (-1,)}, "one of 3 epochs"),
        ({"best_epoch": ()}, "one of 3 epochs"),
        ({"n_planned": 2}, "2 epochs were planned; 3 were run"),
    ],
)
def test_malformed_loss_curves_are_refused(changes, words):
    whole = {"train": (0.6, 0.5, 0.4), "held_out": None, "best_epoch": (2,), "best_loss": 0.4}
    LossCurves(**(PLAIN | whole))
    with pytest.raises(ValueError, match=words):
        LossCurves(**(PLAIN | whole | changes))


def test_member_out_of_patience_counts_as_stopped():
    curve = (0.5,) * 10
    about = {"loss": "", "train": curve, "best_loss": 0.5, "n_planned": 10}
    held = LossCurves(held_out=curve, best_epoch=(0, 6, 7, 9), patience=2, **about)
    assert held.n_stopped == 2  # the third had two epochs more, which were the last ones
    assert replace(held, patience=0).n_stopped == 0
    assert replace(held, held_out=None).n_stopped == 0
    assert not held.cut_short
    # Ended from without after ten of forty epochs: the last had patience left.
    cut = replace(held, n_planned=40)
    assert cut.n_stopped == 3
    assert cut.cut_short
    assert not replace(cut, best_epoch=(0, 6, 7)).cut_short
    assert replace(cut, held_out=None, patience=0).cut_short


# ---------------------------------------------------------------- what networks tell


def rows(n=90, d=6, n_classes=2):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, d))
    y = np.digitize(X[:, 0] + rng.normal(size=n), [0.4, 1.2][: n_classes - 1])
    return X, y


def fit(kind, X, y, *, n_classes=2, **changes):
    info = TaskInfo(kind=kind, n_samples=len(y), n_features=X.shape[1], n_classes=n_classes)
    learner = load_learner("mlp", **(QUICK | changes))
    return learner.build(info, seed=3, device="cpu").fit(X, y)


@pytest.mark.parametrize("patience", [0, 3])
def test_network_losses_are_means_over_members(patience):
    X, y = rows()
    fitted = fit(TaskKind.BINARY, X, y, early_stopping=patience)
    found, curves = fitted.losses_, fitted.curves_
    np.testing.assert_allclose(found.train, curves.train.mean(axis=1), rtol=1e-6)
    assert list(found.best_epoch) == curves.best_epoch.tolist()
    assert (found.n_planned, found.patience) == (12, patience)
    if patience:
        np.testing.assert_allclose(found.held_out, curves.held_out.mean(axis=1), rtol=1e-6)
        lowest = curves.held_out[curves.best_epoch, np.arange(3)]
        assert found.best_loss == pytest.approx(lowest.mean(), rel=1e-6)
    else:
        assert found.held_out is None
        assert set(found.best_epoch) == {11}


def test_network_without_held_out_rows_has_zero_patience():
    X, y = rows(20)
    y[:] = 0
    y[0] = 1  # a class of one row
    fitted = fit(TaskKind.BINARY, X, y, early_stopping=3)
    assert "no early stopping" in fitted.notes_[0]
    assert fitted.losses_.held_out is None
    assert fitted.losses_.patience == 0


def test_single_network_stops_after_its_patience():
    X, y = rows()
    stopped = set()
    for patience in (1, 2, 20):
        found = fit(TaskKind.BINARY, X, y, n_members=1, early_stopping=patience).losses_
        assert len(found.train) == min(12, found.best_epoch[0] + patience + 1)
        stopped.add(found.n_stopped)
        if len(found.train) < 12:
            assert found.n_stopped == 1
    assert stopped == {0, 1}


def test_loss_name_lists_alterations_and_guessing_level():
    X, y = rows(n_classes=3)
    even = log_loss(y, np.full((len(y), 3), 1 / 3))
    plain = fit(TaskKind.MULTICLASS, X, y, n_classes=3, scheduler="none").losses_
    assert (plain.loss, plain.altered, plain.schedule) == ("cross-entropy in nats", (), ())
    assert plain.guessing == pytest.approx(even, rel=1e-6)
    altered = fit(
        TaskKind.MULTICLASS, X, y, n_classes=3, label_smoothing=0.1, class_weight="balanced"
    ).losses_
    assert altered.altered == ("label smoothing 0.1", "balanced class weights")
    assert altered.schedule == ("the learning rate falls to nearly 0",)
    assert altered.guessing == pytest.approx(even, rel=1e-6)

    mixed = fit(TaskKind.MULTICLASS, X, y, n_classes=3, mixup=0.2).losses_
    assert mixed.altered == ("the samples learned from mixed in pairs (mixup 0.2)",)

    values = X[:, 0] ** 3 + 5
    found = fit(TaskKind.REGRESSION, X, values, label_smoothing=0.1).losses_
    assert found.loss == "squared error in units of the target's variance"
    assert found.altered == ()
    assert found.guessing == pytest.approx(1, rel=1e-6)
    assert found.schedule[1] == "dropout fades to nothing"
    silent = {"input_dropout": 0.0, "dropout": 0.0}
    assert len(fit(TaskKind.REGRESSION, X, values, **silent).losses_.schedule) == 1
    found = fit(TaskKind.REGRESSION, X, values, loss="huber").losses_
    scaled = (values - values.mean()) / values.std()
    assert "Huber" in found.loss
    assert found.guessing == pytest.approx(huber(1, scaled).mean(), rel=1e-6)


def test_curves_of_time_limited_members_end_with_the_shortest():
    X, y = rows()
    fitted = fit(TaskKind.BINARY, X, y)
    short = replace(fitted.curves_, train=fitted.curves_.train[:4], best_epoch=np.array([3, 9, 5]))
    learnt = Learnt(network=fitted.network_, curves=short)
    lesson = fitted.prepare(X, y, None)
    found = loss_curves(lesson, learnt, classify=True)
    assert found.best_epoch == (3, 3, 3)
    assert found.cut_short


# ---------------------------------------------------------------- into the record


class ToldEstimator(BaseEstimator):
    """Predicts the commoner class and says what it minimised."""

    def fit(self, X, y, groups=None):
        self.share_ = float(np.mean(y))
        self.losses_ = LossCurves.of_members([[0.7], [self.share_]], None, [1], **PLAIN)
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.share_, self.share_], (len(X), 1))


@dataclass(frozen=True, kw_only=True)
class Told:
    """A learner of no network, whose estimator has ``losses_``."""

    traits: ClassVar[Traits] = Traits()

    def build(self, info, *, seed, device):
        return ToldEstimator()


def test_losses_attribute_of_any_estimator_is_stored():
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    result = evaluate_fold(Cell(task=task, learner=Told(), splits=splits), splits.folds[0])
    share = np.mean(task.y[splits.folds[0].train])
    assert result.losses.train == pytest.approx((0.7, share), rel=1e-6)
    silent = evaluate_fold(
        Cell(task=task, learner=load_learner("knn"), splits=splits), splits.folds[0]
    )
    assert silent.status == "ok"
    assert silent.losses is None


def run(folder, *, n_kept=3, **changes):
    """Evaluate a small network into a folder, of which so many folds are there already."""
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("mlp", **(QUICK | {"early_stopping": 2} | changes))
    cell = CellFolder(folder / Cell(task=task, learner=learner, splits=splits).record().folder)
    finished, sentences = cell.resume() if cell.path.exists() else ((), ())
    assert (len(finished), sentences) == (n_kept, ())
    record = evaluate(
        task,
        learner,
        splits,
        n_jobs=1,
        finished=finished,
        sink=lambda result: cell.write_fold(result, task),
    )
    cell.write_record(record)
    return cell, record


def test_losses_come_back_from_disk_and_a_resumed_cell_has_the_same(tmp_path):
    cell, record = run(tmp_path / "whole", n_kept=0)
    assert all(fold.losses.held_out is not None for fold in record.folds)
    assert len({fold.losses for fold in record.folds}) == 3
    assert differences(cell.read_record(), record) == []
    assert (cell.path / "folds" / "r00f00.json").stat().st_size < 5000

    other, _ = run(tmp_path / "other", n_kept=0)
    for part in ("json", "parquet"):
        (other.path / "folds" / f"r00f01.{part}").unlink()
    (other.path / "DONE").unlink()
    resumed, _ = run(tmp_path / "other", n_kept=2)
    assert differences(resumed.read_record(), cell.read_record()) == []


def test_folds_stored_without_losses_are_read_beside_new_ones(tmp_path):
    cell, record = run(tmp_path, n_kept=0)
    path = cell.path / "folds" / "r00f01.json"
    entry = json.loads(path.read_text())
    assert entry.pop("losses")["train"] == list(record.folds[1].losses.train)
    del entry["sha256"], entry["schema_version"]
    path.write_text(sealed(entry))
    found = cell.read_record()
    assert [fold.losses is None for fold in found.folds] == [False, True, False]
    assert differences(found.folds[1], replace(record.folds[1], losses=None)) == []
    _, resumed = run(tmp_path)
    assert differences(resumed.folds, found.folds) == []
