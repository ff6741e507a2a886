"""Bias of the score of "take the best" once corrected for the choice, for every measure.

    nice python benchmarks/verdict/choice.py            every world that is not in choice.csv yet

The truth is the expected score of the model that a table chose: the mean over all tables of that
model's score. Bias is corrected minus truth, in the unit of the measure (errors: in standard
deviations of the target, which is 1).
"""

import os
import sys
import zlib
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from simulated import World, records, simulate

from smalldata.comparison.entries import Entry, Lineup
from smalldata.measures.registry import measures_for
from smalldata.task import TaskKind

HERE = Path(__file__).parent
N_TABLES = 500


def worlds() -> list[World]:
    """Return worlds with nothing to choose, equal models, and models of different merit."""
    found = []
    for prevalence, signal in ((0.4, 1.4), (None, 1.0)):
        for learner, blocks, weaker in (
            ("ridge", 1, 1.0),
            ("ridge", 3, 1.0),
            ("ridge", 3, 0.7),
            ("mixed", 3, 1.0),
        ):
            found.append(
                World(
                    n=60,
                    p=20,
                    prevalence=prevalence,
                    signal=signal,
                    learner=learner,
                    repeats=2,
                    folds=5,
                    blocks=blocks,
                    weaker=weaker,
                )
            )
    return found


def study(world: World, n_tables: int = N_TABLES) -> list[dict[str, object]]:
    """Return one row per measure."""
    kind = TaskKind.REGRESSION if world.prevalence is None else TaskKind.BINARY
    measures = [measure for measure in measures_for(kind) if measure.ranked]
    means = {m.name: [] for m in measures}
    found = {m.name: [] for m in measures}
    for chunk in simulate(world, n_tables, zlib.crc32(repr(world).encode())):
        for table in range(len(chunk.y)):
            entries = [Entry(record=one, settings="") for one in records(world, chunk, table)]
            lineup = Lineup(tuple(entries))
            for measure in measures:
                ranked = lineup.ranked(measure, entries)
                scores = [lineup.scores(entry, measure).mean for entry in entries]
                means[measure.name].append(scores)
                corrected = lineup.best_corrected(measure, ranked)
                if corrected is None:  # no variation, such as F1 of 0 throughout
                    means[measure.name].pop()
                    continue
                found[measure.name].append(
                    (
                        entries.index(ranked[0]),
                        scores[entries.index(ranked[0])],
                        corrected.mean,
                        corrected.low,
                        corrected.high,
                    )
                )
    rows = []
    for measure in measures:
        truth = np.mean(means[measure.name], axis=0)
        if world.weaker == 1 and world.learner != "mixed":
            truth[:] = truth.mean()
        chosen, best, corrected, low, high = np.array(found[measure.name]).T
        true = truth[chosen.astype(int)]
        rows.append(
            {
                "learner": world.learner,
                "prevalence": world.prevalence,
                "n": world.n,
                "models": world.blocks,
                "weaker": world.weaker,
                "measure": measure.name,
                "tables": len(true),
                "truth": true.mean(),
                "bias_uncorrected": np.mean(best - true),
                "bias": np.mean(corrected - true),
                "error_of_bias": np.std(corrected - true, ddof=1) / np.sqrt(len(true)),
                "held": np.mean((low <= true) & (true <= high)),
            }
        )
    return rows


def main() -> None:
    """Study every world that is not in the file yet."""
    path = HERE / "choice.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame()
    for world in worlds():
        if len(done):
            same = (done["learner"] == world.learner) & (done["models"] == world.blocks)
            same &= (done["weaker"] == world.weaker) & (
                done["prevalence"].isna() == (world.prevalence is None)
            )
            if same.any():
                continue
        done = pd.concat([done, pd.DataFrame(study(world))], ignore_index=True)
        done.to_csv(path, index=False, float_format="%.5g")
        sys.stdout.write(f"{world}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
