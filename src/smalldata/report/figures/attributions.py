"""Shapley values sample by sample: beeswarm and dependence.

Step in the line: ExplanationSummary -> **figures** -> HTML. The values travel once, as one
row per output and feature with one entry per sample; each figure unfolds what it needs.
"""

from smalldata.report.figures.grammar import (
    BLUE,
    CLASS_COLOURS,
    GREY,
    GRID_OPACITY,
    LOW_TO_HIGH,
    PURPLE,
    Figures,
    Spec,
    choices,
    class_colours,
    data,
    figure,
    mark_chosen,
    quantitative,
    rows_height,
    swarm,
    tooltip,
)
from smalldata.report.figures.importance import NAMES
from smalldata.report.sections.explanation import ExplanationSummary
from smalldata.report.sections.task import TaskFacts

N_OFFERED = 50
"""Leading features that can be chosen."""

ZERO_LINE = {
    "gridOpacity": {"condition": {"test": "datum.value === 0", "value": 0.6}, "value": GRID_OPACITY}
}
"""Axis whose line at zero stands out."""


MISSING = "!isValid(datum.value)"
MEASURED = "(isValid(datum.value) && !isArray(levels[datum.f]))"
"""Expressions that sort values: neither missing nor a category is a measured one."""

VALUE_TEXT = (
    "!isValid(datum.value) ? 'missing' : isArray(levels[datum.f]) ? "
    "levels[datum.f][datum.value] : format(datum.value, '.4~g')"
)
"""Expression that writes a feature's value."""


def join_x() -> list[Spec]:
    """Give each row of Shapley values the values of its feature."""
    fields = ["x", "low5", "high95"]
    return [{"lookup": "f", "from": {"data": data("x"), "key": "f", "fields": fields}}]


def draw_beeswarm(page: Figures, explanation: ExplanationSummary, towards: str) -> None:
    """Draw every sample in every leading feature, coloured by the feature's value."""
    samples = explanation.samples
    n_rows = len(samples.order[0])
    drawn = [samples.columns[f] for f in {f for order in samples.order for f in order}]
    others = ""
    if any(column.levels is not None for column in drawn):
        others += "; pink: a category"
    if any(None in column.x for column in drawn):
        others += "; hollow: missing"
    spec: Spec = {
        "height": rows_height(n_rows, 25, extra=110),
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k && indexof(order[k], datum.f) >= 0"},
            *join_x(),
            {"calculate": "sequence(length(datum.phi))", "as": "index"},
            {"flatten": ["phi", "x", "index"], "as": ["shap", "value", "s"]},
            {"filter": "isValid(datum.shap)"},
            {"calculate": "indexof(order[k], datum.f)", "as": "place"},
            *swarm("shap", ["f"], bins=90),
            {
                # Never null, which Vega-Lite would leave out of the drawing.
                "calculate": f"{MEASURED} ? clamp((datum.value - datum.low5) / "
                "(datum.high95 - datum.low5), 0, 1) : 0.5",
                "as": "level",
            },
            {"calculate": "features[datum.f]", "as": "feature"},
            {"calculate": "rows[datum.s]", "as": "sample"},
            {"calculate": VALUE_TEXT, "as": "shown"},
        ],
        "mark": {
            "type": "circle",
            "size": 20,
            "opacity": 1,
            "strokeWidth": 1,
            "cursor": "pointer",
        },
        "encoding": {
            "x": quantitative("shap", f"Shapley value ({explanation.scale})", axis=ZERO_LINE),
            "y": {
                "field": "place",
                "type": "ordinal",
                "axis": {**NAMES, "labelExpr": "features[order[k][datum.value]]"},
            },
            "yOffset": {
                "field": "offset",
                "type": "quantitative",
                "scale": {"domain": [-0.6, 0.6]},
            },
            "color": {
                "condition": {
                    "test": MEASURED,
                    "field": "level",
                    "type": "quantitative",
                    "scale": {"domain": [0, 0.5, 1], "range": LOW_TO_HIGH, "interpolate": "rgb"},
                    "legend": {
                        "title": "Value of the feature",
                        "values": [0, 1],
                        "labelExpr": "datum.value == 0 ? 'low' : 'high'",
                        "gradientLength": 120,
                        "gradientThickness": 8,
                    },
                },
                "value": {"expr": f"isArray(levels[datum.f]) ? '{PURPLE}' : '{GREY}'"},
            },
            # The middle of the scale is grey too: what is missing has no filling.
            "fillOpacity": {"condition": {"test": MISSING, "value": 0}, "value": 0.85},
            "stroke": {"condition": {"test": MISSING, "value": GREY}, "value": "transparent"},
            "tooltip": tooltip(
                ("sample", "Sample", "text"),
                ("feature", "Feature", "text"),
                ("shown", "Value", "text"),
                ("shap", "Shapley value", "number"),
            ),
        },
    }
    page["figures"].append(
        figure(
            "beeswarm",
            "Every sample, every leading feature",
            spec,
            table="phi",
            datasets=["x"],
            params=["features", "order", "levels", "rows"],
            controls={"k": 0},
            caption=f"Each dot is a sample. Right: the feature moved its prediction {towards}. "
            f"Colour: low or high value of the feature in that sample{others}.",
        )
    )


