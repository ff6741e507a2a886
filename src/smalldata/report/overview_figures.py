"""Figures of a comparison: plain dict in, datasets and Vega-Lite specs out (see charts for the grammar).

Step in the line: summary of a comparison -> **figures** -> HTML.
"""

from typing import Any

from smalldata.report.charts import (
    BLUE,
    CLASS_COLOURS,
    GREY,
    INK,
    ORANGE,
    Figures,
    Spec,
    axis_names,
    data,
    dataset,
    diagonal,
    figure,
    quantitative,
    square_axis,
    step_height,
    tooltip,
)

def comparison_figures(summary: dict[str, Any]) -> Figures:
    """Draw scores with intervals, differences to the best, folds, curves, seconds and learning curves."""
    page: Figures = {"datasets": {}, "params": {}, "figures": [], "controls": {}}
    page["params"]["models"] = [cell["label"] for cell in summary["cells"]]
    page["params"]["measures"] = [measure["title"] for measure in summary["measures"]]
    page["controls"]["m"] = {
        "label": "Measure",
        "options": [{"value": m, "text": f"{measure['title']} ({measure['better']} is better)"} for m, measure in enumerate(summary["measures"])],
    }
    _scores(page, summary)
    _differences(page, summary)
    if summary["fold_scores"]:
        _folds(page, summary)
    if summary["curves"].get("labels"):
        _curves(page, summary["curves"])
    if len({cell["train_size"] for cell in summary["cells"] if cell["rank"] is not None}) > 1:
        _learning_curve(page, summary)
    _seconds(page, summary)
    return page


def _model_axis(n: int) -> Spec:
    return {
        "field": "c",
        "type": "ordinal",
        "axis": axis_names("models", domain=False, ticks=False, labelPadding=6, labelLimit=130),
        "scale": {"paddingInner": 0.3},
        "sort": list(range(n)),
    }


def _scores(page: Figures, summary: dict[str, Any]) -> None:
    rows = []
    for m, measure in enumerate(summary["measures"]):
        for c, cell in enumerate(summary["cells"]):
            score = cell["scores"].get(measure["name"])
            if score is not None and score["mean"] is not None:
                ends = {key: score["mean"] if score[key] is None else score[key] for key in ("low", "high")}
                rows.append({"m": m, "c": c, "mean": score["mean"], **ends, "tied": int(cell["tied"] or cell["rank"] == 1)})
    page["datasets"]["scores"] = dataset(
        rows,
        {"m": "Measure", "c": "Model", "mean": "Mean", "low": "Interval from", "high": "Interval to", "tied": ""},
        lookups={"m": "measures", "c": "models"},
    )
    n = len(summary["cells"])
    colour = {
        "condition": {"test": "datum.tied == 1", "value": BLUE},
        "value": GREY,
    }
    page["figures"].append(
        figure(
            "scores",
            "Scores with their intervals",
            {
                "height": step_height(n, 32),
                "data": data("scores"),
                "transform": [{"filter": "datum.m == m"}, {"calculate": "models[datum.c]", "as": "model"}],
                "encoding": {"y": _model_axis(n), "color": colour},
                "layer": [
                    {
                        "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55},
                        "encoding": {"x": quantitative("low"), "x2": {"field": "high"}},
                    },
                    {
                        "mark": {"type": "circle", "size": 120, "opacity": 1},
                        "encoding": {
                            "x": quantitative("mean"),
                            "tooltip": tooltip(
                                ("model", "Model", "text"), ("mean", "Mean", ".3f"), ("low", "From", ".3f"), ("high", "To", ".3f")
                            ),
                        },
                    },
                ],
            },
            table="scores",
            params=["models", "measures"],
            controls={"m": 0},
            caption="Dot: mean over the folds; bar: 95 % interval, corrected for folds that share training samples. "
            "Blue: the best of the primary measure and all that are tied with it.",
        )
    )


