"""Coverage of 95 % intervals and type I error of paired tests in worlds of known truth.

    nice python benchmarks/verdict/coverage.py          every world that is not in the file yet
    nice python benchmarks/verdict/coverage.py table    the tables of README.md from the file

The truth of a world is the mean of its scores over all tables: a cross-validated score is an
unbiased estimate of what models trained at this size score on fresh samples. Type I: noise against
dummy, and one learner on two exchangeable blocks of features.
"""

import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from fast import CLASS_MEASURES, VALUE_MEASURES, class_scores, value_scores
from simulated import World, simulate

from smalldata.comparison.entries import scale_of
from smalldata.measures.registry import Measure, find_measure
from smalldata.statistics.influence import from_units
from smalldata.statistics.intervals import all_right_bound, difference_test, score_interval
from smalldata.statistics.significance import corrected_interval, corrected_test
from smalldata.task import TaskKind

HERE = Path(__file__).parent
N_TABLES = 2000
CHANCE = {"roc_auc": 0.5, "balanced_accuracy": 0.5}


def worlds() -> list[World]:
    """Return all worlds; those of 5 x 5 are read at 5 x 1 too."""
    plain = [
        ("ridge", 30, 40, 0.5, (0.0, 0.8, 1.6, 2.8, 4.5)),
        ("ridge", 30, 100, 0.2, (0.0, 0.8, 1.6, 2.8, 4.5)),
        ("ridge", 30, 100, 0.5, (0.0, 0.8, 1.6, 2.8)),
        ("ridge", 30, 300, 0.1, (0.0, 0.8, 1.6, 2.8)),
        ("ridge", 300, 100, 0.5, (0.0, 1.6, 2.8)),
        ("knn", 30, 40, 0.5, (0.0, 1.6)),
        ("knn", 30, 100, 0.2, (0.0, 1.6)),
        ("stump", 30, 100, 0.5, (0.0, 0.8)),
        ("ridge", 30, 40, None, (0.0, 1.0)),
        ("ridge", 30, 100, None, (0.0, 1.0)),
        ("knn", 30, 100, None, (0.0, 1.0)),
    ]
    found = [
        World(n=n, p=p, prevalence=prevalence, signal=one, learner=learner, repeats=5, folds=5)
        for learner, p, n, prevalence, signals in plain
        for one in signals
    ]
    for n in (40, 100):
        for signal in (0.0, 1.6):
            one = World(
                n=n, p=30, prevalence=0.5, signal=signal, learner="ridge", repeats=1, folds=10
            )
            grouped = World(
                n=4 * n,
                p=30,
                prevalence=0.5,
                signal=signal,
                learner="ridge",
                repeats=5,
                folds=5,
                group=4,
            )
            found += [one, grouped]
    return found


def study(world: World, n_tables: int = N_TABLES) -> Iterator[dict[str, object]]:
    """Yield one row per cv and measure of a world."""
    names = VALUE_MEASURES if world.prevalence is None else CLASS_MEASURES
    kind = TaskKind.REGRESSION if world.prevalence is None else TaskKind.BINARY
    scores: dict[str, list[np.ndarray]] = {name: [] for name in names}
    moved: dict[str, list[np.ndarray]] = {name: [] for name in names}
    fewest = []
    for chunk in simulate(world, n_tables, zlib.crc32(repr(world).encode())):
        found = value_scores(chunk) if world.prevalence is None else class_scores(chunk)
        positive = np.unique(chunk.unit[chunk.y[0] == 1])
        n_units = int(chunk.unit.max()) + 1
        fewest += [min(len(positive), n_units - len(positive))] * len(chunk.y)
        for name in names:
            scores[name].append(found[name][0])
            moved[name].append(found[name][1])
    for name in names:
        measure = find_measure(name, kind)
        whole, parts = np.concatenate(scores[name]), np.concatenate(moved[name])
        for repeats in (1, 5) if world.repeats == 5 else (1,):
            yield {
                **{key: getattr(world, key) for key in ("learner", "n", "p", "prevalence")},
                "signal": world.signal,
                "cv": f"{world.folds}x{repeats}" + (" groups" if world.group > 1 else ""),
                "measure": name,
                "tables": len(whole),
                **_held(measure, whole[:, :, :repeats], parts[:, :, :repeats], fewest, world),
            }


def _held(
    measure: Measure, scores: np.ndarray, moved: np.ndarray, fewest: list[int], world: World
) -> dict[str, float]:
    """Return the share of tables whose interval holds the truth, by both kinds of interval."""
    scale, kind = scale_of(measure), next(iter(measure.kinds))
    folds = scores.reshape(*scores.shape[:2], -1)
    means = folds.mean(axis=2)
    truth = means.mean()
    held, rejected, rejected_chance, wide = [], [], [], []
    old_held, old_rejected = [], []
    ratio = 1 / (world.folds - 1)
    for table in range(len(means)):
        influences = [
            from_units(
                moved[table, block],
                tested_share=1.0,
                n_folds=world.folds,
                share=measure.jackknife_share,
            )
            for block in (0, 1)
        ]
        margin = None
        if kind.is_classification and measure.high == 1:
            margin = (1 - all_right_bound(fewest[table])) / (2 if measure.by_class else 1)
        interval = score_interval(means[table, 0], influences[0], scale, margin=margin)
        held.append(interval is not None and interval.low <= truth <= interval.high)
        wide.append(0.0 if interval is None else interval.high - interval.low)
        test = difference_test(
            float(means[table, 0] - means[table, 1]),
            influences[0].minus(influences[1]),
            scale.of_difference,
        )
        rejected.append(test.p < 0.05)
        if measure.name in CHANCE and world.signal == 0:
            against = difference_test(
                float(means[table, 0] - CHANCE[measure.name]), influences[0], scale.of_difference
            )
            rejected_chance.append(against.p < 0.05)
        if scores.shape[3] > 1:
            old = corrected_interval(folds[table, 0], ratio=ratio)
            old_held.append(old.low <= truth <= old.high)
            old_rejected.append(
                corrected_test(folds[table, 0], folds[table, 1], ratio=ratio).p < 0.05
            )
    return {
        "truth": truth,
        "spread": float(means[:, 0].std(ddof=1)),
        "width": float(np.median(wide)),
        "held": float(np.mean(held)),
        "rejected": float(np.mean(rejected)),
        "rejected_against_dummy": float(np.mean(rejected_chance)) if rejected_chance else np.nan,
        "held_nadeau_bengio": float(np.mean(old_held)) if old_held else np.nan,
        "rejected_nadeau_bengio": float(np.mean(old_rejected)) if old_rejected else np.nan,
    }


def main() -> None:
    """Study every world that is not in the file yet."""
    path = HERE / "coverage.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame()
    for world in worlds():
        keys = ("learner", "n", "p", "signal")
        if len(done):
            same = np.all([done[key] == getattr(world, key) for key in keys], axis=0)
            same &= done["prevalence"].fillna(-1) == (
                -1 if world.prevalence is None else world.prevalence
            )
            first = f"{world.folds}x1" + (" groups" if world.group > 1 else "")
            if (same & (done["cv"] == first)).any():
                continue
        done = pd.concat([done, pd.DataFrame(study(world))], ignore_index=True)
        done.to_csv(path, index=False, float_format="%.5g")
        sys.stdout.write(f"{world}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
