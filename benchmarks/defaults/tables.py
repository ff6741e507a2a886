"""The tables on which transforms and defaults are chosen and confirmed: bundled, derived, drawn.

``table_of(name)`` gives rows, target and groups. The names in `CHOOSE` decide, those in `CONFIRM`
had no say. The generators draw a latent normal table whose columns share ten factors; what is seen
of it is skewed in one way or another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets import load_dataset
from smalldata.task import TaskKind, make_task

BUNDLED = {
    "choose": ("gse7390", "liver", "acc", "tissue", "pd_speech", "meats"),
    "confirm": ("omics", "srbct", "nutrimouse", "nci60", "permeability"),
}
SEEDS = {"choose": (1, 2), "confirm": (11, 12)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Features, target and groups, as a task holds them."""

    name: str
    X: pd.DataFrame
    y: NDArray[Any]
    kind: TaskKind
    groups: NDArray[Any] | None = None

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for values."""
        return len(np.unique(self.y)) if self.kind.is_classification else 0


def latent(rng, n, p, informative=12, noise=0.7):
    """Draw correlated normal columns and a score of some of them."""
    z = 0.6 * rng.standard_normal((n, 10)) @ rng.standard_normal((10, p)) / np.sqrt(10)
    z = z + 0.8 * rng.standard_normal((n, p))
    weights = np.zeros(p)
    weights[rng.choice(p, informative, replace=False)] = rng.choice([-1.0, 1.0], informative)
    score = z @ weights
    return z, score / score.std() + noise * rng.standard_normal(n)


def halves(score):
    return (score > np.median(score)).astype(np.int64)


def drawn_counts(rng, abundance, depths):
    shares = abundance / abundance.sum(axis=1, keepdims=True)
    rows = zip(depths, shares, strict=True)
    return np.array([rng.multinomial(int(depth), share) for depth, share in rows], dtype=float)


# ------------------------------------------------------------ with a say


def lognormal(rng):
    """Draw concentrations, as of metabolites: each column has its own level and spread."""
    z, score = latent(rng, 120, 200)
    return np.exp(rng.normal(0, 2, 200) + rng.uniform(0.5, 1.5, 200) * z), halves(score)


def abundances(rng):
    """Draw shares of each row, most of them 0: 20,000 reads of each sample."""
    z, score = latent(rng, 120, 200)
    abundance = np.exp(rng.normal(0, 2.5, 200) + rng.uniform(0.8, 2.0, 200) * z)
    return drawn_counts(rng, abundance, np.full(120, 20_000)) / 20_000, halves(score)


def counts(rng):
    """Draw counts of 16S reads; their number differs by sample."""
    z, score = latent(rng, 100, 300)
    abundance = np.exp(rng.normal(0, 2.0, 300) + rng.uniform(0.8, 2.0, 300) * z)
    return drawn_counts(rng, abundance, np.exp(rng.normal(9, 0.8, 100))), halves(score)


def heavy(rng):
    """Draw 80 x 181: the class shifts columns with the tails of Student's t with 1.5 degrees."""
    y = np.repeat([0, 1], 40)
    X = rng.standard_t(1.5, (80, 181))
    X[:, :20] += y[:, None] * rng.choice([-1.0, 1.0], 20)
    return X, y


def heavy_raw(rng):
    """Draw 80 x 181: the class is a sum of heavy-tailed columns, so their extreme values matter."""
    X = rng.standard_t(2.5, (80, 181))
    score = X[:, :6] @ rng.choice([-1.0, 1.0], 6)
    return X, halves(score + 0.5 * score.std() * rng.standard_normal(80))


def gaussian(rng):
    """Draw normal columns: nothing to mend."""
    z, score = latent(rng, 120, 200)
    return z, halves(score)


# ------------------------------------------------------------ without a say


def detection(rng):
    """Draw gamma intensities; below a limit of detection, half that limit stands."""
    z, score = latent(rng, 90, 150)
    X = rng.gamma(2.0, size=(90, 150)) * np.exp(rng.normal(0, 1.5, 150) + 0.9 * z)
    limit = np.quantile(X, 0.15, axis=0)
    return np.where(limit > X, limit / 2, X), halves(score)


def dirichlet(rng):
    """Draw Dirichlet-multinomial counts; the class moves thirty concentrations."""
    y = np.repeat([0, 1], 45)
    base = rng.gamma(0.3, size=250) * 2
    fold = np.ones(250)
    fold[rng.choice(250, 30, replace=False)] = np.exp(rng.normal(0, 1, 30))
    abundance = rng.gamma(base * np.where(y[:, None] == 1, fold, 1.0) + 1e-3) + 1e-12
    return drawn_counts(rng, abundance, rng.integers(2_000, 20_000, 90)), y


def hurdle(rng):
    """Draw shares of each row; the class changes whether a column is there and how much of it."""
    z, score = latent(rng, 90, 150)
    there = rng.random((90, 150)) < 1 / (1 + np.exp(-0.8 * z + rng.normal(0.5, 1, 150)))
    abundance = there * np.exp(rng.normal(0, 2, 150) + 1.2 * z) + 1e-12
    return abundance / abundance.sum(axis=1, keepdims=True) * there, halves(score)


