"""What every model must do: run over conf/model/*.yaml, no model is named here."""

import dataclasses
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.base import clone

from checkpoints import lacking, stand_in
from smalldata.learner import (
    TRANSFORM,
    CallableForm,
    FitJob,
    KernelForm,
    Learner,
    LinearForm,
    NeighboursForm,
    SearchSpace,
    SupportsFitMany,
    SupportsWorkspace,
    TreesForm,
)
from smalldata.models import is_deep, load_learner, load_space
from smalldata.models.files import file_fields
from smalldata.models.networks.recipe import Network
from smalldata.pipeline.choices import with_values
from smalldata.pipeline.preprocess import Preprocessing, make_pipeline
from smalldata.results.loss_curves import LossCurves
from smalldata.runtime import catalogue
from smalldata.shapley.dispatch import form_values
from smalldata.task import Dataset, TaskKind, make_task
from smalldata.tuning.inner_folds import FitEach

MODELS = catalogue.names("model")
CELLS = [
    (name, kind) for name in MODELS for kind in TaskKind if kind in load_learner(name).traits.kinds
]
N_TRAIN = 80


@cache
def easy_task(kind):
    """120 x 9: three numbers that tell, three that do not, a constant, two categoricals, gaps."""
    rng = np.random.default_rng(7)
    n = 120
    X = rng.normal(size=(n, 6))
    gene = rng.integers(0, 3, n)
    signal = 2 * X[:, 0] - 1.5 * X[:, 1] + X[:, 2] + (gene == 1)
    X[rng.random(X.shape) < 0.04] = np.nan
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(6)])
    frame["constant"] = 4.2
    frame.insert(2, "gene", pd.Categorical(np.array(["e2", "e3", "e4"])[gene]))
    frame["sex"] = pd.Categorical(rng.choice(["f", "m"], n))
    frame.loc[frame.index[::11], "gene"] = np.nan
    noisy = signal + 0.3 * rng.normal(size=n)
    if kind is TaskKind.REGRESSION:
        y = 100 + 20 * noisy
    else:
        names = ["healthy", "ill"] if kind is TaskKind.BINARY else ["a1", "b2", "c3"]
        places = np.argsort(np.argsort(noisy)) * len(names) // n
        y = np.array(names, dtype=object)[places]
    return make_task(
        Dataset(
            name="easy",
            X=frame,
            y=y,
            sample_ids=np.arange(n).astype(str),
            kind=kind,
            target="outcome",
            positive="ill" if kind is TaskKind.BINARY else None,
        )
    )


def usual(name, kind):
    """The learner with its defaults, and with the files that it needs."""
    if reason := lacking(name):
        pytest.skip(reason)
    return load_learner(name, **stand_in(name, kind))


def unfitted(name, info, *, seed=5):
    learner = usual(name, info.kind)
    return make_pipeline(learner, info, preprocessing=Preprocessing(), seed=seed, device="cpu")


def fit_fresh(name, kind, *, seed=5):
    task = easy_task(kind)
    return unfitted(name, task.info, seed=seed).fit(
        task.X.iloc[:N_TRAIN], task.y[:N_TRAIN], estimator__groups=None
    )


@cache
def fitted(name, kind):
    return fit_fresh(name, kind)


def outputs(pipeline, X, kind):
    """Probabilities or values, as (n_rows, n_outputs)."""
    if kind.is_classification:
        return pipeline.predict_proba(X)
    return pipeline.predict(X)[:, None]


def loss(pipeline, X, y, kind):
    found = outputs(pipeline, X, kind)
    if kind is TaskKind.REGRESSION:
        return np.mean((found[:, 0] - y) ** 2)
    return -np.mean(np.log(np.clip(found[np.arange(len(y)), y], 1e-15, 1)))


