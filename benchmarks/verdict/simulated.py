"""Simulated tables whose truth is known, and cross-validated predictions on many at once.

A world is a kind of table with a learner and folds. The tables of a chunk share their classes,
groups and folds and differ in everything else, so that one matrix product fits all their models.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from smalldata.results.folds import FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.task import TaskKind

FLOOR = 0.02
"""Predicted values are cut to [0.02, 0.98] before they are read as probabilities."""

CHUNK = 25
"""Tables that share classes and folds."""

N_TRUE = 5
"""Features that carry the signal, in each block."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A kind of table, a learner, and folds.

    Attributes
    ----------
    n : int
        Samples.
    p : int
        Features of a block. Each model sees one block; blocks are exchangeable.
    prevalence : float or None
        Chance that a sample is positive; None: the target is normal.
    signal : float
        Distance of the class means (slope of the target), in standard deviations along the true
        direction.
    learner : {"ridge", "knn", "stump", "mixed", "shrunk"}
        "mixed": the models are two ridges and a knn, "shrunk": four ridges with more and more
        shrinkage; all on the first block.
    repeats, folds : int
    group : int
        Samples of a group, which share 0.64 of the variance of every feature; 1: none.
    blocks : int
    weaker : float
        Share of the signal that each block has of the one before; 1: blocks are exchangeable.
    """

    n: int
    p: int
    prevalence: float | None
    signal: float
    learner: str
    repeats: int
    folds: int
    group: int = 1
    blocks: int = 2
    weaker: float = 1.0

    @property
    def cv(self) -> str:
        """Repeats and folds, as in a table."""
        return f"{self.folds}x{self.repeats}" + (" groups" if self.group > 1 else "")


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Tables with their out-of-fold predictions.

    Attributes
    ----------
    y : ndarray of shape (n_tables, n)
    unit : ndarray of shape (n,)
        Code of the group or the sample.
    fold : ndarray of shape (repeats, n)
    value : ndarray of shape (n_tables, blocks, repeats, n)
        Predicted value; between 0 and 1 for classes.
    threshold : ndarray of shape (repeats, n)
        The training share of positives: above it a sample is called positive.
    fresh : ndarray of shape (n_fresh, n_tables, blocks, repeats, n)
        What the same models predict for as many fresh tables with the same targets.
    """

    y: np.ndarray
    unit: np.ndarray
    fold: np.ndarray
    value: np.ndarray
    threshold: np.ndarray
    fresh: np.ndarray


def simulate(world: World, n_tables: int, seed: int, *, n_fresh: int = 0) -> Iterator[Chunk]:
    """Yield tables, a chunk at a time."""
    rng = np.random.default_rng(seed)
    n_units = world.n // world.group
    unit = np.repeat(np.arange(n_units), world.group)
    mixed = world.learner in SEVERAL
    fits = SEVERAL[world.learner] if mixed else [LEARNERS[world.learner]] * world.blocks
    for start in range(0, n_tables, CHUNK):
        size = min(CHUNK, n_tables - start)
        if world.prevalence is None:
            y = rng.standard_normal((size, world.n))
            strata = np.zeros(n_units, int)
        else:
            strata = _classes(world, n_units, rng)
            y = np.tile(strata[unit].astype(float), (size, 1))
        X = _features(world, y, unit, rng)
        others = [_features(world, y, unit, rng) for _ in range(n_fresh)]
        if mixed:
            X, others = X[[0] * world.blocks], [other[[0] * world.blocks] for other in others]
        fresh = np.empty((n_fresh, size, world.blocks, world.repeats, world.n))
        fold = np.stack([_folds(strata, world.folds, rng)[unit] for _ in range(world.repeats)])
        value = np.empty((size, world.blocks, world.repeats, world.n))
        threshold = np.empty((world.repeats, world.n))
        for repeat in range(world.repeats):
            for k in range(world.folds):
                test, train = np.flatnonzero(fold[repeat] == k), np.flatnonzero(fold[repeat] != k)
                threshold[repeat, test] = y[0, train].mean()
                for block in range(world.blocks):
                    value[:, block, repeat, test] = fits[block](X[block], y, train, test)
                    for place, other in enumerate(others):
                        both = X[block].copy()
                        both[:, test] = other[block][:, test]
                        fresh[place, :, block, repeat, test] = fits[block](both, y, train, test).T
        yield Chunk(y=y, unit=unit, fold=fold, value=value, threshold=threshold, fresh=fresh)