def tails(rng):
    """Draw a value that is linear in columns with the tails of Student's t with 3 degrees."""
    X = rng.standard_t(3, (100, 120))
    return X, X[:, :8] @ rng.choice([-1.0, 1.0], 8) + 2 * rng.standard_normal(100)


def mixed(rng):
    """Draw normal, lognormal, left-skewed and two-valued columns side by side."""
    z, score = latent(rng, 120, 60)
    parts = (z[:, :15], np.exp(1.2 * z[:, 15:30]), -np.exp(1.2 * z[:, 30:45]), z[:, 45:] > 0.5)
    return np.hstack([*parts]) * rng.lognormal(0, 2, 60), halves(score)


def wide_gaussian(rng):
    """Draw normal columns of few rows: nothing to mend."""
    z, score = latent(rng, 60, 400)
    return z, halves(score)


DRAWN: dict[str, tuple[Callable[..., Any], ...]] = {
    "choose": (lognormal, abundances, counts, heavy, heavy_raw, gaussian),
    "confirm": (detection, dirichlet, hurdle, tails, mixed, wide_gaussian),
}

# ------------------------------------------------------------ derived from bundled tables, others


def antilog(name, blocks=None, shift=0.0, shares=False):
    """Take back the logarithm of a table, so that intensities or counts stand there again."""
    task = make_task(load_dataset(name, **({"blocks": blocks} if blocks else {})))
    values = np.exp2(task.X.to_numpy(dtype=float)) - shift
    kept = ~np.isnan(values).any(axis=1)
    values, y = values[kept], task.y[kept]
    if shares:
        values = values / values.sum(axis=1, keepdims=True)
    return Table(name=name, X=frame(values), y=y, kind=task.kind)


def lipids():
    """Return the fatty acids of nutrimouse alone: percentages that sum to about 100."""
    task = make_task(load_dataset("nutrimouse", blocks=["lipid"]))
    return Table(name="nutrimouse", X=task.X, y=task.y, kind=task.kind)


def from_sklearn(name):
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "diabetes":
        return Table(name=name, X=frame(X), y=y, kind=TaskKind.REGRESSION)
    kind = TaskKind.BINARY if len(np.unique(y)) == 2 else TaskKind.MULTICLASS
    return Table(name=name, X=frame(X), y=y, kind=kind)


def from_file(name, shares=False):
    """Return a table of microbes that is not in this repository, see `microbiome.py`."""
    data = pd.read_csv(Path(__file__).parent / "microbiome" / f"{name}.csv")
    groups = data.pop("g").astype(str).to_numpy() if "g" in data else None
    y = np.unique(data.pop("y").astype(str), return_inverse=True)[1]
    values = data.to_numpy(dtype=float)
    if shares:
        values = values / values.sum(axis=1, keepdims=True)
    kind = TaskKind.BINARY if y.max() == 1 else TaskKind.MULTICLASS
    return Table(name=name, X=frame(values), y=y, kind=kind, groups=groups)


DERIVED: dict[str, dict[str, Callable[[], Table]]] = {
    "choose": {
        "tissue-intensities": lambda: antilog("tissue"),
        "acc-mirna-counts": lambda: antilog("acc", ["mirna"], 1.0),
    },
    "confirm": {
        "acc-rna-counts": lambda: antilog("acc", ["rna"], 1.0),
        "acc-mirna-shares": lambda: antilog("acc", ["mirna"], 1.0, shares=True),
        "nutrimouse-lipids": lipids,
        "breast_cancer": lambda: from_sklearn("breast_cancer"),
        "wine": lambda: from_sklearn("wine"),
        "diabetes": lambda: from_sklearn("diabetes"),
        "lung": lambda: from_file("lung"),
        "lung-shares": lambda: from_file("lung", shares=True),
        "mouse": lambda: from_file("mouse"),
        "soilrep": lambda: from_file("soilrep"),
        "soilrep-shares": lambda: from_file("soilrep", shares=True),
        "enterotype": lambda: from_file("enterotype"),
    },
}


def frame(values):
    return pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])


def names_of(stage):
    """Return the names of the tables that choose, or of those that confirm."""
    drawn = [f"{draw.__name__}-{seed}" for draw in DRAWN[stage] for seed in SEEDS[stage]]
    return [*BUNDLED[stage], *DERIVED[stage], *drawn]


def table_of(name):
    """Return a table by its name."""
    for stage, found in DERIVED.items():
        if name in found:
            return found[name]()
        for draw in DRAWN[stage]:
            for seed in SEEDS[stage]:
                if name == f"{draw.__name__}-{seed}":
                    X, y = draw(np.random.default_rng(seed))
                    classify = y.dtype == np.int64
                    kind = TaskKind.BINARY if classify else TaskKind.REGRESSION
                    return Table(name=name, X=frame(X), y=y, kind=kind)
    task = make_task(load_dataset(name))
    return Table(name=name, X=task.X, y=task.y, kind=task.kind, groups=task.groups)
