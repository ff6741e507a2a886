"""Features that act together, and features that rise and fall together.

Step in the line: PairsSummary, Twins -> **figures** -> HTML.
"""

from smalldata.report.figures.grammar import (
    BLUE,
    GRID_OPACITY,
    VERMILION,
    Figures,
    Spec,
    data,
    dataset,
    figure,
    rows_height,
    tooltip,
)
from smalldata.report.figures.importance import NAMES
from smalldata.report.sections.explanation_pairs import PairsSummary
from smalldata.report.sections.trust_correlation_groups import Twins
from smalldata.statistics.correlation_groups import ALIKE

SHORTENED = (
    "length(paired[datum.value]) > 14 ? slice(paired[datum.value], 0, 6) + '…' + "
    "slice(paired[datum.value], -7) : paired[datum.value]"
)
"""Expression that cuts a name in the middle: names of a block begin alike."""


def draw_pairs(page: Figures, pairs: PairsSummary, *, several: bool) -> None:
    """Draw the size of the interaction of every pair of the features looked at."""
    page["params"]["paired"] = pairs.names
    page["datasets"]["pairs"] = dataset(
        pairs.cells,
        {
            "k": "Class" if several else "",
            "i": "Feature",
            "j": "With",
            "mean": "Mean |interaction|",
            "low": "10th percentile of folds",
            "high": "90th percentile of folds",
        },
        lookups={"i": "paired", "j": "paired", "k": "outputs"},
    )
    n = len(pairs.names)
    places = list(range(n))
    band = {"type": "ordinal", "scale": {"paddingInner": 0.06, "paddingOuter": 0, "domain": places}}
    axis = {**NAMES, "labelExpr": "paired[datum.value]"}
    across = {
        **axis,
        "labelExpr": f"narrow ? '' : {SHORTENED}",
        "labelAngle": -45,
        "labelLimit": 120,
        "orient": "bottom",
    }
    spec: Spec = {
        "height": rows_height(n, 22, extra=150),
        "data": data("pairs"),
        "transform": [
            {"filter": "datum.k == k"},
            {"calculate": "paired[datum.i]", "as": "first"},
            {"calculate": "paired[datum.j]", "as": "second"},
            {"joinaggregate": [{"op": "max", "field": "mean", "as": "most"}]},
            {
                "calculate": "datum.most > 0 ? 0.03 + 0.97 * datum.mean / datum.most : 0.03",
                "as": "strength",
            },
        ],
        "mark": {"type": "rect", "color": BLUE, "cornerRadius": 2},
        "encoding": {
            "y": {"field": "i", **band, "axis": axis},
            "x": {
                "field": "j",
                **band,
                "axis": across,
            },
            "opacity": {"field": "strength", "type": "quantitative", "scale": None},
            "tooltip": tooltip(
                ("first", "Feature", "text"),
                ("second", "With", "text"),
                ("mean", "Mean |interaction|", "number"),
                ("low", "10th percentile of folds", "number"),
                ("high", "90th percentile of folds", "number"),
            ),
        },
    }
    page["figures"].append(
        figure(
            "pairs",
            "Features that act together",
            spec,
            table="pairs",
            params=["paired"],
            controls={"k": 0},
            caption="How far two features move the prediction together, beyond what each does "
            "alone: mean |Shapley interaction|. The stronger the colour, the stronger the "
            "interaction, up to the strongest pair.",
        )
    )


