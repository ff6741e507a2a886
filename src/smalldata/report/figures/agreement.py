"""Figures of a comparison: which models agree, by their rankings and sample by sample.

Step in the line: AgreementSummary -> **figures** -> HTML.
"""

from smalldata.report.comparison_page.consensus import AgreementSummary
from smalldata.report.figures.grammar import (
    BLUE,
    LINE,
    VERMILION,
    Figures,
    Spec,
    axis_lines,
    data,
    dataset,
    figure,
    rows_height,
    tooltip,
)

ROW = 36
"""Smallest height of a row in pixels."""

CELL = 22
"""Pixels that the number in a cell needs; narrower cells show only the colour."""


def draw_agreement(page: Figures, found: AgreementSummary, lines: list[list[str]]) -> None:
    """Draw a triangle of pairs for the rankings, and one for the correlation per sample.

    Models are numbered, so that each name, in ``lines``, appears once.
    """
    page["params"]["explained"] = found.labels
    page["params"]["numbered"] = [
        [f"{number} {first}", *others] for number, (first, *others) in enumerate(lines, start=1)
    ]
    row = max(ROW, LINE * max(len(entry) for entry in lines) + 5)
    rows = [
        {
            "a": pair.first,
            "b": pair.second,
            "overlap": round(pair.overlap, 4),
            "correlation": _rounded(pair.correlation),
            "low": _rounded(pair.low),
            "high": _rounded(pair.high),
            "n": pair.n_rows,
        }
        for pair in found.pairs
    ]
    page["datasets"]["agreement"] = dataset(
        rows,
        {
            "a": "First",
            "b": "Second",
            "overlap": "Overlap of rankings",
            "correlation": "Mean correlation per sample",
            "low": "10th percentile of samples",
            "high": "90th percentile of samples",
            "n": "Samples",
        },
        lookups={"a": "explained", "b": "explained"},
    )
    n = len(lines)
    page["figures"] += [
        figure(
            "overlap",
            "Do they rank the features alike?",
            _triangle("overlap", n, row, tooltip(("overlap", "Overlap", ".2f"))),
            table="agreement",
            params=["explained", "numbered"],
            caption="Rank-biased overlap of the features each model uses, most important first: 1 "
            "means the same ranking, 0 nothing in common. The first ten places carry 86\u202f% of "
            "the weight.",
        ),
        figure(
            "correlation",
            "Do they explain each sample alike?",
            _triangle(
                "correlation",
                n,
                row,
                tooltip(
                    ("correlation", "Mean correlation", ".2f"),
                    ("low", "10th percentile of samples", ".2f"),
                    ("high", "90th percentile of samples", ".2f"),
                    ("n", "Samples", "d"),
                ),
            ),
            table="agreement",
            params=["explained", "numbered"],
            caption="For each held-out sample, the correlation of the Shapley values that the two "
            "models give its features; mean over the samples. 1: each feature moves both "
            "predictions the same way. The models' scales differ, which does not matter here. "
            "Orange: below 0.",
        ),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _triangle(field: str, n: int, row: int, told: list[Spec]) -> Spec:
    labels: Spec = {"domain": False, "ticks": False, "labelPadding": 6, "labelLimit": 150}
    order = list(range(n))
    encoding: Spec = {
        "x": {
            "field": "a",
            "type": "ordinal",
            "axis": {"title": None, "labelExpr": "datum.value + 1", "labelAngle": 0, **labels},
            "scale": {"padding": 0.04, "domain": order[:-1]},
        },
        "y": {
            "field": "b",
            "type": "ordinal",
            "axis": axis_lines("numbered", **labels),
            "scale": {"padding": 0.04, "domain": order},
        },
    }
    fill = {
        "condition": {"test": f"datum.{field} < 0", "value": VERMILION},
        "value": BLUE,
    }
    layers: list[Spec] = [
        {
            "transform": [{"calculate": f"abs(datum.{field})", "as": "size"}],
            "mark": {"type": "rect", "cornerRadius": 3},
            "encoding": {
                "color": fill,
                # Light enough for the number to be readable on a light and on a dark page.
                "fillOpacity": {
                    "field": "size",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0.05, 0.6]},
                    "legend": None,
                },
                "tooltip": [
                    *tooltip(("first", "First", "text"), ("second", "Second", "text")),
                    *told,
                ],
            },
        },
        {
            "mark": {"type": "text", "fontSize": 11},
            "encoding": {
                "text": {
                    "condition": {
                        "test": f"width >= {CELL * (n - 1)}",
                        "field": field,
                        "type": "quantitative",
                        "format": ".2f",
                    },
                    "value": "",
                }
            },
        },
    ]
    return {
        "height": rows_height(n, row, extra=30),
        "data": data("agreement"),
        "transform": [
            {"filter": f"isValid(datum.{field})"},
            {"calculate": "explained[datum.a]", "as": "first"},
            {"calculate": "explained[datum.b]", "as": "second"},
        ],
        "encoding": encoding,
        "layer": layers,
    }