def evaluate_form(form, X):
    """Value of a margin form, straight from its definition; (n_rows, n_outputs)."""
    match form:
        case LinearForm():
            return X @ form.coef.T + form.intercept
        case KernelForm(kernel="rbf"):
            distance = ((X[:, None, :] - form.support[None]) ** 2).sum(axis=2)
            return np.exp(-form.gamma * distance) @ form.coef.T + form.intercept
        case KernelForm():
            product = form.gamma * X @ form.support.T + form.coef0
            return product**form.degree @ form.coef.T + form.intercept
        case NeighboursForm():
            return np.array([_vote(form, x) for x in X])
        case TreesForm():
            return _raw_trees(form.model, X)
        case CallableForm():
            return form.function(X)


def _vote(form, x):
    if form.metric == "cosine":
        sizes = np.linalg.norm(form.train, axis=1) * np.linalg.norm(x)
        distance = 1 - form.train @ x / np.where(sizes == 0, 1, sizes)
    else:
        power = {"euclidean": 2, "manhattan": 1}[form.metric]
        distance = (np.abs(form.train - x) ** power).sum(axis=1) ** (1 / power)
    near = np.argsort(distance, kind="stable")[: form.n_neighbors]
    weight = np.ones(len(near))
    if form.weights == "distance":
        met = distance[near] < 1e-12
        weight = met.astype(float) if met.any() else 1 / distance[near]
    return weight @ form.targets[near] / weight.sum()


def _raw_trees(model, X):
    if type(model).__module__.startswith("xgboost"):
        import xgboost

        raw = model.predict(xgboost.DMatrix(X), output_margin=True)
        return raw.astype(float).reshape(len(X), -1)
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(X)
        return shares[:, 1:] if shares.shape[1] == 2 else shares
    return model.predict(X)[:, None]


# ---------------------------------------------------------------- the recipe


@pytest.mark.parametrize("name", MODELS)
def test_yaml_and_dataclass_agree(name):
    entry = catalogue.read_entry("model", name)
    learner = load_learner(name)
    fields = dataclasses.fields(learner)
    assert set(entry) - {"defaults", "trials", "needs"} == {"name", "learner", "space"}
    assert ("needs" in entry) == bool(file_fields(learner))
    assert entry.get("trials", 1) >= 1
    assert entry["name"] == name
    assert set(entry["learner"]) - {"_target_"} == {field.name for field in fields}
    assert isinstance(learner, Learner)
    assert type(learner).__dataclass_params__.frozen
    for field in fields:  # a default lives in the yaml, once
        assert field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


@pytest.mark.parametrize("name", MODELS)
def test_every_default_is_a_point_of_the_space(name):
    learner, space = load_learner(name), load_space(name)
    assert isinstance(space, SearchSpace)
    for parameter_name, parameter in space.parameters.items():
        if parameter_name == TRANSFORM:
            default = Preprocessing().transform
        else:
            default = getattr(learner, parameter_name)
        assert parameter.contains(default), f"{parameter_name}={default!r}"
        if parameter.kind == "categorical":
            ends = parameter.choices
            assert sorted(parameter.simpler, key=str) == sorted(parameter.choices, key=str)
        else:
            ends = (parameter.low, parameter.high)
            assert parameter.simpler in ("low", "high")
        for value in ends:  # all of the space is legal
            with_values(learner, Preprocessing(), {parameter_name: type(default)(value)})


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_an_estimator_holds_its_learner(name, kind):
    learner = load_learner(name)
    task = easy_task(kind)
    estimator = learner.build(task.info, seed=5, device="cpu")
    n_classes = {"n_classes": len(task.classes)} if kind.is_classification else {}
    wanted = {"learner": learner, "seed": 5, "device": "cpu", **n_classes}
    assert estimator.get_params() == wanted
    assert clone(estimator).get_params() == wanted


@pytest.mark.parametrize("name", MODELS)
def test_networks_and_pretrained_models_are_deep(name):
    learner = load_learner(name)
    assert learner.traits.deep == (isinstance(learner, Network) or bool(file_fields(learner)))
    entry = catalogue.read_entry("model", name)
    assert is_deep({"learner": entry["learner"]}) == learner.traits.deep


