"""Takes names of columns and files apart, so that all spellings of one name are the same.

Step in the line: **files** -> Dataset. Names are compared with the words of `vocabulary`.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np

N_NAMELESS = 5
"""Places of missing names that are listed."""


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


def nameless(what: str, places: Sequence[int]) -> str:
    """Say what has no name, by places counted from 1.

    Examples
    --------
    >>> nameless("column", [3]), nameless("sample", [1, 2, 5, 6, 8, 9, 10])
    ('column 3 has none', 'samples 1, 2, 5, 6, 8 and 2 more have none')
    """
    shown = ", ".join(map(str, places[:N_NAMELESS]))
    if len(places) > N_NAMELESS:
        shown += f" and {len(places) - N_NAMELESS} more"
    return f"{what}s {shown} have none" if len(places) > 1 else f"{what} {shown} has none"


def places_of(names: Sequence[str], known: Collection[str]) -> list[int]:
    """Positions of the names whose `plain_name` is among the known ones.

    Examples
    --------
    >>> places_of(["Sample ID", "TP53"], {"sampleid"})
    [0]
    """
    text = without_accents("\n".join(names)).lower()
    rest = {ord(sign): None for sign in set(text) if not sign.isalnum() and sign != "\n"}
    plain = text.translate(rest).split("\n")
    if len(plain) != len(names):
        plain = list(map(plain_name, names))
    return [place for place, name in enumerate(plain) if name in known]


def places_with(names: Sequence[str], words: Collection[str]) -> list[int]:
    """Positions of the names that have one of these words among their `words_of`.

    Examples
    --------
    >>> places_with(["TP53", "daysToDeath", "deaths"], {"death"})
    [1]
    """
    text = without_accents("\n".join(names)).lower()  # all at once: tables have 100,000 names
    here = [word for word in words if word in text]
    if not here:
        return []
    lowered = [without_accents(name).lower() for name in names]
    ends = np.cumsum([len(name) + 1 for name in lowered])
    text = "\n".join(lowered)
    found = {
        int(np.searchsorted(ends, match.start(), side="right"))
        for word in here
        for match in re.finditer(word, text)
    }
    return [place for place in sorted(found) if set(words).intersection(words_of(names[place]))]
