"""How far a ranking can be trusted: its ranks in every fold, and what its features are worth.

Step in the line: Steadiness, Removals -> **figures** -> HTML.
"""

from math import log1p

from smalldata.report.figures.grammar import (
    BLUE,
    GREY,
    Figures,
    Spec,
    data,
    dataset,
    figure,
    quantitative,
    rows_height,
    tooltip,
)
from smalldata.report.figures.importance import NAMES
from smalldata.report.plain import round_significant
from smalldata.report.sections.explanation_removals import Removals
from smalldata.report.sections.trust import Steadiness

NARROW_FOLDS, WIDE_FOLDS = 10, 25
"""Most folds whose places are written out, on a phone and elsewhere."""

FADED = 30
"""Place from which on a feature is drawn as faintly as any later one."""


def draw_steadiness(page: Figures, steady: Steadiness) -> None:
    """Draw the rank of each leading feature in every fold."""
    page["params"]["followed"] = steady.names
    page["params"]["fold_names"] = steady.folds
    n_folds, n_rows = len(steady.folds), len(steady.names)
    rows = [
        {
            "g": f,
            "fold": fold,
            "place": place,
            "share": round(steady.frequency[f], 4),
        }
        for f, places in enumerate(steady.places)
        for fold, place in enumerate(places)
    ]
    page["datasets"]["steadiness"] = dataset(
        rows,
        {
            "g": "Feature",
            "fold": "Fold",
            "place": "Rank in the fold",
            "share": f"Share of folds in the top {steady.top_k}",
        },
        lookups={"g": "followed", "fold": "fold_names"},
    )
    top_k = steady.top_k
    band = {"type": "ordinal", "scale": {"paddingInner": 0.06, "paddingOuter": 0}}
    text_size = 11 if n_folds <= 10 else 9
    spec: Spec = {
        "height": rows_height(n_rows, 22, extra=60),
        "data": data("steadiness"),
        "transform": [
            {"calculate": "followed[datum.g]", "as": "feature"},
            {"calculate": "fold_names[datum.fold]", "as": "name"},
            {
                "calculate": f"isValid(datum.place) ? max(0.04, 0.62 * (1 - log(min(datum.place, "
                f"{FADED})) / log({FADED}))) : 0",
                "as": "strength",
            },
            {"calculate": f"isValid(datum.place) && datum.place <= {top_k} ? 1 : 0", "as": "in"},
            {"calculate": "isValid(datum.place) ? '' + datum.place : 'not used'", "as": "shown"},
            {
                "calculate": f"{n_folds} > (narrow ? {NARROW_FOLDS} : {WIDE_FOLDS}) ? '' : "
                "!isValid(datum.place) ? '–' : datum.place > 99 ? '·' : '' + datum.place",
                "as": "text",
            },
        ],
        "encoding": {
            "y": {
                "field": "g",
                "type": "ordinal",
                "axis": {**NAMES, "labelExpr": "followed[datum.value]"},
                **{"scale": band["scale"]},
            },
            "x": {
                "field": "fold",
                **band,
                "axis": {
                    "orient": "bottom",
                    "title": "Fold",
                    "labelExpr": "datum.value + 1",
                    "labelAngle": 0,
                    "labelOverlap": True,
                    "domain": False,
                    "ticks": False,
                },
            },
            "tooltip": tooltip(
                ("feature", "Feature", "text"),
                ("name", "Fold", "text"),
                ("shown", "Rank", "text"),
                ("share", f"Folds in the top {top_k}", ".0%"),
            ),
        },
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 2},
                "encoding": {
                    "color": {
                        "condition": {"test": "datum['in'] == 1", "value": BLUE},
                        "value": GREY,
                    },
                    "opacity": {"field": "strength", "type": "quantitative", "scale": None},
                },
            },
            {
                "mark": {"type": "text", "fontSize": text_size},
                "encoding": {
                    "text": {"field": "text", "type": "nominal"},
                    "opacity": {
                        "condition": {"test": "datum['in'] == 1", "value": 1},
                        "value": 0.65,
                    },
                },
            },
        ],
    }
    page["figures"].append(
        figure(
            "steadiness",
            "Rank of each feature, fold by fold",
            spec,
            table="steadiness",
            params=["followed", "fold_names"],
            caption=f"Each column is a fold; the number is the feature's rank there. Blue: in the "
            f"top {top_k}. A row that is blue throughout can be relied on.",
        )
    )


def draw_removals(page: Figures, removals: Removals, *, height: int) -> None:
    """Draw the score without the leading features against that without random ones."""
    curves = (
        [(point.n, point.leading) for point in removals.points],
        [(point.n, point.random) for point in removals.points],
    )
    rows = [
        {
            "at": round(log1p(n), 4),
            "n": n,
            "kind": kind,
            "mean": _rounded(score.mean),
            "low": _rounded(score.low),
            "high": _rounded(score.high),
        }
        for kind, curve in enumerate(curves)
        for n, score in curve
    ]
    page["params"]["removal"] = ["the leading features", "features drawn at random"]
    page["datasets"]["removals"] = dataset(
        rows,
        {
            "kind": "Replaced",
            "at": "",
            "n": "How many",
            "mean": removals.title,
            "low": "95 % interval from",
            "high": "95 % interval to",
        },
        lookups={"kind": "removal"},
    )
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "padding": 8},
        "axis": {
            "title": "Features replaced",
            "values": sorted({round(log1p(point.n), 4) for point in removals.points}),
            "labelExpr": "'' + round(exp(datum.value) - 1)",
            "labelSeparation": 6,
            "labelOverlap": True,
            "gridOpacity": 0.0,
        },
    }
    colour = {
        "field": "kind",
        "type": "ordinal",
        "scale": {"domain": [0, 1], "range": [BLUE, GREY]},
        "legend": {
            "title": None,
            "labelExpr": "removal[datum.value]",
            "columns": {"expr": "narrow ? 1 : 2"},
        },
    }
    y_title = f"{removals.title} of held-out samples"
    way = "falls" if removals.better == "higher" else "rises"
    page["figures"].append(
        figure(
            "removals",
            "The score without them",
            {
                "height": height,
                "data": data("removals"),
                "transform": [{"calculate": "removal[datum.kind]", "as": "what"}],
                "encoding": {"x": x, "color": colour},
                "layer": [
                    {
                        "mark": {"type": "area", "opacity": 0.16},
                        "encoding": {
                            "y": quantitative("low", y_title),
                            "y2": {"field": "high"},
                        },
                    },
                    {
                        "mark": {"type": "line", "strokeWidth": 2.5},
                        "encoding": {
                            "y": quantitative("mean", y_title),
                            "strokeDash": {
                                "condition": {"test": "datum.kind == 0", "value": [1, 0]},
                                "value": [6, 4],
                            },
                        },
                    },
                    {
                        "mark": {"type": "circle", "size": 60, "opacity": 1},
                        "encoding": {
                            "y": quantitative("mean", y_title),
                            "tooltip": tooltip(
                                ("what", "Replaced", "text"),
                                ("n", "How many", "d"),
                                ("mean", removals.title, ".3f"),
                                ("low", "95 % from", ".3f"),
                                ("high", "95 % to", ".3f"),
                            ),
                        },
                    },
                ],
            },
            table="removals",
            params=["removal"],
            caption="The leading features of held-out samples got the values of training samples, "
            "and the samples were scored again; dashes: the same number of random features. Band: "
            f"95 % interval. The sooner the line {way}, the more the ranking says about the model.",
        )
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round_significant(value, 5)
