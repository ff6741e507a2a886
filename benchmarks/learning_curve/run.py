"""Whether the intervals of extrapolated learning curves hold what is measured there.

    nice python benchmarks/learning_curve/run.py            everything that is not in the files yet
    nice python benchmarks/learning_curve/run.py table      the tables of README.md from the files

Two questions. On real tables (results.csv, one row per table, model and number of training
samples): laws are fitted to the lower half of the sizes, up to a quarter of the training folds, and
their intervals are held against the scores measured at the upper half, up to the whole folds. In
worlds whose true curves are known (simulation.csv): how often does the interval of each
construction hold the *true* score beyond the largest size, and the true crossing of two models?
One process, one thread; interrupted, it goes on where it was.
"""

import itertools
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from worlds import MODELS, World, measure, true_curves

from smalldata import load_dataset, load_learner, make_splits, make_task
from smalldata.comparison.learning_curves import N_DRAWS, N_GRID
from smalldata.datasets.synthetic import load as load_synthetic
from smalldata.evaluation.outer_loop import evaluate
from smalldata.measures.registry import find_measure
from smalldata.seeding import seed_for
from smalldata.statistics.power_law import (
    REACH,
    Laws,
    clear_stretches,
    draw_laws,
    find_crossing,
    fit_laws,
)
from smalldata.statistics.significance import corrected_draws, corrected_test
from smalldata.task import TaskKind

HERE = Path(__file__).parent
N_FOLDS, N_REPEATS = 5, 5
RATIO = 1 / (N_FOLDS - 1)
COMPARED = ("knn", "svm", "linear", "xgboost", "mlp")
TABLES = (
    "omics",
    "tissue",
    "gse7390",
    "liver",
    "pd_speech",
    "meats",
    "synthetic 400 x 50",
    "synthetic 400 x 50, regression",
)
SYNTHETIC = {
    "synthetic 400 x 50": {"n": 400, "p": 50, "informative": 8},
    "synthetic 400 x 50, regression": {"n": 400, "p": 50, "informative": 8, "kind": "regression"},
}
LOWER = (1 / 4, 2 / 5, 5 / 8, 1)
UPPER = (1.41, 2, 2.83, 4)
"""Times a quarter of the smallest training fold: fitted to; foretold."""

KEY = ("dataset", "model", "size")
N_STUDIES = 150
N_STUDY_DRAWS = 500
FOUR = (20, 40, 80, 160)
WORLDS = (
    World(name="crossing within, 200 rows, 5 x 5", correlation=0.5, sizes=FOUR),
    World(name="crossing beyond, 200 rows, 5 x 5", correlation=0.3, sizes=FOUR),
    World(
        name="crossing beyond, six sizes", correlation=0.3, sizes=(20, 30, 46, 70, 106, 160)
    ),
    World(name="crossing within, 200 rows, 5 x 1", correlation=0.5, sizes=FOUR, n_repeats=1),
    World(
        name="80 rows x 30, 5 x 5", correlation=0.5, sizes=(12, 20, 36, 64), n_rows=80,
        n_features=30,
    ),
    World(name="near the ceiling, 200 rows, 5 x 5", correlation=0.5, sizes=FOUR, strength=3.5),
)  # fmt: skip
CONSTRUCTIONS = ("shipped", "without the misfit", "folds drawn, widened", "folds drawn, plain")


# ---------------------------------------------------------------- real tables


def measure_tables() -> None:
    path = HERE / "results.csv"
    for model, dataset in itertools.product(COMPARED, TABLES):  # the slowest last
        task = make_task(
            load_synthetic(**SYNTHETIC[dataset]) if dataset in SYNTHETIC else load_dataset(dataset)
        )
        cv = "kfold" if task.groups is None else "groups"
        splits = make_splits(task, cv, n_splits=N_FOLDS, n_repeats=N_REPEATS)
        quarter = min(len(fold.train) for fold in splits.folds) // REACH
        for size in (round(times * quarter) for times in (*LOWER, *UPPER)):
            done = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=list(KEY))
            about = dict(zip(KEY, (dataset, model, size), strict=True))
            if (done[list(KEY)] == list(about.values())).all(axis=1).any():
                continue
            start = time.process_time()
            record = evaluate(task, load_learner(model), splits, train_size=size, n_jobs=1)
            if record.status != "ok":
                raise SystemExit(f"{dataset}, {model}, {size} samples: {record.reason}")
            row = {
                **about,
                "measure": task.measure,
                "kind": task.kind.value,
                "cpu_seconds": round(time.process_time() - start, 2),
                **{
                    f"{fold.repeat}_{fold.fold}": round(fold.scores[task.measure].value, 5)
                    for fold in record.folds
                },
            }
            pd.concat([done, pd.DataFrame([row])]).to_csv(path, index=False)
            print(*about.values(), row["cpu_seconds"], file=sys.stderr, flush=True)