def _differences(page: Figures, summary: dict[str, Any]) -> None:
    rows = [
        {"c": c, **{key: cell["versus_best"][key] for key in ("difference", "low", "high", "p_holm", "rope")}}
        for c, cell in enumerate(summary["cells"])
        if cell["versus_best"] is not None
    ]
    if not rows:
        return
    page["datasets"]["differences"] = dataset(
        rows,
        {
            "c": "Model",
            "difference": "Difference to the best",
            "low": "Interval from",
            "high": "Interval to",
            "p_holm": "p (Holm)",
            "rope": "",
        },
        lookups={"c": "models"},
    )
    rope = rows[0]["rope"]
    title = f"Difference in {summary['measure']['title']} to the best"
    page["figures"].append(
        figure(
            "differences",
            "Is the difference real?",
            {
                "height": step_height(len(rows), 32),
                "layer": [
                    {
                        "data": {"values": [{"a": -rope, "b": rope}]},
                        "mark": {"type": "rect", "opacity": 0.18, "color": ORANGE},
                        "encoding": {"x": quantitative("a", title), "x2": {"field": "b"}},
                    },
                    {
                        "data": {"values": [{"a": 0}]},
                        "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6},
                        "encoding": {"x": quantitative("a", title)},
                    },
                    {
                        "data": data("differences"),
                        "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55, "color": BLUE},
                        "encoding": {
                            "y": _model_axis(len(summary["cells"])),
                            "x": quantitative("low", title),
                            "x2": {"field": "high"},
                        },
                    },
                    {
                        "data": data("differences"),
                        "transform": [{"calculate": "models[datum.c]", "as": "model"}],
                        "mark": {"type": "circle", "size": 120, "opacity": 1, "color": BLUE},
                        "encoding": {
                            "y": _model_axis(len(summary["cells"])),
                            "x": quantitative("difference", title),
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("difference", "Difference", ".3f"),
                                ("low", "From", ".3f"),
                                ("high", "To", ".3f"),
                                ("p_holm", "p (Holm)", ".2~g"),
                            ),
                        },
                    },
                ],
            },
            table="differences",
            params=["models"],
            caption="Each model minus the best, fold by fold, with the corrected 95 % interval. An interval that reaches the "
            "dashes is a tie. Orange: differences too small to matter.",
        )
    )


def _folds(page: Figures, summary: dict[str, Any]) -> None:
    page["datasets"]["folds"] = dataset(
        summary["fold_scores"],
        {"m": "Measure", "c": "Model", "repeat": "Repeat", "fold": "Fold", "value": "Score"},
        lookups={"m": "measures", "c": "models"},
    )
    n = len(summary["cells"])
    page["figures"].append(
        figure(
            "folds",
            "Every fold",
            {
                "height": step_height(n, 36),
                "data": data("folds"),
                "transform": [
                    {"filter": "datum.m == m"},
                    {"calculate": "models[datum.c]", "as": "model"},
                    {"calculate": "((datum.repeat * 7 + datum.fold * 3) % 11 - 5) / 12", "as": "offset"},
                ],
                "encoding": {"y": _model_axis(n)},
                "layer": [
                    {
                        "mark": {"type": "circle", "size": 40, "opacity": 0.55, "color": BLUE},
                        "encoding": {
                            "x": quantitative("value"),
                            "yOffset": {"field": "offset", "type": "quantitative", "scale": {"domain": [-0.7, 0.7]}},
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("value", "Score", ".3f"),
                                ("repeat", "Repeat", "d"),
                                ("fold", "Fold", "d"),
                            ),
                        },
                    },
                    {
                        "mark": {"type": "tick", "orient": "vertical", "thickness": 3, "color": INK, "size": 26},
                        "encoding": {"x": {**quantitative("value"), "aggregate": "mean"}},
                    },
                ],
            },
            table="folds",
            params=["models", "measures"],
            controls={"m": 0},
            caption="A dot is the score of one held-out fold; the line is their mean. All models were tested on the same folds.",
        )
    )


def _model_colour(n: int, *, legend: bool = True) -> Spec:
    return {
        "field": "c",
        "type": "ordinal",
        "scale": {"domain": list(range(n)), "range": CLASS_COLOURS[:n]},
        "legend": {"title": None, "labelExpr": "drawn[datum.value]", "columns": 3, "symbolType": "stroke", "symbolStrokeWidth": 4} if legend else None,
    }


