"""The mlp and the training loop of all networks: what is learned, from which rows, how alike."""

import contextlib
import dataclasses
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from smalldata.errors import ConfigError, FitError
from smalldata.measures.formulas import area_under_roc
from smalldata.models import load_learner
from smalldata.models.networks import layers, losses, optimization, training
from smalldata.models.networks.mlp import MLP
from smalldata.models.networks.settings import Inputs
from smalldata.runtime.catalogue import conf_dir, names, read_yaml
from smalldata.runtime.devices import one_torch_thread, resolve_device
from smalldata.seeding import seed_for
from smalldata.task import TaskInfo, TaskKind


def build(kind=TaskKind.BINARY, *, n_classes=2, seed=1, device="cpu", **changes):
    info = TaskInfo(kind=kind, n_samples=0, n_features=0, n_classes=n_classes)
    return load_learner("mlp", **changes).build(info, seed=seed, device=device)


def linear_toy(n=160, d=12, *, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X[:, :3].sum(axis=1) + 0.3 * rng.normal(size=n)


QUICK = {"n_members": 3, "width": 16, "n_epochs": 8}


# ---------------------------------------------------------------- what is learned


def test_mlp_learns_a_linear_signal_and_an_interaction():
    X, signal = linear_toy(240)
    y = (signal > 0).astype(np.int64)
    fitted = build().fit(X[:160], y[:160])
    assert area_under_roc(y[160:] == 1, fitted.decision_function(X[160:])) > 0.95

    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    line = LogisticRegression().fit(X[:160, :4], y[:160])
    fitted = build(input_dropout=0.0, n_epochs=60).fit(X[:160, :4], y[:160])
    assert area_under_roc(y[160:] == 1, line.decision_function(X[160:, :4])) < 0.65
    assert area_under_roc(y[160:] == 1, fitted.decision_function(X[160:, :4])) > 0.95


def test_scaling_dropout_to_few_columns_keeps_their_interaction():
    rng = np.random.default_rng(78)
    X = rng.normal(size=(400, 16))
    y = (X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] > 0).astype(np.int64)
    found = {}
    for n in (1, 50):
        fitted = build(dropout_columns=n).fit(X[:320], y[:320])
        found[n] = area_under_roc(y[320:] == 1, fitted.decision_function(X[320:]))
    assert found[50] > 0.95
    assert found[50] > found[1] + 0.03


def test_linear_path_finds_a_signal_spread_over_many_columns():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 300))
    y = X[:, :20].sum(axis=1) + rng.normal(size=200)
    errors = {}
    for path in ("values", "always", "never"):
        fitted = build(TaskKind.REGRESSION, linear_path=path).fit(X[:140], y[:140])
        errors[path] = np.std(fitted.predict(X[140:]) - y[140:]) / y.std()
        # Half of what trains it is a sum: the gradient must know both paths.
        np.testing.assert_allclose(
            fitted.margins(X[:3] + 1e-2 * np.eye(300)[0]) - fitted.margins(X[:3]),
            1e-2 * fitted.gradients(X[:3])[:, :, 0],
            atol=1e-3 * y.std(),
        )
    assert errors["values"] == errors["always"] < errors["never"] < 1.0
    classes = (y > 0).astype(np.int64)
    plain = build(linear_path="never", **QUICK).fit(X, classes).decision_function(X)
    without = build(linear_path="values", **QUICK).fit(X, classes).decision_function(X)
    np.testing.assert_array_equal(plain, without)


def test_mlp_learns_three_classes():
    X, signal = linear_toy(240)
    y = np.digitize(signal, [-0.8, 0.8])
    fitted = build(TaskKind.MULTICLASS, n_classes=3).fit(X[:160], y[:160])
    assert np.mean(fitted.predict(X[160:]) == y[160:]) > 0.8


def test_regression_predicts_in_units_of_the_target():
    X, signal = linear_toy(240)
    y = 5000 + 200 * signal
    found = build(TaskKind.REGRESSION).fit(X[:160], y[:160]).predict(X)
    assert np.sqrt(np.mean((found[160:] - y[160:]) ** 2)) < 0.35 * y.std()
    shifted = build(TaskKind.REGRESSION).fit(X[:160], -3 + 0.001 * y[:160]).predict(X)
    np.testing.assert_allclose(shifted, -3 + 0.001 * found, atol=1e-4)
    constant = build(TaskKind.REGRESSION, **QUICK).fit(X, np.full(240, 7.5)).predict(X)
    np.testing.assert_allclose(constant, 7.5, atol=0.5)


