"""Turns whatever a parser throws at damaged bytes into one sentence.

Step in the line: **files** -> Dataset.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from smalldata.errors import DataError, SmalldataError

N_CHARACTERS_SHOWN = 120


@contextmanager
def refusing(must: str, *, found: str, remedy: str) -> Iterator[None]:
    """Raise a DataError for any exception of the block; the package's own errors pass.

    Damaged bytes raise whatever a parser's code stumbles over (KeyError, struct.error, IndexError
    …), so no list of exceptions would be complete: keep the block to the calls of the parser.

    Parameters
    ----------
    must : str
        What must hold, with the name of the file.
    found : str
        What came instead; what the parser said follows in brackets.
    remedy : str
        What to do, as a sentence.

    Examples
    --------
    >>> with refusing("a.xlsx must be a workbook", found="it is damaged", remedy="Save it again."):
    ...     {}["xl/workbook.xml"]
    Traceback (most recent call last):
    smalldata.errors.DataError: a.xlsx must be a workbook; it is damaged (xl/workbook.xml). Save it again.
    """  # noqa: E501
    try:
        yield
    except SmalldataError:
        raise
    except Exception as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        said = " ".join(text.split())
        if len(said) > N_CHARACTERS_SHOWN:
            said = said[:N_CHARACTERS_SHOWN] + "…"
        why = said.rstrip(".") or type(error).__name__
        raise DataError(f"{must}; {found} ({why}). {remedy}") from error
