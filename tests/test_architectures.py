"""Every architecture: what its members share, what its settings do, and a task it is made for."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from smalldata.cli.summary import network_names
from smalldata.errors import ConfigError
from smalldata.measures.formulas import area_under_roc
from smalldata.models import load_learner
from smalldata.models.networks import blocks, layers, training
from smalldata.task import TaskInfo, TaskKind

NAMES = network_names()


def build(name, kind=TaskKind.BINARY, *, n_classes=2, seed=1, **values):
    info = TaskInfo(kind=kind, n_samples=0, n_features=0, n_classes=n_classes)
    return load_learner(name, **values).build(info, seed=seed, device="cpu")


def make_network(name, n_columns, n_outputs=2, *, seeds=(1, 2, 3), **values):
    learner = load_learner(name, **values)
    X = np.random.default_rng(0).normal(size=(30, n_columns))
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return learner.network(learner.inputs(X), n_outputs, generators=generators).eval()


EMBEDDINGS = ["none", "piecewise_linear", "periodic"]


# ---------------------------------------------------------------- members


@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_batched_members_equal_members_alone(name, embedding):
    values = {"embedding": embedding, "embedding_size": 3}
    network = make_network(name, 23, **values)
    for parameter in network.parameters():
        assert len(parameter) == 3
    x = torch.randn((5, 23), generator=torch.Generator().manual_seed(0))
    found = network(x)
    assert found.shape == (3, 5, 2)
    torch.testing.assert_close(network(x.expand(3, -1, -1)), found)
    for member, seed in enumerate((1, 2, 3)):
        alone = make_network(name, 23, seeds=(seed,), **values)
        torch.testing.assert_close(alone(x)[0], found[member], atol=1e-5, rtol=1e-5)
    assert found.std(dim=0).min() > 0


@pytest.mark.parametrize("name", NAMES)
def test_members_have_separate_gradients(name):
    network = make_network(name, 23)
    x = torch.randn((3, 5, 23), generator=torch.Generator().manual_seed(0))
    network(x)[1].sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad[0].abs().sum() == parameter.grad[2].abs().sum() == 0
    assert max(parameter.grad[1].abs().max() for parameter in network.parameters()) > 0


@pytest.mark.parametrize("n_columns", [1, 2, 3, 70, 333])
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_network_accepts_any_number_of_columns(name, n_columns):
    network = make_network(name, n_columns, seeds=(1,))
    x = torch.randn((4, n_columns), generator=torch.Generator().manual_seed(0))
    found = network(x)
    assert found.shape == (1, 4, 2)
    moved = [n_columns // 2]
    x[:, moved] += 3.0
    assert (network(x) != found).any()


# ---------------------------------------------------------------- settings


CHANGED = {
    "mlp": {"n_layers": 1, "width": 20, "scale_rate": 2.0},
    "resnet": {"n_blocks": 3, "width": 20, "scale_rate": 2.0},
    "densenet": {"n_blocks": 1, "width": 20, "growth": 5, "scale_rate": 2.0},
    "cnn1d": {
        "n_blocks": 1,
        "n_channels": 3,
        "kernel_size": 4,
        "n_positions": 5,
        "pooling": "max",
        "width": 20,
        "order": "given",
    },
    "transformer": {
        "n_tokens": 7,
        "n_blocks": 1,
        "width": 8,
        "n_heads": 2,
        "norm": "post",
    },
    "rnn": {"n_tokens": 7, "width": 8, "order": "given"},
}


def toy(n=120, p=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, 20:] = X[:, :20] + 0.3 * rng.normal(size=(n, 20))  # each column has a likeness far away
    return X, X[:, 0] - X[:, 1] + 0.5 * X[:, 2]


def test_every_network_is_covered_by_these_tests():
    assert sorted(CHANGED) == sorted(MADE_FOR) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_setting_changes_the_fit(name):
    X, signal = toy()
    y = (signal > 0).astype(np.int64)
    few = {"n_epochs": 3, "n_members": 2}
    plain = build(name, **few).fit(X, y).margins(X)
    for key, value in CHANGED[name].items():
        changed = build(name, **few | {key: value}).fit(X, y).margins(X)
        assert np.abs(changed - plain).max() > 1e-6, key


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "values",
    [
        {"embedding": "piecewise_linear"},
        {"embedding": "periodic"},
        {"mixup": 0.5},
        {"input_dropout": 0.4, "dropout": 0.4},
        {"optimizer": "sgd", "scheduler": "cosine", "init": "xavier"},
    ],
)
def test_shared_settings_change_the_fit_of_every_architecture(name, values):
    X, signal = toy()
    y = (signal > 0).astype(np.int64)
    few = {"n_epochs": 3, "n_members": 2, "input_dropout": 0.0, "dropout": 0.0}
    plain = build(name, **few).fit(X, y).margins(X)
    changed = build(name, **few | values).fit(X, y).margins(X)
    assert np.isfinite(changed).all()
    assert np.abs(changed - plain).max() > 1e-6


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_gradients_equal_numerical_derivative_of_margins(name, embedding):
    X, signal = toy(60)
    values = {"n_epochs": 3, "n_members": 2, "embedding": embedding}
    fitted = build(name, TaskKind.REGRESSION, n_classes=0, **values).fit(X, signal)
    rows, direction = X[:20], np.random.default_rng(5).normal(size=X.shape[1])
    direction /= np.linalg.norm(direction)
    step = 3e-3  # float32: rounding and curvature are both small there
    slope = (fitted.margins(rows + step * direction) - fitted.margins(rows - step * direction)) / (
        2 * step
    )
    found = fitted.gradients(rows) @ direction
    off = np.abs(found - slope) / np.abs(slope).max()
    assert np.quantile(off, 0.6) < 0.02  # some rows step over a kink


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("embedding", EMBEDDINGS[1:])
@torch.no_grad()
def test_columns_are_dropped_after_embedding(name, embedding):
    """Dropout scales up what it keeps: an embedding would take it for other values."""
    network = make_network(name, 60, embedding=embedding).train()
    layers.set_noise(network, [torch.Generator().manual_seed(m) for m in range(3)])
    (columns,) = (layer for layer in network.modules() if isinstance(layer, blocks.Columns))
    assert columns.drop.share == 0.5
    seen = {}
    columns.embedding.register_forward_hook(lambda _, x, y: seen.update(x=x[0], embedded=y))
    columns.register_forward_hook(lambda _, x, y: seen.update(kept=y))
    x = torch.randn((3, 5, 60), generator=torch.Generator().manual_seed(0))
    network(x)
    assert torch.equal(seen["x"], x)
    kept = (seen["kept"] != 0).any(dim=-1, keepdim=True)
    torch.testing.assert_close(seen["kept"], torch.where(kept, 2 * seen["embedded"], 0.0))
    assert 0.4 < kept.float().mean() < 0.6


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match=r"multiple of n_heads; got width=10 and n_heads=4"):
        load_learner("transformer", width=10, n_heads=4)


def test_columns_beyond_n_tokens_are_grouped():
    X, _ = toy()
    assert load_learner("transformer", n_tokens=40).inputs(X).order is None
    order = load_learner("transformer", n_tokens=20).inputs(X).order
    pairs = {frozenset(int(column) % 20 for column in pair) for pair in order.reshape(20, 2)}
    assert sum(len(pair) == 1 for pair in pairs) >= 18  # each beside its likeness


def test_embedding_edges_are_quantiles_of_network_inputs():
    X, signal = toy()
    fitted = build("cnn1d", n_epochs=1, n_members=1, embedding="piecewise_linear")
    fitted.fit(X, (signal > 0).astype(np.int64))
    order, edges = fitted.inputs_.order, fitted.inputs_.edges
    assert order is not None
    clipped = X / np.sqrt(1 + (X / fitted.learner.clip) ** 2)
    np.testing.assert_allclose(edges[0], clipped.min(axis=0)[order])
    np.testing.assert_allclose(edges[-1], clipped.max(axis=0)[order])
    np.testing.assert_allclose(edges[4], np.median(clipped, axis=0)[order], atol=1e-2)


# ---------------------------------------------------------------- training that is cut short


def test_a_time_limit_ends_training_and_says_so(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    X, signal = toy(60)
    y = (signal > 0).astype(np.int64)
    values = {"n_members": 2, "time_limit": 3.5}
    fitted = build("mlp", **values).fit(X, y)
    assert fitted.curves_.timed_out
    assert fitted.curves_.train.shape == (4, 2)
    assert fitted.curves_.best_epoch.tolist() == [3, 3]
    (note,) = fitted.notes_
    assert note.startswith("time_limit of 3.5 s: trained 4 of 30 epochs")
    stopped = build("mlp", **values, early_stopping=5).fit(X, y)
    assert max(stopped.curves_.best_epoch) <= 3
    ample = build("mlp", n_members=2, time_limit=10_000.0).fit(X, y)
    assert not ample.notes_
    assert len(ample.curves_.train) == 30


def test_mixed_precision_stays_close_and_keeps_float32_weights(monkeypatch):
    """On a card only; here the CPU's bfloat16 stands in."""
    X, signal = toy(60)
    y = (signal > 0).astype(np.int64)
    plain = build("mlp", n_members=2).fit(X, y)
    asked = build("mlp", n_members=2, precision="mixed").fit(X, y)
    np.testing.assert_array_equal(asked.margins(X), plain.margins(X))
    monkeypatch.setattr(
        training, "_products", lambda recipe, device: torch.autocast("cpu", dtype=torch.bfloat16)
    )
    for name in NAMES:
        few = {"n_members": 2, "n_epochs": 5}
        mixed = build(name, **few).fit(X, y).margins(X)
        monkeypatch.undo()
        exact = build(name, **few).fit(X, y).margins(X)
        monkeypatch.setattr(
            training,
            "_products",
            lambda recipe, device: torch.autocast("cpu", dtype=torch.bfloat16),
        )
        assert 0 < np.abs(mixed - exact).max() < 0.3 * np.abs(exact).max(), name


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "mixed"])
@pytest.mark.parametrize("name", NAMES)
def test_fit_on_cuda_matches_fit_on_cpu(name, precision):
    if not torch.cuda.is_available():
        pytest.skip("there is no card here")
    X, signal = toy()
    y = (signal > 0).astype(np.int64)
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=0, n_features=0, n_classes=2)
    learner = load_learner(name, n_epochs=5, precision=precision)
    on_card = learner.build(info, seed=1, device="cuda").fit(X, y).margins(X)
    here = learner.build(info, seed=1, device="cpu").fit(X, y).margins(X)
    tolerance = 5e-3 if precision == "float32" else 0.3
    np.testing.assert_allclose(on_card, here, atol=tolerance * np.abs(here).max())


