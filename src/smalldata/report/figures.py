"""Figures of one cell: plain dict in, datasets and Vega-Lite specs out (see charts for the grammar).

Step in the line: summary of a cell -> **figures** -> HTML: what the model said of the held-out samples.
"""

from typing import Any

from smalldata.report.charts import (
    BLUE,
    INK,
    VERMILION,
    Figures,
    Spec,
    axis_names,
    curve_layers,
    data,
    dataset,
    diagonal,
    figure,
    quantitative,
    square_axis,
    step_height,
    swarm,
    tooltip,
)


def cell_figures(summary: dict[str, Any]) -> Figures:
    """Draw the curves, the confusion matrix and every sample.

    Returns
    -------
    dict
        ``datasets`` (by name), ``params`` (arrays of names), ``figures`` (in reading order), ``controls`` (signal ->
        select box).
    """
    outcomes, task = summary["outcomes"], summary["task"]
    page: Figures = {"datasets": {}, "params": {}, "figures": [], "controls": {}}
    if not outcomes:
        return page
    page["params"]["samples"] = [entry["id"] for entry in outcomes["samples"]]
    if task["kind"] == "regression":
        _observed_predicted(page, outcomes, task)
        return page
    classes = [entry["name"] for entry in task["classes"]]
    page["params"]["classes"] = classes
    if task["kind"] == "multiclass":
        page["controls"]["k"] = {
            "label": "Class",
            "options": [{"value": i, "text": name} for i, name in enumerate(classes)],
        }
    page["params"]["outputs"] = outcomes["outputs"]
    if "roc" in outcomes:
        _curves(page, outcomes, task)
    _confusion(page, outcomes, classes)
    _probabilities(page, outcomes, task)
    return page


def _curves(page: Figures, outcomes: dict[str, Any], task: dict[str, Any]) -> None:
    lookups = {"k": "outputs"}
    many = outcomes["n_repeats"] > 1
    spread = (
        "Thin lines: one per repeat; band: their range; thick line: their mean. " if many else ""
    )
    one = f"“{outcomes['outputs'][0]}”" if len(outcomes["outputs"]) == 1 else "the chosen class"
    for name, title, x_title, y_title, x_label, caption in (
        (
            "roc",
            "ROC curve",
            "False positive rate",
            "True positive rate",
            "x",
            f"The share of {one} that is found (up) at the price of the share of the others falsely called so (right). "
            f"{spread}Dashes: guessing.",
        ),
        (
            "precision_recall",
            "Precision and recall",
            "Recall",
            "Precision",
            "x",
            f"Of the samples called {one}, the share that is (up), when this share of {one} is to be found (right). {spread}"
            "Dashes: calling every sample.",
        ),
    ):
        curves = outcomes[name]
        mean = [{"k": k, **point} for k, curve in enumerate(curves) for point in curve["mean"]]
        lines = [
            {"k": k, "repeat": line["repeat"], "i": i, "x": x, "y": y}
            for k, curve in enumerate(curves)
            for line in curve["repeats"]
            for i, (x, y) in enumerate(zip(line["x"], line["y"], strict=True))
        ]
        page["datasets"][f"{name}_mean"] = dataset(
            mean,
            {"k": "Class", "x": x_title, "y": y_title, "low": "lowest repeat", "high": "highest repeat"},
            lookups=lookups,
        )
        page["datasets"][f"{name}_lines"] = dataset(
            lines,
            {"k": "Class", "repeat": "Repeat", "i": "", "x": x_title, "y": y_title},
            lookups=lookups,
        )
        if name == "roc":
            reference: list[Spec] = [diagonal()]
        else:
            page["datasets"]["prevalence"] = dataset(
                [{"k": k, "y": curve["prevalence"]} for k, curve in enumerate(curves)],
                {"k": "Class", "y": "Share of the samples"},
                lookups=lookups,
            )
            reference = [
                {
                    "data": data("prevalence"),
                    "transform": [{"filter": "datum.k == k"}],
                    "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.5},
                    "encoding": {"y": {"field": "y", "type": "quantitative"}},
                }
            ]
        page["figures"].append(
            figure(
                name,
                title,
                {
                    "height": 300,
                    "layer": curve_layers(
                        mean=f"{name}_mean", lines=f"{name}_lines", extra=reference, x_title=x_title, y_title=y_title
                    ),
                },
                table=f"{name}_mean",
                datasets=[f"{name}_lines", *(["prevalence"] if name != "roc" else [])],
                controls={"k": 0},
                caption=caption,
            )
        )
    _calibration(page, outcomes, one, lookups)