def test_a_learner_from_elsewhere_is_not_deep():
    for target in ("mine.Deep", "smalldata.models.gone.MLP", "smalldata.models.values.Range", ""):
        assert not is_deep({"learner": {"_target_": target}})
    assert not is_deep({})


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_scale_is_one_of_the_known_names(name, kind):
    assert load_learner(name).scale(kind) in (
        ("value",) if kind is TaskKind.REGRESSION else ("margin", "log-odds", "probability")
    )


# ---------------------------------------------------------------- the fit


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_clone_refits_to_the_same_output(name, kind):
    task = easy_task(kind)
    first = fitted(name, kind)
    copy = clone(first)
    assert repr(copy.get_params()) == repr(clone(copy).get_params())
    copy.fit(task.X.iloc[:N_TRAIN], task.y[:N_TRAIN], estimator__groups=None)
    np.testing.assert_array_equal(outputs(copy, task.X, kind), outputs(first, task.X, kind))


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_same_seed_same_output_and_pickles(name, kind):
    task = easy_task(kind)
    expected = outputs(fitted(name, kind), task.X, kind)
    again = pickle.loads(pickle.dumps(fit_fresh(name, kind)))
    np.testing.assert_array_equal(outputs(again, task.X, kind), expected)


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_outputs_are_finite_and_rows_are_independent(name, kind):
    task, pipeline = easy_task(kind), fitted(name, kind)
    found = outputs(pipeline, task.X, kind)
    n_outputs = len(task.classes) if kind.is_classification else 1
    assert found.shape == (task.n_samples, n_outputs)
    assert np.isfinite(found).all()
    if kind.is_classification:
        assert (found >= 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        labels = pipeline.predict(task.X)
        assert labels.dtype.kind == "i"
        assert set(labels) <= set(range(len(task.classes)))
    one = outputs(pipeline, task.X.iloc[[100]], kind)[0]
    np.testing.assert_allclose(one, found[100], rtol=1e-5, atol=1e-5)  # networks: float32
    for note in getattr(pipeline["estimator"], "notes_", ()):
        assert isinstance(note, str)


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_losses_attribute_is_loss_curves_or_absent(name, kind):
    told = getattr(fitted(name, kind)[-1], "losses_", None)
    assert told is None or isinstance(told, LossCurves)
    if isinstance(load_learner(name), Network):
        assert told is not None
        assert len(told.best_epoch) == load_learner(name).n_members


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_fit_and_predict_do_not_modify_their_inputs(name, kind):
    """The trials on one inner fold share them."""
    task = easy_task(kind)
    X = unfitted(name, task.info)[0].fit(task.X, task.y).transform(task.X)
    y, groups = task.y.copy(), (np.arange(task.n_samples) // 2).astype(str)
    given = [part.copy() for part in (X, y, groups)]
    estimator = usual(name, kind).build(task.info, seed=5, device="cpu").fit(X, y, groups=groups)
    (estimator.predict_proba if kind.is_classification else estimator.predict)(X)
    for part, before in zip((X, y, groups), given, strict=True):
        np.testing.assert_array_equal(part, before)


@pytest.mark.parametrize(("name", "kind"), [cell for cell in CELLS if cell[0] != "dummy"])
def test_beats_dummy_on_an_easy_task(name, kind):
    if file_fields(load_learner(name)):
        pytest.skip("the weights of its file are random here, nobody has trained them")
    task = easy_task(kind)
    X, y = task.X.iloc[N_TRAIN:], task.y[N_TRAIN:]
    floor = loss(fitted("dummy", kind), X, y, kind)
    assert loss(fitted(name, kind), X, y, kind) < 0.8 * floor


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_fits_twenty_rows_of_five_hundred_columns(name, kind):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(20, 500)), columns=[f"g{i}" for i in range(500)])
    frame["g7"] = 1.0
    frame.loc[frame.index[:15], "g8"] = np.nan
    y = rng.normal(size=20) if kind is TaskKind.REGRESSION else np.arange(20) % 2
    if kind is TaskKind.MULTICLASS:
        y = np.array([0] * 11 + [1] * 8 + [2])  # a class of one row
    info = dataclasses.replace(easy_task(kind).info, n_samples=20, n_features=500)
    pipeline = unfitted(name, info).fit(frame, y, estimator__groups=None)
    found = outputs(pipeline, frame, kind)
    assert np.isfinite(found).all()
    if kind.is_classification:
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_fits_constant_columns_with_groups(name, kind):
    task = easy_task(kind)
    frame = pd.DataFrame({"a": np.full(60, 2.5), "b": np.zeros(60)})
    pipeline = unfitted(name, dataclasses.replace(task.info, n_samples=60, n_features=2))
    pipeline.fit(frame, task.y[:60], estimator__groups=np.repeat(np.arange(20), 3).astype(str))
    found = outputs(pipeline, frame, kind)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, np.tile(found[0], (60, 1)), rtol=1e-6)


