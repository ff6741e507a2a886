"""Figures of the signature: score by size, sizes chosen, features chosen.

Step in the line: SignatureSummary -> **figures** -> HTML.
"""

from smalldata.report.figures.grammar import (
    BLUE,
    GREY,
    ORANGE,
    Figures,
    Spec,
    axis_names,
    data,
    dataset,
    figure,
    no_figures,
    quantitative,
    rows_height,
    tooltip,
)
from smalldata.report.sections.panel import SignatureSummary


def signature_figures(signature: SignatureSummary | None) -> Figures:
    """Draw the signature of a cell; nothing if it has none."""
    page = no_figures()
    if signature is None:
        return page
    _curve(page, signature)
    _sizes(page, signature)
    _members(page, signature)
    return page


def _curve(page: Figures, signature: SignatureSummary) -> None:
    """Draw the score on held-out rows by size, and that of the whole procedure."""
    measure, sizes = signature.measure.title, signature.sizes
    page["datasets"]["signature_curve"] = dataset(
        [vars(entry) for entry in sizes],
        {
            "size": "Features",
            "mean": f"{measure} on held-out samples",
            "low": "95 % interval from",
            "high": "to",
            "inner": "Inner folds",
        },
    )
    page["params"]["signature_lines"] = ["the whole procedure", "all features"]
    lines = [
        {"line": line, "mean": entry.mean}
        for line, entry in enumerate((signature.expected, signature.whole))
        if entry is not None and entry.mean is not None
    ]
    page["datasets"]["signature_lines"] = dataset(
        lines, {"line": "", "mean": measure}, lookups={"line": "signature_lines"}
    )
    ticks = [entry.size for entry in sizes]
    x: Spec = {
        "field": "size",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [ticks[0] * 0.9, ticks[-1] * 1.12], "nice": False},
        "axis": {
            "title": "Features kept (log scale)",
            "values": ticks,
            "format": "d",
            "grid": False,
            "labelOverlap": "greedy",
        },
    }
    y = quantitative("mean", measure)
    hover = tooltip(
        ("size", "Features", "text"),
        ("mean", "On held-out samples", ".3f"),
        ("low", "From", ".3f"),
        ("high", "To", ".3f"),
        ("inner", "On inner folds", ".3f"),
    )
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "opacity": 0.15, "color": BLUE},
            "encoding": {"x": x, "y": quantitative("low", measure), "y2": {"field": "high"}},
        },
        {
            "mark": {
                "type": "line",
                "strokeDash": [2, 3],
                "strokeWidth": 1.5,
                "color": GREY,
            },
            "encoding": {"x": x, "y": quantitative("inner", measure)},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2.5, "color": BLUE},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "point", "size": 60, "color": BLUE, "opacity": 1},
            "encoding": {"x": x, "y": y, "tooltip": hover},
        },
        {
            "data": data("signature_lines"),
            "mark": {"type": "rule", "strokeWidth": 1.5, "strokeDash": [6, 4]},
            "encoding": {
                "y": y,
                "color": {
                    "field": "line",
                    "type": "ordinal",
                    "scale": {"domain": [0, 1], "range": [ORANGE, GREY]},
                    "legend": {
                        "title": None,
                        "labelExpr": "signature_lines[datum.value]",
                        "symbolType": "stroke",
                        "values": [entry["line"] for entry in lines],
                    },
                },
            },
        },
    ]
    has_band = any(entry.low is not None for entry in sizes)
    page["figures"].append(
        figure(
            "signature_curve",
            "Score by number of features",
            {
                "height": 300,
                "data": data("signature_curve"),
                "layer": layers if has_band else layers[1:],
            },
            table="signature_curve",
            datasets=["signature_lines"],
            params=["signature_lines"],
            caption="Blue: each size, scored on samples that had no part in its ranking"
            f"{', with its corrected 95 % interval' if has_band else ''}. Grey dots: on the inner "
            "folds, which have fewer samples. Picking the best blue point would flatter; the "
            "orange line is the score of the procedure that chooses the size inside each fold.",
        )
    )


