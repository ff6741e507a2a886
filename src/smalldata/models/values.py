"""Legal values of a learner's fields: read from its annotations, checked in its ``__post_init__``.

Step in the line: yaml -> **checked values** -> learner. A field is a ``Literal`` (one of a few
words), a ``bool``, an ``int`` or ``float``, bounded by ``Annotated[int, Range(low=1)]``, or the
path of a file (``Annotated[str | None, LocalFile()]``). Every way to a learner (yaml, command line,
tuning, plain Python) ends in this check, with the same message.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from smalldata.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Range:
    """Bounds of a number; ``above`` excludes the lower bound, ``below`` the upper one."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def contains(self, value: float) -> bool:
        """Return whether a number is finite and within the bounds."""
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return bool(low and high and math.isfinite(value))

    def __str__(self) -> str:
        words = []
        if self.low > -math.inf:
            words.append(f"{'above' if self.above else 'at least'} {self.low:g}")
        if self.high < math.inf:
            words.append(f"{'below' if self.below else 'at most'} {self.high:g}")
        return " and ".join(words) or "finite"


def check_fields(learner: Any) -> None:
    """Check every field of a frozen learner; an integer in a ``float`` field becomes a float.

    Raises
    ------
    ConfigError
        If a value has the wrong type or is out of range.
    """
    model = type(learner).__name__.lower()
    hints = get_type_hints(type(learner), include_extras=True)
    for field in dataclasses.fields(learner):
        value = getattr(learner, field.name)
        checked = _checked(f"{model}.{field.name}", value, hints[field.name])
        if checked is not value:
            object.__setattr__(learner, field.name, checked)


def _checked(name: str, value: Any, hint: Any) -> Any:
    bounds = Range()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        bounds = next((extra for extra in extras if isinstance(extra, Range)), bounds)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if not isinstance(value, str) or value not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
        return value
    if hint is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be true or false; got {value!r}.")
        return value
    if hint == str | None:
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ConfigError(f"{name} must be the path of a file, or null; got {value!r}.")
        return value
    noun = "an integer" if hint is int else "a number"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (hint is int and value != int(value if math.isfinite(value) else 0)):
        raise ConfigError(f"{name} must be {noun}, {bounds}; got {value!r}.")
    if not bounds.contains(value):
        raise ConfigError(f"{name} must be {noun}, {bounds}; got {value!r}.")
    return value if type(value) is hint else hint(value)
