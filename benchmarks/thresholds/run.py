"""How often intervals at a threshold hold the truth.

    nice python benchmarks/thresholds/run.py [TABLES]

Simulated tables of two classes, a linear discriminant with shrinkage, stratified folds. The truth
is the mean rate, on 2,000 fresh samples, of the models and thresholds of all simulated tables.
Writes `results.csv`; one process, one thread.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.thresholds import choose_on_draws, choose_threshold
from smalldata.resampling.splitting import make_folds
from smalldata.statistics import proportions
from smalldata.statistics.proportions import (
    draw_rows,
    effective_size,
    ratio_interval,
    size_by_draws,
    wilson_interval,
)

Array = NDArray[np.float64]

N_FEATURES, N_SIGNAL, N_FRESH = 20, 3, 1000
RULES: dict[str, dict[str, Any]] = {
    "0.5": {},
    "youden": {"rule": "youden"},
    "sensitivity 0.9": {"rule": "sensitivity", "at": 0.9},
    "cost 5": {"rule": "cost", "cost_ratio": 5.0},
}


@dataclass(frozen=True)
class World:
    """Samples of each class, distance of the classes, samples a group (1: none), repeats."""

    n_positive: int
    n_negative: int
    shift: float
    per_group: int
    n_repeats: int

    def table(
        self, rng: np.random.Generator, *, n_positive: int, n_negative: int
    ) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
        """Draw samples, their classes and their groups."""
        y = np.repeat([1, 0], [n_positive, n_negative])
        X = rng.normal(size=(len(y), N_FEATURES))
        groups = (
            np.concatenate([np.arange(n_positive), n_positive + np.arange(n_negative)])
            // self.per_group
        )
        if self.per_group > 1:
            shared = rng.normal(size=(groups.max() + 1, N_FEATURES))
            X = 0.7 * X + 0.7 * shared[groups]
        X[y == 1, :N_SIGNAL] += self.shift
        return X, y, groups


WORLDS = [
    World(n_positive, n_negative, shift, per_group, n_repeats)
    for n_positive, n_negative, shift, per_group in (
        (20, 20, 0.8, 1),
        (12, 48, 0.8, 1),
        (30, 30, 1.5, 1),
        (60, 60, 0.5, 1),
        (30, 120, 0.8, 1),
        (60, 60, 0.8, 3),
    )
    for n_repeats in (1, 5)
]


def fit(X: Array, y: NDArray[np.int64]) -> tuple[Array, float]:
    up, down = X[y == 1].mean(axis=0), X[y == 0].mean(axis=0)
    rest = X - np.where(y[:, None] == 1, up, down)
    spread = rest.T @ rest / len(y)
    ridge = 0.2 * np.trace(spread) / N_FEATURES * np.eye(N_FEATURES)
    weights = np.linalg.solve(0.8 * spread + ridge, up - down)
    share = y.mean()
    return weights, float(-weights @ (up + down) / 2 + np.log(share / (1 - share)))


def predict(model: tuple[Array, float], X: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-(X @ model[0] + model[1]))))


def inner_predictions(X: Array, y: Any, groups: Any, *, seed: int) -> Array:
    found = np.empty(len(y))
    for train, test in make_folds(y, 5, stratify=True, groups=groups, seed=seed):
        found[test] = predict(fit(X[train], y[train]), X[test])
    return found


def simulate(world: World, number: int, fresh: tuple[Array, Any]) -> dict[str, dict[str, Any]]:
    """Cross-validate one table; the rates, what they are worth, and the rates on fresh samples."""
    rng = np.random.default_rng(number)
    X, y, groups = world.table(rng, n_positive=world.n_positive, n_negative=world.n_negative)
    kept = groups if world.per_group > 1 else None
    weights = draw_rows(len(y), kept, seed=number)
    calls = {rule: np.zeros(len(y)) for rule in RULES}
    drawn = {rule: np.zeros((len(weights), len(y))) for rule in RULES}
    true: dict[str, list[Array]] = {rule: [] for rule in (*RULES, "resubstituted 0.9")}
    for repeat in range(world.n_repeats):
        seed = 1000 * number + repeat
        for train, test in make_folds(y, 5, stratify=True, groups=kept, seed=seed):
            model = fit(X[train], y[train])
            inside = None if kept is None else kept[train]
            score = inner_predictions(X[train], y[train], inside, seed=seed)
            given, new = predict(model, X[test]), predict(model, fresh[0])
            for rule, asked in RULES.items():
                value, values = 0.5, np.full(len(weights), 0.5)
                if asked:
                    value = choose_threshold(y[train], score, **asked)
                    values = choose_on_draws(y[train], score, weights[:, train], **asked)
                    values = np.where(np.isnan(values), value, values)
                calls[rule][test] += (given > value) / world.n_repeats
                drawn[rule][:, test] += (given > values[:, None]) / world.n_repeats
                if repeat == 0:
                    true[rule].append(rates(new > value, fresh[1]))
            if repeat == 0:
                own = predict(model, X[train])
                value = choose_threshold(y[train], own, **RULES["sensitivity 0.9"])
                true["resubstituted 0.9"].append(rates(new > value, fresh[1]))
    found: dict[str, dict[str, Any]] = {}
    for rule in true:
        found[rule] = {"true": np.mean(true[rule], axis=0)}
        if rule in RULES:
            found[rule] |= describe(calls[rule], drawn[rule], y, kept, weights)
    return found


def rates(called: Array, y: Any) -> Array:
    return np.array([called[y == 1].mean(), 1 - called[y == 0].mean()])


def describe(calls: Array, drawn: Array, y: Any, groups: Any, weights: Array) -> dict[str, Any]:
    shares, rows, chosen = [], [], []
    for code in (1, 0):
        here = y == code
        share = float(calls[here].mean())
        of_class = None if groups is None else groups[here]
        most = float(effective_size(calls[here][:, None], of_class)[0])
        total = weights[:, here].sum(axis=1)
        hits = (weights * drawn)[:, here].sum(axis=1)
        on_draws = np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0)
        shares.append(share)
        rows.append(most)
        chosen.append(size_by_draws(share, on_draws, most))
    return {"shares": np.array(shares), "rows": np.array(rows), "chosen": np.array(chosen)}


def summarize(world: World, n_tables: int) -> Iterator[dict[str, Any]]:
    fresh = world.table(np.random.default_rng(10**6), n_positive=N_FRESH, n_negative=N_FRESH)[:2]
    tables = [simulate(world, number, fresh) for number in range(n_tables)]
    for rule in tables[0]:
        truth = np.mean([table[rule]["true"] for table in tables], axis=0)
        row: dict[str, Any] = {**vars(world), "rule": rule, "tables": n_tables}
        row |= {"sensitivity": round(float(truth[0]), 4), "specificity": round(float(truth[1]), 4)}
        if rule in RULES:
            shares = np.array([table[rule]["shares"] for table in tables]).T
            row |= dict(zip(("bias_sens", "bias_spec"), _bias(shares, truth), strict=True))
            for name in ("rows", "chosen"):
                sizes = np.array([table[rule][name] for table in tables]).T
                row |= {f"{key}_{name}": v for key, v in coverage(shares, sizes, truth).items()}
        yield row


def _bias(shares: Array, truth: Array) -> list[float]:
    estimated = shares[0].mean(), 1 - shares[1].mean()
    return [round(float(e - t), 4) for e, t in zip(estimated, truth, strict=True)]


def coverage(shares: Array, sizes: Array, truth: Array) -> dict[str, float]:
    """Share of tables whose interval holds the truth, of each figure."""
    false = 1 - truth[1]
    found = {}
    for key, bounds, true in (
        ("sens", wilson_interval(shares[0], sizes[0]), truth[0]),
        ("spec", wilson_interval(shares[1], sizes[1]), false),
        ("lr_pos", ratio_interval(shares[0], sizes[0], shares[1], sizes[1]), truth[0] / false),
        (
            "lr_neg",
            ratio_interval(1 - shares[0], sizes[0], 1 - shares[1], sizes[1]),
            (1 - truth[0]) / truth[1],
        ),
    ):
        inside = (bounds.low <= true) & (true <= bounds.high)
        found[key] = round(float(inside.mean()), 3)
    return found


def main() -> None:
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rows = []
    for world in WORLDS:
        rows += list(summarize(world, n_tables))
        print(world, flush=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    path = Path(__file__).parent / "results.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path.name}: {len(rows)} rows, UNSEEN={proportions.UNSEEN}")


if __name__ == "__main__":
    main()
