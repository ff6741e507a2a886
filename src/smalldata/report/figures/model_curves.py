"""Curves of several models together: ROC, calibration, learning curve.

Step in the line: summary of a comparison -> **figures** -> HTML.
"""

from typing import Any

from smalldata.report.figures.grammar import (
    CLASS_COLOURS,
    Figures,
    Spec,
    data,
    dataset,
    diagonal,
    figure,
    legend_columns,
    quantitative,
    square_axis,
    tooltip,
)

ALL_MODELS = -1
"""Value of the signal ``c`` at which no model is picked out."""

FADED = {"condition": {"test": "c < 0 || datum.c == c", "value": 1}, "value": 0.12}
ONE_CLASS = [{"filter": "datum.k == k"}, {"calculate": "drawn[datum.c]", "as": "model"}]


def _model_colour(names: list[str], *, array: str = "drawn") -> Spec:
    return {
        "field": "c",
        "type": "ordinal",
        "scale": {"domain": list(range(len(names))), "range": CLASS_COLOURS[: len(names)]},
        "legend": {
            "title": None,
            "labelExpr": f"{array}[datum.value]",
            "columns": legend_columns(names),
            "symbolType": "stroke",
            "symbolStrokeWidth": 4,
        },
    }


def draw_model_curves(page: Figures, curves: dict[str, Any]) -> None:
    """Draw the ROC and calibration curves of the best models together."""
    page["params"] |= {"drawn": curves["labels"], "outputs": curves["outputs"]}
    lookups = {"c": "drawn", "k": "outputs"}
    if len(curves["outputs"]) > 1:
        page["controls"]["k"] = {
            "label": "Class",
            "options": [{"value": k, "text": name} for k, name in enumerate(curves["outputs"])],
        }
    left_out = (
        f" The best {len(curves['labels'])}; {curves['n_left_out']} more are in the table."
        if curves["n_left_out"]
        else ""
    )
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
        {
            "c": "Model",
            "k": "Class",
            "predicted": "Predicted probability",
            "observed": "Observed share",
            "n": "Predictions",
        },
        lookups=lookups,
    )
    if len(curves["labels"]) > 1:
        page["controls"]["c"] = {
            "label": "Model",
            "options": [
                {"value": ALL_MODELS, "text": "all"},
                *({"value": c, "text": name} for c, name in enumerate(curves["labels"])),
            ],
        }
    colour = _model_colour(curves["labels"])
    _roc(page, colour, one, left_out)
    _calibration(page, colour, one, left_out)


def _roc(page: Figures, colour: Spec, one: str, left_out: str) -> None:
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
                        "transform": ONE_CLASS,
                        "mark": {"type": "area"},
                        "encoding": {
                            "x": x,
                            "y": square_axis("low", "True positive rate"),
                            "y2": {"field": "high"},
                            "color": colour,
                            "opacity": {
                                "condition": {"test": "datum.c == c", "value": 0.22},
                                "value": 0.05,
                            },
                        },
                    },
                    {
                        "data": data("roc"),
                        "transform": ONE_CLASS,
                        "mark": {"type": "line", "strokeWidth": 2.2},
                        "encoding": {
                            "x": x,
                            "y": y,
                            "color": colour,
                            "opacity": FADED,
                            "order": {"field": "x", "type": "quantitative"},
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("x", "False positive rate", ".2f"),
                                ("y", "True positive rate", ".3f"),
                            ),
                        },
                    },
                ],
            },
            table="roc",
            params=["drawn"],
            controls={"k": 0, "c": ALL_MODELS},
            caption=f"The share of {one} that is found (up) at the price of the share of the "
            "others falsely called so (right): mean "
            f"over the repeats, band: their range.{left_out}",
        )
    )


def _calibration(page: Figures, colour: Spec, one: str, left_out: str) -> None:
    page["figures"].append(
        figure(
            "calibration",
            "Calibration",
            {
                "height": 340,
                "layer": [
                    diagonal(),
                    {
                        "data": data("calibration"),
                        "transform": ONE_CLASS,
                        "mark": {
                            "type": "line",
                            "strokeWidth": 2.2,
                            "point": {"size": 45, "filled": True},
                        },
                        "encoding": {
                            "x": square_axis("predicted", "Predicted probability"),
                            "y": square_axis("observed", "Observed share"),
                            "color": colour,
                            "opacity": FADED,
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
            controls={"k": 0, "c": ALL_MODELS},
            caption=f"Of the samples given such a probability of {one}, the share that was. On the "
            "dashes the probabilities "
            f"can be taken at their word.{left_out}",
        )
    )


def draw_learning_curve(page: Figures, summary: dict[str, Any]) -> None:
    """Draw the score against the number of training samples."""
    primary = summary["measure"]["name"]
    ranked = [cell for cell in summary["cells"] if cell["rank"] is not None]
    names = list(dict.fromkeys(_family(cell) for cell in ranked))[: len(CLASS_COLOURS)]
    rows = []
    for cell in ranked:
        score = cell["scores"][primary]
        size = cell["n_train"] if cell["train_size"] is None else cell["train_size"]
        if _family(cell) in names and size is not None:
            rows.append(
                {
                    "c": names.index(_family(cell)),
                    "size": size,
                    "mean": score["mean"],
                    "low": score["mean"] if score["low"] is None else score["low"],
                    "high": score["mean"] if score["high"] is None else score["high"],
                }
            )
    page["params"]["families"] = names
    page["datasets"]["learning"] = dataset(
        rows,
        {
            "c": "Model",
            "size": "Training samples",
            "mean": "Mean",
            "low": "Interval from",
            "high": "Interval to",
        },
        lookups={"c": "families"},
    )
    colour = _model_colour(names, array="families")
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
                        "mark": {
                            "type": "line",
                            "strokeWidth": 2.2,
                            "point": {"size": 60, "filled": True},
                        },
                        "encoding": {
                            "y": quantitative("mean", title),
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("size", "Training samples", "d"),
                                ("mean", title, ".3f"),
                            ),
                        },
                    },
                ],
            },
            table="learning",
            params=["families"],
            caption="The same test folds, with more and more training samples. A curve that still "
            "rises asks for more data.",
        )
    )


def _family(cell: dict[str, Any]) -> str:
    return f"{cell['model']} ({cell['settings']})" if cell["settings"] else str(cell["model"])
