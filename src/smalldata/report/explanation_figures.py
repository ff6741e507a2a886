"""Figures of an explanation: importance, beeswarm, dependence, waterfall and blocks (see charts for the grammar).

Step in the line: summary of a cell -> **figures of its Shapley values** -> HTML. The values travel once, as one row per
output and feature with one entry per sample; each figure unfolds what it needs.
"""

from typing import Any

from smalldata.report.charts import (
    BLUE,
    CLASS_COLOURS,
    GREY,
    GRID_OPACITY,
    LOW_TO_HIGH,
    VERMILION,
    Figures,
    Spec,
    axis_names,
    data,
    dataset,
    figure,
    quantitative,
    step_height,
    swarm,
    tooltip,
)
from smalldata.report.plain import format_percent

NAMES = {"title": None, "domain": False, "ticks": False, "labelPadding": 6}
"""Axis that names rows."""

ZERO_LINE = {
    "gridOpacity": {"condition": {"test": "datum.value === 0", "value": 0.6}, "value": GRID_OPACITY}
}
"""Axis whose line at zero stands out."""

N_WATERFALL = 12
"""Features named in a waterfall; the others are one bar."""


def explanation_figures(summary: dict[str, Any]) -> Figures:
    """Draw importance, beeswarm, dependence and waterfall, and the blocks where there are several."""
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
    page["params"]["n_rest"] = explanation["n_rest"]
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
    _importance(page, explanation, several)
    _beeswarm(page, explanation, towards)
    _dependence(page, explanation, task, towards)
    _waterfall(page, summary, towards)
    if explanation["blocks"]:
        _blocks(page, explanation)
    return page


def _towards(task: dict[str, Any], explanation: dict[str, Any]) -> str:
    if task["kind"] == "regression":
        return "higher prediction"
    if len(explanation["outputs"]) == 1:
        return f"towards {explanation['outputs'][0]}"
    return "towards the chosen class"


def _importance(page: Figures, explanation: dict[str, Any], several: bool) -> None:
    position = {j: f for f, j in enumerate(explanation["kept_index"])}
    for code, (name, title, control) in enumerate(
        (("importance", "Importance", "k"), ("importance_all", "Importance over all classes", ""))
    ):
        if code and not several:
            continue
        n_outputs = len(explanation["outputs"])
        lists = explanation["importance"][:n_outputs] if not code else explanation["importance"][-1:]
        rows = [
            {"k": k, "place": place, "f": position[entry["feature"]], **{key: entry[key] for key in ("mean", "low", "high")}}
            for k, entries in enumerate(lists)
            for place, entry in enumerate(entries)
            if entry["feature"] in position
        ]
        page["datasets"][name] = dataset(
            rows,
            {
                **({"k": "Class"} if not code else {"k": ""}),
                "place": "",
                "f": "Feature",
                "mean": "Mean |Shapley value|",
                "low": "10th percentile of folds",
                "high": "90th percentile of folds",
            },
            lookups={"f": "features", "k": "outputs"},
        )
        n_rows = len(lists[0])
        labels = "features[order[k][datum.value]]" if not code else "features[datum.value]"
        y = {
            "field": "place",
            "type": "ordinal",
            "axis": {**NAMES, "labelExpr": labels},
            "scale": {"paddingInner": 0.25},
        }
        x_title = f"Mean |Shapley value| ({explanation['scale']})"
        spec: Spec = {
            "height": step_height(n_rows),
            "data": data(name),
            "transform": [
                *([{"filter": "datum.k == k"}] if control else []),
                {"calculate": "features[datum.f]", "as": "feature"},
            ],
            "encoding": {"y": y},
            "layer": [
                {
                    "mark": {"type": "bar", "color": BLUE, "opacity": 0.85, "cornerRadiusEnd": 2},
                    "encoding": {
                        "x": quantitative("mean", x_title, zero=True),
                        "tooltip": tooltip(
                            ("feature", "Feature", "text"),
                            ("mean", "Mean", "number"),
                            ("low", "10th percentile", "number"),
                            ("high", "90th percentile", "number"),
                        ),
                    },
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5},
                    "encoding": {"x": quantitative("low", x_title, zero=True), "x2": {"field": "high"}},
                },
            ],
        }
        n_all = explanation["n_features"]
        cut = f" The first {n_rows} of {n_all} features." if n_all > n_rows else ""
        page["figures"].append(
            figure(
                name,
                title,
                spec,
                table=name,
                params=["features", "order"],
                controls={"k": 0} if control else {},
                caption="How far a feature moves the prediction on average. Line: from the 10th to the 90th percentile "
                f"of the {explanation['n_folds']} folds.{cut}",
            )
        )


