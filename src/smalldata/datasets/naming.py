"""Takes names of columns and files apart, so that all spellings of one name are the same.

Step in the line: **files** -> Dataset. Names are compared with the words of `vocabulary`.
"""

import re
import unicodedata
from functools import lru_cache


def without_accents(text: str) -> str:
    """Return a text without accents: Größe as Große, échantillon as echantillon."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@lru_cache(maxsize=1_000_000)
def plain_name(name: str) -> str:
    """Letters and digits of a name, lower case and without accents.

    Examples
    --------
    >>> plain_name("Sample ID"), plain_name("sample.id")
    ('sampleid', 'sampleid')
    """
    return "".join(filter(str.isalnum, without_accents(name).lower()))


@lru_cache(maxsize=1_000_000)
def words_of(name: str) -> tuple[str, ...]:
    """Lower-case words of letters without accents, split also where the case changes.

    Examples
    --------
    >>> words_of("daysToDeath"), words_of("days_to_death2")
    (('days', 'to', 'death'), ('days', 'to', 'death'))
    """
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", without_accents(name))
    return tuple(re.findall(r"[a-z]+", spaced.lower()))
