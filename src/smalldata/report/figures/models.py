"""Figures of a comparison: scores, differences, folds, seconds.

Step in the line: ComparisonSummary -> **figures** -> HTML.
"""

from smalldata.report.comparison_page.overview import ComparisonSummary
from smalldata.report.figures.agreement import draw_agreement
from smalldata.report.figures.grammar import (
    BLUE,
    CLASS_COLOURS,
    GREY,
    INK,
    LINE,
    MOST_LINES,
    ORANGE,
    Figures,
    Spec,
    axis_lines,
    data,
    dataset,
    figure,
    no_figures,
    quantitative,
    rows_height,
    tooltip,
)
from smalldata.report.figures.learning import draw_learning_curves
from smalldata.report.figures.model_curves import draw_model_curves
from smalldata.report.plain import short_label
from smalldata.results.comparison import Word


def comparison_figures(summary: ComparisonSummary) -> Figures:
    """Draw scores, differences, folds, agreement, curves, learning curve and seconds."""
    page = no_figures()
    page["params"]["models"] = [cell.label for cell in summary.cells]
    page["params"]["model_lines"] = [break_label(cell.label) for cell in summary.cells]
    page["params"]["measures"] = [measure.title for measure in summary.measures]
    page["controls"]["m"] = {
        "label": "Measure",
        "options": [
            {
                "value": m,
                "text": f"{measure.title} ({measure.better} is better)",
                "short": measure.title,
            }
            for m, measure in enumerate(summary.measures)
        ],
    }
    _scores(page, summary)
    _differences(page, summary)
    if summary.fold_scores:
        _folds(page, summary)
    if summary.agreement is not None:
        lines = [break_label(label) for label in summary.agreement.labels]
        draw_agreement(page, summary.agreement, lines)
    if summary.curves is not None:
        draw_model_curves(page, summary.curves)
    if summary.learning is not None:
        draw_learning_curves(page, summary.learning, summary.measure.title)
    _seconds(page, summary)
    return page


EDGE: Spec = {"padding": 8}
"""Pixels between a dot at the end of the scale and the labels."""

BAR: Spec = {"type": "rule", "strokeWidth": 3, "opacity": 0.55}
DOT: Spec = {"type": "circle", "size": 120, "opacity": 1}

MOST_IN_LINE = 22
"""Characters of a line of a label."""

NARROW: Spec = {"domain": False, "ticks": False, "labelPadding": 6, "labelLimit": 150}


def break_label(label: str) -> list[str]:
    """Write a long label in up to three lines, so that rows of one model can be told apart.

    Example
    -------
    >>> break_label("knn (tuned, tune.trials=12)"), break_label("svm (C=3.0)")
    (['knn', '(tuned, trials=12)'], ['svm (C=3.0)'])
    >>> break_label("linear (preprocess.select=univariate, preprocess.k=20)")
    ['linear', '(select=univariate,', 'k=20)']
    """
    model, parenthesis, settings = label.partition(" (")
    if not parenthesis or len(label) <= MOST_IN_LINE:
        return [label]
    lines = [model]
    for word in f"({short_label(settings)}".split(", "):
        room = lines[-1] and len(lines) > 1 and len(lines[-1]) + len(word) + 2 <= MOST_IN_LINE
        if room or len(lines) == MOST_LINES:
            lines[-1] += f", {word}"
        else:
            if len(lines) > 1:
                lines[-1] += ","
            lines.append(word)
    return lines


def _row(page: Figures, step: int) -> int:
    """Return the height of a row in pixels, enough for the longest label."""
    most = max((len(lines) for lines in page["params"]["model_lines"]), default=1)
    return max(step, LINE * most + 5)


def _model_axis(n: int) -> Spec:
    return {
        "field": "c",
        "type": "ordinal",
        "axis": axis_lines("model_lines", **NARROW),
        "scale": {"paddingInner": 0.3},
        "sort": list(range(n)),
    }