def draw_dependence(
    page: Figures, explanation: ExplanationSummary, task: TaskFacts, towards: str
) -> None:
    """Draw Shapley value against feature value, for the feature chosen."""
    upwards = "a higher prediction" if task.kind == "regression" else towards
    samples = explanation.samples
    first = samples.explained[0] if samples.explained else 0
    page["controls"]["f"] = choices("Feature", samples.kept[:N_OFFERED])
    classes = [entry.name for entry in task.classes]
    colour = class_colours(classes) if classes else {"value": BLUE}
    told = ""
    if len(classes) > len(CLASS_COLOURS):
        told = " Orange: samples of the chosen class."
    elif classes:
        told = " Colour: the observed class."
    text = (
        "isArray(levels[f]) ? (isValid(levels[f][datum.value]) ? levels[f][datum.value] : '') "
        ": "
        "format(datum.value, '.4~g')"
    )
    spec: Spec = {
        "height": 380,
        "title": {
            "text": {"expr": "features[f]"},
            "orient": "bottom",
            "anchor": "middle",
            "offset": 4,
        },
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k && datum.f == f"},
            *join_x(),
            {"calculate": "sequence(length(datum.phi))", "as": "index"},
            {"flatten": ["phi", "x", "index"], "as": ["shap", "value", "s"]},
            {"filter": "isValid(datum.shap) && isValid(datum.value)"},
            {
                "calculate": "isArray(levels[f]) ? datum.value + (datum.s % 17 - 8) / 40 : "
                "datum.value",
                "as": "place",
            },
            {"calculate": "rows[datum.s]", "as": "sample"},
            {"calculate": "codes[datum.s]", "as": "code"},
            {"calculate": VALUE_TEXT, "as": "shown"},
        ],
        "mark": {"type": "circle", "size": 40, "opacity": 0.75, "cursor": "pointer"},
        "encoding": {
            "x": quantitative("place", None, axis={"labelExpr": text, "labelFlush": False}),
            "y": quantitative("shap", f"Shapley value ({explanation.scale})", axis=ZERO_LINE),
            "color": colour,
            **mark_chosen("s"),
            "tooltip": tooltip(
                ("sample", "Sample", "text"),
                ("shown", "Value", "text"),
                ("shap", "Shapley value", "number"),
            ),
        },
    }
    page["figures"].append(
        figure(
            "dependence",
            "Effect of one feature",
            spec,
            table="phi",
            datasets=["x"],
            params=["features", "levels", "rows", "classes", "codes"],
            controls={"k": 0, "f": 0, "s": first},
            marked=["s"],
            caption="Each dot is a sample: the feature's value (horizontal) and how far it moved "
            f"the prediction (up: {upwards})."
            + told
            + " Ringed: the sample shown in “One sample”. Samples with a missing value are not "
            "drawn.",
        )
    )