def test_fading_noise_lowers_the_error_of_a_regression():
    rng = np.random.default_rng(3)
    t = rng.normal(size=(200, 2))
    X = t @ rng.normal(size=(2, 30)) + 0.01 * rng.normal(size=(200, 30))  # as collinear as spectra
    y = t[:, 0] - t[:, 1]
    errors = {}
    for fades in ("values", "always", "never"):
        fitted = build(TaskKind.REGRESSION, noise_fades=fades).fit(X[:140], y[:140])
        errors[fades] = np.mean((fitted.predict(X[140:]) - y[140:]) ** 2)
    assert errors["values"] == errors["always"] < 0.5 * errors["never"]


def test_balanced_weights_raise_the_rare_class():
    X, signal = linear_toy(400)
    y = (signal + 2 * np.random.default_rng(1).normal(size=400) > 3.2).astype(np.int64)
    plain = build(**QUICK).fit(X, y).predict_proba(X)[:, 1].mean()
    balanced = build(class_weight="balanced", **QUICK).fit(X, y).predict_proba(X)[:, 1].mean()
    assert abs(plain - y.mean()) < 0.08
    assert balanced > plain + 0.15


def test_label_smoothing_keeps_probabilities_from_the_ends():
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    loose = QUICK | {"n_epochs": 40, "weight_decay": 0.0, "input_dropout": 0.0, "dropout": 0.0}
    plain = build(**loose).fit(X, y).predict_proba(X)[:, 1]
    smooth = build(**loose, label_smoothing=0.2).fit(X, y).predict_proba(X)[:, 1]
    ends = [np.median(found[y == code]) for found in (plain, smooth) for code in (0, 1)]
    assert ends[0] < 0.01
    assert ends[1] > 0.99
    assert ends[2:] == pytest.approx([0.1, 0.9], abs=0.02)  # 0.2 / 2, and 1 - 0.2 + 0.2 / 2


def test_outlying_value_is_clipped():
    X, signal = linear_toy()
    fitted = build(**QUICK).fit(X, (signal > 0).astype(np.int64))
    rows = np.repeat(X[:1], 3, axis=0)
    rows[:, 0] = 1e6, 1e30, 1e300
    found = fitted.decision_function(rows)
    np.testing.assert_allclose(found, found[0], rtol=1e-4)


# ---------------------------------------------------------------- the same numbers


def test_same_seed_gives_the_same_output_whatever_the_global_state():
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    first = build(**QUICK, early_stopping=3).fit(X, y)
    expected = first.decision_function(X)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.manual_seed(99)
        state = torch.random.get_rng_state()
        np.testing.assert_array_equal(clone(first).fit(X, y).decision_function(X), expected)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert torch.get_num_threads() == 2
        with contextlib.suppress(KeyError), one_torch_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert np.abs(build(**QUICK, seed=2).fit(X, y).decision_function(X) - expected).max() > 0.01