def _scores(page: Figures, summary: ComparisonSummary) -> None:
    rows = []
    for m, measure in enumerate(summary.measures):
        for c, cell in enumerate(summary.cells):
            score = cell.scores.get(measure.name)
            if score is not None and score.mean is not None:
                rows.append(
                    {
                        "m": m,
                        "c": c,
                        "mean": score.mean,
                        "low": score.low,
                        "high": score.high,
                        "level": int(cell.rank is not None and cell.word is not Word.WORSE),
                    }
                )
    page["datasets"]["scores"] = dataset(
        rows,
        {
            "m": "Measure",
            "c": "Model",
            "mean": "Mean",
            "low": "Interval from",
            "high": "Interval to",
            "level": "",
        },
        lookups={"m": "measures", "c": "models"},
    )
    n = len(summary.cells)
    colour = {
        "condition": {"test": "datum.level == 1", "value": BLUE},
        "value": GREY,
    }
    page["figures"].append(
        figure(
            "scores",
            "Scores with their intervals",
            {
                "height": rows_height(n, _row(page, 32)),
                "data": data("scores"),
                "transform": [
                    {"filter": "datum.m == m"},
                    {"calculate": "models[datum.c]", "as": "model"},
                ],
                "encoding": {"y": _model_axis(n), "color": colour},
                "layer": [
                    {
                        "mark": BAR,
                        "encoding": {
                            "x": quantitative("low", scale=EDGE),
                            "x2": {"field": "high"},
                        },
                    },
                    {
                        "mark": DOT,
                        "encoding": {
                            "x": quantitative("mean", scale=EDGE),
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("mean", "Mean", ".3f"),
                                ("low", "From", ".3f"),
                                ("high", "To", ".3f"),
                            ),
                        },
                    },
                ],
            },
            table="scores",
            params=["models", "model_lines", "measures"],
            controls={"m": 0},
            caption="Dot: mean over the folds; bar: 95 % interval. Blue: the best model by the "
            "primary measure and all that are not clearly worse.",
        )
    )


SHOWN = ("difference", "low", "high", "p_holm", "p_better", "p_equal", "p_worse", "rope")
"""Numbers of a difference that its figure holds."""


def _differences(page: Figures, summary: ComparisonSummary) -> None:
    rows = [
        {"c": c, **{key: getattr(cell.versus_best, key) for key in SHOWN}}
        for c, cell in enumerate(summary.cells)
        if cell.versus_best is not None
    ]
    if not rows:
        return
    page["datasets"]["differences"] = dataset(
        rows,
        {
            "c": "Model",
            "difference": "Difference to the best",
            "low": "Interval from",
            "high": "Interval to",
            "p_holm": "p (Holm)",
            "p_better": "P(better)",
            "p_equal": "P(practically equal)",
            "p_worse": "P(worse)",
            "rope": "",
        },
        lookups={"c": "models"},
    )
    rope = rows[0]["rope"]
    title = f"Difference in {summary.measure.title} to the best"
    page["figures"].append(
        figure(
            "differences",
            "Is the difference real?",
            {
                "height": rows_height(len(rows), _row(page, 32)),
                "layer": [
                    {
                        "data": {"values": [{"a": -rope, "b": rope}]},
                        "mark": {"type": "rect", "opacity": 0.18, "color": ORANGE},
                        "encoding": {"x": quantitative("a", title), "x2": {"field": "b"}},
                    },
                    {
                        "data": {"values": [{"a": 0}]},
                        "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6},
                        "encoding": {"x": quantitative("a", title)},
                    },
                    {
                        "data": data("differences"),
                        "mark": {**BAR, "color": BLUE},
                        "encoding": {
                            "y": _model_axis(len(summary.cells)),
                            "x": quantitative("low", title),
                            "x2": {"field": "high"},
                        },
                    },
                    {
                        "data": data("differences"),
                        "transform": [{"calculate": "models[datum.c]", "as": "model"}],
                        "mark": {**DOT, "color": BLUE},
                        "encoding": {
                            "y": _model_axis(len(summary.cells)),
                            "x": quantitative("difference", title),
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("difference", "Difference", ".3f"),
                                ("low", "From", ".3f"),
                                ("high", "To", ".3f"),
                                ("p_holm", "p (Holm)", ".2~g"),
                                ("p_equal", "P(practically equal)", ".0%"),
                            ),
                        },
                    },
                ],
            },
            table="differences",
            params=["models", "model_lines"],
            caption="Each model minus the best, on the same folds, with the 95 % interval. An "
            "interval that reaches the dashed line shows no clear difference. Orange: differences "
            "that count as practically equal.",
        )
    )


