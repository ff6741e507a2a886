"""Shapley values sample by sample: beeswarm, dependence, waterfall.

Step in the line: summary of an explanation -> **figures** -> HTML. The values travel once, as one
row per output and feature with one entry per sample; each figure unfolds what it needs.
"""

from typing import Any

from smalldata.report.figures.grammar import (
    BLUE,
    CLASS_COLOURS,
    GREY,
    GRID_OPACITY,
    LOW_TO_HIGH,
    VERMILION,
    Figures,
    Spec,
    data,
    figure,
    legend_columns,
    quantitative,
    rows_height,
    swarm,
    tooltip,
)
from smalldata.report.figures.importance import NAMES, draw_blocks, draw_importance
from smalldata.report.plain import format_percent

ZERO_LINE = {
    "gridOpacity": {"condition": {"test": "datum.value === 0", "value": 0.6}, "value": GRID_OPACITY}
}
"""Axis whose line at zero stands out."""


N_WATERFALL = 12
"""Features named in a waterfall; the others are one bar."""


_VALUE_TEXT = (
    "!isValid(datum.value) ? 'missing' : isArray(levels[datum.f]) ? "
    "levels[datum.f][datum.value] : format(datum.value, '.4~g')"
)


def explanation_figures(summary: dict[str, Any]) -> Figures:
    """Draw importance, beeswarm, dependence and waterfall, and several blocks."""
    explanation, task = summary["explanation"], summary["task"]
    page: Figures = {"datasets": {}, "params": {}, "figures": [], "controls": {}}
    if explanation is None:
        return page
    outputs = explanation["outputs"]
    several = len(outputs) > 1
    towards = _towards(task, explanation)
    kept = explanation["kept"]
    page["params"] |= {
        "features": kept,
        "outputs": outputs,
        "order": explanation["order"],
        "levels": explanation["levels"],
        "base": explanation["base"],
        "final": explanation["final"],
    }
    page["params"]["rest"] = explanation["rest"]
    page["datasets"]["phi"] = {
        "columns": [],
        "data": {
            "k": [k for k in range(len(outputs)) for _ in kept],
            "f": [f for _ in outputs for f in range(len(kept))],
            "phi": [values for output in explanation["phi"] for values in output],
        },
    }
    page["datasets"]["x"] = {
        "columns": [],
        "data": {
            "f": list(range(len(kept))),
            "x": explanation["x"],
            "low5": explanation["low5"],
            "high95": explanation["high95"],
        },
    }
    if several:
        page["controls"]["k"] = {
            "label": "Class",
            "options": [{"value": i, "text": name} for i, name in enumerate(outputs)],
        }
    draw_importance(page, explanation, several)
    _beeswarm(page, explanation, towards)
    _dependence(page, explanation, task, towards)
    _waterfall(page, summary)
    if explanation["blocks"]:
        draw_blocks(page, explanation)
    return page


def _towards(task: dict[str, Any], explanation: dict[str, Any]) -> str:
    if task["kind"] == "regression":
        return "up"
    if len(explanation["outputs"]) == 1:
        return f"towards {explanation['outputs'][0]}"
    return "towards the chosen class"


def _join_x() -> list[Spec]:
    fields = ["x", "low5", "high95"]
    return [{"lookup": "f", "from": {"data": data("x"), "key": "f", "fields": fields}}]