def _features(
    world: World, y: np.ndarray, unit: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    shape = (world.blocks, len(y), world.n, world.p)
    X = rng.standard_normal(shape)
    if world.group > 1:
        shared = rng.standard_normal((world.blocks, len(y), int(unit.max()) + 1, world.p))
        X = 0.6 * X + 0.8 * shared[:, :, unit]
    signal = world.signal * world.weaker ** np.arange(world.blocks)
    X[..., :N_TRUE] += signal[:, None, None, None] * y[None, :, :, None] / np.sqrt(N_TRUE)
    return X


def _classes(world: World, n_units: int, rng: np.random.Generator) -> np.ndarray:
    """Draw classes, with two or more of each in every fold."""
    while True:
        drawn = (rng.random(n_units) < world.prevalence).astype(int)
        if min(drawn.sum(), n_units - drawn.sum()) >= 2 * world.folds:
            return drawn


def _folds(strata: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    fold, start = np.empty(len(strata), int), 0
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        fold[rows] = (np.arange(len(rows)) + start) % n_folds
        start += len(rows)
    return fold


# ---------------------------------------------------------------- learners


def _ridge(X, y, train, test):
    A = X[:, train]
    centre = A.mean(axis=1, keepdims=True)
    A, B = A - centre, X[:, test] - centre
    level = y[:, train].mean(axis=1, keepdims=True)
    rest = (y[:, train] - level)[..., None]
    wide = A.shape[2] > A.shape[1]
    gram = A @ A.transpose(0, 2, 1) if wide else A.transpose(0, 2, 1) @ A
    gram += X.shape[2] * np.eye(gram.shape[1])
    if wide:
        weights = A.transpose(0, 2, 1) @ np.linalg.solve(gram, rest)
    else:
        weights = np.linalg.solve(gram, A.transpose(0, 2, 1) @ rest)
    return (B @ weights)[..., 0] + level


def _knn(X, y, train, test, k=5):
    A, B = X[:, train], X[:, test]
    distance = (A**2).sum(axis=2)[:, None] - 2 * B @ A.transpose(0, 2, 1)
    nearest = np.argpartition(distance, k - 1, axis=2)[:, :, :k]
    return np.take_along_axis(y[:, None, train], nearest, axis=2).mean(axis=2)


def _stump(X, y, train, test):
    """Least squares on the one feature that correlates most: a learner as unstable as they come."""
    A = X[:, train]
    centre, spread = A.mean(axis=1, keepdims=True), A.std(axis=1, keepdims=True)
    level = y[:, train].mean(axis=1, keepdims=True)
    slope = np.einsum("bnp,bn->bp", (A - centre) / spread, y[:, train] - level) / len(train)
    best, rows = np.abs(slope).argmax(axis=1), np.arange(len(X))
    return level + slope[rows, best][:, None] * ((X[:, test] - centre) / spread)[rows, :, best]


def _ridge_of(size):
    return lambda X, y, train, test: _ridge(size * X, y, train, test)


_strong_ridge = _ridge_of(0.25)


LEARNERS = {"ridge": _ridge, "knn": _knn, "stump": _stump}
SEVERAL = {
    "mixed": [_ridge, _knn, _strong_ridge],
    "shrunk": [_ridge_of(size) for size in (4.0, 1.0, 0.5, 0.125)],
}


# ---------------------------------------------------------------- as records


def records(world: World, chunk: Chunk, table: int) -> list[RunRecord]:
    """Return the records of the models of one table, a model per block."""
    kind = TaskKind.REGRESSION if world.prevalence is None else TaskKind.BINARY
    y = chunk.y[table] if world.prevalence is None else chunk.y[table].astype(int)
    made = []
    for block in range(world.blocks):
        folds = []
        for repeat in range(world.repeats):
            for k in range(world.folds):
                rows = np.flatnonzero(chunk.fold[repeat] == k)
                value = chunk.value[table, block, repeat, rows]
                if world.prevalence is None:
                    part = Prediction(row=rows, y=y[rows], value=value)
                else:
                    p = np.clip(value, FLOOR, 1 - FLOOR)
                    part = Prediction(
                        row=rows,
                        y=y[rows],
                        label=(value > chunk.threshold[repeat, rows]).astype(int),
                        probabilities=np.column_stack([1 - p, p]),
                        margin=value[:, None],
                    )
                folds.append(
                    FoldResult(
                        repeat=repeat,
                        fold=k,
                        status="ok",
                        seed=0,
                        n_train=world.n - len(rows),
                        prediction=part,
                        scores={},
                        seconds={},
                    )
                )
        made.append(
            RunRecord(
                dataset="simulated",
                cv=world.cv,
                model=f"block {block}",
                kind=kind,
                classes=() if world.prevalence is None else ("no", "yes"),
                measure="rmse" if world.prevalence is None else "roc_auc",
                target="y",
                n_samples=world.n,
                n_features=world.p,
                splits_key="simulated",
                test_train_ratio=1 / (world.folds - 1),
                n_planned=len(folds),
                identity={"model": f"block {block}"},
                settings={},
                environment={},
                groups=tuple(chunk.unit.tolist()) if world.group > 1 else None,
                folds=tuple(folds),
            )
        )
    return made
