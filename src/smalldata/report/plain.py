"""How a report writes numbers, names and sentences for people."""

import math
import re
from collections.abc import Mapping
from typing import Any


def round_significant(value: float, digits: int = 4) -> float | None:
    """Round to so many significant digits; None where the value is not finite.

    Example
    -------
    >>> round_significant(0.00123456), round_significant(1234567.0), round_significant(float("nan"))
    (0.001235, 1235000.0, None)
    """
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List the leaves of nested mappings as (dotted name, text), in their order.

    Example
    -------
    >>> flatten({"learner": {"C": 1.0, "kernel": "rbf"}, "seed": 0})
    [('learner.C', '1.0'), ('learner.kernel', 'rbf'), ('seed', '0')]
    """
    leaves: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            leaves += flatten(value, f"{name}.")
        elif isinstance(value, list | tuple):
            leaves.append((name, ", ".join(str(entry) for entry in value)))
        else:
            leaves.append((name, "" if value is None else str(value)))
    return leaves


# ---------------------------------------------------------------- for people


def format_number(value: float | None) -> str:
    """Write a score: three decimals near one, three significant digits elsewhere.

    Example
    -------
    >>> format_number(0.89312), format_number(-12.3456), format_number(0.000123)
    ('0.893', '−12.3', '0.000123')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}".replace(",", "\u202f")
    elif size >= 100:
        text = f"{value:.0f}"
    elif size >= 10:
        text = f"{value:.1f}"
    elif size >= 1.995:
        text = f"{value:.2f}"
    elif size >= 0.01 or size == 0:
        text = f"{value:.3f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "−")


def format_interval(low: float | None, high: float | None) -> str:
    """Write an interval: "0.85 to 0.93".

    Example
    -------
    >>> format_interval(0.8512, 0.9301)
    '0.851 to 0.930'
    """
    if low is None or high is None:
        return "–"
    return f"{format_number(low)} to {format_number(high)}"


def format_p(value: float, *, bare: bool = False) -> str:
    """Write a p-value: "p < 0.001" or "p = 0.031".

    Example
    -------
    >>> format_p(0.00002), format_p(0.0312), format_p(0.42)
    ('p < 0.001', 'p = 0.031', 'p = 0.42')
    """
    if value < 0.001:
        return "< 0.001" if bare else "p < 0.001"
    text = f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
    return text if bare else f"p = {text}"


def format_percent(share: float) -> str:
    """Write a share: "27 %", never a "0 %" that is not nothing nor a "100 %" that is not all.

    Example
    -------
    >>> format_percent(0.274), format_percent(0.002), format_percent(0.0)
    ('27\u202f%', 'under 1\u202f%', '0\u202f%')
    """
    if 0 < share < 0.01:
        return "under 1\u202f%"
    if 0.995 <= share < 1:
        return "over 99\u202f%"
    return f"{100 * share:.0f}\u202f%"


def format_seconds(value: float | None) -> str:
    """Write a duration: "0.42 s", "12 s", "3 min 20 s".

    Example
    -------
    >>> format_seconds(0.4213), format_seconds(12.3), format_seconds(200)
    ('0.42 s', '12 s', '3 min 20 s')
    """
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.2g} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def join_words(words: list[str]) -> str:
    """Join with commas and "and".

    Example
    -------
    >>> join_words(["tau", "p_tau", "Ab_42"])
    'tau, p_tau and Ab_42'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def name_some(names: list[str], most: int) -> str:
    """Join the first names and count the others; the last one is named rather than counted.

    Example
    -------
    >>> name_some(["a", "b", "c", "d"], 2), name_some(["a", "b", "c"], 2)
    ('a, b and 2 more', 'a, b and c')
    """
    n_more = len(names) - most
    return join_words([*names[:most], f"{n_more} more"] if n_more > 1 else names)


def short_label(label: str) -> str:
    """Leave of each key in a label its last part, which tells enough.

    Example
    -------
    >>> short_label("svm (tuned, tune.trials=12, learner.C=0.5)")
    'svm (tuned, trials=12, C=0.5)'
    """
    return re.sub(r"(?<![\w.])(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_]\w*=)", "", label)


def count(n: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun.

    Example
    -------
    >>> count(1, "fold"), count(25, "fold"), count(2, "class", "classes")
    ('1 fold', '25 folds', '2 classes')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}".replace(",", "\u202f")


def sentence(text: str) -> str:
    """Give a note a capital letter and a full stop.

    Example
    -------
    >>> sentence("early stopping was not possible")
    'Early stopping was not possible.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