def _beeswarm(page: Figures, explanation: dict[str, Any], towards: str) -> None:
    n_rows = len(explanation["order"][0])
    spec: Spec = {
        "height": rows_height(n_rows, 25, extra=110),
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k && indexof(order[k], datum.f) >= 0"},
            *_join_x(),
            {"calculate": "sequence(length(datum.phi))", "as": "index"},
            {"flatten": ["phi", "x", "index"], "as": ["shap", "value", "s"]},
            {"filter": "isValid(datum.shap)"},
            {"calculate": "indexof(order[k], datum.f)", "as": "place"},
            *swarm("shap", ["f"], bins=90),
            {
                "calculate": "isValid(datum.value) ? clamp((datum.value - datum.low5) / "
                "(datum.high95 - datum.low5), 0, 1) : null",
                "as": "level",
            },
            {"calculate": "features[datum.f]", "as": "feature"},
            {"calculate": "rows[datum.s]", "as": "sample"},
            {"calculate": _VALUE_TEXT, "as": "shown"},
        ],
        "mark": {"type": "circle", "size": 20, "opacity": 0.85, "cursor": "pointer"},
        "encoding": {
            "x": quantitative("shap", f"Shapley value ({explanation['scale']})", axis=ZERO_LINE),
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
                    "test": "isValid(datum.level)",
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
                "value": GREY,
            },
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
            caption=f"A dot is a sample. Right: this feature moved its prediction {towards}. "
            "Colour: whether the "
            "feature's value was low or high in that sample (grey: missing).",
        )
    )


def _dependence(
    page: Figures, explanation: dict[str, Any], task: dict[str, Any], towards: str
) -> None:
    upwards = "a higher prediction" if task["kind"] == "regression" else towards
    n_offered = min(12, len(explanation["kept"]))
    page["controls"]["f"] = {
        "label": "Feature",
        "options": [{"value": f, "text": explanation["kept"][f]} for f in range(n_offered)],
    }
    classes = [entry["name"] for entry in task["classes"]]
    colour: Spec = {"value": BLUE}
    told = ""
    if len(classes) > len(CLASS_COLOURS):
        colour = {"condition": {"test": "datum.code == k", "value": VERMILION}, "value": GREY}
        told = " Red: samples of the chosen class."
    elif classes:
        colour = {
            "field": "code",
            "type": "ordinal",
            "scale": {"domain": list(range(len(classes))), "range": CLASS_COLOURS[: len(classes)]},
            "legend": {
                "title": None,
                "labelExpr": "classes[datum.value]",
                "columns": legend_columns(classes),
            },
        }
        told = " Colour: the observed class."
    text = (
        "isArray(levels[f]) ? (isValid(levels[f][datum.value]) ? levels[f][datum.value] : '') "
        ": "
        "format(datum.value, '.4~g')"
    )
    spec: Spec = {
        "height": 320,
        "title": {
            "text": {"expr": "features[f]"},
            "orient": "bottom",
            "anchor": "middle",
            "offset": 4,
        },
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k && datum.f == f"},
            *_join_x(),
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
            {"calculate": _VALUE_TEXT, "as": "shown"},
        ],
        "mark": {"type": "circle", "size": 40, "opacity": 0.75, "cursor": "pointer"},
        "encoding": {
            "x": quantitative("place", None, axis={"labelExpr": text, "labelFlush": False}),
            "y": quantitative("shap", f"Shapley value ({explanation['scale']})", axis=ZERO_LINE),
            "color": colour,
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
            "What the model made of one feature",
            spec,
            table="phi",
            datasets=["x"],
            params=["features", "levels", "rows", "classes", "codes"],
            controls={"k": 0, "f": 0},
            caption="Each dot is a sample: the feature's value (right) and how far it moved the "
            f"prediction (up: {upwards})."
            + told
            + " Samples whose value is missing are not drawn.",
        )
    )


