"""Worlds whose learning curves are known, to count how often an interval holds the truth.

Two classes of normal rows with one covariance. Two models: the difference of the class means
(quick to learn, and the lower the more the features are correlated), and Fisher's discriminant with
a shrunken covariance (slow, and better in the end). What either scores after n samples is known:
the AUC of a weight vector has a closed form, and its mean over training sets is taken over many
fresh ones.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

MODELS = ("means", "discriminant")
SHRINKAGE = 0.15
N_TRUTH = 1500
"""Fresh training sets that a true curve is the mean of."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A population, the number of rows a study draws from it, and its cross-validation."""

    name: str
    correlation: float
    sizes: tuple[int, ...]
    strength: float = 1.5
    n_rows: int = 200
    n_features: int = 60
    n_repeats: int = 5
    n_folds: int = 5

    @property
    def shift(self) -> np.ndarray:
        """Half the distance of the class means: half of the features matter, with turning signs."""
        signs = np.where(np.arange(self.n_features) % 2, 1.0, 0.25)
        return self.strength * signs / np.sqrt(self.n_features)

    @property
    def root(self) -> np.ndarray:
        """Cholesky factor of the covariance: correlation falls with the distance of features."""
        place = np.arange(self.n_features)
        return np.linalg.cholesky(self.correlation ** np.abs(place[:, None] - place))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n rows, half of each class, in alternating order: every head of them is balanced."""
        y = np.arange(n) % 2
        noise = rng.standard_normal((n, self.n_features)) @ self.root.T
        return noise + np.where(y[:, None], 1, -1) * self.shift, y

    def area(self, weights: np.ndarray) -> float:
        """Return the true AUC of a weight vector."""
        spread = np.linalg.norm(weights @ self.root) * np.sqrt(2)
        return float(ndtr(2 * weights @ self.shift / spread))


def fit(model: str, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weight vector of a model."""
    low, high = X[y == 0], X[y == 1]
    difference = high.mean(axis=0) - low.mean(axis=0)
    if model == "means":
        return difference
    centred = np.vstack([low - low.mean(axis=0), high - high.mean(axis=0)])
    covariance = centred.T @ centred / max(1, len(X) - 2)
    covariance[np.diag_indices(len(covariance))] += SHRINKAGE
    return np.linalg.solve(covariance, difference)


def true_curves(world: World, sizes: list[int], *, seed: int) -> np.ndarray:
    """Mean true AUC of each model after so many samples: (n_models, n_sizes)."""
    rng = np.random.default_rng(seed)
    total = np.zeros((len(MODELS), len(sizes)))
    for _ in range(N_TRUTH):
        X, y = world.draw(max(sizes), rng)
        for j, size in enumerate(sizes):
            for m, model in enumerate(MODELS):
                total[m, j] += world.area(fit(model, X[:size], y[:size]))
    return total / N_TRUTH


def measure(world: World, rng: np.random.Generator) -> np.ndarray:
    """One study: AUC of (n_folds x n_repeats, n_models, n_sizes), nested training subsets."""
    X, y = world.draw(world.n_rows, rng)
    scores = []
    for _ in range(world.n_repeats):
        # Both classes are dealt to the folds by themselves.
        fold = np.empty(world.n_rows, dtype=int)
        for code in (0, 1):
            own = np.flatnonzero(y == code)
            fold[rng.permutation(own)] = np.arange(len(own)) % world.n_folds
        for k in range(world.n_folds):
            test = fold == k
            train = np.concatenate(
                [rng.permutation(np.flatnonzero(~test & (y == code)))[:, None] for code in (0, 1)],
                axis=1,
            ).ravel()
            scores.append(
                [
                    [
                        _area(X[test] @ fit(model, X[train[:size]], y[train[:size]]), y[test])
                        for size in world.sizes
                    ]
                    for model in MODELS
                ]
            )
    return np.array(scores)


def _area(score: np.ndarray, y: np.ndarray) -> float:
    n_high = int(y.sum())
    ranks = rankdata(score)[y == 1].sum()
    return (ranks - n_high * (n_high + 1) / 2) / (n_high * (len(y) - n_high))
