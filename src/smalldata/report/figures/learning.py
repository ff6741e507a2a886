"""The learning curves: scores at numbers of training samples, and the laws fitted to them.

Step in the line: LearningSummary -> **figure** -> HTML.
"""

from collections.abc import Sequence
from typing import Any

from smalldata.report.comparison_page.learning_curves import LearningSummary
from smalldata.report.figures.grammar import (
    CLASS_COLOURS,
    GRID_OPACITY,
    INK,
    Figures,
    Spec,
    data,
    dataset,
    figure,
    quantitative,
    tooltip,
)
from smalldata.report.figures.model_curves import (
    ALL_MODELS,
    fade_others,
    model_choice,
    model_colours,
)
from smalldata.results.learning_curves import LearningCurve

MEASURED, FITTED, JOINED = 0, 1, 2
"""Kinds of rows: a score, a point of a law, a score of a curve without a law."""

FADED = fade_others("f")
BAND = {
    "condition": [
        {"test": "datum.c == f", "value": 0.22},
        {"test": "f < 0", "value": 0.09},
    ],
    "value": 0.02,
}


def draw_learning_curves(page: Figures, learning: LearningSummary, title: str) -> None:
    """Draw the score, whose measure is the title, against the number of training samples."""
    curves = [curve for curve in learning.curves if curve.points][: len(CLASS_COLOURS)]
    if not curves:
        return
    names = [curve.label for curve in curves]
    page["params"] |= {"families": names, "kinds": ["measured", "fitted"]}
    page["datasets"]["learning"] = dataset(
        _rows(curves),
        {
            "c": "Model",
            "kind": "Kind",
            "size": "Training samples",
            "mean": "Score",
            "low": "Interval from",
            "high": "Interval to",
            "most": "",
            "joined": "",
        },
        lookups={"c": "families", "kind": "kinds"},
    )
    if len(names) > 1:
        page["controls"]["f"] = model_choice(names)
    caption = "The same test folds with more and more training samples, and 95 % intervals."
    if learning.has_laws:
        caption = (
            "The same test folds with more and more training samples. Dots: measured, with "
            "95 % intervals. Lines: fitted laws with their bands, dashed beyond what was "
            f"measured, up to {learning.times} the largest number measured."
        )
    page["figures"].append(
        figure(
            "learning",
            "Score against training samples",
            _spec(curves, names, title),
            table="learning",
            params=["families", "kinds"],
            controls={"f": ALL_MODELS},
            caption=caption,
        )
    )


def _rows(curves: Sequence[LearningCurve]) -> list[dict[str, Any]]:
    rows = []
    for c, curve in enumerate(curves):
        law = curve.law
        most = curve.points[-1].size
        for kind, points in ((MEASURED, curve.points), (FITTED, law.line if law else ())):
            for point in points:
                rows.append(
                    {
                        "c": c,
                        "kind": kind,
                        "size": point.size,
                        "mean": float(f"{point.mean:.5g}"),
                        "low": None if point.low is None else float(f"{point.low:.5g}"),
                        "high": None if point.high is None else float(f"{point.high:.5g}"),
                        "most": most,
                        "joined": int(law is None),
                    }
                )
    return rows


def _spec(curves: Sequence[LearningCurve], names: Sequence[str], title: str) -> Spec:
    sizes = sorted({point.size for curve in curves for point in curve.points})
    laws = [curve.law for curve in curves if curve.law is not None]
    ahead = sorted({point.size for law in laws for point in (law.doubled, law.reach)})
    x = {
        "field": "size",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False, "padding": 8},
        "axis": {
            "title": "Training samples",
            "values": [*sizes, *(size for size in ahead if size > sizes[-1])],
            "labelOverlap": "greedy",
            "format": "d",
            "gridOpacity": GRID_OPACITY,
        },
    }
    line: Spec = {"type": "line", "strokeWidth": 2.2, "interpolate": "monotone"}
    told = tooltip(
        ("model", "Model", "text"),
        ("size", "Training samples", "d"),
        ("mean", title, ".3f"),
        ("low", "Interval from", ".3f"),
        ("high", "Interval to", ".3f"),
    )
    mean, low = quantitative("mean", title), quantitative("low", title)
    drawn = "datum.kind == 1 || datum.joined == 1"
    layers: list[Spec] = [
        {
            "transform": [{"filter": f"({drawn}) && isValid(datum.low)"}],
            "mark": {"type": "area"},
            "encoding": {"y": low, "y2": {"field": "high"}, "opacity": BAND},
        },
        {
            "transform": [{"filter": f"({drawn}) && datum.size <= datum.most"}],
            "mark": line,
            "encoding": {"y": mean, "opacity": FADED},
        },
        {
            "transform": [{"filter": "datum.kind == 1 && datum.size >= datum.most"}],
            "mark": {**line, "strokeDash": [5, 4]},
            "encoding": {"y": mean, "opacity": FADED, "tooltip": told},
        },
        {
            "transform": [{"filter": "datum.kind == 0 && isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 1.2},
            "encoding": {
                "y": low,
                "y2": {"field": "high"},
                "opacity": {
                    "condition": [
                        {"test": "datum.c == f", "value": 1},
                        {"test": "f < 0", "value": 0.4},
                    ],
                    "value": 0.05,
                },
            },
        },
        {
            "transform": [{"filter": "datum.kind == 0"}],
            "mark": {"type": "point", "size": 60, "filled": True},
            "encoding": {"y": mean, "opacity": FADED, "tooltip": told},
        },
    ]
    if ahead:
        layers.append(
            {
                "data": {"values": [{"size": sizes[-1]}]},
                "mark": {"type": "rule", "strokeDash": [2, 3], "opacity": 0.5, "color": INK},
                "encoding": {"x": x},
            }
        )
    model = {"calculate": "families[datum.c]", "as": "model"}
    return {
        "height": 360,
        "layer": [
            {
                "data": data("learning"),
                "transform": [model],
                "encoding": {"x": x, "color": model_colours(names, "families")},
                "layer": layers[:5],
            },
            *layers[5:],
        ],
    }
