"""README.md's tables from the csv files: the comparison, what it sums to, scaling, profile."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from setting import load_task, make_outer

from smalldata.statistics.significance import corrected_interval, corrected_test

CELL = ["dataset", "model"]
SETTING = ["n_outer", "n_trials", "n_inner"]
GOAL_MB = 2048


def write_tables(folder: Path) -> None:
    """Write every table whose csv file is there between its marks in README.md."""
    made = {}
    if (folder / "results.csv").is_file() and (folder / "scores.csv").is_file():
        cells = pair_ways(pd.read_csv(folder / "results.csv"))
        scores = pd.read_csv(folder / "scores.csv")
        if not cells.empty:
            made["comparison"] = tabulate_cells(cells, scores)
            made["totals"] = tabulate_totals(cells, scores)
            made["plain"] = tabulate_convergence(scores)
            made["machine"] = describe_rows(pd.read_csv(folder / "results.csv"))
    for name, make in (
        ("placement", tabulate_placement),
        ("scaling", tabulate_scaling),
        ("profile", tabulate_profile),
    ):
        if (folder / f"{name}.csv").is_file():
            made[name] = make(pd.read_csv(folder / f"{name}.csv"))
    readme = folder / "README.md"
    content = readme.read_text(encoding="utf-8")
    for name, text in made.items():
        content = fill(content, name, text)
    readme.write_text(content, encoding="utf-8")


# ---------------------------------------------------------------- plain against ours


def pair_ways(results: pd.DataFrame) -> pd.DataFrame:
    """One row per cell that both ways have finished in one setting: the medians of its timings."""
    by_way = results.groupby([*CELL, *SETTING, "way"], sort=False)[
        ["seconds", "mean_score", "peak_process_mb"]
    ].median()
    both = by_way.unstack("way").dropna().reset_index()
    both.columns = ["_".join(filter(None, name)) for name in both.columns]
    return both


def tabulate_cells(cells: pd.DataFrame, scores: pd.DataFrame) -> str:
    rows = []
    for cell in cells.itertuples():
        plain, ours = fold_scores(scores, cell.dataset, cell.model)
        rows.append(
            {
                "dataset": cell.dataset,
                "model": cell.model,
                "outer x trials": f"{cell.n_outer} x {cell.n_trials}",
                "plain, s": f"{cell.seconds_plain:.1f}",
                "ours, s": f"{cell.seconds_ours:.1f}",
                "ratio": f"{cell.seconds_plain / cell.seconds_ours:.1f}",
                "plain, AUC": f"{plain.mean():.3f}",
                "ours, AUC": f"{ours.mean():.3f}",
                "ours - plain": difference(plain, ours, ratio_of(cell.dataset)),
                "MB, plain / ours": f"{cell.peak_process_mb_plain:.0f} / "
                f"{cell.peak_process_mb_ours:.0f}",
            }
        )
    return markdown(rows)


def tabulate_totals(cells: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Sum the seconds; average the differences of the scores over cells, fold by fold.

    The models of one dataset share their folds, so their differences are averaged per fold before
    the corrected interval is taken. Datasets are independent: the standard errors of their means
    add up in squares, with degrees of freedom after Welch and Satterthwaite.
    """
    from scipy.special import stdtrit

    rows, means, errors, freedoms = [], [], [], []
    for dataset, part in cells.groupby("dataset", sort=False):
        folds = [fold_scores(scores, dataset, model) for model in part["model"]]
        n_common = min(len(plain) for plain, _ in folds)
        gaps = np.mean([(ours - plain)[:n_common] for plain, ours in folds], axis=0)
        shown = f"{gaps.mean():+.3f}"
        if n_common > 1:
            found = corrected_interval(gaps, ratio=ratio_of(dataset))
            shown = f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            freedoms.append(n_common - 1)
            errors.append((found.high - found.mean) / stdtrit(n_common - 1, 0.975))
        means.append(gaps.mean())
        rows.append(total(dataset, part, f"{shown} ({n_common} folds)"))
    overall = f"{np.mean(means):+.3f}"
    if len(errors) == len(means) and max(errors) > 0:
        squares = np.square(errors)
        error = math.sqrt(squares.sum()) / len(means)
        freedom = squares.sum() ** 2 / (np.square(squares) / freedoms).sum()
        reach = float(stdtrit(freedom, 0.975)) * error
        overall += f" [{np.mean(means) - reach:+.3f}, {np.mean(means) + reach:+.3f}]"
    for model, part in cells.groupby("model", sort=False):
        rows.append(total(f"all, {model}", part, ""))
    rows.append(total("**all**", cells, overall))
    return markdown(rows)


def total(name: Any, part: pd.DataFrame, shown: str) -> dict[str, str]:
    plain, ours = part["seconds_plain"].sum(), part["seconds_ours"].sum()
    return {
        "cells": f"{name} ({len(part)})",
        "plain, s": f"{plain:.0f}",
        "ours, s": f"{ours:.0f}",
        "ratio": f"{plain / ours:.1f}",
        "mean of ours - plain": shown,
    }


