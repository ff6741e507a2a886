"""Figures of held-out predictions: confusion, every sample, errors.

Step in the line: Outcomes -> **figures** -> HTML.
"""

from smalldata.report.figures.curves import draw_curves
from smalldata.report.figures.grammar import (
    BLUE,
    INK,
    VERMILION,
    Figures,
    Spec,
    axis_names,
    choices,
    data,
    dataset,
    figure,
    mark_chosen,
    no_figures,
    quantitative,
    swarm,
    tooltip,
)
from smalldata.report.sections.outcomes import ClassOutcomes, Confusion, Outcomes, ValueOutcomes
from smalldata.report.sections.task import TaskFacts


def outcome_figures(
    outcomes: Outcomes | None, task: TaskFacts, *, chosen: int | None = None
) -> Figures:
    """Draw the curves, the confusion matrix and every sample.

    Parameters
    ----------
    outcomes : ClassOutcomes, ValueOutcomes or None
    task : TaskFacts
    chosen : int, optional
        Row of the sample whose explanation the page shows; without one no sample can be chosen.
    """
    page = no_figures()
    if outcomes is None:
        return page
    page["params"]["samples"] = [sample.id for sample in outcomes.samples]
    if isinstance(outcomes, ValueOutcomes):
        _observed_predicted(page, outcomes, task, chosen=chosen)
        return page
    classes = [entry.name for entry in task.classes]
    page["params"]["classes"] = classes
    if task.kind == "multiclass":
        page["controls"]["k"] = choices("Class", classes)
    page["params"]["outputs"] = outcomes.outputs
    if outcomes.roc:
        draw_curves(page, outcomes)
    _confusion(page, outcomes.confusion, classes)
    _probabilities(page, outcomes, task, chosen=chosen)
    return page


def _confusion(page: Figures, confusion: Confusion, classes: list[str]) -> None:
    """Rows observed, columns predicted: samples per repeat, and the share of the row."""
    rows = [
        {"i": i, "j": j, "n": confusion.counts[i][j], "share": confusion.shares[i][j]}
        for i in range(len(classes))
        for j in range(len(classes))
    ]
    page["datasets"]["confusion"] = dataset(
        rows,
        {
            "i": "Observed",
            "j": "Predicted",
            "n": "Samples per repeat",
            "share": "Share of the observed class",
        },
        lookups={"i": "classes", "j": "classes"},
    )
    band = {"type": "ordinal", "scale": {"paddingInner": 0.04, "paddingOuter": 0}}
    narrow = {"labelOverlap": False, "labelLimit": 90, "domain": False, "ticks": False}
    slanted = {"labelAngle": -40} if len(classes) > 3 else {"labelAngle": 0}
    encoding = {
        "x": {
            "field": "j",
            **band,
            "axis": axis_names("classes", orient="top", **narrow, **slanted)
            | {"title": "Predicted"},
        },
        "y": {
            "field": "i",
            **band,
            "axis": axis_names("classes", **narrow) | {"title": "Observed"},
        },
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
                        "scale": {"domain": [0, 1], "range": [0.04, 0.6]},
                        "legend": None,
                    },
                    "tooltip": tooltip(
                        ("n", "Samples per repeat", ".1~f"),
                        ("share", "Share of the observed class", ".0%"),
                    ),
                },
            },
            {
                "transform": [number],
                "mark": {"type": "text", "fontSize": 13, "fontWeight": 500},
                "encoding": {
                    "text": {"field": "text", "type": "nominal"},
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
            caption="Rows: observed class; columns: predicted class; numbers: samples per repeat. "
            "Darker cells hold a larger share of their row.",
        )
    )


def _probabilities(
    page: Figures, outcomes: ClassOutcomes, task: TaskFacts, *, chosen: int | None
) -> None:
    codes = [1] if task.kind == "binary" else range(len(task.classes))
    rows = [
        {
            "s": s,
            "row": sample.row,
            "observed": sample.observed,
            "predicted": sample.predicted,
            "n_wrong": sample.n_wrong,
            "n_seen": sample.n_seen,
            **{f"p{k}": sample.probabilities[code] for k, code in enumerate(codes)},
        }
        for s, sample in enumerate(outcomes.samples)
    ]
    names = outcomes.outputs
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
    ring = {} if chosen is None else {"s": chosen}
    n_classes = len(task.classes)
    crowd = max(entry.n for entry in task.classes)
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
            "y": {
                "field": "observed",
                "type": "ordinal",
                "axis": axis_names("classes", labelLimit=110, title="Observed", grid=False),
            },
            "yOffset": {
                "field": "offset",
                "type": "quantitative",
                "scale": {"domain": [-0.55, 0.55]},
            },
            "color": {
                "field": "wrong",
                "type": "ordinal",
                "scale": {"domain": [0, 1], "range": [BLUE, VERMILION]},
                "legend": {
                    "title": None,
                    "labelExpr": "datum.value == 0 ? 'predicted correctly' : 'predicted wrongly'",
                },
            },
            **(mark_chosen("row") if ring else {}),
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
    click = "; click it for its explanation" if chosen is not None else ""
    of_class = f"“{names[0]}”" if len(names) == 1 else "the chosen class"
    page["figures"].append(
        figure(
            "probabilities",
            "Every sample",
            spec,
            table="samples",
            params=["samples", "classes"],
            controls={"k": 0, **ring},
            marked=list(ring),
            caption=f"Probability of {of_class} from models that had not seen the sample (mean "
            f"over repeats). Point at a dot to see its sample{click}.",
        )
    )


def _observed_predicted(
    page: Figures, outcomes: ValueOutcomes, task: TaskFacts, *, chosen: int | None
) -> None:
    rows = [
        {
            "s": s,
            "row": sample.row,
            "observed": sample.observed,
            "predicted": sample.predicted,
            "sd": sample.sd,
            "residual": float(f"{sample.predicted - sample.observed:.5g}"),
        }
        for s, sample in enumerate(outcomes.samples)
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
    ring = {} if chosen is None else {"s": chosen}
    line: Spec = {
        "data": {"values": [{"x": low, "y": low}, {"x": high, "y": high}]},
        "mark": {
            "type": "line",
            "strokeDash": [4, 4],
            "strokeWidth": 1,
            "opacity": 0.5,
            "color": INK,
        },
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative"},
        },
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
                            **(mark_chosen("row") if ring else {}),
                            "tooltip": hover,
                        },
                    },
                ],
            },
            table="samples",
            params=["samples"],
            controls=ring,
            marked=list(ring),
            caption=f"{task.target}: each dot is a sample, predicted by models that had not "
            "seen it (mean over repeats). On the dashed line, the prediction is right."
            + (" Click a dot for its explanation." if chosen is not None else ""),
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
                            **(mark_chosen("row") if ring else {}),
                            "tooltip": hover,
                        },
                    },
                ],
            },
            table="samples",
            params=["samples"],
            controls=ring,
            marked=list(ring),
            caption="A slope or a curve here is structure that the model missed.",
        )
    )
