"""Figures of the tuning: values per fold, trials side by side, importances, inner against outer.

Step in the line: TuningSummary -> **figures** -> HTML. Each hyperparameter is a row, and
its values run from left to right (or from the bottom of the row up) over its own searched range, so
that all of them fit a narrow page.
"""

from typing import Any

from smalldata.report.figures.grammar import (
    BLUE,
    ORANGE,
    VERMILION,
    Figures,
    Spec,
    axis_names,
    data,
    dataset,
    figure,
    no_figures,
    quantitative,
    rows_height,
    spread_rule,
    tooltip,
)
from smalldata.report.figures.trials import ROW, ROW_LABELS, draw_trials
from smalldata.report.plain import round_significant
from smalldata.report.sections.tuning import TuningSummary

MOST_FOLDS = 50
"""Rows of the figure that compares inner with outer scores."""


def tuning_figures(tuning: TuningSummary | None) -> Figures:
    """Draw the tuning of a cell; nothing for an untuned one."""
    page = no_figures()
    if tuning is None or not tuning.trials:
        return page
    parameters = tuning.parameters
    page["params"]["tuned"] = [one.name for one in parameters]
    page["params"]["tuned_folds"] = [fold.name for fold in tuning.folds]
    if tuning.optimism.n:
        _optimism(page, tuning)
    if tuning.n_tuned > 1:
        _values(page, tuning)
    draw_trials(page, tuning)
    if tuning.importance.n_known:
        _importances(page, tuning)
    return page


def _values(page: Figures, tuning: TuningSummary) -> None:
    """Draw the chosen values fold by fold: one that jumps about is a zigzag."""
    parameters, folds = tuning.parameters, tuning.folds
    kinds = ["steady", "moves", "jumps"]
    page["params"]["tuned_rows"] = [[one.name, one.range] for one in parameters]
    rows = [
        {
            "p": p,
            "o": o,
            "at": _rounded(value.at),
            "value": value.text,
            "trial": fold.trial,
            "default": _rounded(one.default.at),
            "untuned": one.default.text,
            "kind": kinds.index(one.agreement),
        }
        for p, one in enumerate(parameters)
        for o, fold in enumerate(folds)
        for value in [fold.choice[p]]
    ]
    page["datasets"]["tuned_values"] = dataset(
        rows,
        {
            "p": "Hyperparameter",
            "o": "Outer fold",
            "value": "Chosen value",
            "untuned": "Untuned default",
            "trial": "Trial",
            "at": "",
            "default": "",
            "kind": "",
        },
        lookups={"p": "tuned", "o": "tuned_folds"},
    )
    n_rows, n_folds = len(parameters), len(folds)
    x = {
        "field": "o",
        "type": "quantitative",
        "scale": {"domain": [-0.5, n_folds - 0.5], "nice": False, "zero": False},
        "axis": {
            "title": "Outer fold",
            "labelExpr": "tuned_folds[datum.value]",
            "tickMinStep": 1,
            "grid": False,
            "labelOverlap": "greedy",
            "labelSeparation": 8,
        },
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [0, n_rows], "reverse": True, "nice": False},
        "axis": {
            **ROW_LABELS,
            "values": [p + 0.5 for p in range(n_rows)],
            "labelExpr": "tuned_rows[floor(datum.value)]",
        },
    }
    place = "datum.p + 0.86 - 0.72 * datum."
    colour = {
        "field": "kind",
        "type": "ordinal",
        "scale": {"domain": [0, 1, 2], "range": [BLUE, ORANGE, VERMILION]},
        "legend": {
            "title": None,
            "labelExpr": "['steady', 'mostly steady', 'jumps about'][datum.value]",
            "columns": 2,
        },
    }
    chosen = [{"filter": "isValid(datum.at)"}, {"calculate": f"{place}at", "as": "y"}]
    spec: Spec = {
        "height": rows_height(n_rows, ROW, extra=80),
        "data": data("tuned_values"),
        "layer": [
            {
                "transform": [
                    {"filter": "datum.o == 0 && datum.p > 0"},
                    {"calculate": "datum.p", "as": "y"},
                ],
                "mark": {"type": "rule", "opacity": 0.18},
                "encoding": {"y": y},
            },
            {
                "transform": [
                    {"filter": "datum.o == 0 && isValid(datum.default)"},
                    {"calculate": f"{place}default", "as": "y"},
                ],
                "mark": {"type": "rule", "strokeDash": [3, 4], "opacity": 0.5},
                "encoding": {"y": y},
            },
            {
                "transform": chosen,
                "mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.6},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": colour,
                    "detail": {"field": "p", "type": "nominal"},
                },
            },
            {
                "transform": [
                    *chosen,
                    {"calculate": "tuned[datum.p]", "as": "name"},
                    {"calculate": "tuned_folds[datum.o]", "as": "fold"},
                ],
                "mark": {"type": "circle", "size": 55, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": colour,
                    "tooltip": tooltip(
                        ("name", "Hyperparameter", "text"),
                        ("fold", "Outer fold", "text"),
                        ("value", "Chosen", "text"),
                        ("untuned", "Untuned", "text"),
                    ),
                },
            },
        ],
    }
    page["figures"].append(
        figure(
            "tuned_values",
            "Values chosen in each outer fold",
            spec,
            table="tuned_values",
            params=["tuned", "tuned_rows", "tuned_folds"],
            caption="One row per hyperparameter, from the low end of the searched range (bottom of "
            "the row; first choice) to the high end (top), on a log scale if it was searched on "
            "one. A flat line is a steady choice, a zigzag one that jumps about. Dashes: the "
            "untuned default.",
        )
    )


