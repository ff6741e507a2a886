"""The figures of an explanation, in reading order, and the data they share.

Step in the line: ExplanationSummary -> **figures** -> HTML. The values travel once, as one
row per output and feature with one entry per sample; each figure unfolds what it needs.
"""

from smalldata.report.figures.attributions import draw_beeswarm, draw_dependence
from smalldata.report.figures.grammar import Figures, choices, no_figures
from smalldata.report.figures.heatmap import draw_heatmap
from smalldata.report.figures.importance import draw_blocks, draw_importance
from smalldata.report.figures.sureness import draw_removals, draw_steadiness
from smalldata.report.figures.together import draw_pairs, draw_twins
from smalldata.report.figures.waterfall import draw_waterfall
from smalldata.report.sections.explanation import ExplanationSummary
from smalldata.report.sections.outcomes import Outcomes
from smalldata.report.sections.task import TaskFacts


def explanation_figures(
    explanation: ExplanationSummary | None, task: TaskFacts, outcomes: Outcomes | None
) -> Figures:
    """Draw which features count, what they do to each sample, and how sure that is."""
    page = no_figures()
    if explanation is None:
        return page
    outputs, samples = explanation.outputs, explanation.samples
    towards = _towards(task, explanation)
    kept = samples.kept
    page["params"] |= {
        "features": kept,
        "outputs": outputs,
        "order": samples.order,
        "levels": [column.levels for column in samples.columns],
        "base": samples.base,
        "final": samples.final,
        "rest": samples.rest,
    }
    page["datasets"]["phi"] = {
        "columns": [],
        "data": {
            "k": [k for k in range(len(outputs)) for _ in kept],
            "f": [f for _ in outputs for f in range(len(kept))],
            "phi": [values for output in samples.phi for values in output],
        },
    }
    page["datasets"]["x"] = {
        "columns": [],
        "data": {
            "f": list(range(len(kept))),
            "x": [column.x for column in samples.columns],
            "low5": [column.low for column in samples.columns],
            "high95": [column.high for column in samples.columns],
        },
    }
    if len(outputs) > 1:
        page["controls"]["k"] = choices("Class", outputs)
    draw_importance(page, explanation)
    draw_beeswarm(page, explanation, towards)
    draw_heatmap(page, explanation, task, outcomes)
    draw_dependence(page, explanation, task, towards)
    draw_waterfall(page, explanation, task, outcomes)
    if explanation.pairs is not None:
        draw_pairs(page, explanation.pairs, several=len(outputs) > 1)
    if explanation.blocks:
        draw_blocks(page, explanation.blocks)
    if explanation.steady is not None:
        draw_steadiness(page, explanation.steady)
    if explanation.removals is not None:
        # Beside the map of the pairs, where there is one, which is tall.
        height = 320 if explanation.pairs is None else 480
        draw_removals(page, explanation.removals, height=height)
    if explanation.twins is not None:
        draw_twins(page, explanation.twins)
    return page


def _towards(task: TaskFacts, explanation: ExplanationSummary) -> str:
    if task.kind == "regression":
        return "up"
    if len(explanation.outputs) == 1:
        return f"towards {explanation.outputs[0]}"
    return "towards the chosen class"