def foretell() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every foretold score beside the measured one, and every lead that was foretold."""
    found = pd.read_csv(HERE / "results.csv")
    columns = [name for name in found if "_" in name and name[0].isdigit()]
    scores_rows, lead_rows = [], []
    for dataset, table in found.groupby("dataset", sort=False):
        how = find_measure(table.measure.iloc[0], TaskKind(table.kind.iloc[0]))
        law = {"higher_is_better": how.higher_is_better, "low": how.low, "high": how.high}
        sizes = sorted(table["size"].unique())
        lower, upper = sizes[: len(LOWER)], sizes[len(LOWER) :]
        models = list(table.model.unique())
        wide = {
            (model, size): part[columns].to_numpy().ravel()
            for (model, size), part in table.groupby(["model", "size"])
        }
        scores = np.stack(
            [[wide[model, size] for size in lower] for model in models]
        )  # (models, sizes, folds)
        unit = table_unit(how, scores)
        found_laws = constructions(scores.transpose(2, 0, 1), lower, law=law, seed=0)
        for name, laws in found_laws.items():
            for m, model in enumerate(models):
                point = fit_laws(lower, scores[m].mean(axis=1), **law).at(upper)
                low, high = np.quantile(laws[m].at(upper), [0.025, 0.975], axis=0)
                last = float(scores[m, -1].mean())
                for j, size in enumerate(upper):
                    truth = float(wide[model, size].mean())
                    scores_rows.append({
                        "construction": name, "dataset": dataset, "model": model, "size": size,
                        "times": size / lower[-1],
                        "within": min(low[j], point[j]) <= truth <= max(high[j], point[j]),
                        "width": (high[j] - low[j]) / unit,
                        "error": abs(point[j] - truth) / unit,
                        "stays": abs(last - truth) / unit,
                    })  # fmt: skip
            if name != CONSTRUCTIONS[0]:
                continue
            for i, j in itertools.combinations(range(len(models)), 2):
                for s, size in enumerate(upper):
                    pair = np.stack([laws[i].at(upper)[:, s], laws[j].at(upper)[:, s]])
                    lead_rows += _lead(how, pair, models[i], models[j], size, wide)
    return pd.DataFrame(scores_rows), pd.DataFrame(lead_rows)


def table_unit(how, scores: np.ndarray) -> float:
    """Scores of 0 to 1 as they are; errors in units of the mean of the worst model."""
    return 1.0 if how.higher_is_better else float(scores.mean(axis=(1, 2)).max())


def _lead(how, pair: np.ndarray, first: str, second: str, size: int, wide) -> list[dict]:
    stretches = clear_stretches(
        np.array([float(size)]), pair[0][:, None], pair[1][None, :, None],
        higher_is_better=how.higher_is_better,
    )  # fmt: skip
    if not stretches:
        return [{"claimed": False, "right": False, "refuted": False}]
    test = corrected_test(wide[first, size], wide[second, size], ratio=RATIO)
    sign = 1 if stretches[0].ahead == how.higher_is_better else -1
    refuted = max(sign * test.low, sign * test.high) < 0
    return [{"claimed": True, "right": sign * test.difference > 0, "refuted": refuted}]


# ---------------------------------------------------------------- constructions


def constructions(
    scores: np.ndarray, sizes: Sequence[int], *, law: dict, seed: int, n_draws: int = N_DRAWS
) -> dict[str, list[Laws]]:
    """Laws of the draws of each construction, by model; scores (folds, models, sizes)."""
    n_folds, n_models, _ = scores.shape
    flat = scores.reshape(n_folds, -1)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n_folds, np.full(n_folds, 1 / n_folds), size=n_draws) / n_folds
    plain = counts @ flat
    mean = flat.mean(axis=0)
    wider = math.sqrt(1 + n_folds * RATIO)
    corrected = corrected_draws(flat, ratio=RATIO, n_draws=n_draws, seed=seed)
    draws = {
        "without the misfit": corrected,
        "folds drawn, widened": mean + wider * (plain - mean),
        "folds drawn, plain": plain,
    }
    shipped = corrected.reshape(-1, *scores.shape[1:])
    found = {
        "shipped": [
            draw_laws(
                sizes, scores[:, m].mean(axis=0), shipped[:, m], **law, seed=seed_for(seed, m)
            )[1]
            for m in range(n_models)
        ]
    }
    for name, drawn in draws.items():
        inside = np.clip(drawn, law["low"], law["high"]).reshape(-1, *scores.shape[1:])
        found[name] = [fit_laws(sizes, inside[:, m], **law) for m in range(n_models)]
    return found


# ---------------------------------------------------------------- worlds


def simulate(world: World, *, seed: int) -> pd.DataFrame:
    """Count how often intervals hold the truth, over many studies of one world."""
    most = world.sizes[-1]
    times = (1, 2, REACH)
    grid = np.unique(np.round(np.geomspace(world.sizes[0], REACH * most, N_GRID)))
    asked = np.array([float(t * most) for t in times])
    coarse = sorted({*world.sizes, *(t * most for t in (1, 1.5, 2, 3, 4))})
    truth = true_curves(world, [int(size) for size in coarse], seed=seed)
    at = [coarse.index(size) for size in asked]
    meeting = find_crossing(np.array(coarse, dtype=float), truth[0] - truth[1])
    rows = {(name, what): [] for name in CONSTRUCTIONS for what in (*times, "crossing", "told")}
    widths = {key: [] for key in rows}
    rng = np.random.default_rng(seed)
    for study in range(N_STUDIES):
        scores = measure(world, rng)
        law = {"higher_is_better": True, "low": 0.0, "high": 1.0}
        found_laws = constructions(scores, world.sizes, law=law, seed=study, n_draws=N_STUDY_DRAWS)
        for name, laws in found_laws.items():
            for m in range(len(MODELS)):
                low, high = np.quantile(laws[m].at(asked), [0.025, 0.975], axis=0)
                for j, t in enumerate(times):
                    rows[name, t].append(low[j] <= truth[m, at[j]] <= high[j])
                    widths[name, t].append(high[j] - low[j])
            stretches = clear_stretches(
                grid, laws[1].at(grid), laws[0].at(grid)[None], higher_is_better=True
            )
            rows[name, "crossing"].append(_agrees(stretches, meeting, truth))
            sides = [found.ahead for found in stretches]
            rows[name, "told"].append(sides in ([False, True], [True, False]))
    return pd.DataFrame(
        [
            {
                "world": world.name,
                "construction": name,
                "what": str(what),
                "share": float(np.mean(values)),
                "width": float(np.mean(widths[name, what])) if widths[name, what] else math.nan,
                "n_studies": N_STUDIES,
                "crossing": meeting if meeting is not None else math.nan,
            }
            for (name, what), values in rows.items()
        ]
    )


def _agrees(stretches, meeting: float | None, truth: np.ndarray) -> bool:
    """Whether no stretch says that the model is ahead which truly is behind there."""
    for found in stretches:
        if meeting is None:
            wrong = found.ahead != (truth[1, -1] > truth[0, -1])
        elif found.ahead:
            wrong = found.start < meeting
        else:
            wrong = found.stop > meeting
        if wrong:
            return False
    return True


def measure_worlds() -> None:
    path = HERE / "simulation.csv"
    for number, world in enumerate(WORLDS):
        done = pd.read_csv(path) if path.is_file() else pd.DataFrame()
        if len(done) and (done.world == world.name).any():
            continue
        found = simulate(world, seed=number)
        pd.concat([done, found.round(4)]).to_csv(path, index=False)
        print(world.name, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- the tables


def write_tables() -> None:
    parts = {}
    scores, leads = foretell()
    edges = [0, 1.7, 2.4, 3.4, 9]
    names = ["1.4", "2", "2.8", "4"]
    scores["band"] = pd.cut(scores.times, edges, labels=names)
    shipped = scores[scores.construction == CONSTRUCTIONS[0]]
    for part, column in (("tables", "dataset"), ("models", "model")):
        groups = [*shipped.groupby(column, sort=False), ("all", shipped)]
        parts[part] = to_markdown([_row(column, name, found) for name, found in groups])
    parts["times"] = to_markdown(
        [{"construction": name, "times the largest size": band,
          "held": f"{part.within.mean():.0%}", "n": len(part),
          "mean width": f"{part.width.mean():.3f}"}
         for name in CONSTRUCTIONS
         for band, part in scores[scores.construction == name].groupby("band", observed=True)]
    )  # fmt: skip
    claimed = leads[leads.claimed]
    parts["leads"] = to_markdown(
        [{"pairs of models and sizes": len(leads), "a lead was foretold": len(claimed),
          "it was measured": int(claimed.right.sum()),
          "the measured interval contradicts it": int(claimed.refuted.sum())}]
    )  # fmt: skip
    found = pd.read_csv(HERE / "simulation.csv")
    rows = []
    for (world, name), part in found.groupby(["world", "construction"], sort=False):
        share = part.set_index("what").share
        width = part.set_index("what").width
        rows.append({
            "world": world, "construction": name,
            **{
                f"at {times} times": f"{share[str(times)]:.0%} ({width[str(times)]:.3f})"
                for times in (1, 2, REACH)
            },
            "crossing not contradicted": f"{share['crossing']:.0%}",
            "crossing told": f"{share['told']:.0%}",
        })  # fmt: skip
    parts["worlds"] = to_markdown(rows)
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, part in parts.items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        after = rest.partition(f"<!-- /{name} -->")[2]
        text = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
    readme.write_text(text, encoding="utf-8")


def _row(column: str, name: str, found: pd.DataFrame) -> dict:
    return {
        column: name,
        "foretold scores": len(found),
        "held": f"{found.within.mean():.0%}",
        "mean width": f"{found.width.mean():.3f}",
        "mean error of the law": f"{found.error.mean():.3f}",
        "of staying as is": f"{found.stays.mean():.3f}",
    }


def to_markdown(rows: list[dict]) -> str:
    lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0])]
    lines += [" | ".join(str(value) for value in row.values()) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    if sys.argv[1:] == []:
        measure_worlds()
        measure_tables()
    elif sys.argv[1:] != ["table"]:
        raise SystemExit(__doc__)
    write_tables()