def _curves(page: Figures, curves: dict[str, Any]) -> None:
    page["params"] |= {"drawn": curves["labels"], "outputs": curves["outputs"]}
    lookups = {"c": "drawn", "k": "outputs"}
    if len(curves["outputs"]) > 1:
        page["controls"]["k"] = {
            "label": "Class",
            "options": [{"value": k, "text": name} for k, name in enumerate(curves["outputs"])],
        }
    left_out = f" The best {len(curves['labels'])}; {curves['n_left_out']} more are in the table." if curves["n_left_out"] else ""
    one = f"“{curves['outputs'][0]}”" if len(curves["outputs"]) == 1 else "the chosen class"
    page["datasets"]["roc"] = dataset(
        curves["roc"],
        {
            "c": "Model",
            "k": "Class",
            "x": "False positive rate",
            "y": "True positive rate",
            "low": "lowest repeat",
            "high": "highest repeat",
        },
        lookups=lookups,
    )
    page["datasets"]["calibration"] = dataset(
        curves["calibration"],
        {"c": "Model", "k": "Class", "predicted": "Predicted probability", "observed": "Observed share", "n": "Predictions"},
        lookups=lookups,
    )
    n = len(curves["labels"])
    keep = [{"filter": "datum.k == k"}, {"calculate": "drawn[datum.c]", "as": "model"}]
    faded = {"condition": {"param": "pick", "value": 1}, "value": 0.12}
    pick = {"name": "pick", "select": {"type": "point", "fields": ["c"]}, "bind": "legend"}
    x, y = square_axis("x", "False positive rate"), square_axis("y", "True positive rate")
    page["figures"].append(
        figure(
            "roc",
            "ROC curves",
            {
                "height": 340,
                "layer": [
                    diagonal(),
                    {
                        "data": data("roc"),
                        "transform": keep,
                        "mark": {"type": "area"},
                        "encoding": {
                            "x": x,
                            "y": square_axis("low", "True positive rate"),
                            "y2": {"field": "high"},
                            "color": _model_colour(n),
                            "opacity": {"condition": {"param": "pick", "empty": False, "value": 0.22}, "value": 0.05},
                        },
                    },
                    {
                        "params": [pick],
                        "data": data("roc"),
                        "transform": keep,
                        "mark": {"type": "line", "strokeWidth": 2.2},
                        "encoding": {
                            "x": x,
                            "y": y,
                            "color": _model_colour(n),
                            "opacity": faded,
                            "order": {"field": "x", "type": "quantitative"},
                            "tooltip": tooltip(("model", "Model", "text"), ("x", "False positive rate", ".2f"), ("y", "True positive rate", ".3f")),
                        },
                    },
                ],
            },
            table="roc",
            params=["drawn"],
            controls={"k": 0},
            caption=f"The share of {one} that is found (up) at the price of the share of the others falsely called so (right): mean "
            f"over the repeats, band: their range. A click on a name in the legend picks that model.{left_out}",
        )
    )
    page["figures"].append(
        figure(
            "calibration",
            "Calibration",
            {
                "height": 340,
                "layer": [
                    diagonal(),
                    {
                        "params": [pick],
                        "data": data("calibration"),
                        "transform": keep,
                        "mark": {"type": "line", "strokeWidth": 2.2, "point": {"size": 45, "filled": True}},
                        "encoding": {
                            "x": square_axis("predicted", f"Predicted probability of {one}"),
                            "y": square_axis("observed", "Observed share"),
                            "color": _model_colour(n),
                            "opacity": faded,
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("predicted", "Predicted", ".3f"),
                                ("observed", "Observed", ".3f"),
                                ("n", "Predictions", "d"),
                            ),
                        },
                    },
                ],
            },
            table="calibration",
            params=["drawn"],
            controls={"k": 0},
            caption="Of the samples given such a probability, how many were in the class. On the dashes the probabilities "
            f"can be taken at their word.{left_out}",
        )
    )


