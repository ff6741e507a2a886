"""How a difference between two models is written: its facts, its probabilities, what would show.

Step in the line: Difference -> **phrases** -> sentences of both pages.
"""

from collections.abc import Sequence

from smalldata.report.plain import format_interval, format_number, format_p, format_percent
from smalldata.report.sections.scores import Difference
from smalldata.results.comparison import Word
from smalldata.statistics.verdict import EQUAL


def is_not_worse(test: Difference) -> bool:
    """Whether the first is surely not worse than the second by more than the rope.

    This is the rule of parsimony: the first is the simpler model.
    """
    return test.detectable is not None and 1 - test.p_worse >= EQUAL


def say_facts(test: Difference) -> str:
    """Write a difference with its interval, its p-value and its probabilities."""
    return (
        f"difference {format_number(test.difference)}, 95 % interval "
        f"{format_interval(test.low, test.high)}, {format_p(test.p_holm)}; {say_odds(test)}"
    )


def say_odds(test: Difference) -> str:
    """Write the three probabilities of the first model, in words.

    Example
    -------
    ``better 12 %, practically equal 48 %, worse 40 %``
    """
    return (
        f"better {format_percent(test.p_better)}, practically equal "
        f"{format_percent(test.p_equal)}, worse {format_percent(test.p_worse)}"
    )


def say_short_odds(test: Difference) -> str:
    """Write the three probabilities of the first model as numbers: ``12 / 48 / 40 %``."""
    shares = (test.p_better, test.p_equal, test.p_worse)
    texts = [format_percent(share).removesuffix("\u202f%") for share in shares]
    return f"{' / '.join(texts)}\u202f%"


def say_detectable(tests: Sequence[Difference]) -> str:
    """Write the smallest differences that tests would have shown: one number, or a range.

    Only those of pairs that cannot be told apart; "" if there is none.
    """
    found = sorted(
        test.detectable
        for test in tests
        if test.word is Word.UNCLEAR and test.detectable is not None
    )
    if not found:
        return ""
    low, high = format_number(found[0]), format_number(found[-1])
    return low if low == high else f"{low} to {high}"


def say_power(test: Difference) -> str:
    """Say what difference the folds would have shown, next to a pair that cannot be told apart."""
    detectable = say_detectable([test])
    if not detectable:
        return "There are too few test samples or folds to tell these two models apart."
    return (
        f"The smallest true difference that these folds would have shown with 80\u202f% power is "
        f"{detectable}."
    )
