"""Several fits as one program, and fits that memory is too short for: the same numbers."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from smalldata.errors import FitError
from smalldata.evaluation.outer_loop import evaluate
from smalldata.learner import FitJob, SearchSpace
from smalldata.models import load_learner, load_space
from smalldata.models.networks import train_together, training
from smalldata.models.networks.estimator import Ensemble
from smalldata.models.networks.mlp import MLP
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Trial
from smalldata.runtime.memory import OUT_OF_MEMORY
from smalldata.task import TaskInfo, TaskKind
from smalldata.tuning.tuner import TuningOptions, make_tuner
from toys import binary_toy

QUICK = {"n_members": 3, "width": 12, "n_epochs": 8, "batch_size": 16}
TOLERANCE = 1e-4
"""Of the largest output: what rounding grows to over the epochs."""


def info_of(kind, n_classes):
    return TaskInfo(kind=kind, n_samples=0, n_features=0, n_classes=n_classes)


def make_job(kind, *, n=60, d=9, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    signal = X[:, 0] + X[:, 1] * X[:, 2] + 0.3 * rng.normal(size=n)
    y = signal
    if kind is not TaskKind.REGRESSION:
        y = np.digitize(signal, [0.0] if kind is TaskKind.BINARY else [-0.5, 0.5])
    n_classes = {TaskKind.REGRESSION: 0, TaskKind.BINARY: 2, TaskKind.MULTICLASS: 3}[kind]
    return FitJob(info=info_of(kind, n_classes), X=X, y=y, groups=None, seed=100 + seed)


def alone(learner, job, device="cpu"):
    built = learner.build(job.info, seed=job.seed, device=device)
    return built.fit(job.X, job.y, groups=job.groups)


def assert_same_fit(found, wanted, X):
    expected = wanted.margins(X)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.margins(X), expected, atol=TOLERANCE * scale)
    np.testing.assert_array_equal(found.curves_.best_epoch, wanted.curves_.best_epoch)
    for name in ("train", "held_out"):
        ours, theirs = getattr(found.curves_, name), getattr(wanted.curves_, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=TOLERANCE * np.abs(theirs).max())
    assert (
        dict(found.network_.named_parameters()).keys()
        == dict(wanted.network_.named_parameters()).keys()
    )


# ---------------------------------------------------------------- several fits as one program


@pytest.mark.parametrize("early_stopping", [0, 2])
@pytest.mark.parametrize("kind", TaskKind)
def test_fits_together_equal_fits_alone(kind, early_stopping):
    learner = load_learner("mlp", **QUICK | {"early_stopping": early_stopping, "n_epochs": 20})
    jobs = [make_job(kind, seed=seed) for seed in range(4)]
    fitted = learner.fit_many(jobs, device="cpu")
    for job, found in zip(jobs, fitted, strict=True):
        wanted = alone(learner, job)
        assert_same_fit(found, wanted, make_job(kind, seed=9).X)
        assert found.notes_ == wanted.notes_
    if early_stopping:
        assert len({len(found.curves_.train) for found in fitted}) > 1  # each ended on its own


def test_only_fits_of_one_shape_are_trained_together(monkeypatch):
    """Rows of a step and columns; a fit of another shape goes the plain way."""
    together = []
    learn = train_together.learn
    monkeypatch.setattr(
        train_together, "learn", lambda *a, **k: (together.append(len(a[0])), learn(*a, **k))[1]
    )
    learner = load_learner("mlp", **QUICK)
    kind = TaskKind.BINARY
    # 60 and 62 rows make 4 steps, of 15 and 16 rows; 61 of 16; 66 makes 5 steps.
    sizes = [60, 61, 66, 60, 62]
    jobs = [make_job(kind, n=n, seed=i) for i, n in enumerate(sizes)]
    jobs += [make_job(kind, d=7, seed=8), make_job(kind, d=7, seed=9)]
    fitted = learner.fit_many(jobs, device="cpu")
    assert together == [2, 2, 1, 2]
    for job, found in zip(jobs, fitted, strict=True):
        assert_same_fit(found, alone(learner, job), job.X)


@pytest.mark.parametrize("name", ["cnn1d", "rnn"])
def test_fits_with_and_without_column_order_are_not_trained_together(name, monkeypatch):
    """A cnn1d drops no column of the former."""
    waves = np.sin(np.arange(40) / 6 + np.random.default_rng(1).uniform(0, 6, (60, 1)))
    jobs = [make_job(TaskKind.BINARY, d=40, seed=seed) for seed in range(4)]
    jobs[1:3] = [dataclasses.replace(job, X=job.X / 50 + waves) for job in jobs[1:3]]
    together = []
    learn = train_together.learn
    monkeypatch.setattr(
        train_together, "learn", lambda *a, **k: (together.append(len(a[0])), learn(*a, **k))[1]
    )
    learner = load_learner(name, n_members=2, n_epochs=3)
    fitted = learner.fit_many(jobs, device="cpu")
    assert [found.inputs_.order is None for found in fitted] == [False, True, True, False]
    assert together == [2, 2]
    for job, found in zip(jobs, fitted, strict=True):
        assert_same_fit(found, alone(learner, job), job.X)


class Shift(nn.Module):
    """Something that is no parameter, and the same for all members."""

    def __init__(self):
        super().__init__()
        self.register_buffer("by", torch.tensor(0.25))

    def forward(self, x):
        return x + self.by


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shifted(MLP):
    """An mlp with a buffer."""

    def network(self, inputs, n_outputs, *, generators):
        return nn.Sequential(Shift(), super().network(inputs, n_outputs, generators=generators))


def test_buffers_are_separate_for_each_network():
    usual = load_learner("mlp", **QUICK)
    learner = Shifted(**{f.name: getattr(usual, f.name) for f in dataclasses.fields(MLP)})
    jobs = [make_job(TaskKind.BINARY, seed=seed) for seed in range(2)]
    for job, found in zip(jobs, learner.fit_many(jobs, device="cpu"), strict=True):
        assert_same_fit(found, alone(learner, job), job.X)


def test_nonfinite_loss_in_a_joint_fit_raises_fit_error():
    learner = load_learner("mlp", **QUICK)
    good, bad = make_job(TaskKind.REGRESSION), make_job(TaskKind.REGRESSION, seed=1)
    bad = dataclasses.replace(bad, y=np.where(np.arange(60) == 3, np.nan, bad.y))
    with pytest.raises(FitError, match="must stay finite"):
        learner.fit_many([good, bad], device="cpu")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fragile(MLP):
    """Fails in some inner folds: those whose seeds are so."""

    def network(self, inputs, n_outputs, *, generators):
        if any(generator.initial_seed() % 16 == 1 for generator in generators):
            raise FitError("this fold is odd.")
        return super().network(inputs, n_outputs, generators=generators)


def trials_of(learner, space, *, together, options):
    found = {}

    class Log:
        def start(self, name):
            return ()

        def add(self, name, trial):
            found.setdefault(name, []).append(trial)

        def restart(self, name):
            raise AssertionError

    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=2)
    tuner = dataclasses.replace(
        make_tuner(task, learner, space, options=options, log=Log()), together=together
    )
    record = evaluate(task, learner, splits, tuner=tuner, n_jobs=1)
    return record, found


def same_trial(first: Trial, second: Trial):
    numbers = [[s for s in t.fold_scores if s is not None] for t in (first, second)]
    np.testing.assert_allclose(numbers[0], numbers[1], atol=1e-5)
    return [t.state == s.state for t, s in [(first, second)]] and (
        first.ordinal,
        first.state,
        first.reason,
        dict(first.values),
        [s is None for s in first.fold_scores],
    ) == (
        second.ordinal,
        second.state,
        second.reason,
        dict(second.values),
        [s is None for s in second.fold_scores],
    )


@pytest.mark.parametrize("cls", [MLP, Fragile])
@pytest.mark.parametrize("pruner", ["paired", "none"])
def test_joint_fits_write_the_same_trial_log(cls, pruner, monkeypatch):
    usual = load_learner("mlp", **QUICK | {"n_epochs": 4})
    learner = cls(**{field.name: getattr(usual, field.name) for field in dataclasses.fields(MLP)})
    space = SearchSpace(
        parameters={
            name: load_space("mlp").parameters[name] for name in ("learning_rate", "dropout")
        }
    )
    options = TuningOptions(trials=6, inner_folds=4, pruner=pruner, measure="log_loss")
    called = []
    fit_together = Ensemble.fit_together
    monkeypatch.setattr(
        Ensemble, "fit_together", lambda *a: (called.append(len(a[1])), fit_together(*a))
    )
    plain_record, plain = trials_of(learner, space, together=False, options=options)
    assert called == []
    record, batched = trials_of(learner, space, together=True, options=options)
    assert called
    assert set(called) == {4}  # always all of them, whatever is pruned
    assert list(batched) == list(plain)
    for name in plain:
        assert len(batched[name]) == len(plain[name]) == 6
        for first, second in zip(batched[name], plain[name], strict=True):
            assert same_trial(first, second)
    for first, second in zip(record.folds, plain_record.folds, strict=True):
        assert first.status == second.status
        assert first.values == second.values
    states = {trial.state for trials in plain.values() for trial in trials}
    if cls is Fragile:
        assert "failed" in states
    elif pruner == "paired":
        assert "pruned" in states


def test_on_the_cpu_folds_are_fitted_one_by_one_unless_asked(monkeypatch):
    monkeypatch.setattr(MLP, "fit_many", lambda *a, **k: pytest.fail("fitted together"))
    learner = load_learner("mlp", **QUICK | {"n_epochs": 2})
    space = SearchSpace(parameters={"dropout": load_space("mlp").parameters["dropout"]})
    options = TuningOptions(trials=2, inner_folds=2)
    record, _ = trials_of(learner, space, together=None, options=options)
    assert record.status == "ok"


# ---------------------------------------------------------------- memory that runs out


class Small(nn.Module):
    """A layer of a device with little memory: too large an input cannot be had."""

    most = 0

    def forward(self, x):
        if x.numel() > self.most:
            torch.empty(2**50, dtype=torch.uint8)
        return x


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cramped(MLP):
    """An mlp on such a device."""

    def network(self, inputs, n_outputs, *, generators):
        network = super().network(inputs, n_outputs, generators=generators)
        return nn.Sequential(Small(), network)


def cramped(most, monkeypatch, **values):
    monkeypatch.setattr(Small, "most", most)
    usual = load_learner("mlp", **QUICK | {"n_members": 4} | values)
    return Cramped(**{field.name: getattr(usual, field.name) for field in dataclasses.fields(MLP)})


@pytest.mark.parametrize("early_stopping", [0, 2])
@pytest.mark.parametrize(("n_fit", "said"), [(4, ""), (2, "2 of 4"), (1, "1 of 4")])
def test_fewer_members_at_once_give_the_same_fit(monkeypatch, n_fit, said, early_stopping):
    # Members that hold out 12 rows or 13 would have steps of another size, each for itself.
    job = make_job(TaskKind.BINARY, n=63)
    values = {"early_stopping": early_stopping, "n_epochs": 20, "batch_size": 25}
    wanted = alone(load_learner("mlp", **QUICK | {"n_members": 4} | values), job)
    learner = cramped(n_fit * 21 * 9, monkeypatch, **values)  # 21 rows a step, 17 of what is left
    found = alone(learner, job)
    notes = [note for note in found.notes_ if note.startswith(OUT_OF_MEMORY)]
    assert len(notes) == bool(said)
    assert said in "".join(notes)
    monkeypatch.setattr(Small, "most", 10**9)
    named = {f"1.{name}" for name, _ in wanted.network_.named_parameters()}
    assert {name for name, _ in found.network_.named_parameters()} == named
    scale = np.abs(wanted.margins(job.X)).max()
    np.testing.assert_allclose(found.margins(job.X), wanted.margins(job.X), atol=TOLERANCE * scale)
    assert found.curves_.train.shape == wanted.curves_.train.shape
    np.testing.assert_allclose(found.curves_.train, wanted.curves_.train, atol=1e-4)
    np.testing.assert_array_equal(found.curves_.best_epoch, wanted.curves_.best_epoch)


def test_groups_of_members_share_the_time_limit(monkeypatch):
    job = make_job(TaskKind.BINARY)
    clock = iter(range(1000))
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    learner = cramped(2 * 15 * 9, monkeypatch, time_limit=8.0, n_epochs=20)
    found = alone(learner, job)
    assert len(found.curves_.train) == 5  # two groups of half the time, each past its end by one
    assert any("time_limit of 8 s: trained 5 of 20 epochs" in note for note in found.notes_)


def test_time_limit_after_early_stopping_is_not_noted(monkeypatch):
    job = make_job(TaskKind.BINARY, n=63)
    values = {"early_stopping": 1, "n_epochs": 200, "batch_size": 25}
    wanted = alone(load_learner("mlp", **QUICK | {"n_members": 4} | values), job)
    n_run = len(wanted.curves_.train)
    assert n_run < 100
    clock = iter(range(1000))
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    limit = 2.0 * (n_run + 2)  # two groups, each with time for all and two epochs more
    found = alone(cramped(2 * 21 * 9, monkeypatch, **values, time_limit=limit), job)
    assert [note[:10] for note in found.notes_] == [OUT_OF_MEMORY[:10]]
    assert found.curves_.train.shape == wanted.curves_.train.shape
    np.testing.assert_array_equal(found.curves_.best_epoch, wanted.curves_.best_epoch)


def test_a_step_too_large_for_one_member_is_cut_into_parts(monkeypatch):
    job = make_job(TaskKind.BINARY)
    calm = {"input_dropout": 0.0, "dropout": 0.0}  # without noise the parts add up to the step
    wanted = alone(load_learner("mlp", **QUICK | {"n_members": 4} | calm), job)
    found = alone(cramped(5 * 9, monkeypatch, **calm), job)
    assert any("each step in 4 parts" in note for note in found.notes_)
    scale = np.abs(wanted.margins(job.X)).max()
    np.testing.assert_allclose(found.margins(job.X), wanted.margins(job.X), atol=1e-3 * scale)
    noisy = alone(cramped(5 * 9, monkeypatch), job)
    again = alone(cramped(5 * 9, monkeypatch), job)
    np.testing.assert_array_equal(noisy.margins(job.X), again.margins(job.X))
    with pytest.raises(MemoryError, match="one row of one member"):
        alone(cramped(8, monkeypatch), job)


def test_predictions_and_gradients_continue_with_fewer_rows(monkeypatch):
    job = make_job(TaskKind.MULTICLASS)
    found = alone(cramped(10**9, monkeypatch), job)
    wanted = found.margins(job.X), found.gradients(job.X)
    monkeypatch.setattr(Small, "most", 7 * 9)  # the rows are shared by the members here
    np.testing.assert_allclose(found.margins(job.X), wanted[0], atol=1e-5)
    np.testing.assert_allclose(found.gradients(job.X), wanted[1], atol=1e-5)
    monkeypatch.setattr(Small, "most", 8)
    with pytest.raises(MemoryError, match="one row does not fit"):
        found.margins(job.X)


def test_record_notes_that_memory_ran_out(monkeypatch):
    """In the fit of a fold and in its trials, and only there."""
    learner = cramped(2 * 15 * 3, monkeypatch, n_epochs=2)
    space = SearchSpace(parameters={"dropout": load_space("mlp").parameters["dropout"]})
    options = TuningOptions(trials=2, inner_folds=2)
    record, _ = trials_of(learner, space, together=True, options=options)
    assert record.status == "ok", record.reason
    for fold in record.folds:
        assert any(note.startswith(OUT_OF_MEMORY) for note in fold.notes)
        assert any(note.startswith(f"while tuning, {OUT_OF_MEMORY}") for note in fold.notes)
    monkeypatch.setattr(Small, "most", 10**9)
    record, _ = trials_of(learner, space, together=True, options=options)
    assert not any(OUT_OF_MEMORY in note for fold in record.folds for note in fold.notes)


def test_fold_too_large_for_memory_fails_with_one_sentence(monkeypatch):
    task = binary_toy()
    learner = cramped(1, monkeypatch)
    record = evaluate(task, learner, make_splits(task, "kfold", n_splits=2), n_jobs=1)
    assert record.status == "failed"
    assert "ran out of memory" in record.reason


# ---------------------------------------------------------------- a card


card = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no card")


@pytest.mark.gpu
@card
@pytest.mark.parametrize("kind", TaskKind)
def test_fits_together_on_a_card_equal_fits_alone_and_on_the_cpu(kind):
    learner = load_learner("mlp", **QUICK)
    jobs = [make_job(kind, seed=seed) for seed in range(3)]
    for job, found in zip(jobs, learner.fit_many(jobs, device="cuda"), strict=True):
        scale = np.abs(alone(learner, job).margins(job.X)).max()
        for device in ("cuda", "cpu"):
            np.testing.assert_allclose(
                found.margins(job.X),
                alone(learner, job, device).margins(job.X),
                atol=5e-3 * scale,
            )


@pytest.mark.gpu
@card
def test_a_card_whose_memory_is_capped_goes_on_with_fewer_members(monkeypatch):
    job = make_job(TaskKind.BINARY, d=4000)
    learner = load_learner("mlp", **QUICK | {"n_members": 16, "width": 256, "n_epochs": 2})
    wanted = alone(learner, job, "cuda").margins(job.X)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(160 * 2**20 / total)
    try:
        found = alone(learner, job, "cuda")
        assert any(note.startswith(OUT_OF_MEMORY) for note in found.notes_)
        np.testing.assert_allclose(found.margins(job.X), wanted, atol=5e-3 * np.abs(wanted).max())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_count_steps_cuts_an_epoch_into_equal_steps():
    rows = [np.arange(60), np.arange(50)]
    assert training.count_steps(rows, 16) == (4, 15)
    assert training.count_steps(rows[1:], 64) == (1, 50)