def _calibration(page: Figures, outcomes: dict[str, Any], one: str, lookups: dict[str, str]) -> None:
    pooled = [
        {"k": k, **point} for k, curve in enumerate(outcomes["calibration"]) for point in curve["pooled"]
    ]
    lines = [
        {"k": k, **point} for k, curve in enumerate(outcomes["calibration"]) for point in curve["lines"]
    ]
    labels = {"k": "Class", "predicted": "Predicted probability", "observed": "Observed share"}
    page["datasets"]["calibration"] = dataset(
        pooled,
        {**labels, "n": "Predictions"},
        lookups=lookups,
    )
    page["datasets"]["calibration_lines"] = dataset(
        lines, {**labels, "repeat": "Repeat", "n": "Predictions"}, lookups=lookups
    )
    x = square_axis("predicted", f"Predicted probability of {one}")
    y = square_axis("observed", "Observed share")
    keep = [{"filter": "datum.k == k"}]
    thin = {
        "data": data("calibration_lines"),
        "transform": keep,
        "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35, "color": BLUE},
        "encoding": {"x": x, "y": y, "detail": {"field": "repeat", "type": "nominal"}},
    }
    layers = [
        diagonal(),
        *([thin] if outcomes["n_repeats"] > 1 else []),
        {
            "data": data("calibration"),
            "transform": keep,
            "mark": {"type": "line", "strokeWidth": 2.5, "color": BLUE},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": data("calibration"),
            "transform": keep,
            "mark": {"type": "circle", "color": BLUE, "size": 70, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "tooltip": tooltip(
                    ("predicted", "Predicted", ".3f"),
                    ("observed", "Observed", ".3f"),
                    ("n", "Predictions", "d"),
                ),
            },
        },
    ]
    page["figures"].append(
        figure(
            "calibration",
            "Calibration",
            {"height": 300, "layer": layers},
            table="calibration",
            datasets=["calibration_lines"],
            controls={"k": 0},
            caption="Of the samples given such a probability, how many were in the class. On the dashes the "
            "probabilities can be taken at their word. Each point holds an equal number of predictions.",
        )
    )


def _confusion(page: Figures, outcomes: dict[str, Any], classes: list[str]) -> None:
    confusion = outcomes["confusion"]
    rows = [
        {"i": i, "j": j, "n": confusion["counts"][i][j], "share": confusion["shares"][i][j]}
        for i in range(len(classes))
        for j in range(len(classes))
    ]
    page["datasets"]["confusion"] = dataset(
        rows,
        {"i": "Observed", "j": "Predicted", "n": "Samples per repeat", "share": "Share of the observed class"},
        lookups={"i": "classes", "j": "classes"},
    )
    band = {"type": "ordinal", "scale": {"paddingInner": 0.04, "paddingOuter": 0}}
    narrow = {"labelLimit": 90, "domain": False, "ticks": False}
    slanted = {"labelAngle": -40} if len(classes) > 3 else {"labelAngle": 0}
    encoding = {
        "x": {"field": "j", **band, "axis": axis_names("classes", orient="top", **narrow, **slanted) | {"title": "Predicted"}},
        "y": {"field": "i", **band, "axis": axis_names("classes", **narrow) | {"title": "Observed"}},
    }
    number = {"calculate": "format(datum.n, '.3~r')", "as": "text"}
    spec: Spec = {
        "height": max(200, 44 * len(classes)),
        "data": data("confusion"),
        "encoding": encoding,
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 3},
                "encoding": {
                    "color": {"value": BLUE},
                    "opacity": {
                        "field": "share",
                        "type": "quantitative",
                        "scale": {"domain": [0, 1], "range": [0.05, 0.95]},
                        "legend": None,
                    },
                    "tooltip": tooltip(("n", "Samples per repeat", ".1~f"), ("share", "Share of the observed class", ".0%")),
                },
            },
            {
                "transform": [number],
                "mark": {"type": "text", "fontSize": 13, "fontWeight": 500},
                "encoding": {
                    "text": {"field": "text", "type": "nominal"},
                    "color": {"condition": {"test": "datum.share > 0.45", "value": "#ffffff"}, "value": INK},
                },
            },
        ],
    }
    page["figures"].append(
        figure(
            "confusion",
            "Confusion matrix",
            spec,
            table="confusion",
            params=["classes"],
            caption="Rows: what the samples are; columns: what the model called them; samples per repeat. "
            "The darker, the larger the share of the row.",
        )
    )