# ---------------------------------------------------------------- a task that each is made for


def peaks(n, rng, p=60):
    """Spectra of one peak anywhere, narrow or broad, of one area; its width is the class."""
    y = rng.integers(0, 2, n)
    width = np.where(y == 1, 1.0, 3.0)[:, None]
    centre = rng.uniform(6, p - 6, n)[:, None]
    X = np.exp(-(((np.arange(p) - centre) / width) ** 2) / 2) / width
    return X + 0.02 * rng.normal(size=X.shape) + 0.1 * rng.normal(size=(n, 1)), y


def pairs(n, rng, p=12):
    """The sign of a product of two columns; no column alone says anything."""
    X = rng.normal(size=(n, p))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def runs(n, rng, p=24):
    """Sequences in which each value follows the one before it, or turns its sign."""
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, p))
    for place in range(1, p):
        X[:, place] = np.where(y == 1, 0.6, -0.6) * X[:, place - 1] + 0.8 * X[:, place]
    return X, y


MADE_FOR = {
    "mlp": pairs,
    "resnet": pairs,
    "densenet": pairs,
    "cnn1d": peaks,
    "transformer": pairs,
    "rnn": runs,
}


@pytest.mark.parametrize("name", NAMES)
def test_each_architecture_beats_logistic_regression_on_its_own_task(name):
    draw = MADE_FOR[name]
    rng = np.random.default_rng(11)
    X, y = draw(300, rng)
    X_new, y_new = draw(300, rng)
    scaler = StandardScaler().fit(X)
    X, X_new = scaler.transform(X), scaler.transform(X_new)
    line = LogisticRegression(C=0.1).fit(X, y)
    floor = area_under_roc(y_new == 1, line.decision_function(X_new))
    fitted = build(name).fit(X, y)
    score = area_under_roc(y_new == 1, fitted.decision_function(X_new))
    assert score > max(floor, 0.5) + 0.1
    frequency = y.mean()
    constant = -np.mean(np.where(y_new == 1, np.log(frequency), np.log(1 - frequency)))
    p_new = np.clip(expit(fitted.decision_function(X_new)), 1e-15, 1 - 1e-15)
    assert -np.mean(np.where(y_new == 1, np.log(p_new), np.log(1 - p_new))) < constant
