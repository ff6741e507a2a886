"""Figures that follow a threshold: the ROC curve with its point, and the decision curve.

Step in the line: Thresholds -> **figures** -> HTML. The signal ``t`` is the position of the page's
slider in the list of thresholds.
"""

import math
from typing import Any

from smalldata.report.figures.grammar import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    Figures,
    Spec,
    data,
    dataset,
    diagonal,
    figure,
    no_figures,
    quantitative,
    square_axis,
    tooltip,
)
from smalldata.report.plain import Estimate
from smalldata.report.sections.thresholds import Calls, Ratio, Thresholds
from smalldata.report.sections.thresholds_words import grid_texts

CHOSEN = [{"filter": "datum.t == t"}]
"""Keeps the row that the slider points at."""


def threshold_figures(found: Thresholds | None) -> Figures:
    """Draw the ROC curve and the decision curve; none without a binary model's probabilities."""
    page = no_figures()
    if found is None:
        return page
    _rates(page, found)
    _roc(page, found)
    _decision(page, found)
    return page


def _rates(page: Figures, found: Thresholds) -> None:
    """Store the figures of every threshold, as numbers and as the page writes them."""
    rows = [_row(t, calls) for t, calls in enumerate(found.grid)]
    labels = {
        "t": "",
        "threshold": "Threshold",
        "tp": f"{found.positive} found",
        "fn": f"{found.positive} missed",
        "fp": f"{found.other} called {found.positive}",
        "tn": f"{found.other} cleared",
        "fpr": "",
        **_labels("sensitivity", "Sensitivity"),
        **_labels("specificity", "Specificity"),
        **_labels("ppv", "PPV"),
        **_labels("npv", "NPV"),
        **_labels("lr_positive", "LR+"),
        **_labels("lr_negative", "LR-"),
    }
    page["datasets"]["thresholds"] = dataset(rows, labels)
    page["params"]["threshold_texts"] = list(grid_texts(found))


def _labels(key: str, name: str) -> dict[str, str]:
    return {key: name, f"{key}_low": f"{name} from", f"{key}_high": f"{name} to"}


def _row(t: int, calls: Calls) -> dict[str, Any]:
    row: dict[str, Any] = {"t": t, "threshold": calls.threshold}
    row |= {name: round(getattr(calls, name), 2) for name in ("tp", "fn", "fp", "tn")}
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        row |= _ends(name, getattr(calls, name))
    for name in ("lr_positive", "lr_negative"):
        row |= _ends(name, getattr(calls, name))
    row["fpr"] = round(1 - row["specificity"], 6)
    return row


def _ends(name: str, one: Estimate | Ratio) -> dict[str, float | None]:
    mean = one.mean if isinstance(one, Estimate) else one.value
    return {name: _finite(mean), f"{name}_low": _finite(one.low), f"{name}_high": _finite(one.high)}


def _finite(value: float | None) -> float | None:
    """Round to six digits; None if undefined or unbounded."""
    return None if value is None or math.isinf(value) else float(f"{value:.6g}")


def _roc(page: Figures, found: Thresholds) -> None:
    line = [{"x": 1.0, "y": 1.0}]
    line += [
        {"x": 1 - (one.specificity.mean or 0.0), "y": one.sensitivity.mean or 0.0}
        for one in found.grid
    ]
    line.append({"x": 0.0, "y": 0.0})
    page["datasets"]["operating_line"] = dataset(
        [{"at": i, **{k: round(v, 4) for k, v in point.items()}} for i, point in enumerate(line)],
        {"at": "", "x": "False positive rate", "y": "Sensitivity"},
    )
    x_title, y_title = "False positive rate (1 − specificity)", "Sensitivity"
    x, y = square_axis("fpr", x_title), square_axis("sensitivity", y_title)
    layers: list[Spec] = [
        diagonal(),
        {
            "data": data("operating_line"),
            "mark": {"type": "line", "strokeWidth": 2.5, "color": BLUE},
            "encoding": {
                "x": square_axis("x", x_title),
                "y": square_axis("y", y_title),
                "order": {"field": "at", "type": "quantitative"},
            },
        },
        {
            "data": data("thresholds"),
            "transform": [
                *CHOSEN,
                {"calculate": "1 - datum.specificity_high", "as": "x_low"},
                {"calculate": "1 - datum.specificity_low", "as": "x_high"},
            ],
            "encoding": {"color": {"value": VERMILION}},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5},
                    "encoding": {
                        "x": x,
                        "y": square_axis("sensitivity_low", y_title),
                        "y2": {"field": "sensitivity_high"},
                    },
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5},
                    "encoding": {
                        "x": square_axis("x_low", x_title),
                        "x2": {"field": "x_high"},
                        "y": y,
                    },
                },
                {
                    "mark": {"type": "circle", "size": 130, "opacity": 1},
                    "encoding": {
                        "x": x,
                        "y": y,
                        "tooltip": tooltip(
                            ("threshold", "Threshold", "number"),
                            ("sensitivity", "Sensitivity", ".3f"),
                            ("specificity", "Specificity", ".3f"),
                        ),
                    },
                },
            ],
        },
    ]
    rule = ""
    if found.chosen is not None:
        at = found.at
        point = {"fpr": 1 - (at.specificity.mean or 0.0), "sensitivity": at.sensitivity.mean or 0.0}
        page["datasets"]["operating_chosen"] = dataset(
            [{key: round(value, 4) for key, value in point.items()}],
            {"fpr": "False positive rate", "sensitivity": "Sensitivity"},
        )
        layers.append(
            {
                "data": data("operating_chosen"),
                "mark": {
                    "type": "point",
                    "shape": "diamond",
                    "size": 170,
                    "filled": False,
                    "strokeWidth": 2.5,
                    "color": INK,
                },
                "encoding": {"x": x, "y": y},
            }
        )
        rule = " Diamond: the thresholds that the folds chose."
    page["figures"].append(
        figure(
            "operating",
            "ROC curve, threshold by threshold",
            {"height": 320, "layer": layers},
            table="thresholds",
            datasets=["operating_line", *(["operating_chosen"] if found.chosen else [])],
            controls={"t": found.start},
            marked=["t"],
            caption="Every threshold applied to the held-out samples of all folds together, so its "
            "area differs a little from the mean over the folds. Point: the threshold of the "
            f"slider, with 95 % intervals.{rule} Dashes: guessing.",
        )
    )