def plain_member(X, y, *, member, seed, learner):
    """One member by PyTorch's own single-network parts; logits of all rows."""
    generator = torch.Generator().manual_seed(seed_for(seed, "member", member))
    n_rows, width = X.shape[0], learner.width
    sizes = [X.shape[1], width, width, 1]
    weights = []
    for n_in, n_out in pairwise(sizes):
        drawn = torch.randn(n_in, n_out, generator=generator)
        gain = 2.0 if n_out == width else 1.0
        weights.append((drawn * (gain / min(n_in, 100)) ** 0.5).requires_grad_())
    biases = [torch.zeros(n, requires_grad=True) for n in sizes[1:]]
    factor = torch.full((sizes[0],), 1 / learner.scale_rate, requires_grad=True)
    optimizer = torch.optim.AdamW(
        [
            {"params": [*weights, factor], "weight_decay": learner.weight_decay},
            {"params": biases, "weight_decay": 0.0},
        ],
        lr=learner.learning_rate,
    )
    n_steps = -(-n_rows // learner.batch_size)
    n_batch = -(-n_rows // n_steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learner.learning_rate, total_steps=learner.n_epochs * n_steps + 1
    )
    x = torch.tensor(X, dtype=torch.float32)
    x = x / torch.sqrt(1 + (x / learner.clip) ** 2)
    target = torch.tensor(y, dtype=torch.float32)
    reach = min(1.0, 100 / sizes[0]) ** 0.5

    def forward(h, *, train):
        def drop(values, share):
            if not train:
                return values
            kept = torch.empty(values.shape).uniform_(generator=generator) >= share
            return torch.where(kept, values / (1 - share), 0.0)

        h = (
            drop(h, learner.input_dropout * min(1.0, sizes[0] / learner.dropout_columns))
            * factor
            * learner.scale_rate
            * reach
        )
        h = drop(torch.relu(h @ weights[0] + biases[0]), learner.dropout)
        h = drop(torch.relu(h @ weights[1] + biases[1]), learner.dropout)
        return (h @ weights[2] + biases[2])[:, 0]

    for _ in range(learner.n_epochs):
        order = torch.randperm(n_rows, generator=generator)
        order = torch.cat([order, order])[: n_steps * n_batch]
        for rows in order.split(n_batch):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                forward(x[rows], train=True), target[rows]
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*weights, *biases, factor], learner.clip_norm)
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return forward(x, train=False).numpy()


@pytest.mark.parametrize("n_columns", [6, 250])
def test_members_batched_equal_members_trained_one_by_one(n_columns):
    X, signal = linear_toy(70, n_columns)
    y = (signal > 0).astype(np.int64)
    changes = {"n_members": 3, "width": 8, "n_epochs": 4, "clip_norm": 0.3}
    fitted = build(seed=4, **changes).fit(X, y)
    learner = load_learner("mlp", **changes)
    members = [plain_member(X, y, member=m, seed=4, learner=learner) for m in range(3)]
    assert np.std(members, axis=0).mean() > 0.1
    np.testing.assert_allclose(fitted.decision_function(X), np.mean(members, axis=0), atol=1e-4)


def test_early_stopping_is_separate_for_each_member():
    X, signal = linear_toy(90, 6)
    noisy = signal + 4 * np.random.default_rng(0).normal(size=90)
    target = torch.tensor((noisy > 0)[:, None], dtype=torch.float32)
    x, weights = torch.tensor(X, dtype=torch.float32), torch.ones(90)
    learner = load_learner("mlp", width=8, n_epochs=40, early_stopping=2, dropout=0.0)
    rows = np.arange(90)
    held_out = [rows[:15], rows[15:30], rows[30:51]]

    def run(members):
        generators = [torch.Generator().manual_seed(m) for m in members]
        network = learner.network(Inputs(n_columns=6), 1, generators=generators)
        curves = training.train(
            network,
            x,
            target,
            weights,
            loss=losses.binary_cross_entropy,
            recipe=learner,
            train_rows=[np.setdiff1d(rows, held_out[m])[:69] for m in members],
            held_out_rows=[held_out[m] for m in members],
            generators=generators,
        )
        with torch.no_grad():
            return curves, network(x)[..., 0].numpy()

    curves, together = run([0, 1, 2])
    assert len(set(curves.best_epoch)) > 1
    assert len(curves.train) < 40
    for member in range(3):
        alone, outputs = run([member])
        assert alone.best_epoch[0] == curves.best_epoch[member]
        np.testing.assert_allclose(outputs[0], together[member], atol=1e-4)
        # The weights of the best epoch were kept: they reproduce its loss on the held-out rows.
        part, best = held_out[member], alone.best_epoch[0]
        truth = target[part, 0].numpy()
        loss = np.mean(np.logaddexp(0, together[member][part]) - truth * together[member][part])
        assert loss == pytest.approx(curves.held_out[best, member], abs=1e-5)
        assert best == alone.held_out[:, 0].argmin()
        assert len(alone.train) == best + 1 + learner.early_stopping


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("early_stopping", [0, 5])
def test_cuda_agrees_with_the_cpu(early_stopping):
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    changes = QUICK | {"early_stopping": early_stopping}
    cpu = build(**changes).fit(X, y).decision_function(X)
    cuda = build(device="cuda", **changes).fit(X, y).decision_function(X)
    np.testing.assert_allclose(cuda, cpu, atol=5e-3)