def _join_x() -> list[Spec]:
    fields = ["x", "low5", "high95"]
    return [{"lookup": "f", "from": {"data": data("x"), "key": "f", "fields": fields}}]


_VALUE_TEXT = (
    "!isValid(datum.value) ? 'missing' : isArray(levels[datum.f]) ? levels[datum.f][datum.value] : format(datum.value, '.4~g')"
)


def _beeswarm(page: Figures, explanation: dict[str, Any], towards: str) -> None:
    n_rows = len(explanation["order"][0])
    spec: Spec = {
        "height": step_height(n_rows, 27),
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
                "calculate": "isValid(datum.value) ? clamp((datum.value - datum.low5) / (datum.high95 - datum.low5), 0, 1) : null",
                "as": "level",
            },
            {"calculate": "features[datum.f]", "as": "feature"},
            {"calculate": "rows[datum.s]", "as": "sample"},
            {"calculate": _VALUE_TEXT, "as": "shown"},
        ],
        "mark": {"type": "circle", "size": 16, "opacity": 0.85, "cursor": "pointer"},
        "encoding": {
            "x": quantitative(
                "shap", f"Shapley value ({explanation['scale']}), right: {towards}", axis=ZERO_LINE
            ),
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
            caption="A dot is a sample. Right: this feature moved its prediction up; left: down. Colour: whether the "
            "feature's value was low or high in that sample (grey: missing).",
        )
    )


