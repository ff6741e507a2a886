"""The verb summary: what is counted of a network, against numbers worked out by hand."""

import dataclasses
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from smalldata.__main__ import main
from smalldata.cli.summary import network_names
from smalldata.models import load_learner
from smalldata.models.networks import summary as outlines
from smalldata.models.networks.layers import MemberLinear
from smalldata.models.networks.mlp import MLP
from smalldata.models.networks.recipe import Network
from smalldata.models.networks.summary import outline_network
from smalldata.task import TaskInfo, TaskKind

N_ROWS, N_COLUMNS = 50, 7
PLAIN = {"linear_path": "never"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _fields(**changed):
    """Values of a small network without dropout, of the mlp's other defaults."""
    mlp = load_learner("mlp")
    values = {field.name: getattr(mlp, field.name) for field in dataclasses.fields(Network)}
    small = {"n_members": 3, "batch_size": 20, "input_dropout": 0.0, "dropout": 0.0}
    small["dropout_columns"] = 1
    return {**values, **small, **changed}


def _outline(learner, *, kind=TaskKind.BINARY, n_rows=N_ROWS, n_columns=N_COLUMNS):
    rng = np.random.default_rng(0)
    n_classes = {TaskKind.BINARY: 2, TaskKind.MULTICLASS: 4, TaskKind.REGRESSION: 0}[kind]
    y = np.arange(n_rows) % n_classes if n_classes else rng.normal(size=n_rows)
    info = TaskInfo(kind=kind, n_samples=n_rows, n_features=n_columns, n_classes=n_classes)
    X = rng.normal(size=(n_rows, n_columns))
    return outline_network(learner, X, y, None, info=info, seed=0)


class _Block(nn.Module):
    """Parameters of its own, a layer that is called twice and one that is not called."""

    def __init__(self, generators, n_columns):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(len(generators), 1, n_columns))
        self.twice = MemberLinear(n_columns, n_columns, generators=generators, gain=1.0)
        self.never = MemberLinear(n_columns, 2, generators=generators, gain=1.0)

    def forward(self, x):
        return self.twice(self.twice(x + self.shift))


@dataclass(frozen=True, kw_only=True)
class _Odd(Network):
    def network(self, inputs, n_outputs, *, generators):
        last = MemberLinear(inputs.n_columns, n_outputs, generators=generators, gain=1.0)
        return nn.Sequential(_Block(generators, inputs.n_columns), nn.Tanh(), last)


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize(
    ("kind", "n_outputs"),
    [(TaskKind.BINARY, 1), (TaskKind.MULTICLASS, 4), (TaskKind.REGRESSION, 1)],
)
def test_parameters_of_the_mlp_are_counted_by_layer(kind, n_outputs):
    mlp = MLP(**_fields(), n_layers=2, width=16, scale_rate=10.0, **PLAIN)
    found = _outline(mlp, kind=kind)
    first = N_COLUMNS + N_COLUMNS * 16 + 16  # with a factor for each column
    second, last = 16 * 16 + 16, 16 * n_outputs + n_outputs
    linear = [layer for layer in found.layers if layer.kind == "MemberLinear"]
    assert [layer.n_parameters for layer in linear] == [3 * first, 3 * second, 3 * last]
    assert [layer.output for layer in linear] == [(3, 17, 16), (3, 17, 16), (3, 17, n_outputs)]
    assert found.n_parameters == first + second + last
    assert (found.n_members, found.n_rows, found.n_columns) == (3, N_ROWS, N_COLUMNS)
    assert found.n_outputs == n_outputs
    assert found.n_batch == 17  # 50 rows in three equal steps of at most 20


def test_held_out_rows_are_not_counted_in_a_step():
    mlp = MLP(**_fields(early_stopping=2), n_layers=1, width=4, scale_rate=10.0, **PLAIN)
    found = _outline(mlp)
    assert found.n_batch == 20  # 40 of 50 rows in two steps
    assert found.layers[0].output == (3, 20, 1)


def test_own_shared_and_unused_parameters_are_counted_once():
    found = _outline(_Odd(**_fields()))
    lines = {layer.name: layer for layer in found.layers}
    square = 3 * (N_COLUMNS**2 + N_COLUMNS)
    never = 3 * (N_COLUMNS * 2 + 2)
    assert lines["0"].kind == "_Block"
    assert lines["0"].depth == 1
    assert lines["0"].n_parameters == 3 * N_COLUMNS + never
    (twice,) = [layer for layer in found.layers if layer.name == "twice"]
    assert (twice.n_parameters, twice.n_calls, twice.depth) == (square, 2, 2)
    n_all = sum(layer.n_parameters for layer in found.layers)
    assert n_all == 3 * found.n_parameters
    assert n_all == 3 * N_COLUMNS + square + never + 3 * (N_COLUMNS + 1)