# ---------------------------------------------------------------- rows held out


def test_held_out_rows_choose_the_epoch_and_are_not_trained_on():
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    changes = QUICK | {"n_members": 1, "early_stopping": 8}
    first = build(**changes).fit(X, y)
    (part,), _ = first.held_out_rows(y, None)
    other = X.copy()
    other[part] = np.random.default_rng(5).normal(size=(len(part), X.shape[1]))
    second = build(**changes).fit(other, y)
    np.testing.assert_array_equal(second.curves_.train, first.curves_.train)
    assert (second.curves_.held_out != first.curves_.held_out).all()


@pytest.mark.parametrize("stratify", [True, False])
def test_groups_stay_together_and_every_row_is_learned_from(stratify):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 25, 120).astype(str)
    y = rng.integers(0, 3, 120) if stratify else rng.normal(size=120)
    kind = TaskKind.MULTICLASS if stratify else TaskKind.REGRESSION
    estimator = build(kind, n_classes=3, seed=3, early_stopping=5)
    held_out, notes = estimator.held_out_rows(y, groups)
    assert notes == ()
    assert len(held_out) == estimator.learner.n_members
    kept = [np.setdiff1d(np.arange(120), part) for part in held_out]
    for part, rest in zip(held_out, kept, strict=True):
        assert not set(groups[part]) & set(groups[rest])
        if stratify:
            assert set(y[rest]) == {0, 1, 2}
    assert set(np.concatenate(kept)) == set(range(120))
    assert set(np.concatenate(held_out[:5])) == set(range(120))


def test_impossible_early_stopping_is_noted():
    X, signal = linear_toy(40)
    y = (signal > 0).astype(np.int64)
    y[:3] = 2
    changes = QUICK | {"n_classes": 3, "early_stopping": 2}
    groups = np.where(y == 2, "a", np.arange(40).astype(str))  # one group holds the class
    alone = build(TaskKind.MULTICLASS, **changes).fit(X, y, groups)
    assert "no early stopping" in alone.notes_[0]
    assert alone.curves_.held_out is None
    assert len(alone.curves_.train) == 8
    assert build(TaskKind.MULTICLASS, **changes).fit(X, y).notes_ == ()
    unasked = build(TaskKind.MULTICLASS, **(changes | {"early_stopping": 0}))
    assert unasked.fit(X, y, groups).notes_ == ()
    np.testing.assert_array_equal(
        unasked.decision_function(X),
        alone.decision_function(X),  # all rows, all epochs
    )
    values = build(TaskKind.REGRESSION, **(changes | {"n_classes": 0}))
    (note,) = values.fit(X, signal, np.zeros(40)).notes_  # one group holds everything
    assert "without losing all of them" in note


# ---------------------------------------------------------------- divergence


def test_a_loss_that_is_not_finite_names_the_epoch():
    X, signal = linear_toy(60)
    y = (signal > 0).astype(np.int64)
    with pytest.raises(FitError, match=r"nan in epoch \d+\. Lower the learning rate"):
        build(**QUICK, learning_rate=1e25).fit(X, y)
    with pytest.raises(FitError, match="in epoch 1"):
        build(**QUICK).fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(FitError, match="in epoch 1"):  # seen in the weights after the last step
        build(n_members=1, n_epochs=1, batch_size=60, learning_rate=1e45).fit(X, y)


# ---------------------------------------------------------------- outputs