def _dependence(page: Figures, explanation: dict[str, Any], task: dict[str, Any], towards: str) -> None:
    n_offered = min(12, len(explanation["kept"]))
    page["controls"]["f"] = {
        "label": "Feature",
        "options": [{"value": f, "text": explanation["kept"][f]} for f in range(n_offered)],
    }
    classes = [entry["name"] for entry in task["classes"]]
    colour: Spec = {"value": BLUE}
    if classes:
        colour = {
            "field": "code",
            "type": "ordinal",
            "scale": {"domain": list(range(len(classes))), "range": (CLASS_COLOURS * (1 + len(classes) // 7))[: len(classes)]},
            "legend": {"title": None, "labelExpr": "classes[datum.value]", "columns": 3},
        }
    text = "isArray(levels[f]) ? (isValid(levels[f][datum.value]) ? levels[f][datum.value] : '') : format(datum.value, '.4~g')"
    spec: Spec = {
        "height": 320,
        "title": {"text": {"expr": "features[f]"}, "orient": "bottom", "anchor": "middle", "offset": 4},
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k && datum.f == f"},
            *_join_x(),
            {"calculate": "sequence(length(datum.phi))", "as": "index"},
            {"flatten": ["phi", "x", "index"], "as": ["shap", "value", "s"]},
            {"filter": "isValid(datum.shap) && isValid(datum.value)"},
            {"calculate": "isArray(levels[f]) ? datum.value + (datum.s % 17 - 8) / 40 : datum.value", "as": "place"},
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
            caption=f"Each dot is a sample: the feature's value (right) and how far it moved the prediction (up: {towards})."
            + (" Colour: the observed class." if classes else "")
            + " Samples whose value is missing are not drawn.",
        )
    )


def _waterfall(page: Figures, summary: dict[str, Any], towards: str) -> None:
    explanation, outcomes = summary["explanation"], summary["outcomes"]
    explained = explanation["explained"]
    known = {entry["row"]: entry for entry in outcomes.get("samples", [])}
    classes = [entry["name"] for entry in summary["task"]["classes"]]
    page["controls"]["s"] = {
        "label": "Sample",
        "options": [{"value": row, "text": _sample_text(known[row], classes)} for row in explained if row in known],
    }
    bar = {"height": {"band": 0.7}}
    label = f"datum.g > {N_WATERFALL} ? 'all other features' : features[datum.f] + ' = ' + ({_VALUE_TEXT})"
    spec: Spec = {
        "height": step_height(N_WATERFALL + 1, 26),
        "title": {
            "text": {
                "expr": "'Mean prediction ' + format(base[k][s], '.3~r') + ', this sample ' + format(final[k][s], '.3~r')"
            }
        },
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k"},
            *_join_x(),
            {"calculate": "datum.phi[s]", "as": "shap"},
            {"calculate": "datum.x[s]", "as": "value"},
            {"filter": "isValid(datum.shap)"},
            {"calculate": "abs(datum.shap)", "as": "size"},
            {"window": [{"op": "row_number", "as": "place"}], "sort": [{"field": "size", "order": "descending"}]},
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
            {"window": [{"op": "sum", "field": "shap", "as": "total"}], "sort": [{"field": "g", "order": "ascending"}]},
            {"calculate": "base[k][s] + datum.total", "as": "end"},
            {"calculate": "datum.end - datum.shap", "as": "start"},
            {"calculate": label, "as": "label"},
            {"calculate": "(datum.shap < 0 ? '−' : '+') + format(abs(datum.shap), '.3~r')", "as": "text"},
            {"calculate": "datum.shap < 0 ? 0 : 1", "as": "up"},
        ],
        "encoding": {
            "y": {
                "field": "label",
                "type": "nominal",
                "sort": {"field": "g", "op": "min"},
                "axis": {**NAMES, "labelLimit": 190},
            }
        },
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadius": 2, **bar},
                "encoding": {
                    "x": quantitative("start", f"Prediction ({explanation['scale']})"),
                    "x2": {"field": "end"},
                    "color": {
                        "field": "up",
                        "type": "ordinal",
                        "scale": {"domain": [1, 0], "range": [VERMILION, BLUE]},
                        "legend": {"title": None, "labelExpr": "datum.value == 1 ? 'raises the prediction' : 'lowers it'"},
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
                "encoding": {"x": quantitative("right"), "text": {"field": "text", "type": "nominal"}},
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
            caption="From the mean prediction (top) feature by feature to this sample's own (bottom)."
            + (f" The {N_WATERFALL} strongest features; the other {others} are one bar." if others > 0 else ""),
        )
    )


def _sample_text(entry: dict[str, Any], classes: list[str]) -> str:
    if not classes:
        return f"{entry['id']} · observed {entry['observed']:g}, predicted {entry['predicted']:g}"
    sure = format_percent(max(entry["probabilities"]))
    return f"{entry['id']} · {classes[entry['observed']]}, called {classes[entry['predicted']]} ({sure})"


def _blocks(page: Figures, explanation: dict[str, Any]) -> None:
    page["params"]["blocks"] = [entry["name"] for entry in explanation["blocks"]]
    rows = [
        {"b": b, **{key: round(entry[key], 4) for key in ("share", "low", "high")}, "n": entry["n_features"]}
        for b, entry in enumerate(explanation["blocks"])
    ]
    page["datasets"]["blocks"] = dataset(
        rows,
        {"b": "Block", "share": "Share", "low": "10th percentile of folds", "high": "90th percentile of folds", "n": "Features"},
        lookups={"b": "blocks"},
    )
    x_title = "Share of all |Shapley value|"
    percent = {"axis": {"format": ".0%"}, "zero": True}
    page["figures"].append(
        figure(
            "blocks",
            "Blocks",
            {
                "height": step_height(len(rows), 30),
                "data": data("blocks"),
                "encoding": {"y": {"field": "b", "type": "ordinal", "axis": axis_names("blocks", domain=False, ticks=False)}},
                "layer": [
                    {
                        "mark": {"type": "bar", "color": BLUE, "opacity": 0.85, "height": {"band": 0.7}},
                        "encoding": {
                            "x": quantitative("share", x_title, **percent),
                            "tooltip": tooltip(("share", "Share", ".1%"), ("n", "Features", "d")),
                        },
                    },
                    {
                        "mark": {"type": "rule", "strokeWidth": 1.5},
                        "encoding": {"x": quantitative("low", x_title, **percent), "x2": {"field": "high"}},
                    },
                ],
            },
            table="blocks",
            params=["blocks"],
            caption="How much of the prediction each block of features carries. Line: 10th to 90th percentile of the folds.",
        )
    )
