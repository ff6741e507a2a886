"""The score of a cell beside those on permuted labels.

Step in the line: PermutedSummary -> **figures** -> HTML.
"""

from collections import Counter

from smalldata.report.figures.grammar import (
    BLUE,
    GREY,
    Figures,
    Spec,
    data,
    dataset,
    figure,
    no_figures,
    quantitative,
    tooltip,
)
from smalldata.report.sections.permuted_scores import PermutedSummary

MOST_BARS = 30

EDGE: Spec = {"padding": 8}
"""Pixels between the score and the end of the scale."""


def permutation_figures(permuted: PermutedSummary | None) -> Figures:
    """Draw how often permuted labels give each score, and where the true labels' score lies."""
    page = no_figures()
    if permuted is None or not permuted.values:
        return page
    page["datasets"]["permuted"] = dataset(
        count_scores(permuted),
        {"low": f"{permuted.title} from", "high": "to", "n": "Permutations"},
    )
    page["figures"].append(
        figure(
            "permuted",
            "The score beside those of permuted labels",
            {
                "height": 200,
                "layer": [
                    {
                        "data": data("permuted"),
                        "mark": {"type": "rect", "color": GREY},
                        "encoding": {
                            "x": quantitative("low", permuted.title, scale=EDGE),
                            "x2": {"field": "high"},
                            "y": quantitative(
                                "n",
                                "Permutations",
                                zero=True,
                                axis={"tickMinStep": 1, "format": "d"},
                            ),
                            "y2": {"datum": 0},
                            "tooltip": tooltip(
                                ("n", "Permutations", "d"),
                                ("low", "From", ".3f"),
                                ("high", "To", ".3f"),
                            ),
                        },
                    },
                    {
                        "data": {"values": [{"score": permuted.score}]},
                        "mark": {"type": "rule", "strokeWidth": 3, "color": BLUE},
                        "encoding": {
                            "x": quantitative("score", permuted.title, scale=EDGE),
                            "tooltip": tooltip(("score", "True labels", ".3f")),
                        },
                    },
                ],
            },
            table="permuted",
            caption=f"Grey: {permuted.title} of the whole procedure on permuted labels. Blue line: "
            "on the true labels.",
        )
    )
    return page


def count_scores(permuted: PermutedSummary) -> list[dict[str, float]]:
    """Count the permutations by equal steps of the score; empty steps are left out."""
    ends = [*permuted.values, permuted.score]
    width = (max(ends) - min(ends)) / MOST_BARS or 0.01 * max(1.0, abs(permuted.score))
    start = permuted.values[0] - width / 2
    steps = Counter(int((value - start) // width) for value in permuted.values)
    return [
        {"low": start + step * width, "high": start + (step + 1) * width, "n": n}
        for step, n in sorted(steps.items())
    ]