def _decision(page: Figures, found: Thresholds) -> None:
    rows = [
        {
            "t": t,
            **{
                key: round(value, 5)
                for key, value in (
                    ("model", one.model.mean or 0.0),
                    ("low", one.model.low or 0.0),
                    ("high", one.model.high or 0.0),
                    ("risk", one.threshold),
                    ("all", one.treat_all),
                    ("gain", one.gain.mean or 0.0),
                    ("gain_low", one.gain.low or 0.0),
                    ("gain_high", one.gain.high or 0.0),
                )
            },
        }
        for t, one in enumerate(found.benefit)
    ]
    page["datasets"]["net_benefit"] = dataset(
        rows,
        {
            "t": "",
            "risk": "Threshold of the risk",
            "model": "Net benefit",
            "low": "95 % interval from",
            "high": "95 % interval to",
            "all": f"Calling all {found.positive}",
            "gain": "Gain over the better of all and none",
            "gain_low": "Gain from",
            "gain_high": "Gain to",
        },
    )
    top = max(max(row["high"] for row in rows), found.prevalence)
    domain = [round(-0.3 * top, 4), round(1.05 * top, 4)]

    def y(field: str) -> Spec:
        return quantitative(
            field, "Net benefit per sample", scale={"domain": domain, "nice": False}
        )

    x = square_axis("risk", "Threshold of the risk")
    shifted = (
        f"The risk is the probability at a prevalence of {100 * found.prevalence:.3g}\u202f%. "
        if found.is_named
        else ""
    )
    shared = {"data": data("net_benefit"), "encoding": {"x": x}}
    page["figures"].append(
        figure(
            "decision_curve",
            "Decision curve",
            {
                "height": 320,
                **shared,
                "layer": [
                    {
                        "mark": {"type": "area", "opacity": 0.16, "color": BLUE, "clip": True},
                        "encoding": {"y": y("low"), "y2": {"field": "high"}},
                    },
                    {
                        "mark": {
                            "type": "line",
                            "strokeWidth": 1.5,
                            "color": GREY,
                            "strokeDash": [6, 4],
                            "clip": True,
                        },
                        "encoding": {"y": y("all")},
                    },
                    {
                        "data": {"values": [{"zero": 0}]},
                        "mark": {"type": "rule", "strokeWidth": 1, "opacity": 0.6},
                        "encoding": {"x": None, "y": y("zero")},
                    },
                    {
                        "mark": {
                            "type": "line",
                            "strokeWidth": 2.5,
                            "color": BLUE,
                            "clip": True,
                        },
                        "encoding": {"y": y("model")},
                    },
                    {
                        "transform": CHOSEN,
                        "mark": {"type": "circle", "size": 130, "opacity": 1, "clip": True},
                        "encoding": {
                            "y": y("model"),
                            "color": {"value": VERMILION},
                            "tooltip": tooltip(
                                ("risk", "Threshold", ".3f"),
                                ("model", "Net benefit", ".3f"),
                                ("low", "95 % from", ".3f"),
                                ("high", "95 % to", ".3f"),
                                ("all", "Calling all", ".3f"),
                            ),
                        },
                    },
                ],
            },
            table="net_benefit",
            controls={"t": found.start},
            marked=["t"],
            caption="True positives per sample, less false ones weighed by the odds of the "
            "threshold (Vickers and Elkin 2006). Blue: this model, with its 95 % interval; "
            f"dashes: calling every sample {found.positive}; thin line at 0: calling none. "
            f"{shifted}It takes the probabilities at their word, so they should be calibrated.",
        )
    )