def _learning_curve(page: Figures, summary: dict[str, Any]) -> None:
    primary = summary["measure"]["name"]
    ranked = [cell for cell in summary["cells"] if cell["rank"] is not None]
    names = list(dict.fromkeys(_family(cell) for cell in ranked))[: len(CLASS_COLOURS)]
    n_full = summary["task"]["n_samples"] * (1 - 1 / max(summary["n_folds"], 2))
    rows = []
    for cell in ranked:
        score = cell["scores"][primary]
        if _family(cell) in names:
            rows.append(
                {
                    "c": names.index(_family(cell)),
                    "size": round(n_full) if cell["train_size"] is None else cell["train_size"],
                    "mean": score["mean"],
                    "low": score["mean"] if score["low"] is None else score["low"],
                    "high": score["mean"] if score["high"] is None else score["high"],
                }
            )
    page["params"]["families"] = names
    page["datasets"]["learning"] = dataset(
        rows,
        {"c": "Model", "size": "Training samples", "mean": "Mean", "low": "Interval from", "high": "Interval to"},
        lookups={"c": "families"},
    )
    colour = _model_colour(len(names))
    colour["legend"]["labelExpr"] = "families[datum.value]"
    x = quantitative("size", "Training samples")
    title = summary["measure"]["title"]
    page["figures"].append(
        figure(
            "learning",
            "Learning curve",
            {
                "height": 320,
                "data": data("learning"),
                "transform": [{"calculate": "families[datum.c]", "as": "model"}],
                "encoding": {"x": x, "color": colour},
                "layer": [
                    {
                        "mark": {"type": "area", "opacity": 0.1},
                        "encoding": {"y": quantitative("low", title), "y2": {"field": "high"}},
                    },
                    {
                        "mark": {"type": "line", "strokeWidth": 2.2, "point": {"size": 60, "filled": True}},
                        "encoding": {
                            "y": quantitative("mean", title),
                            "tooltip": tooltip(("model", "Model", "text"), ("size", "Training samples", "d"), ("mean", title, ".3f")),
                        },
                    },
                ],
            },
            table="learning",
            params=["families"],
            caption="The same test folds, with more and more training samples. A curve that still rises asks for more data.",
        )
    )


def _family(cell: dict[str, Any]) -> str:
    return f"{cell['model']} ({cell['settings']})" if cell["settings"] else str(cell["model"])


def _seconds(page: Figures, summary: dict[str, Any]) -> None:
    parts = ("tune", "fit", "predict", "explain")
    rows = [
        {"c": c, "part": i, "seconds": float(f"{cell['seconds'][part]:.4g}")}
        for c, cell in enumerate(summary["cells"])
        for i, part in enumerate(parts)
        if cell["seconds"][part]
    ]
    if not rows:
        return
    page["params"]["parts"] = list(parts)
    page["datasets"]["seconds"] = dataset(
        rows,
        {"c": "Model", "part": "Part", "seconds": "Seconds"},
        lookups={"c": "models", "part": "parts"},
    )
    page["figures"].append(
        figure(
            "seconds",
            "Time",
            {
                "height": step_height(len(summary["cells"]), 28),
                "data": data("seconds"),
                "transform": [{"calculate": "models[datum.c]", "as": "model"}, {"calculate": "parts[datum.part]", "as": "name"}],
                "mark": {"type": "bar", "height": {"band": 0.7}},
                "encoding": {
                    "y": _model_axis(len(summary["cells"])),
                    "x": quantitative("seconds", "Seconds, all folds together", zero=True),
                    "color": {
                        "field": "part",
                        "type": "ordinal",
                        "scale": {"domain": [0, 1, 2, 3], "range": [CLASS_COLOURS[i] for i in (3, 0, 5, 2)]},
                        "legend": {"title": None, "labelExpr": "parts[datum.value]"},
                    },
                    "tooltip": tooltip(("model", "Model", "text"), ("name", "Part", "text"), ("seconds", "Seconds", "number")),
                },
            },
            table="seconds",
            params=["models", "parts"],
            caption="Tuning, fitting, predicting and explaining, summed over the folds (one thread each).",
        )
    )
