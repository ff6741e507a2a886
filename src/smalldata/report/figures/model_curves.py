"""Curves of several models together: ROC, calibration.

Step in the line: ModelCurves -> **figures** -> HTML.
"""

from collections.abc import Sequence

from smalldata.report.comparison_page.overview import ModelCurves
from smalldata.report.figures.grammar import (
    CLASS_COLOURS,
    Control,
    Figures,
    Spec,
    data,
    dataset,
    diagonal,
    figure,
    legend_columns,
    square_axis,
    tooltip,
)

ALL_MODELS = -1
"""Value of a signal when no model is selected."""

ONE_CLASS = [{"filter": "datum.k == k"}, {"calculate": "drawn[datum.c]", "as": "model"}]


def model_choice(names: Sequence[str]) -> Control:
    """Offer all models together, and each one alone."""
    return {
        "label": "Model",
        "options": [
            {"value": ALL_MODELS, "text": "all"},
            *({"value": c, "text": name} for c, name in enumerate(names)),
        ],
    }


def fade_others(signal: str) -> Spec:
    """Fade all models except the one that a signal selects."""
    test = f"{signal} < 0 || datum.c == {signal}"
    return {"condition": {"test": test, "value": 1}, "value": 0.12}


def model_colours(names: Sequence[str], lookup: str) -> Spec:
    """Colour by the model ``c``; the page holds the names in a list, ``lookup``."""
    return {
        "field": "c",
        "type": "ordinal",
        "scale": {"domain": list(range(len(names))), "range": CLASS_COLOURS[: len(names)]},
        "legend": {
            "title": None,
            "labelExpr": f"{lookup}[datum.value]",
            "columns": legend_columns(names),
            "symbolType": "stroke",
            "symbolStrokeWidth": 4,
        },
    }


def draw_model_curves(page: Figures, curves: ModelCurves) -> None:
    """Draw the ROC and calibration curves of the best models together."""
    page["params"] |= {"drawn": curves.labels, "outputs": curves.outputs}
    lookups = {"c": "drawn", "k": "outputs"}
    if len(curves.outputs) > 1:
        page["controls"]["k"] = {
            "label": "Class",
            "options": [{"value": k, "text": name} for k, name in enumerate(curves.outputs)],
        }
    left_out = (
        f" Only the best {len(curves.labels)} are drawn; the table has {curves.n_left_out} more."
        if curves.n_left_out
        else ""
    )
    one = f"“{curves.outputs[0]}”" if len(curves.outputs) == 1 else "the chosen class"
    page["datasets"]["roc"] = dataset(
        curves.roc,
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
        curves.calibration,
        {
            "c": "Model",
            "k": "Class",
            "predicted": "Predicted probability",
            "observed": "Observed share",
            "n": "Predictions",
        },
        lookups=lookups,
    )
    if len(curves.labels) > 1:
        page["controls"]["c"] = model_choice(curves.labels)
    colour = model_colours(curves.labels, "drawn")
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
                            "opacity": fade_others("c"),
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
            caption=f"Up: the share of {one} that is found. Right: the share of the others wrongly "
            f"assigned to it. Line: mean over the repeats; band: their range.{left_out}",
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
                            "opacity": fade_others("c"),
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
            caption=f"Of the samples given this probability of {one}, the share that belongs to "
            f"it. On the dashed line the probabilities can be taken at face value.{left_out}",
        )
    )