@pytest.mark.parametrize(("kind", "n_classes"), [(TaskKind.BINARY, 2), (TaskKind.MULTICLASS, 4)])
def test_probabilities_are_those_of_the_margin(kind, n_classes):
    X, _ = linear_toy()
    y = np.arange(160) % n_classes
    fitted = build(kind, n_classes=n_classes, **QUICK).fit(X + y[:, None], y)
    margins, found = fitted.margins(X), fitted.decision_function(X)
    np.testing.assert_array_equal(found, margins[:, 0] if n_classes == 2 else margins)
    if n_classes == 2:
        expected = np.column_stack([expit(-found), expit(found)])
    else:
        expected = softmax(margins, axis=1)
        np.testing.assert_allclose(margins.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    function = load_learner("mlp").margin_form(fitted).function
    many = np.tile(X, (30, 1))  # several chunks, the last one short
    np.testing.assert_allclose(function(many), np.tile(margins, (30, 1)), atol=2e-6)
    np.testing.assert_allclose(function(X[7:8]), margins[7:8], atol=2e-6)


def test_ensemble_averages_the_logits_of_its_members():
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    fitted = build(**QUICK).fit(X, y)
    x = torch.tensor(X, dtype=torch.float32)
    x = (x / torch.sqrt(1 + (x / fitted.learner.clip) ** 2)).expand(
        3, -1, -1
    )  # not the shared-rows product
    with torch.no_grad():
        members = fitted.network_(x)[..., 0].numpy()
    np.testing.assert_allclose(fitted.decision_function(X), members.mean(axis=0), atol=1e-5)


def test_dropout_keeps_the_mean_and_differs_between_members():
    layer = layers.MemberDropout(0.3)
    x = torch.ones(2, 200, 50)
    layers.set_noise(layer, [torch.Generator().manual_seed(m) for m in (1, 2)])
    found = layer(x)
    assert sorted(set(found.unique().tolist())) == pytest.approx([0.0, 1 / 0.7])
    assert float(found.mean()) == pytest.approx(1.0, abs=0.02)
    assert not torch.equal(found[0], found[1])
    layers.set_noise(layer, layer.generators, strength=0.0)
    assert torch.equal(layer(x), x)
    assert torch.equal(layer.eval()(x), x)


# ---------------------------------------------------------------- devices


def test_devices_are_resolved_with_a_reason(monkeypatch):
    assert resolve_device("cpu") == ("cpu", "asked for")
    with pytest.raises(ConfigError, match="one of auto, cpu, cuda; got 'tpu'"):
        resolve_device("tpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resolve_device("auto") == ("cpu", "CUDA_VISIBLE_DEVICES hides every card")
    with pytest.raises(ConfigError, match="device=cuda needs a working card; CUDA_VIS"):
        resolve_device("cuda")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    device, reason = resolve_device("auto")
    assert device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert reason


def test_neither_recipe_nor_device_imports_torch():
    code = (
        "import os, sys; os.environ['CUDA_VISIBLE_DEVICES'] = ''\n"
        "from smalldata.runtime.devices import resolve_device; resolve_device('auto')\n"
        "from smalldata.models import load_learner\n"
        "from smalldata.task import TaskInfo, TaskKind\n"
        "info = TaskInfo(kind=TaskKind.BINARY, n_samples=9, n_features=9, n_classes=2)\n"
        "load_learner('mlp').build(info, seed=0, device='cpu')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fit_imports_nothing_large_after_the_recipe_is_loaded():
    code = (
        "import sys; import numpy as np\n"
        "from smalldata.models import load_learner\n"
        "from smalldata.task import TaskInfo, TaskKind\n"
        "info = TaskInfo(kind=TaskKind.BINARY, n_samples=9, n_features=2, n_classes=2)\n"
        "learner = load_learner('mlp', n_epochs=1); learner.load(); before = set(sys.modules)\n"
        "estimator = learner.build(info, seed=0, device='cpu')\n"
        "estimator.fit(np.ones((9, 2)), np.arange(9) % 2)\n"
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('smalldata')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (TaskKind.BINARY, {"loss": "huber"}, "loss=huber applies to values"),
        (TaskKind.BINARY, {"label_smoothing": 0.1, "class_weight": "balanced"}, ""),
        (TaskKind.REGRESSION, {"loss": "huber"}, ""),
        (TaskKind.REGRESSION, {"label_smoothing": 0.1}, "apply to classes"),
        (TaskKind.REGRESSION, {"class_weight": "balanced"}, "apply to classes"),
    ],
)
def test_setting_without_effect_on_the_kind_of_task_is_refused(kind, settings, said):
    info = TaskInfo(kind=kind, n_samples=9, n_features=9, n_classes=0 if said else 2)
    refusal = load_learner("mlp", **settings).refusal(info)
    assert said in refusal if said else refusal == ""


# ---------------------------------------------------------------- how it is trained

FILES = [
    f"{group}/{name}"
    for group in ("optimizer", "scheduler", "init", "loss", "regularisation")
    for name in names(f"model/{group}")
]


def settings(file):
    return read_yaml(conf_dir() / "model" / f"{file}.yaml")


@pytest.mark.parametrize("file", FILES)
def test_every_setting_file_learns_an_easy_task(file):
    X, signal = linear_toy(240)
    fitted = build(**settings(file)).fit(X[:160], (signal[:160] > 0).astype(np.int64))
    assert area_under_roc(signal[160:] > 0, fitted.decision_function(X[160:])) > 0.93
    fitted = build(TaskKind.REGRESSION, **settings(file)).fit(X[:160], signal[:160])
    assert np.corrcoef(fitted.predict(X[160:]), signal[160:])[0, 1] > 0.9


def test_every_setting_file_changes_the_fit():
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    y[:100] = 0
    found = {}
    for file in FILES:
        kind = TaskKind.REGRESSION if file == "loss/huber" else TaskKind.BINARY
        fitted = build(kind, **QUICK, **settings(file)).fit(X, y)
        found[file] = float(fitted.margins(X).std())
    default = {"optimizer/adamw", "scheduler/one_cycle", "init/kaiming", "loss/plain"}
    assert len({found[file] for file in default}) == 1
    assert len(set(found.values())) == len(FILES) - len(default) + 1


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("none", [1.0] * 5),
        ("linear", [1.0, 0.8, 0.6, 0.4, 0.2]),
        ("cosine", [(1 + np.cos(np.pi * step / 5)) / 2 for step in range(5)]),
    ],
)
def test_the_learning_rate_follows_its_schedule(name, rates):
    learner = load_learner("mlp", scheduler=name, learning_rate=1.0)
    optimizer = optimization.make_optimizer(torch.nn.Linear(2, 1), learner)
    scheduler = optimization.make_scheduler(optimizer, learner, n_steps=4)
    seen = []
    for _ in range(5):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert seen == pytest.approx(rates)