def test_activation_memory_counts_tensors_saved_for_gradients():
    mlp = MLP(**_fields(), n_layers=2, width=16, scale_rate=10.0, **PLAIN)
    found = _outline(mlp)
    n = 3 * 17
    # The columns for the gradient of their factors, and scaled for that of the weights; the outputs
    # of both rectifiers, which the next layer reads too; of the loss the target and the logit,
    # the weight of a row.
    columns, hidden, loss = 2 * n * N_COLUMNS, 2 * n * 16, 3 * n
    assert found.memory.activations == 4 * (columns + hidden + loss)


def test_dropout_masks_count_as_activation_memory():
    dropped = MLP(**_fields(dropout=0.5), n_layers=1, width=16, scale_rate=10.0, **PLAIN)
    plain = MLP(**_fields(), n_layers=1, width=16, scale_rate=10.0, **PLAIN)
    more = _outline(dropped).memory.activations - _outline(plain).memory.activations
    # What the rectifier returns, and beside it the mask and the product.
    assert more == 4 * 2 * (3 * 17 * 16)


@pytest.mark.parametrize(
    ("optimizer", "momentum", "copies"),
    [("adam", 0.9, 2), ("adamw", 0.0, 2), ("rmsprop", 0.9, 1), ("sgd", 0.9, 1), ("sgd", 0.0, 0)],
)
def test_optimizer_memory_equals_its_copies_of_the_weights(optimizer, momentum, copies):
    fields = _fields(optimizer=optimizer, momentum=momentum, learning_rate=0.001)
    memory = _outline(MLP(**fields, n_layers=1, width=16, scale_rate=10.0, **PLAIN)).memory
    n_tensors = 5  # and a count of steps each
    assert copies * memory.weights <= memory.optimizer <= copies * memory.weights + 4 * n_tensors
    assert memory.gradients == memory.best_weights == memory.weights
    assert memory.data == 4 * N_ROWS * (N_COLUMNS + 2)
    parts = [getattr(memory, field.name) for field in dataclasses.fields(memory)]
    assert memory.total == sum(parts)


def test_weights_are_counted_in_bytes():
    found = _outline(MLP(**_fields(), n_layers=1, width=16, scale_rate=10.0, **PLAIN))
    assert found.memory.weights == 4 * 3 * found.n_parameters


def test_peak_memory_counts_shared_storage_once_and_released_storage_not():
    kept = outlines._Kept()
    weight = nn.Parameter(torch.zeros(100))
    first, second = torch.zeros(10), torch.zeros(30)
    held = [kept.pack(first), kept.pack(first[2:]), kept.pack(weight.view(10, 10))]
    assert kept.unpack(held[1]).shape == (8,)
    assert kept.peak(without=[weight]) == 40
    del held[0]
    held.append(kept.pack(second))
    assert kept.peak(without=[weight]) == 160
    held.clear()
    third = torch.zeros(20)
    held.append(kept.pack(third))
    assert kept.peak(without=[weight]) == 160
    assert kept.peak(without=[]) == 560


@pytest.mark.gpu
def test_predicted_memory_is_close_to_use_on_cuda():
    if not torch.cuda.is_available():
        pytest.skip("there is no card here")
    learner = dataclasses.replace(load_learner("mlp"), n_epochs=2, width=256)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 5000)), np.arange(300) % 2
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=300, n_features=5000, n_classes=2)
    said = outline_network(learner, X, y, None, info=info, seed=0).memory.total
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    learner.build(info, seed=0, device="cuda").fit(X, y)
    taken = torch.cuda.max_memory_allocated() - before
    assert said * 0.7 < taken < said * 1.5


# ---------------------------------------------------------------- the verb


def _numbers(text):
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def test_summary_of_mlp_on_omics_prints_layers_and_memory(folder, capsys):
    assert main(["summary", "model=mlp", "dataset=omics"]) == 0
    out, err = capsys.readouterr()
    first, *rest = out.splitlines()
    # One categorical feature of six levels becomes as many columns.
    assert first.endswith("first training fold of rep5x5, 266 rows, 130 features in 135 columns")
    mlp = load_learner("mlp")
    n_one = 135 + (135 + 1) * mlp.width + (mlp.width + 1) * mlp.width * (mlp.n_layers - 1)
    n_one += mlp.width + 1
    (total,) = [line for line in rest if line.startswith("total")]
    assert _numbers(total) == [n_one, mlp.n_members * n_one]
    last = next(line for line in reversed(rest) if "MemberLinear" in line).split()
    own = mlp.width + 1  # 266 rows are 9 equal steps of at most 32
    assert last[2:] == ["30", "×", "1", f"{own}", f"{own * mlp.n_members}"]
    (one,) = [line for line in rest if line.startswith("One member")]
    assert one == f"One member: {n_one:,} parameters, {n_one / 266:.0f} per training row."
    (ensemble,) = [line for line in rest if line.startswith("The ensemble")]
    assert f"{mlp.n_members} members side by side, {mlp.n_members * n_one:,} parameters" in ensemble
    assert "Memory of training all members, float32: about " in out
    assert "read 333 x 130" in err
    assert list(folder.iterdir()) == []


