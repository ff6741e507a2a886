"""The map of all samples: what each leading feature did to the prediction of each.

Step in the line: ExplanationSummary -> **figures** -> HTML.
"""

from smalldata.report.figures.attributions import VALUE_TEXT, join_x
from smalldata.report.figures.grammar import (
    LOW_TO_HIGH,
    Figures,
    Spec,
    choices,
    class_colours,
    data,
    figure,
    rows_height,
    tooltip,
)
from smalldata.report.figures.importance import NAMES
from smalldata.report.sections.explanation import ExplanationSummary
from smalldata.report.sections.outcomes import Outcomes, ValueOutcomes
from smalldata.report.sections.task import TargetValues, TaskFacts

SIGNED = ["rgba(26,130,196,1)", "rgba(138,138,138,0.06)", "rgba(213,94,0,1)"]
"""Blue, nothing, vermilion: what has no effect shows the page, light or dark."""

N_STRIP = 2
"""Rows above the map: what the samples are, and a gap."""


def draw_heatmap(
    page: Figures, explanation: ExplanationSummary, task: TaskFacts, outcomes: Outcomes | None
) -> None:
    """Draw samples side by side, leading features below each other."""
    samples, heat = explanation.samples, explanation.samples.heat
    page["params"]["places"] = heat.places
    page["params"]["limits"] = heat.limits
    orders = ["prediction", "similar explanation"][: len(heat.places)]
    page["controls"]["o"] = choices("Samples by", orders)
    measured: list[float | None] = []
    if isinstance(outcomes, ValueOutcomes):
        known = {sample.row: sample.observed for sample in outcomes.samples}
        measured = [known.get(row) for row in range(len(heat.places[0][0]))]
    page["params"]["measured"] = measured
    n_rows = min(heat.n_features, len(samples.order[0]))
    classes = [entry.name for entry in task.classes]
    places = list(range(-N_STRIP, n_rows))
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"nice": False, "zero": False, "padding": 0},
        "axis": {
            "title": f"{len(samples.explained)} samples",
            "labels": False,
            "ticks": False,
            "grid": False,
            "domain": False,
        },
    }
    y = {
        "field": "place",
        "type": "ordinal",
        "scale": {"domain": places, "paddingInner": 0.04, "paddingOuter": 0},
        "axis": {
            **NAMES,
            "labelExpr": f"datum.value == {-N_STRIP} ? 'observed' : datum.value < 0 ? '' : "
            "features[order[k][datum.value]]",
        },
    }
    edge = {"calculate": "datum.at + 1", "as": "next"}
    map_layer: Spec = {
        "data": data("phi"),
        "transform": [
            {
                "filter": "datum.k == k && indexof(order[k], datum.f) >= 0 && "
                f"indexof(order[k], datum.f) < {n_rows}"
            },
            *join_x(),
            {"calculate": "sequence(length(datum.phi))", "as": "index"},
            {"flatten": ["phi", "x", "index"], "as": ["shap", "value", "s"]},
            {"filter": "isValid(datum.shap)"},
            {"calculate": "indexof(order[k], datum.f)", "as": "place"},
            {"calculate": "places[o][k][datum.s]", "as": "at"},
            edge,
            {"calculate": "clamp(datum.shap / limits[k], -1, 1)", "as": "level"},
            {"calculate": "features[datum.f]", "as": "feature"},
            {"calculate": "rows[datum.s]", "as": "sample"},
            {"calculate": VALUE_TEXT, "as": "shown"},
        ],
        "mark": {"type": "rect", "cursor": "pointer"},
        "encoding": {
            "x": x,
            "x2": {"field": "next"},
            "y": y,
            "color": {
                "field": "level",
                "type": "quantitative",
                "scale": {"domain": [-1, 0, 1], "range": SIGNED, "interpolate": "rgb"},
                "legend": {
                    "title": f"Shapley value ({explanation.scale})",
                    "titleLimit": 300,
                    "values": [-1, 0, 1],
                    "labelExpr": "(datum.value == 0 ? '' : datum.value < 0 ? 'to ' : 'from ') + "
                    "format(datum.value * limits[k], '.2~g')",
                    "gradientLength": 180,
                    "gradientThickness": 8,
                },
            },
            "tooltip": tooltip(
                ("sample", "Sample", "text"),
                ("feature", "Feature", "text"),
                ("shown", "Value", "text"),
                ("shap", "Shapley value", "number"),
            ),
        },
    }
    layers = [map_layer, _chosen(x, y)]
    layers.insert(1, _observed(x, y, edge, classes, task.target_values))
    n_all = explanation.n_features
    cut = f" The first {n_rows} of {n_all} features." if n_rows < n_all else ""
    page["figures"].append(
        figure(
            "heatmap",
            "All samples side by side",
            {
                "height": rows_height(n_rows + N_STRIP, 19, extra=90),
                "layer": layers,
                "resolve": {"scale": {"color": "independent"}},
            },
            table="phi",
            datasets=["x"],
            params=[
                "features",
                "order",
                "levels",
                "rows",
                "codes",
                "classes",
                "places",
                "limits",
                "measured",
            ],
            controls={"k": 0, "o": 0, "s": samples.explained[0]},
            marked=["s"],
            caption="Each column is a sample, each row a feature: orange raised its prediction, "
            "blue lowered it. Columns that look alike were predicted for the same reasons. Click a "
            f"sample to show it below as “One sample”; the triangle marks it.{cut}",
        )
    )


def _observed(
    x: Spec, y: Spec, edge: Spec, classes: list[str], values: TargetValues | None
) -> Spec:
    """Strip that shows the class or the value of each sample."""
    colour: Spec
    if values is not None:
        colour = {
            "field": "was",
            "type": "quantitative",
            "scale": {
                "domain": [values.low, values.mean, values.high],
                "range": LOW_TO_HIGH,
                "interpolate": "rgb",
            },
            "legend": None,
        }
    else:
        colour = class_colours(classes, orient="bottom")
    return {
        "data": {"sequence": {"start": 0, "stop": 1, "as": "one"}},
        "transform": [
            {"calculate": "sequence(length(rows))", "as": "s"},
            {"flatten": ["s"]},
            {"calculate": "places[o][k][datum.s]", "as": "at"},
            {"filter": "isValid(datum.at)"},
            edge,
            {"calculate": f"{-N_STRIP}", "as": "place"},
            {"calculate": "codes[datum.s]", "as": "code"},
            {"calculate": "rows[datum.s]", "as": "sample"},
            {
                "calculate": "classes[datum.code]" if classes else "measured[datum.s]",
                "as": "was",
            },
            {"filter": "isValid(datum.was)"},
        ],
        "mark": {"type": "rect", "cursor": "pointer"},
        "encoding": {
            "x": x,
            "x2": {"field": "next"},
            "y": y,
            "color": colour,
            "tooltip": tooltip(
                ("sample", "Sample", "text"), ("was", "Observed", "text" if classes else "number")
            ),
        },
    }


def _chosen(x: Spec, y: Spec) -> Spec:
    """Mark over the sample that the waterfall shows."""
    return {
        "data": {"sequence": {"start": 0, "stop": 1, "as": "one"}},
        "transform": [
            {"calculate": "places[o][k][s] + 0.5", "as": "at"},
            {"calculate": "-1", "as": "place"},
            {"filter": "isValid(places[o][k][s])"},
        ],
        "mark": {
            "type": "point",
            "shape": "triangle-down",
            "size": 60,
            "color": "currentColor",
            "filled": True,
        },
        "encoding": {"x": x, "y": y},
    }