def fold_scores(
    scores: pd.DataFrame, dataset: str, model: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores of both ways on the same outer folds, in the same order."""
    cell = scores[(scores["dataset"] == dataset) & (scores["model"] == model)]
    table = cell.pivot(index=["repeat", "fold"], columns="way", values="score")
    if table.isna().to_numpy().any():
        raise ValueError(f"{dataset}, {model}: the two ways have scores of different folds")
    return table["plain"].to_numpy(), table["ours"].to_numpy()


def difference(plain: np.ndarray[Any, Any], ours: np.ndarray[Any, Any], ratio: float) -> str:
    if len(plain) < 2:
        return f"{(ours - plain).mean():+.3f}"
    found = corrected_test(ours, plain, ratio=ratio)
    return f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


_ratios: dict[str, float] = {}


def ratio_of(dataset: str) -> float:
    """Rows tested for each row trained on, of the outer folds."""
    if dataset not in _ratios:
        _ratios[dataset] = make_outer(load_task(dataset), 5).test_train_ratio
    return _ratios[dataset]


def tabulate_convergence(scores: pd.DataFrame) -> str:
    plain = scores[(scores["way"] == "plain") & (scores["model"] == "linear")]
    sums = plain.groupby("dataset", sort=False)[["n_unconverged", "n_fits"]].sum().astype(int)
    return markdown(
        [
            {
                "dataset": dataset,
                "fits": n_fits,
                "not converged": n_unconverged,
                "share": f"{n_unconverged / n_fits:.0%}",
            }
            for dataset, n_unconverged, n_fits in sums.itertuples()
        ]
    )


def describe_rows(results: pd.DataFrame) -> str:
    dates = sorted(results["date"].unique())
    inner = ", ".join(str(n) for n in sorted(results["n_inner"].unique()))
    return (
        f"Machine: {'; '.join(results['machine'].unique())}. Measured {' to '.join(dates)}, "
        f"{results['timing'].max() + 1} timing(s) of each cell, {inner} inner folds; load before a "
        f"run at most {results['load_before'].max():.1f}."
    )


# ---------------------------------------------------------------- the other tables


def tabulate_placement(rows: pd.DataFrame) -> str:
    """Seconds of both placements, cell by cell and summed; the load tells how far to trust them."""
    table = rows.pivot(index=CELL, columns="over", values="seconds").dropna().reset_index()
    whole = {"dataset": "**all**", "model": "", **table[["outer", "inner"]].sum()}
    shown = [
        {
            "dataset": row["dataset"],
            "model": row["model"],
            "over outer folds, s": f"{row['outer']:.1f}",
            "over inner folds, s": f"{row['inner']:.1f}",
            "inner / outer": f"{row['inner'] / row['outer']:.2f}",
        }
        for row in [*table.to_dict("records"), whole]
    ]
    return f"{markdown(shown)}\n\n{describe_runs(rows)}"


def describe_runs(rows: pd.DataFrame) -> str:
    sizes = rows[["n_outer", "n_trials"]].drop_duplicates().itertuples(index=False)
    said = ", ".join(f"{n_outer} outer folds x {n_trials} trials" for n_outer, n_trials in sizes)
    return f"{said}; load before a run at most {rows['load_before'].max():.1f}."


def tabulate_scaling(rows: pd.DataFrame) -> str:
    """Seconds per shape, and the slope of log seconds on log p (n = 200) and log n (p = 1,000)."""
    shown = []
    for model, part in rows.groupby("model", sort=False):
        columns: dict[str, Any] = {"model": model}
        for fixed, value, free in (("n", 200, "p"), ("p", 1_000, "n")):
            line = part[part[fixed] == value].sort_values(free)
            for row in line.itertuples():
                columns[f"{row.n} x {row.p:,}"] = f"{row.seconds:.2f} s"
            if len(line) > 1:
                slope = np.polyfit(np.log(line[free]), np.log(line["seconds"]), 1)[0]
                columns[f"exponent of {free}"] = f"{slope:.2f}"
        widest = part[part["p"] == part["p"].max()].iloc[0]
        columns[f"peak at {widest['n']} x {widest['p']:,}"] = (
            f"{widest['peak_process_mb']:.0f} MB"
            + ("" if widest["peak_process_mb"] <= GOAL_MB else " (above 2 GB)")
        )
        shown.append(columns)
    return markdown(shown)


def tabulate_profile(rows: pd.DataFrame) -> str:
    about = [*CELL, "n_outer", "n_trials", "machine", "load_before", "date"]
    parts = [name for name in rows.columns if name not in about]
    shown = []
    for row in rows.to_dict("records"):
        whole = sum(row[name] for name in parts)
        shares = {name: f"{row[name]:.1f} s, {row[name] / whole:.0%}" for name in parts}
        shown.append({**{key: row[key] for key in CELL}, "all": f"{whole:.1f} s", **shares})
    return f"{markdown(shown)}\n\n{describe_runs(rows)}"


# ---------------------------------------------------------------- writing


def markdown(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def fill(content: str, mark: str, text: str) -> str:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- /mark -->``."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not pattern.search(content):
        raise ValueError(f"README.md has no place for {mark}")
    return pattern.sub(lambda found: found[1] + text + "\n" + found[2], content)
