"""The figures of a page as files for a paper: PNG, SVG and PDF, drawn without a browser.

Step in the line: figures of a page -> specs that hold their data -> **pictures**. Nothing here
writes a file or asks a network: the drawing library has Vega and fonts within it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from importlib.util import find_spec
from itertools import product
from math import prod
from typing import Any

from smalldata.errors import ConfigError
from smalldata.report.figures.grammar import (
    CONFIG,
    INK,
    PAGE_SIGNALS,
    Figure,
    Figures,
    Spec,
)
from smalldata.runtime.files import safe_name
from smalldata.runtime.sealing import strict_plain

FORMATS = ("png", "svg", "pdf")

WIDTH = 640
"""Pixels; a text of 12 pixels has 9 points where the picture is printed 17 cm wide."""

SCALE = 3
"""Of a PNG: 290 dots an inch at 17 cm."""

VARIED = ("m", "k", "f")
"""Controls (measure, class, feature) of which every option is drawn. A sample, an outer fold and
the selected model stay as the page first shows them."""

MOST_DRAWINGS = 24
"""Most drawings of one figure; further options of its last control are left out."""

PAPER: Spec = {
    "font": "Arial, Helvetica, 'Liberation Sans', sans-serif",
    "axis": {"labelLimit": 240},
    "legend": {"labelLimit": 300},
}
"""What differs from the page: there is room for longer names, and no text colour to inherit."""


def check_formats(formats: Any) -> tuple[str, ...]:
    """Return the formats asked for, once each.

    Raises
    ------
    ConfigError
        If one is unknown.
    """
    several = formats is None or isinstance(formats, (list, tuple))
    asked = list(formats or ()) if several else [formats]
    unknown = [name for name in asked if name not in FORMATS]
    if unknown:
        raise ConfigError(
            f"report.figures takes any of {', '.join(FORMATS)}; got {unknown[0]!r}. "
            f"For example report.figures=[{FORMATS[1]},{FORMATS[2]}]."
        )
    return tuple(dict.fromkeys(asked))


def require_drawing(formats: Sequence[str]) -> None:
    """Check before the run that its figures can be drawn at the end.

    Raises
    ------
    ConfigError
        If the library that draws is not installed.
    """
    if formats and find_spec("vl_convert") is None:
        raise ConfigError(
            "report.figures needs vl-convert-python; install it with: "
            "pip install 'smalldata[figures]'."
        )


def draw_figures(page: Figures, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield every drawing of a page as the name of a file and its content.

    Parameters
    ----------
    page : Figures
    formats : sequence of str
        Of `FORMATS`.
    """
    import vl_convert

    for name, spec in standalone_specs(page):
        svg = vl_convert.vegalite_to_svg(spec, vl_version="6.4", allowed_base_urls=[])
        for kind in formats:
            if kind == "svg":
                yield f"{name}.svg", svg.encode()
            elif kind == "png":
                yield f"{name}.png", vl_convert.svg_to_png(svg, scale=SCALE)
            else:
                yield f"{name}.pdf", vl_convert.svg_to_pdf(svg)


def standalone_specs(page: Figures) -> Iterator[tuple[str, Spec]]:
    """Yield the name of each drawing and a Vega-Lite spec that reads nothing but itself."""
    used: set[str] = set()
    for figure in page["figures"]:
        for choice in _choices(figure, page):
            words = [_short(option) for option in choice.values()]
            name = "-".join([figure["name"], *(_file_part(word) for word in words)])
            while name.casefold() in used:  # some disks ignore case
                name += "-2"
            used.add(name.casefold())
            yield name, _standalone(figure, page, choice)


def _choices(figure: Figure, page: Figures) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield the options to draw a figure with, by control; at most `MOST_DRAWINGS`.

    Options of which the figure's table has no row are left out: a score that no model has.
    """
    controls = page["controls"]
    columns = page["datasets"][figure["table"]]["data"]
    offered = {
        name: [
            option
            for option in controls[name]["options"]
            if name not in columns or option["value"] in columns[name]
        ]
        for name in figure["controls"]
        if name in VARIED and name in controls
    }
    if offered:
        *others, last = offered
        room = MOST_DRAWINGS // max(1, prod(len(offered[name]) for name in others))
        offered[last] = offered[last][: max(1, room)]
    for options in product(*offered.values()):
        yield dict(zip(offered, options, strict=True))


def _short(option: Mapping[str, Any]) -> str:
    return str(option.get("short", option["text"]))


def _file_part(text: str) -> str:
    """Write a text as part of a file name; two texts may give the same part."""
    part = re.sub(r"[^\w.+-]+", "-", text).strip("-.")
    return safe_name(part or text, n_characters=40)


def _standalone(figure: Figure, page: Figures, choice: Mapping[str, dict[str, Any]]) -> Spec:
    spec: Spec = _painted(deepcopy(figure["spec"]))
    values = PAGE_SIGNALS | figure["controls"]
    values |= {name: option["value"] for name, option in choice.items()}
    values |= dict.fromkeys(figure["marked"])  # a file marks no sample
    spec["params"] = [
        *({"name": name, "value": value} for name, value in values.items()),
        *({"name": name, "value": strict_plain(page["params"][name])} for name in figure["params"]),
    ]
    spec["datasets"] = {
        name: _rows(strict_plain(page["datasets"][name]["data"])) for name in figure["datasets"]
    }
    spec |= {"width": WIDTH, "background": "#ffffff", "padding": 8, "config": _paper_config()}
    told = ", ".join(
        f"{page['controls'][name]['label']}: {_short(option)}" for name, option in choice.items()
    )
    if told and "title" not in spec:  # a file has no select box to show the choice
        spec["title"] = {"text": told, "fontSize": 12, "offset": 10}
    return spec


def _paper_config() -> Spec:
    config: Spec = _painted(deepcopy(CONFIG))
    for key, value in PAPER.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    return config


def _painted(value: Any) -> Any:
    """Replace the colour of the page's text, which a separate file does not have."""
    if isinstance(value, dict):
        return {key: _painted(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_painted(entry) for entry in value]
    return "#1b1f24" if value == INK else value


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
