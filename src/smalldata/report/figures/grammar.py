"""The grammar all figures share: colours, datasets, and what a figure is made of.

A figure is a plain dict: a Vega-Lite ``spec`` whose data are *names* of datasets, the ``params``
(arrays of names) and the ``controls`` (signals a select box sets) that it reads, and its words.
Field names and literals in a spec are ours; what a user named (features, classes, samples, models)
travels only as data: in datasets and in arrays of names, which axes look up by position. A name can
therefore never be read as a field, an expression or markup.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY = (
    "#1A82C4",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#8A8A8A",
)
"""Colours that people with any colour vision can tell apart (Okabe & Ito 2008), and a grey. The
blue is a little lighter than theirs, to be readable on a dark page too."""

CLASS_COLOURS = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY]
LOW_TO_HIGH = [BLUE, "#9AA3A8", VERMILION]
INK = "currentColor"
"""Text, axes and rules take the colour of the page's text: light, dark and print need no second
drawing."""

GRID_OPACITY = 0.12

PAGE_SIGNALS = {"narrow": False}
"""Signals the page sets in every figure: whether there is little room, as on a phone."""

Spec = dict[str, Any]


class Dataset(TypedDict):
    """Rows, column by column; ``columns`` are those of the data table (key, label, lookup)."""

    columns: list[dict[str, str]]
    data: dict[str, list[Any]]


class Control(TypedDict):
    """A select box, which sets a signal.

    An option is a ``value`` and its ``text``, and ``short`` where there is no room for the text.
    """

    label: str
    options: list[dict[str, Any]]


class Figure(TypedDict):
    """A spec with its title, caption, data and controls; see `figure`."""

    name: str
    spec: Spec
    title: str
    caption: str
    alt: str
    table: str
    datasets: list[str]
    params: list[str]
    controls: dict[str, Any]
    marked: list[str]


class Figures(TypedDict):
    """``datasets`` and ``params`` by name, figures in reading order, controls by signal."""

    datasets: dict[str, Dataset]
    params: dict[str, list[Any]]
    figures: list[Figure]
    controls: dict[str, Control]


def no_figures() -> Figures:
    """Start a page that figures are added to."""
    return {"datasets": {}, "params": {}, "figures": [], "controls": {}}


def choices(label: str, names: Sequence[str]) -> Control:
    """Offer names by their position."""
    return {"label": label, "options": [{"value": i, "text": n} for i, n in enumerate(names)]}


CONFIG: Spec = {
    "background": None,
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": INK,
        "domainColor": INK,
        "tickColor": INK,
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 8,
        "labelLimit": 150,
        "labelOverlap": True,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "orient": "top",
        "symbolOpacity": 1,
        "labelLimit": 180,
    },
    "title": {
        "color": INK,
        "subtitleColor": INK,
        "anchor": "start",
        "fontSize": 13,
        "fontWeight": 500,
    },
    "rule": {"color": INK},
    "text": {"color": INK, "fontSize": 12},
    "point": {"filled": True},
    "circle": {"stroke": None},
}
"""Vega-Lite configuration of every figure."""


def dataset(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    lookups: Mapping[str, str] | None = None,
) -> Dataset:
    """Store rows column by column.

    Parameters
    ----------
    rows : sequence of mappings
    columns : mapping
        Key -> label shown in the data table; an empty label keeps a column out of the table.
    lookups : mapping, optional
        Key -> name of the array of names that the column's numbers are positions in.
    """
    lookups = lookups or {}
    return {
        "columns": [
            {"key": key, "label": label, **({"lookup": lookups[key]} if key in lookups else {})}
            for key, label in columns.items()
        ],
        "data": {key: [row[key] for row in rows] for key in columns},
    }


def figure(
    name: str,
    title: str,
    spec: Spec,
    *,
    table: str,
    caption: str = "",
    datasets: Sequence[str] = (),
    params: Sequence[str] = (),
    controls: Mapping[str, Any] | None = None,
    marked: Sequence[str] = (),
    alt: str = "",
) -> Figure:
    """Join a spec with its title, caption, data and controls.

    ``controls`` are signals and their values; the ``marked`` ones only mark something in the
    drawing, the others also choose the rows of the data table.
    """
    controls = dict(controls or {})
    signals = [{"name": key, "value": value} for key, value in (PAGE_SIGNALS | controls).items()]
    return {
        "name": name,
        "spec": {
            "width": "container",
            "autosize": {"type": "fit", "contains": "padding", "resize": True},
            "params": signals,
            **spec,
        },
        "title": title,
        "caption": caption,
        "alt": alt or f"{title}. {caption}",
        "table": table,
        "datasets": list(dict.fromkeys([table, *datasets])),
        "params": list(params),
        "controls": controls,
        "marked": list(marked),
    }


def data(name: str) -> Spec:
    """Refer to a dataset of the page."""
    return {"name": name}


def axis_names(array: str, **options: Any) -> Spec:
    """Axis whose positions are looked up in an array of names."""
    return {
        "labelExpr": f"{array}[datum.value]",
        "labelOverlap": False,
        "title": None,
        **options,
    }


LINE = 13
"""Pixels from one line of a label to the next."""

MOST_LINES = 3
"""Of a label."""


def axis_lines(array: str, **options: Any) -> Spec:
    """Axis whose positions are looked up in an array of lists of lines, centred on their row."""
    lines = f"length({array}[datum.value])"
    return axis_names(
        array,
        labelLineHeight=LINE,
        labelOffset={
            "condition": [
                {"test": f"{lines} == {n}", "value": -LINE * (n - 1) // 2}
                for n in range(2, MOST_LINES + 1)
            ],
            "value": 0,
        },
        **options,
    )


def tooltip(*pairs: tuple[str, str, str]) -> list[Spec]:
    """Tooltip lines: (field, title, "number" or "text")."""
    return [
        {"field": field, "title": title, "type": "nominal"}
        if kind == "text"
        else {
            "field": field,
            "title": title,
            "type": "quantitative",
            "format": ".3~r" if kind == "number" else kind,
        }
        for field, title, kind in pairs
    ]


def rows_height(n: int, step: int = 22, *, extra: int = 45) -> int:
    """Height in pixels of ``n`` rows and what is around them (axis 45, legend 35)."""
    return n * step + extra


def legend_columns(names: Sequence[str]) -> int:
    """Columns of a legend that fit a narrow page: names are cut at about 24 characters."""
    widest = 34 + 7 * min(24, max((len(name) for name in names), default=1))
    return max(1, min(4, 310 // widest))


def quantitative(
    field: str, title: str | None = None, *, zero: bool = False, **options: Any
) -> Spec:
    """Encode a number."""
    scale = {"zero": zero, **options.pop("scale", {})}
    axis = options.pop("axis", {})
    if axis is not None:
        axis = {"title": title, "tickCount": 5, "gridOpacity": GRID_OPACITY, **axis}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis, **options}


def square_axis(field: str, title: str) -> Spec:
    """Encode a share from 0 to 1."""
    return quantitative(
        field, title, scale={"domain": [0, 1], "nice": False}, axis={"format": ".1f"}
    )


def curve_layers(
    *,
    mean: str,
    lines: str,
    extra: Sequence[Spec] = (),
    x_title: str,
    y_title: str,
    only: str = "datum.k == k",
) -> list[Spec]:
    """Band, thin line per repeat, thick mean: layers of a curve figure on the unit square."""
    keep = [{"filter": only}]
    x, y = square_axis("x", x_title), square_axis("y", y_title)
    return [
        *extra,
        {
            "data": data(mean),
            "transform": keep,
            "mark": {"type": "area", "opacity": 0.15, "color": BLUE},
            "encoding": {"x": x, "y": {**square_axis("low", y_title)}, "y2": {"field": "high"}},
        },
        {
            "data": data(lines),
            "transform": keep,
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.45, "color": BLUE},
            "encoding": {
                "x": x,
                "y": y,
                "detail": {"field": "repeat", "type": "nominal"},
                "order": {"field": "x", "type": "quantitative"},
            },
        },
        {
            "data": data(mean),
            "transform": keep,
            "mark": {"type": "line", "strokeWidth": 2.5, "color": BLUE},
            "encoding": {
                "x": x,
                "y": y,
                "order": {"field": "x", "type": "quantitative"},
                "tooltip": tooltip(
                    ("x", x_title, ".2f"),
                    ("y", y_title, ".3f"),
                    ("low", "lowest repeat", ".3f"),
                    ("high", "highest repeat", ".3f"),
                ),
            },
        },
    ]


def spread_rule(title: str, **options: Any) -> Spec:
    """Line over a bar, from ``low`` to ``high``: how far the folds spread."""
    return {
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": {"x": quantitative("low", title, **options), "x2": {"field": "high"}},
    }


def class_colours(classes: Sequence[str], **legend: Any) -> Spec:
    """Colour by the class ``code``; of more classes than colours only the chosen one stands out."""
    if len(classes) > len(CLASS_COLOURS):
        return {
            "condition": {"test": "datum.code == k", "value": VERMILION},
            "value": GREY,
        }
    return {
        "field": "code",
        "type": "ordinal",
        "scale": {"domain": list(range(len(classes))), "range": CLASS_COLOURS[: len(classes)]},
        "legend": {
            "title": None,
            **legend,
            "labelExpr": "classes[datum.value]",
            "columns": legend_columns(classes),
        },
    }


def mark_chosen(field: str) -> Spec:
    """Ring the dot of the sample that the signal ``s`` names."""
    test = f"datum.{field} == s"
    return {
        "stroke": {"condition": {"test": test, "value": INK}, "value": "transparent"},
        "strokeWidth": {"condition": {"test": test, "value": 2.5}, "value": 0},
    }


def diagonal() -> Spec:
    """Dashed line across the unit square: what guessing, or perfect calibration, would give."""
    return {
        "data": {"values": [{"x": 0, "y": 0.0}, {"x": 1, "y": 1.0}]},
        "mark": {
            "type": "line",
            "strokeDash": [4, 4],
            "strokeWidth": 1,
            "opacity": 0.5,
            "color": INK,
        },
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative"},
        },
    }


def swarm(field: str, groups: list[str], *, bins: int) -> list[Spec]:
    """Spread points of nearly equal value over their row: ``offset`` from -0.5 to 0.5."""
    within = [*groups, "cell"]
    return [
        {
            "joinaggregate": [
                {"op": "min", "field": field, "as": "least"},
                {"op": "max", "field": field, "as": "most"},
            ]
        },
        {
            "calculate": f"datum.most > datum.least ? round((datum.{field} - datum.least) / "
            f"(datum.most - datum.least) * {bins}) : 0",
            "as": "cell",
        },
        {"window": [{"op": "row_number", "as": "turn"}], "groupby": within},
        {"joinaggregate": [{"op": "count", "as": "crowd"}], "groupby": within},
        {"joinaggregate": [{"op": "max", "field": "crowd", "as": "fullest"}]},
        {
            "calculate": "(datum.turn - (datum.crowd + 1) / 2) / max(datum.fullest, 8)",
            "as": "offset",
        },
    ]