def draw_twins(page: Figures, twins: Twins) -> None:
    """Draw the tree of correlations of the leading features and their twins."""
    leaves = twins.leaves
    names = [leaf.name for leaf in leaves]
    page["params"]["leaves"] = names
    page["params"]["likeness"] = [leaf.twin or "none" for leaf in leaves]
    page["params"]["groups"] = [f"group {g + 1}" for g in range(len(twins.groups))]
    page["datasets"]["twins"] = dataset(
        [
            {
                "y": y,
                "rank": leaf.rank,
                "mean": leaf.mean,
                "leads": int(leaf.leads),
                "twin": y,
                "r": leaf.r,
                "group": leaf.group,
            }
            for y, leaf in enumerate(leaves)
        ],
        {
            "y": "Feature",
            "rank": "Rank",
            "mean": "Mean |Shapley value|",
            "leads": "",
            "twin": "Most like",
            "r": "Spearman correlation",
            "group": "Group",
        },
        lookups={"y": "leaves", "twin": "likeness", "group": "groups"},
    )
    page["datasets"]["branches"] = dataset(
        [
            {"b": b, "order": order, "y": point.y, "r": point.r}
            for b, branch in enumerate(twins.branches)
            for order, point in enumerate(branch)
        ],
        {"b": "", "order": "", "y": "", "r": ""},
    )
    x = {
        "field": "r",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "reverse": True, "nice": False, "padding": 0},
        "axis": {
            "title": "Spearman |r|",
            "tickCount": 5,
            "gridOpacity": GRID_OPACITY,
        },
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [-0.6, len(leaves) - 0.4], "reverse": True, "nice": False},
        "axis": {
            **NAMES,
            "values": list(range(len(leaves))),
            "labelExpr": "leaves[datum.value]",
            "grid": False,
        },
    }
    end = {
        "data": data("twins"),
        "transform": [
            {"calculate": "leaves[datum.y]", "as": "feature"},
            {"calculate": "likeness[datum.twin]", "as": "other"},
            {"calculate": "1", "as": "end"},
            {"calculate": "datum.leads == 1 ? 'yes' : 'no'", "as": "leading"},
        ],
        "mark": {"type": "point", "size": 55, "strokeWidth": 1.5, "filled": True},
        "encoding": {
            "x": {**x, "field": "end"},
            "y": y,
            "fill": {
                "condition": {
                    "test": "datum.leads == 1",
                    "value": BLUE,
                },
                "value": "transparent",
            },
            "stroke": {"value": BLUE},
            "tooltip": tooltip(
                ("feature", "Feature", "text"),
                ("rank", "Rank", "d"),
                ("mean", "Mean |Shapley value|", "number"),
                ("other", "Most like", "text"),
                ("r", "Spearman correlation", ".2f"),
            ),
        },
    }
    spec: Spec = {
        "height": rows_height(len(leaves), 20, extra=60),
        "layer": [
            {
                "data": {"values": [{"r": ALIKE}]},
                "mark": {"type": "rule", "strokeDash": [5, 4], "opacity": 0.8},
                "encoding": {"x": x},
            },
            {
                "data": data("branches"),
                "transform": [
                    {
                        "joinaggregate": [{"op": "min", "field": "r", "as": "joined"}],
                        "groupby": ["b"],
                    },
                    {"calculate": f"datum.joined >= {ALIKE} - 1e-6 ? 1 : 0", "as": "alike"},
                ],
                "mark": {"type": "line", "strokeWidth": 1.6, "interpolate": "linear"},
                "encoding": {
                    "x": x,
                    "y": y,
                    "detail": {"field": "b", "type": "nominal"},
                    "order": {"field": "order", "type": "quantitative"},
                    "color": {
                        "field": "alike",
                        "type": "ordinal",
                        "scale": {"domain": [1, 0], "range": [VERMILION, "#8A8A8A"]},
                        "legend": None,
                    },
                },
            },
            end,
        ],
    }
    page["figures"].append(
        figure(
            "twins",
            "Features that rise and fall together",
            spec,
            table="twins",
            datasets=["branches"],
            params=["leaves", "likeness"],
            caption="Branches meet at the mean |rank correlation| of their features; those that "
            f"meet left of the dashes ({ALIKE} or more, orange) share the credit: the model may "
            "use any of them. Filled dots: leading features; hollow: features most like one of "
            "them.",
        )
    )
