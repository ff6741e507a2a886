"""README.md's tables from results.csv and scores.csv."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from changes import CHANGES
from scipy.special import stdtrit
from setting import (
    CHOOSE,
    CONFIRM,
    DATASETS,
    DEFAULT,
    ORDERED,
    ORDERING,
    REFERENCES,
    load_task,
    make_outer,
    models,
    networks,
)

from smalldata.statistics.significance import PairedTest, corrected_test
from smalldata.task import TaskKind

RIVAL = "RealMLP_TD"
FASTER = 10.0
QUIET_LOAD = 2.0
"""Load average before a cell above which its seconds are marked: what the cell before leaves behind
with its two processes is no other work.
"""


def write_tables(folder: Path) -> None:
    """Write every table whose rows are there between its marks in README.md."""
    if not (folder / "results.csv").is_file():
        return
    results = pd.read_csv(folder / "results.csv")
    scores = comparable(pd.read_csv(folder / "scores.csv"))
    plain = scores[scores["change"] == DEFAULT]
    made = {
        "scores": tabulate_scores(plain, models()),
        "architectures": tabulate_scores(plain, (*networks(), *REFERENCES)),
        "order": tabulate_order(scores),
        "rivals": tabulate_rivals(plain),
        "verdict": describe_goal(plain, results),
        "likelihood": tabulate_second(plain),
        "seconds": tabulate_seconds(results),
        "machine": describe_rows(results),
        "ablation": tabulate_changes(scores, CHOOSE),
        "confirmed": tabulate_changes(scores, CONFIRM),
    }
    readme = folder / "README.md"
    content = readme.read_text(encoding="utf-8")
    for name, text in made.items():
        content = fill(content, name, text)
    readme.write_text(content, encoding="utf-8")


# ---------------------------------------------------------------- scores


def comparable(scores: pd.DataFrame) -> pd.DataFrame:
    """Turn the RMSE of a regression into 1 - RMSE / SD of the target: higher is better, as for AUC.

    Where a model says nothing new of regressions (RealMLP_TD for AUC) it has RealMLP_TD's rows.
    """
    scores = scores.copy()
    for dataset in scores["dataset"].unique():
        task = load_task(dataset)
        if task.kind is not TaskKind.REGRESSION:
            continue
        rows = scores["dataset"] == dataset
        scores.loc[rows, "score"] = 1 - scores.loc[rows, "score"] / float(np.std(task.y))
        same = scores[rows & (scores["model"] == RIVAL)].assign(model=f"{RIVAL} for AUC")
        scores = pd.concat([scores, same], ignore_index=True)
    return scores


def folds_of(scores: pd.DataFrame, dataset: str, model: str, change: str = DEFAULT) -> pd.Series:
    """Scores by repeat and fold."""
    rows = scores[
        (scores["dataset"] == dataset) & (scores["model"] == model) & (scores["change"] == change)
    ]
    return rows.set_index(["repeat", "fold"])["score"].sort_index()


def compare_folds(first: pd.Series, second: pd.Series, dataset: str) -> PairedTest | None:
    """Corrected test of first - second over the folds that both have; None without any."""
    common = first.index.intersection(second.index)
    if len(common) < 2:
        return None
    return corrected_test(first[common], second[common], ratio=ratio_of(dataset))


def combine(tests: list[PairedTest], n_folds: list[int]) -> tuple[float, float, float]:
    """Mean difference over tables with its interval.

    Tables are independent: the squares of their standard errors add up, with degrees of freedom
    after Welch and Satterthwaite.
    """
    mean = float(np.mean([test.difference for test in tests]))
    errors = np.array(
        [(test.high - test.difference) / stdtrit(n - 1, 0.975)
         for test, n in zip(tests, n_folds, strict=True)]
    )  # fmt: skip
    squares = np.square(errors)
    if squares.sum() == 0:
        return mean, mean, mean
    freedom = squares.sum() ** 2 / (np.square(squares) / (np.array(n_folds) - 1)).sum()
    reach = float(stdtrit(freedom, 0.975)) * math.sqrt(squares.sum()) / len(tests)
    return mean, mean - reach, mean + reach


def tabulate_scores(scores: pd.DataFrame, names: tuple[str, ...]) -> str:
    """Mean score of models on every table, and over the tables that all of them have."""
    means = scores.groupby(["dataset", "model"])["score"].mean().unstack("model")
    shown = [name for name in names if name in means]
    means = means.loc[[name for name in DATASETS if name in means.index], shown]
    complete = means.dropna(axis=1, how="any")
    rows = []
    for dataset, row in means.iterrows():
        best = row.max()
        cells = {
            name: ""
            if math.isnan(row[name])
            else mark(f"{row[name]:.3f}", row[name] >= best - 5e-4)
            for name in shown
        }
        rows.append({"table": f"{dataset}{'' if dataset in CHOOSE else ' *'}", **cells})
    rows.append(
        {"table": f"**mean of {len(means)}**"}
        | {name: f"{complete[name].mean():.3f}" if name in complete else "" for name in shown}
    )
    confirm = complete.loc[[name for name in complete.index if name in CONFIRM]]
    rows.append(
        {"table": f"**mean of the {len(confirm)} with \\***"}
        | {name: f"{confirm[name].mean():.3f}" if name in confirm else "" for name in shown}
    )
    return markdown(rows)


def tabulate_order(scores: pd.DataFrame) -> str:
    """Score of what reads columns by their order: as given, found, or by the rule between both."""
    rows = []
    for dataset in ORDERED:
        row = {"table": dataset}
        for model in ORDERING:
            for change in (*CHANGES[model], DEFAULT):
                found = folds_of(scores, dataset, model, change)
                how = "by its rule" if change == DEFAULT else change
                row[f"{model}, {how}"] = f"{found.mean():.3f}" if len(found) else ""
        for model in ("mlp", *REFERENCES):
            found = folds_of(scores, dataset, model)
            row[model] = f"{found.mean():.3f}" if len(found) else ""
        rows.append(row)
    return markdown(rows)


def mark(text: str, strong: bool) -> str:
    return f"**{text}**" if strong else text


def tabulate_rivals(scores: pd.DataFrame) -> str:
    """Difference of the mlp to each rival, table by table and in the mean."""
    rivals = [name for name in models() if name != "mlp" and name in set(scores["model"])]
    rows = []
    for dataset in DATASETS:
        row = {"table": f"{dataset}{'' if dataset in CHOOSE else ' *'}"}
        for rival in rivals:
            found = compare_folds(
                folds_of(scores, dataset, "mlp"), folds_of(scores, dataset, rival), dataset
            )
            row[f"mlp - {rival}"] = "" if found is None else show(found)
        if any(text for key, text in row.items() if key != "table"):
            rows.append(row)
    total = {"table": "**mean**"}
    for rival in rivals:
        tests, sizes = all_tests(scores, rival, DATASETS)
        if tests:
            mean, low, high = combine(tests, sizes)
            total[f"mlp - {rival}"] = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}] ({len(tests)})"
    return markdown([*rows, total])


def all_tests(
    scores: pd.DataFrame, rival: str, datasets: tuple[str, ...]
) -> tuple[list[PairedTest], list[int]]:
    tests, sizes = [], []
    for dataset in datasets:
        first, second = folds_of(scores, dataset, "mlp"), folds_of(scores, dataset, rival)
        found = compare_folds(first, second, dataset)
        if found is not None:
            tests.append(found)
            sizes.append(len(first.index.intersection(second.index)))
    return tests, sizes


def show(found: PairedTest) -> str:
    sign = "" if found.low <= 0 <= found.high else (" ▲" if found.low > 0 else " ▼")
    return f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]{sign}"


def describe_goal(scores: pd.DataFrame, results: pd.DataFrame) -> str:
    """Say whether each part of the goal is met."""
    lines = []
    tests, sizes = all_tests(scores, RIVAL, DATASETS)
    if tests:
        mean, low, high = combine(tests, sizes)
        lines.append(
            f"- Mean over {len(tests)} tables: mlp - {RIVAL} = "
            f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]."
        )
        confirm, confirm_sizes = all_tests(scores, RIVAL, CONFIRM)
        if confirm:
            mean, low, high = combine(confirm, confirm_sizes)
            lines.append(
                f"- Over the {len(confirm)} of them that played no part in the defaults: "
                f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]."
            )
        below = [
            dataset
            for dataset in DATASETS
            if (found := compare_folds(
                folds_of(scores, dataset, "mlp"), folds_of(scores, dataset, RIVAL), dataset
            )) is not None and found.high < 0
        ]  # fmt: skip
        above = sum(test.low > 0 for test in tests)
        lines.append(
            f"- Tables whose whole corrected interval is below 0: "
            f"{', '.join(below) or 'none'}; above 0: {above}."
        )
    pairs = pair_seconds(results)
    if len(pairs):
        loaded = "" if pairs["load"].max() <= QUIET_LOAD else ", on a busy machine"
        for kind in ("wall", "processor"):
            rival, own = pairs[f"{kind} rival"], pairs[f"{kind} mlp"]
            lines.append(
                f"- {kind.capitalize()} seconds of all folds, {RIVAL} over mlp: "
                f"{rival.sum() / own.sum():.1f} overall, {(rival / own).min():.1f} on the worst of "
                f"{len(pairs)} tables ({pairs['jobs'].min()} process(es){loaded}); "
                f"the goal is {FASTER:.0f}."
            )
    return "\n".join(lines)


def tabulate_second(scores: pd.DataFrame) -> str:
    """Log loss of every model on the tables with classes."""
    kinds = {name: load_task(name).kind for name in scores["dataset"].unique()}
    part = scores[[kinds[name] is not TaskKind.REGRESSION for name in scores["dataset"]]]
    means = part.groupby(["dataset", "model"])["second"].mean().unstack("model")
    shown = [name for name in models() if name in means]
    rows = [
        {"table": dataset}
        | {
            name: "" if math.isnan(means.loc[dataset, name]) else f"{means.loc[dataset, name]:.2f}"
            for name in shown
        }
        for dataset in DATASETS
        if dataset in means.index
    ]
    return markdown(rows)


# ---------------------------------------------------------------- seconds


def pair_seconds(results: pd.DataFrame) -> pd.DataFrame:
    """Seconds of mlp and of its rival per table, where both ran in as many processes."""
    plain = results[results["change"] == DEFAULT]
    index = ["dataset", "repeat", "n_jobs"]
    first = plain[plain["model"] == "mlp"].set_index(index)
    second = plain[plain["model"] == RIVAL].set_index(index)
    both = first.merge(second, left_index=True, right_index=True, suffixes=("_mlp", "_rival"))
    return pd.DataFrame(
        {
            "wall mlp": both["wall_seconds_mlp"],
            "wall rival": both["wall_seconds_rival"],
            "processor mlp": both["cpu_seconds_mlp"],
            "processor rival": both["cpu_seconds_rival"],
            "load": both[["load_before_mlp", "load_before_rival"]].max(axis=1),
            "jobs": both.index.get_level_values("n_jobs"),
        }
    )


def tabulate_seconds(results: pd.DataFrame) -> str:
    """Wall and processor seconds of five folds, and how many times the mlp's the rival takes."""
    plain = results[(results["change"] == DEFAULT) & (results["repeat"] == 0)]
    shown = [name for name in models() if name in set(plain["model"])]
    rows = []
    for dataset in DATASETS:
        part = plain[plain["dataset"] == dataset].set_index("model")
        if part.empty:
            continue
        row: dict[str, Any] = {"table": dataset}
        for name in shown:
            if name in part.index:
                cell = part.loc[name]
                busy = "~" if cell["load_before"] > QUIET_LOAD or cell["n_jobs"] < 2 else ""
                row[name] = f"{busy}{cell['wall_seconds']:.1f} ({cell['cpu_seconds']:.1f})"
        if {"mlp", RIVAL} <= set(part.index):
            row[f"{RIVAL} / mlp"] = (
                f"{part.loc[RIVAL, 'wall_seconds'] / part.loc['mlp', 'wall_seconds']:.1f}"
            )
            row["processor"] = (
                f"{part.loc[RIVAL, 'cpu_seconds'] / part.loc['mlp', 'cpu_seconds']:.1f}"
            )
        rows.append(row)
    return markdown(rows)