def _waterfall(page: Figures, summary: dict[str, Any]) -> None:
    explanation, outcomes = summary["explanation"], summary["outcomes"]
    explained = explanation["explained"]
    known = {entry["row"]: entry for entry in outcomes.get("samples", [])}
    classes = [entry["name"] for entry in summary["task"]["classes"]]
    page["controls"]["s"] = {
        "label": "Sample",
        "options": [
            {"value": row, "text": _sample_text(known[row], classes)}
            for row in explained
            if row in known
        ],
    }
    bar = {"height": {"band": 0.7}}
    label = (
        f"datum.g > {N_WATERFALL} ? 'all other features' : features[datum.f] + ' = ' + "
        f"({_VALUE_TEXT})"
    )
    spec: Spec = {
        "height": rows_height(N_WATERFALL + 1, 24, extra=85),
        "title": {
            "offset": 12,
            "text": {
                "expr": "'Mean prediction ' + format(base[k][s], '.3~r') + ', this sample ' + "
                "format(final[k][s], '.3~r')"
            },
        },
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k"},
            *_join_x(),
            {"calculate": "datum.phi[s]", "as": "shap"},
            {"calculate": "datum.x[s]", "as": "value"},
            {"filter": "isValid(datum.shap)"},
            {"calculate": "abs(datum.shap)", "as": "size"},
            {
                "window": [{"op": "row_number", "as": "place"}],
                "sort": [{"field": "size", "order": "descending"}],
            },
            {"calculate": f"min(datum.place, {N_WATERFALL + 1})", "as": "g"},
            {
                "aggregate": [
                    {"op": "sum", "field": "shap", "as": "sum"},
                    {"op": "min", "field": "f", "as": "f"},
                    {"op": "min", "field": "value", "as": "value"},
                ],
                "groupby": ["g"],
            },
            {"calculate": f"datum.sum + (datum.g > {N_WATERFALL} ? rest[k][s] : 0)", "as": "shap"},
            {
                "window": [{"op": "sum", "field": "shap", "as": "total"}],
                "sort": [{"field": "g", "order": "ascending"}],
            },
            {"calculate": "base[k][s] + datum.total", "as": "end"},
            {"calculate": "datum.end - datum.shap", "as": "start"},
            {"calculate": label, "as": "label"},
            {
                "calculate": "(datum.shap < 0 ? '−' : '+') + format(abs(datum.shap), '.3~r')",
                "as": "text",
            },
            {"calculate": "datum.shap < 0 ? 0 : 1", "as": "up"},
        ],
        "encoding": {
            "y": {
                "field": "label",
                "type": "nominal",
                "sort": {"field": "g", "op": "min"},
                "axis": {**NAMES, "labelLimit": 150},
            }
        },
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadius": 2, **bar},
                "encoding": {
                    "x": quantitative(
                        "start", f"Prediction ({explanation['scale']})", scale={"padding": 34}
                    ),
                    "x2": {"field": "end"},
                    "color": {
                        "field": "up",
                        "type": "ordinal",
                        "scale": {"domain": [1, 0], "range": [VERMILION, BLUE]},
                        "legend": {
                            "title": None,
                            "labelExpr": "datum.value == 1 ? 'raises' : 'lowers'",
                        },
                    },
                    "tooltip": tooltip(
                        ("label", "Feature", "text"),
                        ("shap", "Shapley value", "number"),
                        ("start", "Prediction before", "number"),
                        ("end", "Prediction after", "number"),
                    ),
                },
            },
            {
                "transform": [{"calculate": "max(datum.start, datum.end)", "as": "right"}],
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
                "encoding": {
                    "x": quantitative("right"),
                    "text": {"field": "text", "type": "nominal"},
                },
            },
        ],
    }
    others = explanation["n_features"] - N_WATERFALL
    page["figures"].append(
        figure(
            "waterfall",
            "One sample",
            spec,
            table="phi",
            datasets=["x"],
            params=["features", "levels", "rest", "base", "final"],
            controls={"k": 0, "s": explained[0] if explained else 0},
            caption="From the mean prediction (top) feature by feature to this sample's own "
            "(bottom)."
            + (
                f" The {N_WATERFALL} strongest features; the other {others} are one bar."
                if others > 0
                else ""
            ),
        )
    )


def _sample_text(entry: dict[str, Any], classes: list[str]) -> str:
    if not classes:
        return f"{entry['id']} · observed {entry['observed']:g}, predicted {entry['predicted']:g}"
    sure = format_percent(max(entry["probabilities"]))
    return (
        f"{entry['id']} · {classes[entry['observed']]}, called {classes[entry['predicted']]} "
        f"({sure})"
    )
