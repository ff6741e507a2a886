"""The trials of a tuned cell side by side: parallel coordinates with horizontal axes.

Step in the line: TuningSummary -> **figure** -> HTML. Axes in rows leave each its label,
and the figure fits a narrow page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import rankdata

from smalldata.report.figures.grammar import (
    BLUE,
    GREY,
    PURPLE,
    VERMILION,
    Figures,
    Spec,
    data,
    dataset,
    figure,
    rows_height,
    tooltip,
)
from smalldata.report.sections.tuning import ListedTrial, TuningSummary

ROW = 54
"""Pixels of a row whose values are drawn inside it."""

MARGIN = (30, 66)
"""Least and most pixels on either side of the axes, for the names of their ends."""

MANY = 200
"""Lines above which the figure begins with the trials of one outer fold."""

ROW_LABELS = {
    "domain": False,
    "ticks": False,
    "grid": False,
    "labelPadding": 8,
    "title": None,
    "labelOverlap": False,
}
"""Axis that names rows, in one line or two."""


def draw_trials(page: Figures, tuning: TuningSummary) -> None:
    """Draw all trials as lines through the hyperparameters down to their inner score."""
    parameters, listed = tuning.parameters, tuning.trials
    scored = [trial.score for trial in listed if trial.score is not None]
    if not scored:
        return
    n = len(parameters)
    low, high = min(scored), max(scored)
    worst, best = (low, high) if tuning.measure.higher_is_better else (high, low)
    page["params"]["tuned_axis"] = [
        *([one.name, "log scale"] if one.log else [one.name] for one in parameters),
        ["inner score", "(optimistic)"],
    ]
    page["params"]["tuned_jitter"] = [
        0.05 if one.kind == "categorical" else 0.0 for one in parameters
    ] + [0.0]
    levels = _levels(listed, higher_is_better=tuning.measure.higher_is_better)
    rows = [
        {
            "o": trial.fold,
            "trial": trial.trial,
            "state": trial.state,
            "chosen": "chosen" if trial.chosen else "",
            "score": trial.score,
            "level": level,
            **{f"v{p}": value for p, value in enumerate(trial.values)},
            "at": [
                *(None if at is None else round(at, 3) for at in trial.at),
                None
                if trial.score is None
                else round((trial.score - worst) / (best - worst or 1.0), 3),
            ],
        }
        for trial, level in zip(listed, levels, strict=True)
    ]
    # The best are drawn last, on top.
    rows.sort(key=lambda row: (row["level"] is not None, row["level"] or 0.0))
    page["datasets"]["tuned_trials"] = dataset(
        rows,
        {
            "o": "Outer fold",
            "trial": "Trial",
            "state": "State",
            "chosen": "Chosen",
            "score": f"Inner {tuning.measure.title} (optimistic)",
            **{f"v{p}": one.name for p, one in enumerate(parameters)},
            "level": "",
            "at": "",
        },
        lookups={"o": "tuned_folds"},
    )
    ticks = [
        {"p": p, "x": tick.at, "text": tick.text}
        for p, one in enumerate(parameters)
        for tick in one.ticks
    ]
    ticks += [{"p": n, "x": 0.0, "text": f"{worst:.3g}"}, {"p": n, "x": 1.0, "text": f"{best:.3g}"}]
    page["datasets"]["tuned_ticks"] = dataset(ticks, {"p": "", "x": "", "text": ""})
    names = page["params"]["tuned_folds"][: tuning.n_listed]
    controls: dict[str, Any] = {}
    keep: list[Spec] = []
    if len(names) > 1:
        options: list[Spec] = [{"value": o, "text": name} for o, name in enumerate(names)]
        options.insert(
            len(names) if len(rows) > MANY else 0, {"value": -1, "text": "all outer folds"}
        )
        page["controls"]["o"] = {"label": "Outer fold", "options": options}
        controls = {"o": options[0]["value"]}
        keep = [{"filter": "o == -1 || datum.o == o"}]
    across = _across(ticks)
    spec: Spec = {
        "height": rows_height(n + 1, ROW, extra=60),
        "layer": [
            *(_lines(n, keep, across, **kind) for kind in _line_kinds(tuning.counts)),
            *_axes(n, across),
        ],
        "resolve": {"scale": {"color": "independent"}},
    }
    page["figures"].append(
        figure(
            "tuned_trials",
            "All trials, side by side",
            spec,
            table="tuned_trials",
            datasets=["tuned_ticks"],
            params=["tuned_axis", "tuned_jitter", "tuned_folds"],
            controls=controls,
            caption=_trials_caption(tuning, len(names)),
        )
    )


def _levels(listed: Sequence[ListedTrial], *, higher_is_better: bool) -> list[float | None]:
    """Rank each scored trial within its outer fold: 0 is the worst, 1 the best."""
    sign = 1.0 if higher_is_better else -1.0
    levels: list[float | None] = [None] * len(listed)
    for fold in {trial.fold for trial in listed}:
        own = {
            i: sign * trial.score
            for i, trial in enumerate(listed)
            if trial.fold == fold and trial.score is not None
        }
        for i, rank in zip(own, rankdata([*own.values()]).tolist(), strict=True):
            levels[i] = round((rank - 1) / (len(own) - 1), 3) if len(own) > 1 else 1.0
    return levels


def _axes(n: int, across: Spec) -> list[Spec]:
    """One horizontal line per row, its ends named beside it and what lies between them below."""
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": across}
    y = {"field": "p", "type": "quantitative", "axis": _row_axis(n), "scale": _down(n)}
    layers: list[Spec] = [
        {
            "data": data("tuned_ticks"),
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35, "color": "currentColor"},
            "encoding": {"x": x, "y": y, "detail": {"field": "p", "type": "nominal"}},
        }
    ]
    places: list[tuple[str, Spec]] = [
        ("datum.x == 0", {"align": "right", "dx": -8}),
        ("datum.x == 1", {"align": "left", "dx": 8}),
        ("datum.x > 0 && datum.x < 1", {"dy": 13}),
    ]
    for only, place in places:
        mark: Spec = {"type": "text", "fontSize": 11, "limit": MARGIN[1] - 10, **place}
        text = {"field": "text", "type": "nominal"}
        layers.append(
            {
                "data": data("tuned_ticks"),
                "transform": [{"filter": only}],
                "mark": mark,
                "encoding": {"x": x, "y": y, "text": text},
            }
        )
    return layers


def _across(ticks: list[dict[str, Any]]) -> Spec:
    """Leave two margins beside the searched range, as wide as the names of its ends need."""
    left, right = (
        min(MARGIN[1], max(MARGIN[0], 14 + 7 * max(len(t["text"]) for t in ticks if t["x"] == end)))
        for end in (0.0, 1.0)
    )
    inside = f"max(40, width - {left + right})"
    return {
        "domain": [{"expr": f"-{left} / {inside}"}, {"expr": f"1 + {right} / {inside}"}],
        "nice": False,
        "zero": False,
    }


def _down(n: int) -> Spec:
    return {"domain": [-0.25, n + 0.45], "reverse": True, "nice": False, "zero": False}


def _row_axis(n: int) -> Spec:
    return {
        **ROW_LABELS,
        "values": list(range(n + 1)),
        "labelExpr": "tuned_axis[datum.value]",
    }


def _line_kinds(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """How lines are drawn, the most important ones last."""
    kinds: list[dict[str, Any]] = [
        {
            "only": "datum.state == 'ok'",
            "mark": {"strokeWidth": 1.2},
            "colour": {
                "field": "level",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": [GREY, BLUE]},
                "legend": {
                    "title": "Inner score, within its fold",
                    "values": [0, 1],
                    "labelExpr": "datum.value == 0 ? 'worst' : 'best'",
                    "gradientLength": 90,
                    "gradientThickness": 8,
                },
            },
        }
    ]
    dashed = {"strokeWidth": 1.2, "opacity": 0.6}
    if counts["pruned"]:
        mark = {**dashed, "strokeDash": [5, 4], "color": GREY}
        kinds.append({"only": "datum.state == 'pruned'", "mark": mark})
    if counts["failed"]:
        mark = {**dashed, "strokeDash": [2, 3], "color": PURPLE}
        kinds.append({"only": "datum.state == 'failed'", "mark": mark})
    mark = {"strokeWidth": 2.4, "opacity": 0.9, "color": VERMILION}
    return [*kinds, {"only": "datum.chosen == 'chosen'", "mark": mark}]


def _lines(
    n: int, keep: list[Spec], across: Spec, *, only: str, mark: Spec, colour: Spec | None = None
) -> Spec:
    """Lines of some trials: each hyperparameter's value, from row to row."""
    encoding: Spec = {
        "x": {"field": "x", "type": "quantitative", "axis": None, "scale": across},
        "y": {"field": "p", "type": "quantitative", "axis": _row_axis(n), "scale": _down(n)},
        "order": {"field": "p", "type": "quantitative"},
        "detail": [{"field": key, "type": "nominal"} for key in ("o", "trial")],
        "tooltip": tooltip(
            ("fold", "Outer fold", "text"),
            ("trial", "Trial", "d"),
            ("state", "State", "text"),
            ("score", "Inner score (optimistic)", "number"),
        ),
    }
    if colour is not None:
        encoding["color"] = colour
        encoding["opacity"] = {
            "field": "level",
            "type": "quantitative",
            "scale": {"domain": [0, 1], "range": [0.15, 0.75]},
            "legend": None,
        }
    return {
        "data": data("tuned_trials"),
        "transform": [
            *keep,
            {"filter": only},
            {"calculate": "sequence(length(datum.at))", "as": "index"},
            {"calculate": "tuned_folds[datum.o]", "as": "fold"},
            {"flatten": ["at", "index"], "as": ["place", "p"]},
            {"filter": "isValid(datum.place)"},
            {
                "calculate": "datum.place + tuned_jitter[datum.p] * "
                "(((datum.trial * 0.618034 + datum.o * 0.414214) % 1) - datum.place)",
                "as": "x",
            },
        ],
        "mark": {"type": "line", **mark},
        "encoding": encoding,
    }


def _trials_caption(tuning: TuningSummary, n_drawn: int) -> str:
    counts = tuning.counts
    text = (
        "Each line is a trial. It crosses each row at the value it tried, low values on the left, "
        "and ends at its inner score, better to the right. That score is optimistic: "
        "one of many on the same inner folds. Thick: the trial that its fold chose."
    )
    ends = []
    if counts["pruned"]:
        ends.append("dashed, pruned")
    if counts["failed"]:
        ends.append("dotted, failed")
    if ends:
        text += f" Lines that end before it have no score: {'; '.join(ends)}."
    if n_drawn < tuning.n_folds:
        text += f" Shown are the first {n_drawn} of {tuning.n_folds} outer folds."
    return text