def _folds(page: Figures, summary: ComparisonSummary) -> None:
    page["datasets"]["folds"] = dataset(
        summary.fold_scores,
        {"m": "Measure", "c": "Model", "repeat": "Repeat", "fold": "Fold", "value": "Score"},
        lookups={"m": "measures", "c": "models"},
    )
    n = len(summary.cells)
    page["figures"].append(
        figure(
            "folds",
            "Every fold",
            {
                "height": rows_height(n, _row(page, 36)),
                "data": data("folds"),
                "transform": [
                    {"filter": "datum.m == m"},
                    {"calculate": "models[datum.c]", "as": "model"},
                    {
                        "calculate": "((datum.repeat * 7 + datum.fold * 3) % 11 - 5) / 12",
                        "as": "offset",
                    },
                ],
                "encoding": {"y": _model_axis(n)},
                "layer": [
                    {
                        "mark": {"type": "circle", "size": 40, "opacity": 0.55, "color": BLUE},
                        "encoding": {
                            "x": quantitative("value", scale=EDGE),
                            "yOffset": {
                                "field": "offset",
                                "type": "quantitative",
                                "scale": {"domain": [-0.7, 0.7]},
                            },
                            "tooltip": tooltip(
                                ("model", "Model", "text"),
                                ("value", "Score", ".3f"),
                                ("repeat", "Repeat", "d"),
                                ("fold", "Fold", "d"),
                            ),
                        },
                    },
                    {
                        "mark": {
                            "type": "tick",
                            "orient": "vertical",
                            "thickness": 3,
                            "color": INK,
                            "size": 26,
                        },
                        "encoding": {
                            "x": {**quantitative("value", scale=EDGE), "aggregate": "mean"}
                        },
                    },
                ],
            },
            table="folds",
            params=["models", "model_lines", "measures"],
            controls={"m": 0},
            caption="A dot is the score of one held-out fold; the line is their mean. All models "
            "were tested on the same folds.",
        )
    )


def _seconds(page: Figures, summary: ComparisonSummary) -> None:
    parts = ("tune", "fit", "predict", "explain")
    rows = [
        {"c": c, "part": i, "seconds": float(f"{cell.seconds[part]:.4g}")}
        for c, cell in enumerate(summary.cells)
        for i, part in enumerate(parts)
        if cell.seconds.get(part)
    ]
    if not rows:
        return
    page["params"]["parts"] = list(parts)
    page["datasets"]["seconds"] = dataset(
        rows,
        {"c": "Model", "part": "Part", "seconds": "Seconds"},
        lookups={"c": "models", "part": "parts"},
    )
    page["figures"].append(
        figure(
            "seconds",
            "Time",
            {
                "height": rows_height(len(summary.cells), _row(page, 28), extra=80),
                "data": data("seconds"),
                "transform": [
                    {"calculate": "models[datum.c]", "as": "model"},
                    {"calculate": "parts[datum.part]", "as": "name"},
                ],
                "mark": {"type": "bar", "height": {"band": 0.7}},
                "encoding": {
                    "y": _model_axis(len(summary.cells)),
                    "x": quantitative("seconds", "Seconds, all folds together", zero=True),
                    "color": {
                        "field": "part",
                        "type": "ordinal",
                        "scale": {
                            "domain": [0, 1, 2, 3],
                            "range": [CLASS_COLOURS[i] for i in (3, 0, 5, 2)],
                        },
                        "legend": {"title": None, "labelExpr": "parts[datum.value]"},
                    },
                    "tooltip": tooltip(
                        ("model", "Model", "text"),
                        ("name", "Part", "text"),
                        ("seconds", "Seconds", "number"),
                    ),
                },
            },
            table="seconds",
            params=["models", "model_lines", "parts"],
            caption="Tuning, fitting, predicting and explaining, summed over the folds (one "
            "thread each).",
        )
    )
