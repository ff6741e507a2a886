"""Takes names of columns and files apart, so that all spellings of one name are the same.

Step in the line: **files** -> Dataset. Names are compared with the words of `vocabulary`.
"""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1_000_000)
def plain_name(name: str) -> str:
    """Letters and digits of a name, lower case.

    Examples
    --------
    >>> plain_name("Sample ID"), plain_name("sample.id")
    ('sampleid', 'sampleid')
    """
    return "".join(filter(str.isalnum, name.lower()))


@lru_cache(maxsize=1_000_000)
def words_of(name: str) -> tuple[str, ...]:
    """Lower-case words of letters, split also where the case changes.

    Examples
    --------
    >>> words_of("daysToDeath"), words_of("days_to_death2")
    (('days', 'to', 'death'), ('days', 'to', 'death'))
    """
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return tuple(re.findall(r"[a-z]+", spaced.lower()))


def places_of(names: Sequence[str], known: Collection[str]) -> list[int]:
    """Positions of the names whose `plain_name` is among the known ones.

    Examples
    --------
    >>> places_of(["Sample ID", "TP53"], {"sampleid"})
    [0]
    """
    text = "\n".join(names).lower()
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
    text = "\n".join(names).lower()  # all at once: tables have 100,000 names
    here = [word for word in words if word in text]
    if not here:
        return []
    lowered = [name.lower() for name in names]
    ends = np.cumsum([len(name) + 1 for name in lowered])
    text = "\n".join(lowered)
    found = {
        int(np.searchsorted(ends, match.start(), side="right"))
        for word in here
        for match in re.finditer(word, text)
    }
    return [place for place in sorted(found) if set(words).intersection(words_of(names[place]))]