def test_summary_accepts_overrides_of_a_run(capsys):
    command = ["summary", "model=mlp", "dataset=nutrimouse", "cv.train_size=20", "tune=optuna"]
    few = ["preprocess.select=univariate", "preprocess.k=9", "model.learner.n_members=1"]
    assert main([*command, *few]) == 0
    out, err = capsys.readouterr()
    assert "20 rows, 141 features in 9 columns" in out
    assert "The ensemble has one member." in out
    assert "tuning chooses values inside each fold" in err
    assert main(["summary", "experiment=signature", "model=mlp", "dataset=nutrimouse"]) == 0
    out, err = capsys.readouterr()
    assert "141 features in 141 columns" in out
    assert "a signature chooses features" in err


def test_summary_of_a_grid_prints_each_model(capsys):
    assert main(["summary", "-m", "model=linear,mlp", "dataset=nutrimouse,tissue"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "first training fold" in line] == [
        line for line in out.splitlines() if line.startswith(("linear on", "mlp on"))
    ]
    assert out.count("first training fold") == 4
    assert out.count("One member:") == 2


def test_summary_of_a_linear_model_counts_its_coefficients(capsys):
    assert main(["summary", "model=linear", "dataset=omics"]) == 0
    assert "linear has no layers but 136 numbers" in capsys.readouterr().out
    assert main(["summary", "model=linear", "dataset=nutrimouse"]) == 0
    out = capsys.readouterr().out
    assert f"{5 * 142} numbers, a coefficient per column and an intercept for each of 5" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model=svm"], r"ConfigError: summary shows the layers of networks and .*mlp"),
        (["model=xgboost"], r"model=xgboost is none of them"),
        (["model=nlp"], r"there is no 'nlp'; did you mean mlp"),
        (["mlp"], r"key=value; got 'mlp'"),
        (["model=mlp", "model.learner.widht=3"], r"did you mean model\.learner\.width"),
        (["--json"], r"got '--json'"),
        (["-m", "model=mlp", "hydra/sweeper=smalldata_optuna"], r"a search has none"),
        (["model=mlp", "model.learner.width=0"], r"width"),
        (["model=mlp", "cv.train_size=3000"], r"train_size"),
    ],
)
def test_wrong_summary_input_is_refused_with_one_sentence(arguments, sentence, capsys):
    assert main(["summary", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(sentence, " ".join(err.split()))
    assert "Error executing job" not in err
    assert "Traceback" not in err


def test_summary_of_a_network_beyond_memory_is_one_sentence(capsys):
    """Its second layer would take 16 TB."""
    one = ["preprocess.select=variance", "preprocess.k=1", "model.learner.n_members=1"]
    command = ["summary", "model=mlp", "dataset=nutrimouse", *one]
    assert main([*command, "model.learner.width=2000000"]) == 2
    err = capsys.readouterr().err
    assert "ran out of it; ask for fewer features, members" in err
    assert "Traceback" not in err


def test_summary_of_a_grid_skips_models_that_cannot_be_shown(capsys):
    assert main(["summary", "-m", "model=svm,mlp", "dataset=nutrimouse"]) == 2
    out, err = capsys.readouterr()
    assert "mlp on nutrimouse" in out
    assert "model=svm is none of them" in " ".join(err.split())


@pytest.mark.parametrize("name", network_names())
def test_every_network_has_a_summary(name, capsys):
    found = _outline(dataclasses.replace(load_learner(name), n_members=2), n_columns=30)
    assert found.layers[0].output == (2, found.n_batch, 1)
    assert sum(layer.n_parameters for layer in found.layers) == 2 * found.n_parameters > 0
    assert min(layer.n_parameters for layer in found.layers) == 0
    assert found.memory.activations > 0
    few = ["dataset=nutrimouse", "preprocess.select=variance", "preprocess.k=30"]
    assert main(["summary", f"model={name}", "model.learner.n_members=2", *few]) == 0
    (total,) = [line for line in capsys.readouterr().out.splitlines() if "total" in line]
    one, both = _numbers(total)
    assert both == 2 * one
