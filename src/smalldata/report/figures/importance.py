"""Which features and blocks count: bars with their spread over folds.

Step in the line: ExplanationSummary -> **figures** -> HTML.
"""

from collections.abc import Sequence
from typing import Any

from smalldata.report.figures.grammar import (
    BLUE,
    GREY,
    Figures,
    Spec,
    axis_names,
    data,
    dataset,
    figure,
    quantitative,
    rows_height,
    spread_rule,
    tooltip,
)
from smalldata.report.plain import count
from smalldata.report.sections.explanation import BlockShare, ExplanationSummary
from smalldata.report.sections.explanation_permuted_labels import NullSummary

NAMES = {
    "labelOverlap": False,
    "title": None,
    "domain": False,
    "ticks": False,
    "labelPadding": 6,
    "labelLimit": {"expr": "narrow ? 140 : 230"},
}
"""Axis that names rows, at more length where there is room."""


def draw_importance(page: Figures, explanation: ExplanationSummary) -> None:
    """Draw the leading features; with several classes also over all of them."""
    samples, null = explanation.samples, explanation.null
    position = {j: f for f, j in enumerate(samples.kept_index)}
    names = dict(zip(samples.kept_index, samples.kept, strict=True))
    above = set(null.above) if null is not None else set()
    several = len(explanation.outputs) > 1
    for code, (name, title, control) in enumerate(
        (("importance", "Importance", "k"), ("importance_all", "Importance over all classes", ""))
    ):
        if code and not several:
            continue
        n_outputs = len(explanation.outputs)
        lists = explanation.importance[-1:] if code else explanation.importance[:n_outputs]
        # Permuted labels bound the importance over all classes, not that for one of them.
        bounded = null if not several or code else None
        told = bounded is not None and bounded.enough
        rows = [
            {
                "k": k,
                "place": place,
                "f": position[bar.feature],
                "above": int(names[bar.feature] in above) if told else 1,
                "null": ("yes" if names[bar.feature] in above else "no") if told else "",
                "mean": bar.mean,
                "low": bar.low,
                "high": bar.high,
            }
            for k, bars in enumerate(lists)
            for place, bar in enumerate(bars)
            if bar.feature in position
        ]
        page["datasets"][name] = dataset(
            rows,
            {
                **({"k": "Class"} if not code else {"k": ""}),
                "place": "",
                "f": "Feature",
                "mean": "Mean |Shapley value|",
                "low": "10th percentile of folds",
                "high": "90th percentile of folds",
                "above": "",
                "null": "Above what permuted labels reach" if told else "",
            },
            lookups={"f": "features", "k": "outputs"},
        )
        n_rows = len(lists[0])
        labels = "features[order[k][datum.value]]" if not code else "features[datum.value]"
        y = {
            "field": "place",
            "type": "ordinal",
            "axis": {**NAMES, "labelExpr": labels},
            "scale": {"paddingInner": 0.25},
        }
        x_title = f"Mean |Shapley value| ({explanation.scale})"
        spec: Spec = {
            "height": rows_height(n_rows, 25, extra=60),
            "data": data(name),
            "transform": [
                *([{"filter": "datum.k == k"}] if control else []),
                {"calculate": "features[datum.f]", "as": "feature"},
            ],
            "encoding": {"y": y},
            "layer": [
                {
                    "mark": {
                        "type": "bar",
                        "opacity": 0.85,
                        "cornerRadiusEnd": 2,
                        "cursor": "pointer",
                    },
                    "encoding": {
                        "x": quantitative("mean", x_title, zero=True),
                        "color": {
                            "condition": {"test": "datum.above == 1", "value": BLUE},
                            "value": GREY,
                        },
                        "tooltip": tooltip(
                            ("feature", "Feature", "text"),
                            ("mean", "Mean", "number"),
                            ("low", "10th percentile", "number"),
                            ("high", "90th percentile", "number"),
                            *((("null", "Above permuted labels", "text"),) if told else ()),
                        ),
                    },
                },
                spread_rule(x_title, zero=True),
            ],
        }
        if bounded is not None:
            spec["layer"] += _null_rule(bounded.threshold, x_title)
        n_all = explanation.n_features
        cut = f" The first {n_rows} of {n_all} features." if n_all > n_rows else ""
        page["figures"].append(
            figure(
                name,
                title,
                spec,
                table=name,
                params=["features", "order"],
                controls={"k": 0} if control else {},
                caption="How far a feature moves the prediction on average. Line: from the 10th to "
                f"the 90th percentile of the {explanation.n_folds} folds. Click a bar to see the "
                f"feature sample by sample.{cut}{_say_rule(bounded)}",
            )
        )


def _null_rule(threshold: float, x_title: str) -> list[Spec]:
    """Dashed line at the largest importance that permuted labels reach."""
    at = {"values": [{"mean": threshold, "text": "chance"}]}
    x = quantitative("mean", x_title, zero=True)
    return [
        {
            "data": at,
            "mark": {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5, "opacity": 0.9},
            "encoding": {"x": x, "y": None},
        },
        {
            "data": at,
            "mark": {"type": "text", "align": "left", "dx": 5, "dy": -6, "baseline": "bottom"},
            "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "text", "type": "nominal"}},
        },
    ]


def _say_rule(null: NullSummary | None) -> str:
    """Say what the dashed line is; nothing if there is none."""
    if null is None:
        return ""
    line = (
        " Dashes: the largest importance that any feature reached in "
        f"{count(null.n, 'permutation')} of the labels"
    )
    if null.enough:
        return f"{line}; grey bars do not exceed it."
    return f"{line}: too few to mark features by ({null.needed} are needed)."


def draw_blocks(page: Figures, blocks: Sequence[BlockShare]) -> None:
    """Draw the share of each block of features."""
    page["params"]["blocks"] = [block.name for block in blocks]
    rows = [
        {
            "b": b,
            "share": round(block.share, 4),
            "low": round(block.low, 4),
            "high": round(block.high, 4),
            "n": block.n_features,
        }
        for b, block in enumerate(blocks)
    ]
    page["datasets"]["blocks"] = dataset(
        rows,
        {
            "b": "Block",
            "share": "Share",
            "low": "10th percentile of folds",
            "high": "90th percentile of folds",
            "n": "Features",
        },
        lookups={"b": "blocks"},
    )
    x_title = "Share of all |Shapley value|"
    percent: dict[str, Any] = {"axis": {"format": ".0%"}, "zero": True}
    page["figures"].append(
        figure(
            "blocks",
            "Blocks",
            {
                "height": rows_height(len(rows), 30),
                "data": data("blocks"),
                "encoding": {
                    "y": {
                        "field": "b",
                        "type": "ordinal",
                        "axis": axis_names("blocks", domain=False, ticks=False),
                    }
                },
                "layer": [
                    {
                        "mark": {
                            "type": "bar",
                            "color": BLUE,
                            "opacity": 0.85,
                            "height": {"band": 0.7},
                        },
                        "encoding": {
                            "x": quantitative("share", x_title, **percent),
                            "tooltip": tooltip(("share", "Share", ".1%"), ("n", "Features", "d")),
                        },
                    },
                    spread_rule(x_title, **percent),
                ],
            },
            table="blocks",
            params=["blocks"],
            caption="How much of the prediction each block of features carries. Line: 10th to "
            "90th percentile of the folds.",
        )
    )
