"""Figures of a comparison: which models agree, by their rankings and sample by sample.

Step in the line: summary of a comparison -> **figures** -> HTML.
"""

from typing import Any

from smalldata.report.figures.grammar import (
    BLUE,
    VERMILION,
    Figures,
    Spec,
    axis_names,
    data,
    dataset,
    figure,
    rows_height,
    tooltip,
)

ROW = 40
"""Height of a row in pixels."""

MOST_NUMBERS = 9
"""Most models whose numbers fit into the cells on a narrow screen."""


def draw_agreement(page: Figures, found: dict[str, Any]) -> None:
    """Draw a triangle of pairs for the rankings, and one for the correlation per sample."""
    places = found["cells"]
    rows = [
        {
            "a": places[pair["first"]],
            "b": places[pair["second"]],
            **{
                key: None if pair[key] is None else round(pair[key], 4)
                for key in ("overlap", "correlation", "low", "high")
            },
            "n": pair["n_rows"],
        }
        for pair in found["pairs"]
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
        lookups={"a": "models", "b": "models"},
    )
    n = len(places)
    page["figures"] += [
        figure(
            "overlap",
            "Do they rank the features alike?",
            _triangle("overlap", n, tooltip(("overlap", "Overlap", ".2f"))),
            table="agreement",
            params=["models", "model_lines"],
            caption="Rank-biased overlap of the features each model uses, most important first: 1 "
            "is the same ranking, 0 nothing in common. The first ten places carry 86\u202f% of the "
            "weight.",
        ),
        figure(
            "correlation",
            "Do they explain each sample alike?",
            _triangle(
                "correlation",
                n,
                tooltip(
                    ("correlation", "Mean correlation", ".2f"),
                    ("low", "10th percentile of samples", ".2f"),
                    ("high", "90th percentile of samples", ".2f"),
                    ("n", "Samples", "d"),
                ),
            ),
            table="agreement",
            params=["models", "model_lines"],
            caption="Correlation of the Shapley values that two models give the features of one "
            "held-out sample, mean over the samples: 1 where each feature moves both predictions "
            "the same way. Scales differ between models and do not matter here. Red: below 0.",
        ),
    ]


def _triangle(field: str, n: int, lines: list[Spec]) -> Spec:
    labels: Spec = {"domain": False, "ticks": False, "labelPadding": 6, "labelLimit": 130}
    encoding: Spec = {
        "x": {
            "field": "a",
            "type": "ordinal",
            "axis": axis_names("models", labelAngle=-35, **labels),
            "scale": {"padding": 0.04},
        },
        "y": {
            "field": "b",
            "type": "ordinal",
            "axis": axis_names("model_lines", labelLineHeight=13, **labels),
            "scale": {"padding": 0.04},
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
                # Never so dense that the number in it cannot be read, on a light or a dark page.
                "fillOpacity": {
                    "field": "size",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0.05, 0.6]},
                    "legend": None,
                },
                "tooltip": [
                    *tooltip(("first", "First", "text"), ("second", "Second", "text")),
                    *lines,
                ],
            },
        }
    ]
    if n <= MOST_NUMBERS:
        layers.append(
            {
                "mark": {"type": "text"},
                "encoding": {"text": {"field": field, "type": "quantitative", "format": ".2f"}},
            }
        )
    return {
        "height": rows_height(n - 1, ROW, extra=100),
        "data": data("agreement"),
        "transform": [
            {"filter": f"isValid(datum.{field})"},
            {"calculate": "models[datum.a]", "as": "first"},
            {"calculate": "models[datum.b]", "as": "second"},
        ],
        "encoding": encoding,
        "layer": layers,
    }
