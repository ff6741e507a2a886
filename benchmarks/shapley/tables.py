"""README.md's tables, and the figure, from the csv files."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

OURS = "smalldata"
OURS_ALONE = "smalldata, absent = 1"
OURS_FOLD = "smalldata, a whole fold"
SHAPIQ = "shapiq.ProductKernelExplainer"
PERMUTATION = "shap.PermutationExplainer"
SAMPLED = ("knn", "mlp")
# What the errors of a kernel may be against brute force, of the largest value. A booster's own
# margins are float32.
ALLOWED = {"linear": 1e-10, "xgboost": 1e-4}
ALLOWED_ELSE = 1e-6
UNITS = {
    PERMUTATION: "passes",
    "shap.KernelExplainer": "coalitions",
    "shap.SamplingExplainer": "evaluations",
    "smalldata, gradients": "gradients",
}
OUR_UNITS = {"knn": "walks", "mlp": "evaluations"}
GOAL_MS, GOAL_RBF, GOAL_KNN = 50, 100, 20


def write_tables(folder: Path) -> None:
    """Write every table whose csv file is there between its marks in README.md, and the figure."""
    made = {}
    accuracy, speed, scaling = (
        _read(folder / f"{name}.csv") for name in ("accuracy", "speed", "scaling")
    )
    if accuracy is not None:
        made["accuracy"] = tabulate_accuracy(accuracy)
    if speed is not None:
        made["speed"] = tabulate_speed(speed)
        made["exact"] = tabulate_few(speed)
        made["absent"] = tabulate_absent(speed)
    if accuracy is not None and speed is not None:
        made["goals"] = tabulate_goals(accuracy, speed)
    if scaling is not None:
        made |= {
            axis: tabulate_axis(part, axis)
            for axis, part in scaling.groupby("axis", sort=False)
            if axis != "nci60"
        }
        if (scaling["axis"] == "nci60").any():
            made["nci60"] = tabulate_wide(scaling[scaling["axis"] == "nci60"])
    kept = [rows for rows in (accuracy, speed, scaling) if rows is not None]
    if kept:
        made["machine"] = describe_rows(pd.concat(kept))
    readme = folder / "README.md"
    content = readme.read_text(encoding="utf-8")
    for name, text in made.items():
        content = fill(content, name, text)
    readme.write_text(content, encoding="utf-8")
    if speed is not None:
        from figure import draw

        draw(whole_table(speed), folder / "time_against_error.svg")


def _read(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path, keep_default_na=True) if path.is_file() else None


# ---------------------------------------------------------------- what was promised


def tabulate_goals(accuracy: pd.DataFrame, speed: pd.DataFrame) -> str:
    """Set what was asked for beside what was measured."""
    rows = []
    brute = accuracy[(accuracy["compared_with"] == "brute force")]
    for model, part in brute[~brute["model"].isin(SAMPLED)].groupby("model", sort=False):
        worst = float((part["max_error"] / part["largest_value"]).max())
        allowed = ALLOWED.get(model, ALLOWED_ELSE)
        asked = f"error against brute force at most {allowed:.0e}"
        rows.append(_goal(model, asked, f"{worst:.0e}", worst <= allowed))
    whole = whole_table(speed)
    rbf = whole[whole["model"] == "svm, rbf"]
    if not rbf.empty:
        for name in (OURS, OURS_FOLD):
            for ours in rbf[rbf["explainer"] == name].itertuples():
                rows += _rbf_goals(ours, rbf[rbf["explainer"] == PERMUTATION])
    for model in SAMPLED:
        part = whole[whole["model"] == model]
        if {OURS, PERMUTATION} <= set(part["explainer"]):
            ratio = equal_error_ratio(part)
            asked = f"seconds at equal error, {PERMUTATION} / {OURS}"
            asked += f": at least {GOAL_KNN}" if model == "knn" else ""
            fits = ratio >= GOAL_KNN if model == "knn" else None
            rows.append(_goal(model, asked, f"{ratio:.0f}", fits))
    return markdown(rows)


def _rbf_goals(ours: Any, peers: pd.DataFrame) -> list[dict[str, str]]:
    """Set one way of calling ours beside each budget of shap's."""
    at_once = f"{ours.n_rows} rows a call"
    took = 1e3 * ours.seconds_per_row
    asked = f"at most {GOAL_MS} ms a row, {ours.n_background} background rows, {at_once}"
    goals = [_goal("svm, rbf", asked, f"{took:.1f} ms", took <= GOAL_MS)]
    for peer in peers.itertuples():
        ratio = peer.seconds_per_row / ours.seconds_per_row
        asked = f"{GOAL_RBF} times faster than {PERMUTATION}, {_budget(peer)}, {at_once}"
        said = (
            f"{ratio:.0f} times; error {_share(ours.max_error, ours)} to "
            f"{_share(peer.max_error, peer)}"
        )
        fits = ratio >= GOAL_RBF and ours.max_error <= peer.max_error
        goals.append(_goal("svm, rbf", asked, said, fits))
    return goals