def describe_rows(results: pd.DataFrame) -> str:
    dates = sorted(results["date"].unique())
    plain = results[results["change"] == DEFAULT]
    return (
        f"Machine: {'; '.join(results['machine'].unique())}. Measured {dates[0]}"
        f"{'' if len(dates) == 1 else ' to ' + dates[-1]}; load before a cell of the main table "
        f"at most {plain['load_before'].max():.1f}. Seconds with ~ are from one process, or from a "
        "machine with other work."
    )


# ---------------------------------------------------------------- the ablation


def tabulate_changes(scores: pd.DataFrame, datasets: tuple[str, ...]) -> str:
    """Say what each change of the mlp adds to the default's score, by table and in the mean."""
    rows = []
    present = [
        name for name in datasets if len(folds_of(scores, name, "mlp")) and
        (scores[scores["dataset"] == name]["change"] != DEFAULT).any()
    ]  # fmt: skip
    if not present:
        return "(not measured yet)"
    rows.append(
        {"change": "default (score)"}
        | {name: f"{folds_of(scores, name, 'mlp').mean():.3f}" for name in present}
    )
    for change in CHANGES["mlp"]:
        row = {"change": change}
        tests, sizes = [], []
        for name in present:
            first, second = folds_of(scores, name, "mlp", change), folds_of(scores, name, "mlp")
            found = compare_folds(first, second, name)
            row[name] = ""
            if found is not None:
                row[name] = f"{found.difference:+.3f}"
                tests.append(found)
                sizes.append(len(first.index.intersection(second.index)))
        if not tests:
            continue
        mean, low, high = combine(tests, sizes)
        row["mean"] = f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]" + (
            "" if len(tests) == len(present) else f" ({len(tests)})"
        )
        rows.append(row)
    return markdown(rows)


# ---------------------------------------------------------------- writing

_ratios: dict[str, float] = {}


def ratio_of(dataset: str) -> float:
    """Rows tested for each row trained on, of the outer folds."""
    if dataset not in _ratios:
        _ratios[dataset] = make_outer(load_task(dataset), 0).test_train_ratio
    return _ratios[dataset]


def markdown(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def fill(content: str, mark: str, text: str) -> str:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- /mark -->``."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not pattern.search(content):
        raise ValueError(f"README.md has no place for {mark}")
    return pattern.sub(lambda found: found[1] + text + "\n" + found[2], content)
