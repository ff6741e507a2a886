"""The terminal: consoles that write no control sequences from data.

Names of features, classes and files come from outside; an escape sequence in one could clear the
screen or hide what follows. Every console is made here. Step in the line: none.
"""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters except tab and line feed, marks that change the text direction, surrogates.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Return text with its control characters written as escapes.

    Examples
    --------
    >>> printable("\x1b[31mcase")
    '\\x1b[31mcase'
    """
    return _STEERING.sub(lambda match: repr(match[0])[1:-1], text)


class PrintableConsole(Console):
    """A rich console that writes only printable text; its own colours and bars stay."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of a renderable with printable text."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def open_console(**settings: Any) -> Console:
    """Open a console.

    Parameters
    ----------
    **settings
        Those of `rich.console.Console`; the default turns off highlighting.
    """
    return PrintableConsole(**({"highlight": False} | settings))
