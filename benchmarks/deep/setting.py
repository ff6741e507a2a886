"""The tables, the outer folds and the models: what every cell is made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from changes import CHANGES
from peers import PEERS
from sklearn.datasets import make_classification, make_friedman1

from smalldata.datasets import load_dataset
from smalldata.learner import Learner
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Splits
from smalldata.runtime import catalogue
from smalldata.task import Dataset, Task, TaskKind, make_task

SEED = 0
N_FOLDS = 5
DEFAULT = "default"

CHOOSE = ("gse7390", "tissue", "meats", "pd_speech", "acc", "sparse", "dense")
"""Tables on which defaults of the networks were chosen, here and in benchmarks/mlp_defaults."""

CONFIRM = ("omics", "liver", "srbct", "nutrimouse", "permeability", "nci60", "xor", "smooth")
"""Tables that had no say."""

DATASETS = CHOOSE + CONFIRM
REFERENCES = ("svm", "xgboost", "linear")

SHUFFLED = "meats shuffled"
"""The spectra of meats with their wavelengths in random order."""

ORDERED = ("meats", SHUFFLED, "gse7390", "acc", "srbct", "nci60")
"""Tables on which the order of the columns is given, found and ignored: spectra and genes."""

ORDERING = ("cnn1d", "rnn")
"""Networks that read columns by their order."""

CONFIRMED = ("half of few columns dropped", "those three together")
"""Changes of the mlp that were chosen, or came near it, and are looked at on `CONFIRM` too."""


def _classes(X: np.ndarray[Any, Any], upper: np.ndarray[Any, Any]) -> dict[str, Any]:
    y = np.where(upper, "1", "0").astype(object)
    return {"X": X, "y": y, "kind": TaskKind.BINARY, "positive": "1"}


def make_sparse() -> dict[str, Any]:
    """200 x 500, 20 informative features."""
    X, y = make_classification(
        200, 500, n_informative=20, n_redundant=0, n_clusters_per_class=1, random_state=0
    )
    return _classes(X, y == 1)


def make_dense() -> dict[str, Any]:
    """200 x 500, 10 informative features and 40 mixtures of them."""
    X, y = make_classification(200, 500, n_informative=10, n_redundant=40, random_state=1)
    return _classes(X, y == 1)


def make_xor() -> dict[str, Any]:
    """400 x 20: sign of x0 x1 + x2 x3, one label in twenty turned; no feature alone helps."""
    generator = np.random.default_rng(2)
    X = generator.standard_normal((400, 20))
    upper = X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] > 0
    return _classes(X, upper ^ (generator.random(400) < 0.05))


def make_smooth() -> dict[str, Any]:
    """300 x 50: Friedman's first function of five features, noise of standard deviation 1."""
    X, y = make_friedman1(300, 50, noise=1.0, random_state=3)
    return {"X": X, "y": y, "kind": TaskKind.REGRESSION, "positive": None}


SYNTHETIC: dict[str, Callable[[], dict[str, Any]]] = {
    "sparse": make_sparse,
    "dense": make_dense,
    "xor": make_xor,
    "smooth": make_smooth,
}


def load_task(dataset: str) -> Task:
    """Load a bundled table or draw a synthetic one."""
    if dataset == SHUFFLED:
        table = load_dataset("meats")
        order = np.random.default_rng(4).permutation(table.X.shape[1])
        return make_task(replace(table, name=dataset, X=table.X.iloc[:, order]))
    if dataset not in SYNTHETIC:
        return make_task(load_dataset(dataset))
    drawn = SYNTHETIC[dataset]()
    n, p = drawn["X"].shape
    return make_task(
        Dataset(
            name=dataset,
            target="y",
            sample_ids=np.arange(n).astype(str),
            **{**drawn, "X": pd.DataFrame(drawn["X"], columns=[f"x{i}" for i in range(p)])},
        )
    )


def make_outer(task: Task, repeat: int) -> Splits:
    """Cut one repeat of the five times five folds that every run of smalldata has by default."""
    splits = make_splits(task, "rep5x5", seed=SEED)
    folds = tuple(fold for fold in splits.folds if fold.repeat == repeat)
    return replace(splits, folds=folds, is_default=False)


def networks() -> tuple[str, ...]:
    """Name the networks of conf/model, the mlp first."""
    found = [
        name
        for name in catalogue.names("model")
        if ".networks." in catalogue.read_entry("model", name)["learner"]["_target_"]
    ]
    return tuple(sorted(found, key=lambda name: (name != "mlp", name)))


def models() -> tuple[str, ...]:
    """Name all models of the main table."""
    return ("mlp", *PEERS, *REFERENCES)


def make_learner(model: str, change: str, kind: TaskKind) -> Learner | None:
    """Make the learner of a cell; None where the model says nothing new on such tasks."""
    if model in PEERS:
        return PEERS[model](kind)
    return load_learner(model, **({} if change == DEFAULT else CHANGES[model][change]))


def planned() -> "list[Cell]":
    """List all that the page shows, the main table first."""
    main = [Cell(table, model) for table in DATASETS for model in models()]
    zoo = [Cell(table, model) for table in DATASETS for model in networks()]
    steps = [Cell(table, "mlp", change) for table in CHOOSE for change in CHANGES["mlp"]]
    steps += [Cell(table, "mlp", change) for table in CONFIRM for change in CONFIRMED]
    ordered = [
        Cell(table, model, change)
        for table in ORDERED
        for model in ORDERING
        for change in (DEFAULT, *CHANGES[model])
    ]
    ordered += [Cell(SHUFFLED, model) for model in ("mlp", *REFERENCES)]
    return list(dict.fromkeys([*main, *zoo, *steps, *ordered]))


@dataclass(frozen=True)
class Cell:
    """One repeat of five folds of a model on a table."""

    dataset: str
    model: str
    change: str = DEFAULT
    repeat: int = 0