def _rounded(place: float | None) -> float | None:
    return None if place is None else round(place, 4)


def _importances(page: Figures, tuning: TuningSummary) -> None:
    known = [(p, one.importance) for p, one in enumerate(tuning.parameters) if one.importance]
    known.sort(key=lambda pair: -pair[1].mean)
    page["datasets"]["tuned_importance"] = dataset(
        [
            {
                "place": place,
                "p": p,
                "mean": round(found.mean, 4),
                "low": round(found.low, 4),
                "high": round(found.high, 4),
            }
            for place, (p, found) in enumerate(known)
        ],
        {
            "place": "",
            "p": "Hyperparameter",
            "mean": "Mean importance",
            "low": "10th percentile of folds",
            "high": "90th percentile of folds",
        },
        lookups={"p": "tuned"},
    )
    page["params"]["tuned_order"] = [p for p, _ in known]
    title = "Share of importance"
    percent: dict[str, Any] = {"axis": {"format": ".0%"}, "zero": True}
    n_known = tuning.importance.n_known
    spread = f" Line: 10th to 90th percentile of {n_known} outer folds." if n_known > 1 else ""
    page["figures"].append(
        figure(
            "tuned_importance",
            "Which hyperparameters the inner score depends on",
            {
                "height": rows_height(len(known), 30),
                "data": data("tuned_importance"),
                "transform": [{"calculate": "tuned[datum.p]", "as": "name"}],
                "encoding": {
                    "y": {
                        "field": "place",
                        "type": "ordinal",
                        "axis": axis_names("tuned", domain=False, ticks=False)
                        | {"labelExpr": "tuned[tuned_order[datum.value]]"},
                    }
                },
                "layer": [
                    {
                        "mark": {
                            "type": "bar",
                            "color": BLUE,
                            "opacity": 0.85,
                            "height": {"band": 0.7},
                        },
                        "encoding": {
                            "x": quantitative("mean", title, **percent),
                            "tooltip": tooltip(
                                ("name", "Hyperparameter", "text"),
                                ("mean", "Mean", ".1%"),
                                ("low", "10th percentile", ".1%"),
                                ("high", "90th percentile", ".1%"),
                            ),
                        },
                    },
                    *([spread_rule(title, **percent)] if n_known > 1 else []),
                ],
            },
            table="tuned_importance",
            params=["tuned", "tuned_order"],
            caption="Optuna's fANOVA of the scored trials of an outer fold: the share of the "
            "score's variance that each hyperparameter explains alone. Mean over the folds."
            f"{spread}",
        )
    )


def _optimism(page: Figures, tuning: TuningSummary) -> None:
    """Draw the inner and the outer score, fold by fold."""
    rows = [
        {
            "o": o,
            "inner": round_significant(fold.inner, 5),
            "outer": round_significant(fold.outer, 5),
            "optimism": round_significant(fold.optimism, 5),
        }
        for o, fold in enumerate(tuning.folds)
        if fold.inner is not None and fold.outer is not None and fold.optimism is not None
    ]
    page["datasets"]["tuned_optimism"] = dataset(
        rows[:MOST_FOLDS],
        {
            "o": "Outer fold",
            "inner": "Inner score (optimistic)",
            "outer": "Score on unseen rows",
            "optimism": "Optimism",
        },
        lookups={"o": "tuned_folds"},
    )
    title = tuning.measure.title
    n_drawn = min(len(rows), MOST_FOLDS)
    cut = f" The first {n_drawn} of {len(rows)} folds." if n_drawn < len(rows) else ""
    page["figures"].append(
        figure(
            "tuned_optimism",
            "Inner score and score on unseen rows",
            {
                "height": rows_height(n_drawn, 18 if n_drawn > 12 else 24, extra=80),
                "data": data("tuned_optimism"),
                "transform": [{"calculate": "tuned_folds[datum.o]", "as": "fold"}],
                "encoding": {
                    "y": {
                        "field": "o",
                        "type": "ordinal",
                        "axis": axis_names("tuned_folds", domain=False, ticks=False),
                    }
                },
                "layer": [
                    {
                        "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.3},
                        "encoding": {
                            "x": quantitative("inner", title),
                            "x2": {"field": "outer"},
                        },
                    },
                    {
                        "transform": [
                            {"fold": ["inner", "outer"], "as": ["which", "score"]},
                        ],
                        "mark": {"type": "point", "size": 75, "opacity": 1},
                        "encoding": {
                            "x": quantitative("score", title),
                            "color": _which("range", [ORANGE, BLUE]),
                            "shape": _which("range", ["triangle-right", "circle"]),
                            "tooltip": tooltip(
                                ("fold", "Outer fold", "text"),
                                ("inner", "Inner (optimistic)", ".3f"),
                                ("outer", "On unseen rows", ".3f"),
                                ("optimism", "Optimism", ".3f"),
                            ),
                        },
                    },
                ],
            },
            table="tuned_optimism",
            params=["tuned_folds"],
            caption="For each outer fold, the score of the chosen trial on the inner folds "
            "(optimistic: picked from many) and the score of its model on the held-out rows. The "
            f"difference is the optimism that nesting removed.{cut}",
        )
    )


def _which(key: str, values: list[str]) -> Spec:
    """Tell inner from outer scores, by colour and by shape in one legend."""
    return {
        "field": "which",
        "type": "nominal",
        "scale": {"domain": ["inner", "outer"], key: values},
        "legend": {
            "title": None,
            "labelExpr": "datum.value == 'inner' ? 'inner folds (optimistic)' : 'unseen rows'",
        },
    }
