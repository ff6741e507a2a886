"""Tells which of two labels says that the condition is there: by words, codes and negations.

Step in the line: **files** -> Dataset. The words stand in `vocabulary`; denying is a rule, not a
list: ``No recurrence``, ``not detected``, ``disease free``, ``non-smoker``, ``HPV negative``.
"""

import re
from collections.abc import Sequence

from smalldata.datasets.columns import parse_number
from smalldata.datasets.naming import without_accents
from smalldata.datasets.vocabulary import (
    AFFIRMED_ENDS,
    CODED_PAIRS,
    GLUED_NEGATIONS,
    GLUED_NEGATIVE,
    GLUED_POSITIVE,
    NEGATED_ENDS,
    NEGATIONS,
    NEGATIVE_CLASSES,
    NORMAL_BEGINNING,
    POSITIVE_CLASSES,
)

# A code before the word: 0:LIVING, 1_yes, '2 - relapse', (0) control, 1=case.
_CODE = re.compile(r"[(\[]?\s*(\d+)\s*[)\]]?\s*(?:[:=_.)|/-]|\s-|\s)?\s*(?=[^\W\d])")


# A code and what it means in a name: (1=disease, 2=healthy), 0: alive 1: dead.
_LEGEND = re.compile(
    r"(?<!\w)([\w.+-]+)\s*[=:]\s*([^,;/|()\[\]=:]+?)\s*(?=[,;/|()\[\]]|$|\s[\w.+-]+\s*[=:])"
)


def told_positive(classes: Sequence[str], *, target: str = "", decimal: str = ".") -> str | None:
    """Find the class of two that says the condition is there, or None where nothing tells.

    In this order: what a legend in the name of the target says about the classes; the larger of
    two numbers (1 of 0 and 1, 2 of 1 and 2); a pair of short labels
    (N and Y); the one that denies the other (``smoker``, ``non-smoker``); the only one with a
    positive word; the one beside the only negative one; the one beside zero (M0, M1); the larger
    code before a word (``0:a``, ``1:b``).

    Examples
    --------
    >>> told_positive(["0:DECEASED", "1:LIVING"])
    '0:DECEASED'
    >>> told_positive(["No recurrence", "Recurrence"])
    'Recurrence'
    >>> told_positive(["left", "right"]) is None
    True
    >>> told_positive(["1", "2"], target="Group (1=disease, 2=healthy)")
    '1'
    """
    if len(classes) != 2:
        return None
    meanings = _meanings(classes, target)
    if meanings and (told := told_positive(meanings, decimal=decimal)) is not None:
        return classes[meanings.index(told)]
    numbers = [parse_number(name, decimal) for name in classes]
    if None not in numbers:
        return max(classes, key=lambda name: parse_number(name, decimal) or 0.0)
    texts = [_plain(name) for name in classes]
    for pair in CODED_PAIRS:
        if set(pair) == set(texts):
            return classes[texts.index(pair[1])]
    signs = [_sign(text, other) for text, other in zip(texts, texts[::-1], strict=True)]
    if signs[0] != signs[1] and 1 in signs and signs.count(1) == 1:
        return classes[signs.index(1)]
    if signs.count(-1) == 1:
        return classes[1 - signs.index(-1)]
    return _by_numbers(classes)


def _meanings(classes: Sequence[str], target: str) -> list[str]:
    """Give the meaning of each class by the legend in the name of the target; empty without one."""
    legend = dict(_LEGEND.findall(target))
    if not set(classes) <= set(legend):
        legend = {code: meaning for meaning, code in legend.items()}  # disease=1, healthy=2
    meanings = [legend[name] for name in classes] if set(classes) <= set(legend) else []
    return meanings if len(set(meanings)) == len(classes) else []


def _by_numbers(classes: Sequence[str]) -> str | None:
    """Labels that are equal but for a number, one of them zero; or codes before words."""
    parts = [re.fullmatch(r"(\D*)(\d+)(\D*)", name.strip()) for name in classes]
    if parts[0] and parts[1] and parts[0].group(1, 3) == parts[1].group(1, 3):
        values = [int(part[2]) for part in parts if part]
        return classes[values.index(max(values))] if 0 in values else None
    codes = [_CODE.match(name.strip()) for name in classes]
    if codes[0] and codes[1] and codes[0][1] != codes[1][1]:
        values = [int(code[1]) for code in codes if code]
        return classes[values.index(max(values))]
    return None


def _plain(name: str) -> str:
    """Lower-case words without accents and without the code before or behind them."""
    text = without_accents(name.strip())
    if bracketed := re.fullmatch(r"[(\[]([^()\[\]]+)[)\]]", text):
        text = bracketed[1]
    text = text.replace("\u2212", "-").replace("\u2013", "-")
    text = re.sub(r"([a-z])([A-Z][a-z])", r"\1 \2", text).lower()
    if code := _CODE.match(text):
        text = text[code.end() :]
    return re.sub(r"\s*[(\[]?\d+[)\]]$", "", text).strip() if re.search(r"[a-z]", text) else text


def _words(text: str) -> list[str]:
    """Words of a label; a sign at its end is a word of its own, one within separates."""
    ending = re.search(r"[+-]+$", text)
    body = text[: ending.start()] if ending else text
    words = re.findall(r"w/o|[^\W_]+", body)
    return [*words, *([ending[0][0]] if ending else [])]


def _sign(text: str, other: str) -> int:
    """1 where a label says that the condition is there, -1 where it says that it is not, else 0."""
    words = _words(text)
    if not words:
        return 0
    first, last = words[0], words[-1]
    if len(words) > 1 and last in NEGATED_ENDS:
        return -1
    if len(words) > 1 and last in AFFIRMED_ENDS and first not in NEGATIONS:
        return 1
    if len(words) > 1 and first in NEGATIONS:
        denied = [word for word in words[1:] if word not in ("of", "for", "evidence", "any", "de")]
        return 1 if len(denied) == 1 and denied[0] in NEGATIVE_CLASSES - {"absent"} else -1
    if len(words) > 2 and ({"without", "w/o", "not", "no"} & set(words[1:])):
        return -1
    if len(words) == 1 and (glued := _denied(first, other)) is not None:
        return glued
    found = {_word_sign(word, alone=len(words) == 1) for word in words} - {0}
    if len(found) == 2:  # normal tissue beside a tumor, a treated control
        return -1
    return found.pop() if found else 0


def _word_sign(word: str, *, alone: bool) -> int:
    # One Latin letter says something only beside its counterpart, which CODED_PAIRS has.
    if len(word) == 1 and word.isascii() and word.isalpha():
        return 0
    if word in POSITIVE_CLASSES:
        return 1
    if word in NEGATIVE_CLASSES and (alone or word not in ("low", "non")):
        return -1
    if word == "low" or word.endswith(GLUED_NEGATIVE) or word.startswith(NORMAL_BEGINNING):
        return -1
    return int(word.endswith(GLUED_POSITIVE))


def _denied(word: str, other: str) -> int | None:
    """Sign of a word glued to a negation: unaffected, nonsmoker, unhealthy; None if it is none."""
    for negation in GLUED_NEGATIONS:
        rest = word.removeprefix(negation)
        if rest == word or not rest:
            continue
        if rest in NEGATIVE_CLASSES and len(rest) > 1:
            return 1
        if (rest in POSITIVE_CLASSES and len(rest) > 1) or (len(rest) > 1 and rest == other):
            return -1
    return None