# ---------------------------------------------------------------- the explained function


def points(name, n):
    """The defaults and random points of the search space."""
    learner, space = load_learner(name), load_space(name)
    rng = np.random.default_rng(3)

    def draw(dimension):
        if dimension.kind == "categorical":
            return dimension.choices[rng.integers(len(dimension.choices))]
        low, high = dimension.low, dimension.high
        if dimension.log:
            found = np.exp(rng.uniform(np.log(low), np.log(high)))
        else:
            found = rng.uniform(low, high)
        return round(found) if dimension.kind == "int" else float(found)

    yield learner
    for _ in range(n - 1):
        values = {key: draw(dimension) for key, dimension in space.parameters.items()}
        yield with_values(learner, Preprocessing(), values)[0]


def shared_and_plain(name, kind):
    """The workspace of a model and the plain way, on the same rows."""
    task = easy_task(kind)
    learner = load_learner(name)
    step = unfitted(name, task.info)[0].fit(task.X.iloc[:N_TRAIN], task.y[:N_TRAIN])
    rows = {
        "X_train": step.transform(task.X.iloc[:N_TRAIN]),
        "y_train": task.y[:N_TRAIN],
        "X_valid": step.transform(task.X.iloc[N_TRAIN:]),
        "groups": (np.arange(N_TRAIN) // 2).astype(str),
        "seed": 5,
        "device": "cpu",
    }
    return type(learner).workspace(task.info, **rows), FitEach(task.info, **rows)


def assert_equal_outputs(found, wanted, needs):
    """Equal to 1e-6 of probabilities (a solver ends within its tolerance) and where read."""
    part = {"label": "probabilities", "probability": "probabilities", "value": "value"}.get(needs)
    if part is None:
        part = "probabilities" if wanted.margin is None else "margin"
    pair = [getattr(outputs, part) for outputs in (found, wanted)]
    assert pair[0].shape == pair[1].shape
    np.testing.assert_allclose(*pair, atol=1e-6 * max(1.0, np.abs(pair[1]).max()), rtol=0)
    if found.margin is not None and wanted.margin is not None:
        assert found.margin.shape == wanted.margin.shape


@pytest.mark.parametrize(
    ("name", "kind"),
    [cell for cell in CELLS if isinstance(load_learner(cell[0]), SupportsWorkspace)],
)
def test_workspace_outputs_equal_single_fits(name, kind):
    shared, plain = shared_and_plain(name, kind)
    for learner in points(name, 8):
        wanted = plain.outputs(learner, needs="value")
        for needs in ("label", "probability", "margin") if kind.is_classification else ("value",):
            assert_equal_outputs(shared.outputs(learner, needs=needs), wanted, needs)


@pytest.mark.parametrize(
    ("name", "kind"), [cell for cell in CELLS if isinstance(load_learner(cell[0]), SupportsFitMany)]
)
def test_fit_many_equals_single_fits(name, kind):
    """To 1e-3 of the largest output where rounding has had few epochs to grow in."""
    task, learner = easy_task(kind), usual(name, kind)
    if hasattr(learner, "n_epochs"):
        learner = dataclasses.replace(learner, n_epochs=5)
    step = unfitted(name, task.info)[0].fit(task.X.iloc[:N_TRAIN], task.y[:N_TRAIN])
    X, y = step.transform(task.X), task.y
    parts = [np.arange(N_TRAIN), np.arange(40, 40 + N_TRAIN)]
    jobs = [
        FitJob(info=task.info, X=X[rows], y=y[rows], groups=None, seed=i)
        for i, rows in enumerate(parts)
    ]
    for job, found in zip(jobs, learner.fit_many(jobs, device="cpu"), strict=True):
        single = learner.build(job.info, seed=job.seed, device="cpu").fit(job.X, job.y)
        pair = [evaluate_form(learner.margin_form(each), X) for each in (found, single)]
        np.testing.assert_allclose(*pair, atol=1e-3 * np.abs(pair[1]).max())
        assert getattr(found, "notes_", ()) == getattr(single, "notes_", ())


@pytest.mark.parametrize(
    ("name", "kind"), [cell for cell in CELLS if load_learner(cell[0]).traits.path]
)
def test_path_outputs_equal_a_fit_per_value(name, kind):
    shared, plain = shared_and_plain(name, kind)
    parameter = load_space(name).parameters[load_learner(name).traits.path]
    values = sorted({int(parameter.low), int(parameter.low) + 3, int(parameter.high)})
    for learner in points(name, 3):
        for needs in ("probability", "margin") if kind.is_classification else ("value",):
            wanted = plain.path(learner, values, needs=needs)
            found = shared.path(learner, values, needs=needs)
            assert len(found) == len(wanted)
            for pair in zip(found, wanted, strict=True):
                assert_equal_outputs(*pair, needs)


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_margin_form_equals_the_fitted_margin(name, kind):
    task, pipeline, learner = easy_task(kind), fitted(name, kind), usual(name, kind)
    X = pipeline["preprocess"].transform(task.X.iloc[N_TRAIN:])
    estimator = pipeline["estimator"]
    form = learner.margin_form(estimator)
    assert learner.traits.sampled == isinstance(form, CallableForm)
    found = evaluate_form(form, X)
    n_outputs = len(task.classes) if kind is TaskKind.MULTICLASS else 1
    assert found.shape == (len(X), n_outputs)
    match learner.scale(kind):
        case "margin":
            expected = np.asarray(estimator.decision_function(X)).reshape(len(X), -1)
        case "value":
            expected = estimator.predict(X)[:, None]
        case "probability":
            expected = estimator.predict_proba(X)
            expected = expected[:, 1:] if kind is TaskKind.BINARY else expected
        case "log-odds":
            expected = estimator.predict_proba(X)
            expected = expected[:, 1:] if kind is TaskKind.BINARY else expected
            if kind is TaskKind.MULTICLASS and not isinstance(form, TreesForm):
                np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-5)
            found = expit(found) if kind is TaskKind.BINARY else softmax(found, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_explanation_adds_up(name, kind):
    task, pipeline, learner = easy_task(kind), fitted(name, kind), usual(name, kind)
    step = pipeline["preprocess"]
    background, rows = step.transform(task.X.iloc[:12]), step.transform(task.X.iloc[N_TRAIN:][:4])
    form = learner.margin_form(pipeline["estimator"])
    values, base, _ = form_values(
        form, rows, background, players=step.players_, evaluations=200_000, seed=1
    )
    assert values.shape[:2] == (4, task.n_features)
    mean = evaluate_form(form, background).mean(axis=0)
    moved = evaluate_form(form, rows) - mean
    scale = max(1.0, float(np.abs(moved).max()))
    np.testing.assert_allclose(base, mean, atol=1e-4 * scale)
    np.testing.assert_allclose(values.sum(axis=1), moved, atol=1e-4 * scale)
