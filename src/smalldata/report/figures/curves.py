"""Curves of one model: ROC, precision-recall, calibration, per repeat and their mean.

Step in the line: ClassOutcomes -> **figures** -> HTML.
"""

from smalldata.report.figures.grammar import (
    BLUE,
    Figures,
    Spec,
    curve_layers,
    data,
    dataset,
    diagonal,
    figure,
    square_axis,
    tooltip,
)
from smalldata.report.sections.outcomes import ClassOutcomes


def draw_curves(page: Figures, outcomes: ClassOutcomes) -> None:
    """Draw ROC, precision-recall and calibration."""
    lookups = {"k": "outputs"}
    many = outcomes.n_repeats > 1
    spread = (
        "Thin lines: one per repeat; band: their range; thick line: their mean. " if many else ""
    )
    one = f"“{outcomes.outputs[0]}”" if len(outcomes.outputs) == 1 else "the chosen class"
    for name, curves, title, x_title, y_title, caption in (
        (
            "roc",
            outcomes.roc,
            "ROC curve",
            "False positive rate",
            "True positive rate",
            f"Share of {one} that is found (vertical) against the share of the others that is "
            f"wrongly called so (horizontal). {spread}Dashes: guessing.",
        ),
        (
            "precision_recall",
            outcomes.precision_recall,
            "Precision and recall",
            "Recall",
            "Precision",
            f"Of the samples called {one}, the share that is called so rightly (vertical), against "
            f"the share of {one} that is found (horizontal). {spread}Dashes: calling every sample "
            "so.",
        ),
    ):
        mean = [{"k": k, **point} for k, curve in enumerate(curves) for point in curve.mean]
        lines = [
            {"k": k, "repeat": line.repeat, "x": point["x"], "y": y}
            for k, curve in enumerate(curves)
            for line in curve.repeats
            for point, y in zip(curve.mean, line.y, strict=True)
        ]
        page["datasets"][f"{name}_mean"] = dataset(
            mean,
            {
                "k": "Class",
                "x": x_title,
                "y": y_title,
                "low": "lowest repeat",
                "high": "highest repeat",
            },
            lookups=lookups,
        )
        page["datasets"][f"{name}_lines"] = dataset(
            lines,
            {"k": "Class", "repeat": "Repeat", "x": x_title, "y": y_title},
            lookups=lookups,
        )
        if name == "roc":
            reference: list[Spec] = [diagonal()]
        else:
            page["datasets"]["prevalence"] = dataset(
                [{"k": k, "y": curve.prevalence} for k, curve in enumerate(curves)],
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
                        mean=f"{name}_mean",
                        lines=f"{name}_lines",
                        extra=reference,
                        x_title=x_title,
                        y_title=y_title,
                    ),
                },
                table=f"{name}_mean",
                datasets=[f"{name}_lines", *(["prevalence"] if name != "roc" else [])],
                controls={"k": 0},
                caption=caption,
            )
        )
    if outcomes.calibration:
        _calibration(page, outcomes, one, lookups)


def _calibration(page: Figures, outcomes: ClassOutcomes, one: str, lookups: dict[str, str]) -> None:
    numbered = list(enumerate(outcomes.calibration))
    pooled = [{"k": k, **point} for k, curve in numbered for point in curve.pooled]
    lines = [{"k": k, **point} for k, curve in numbered for point in curve.lines]
    labels = {"k": "Class", "predicted": "Predicted probability", "observed": "Observed share"}
    page["datasets"]["calibration"] = dataset(
        pooled,
        {**labels, "low": "95 % interval from", "high": "95 % interval to", "n": "Predictions"},
        lookups=lookups,
    )
    page["datasets"]["calibration_lines"] = dataset(
        lines, {**labels, "repeat": "Repeat", "n": "Predictions"}, lookups=lookups
    )
    x = square_axis("predicted", "Predicted probability")
    y = square_axis("observed", "Observed share")
    keep = [{"filter": "datum.k == k"}]
    thin = {
        "data": data("calibration_lines"),
        "transform": keep,
        "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35, "color": BLUE},
        "encoding": {"x": x, "y": y, "detail": {"field": "repeat", "type": "nominal"}},
    }
    band = {
        "data": data("calibration"),
        "transform": keep,
        "mark": {"type": "area", "opacity": 0.16, "color": BLUE},
        "encoding": {"x": x, "y": square_axis("low", "Observed share"), "y2": {"field": "high"}},
    }
    layers = [
        diagonal(),
        band,
        *([thin] if outcomes.n_repeats > 1 else []),
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
                    ("low", "95 % from", ".3f"),
                    ("high", "95 % to", ".3f"),
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
            datasets=["calibration_lines"] if outcomes.n_repeats > 1 else [],
            controls={"k": 0},
            caption=f"Observed share of {one} among samples with this predicted probability. On "
            "the dashed line, the probabilities are accurate. Each point holds about the same "
            "number of predictions. Band: 95 % interval of each point, from drawing the samples "
            "(whole groups, if there are groups) again.",
        )
    )