def _sizes(page: Figures, signature: SignatureSummary) -> None:
    """Draw how many folds chose each size."""
    page["params"]["signature_sizes"] = [str(size) for size, _ in signature.chosen]
    page["datasets"]["signature_sizes"] = dataset(
        [{"s": place, "n": n} for place, (_, n) in enumerate(signature.chosen)],
        {"s": "Features", "n": "Folds"},
        lookups={"s": "signature_sizes"},
    )
    page["figures"].append(
        figure(
            "signature_sizes",
            "Size chosen by each fold",
            {
                "height": rows_height(len(signature.chosen), 26, extra=60),
                "data": data("signature_sizes"),
                "transform": [{"calculate": "signature_sizes[datum.s]", "as": "size"}],
                "mark": {"type": "bar", "color": BLUE, "opacity": 0.85, "cornerRadiusEnd": 2},
                "encoding": {
                    "y": {
                        "field": "s",
                        "type": "ordinal",
                        "axis": axis_names(
                            "signature_sizes", domain=False, ticks=False, title="Features"
                        ),
                    },
                    "x": quantitative("n", "Folds", zero=True, axis={"tickMinStep": 1}),
                    "tooltip": tooltip(("size", "Features", "text"), ("n", "Folds", "d")),
                },
            },
            table="signature_sizes",
            params=["signature_sizes"],
            caption=f"Chosen on the training samples of each of the {signature.n_folds} folds. "
            "A wide spread means that the samples do not show how many features are needed.",
        )
    )


def _members(page: Figures, signature: SignatureSummary) -> None:
    """Draw in how many folds each feature was chosen."""
    members = signature.members
    page["params"]["signature_members"] = [entry.name for entry in members]
    has_panel = signature.panel is not None
    page["datasets"]["signature_members"] = dataset(
        [
            {
                "f": place,
                "n": entry.n,
                "own": int(entry.in_panel),
                "panel": "yes" if entry.in_panel else "no",
            }
            for place, entry in enumerate(members)
        ],
        {
            "f": "Feature",
            "n": "Folds that chose it",
            "own": "",
            "panel": "In the panel of all samples" if has_panel else "",
        },
        lookups={"f": "signature_members"},
    )
    cut = (
        f" The first {len(members)} of {signature.n_ever}."
        if len(members) < signature.n_ever
        else ""
    )
    colour: Spec = {
        "field": "own",
        "type": "ordinal",
        "scale": {"domain": [1, 0], "range": [ORANGE, BLUE]},
        "legend": {
            "title": None,
            "labelExpr": "datum.value ? 'in the panel of all samples' : 'not in it'",
        },
    }
    page["figures"].append(
        figure(
            "signature_members",
            "Features chosen",
            {
                "height": rows_height(len(members), 22, extra=80),
                "data": data("signature_members"),
                "transform": [{"calculate": "signature_members[datum.f]", "as": "feature"}],
                "mark": {"type": "bar", "opacity": 0.85, "cornerRadiusEnd": 2},
                "encoding": {
                    "y": {
                        "field": "f",
                        "type": "ordinal",
                        "axis": axis_names("signature_members", domain=False, ticks=False),
                    },
                    "x": quantitative(
                        "n",
                        "Folds",
                        scale={"domain": [0, signature.n_folds], "nice": False},
                        axis={"tickMinStep": 1},
                    ),
                    "color": colour if has_panel else {"value": BLUE},
                    "tooltip": tooltip(
                        ("feature", "Feature", "text"),
                        ("n", "Folds that chose it", "d"),
                        *([("panel", "In the panel", "text")] if has_panel else []),
                    ),
                },
            },
            table="signature_members",
            params=["signature_members"],
            caption="In how many folds each feature was chosen: one that recurs is worth "
            f"measuring.{cut}",
        )
    )