@pytest.mark.parametrize("scheduler", names("model/scheduler"))
def test_sgd_keeps_the_momentum_it_is_given(scheduler):
    values = {"optimizer": "sgd", "momentum": 0.7, "scheduler": scheduler}
    learner = load_learner("mlp", **values)
    optimizer = optimization.make_optimizer(torch.nn.Linear(2, 1), learner)
    schedule = optimization.make_scheduler(optimizer, learner, n_steps=4)
    for _ in range(5):
        assert [group["momentum"] for group in optimizer.param_groups] == [0.7, 0.7]
        optimizer.step()
        schedule.step()


def test_initial_weights_have_the_spread_of_their_init():
    def spread(init, *, gain=1.0):
        generator = torch.Generator().manual_seed(0)
        layer = layers.MemberLinear(400, 100, generators=[generator], init=init, gain=gain)
        return layer.weight.detach().std().item(), layer.bias.detach().abs().max().item()

    assert spread("kaiming", gain=2**0.5) == (pytest.approx(np.sqrt(2 / 400), rel=0.02), 0.0)
    assert spread("xavier") == (pytest.approx(np.sqrt(2 / 500), rel=0.02), 0.0)
    std, bias = spread("default")
    torch.manual_seed(0)
    own = torch.nn.Linear(400, 100)
    assert std == pytest.approx(own.weight.detach().std().item(), rel=0.02)
    assert bias == pytest.approx(own.bias.detach().abs().max().item(), rel=0.1)


def test_columns_are_ordered_by_the_training_rows():
    X, signal = linear_toy()
    y = (signal > 0).astype(np.int64)
    order = np.random.default_rng(1).permutation(X.shape[1])

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Ordered(MLP):
        def inputs(self, X):
            return Inputs(n_columns=X.shape[1], order=order)

    learner = load_learner("mlp", **QUICK)
    values = {field.name: getattr(learner, field.name) for field in dataclasses.fields(MLP)}
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=0, n_features=0, n_classes=2)
    ordered = Ordered(**values).build(info, seed=1, device="cpu").fit(X, y)
    plain = build(**QUICK).fit(X[:, order], y)
    np.testing.assert_array_equal(ordered.margins(X), plain.margins(X[:, order]))
    np.testing.assert_array_equal(ordered.gradients(X)[:, :, order], plain.gradients(X[:, order]))