def _goal(model: str, asked: str, measured: str, holds: bool | None) -> dict[str, str]:
    said = "" if holds is None else "yes" if holds else "**no**"
    return {"model": model, "asked": asked, "measured": measured, "met": said}


def equal_error_ratio(part: pd.DataFrame) -> float:
    """Divide the seconds at equal error of the two samplers: their errors fall as 1 / sqrt(time).

    Seconds times squared error is then a number of the explainer alone; its median over the
    budgets is taken.
    """
    cost = part["seconds_per_row"] * np.square(part["rms_error"])
    theirs = cost[part["explainer"] == PERMUTATION].median()
    return float(theirs / cost[part["explainer"] == OURS].median())


# ---------------------------------------------------------------- accuracy


def tabulate_accuracy(rows: pd.DataFrame) -> str:
    shown = []
    for row in rows.itertuples():
        sampled = math.isfinite(row.rms_error_in_standard_errors)
        shown.append(
            {
                "model": row.model,
                "columns": row.n_columns,
                "players": row.n_players,
                "compared with": row.compared_with,
                "largest value": f"{row.largest_value:.3f}",
                "largest error": f"{row.max_error:.0e}",
                "error / largest value": _share(row.max_error, row),
                "in its standard errors, rms (largest)": f"{row.rms_error_in_standard_errors:.2f} "
                f"({row.max_error_in_standard_errors:.1f})"
                if sampled
                else "",
                "sum is off by": f"{row.additivity_error:.0e}"
                if math.isfinite(row.additivity_error)
                else "",
            }
        )
    return markdown(shown)


# ---------------------------------------------------------------- time against error


def whole_table(speed: pd.DataFrame) -> pd.DataFrame:
    """Keep the problems with all columns, played in the common game."""
    widest = speed.groupby("model")["n_columns"].transform("max")
    common = ~speed["explainer"].isin([OURS_ALONE, SHAPIQ])
    return speed[(speed["n_columns"] == widest) & common]


def tabulate_speed(speed: pd.DataFrame) -> str:
    return markdown(_timed_rows(whole_table(speed)))


def tabulate_few(speed: pd.DataFrame) -> str:
    """Tabulate the problems of few columns, which shap.ExactExplainer can solve."""
    narrowest = speed.groupby("model")["n_columns"].transform("min")
    widest = speed.groupby("model")["n_columns"].transform("max")
    common = ~speed["explainer"].isin([OURS_ALONE, SHAPIQ])
    return markdown(_timed_rows(speed[(narrowest < widest) & common].query("n_columns <= 20")))


