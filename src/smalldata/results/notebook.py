"""Small HTML tables that a notebook shows for a result; no scripts, no styles, all text escaped."""

from collections.abc import Sequence
from html import escape


def html_table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """Write a table; a number gets three decimals, or four significant digits where it is large.

    Parameters
    ----------
    caption : str
    heads : sequence of str
        Of the columns.
    rows : sequence of sequences of (str or float)

    Examples
    --------
    >>> html_table("a < b", ["x"], [[0.5]])  # doctest: +ELLIPSIS
    '<table><caption>a &lt; b</caption><thead>...<tr><td>0.500</td></tr></tbody></table>'
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _text(cell: str | float) -> str:
    if isinstance(cell, str):
        return cell
    size = abs(cell)
    return f"{cell:.3f}" if size == 0 or 0.01 <= size < 10 else f"{cell:.4g}"
