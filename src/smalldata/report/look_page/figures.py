"""The two pictures of a table before any model: its samples on two components, and its gaps.

Step in the line: LookNumbers -> **figures** -> HTML.
"""

from smalldata.report.figures.grammar import (
    BLUE,
    CLASS_COLOURS,
    LOW_TO_HIGH,
    Figures,
    Spec,
    choices,
    class_colours,
    data,
    dataset,
    figure,
    no_figures,
    quantitative,
    rows_height,
    tooltip,
)
from smalldata.report.figures.importance import NAMES
from smalldata.report.look_page.numbers import LookNumbers, Principal
from smalldata.report.plain import format_percent


def look_figures(numbers: LookNumbers) -> Figures:
    """Draw what there is to draw."""
    page = no_figures()
    page["params"]["classes"] = [entry.name for entry in numbers.classes]
    page["params"]["rows"] = list(numbers.sample_ids)
    page["params"]["gappy"] = [entry.name for entry in numbers.gappy]
    if len(numbers.classes) > len(CLASS_COLOURS):
        page["controls"]["k"] = choices("Class", page["params"]["classes"])
    if numbers.principal is not None:
        _draw_samples(page, numbers, numbers.principal)
    if numbers.gappy:
        _draw_gaps(page, numbers)
    return page


def _draw_samples(page: Figures, numbers: LookNumbers, found: Principal) -> None:
    classes = [entry.name for entry in numbers.classes]
    codes = {name: code for code, name in enumerate(classes)}
    values = numbers.target_values
    page["datasets"]["principal"] = dataset(
        [
            {
                "row": row,
                "x": x,
                "y": y,
                **(
                    {"code": codes[numbers.labels[row]]}
                    if classes
                    else {"was": float(numbers.labels[row])}
                ),
            }
            for row, x, y in zip(found.rows, found.x, found.y, strict=True)
        ],
        {
            "row": "Sample",
            **({"code": "Class"} if classes else {"was": numbers.target}),
            "x": "Component 1",
            "y": "Component 2",
        },
        lookups={"row": "rows", "code": "classes"},
    )
    colour: Spec
    if values is None:
        colour = class_colours(classes, orient="bottom")
    else:
        colour = {
            "field": "was",
            "type": "quantitative",
            "scale": {
                "domain": [values.low, values.mean, values.high],
                "range": LOW_TO_HIGH,
                "interpolate": "rgb",
            },
            "legend": {"title": "Target", "orient": "bottom", "gradientThickness": 8},
        }
    many = len(classes) > len(CLASS_COLOURS)
    first, second = (format_percent(share) for share in found.shares)
    n = len(found.rows)
    some = "" if n == numbers.n_samples else f" {n} of {numbers.n_samples} samples, evenly chosen."
    page["figures"].append(
        figure(
            "principal",
            "Samples by their numbers",
            {
                "height": 380,
                "data": data("principal"),
                "transform": [
                    {"calculate": "rows[datum.row]", "as": "sample"},
                    {"calculate": "classes[datum.code]" if classes else "datum.was", "as": "seen"},
                ],
                "mark": {"type": "circle", "size": 46, "opacity": 0.75},
                "encoding": {
                    "x": quantitative("x", f"Component 1 ({first} of the variance)"),
                    "y": quantitative("y", f"Component 2 ({second})"),
                    "color": colour,
                    "tooltip": tooltip(
                        ("sample", "Sample", "text"),
                        ("seen", "Target", "text" if classes else "number"),
                    ),
                },
            },
            table="principal",
            params=["rows", "classes"],
            controls={"k": 0} if many else {},
            marked=["k"] if many else [],
            caption="Each dot is a sample, placed by the first two principal components of all "
            "numeric features, each scaled to variance 1. Dots far from all others may be "
            "measured wrongly; clusters that are not classes may be batches. No model has seen "
            f"this.{some}",
        )
    )


def _draw_gaps(page: Figures, numbers: LookNumbers) -> None:
    classes = [entry.name for entry in numbers.classes]
    page["datasets"]["gaps"] = dataset(
        [
            {"place": place, "code": code, "share": share}
            for place, entry in enumerate(numbers.gappy)
            for code, share in enumerate(entry.by_class or (entry.missing,))
        ],
        {"place": "Feature", "code": "Class" if classes else "", "share": "Share missing"},
        lookups={"place": "gappy", "code": "classes"} if classes else {"place": "gappy"},
    )
    many = len(classes) > len(CLASS_COLOURS)
    n = len(numbers.gappy)
    first = f" The {n} features with most of {numbers.n_gappy}." if n < numbers.n_gappy else ""
    page["figures"].append(
        figure(
            "gaps",
            "Where values are missing",
            {
                "height": rows_height(n, 19, extra=90),
                "data": data("gaps"),
                "transform": [
                    {"calculate": "gappy[datum.place]", "as": "feature"},
                    {"calculate": "classes[datum.code]" if classes else "''", "as": "class"},
                ],
                "mark": {"type": "circle", "size": 56, "opacity": 0.85},
                "encoding": {
                    "x": quantitative(
                        "share",
                        "Share of the samples",
                        scale={"domain": [0, 1]},
                        axis={"format": ".0%"},
                    ),
                    "y": {
                        "field": "place",
                        "type": "ordinal",
                        "axis": {
                            **NAMES,
                            "labelExpr": "gappy[datum.value]",
                            "grid": True,
                            "gridOpacity": 0.12,
                        },
                    },
                    "color": class_colours(classes, orient="bottom")
                    if classes
                    else {"value": BLUE},
                    "tooltip": tooltip(
                        ("feature", "Feature", "text"),
                        *([("class", "Class", "text")] if classes else []),
                        ("share", "Missing", ".0%"),
                    ),
                },
            },
            table="gaps",
            params=["gappy", "classes"],
            controls={"k": 0} if many else {},
            marked=["k"] if many else [],
            caption="Share of the samples without a value"
            f"{', by class' if classes else ''}. Where the classes lie apart, a value may be "
            f"missing because of the class.{first}",
        )
    )
