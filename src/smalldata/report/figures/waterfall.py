"""The waterfall: from the mean prediction, feature by feature, to one sample's own.

Step in the line: ExplanationSummary -> **figures** -> HTML.
"""

from smalldata.report.figures.attributions import VALUE_TEXT, join_x
from smalldata.report.figures.grammar import (
    BLUE,
    VERMILION,
    Figures,
    Spec,
    data,
    figure,
    quantitative,
    rows_height,
    tooltip,
)
from smalldata.report.figures.importance import NAMES
from smalldata.report.plain import format_percent
from smalldata.report.sections.explanation import ExplanationSummary
from smalldata.report.sections.outcomes import ClassSample, Outcomes, ValueOutcomes
from smalldata.report.sections.task import TaskFacts

N_WATERFALL = 12
"""Features named in a waterfall; the others are one bar."""


def draw_waterfall(
    page: Figures, explanation: ExplanationSummary, task: TaskFacts, outcomes: Outcomes | None
) -> None:
    """Draw the sample chosen: its strongest features, and the others as one bar."""
    explained = explanation.samples.explained
    known = _sample_texts(outcomes, [entry.name for entry in task.classes])
    page["controls"]["s"] = {
        "label": "Sample",
        "options": [{"value": row, "text": known[row]} for row in explained if row in known],
    }
    bar = {"height": {"band": 0.7}}
    others = "'all other features'"
    name = "truncate(features[datum.f], narrow ? 12 : 30)"
    # Cut names may be equal: the place before the bar, which is not shown, keeps the rows apart.
    label = (
        f"datum.g + '|' + (datum.g > {N_WATERFALL} ? {others} : {name} + ' = ' + ({VALUE_TEXT}))"
    )
    whole = f"datum.g > {N_WATERFALL} ? {others} : features[datum.f]"
    shown = f"datum.g > {N_WATERFALL} ? '' : {VALUE_TEXT}"
    of_class = " + ' · ' + truncate(outputs[k], 40)" if len(explanation.outputs) > 1 else ""
    # Sums that should be 0 are off by rounding, and a small number in full is long.
    nothing = "abs(datum.shap) < 1e-9 * max(abs(base[k][s]), abs(final[k][s]))"
    size = "replace(format(abs(datum.shap), abs(datum.shap) < 0.001 ? '.2~e' : '.3~r'), '-', '−')"
    spec: Spec = {
        "height": rows_height(N_WATERFALL + 1, 24, extra=102),
        "title": {
            "offset": 12,
            "text": {
                "expr": f"['Sample ' + truncate(rows[s], 40){of_class}, 'Mean prediction ' + "
                "format(base[k][s], '.3~r') + ', this sample ' + format(final[k][s], '.3~r')]"
            },
        },
        "data": data("phi"),
        "transform": [
            {"filter": "datum.k == k"},
            *join_x(),
            {"calculate": "datum.phi[s]", "as": "shap"},
            {"calculate": "datum.x[s]", "as": "value"},
            {"filter": "isValid(datum.shap)"},
            {"calculate": "abs(datum.shap)", "as": "size"},
            {
                "window": [{"op": "row_number", "as": "place"}],
                "sort": [{"field": "size", "order": "descending"}],
            },
            {"calculate": f"min(datum.place, {N_WATERFALL + 1})", "as": "g"},
            {
                "aggregate": [
                    {"op": "sum", "field": "shap", "as": "sum"},
                    {"op": "min", "field": "f", "as": "f"},
                    {"op": "min", "field": "value", "as": "value"},
                ],
                "groupby": ["g"],
            },
            {"calculate": f"datum.sum + (datum.g > {N_WATERFALL} ? rest[k][s] : 0)", "as": "shap"},
            {
                "window": [{"op": "sum", "field": "shap", "as": "total"}],
                "sort": [{"field": "g", "order": "ascending"}],
            },
            {"calculate": "base[k][s] + datum.total", "as": "end"},
            {"calculate": "datum.end - datum.shap", "as": "start"},
            {"calculate": label, "as": "label"},
            {"calculate": whole, "as": "feature"},
            {"calculate": shown, "as": "shown"},
            {
                "calculate": f"{nothing} ? '0' : (datum.shap < 0 ? '−' : '+') + {size}",
                "as": "text",
            },
            {"calculate": "datum.shap < 0 ? 0 : 1", "as": "up"},
        ],
        "encoding": {
            "y": {
                "field": "label",
                "type": "nominal",
                "sort": {"field": "g", "op": "min"},
                "axis": {
                    **NAMES,
                    "labelExpr": "slice(datum.label, indexof(datum.label, '|') + 1)",
                    "labelLimit": 320,
                },
            }
        },
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadius": 2, **bar},
                "encoding": {
                    "x": quantitative(
                        "start", f"Prediction ({explanation.scale})", scale={"padding": 48}
                    ),
                    "x2": {"field": "end"},
                    "color": {
                        "field": "up",
                        "type": "ordinal",
                        "scale": {"domain": [1, 0], "range": [VERMILION, BLUE]},
                        "legend": {
                            "title": None,
                            "labelExpr": "datum.value == 1 ? 'raises' : 'lowers'",
                        },
                    },
                    "tooltip": tooltip(
                        ("feature", "Feature", "text"),
                        ("shown", "Value", "text"),
                        ("shap", "Shapley value", "number"),
                        ("start", "Prediction before", "number"),
                        ("end", "Prediction after", "number"),
                    ),
                },
            },
            {
                "transform": [{"calculate": "max(datum.start, datum.end)", "as": "right"}],
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
                "encoding": {
                    "x": quantitative("right"),
                    "text": {"field": "text", "type": "nominal"},
                },
            },
        ],
    }
    n_others = explanation.n_features - N_WATERFALL
    page["figures"].append(
        figure(
            "waterfall",
            "One sample",
            spec,
            table="phi",
            datasets=["x"],
            params=["features", "levels", "rows", "outputs", "rest", "base", "final"],
            controls={"k": 0, "s": explained[0] if explained else 0},
            caption="From the mean prediction (top) feature by feature to this sample's own "
            "(bottom)."
            + (
                f" The {N_WATERFALL} strongest features are shown; the other {n_others} are one "
                "bar."
                if n_others > 0
                else ""
            ),
        )
    )


def _sample_texts(outcomes: Outcomes | None, classes: list[str]) -> dict[int, str]:
    """Write what was observed and predicted of each held-out sample, by its row."""
    if outcomes is None:
        return {}
    if isinstance(outcomes, ValueOutcomes):
        return {
            one.row: f"{one.id} · observed {one.observed:g}, predicted {one.predicted:g}"
            for one in outcomes.samples
        }
    return {sample.row: _class_text(sample, classes) for sample in outcomes.samples}


def _class_text(sample: ClassSample, classes: list[str]) -> str:
    sure = format_percent(max(sample.probabilities))
    observed, predicted = classes[sample.observed], classes[sample.predicted]
    return f"{sample.id} · {observed}, predicted {predicted} ({sure})"