def tabulate_absent(speed: pd.DataFrame) -> str:
    """Tabulate the game of shapiq's explainer, in which absent factors are 1."""
    rows = speed[speed["explainer"].isin([OURS_ALONE, SHAPIQ])]
    shown = []
    for n_columns, part in rows.groupby("n_columns"):
        theirs = part[part["explainer"] == SHAPIQ].iloc[0]
        ours = part[part["explainer"] == OURS_ALONE].iloc[0]
        shown.append(
            {
                "columns": n_columns,
                f"{SHAPIQ}, s a row": _seconds(theirs["seconds_per_row"]),
                "rbf_values, s a row": _seconds(ours["seconds_per_row"]),
                "ratio": f"{theirs['seconds_per_row'] / ours['seconds_per_row']:.0f}",
                "largest difference / largest value": _share(ours["max_error"], ours),
            }
        )
    return markdown(shown)


def _timed_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    shown = []
    for model, part in rows.groupby("model", sort=False):
        quickest = part.loc[part["explainer"] == OURS, "seconds_per_row"].min()
        for row in part.itertuples():
            its_own = row.reference == row.explainer
            se = row.rms_standard_error
            shown.append(
                {
                    "model": model,
                    "explainer": row.explainer,
                    "budget": _budget(row),
                    "s a row": _seconds(row.seconds_per_row),
                    "times ours": f"{row.seconds_per_row / quickest:,.1f}",
                    "largest error": "reference" if its_own else _share(row.max_error, row),
                    "mean error": "" if its_own else _share(row.mean_error, row),
                    "rms error": "" if its_own else _share(row.rms_error, row),
                    "standard error said": _share(se, row) if math.isfinite(se) else "",
                }
            )
    return shown


def _budget(row: Any) -> str:
    if isinstance(row.budget, float) and math.isnan(row.budget):
        return "exact"
    unit = OUR_UNITS[row.model] if row.explainer == OURS else UNITS[row.explainer]
    number = int(row.budget)
    return f"{number:,} {unit if number != 1 else unit.removesuffix('es')}"


def _share(error: float, row: Any) -> str:
    """Say an error in units of the largest value."""
    largest = row["largest_value"] if isinstance(row, pd.Series) else row.largest_value
    share = error / largest
    if share == 0:
        return "0"
    return f"{share:.0e}" if share < 1e-3 else f"{share:.1%}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.1f}"


# ---------------------------------------------------------------- growth


def tabulate_axis(rows: pd.DataFrame, axis: str) -> str:
    """Give seconds a row at every size, and the slope of the last three in logarithms."""
    column = "n_train" if axis == "rows" else f"n_{axis}"
    sizes = sorted(rows[column].unique())
    shown = []
    for kernel, part in rows.groupby("kernel", sort=False):
        line = part.sort_values(column)
        took = dict(zip(line[column], line["seconds_per_row"], strict=True))
        last = line.tail(3)
        slope = np.polyfit(np.log(last[column]), np.log(last["seconds_per_row"]), 1)[0]
        cells = {f"{size:,}": _seconds(took[size]) if size in took else "" for size in sizes}
        shown.append({"kernel": kernel, **cells, "exponent": f"{slope:.2f}"})
    return markdown(shown)


def tabulate_wide(rows: pd.DataFrame) -> str:
    return markdown(
        {
            "kernel": row.kernel,
            "columns": f"{row.n_columns:,}",
            "background rows": row.n_background,
            "outputs": row.n_outputs,
            "s a row": _seconds(row.seconds_per_row),
            "peak, MB": f"{row.peak_mb:.0f}",
            "of it before the explanation": f"{row.before_mb:.0f}",
        }
        for row in rows.itertuples()
    )


# ---------------------------------------------------------------- writing


def describe_rows(rows: pd.DataFrame) -> str:
    machines = ", ".join(dict.fromkeys(rows["machine"]))
    first, last = min(rows["date"]), max(rows["date"])
    dates = first if first == last else f"{first} to {last}"
    return (
        f"Machine: {machines}, one thread. Measured {dates}; load before a process at most "
        f"{rows['load_before'].max():.1f}."
    )


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    rows = list(rows)
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
