"""The figures of an explanation, in reading order, and the data they share.

Step in the line: summary of an explanation -> **figures** -> HTML. The values travel once, as one
row per output and feature with one entry per sample; each figure unfolds what it needs.
"""

from typing import Any

from smalldata.report.figures.attributions import draw_beeswarm, draw_dependence
from smalldata.report.figures.grammar import Figures
from smalldata.report.figures.heatmap import draw_heatmap
from smalldata.report.figures.importance import draw_blocks, draw_importance
from smalldata.report.figures.sureness import draw_removals, draw_steadiness
from smalldata.report.figures.together import draw_pairs, draw_twins
from smalldata.report.figures.waterfall import draw_waterfall


def explanation_figures(summary: dict[str, Any]) -> Figures:
    """Draw which features count, what they do to each sample, and how sure that is."""
    explanation, task = summary["explanation"], summary["task"]
    page: Figures = {"datasets": {}, "params": {}, "figures": [], "controls": {}}
    if explanation is None:
        return page
    outputs = explanation["outputs"]
    several = len(outputs) > 1
    towards = _towards(task, explanation)
    kept = explanation["kept"]
    page["params"] |= {
        "features": kept,
        "outputs": outputs,
        "order": explanation["order"],
        "levels": explanation["levels"],
        "base": explanation["base"],
        "final": explanation["final"],
    }
    page["params"]["rest"] = explanation["rest"]
    page["datasets"]["phi"] = {
        "columns": [],
        "data": {
            "k": [k for k in range(len(outputs)) for _ in kept],
            "f": [f for _ in outputs for f in range(len(kept))],
            "phi": [values for output in explanation["phi"] for values in output],
        },
    }
    page["datasets"]["x"] = {
        "columns": [],
        "data": {
            "f": list(range(len(kept))),
            "x": explanation["x"],
            "low5": explanation["low5"],
            "high95": explanation["high95"],
        },
    }
    if several:
        page["controls"]["k"] = {
            "label": "Class",
            "options": [{"value": i, "text": name} for i, name in enumerate(outputs)],
        }
    draw_importance(page, explanation, several)
    draw_beeswarm(page, explanation, towards)
    draw_heatmap(page, summary)
    draw_dependence(page, explanation, task, towards)
    draw_waterfall(page, summary)
    draw_pairs(page, explanation)
    if explanation["blocks"]:
        draw_blocks(page, explanation)
    draw_steadiness(page, explanation)
    draw_removals(page, explanation)
    draw_twins(page, explanation)
    return page


def _towards(task: dict[str, Any], explanation: dict[str, Any]) -> str:
    if task["kind"] == "regression":
        return "up"
    if len(explanation["outputs"]) == 1:
        return f"towards {explanation['outputs'][0]}"
    return "towards the chosen class"