def _probabilities(page: Figures, outcomes: dict[str, Any], task: dict[str, Any]) -> None:
    codes = [1] if task["kind"] == "binary" else range(len(task["classes"]))
    rows = [
        {
            "s": s,
            "row": entry["row"],
            "observed": entry["observed"],
            "predicted": entry["predicted"],
            "n_wrong": entry["n_wrong"],
            "n_seen": entry["n_seen"],
            **{f"p{k}": entry["probabilities"][code] for k, code in enumerate(codes)},
        }
        for s, entry in enumerate(outcomes["samples"])
    ]
    names = outcomes["outputs"]
    page["datasets"]["samples"] = dataset(
        rows,
        {
            "s": "Sample",
            "row": "",
            "observed": "Observed",
            "predicted": "Predicted",
            "n_wrong": "Times wrong",
            "n_seen": "Times held out",
            **{f"p{k}": f"Probability of {name}" for k, name in enumerate(names)},
        },
        lookups={"s": "samples", "observed": "classes", "predicted": "classes"},
    )
    n_classes = len(task["classes"])
    crowd = max(entry["n"] for entry in task["classes"])
    spec: Spec = {
        "height": n_classes * (110 if crowd > 60 else 64) if n_classes <= 4 else n_classes * 46,
        "data": data("samples"),
        "transform": [
            {"calculate": "datum['p' + k]", "as": "p"},
            {"filter": "isValid(datum.p)"},
            *swarm("p", ["observed"], bins=60),
            {"calculate": "samples[datum.s]", "as": "sample"},
            {"calculate": "classes[datum.observed]", "as": "was"},
            {"calculate": "classes[datum.predicted]", "as": "called"},
            {"calculate": "datum.observed == datum.predicted ? 0 : 1", "as": "wrong"},
        ],
        "mark": {"type": "circle", "size": 34, "opacity": 0.8, "cursor": "pointer"},
        "encoding": {
            "x": quantitative("p", "Mean out-of-fold probability", scale={"domain": [0, 1]}),
            "y": {"field": "observed", "type": "ordinal", "axis": axis_names("classes", labelLimit=110, title="Observed", grid=False)},
            "yOffset": {"field": "offset", "type": "quantitative", "scale": {"domain": [-0.55, 0.55]}},
            "color": {
                "field": "wrong",
                "type": "ordinal",
                "scale": {"domain": [0, 1], "range": [BLUE, VERMILION]},
                "legend": {"title": None, "labelExpr": "datum.value == 0 ? 'called right' : 'called wrong'"},
            },
            "tooltip": tooltip(
                ("sample", "Sample", "text"),
                ("was", "Observed", "text"),
                ("called", "Predicted", "text"),
                ("p", "Probability", ".3f"),
                ("n_wrong", "Times wrong", "d"),
                ("n_seen", "Times held out", "d"),
            ),
        },
    }
    of_class = f"“{names[0]}”" if len(names) == 1 else "the chosen class"
    page["figures"].append(
        figure(
            "probabilities",
            "Every sample",
            spec,
            table="samples",
            params=["samples", "classes"],
            controls={"k": 0},
            caption=f"Probability of {of_class} that models gave which had not seen the sample (mean over repeats). "
            "Point at a dot for its sample; a click shows that sample's explanation.",
        )
    )


def _observed_predicted(page: Figures, outcomes: dict[str, Any], task: dict[str, Any]) -> None:
    rows = [
        {
            "s": s,
            "row": entry["row"],
            "observed": entry["observed"],
            "predicted": entry["predicted"],
            "sd": entry["sd"],
            "residual": float(f"{entry['predicted'] - entry['observed']:.5g}"),
        }
        for s, entry in enumerate(outcomes["samples"])
    ]
    page["datasets"]["samples"] = dataset(
        rows,
        {
            "s": "Sample",
            "row": "",
            "observed": "Observed",
            "predicted": "Predicted (mean over repeats)",
            "sd": "SD over repeats",
            "residual": "Predicted − observed",
        },
        lookups={"s": "samples"},
    )
    ends = [value for row in rows for value in (row["observed"], row["predicted"])]
    low, high = min(ends), max(ends)
    scale = {"domain": [low, high], "nice": True}
    name = {"calculate": "samples[datum.s]", "as": "sample"}
    hover = tooltip(
        ("sample", "Sample", "text"),
        ("observed", "Observed", "number"),
        ("predicted", "Predicted", "number"),
        ("sd", "SD over repeats", "number"),
    )
    mark = {"type": "circle", "size": 44, "opacity": 0.7, "color": BLUE, "cursor": "pointer"}
    line: Spec = {
        "data": {"values": [{"x": low, "y": low}, {"x": high, "y": high}]},
        "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1, "opacity": 0.5, "color": INK},
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
    }
    page["figures"].append(
        figure(
            "observed_predicted",
            "Predicted against observed",
            {
                "height": 340,
                "layer": [
                    line,
                    {
                        "data": data("samples"),
                        "transform": [name],
                        "mark": mark,
                        "encoding": {
                            "x": quantitative("observed", "Observed", scale=scale),
                            "y": quantitative("predicted", "Predicted", scale=scale),
                            "tooltip": hover,
                        },
                    },
                ],
            },
            table="samples",
            params=["samples"],
            caption=f"{task['target']}: each dot is a sample, predicted by models that had not seen it (mean over "
            "repeats). On the dashes the prediction is right. A click shows that sample's explanation.",
        )
    )
    page["figures"].append(
        figure(
            "residuals",
            "Errors",
            {
                "height": 340,
                "layer": [
                    {
                        "data": {"values": [{"y": 0}]},
                        "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.5},
                        "encoding": {"y": {"field": "y", "type": "quantitative"}},
                    },
                    {
                        "data": data("samples"),
                        "transform": [name],
                        "mark": mark,
                        "encoding": {
                            "x": quantitative("predicted", "Predicted"),
                            "y": quantitative("residual", "Predicted − observed"),
                            "tooltip": hover,
                        },
                    },
                ],
            },
            table="samples",
            params=["samples"],
            caption="A slope or a curve here is structure that the model has missed.",
        )
    )
