"""From Hydra's override grammar to a search space, and back to overrides for one trial.

Every sweep means the same as in Hydra: ``range(1,5)`` ends at 4, and a trial sets exactly the text
that the basic sweeper would set. Nothing here runs or writes anything.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep

from smalldata.errors import ConfigError

TAGS = ("log", "int", "float")
SWEEPS = ("choice", "range", "interval", "glob", "tag", "shuffle", "sort", "int", "float")
OPTIMISED = ("model", "preprocess", "tune")
"""What a search may choose. The rest is the task (data, folds, measure, seed): the best score over
several tasks answers none of them."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One override with several values.

    Attributes
    ----------
    key : str
        As in the configuration, ``model.learner.C``.
    prefix : str
        ``+`` or ``++`` if the override adds the key.
    low, high : float or None
        Bounds of a number, both included; None for a choice.
    whole : bool
        Whether the number is an int.
    log : bool
    points : tuple of str
        The values as Hydra writes them, in their order; empty for an interval.
    numbers : tuple of float
        The points as numbers, if they are evenly spaced; else empty.
    text : str
        A range as written; else "".
    """

    key: str
    prefix: str = ""
    low: float | None = None
    high: float | None = None
    whole: bool = False
    log: bool = False
    points: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    text: str = ""

    def distribution(self) -> Any:
        """Return the dimension as an Optuna distribution."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.low is None or self.high is None:
            return CategoricalDistribution(self.points)
        step = _step(self.numbers)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=step)

    def override(self, value: Any) -> str:
        """Return the override that sets a value of the distribution."""
        if self.numbers:
            nearest = min(range(len(self.numbers)), key=lambda i: abs(self.numbers[i] - value))
            value = self.points[nearest]
        return f"{self.prefix}{self.key}={value}"

    def describe(self) -> str:
        """Return the dimension as on the command line."""
        if not self.points:
            text = f"interval({self.low}, {self.high})"
            text = f"int({text})" if self.whole else text
        else:
            text = self.text or ",".join(self.points)
        return f"tag(log, {text})" if self.log else text

    def probes(self) -> tuple[Any, ...]:
        """Return values that show whether the dimension fits: its ends, or every choice."""
        if self.low is None or self.high is None:
            return self.points
        inner = () if self.whole else (self.low + (self.high - self.low) * 0.381966,)
        return (self.low, self.high, *(() if self.numbers else inner))


def read_space(overrides: Sequence[Override]) -> tuple[tuple[Dimension, ...], tuple[str, ...]]:
    """Separate the overrides with several values from the fixed ones.

    Parameters
    ----------
    overrides : sequence of Override
        Parsed with a config loader, which ``glob`` needs; the last one of a key counts.

    Returns
    -------
    dimensions : tuple of Dimension
    fixed : tuple of str
        As Hydra would write them.

    Raises
    ------
    ConfigError
        If a sweep is not a search space, or is over something that a search may not choose.
    """
    by_key = {override.get_key_element().lstrip("+~"): override for override in overrides}
    deleted = {override.key_or_group for override in overrides if override.is_delete()}
    dimensions, fixed = [], []
    for override in overrides:
        key = override.get_key_element().lstrip("+~")
        if by_key[key] is not override and key not in deleted:
            continue
        if override.is_sweep_override():
            dimensions.append(_dimension(key, override))
        else:
            _refuse_unread(override)
            fixed.append(str(override.input_line))
    if not dimensions:
        raise ConfigError(
            "a sweep needs at least one override with several values, such as "
            "'model.learner.C=interval(0.01,100)'; got none. Leave out hydra/sweeper for one cell."
        )
    return tuple(dimensions), tuple(fixed)


def grid_points(dimensions: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Enumerate the space in the order of the basic sweeper, as values of the distributions.

    Raises
    ------
    ConfigError
        If a dimension is an interval.
    """
    for dimension in dimensions:
        if not dimension.points:
            raise ConfigError(
                f"a grid needs values that can be counted; {dimension.key} is "
                f"{dimension.describe()}. Give a choice or a range, or use "
                "hydra.sweeper.sampler=tpe."
            )
    levels = [dimension.numbers or dimension.points for dimension in dimensions]
    keys = [dimension.key for dimension in dimensions]
    return [dict(zip(keys, point, strict=True)) for point in itertools.product(*levels)]


def nested_overrides(
    dimensions: Sequence[Dimension], *, enumerated: bool = False
) -> tuple[list[str], bool] | None:
    """Return the overrides with which ``tune=optuna`` searches the same space in every fold.

    Parameters
    ----------
    dimensions : sequence of Dimension
    enumerated : bool
        Whether every value counts, as on a grid, so that numbers are choices.

    Returns
    -------
    overrides : list of str
    several : bool
        Whether they need ``-m``: then each model is tuned separately.
    None if a dimension is not a hyperparameter, since no fold can tune that.
    """
    overrides, space = [], []
    for dimension in dimensions:
        name = dimension.key.removeprefix("model.learner.")
        if dimension.key == "model":
            overrides.append(dimension.prefix + f"model={','.join(dimension.points)}")
        elif name == dimension.key or "." in name:
            return None
        else:
            space.append(f"{name}:{_entry(dimension, enumerated=enumerated)}")
    if space:
        overrides += [
            "~model.space",
            f"+model.space={{{','.join(space)}}}",
            "~preprocess.space.transform",
        ]
    return overrides, any(dimension.key == "model" for dimension in dimensions)


def _entry(dimension: Dimension, *, enumerated: bool) -> str:
    is_dense = dimension.whole and _step(dimension.numbers) in (None, 1)
    if dimension.points and (enumerated or not is_dense):
        return f"{{kind:categorical,choices:[{','.join(dimension.points)}]}}"
    kind = "int" if dimension.whole else "float"
    log = ",log:true" if dimension.log else ""
    return f"{{kind:{kind},low:{dimension.low},high:{dimension.high}{log}}}"


def _dimension(key: str, override: Override) -> Dimension:
    prefix = override.get_key_element()[: -len(key)]
    if _group(key) not in OPTIMISED:
        raise ConfigError(
            f"a sweep searches over {', '.join(f'{name}.*' for name in OPTIMISED)}; {key} is part "
            "of the task, and the best score over several tasks answers none. Give it one "
            "value, or leave out hydra/sweeper for a grid of comparisons."
        )
    sweep: Any = override._value
    tags = set(getattr(sweep, "tags", ()))
    for tag in sorted(tags - set(TAGS)):
        raise ConfigError(f"the tags of a sweep are {', '.join(TAGS)}; {key} has {tag!r}.")
    if isinstance(sweep, IntervalSweep):
        return _interval(key, prefix, sweep, tags)
    try:
        if isinstance(sweep, RangeSweep):
            points = tuple(str(value) for value in sweep.range())
        else:
            points = tuple(dict.fromkeys(_in_order(override)))
    except ValueError as error:  # range() with a step of 0
        raise ConfigError(f"{key} must be a range with values; {error}.") from None
    if not points:
        raise ConfigError(f"{key} must have at least one value; {override.input_line} has none.")
    if isinstance(sweep, RangeSweep):
        found = _range(key, prefix, points, tags)
        return replace(found, text=f"range({sweep.start}, {sweep.stop}, {sweep.step})")
    if tags:
        raise ConfigError(
            f"the tag {min(tags)} belongs to an interval or a range; {key} is a choice of "
            f"{', '.join(points)}."
        )
    return Dimension(key=key, prefix=prefix, points=points)


def _in_order(override: Override) -> list[str]:
    """Return the choices unshuffled: the order of a space is part of what identifies a sweep."""
    sweep: Any = override._value
    if getattr(sweep, "shuffle", False):
        return [Override._get_value_element_as_str(value) for value in sweep.list]
    return list(override.sweep_string_iterator())


def _interval(key: str, prefix: str, sweep: IntervalSweep, tags: set[str]) -> Dimension:
    low, high = sweep.start, sweep.end
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{key} must be between two numbers; got interval({low}, {high}).")
    whole = "int" in tags or (isinstance(low, int) and isinstance(high, int))
    if whole and (int(low) != low or int(high) != high):
        raise ConfigError(
            f"{key} is tagged int, so its bounds must be whole; got interval({low}, {high})."
        )
    if low > high:
        raise ConfigError(f"{key}: low must not exceed high; got interval({low}, {high}).")
    log = "log" in tags
    if log and low <= 0:
        raise ConfigError(f"{key}: a log scale needs low above 0; got interval({low}, {high}).")
    number = int if whole else float
    return Dimension(
        key=key, prefix=prefix, low=number(low), high=number(high), whole=whole, log=log
    )


def _range(key: str, prefix: str, points: tuple[str, ...], tags: set[str]) -> Dimension:
    numbers = tuple(float(point) for point in points)
    whole = all(number == int(number) for number in numbers) and "." not in "".join(points)
    log = "log" in tags
    if log and (not whole or abs(_step(numbers) or 1) != 1):
        raise ConfigError(
            f"{key}: a range on a log scale must have consecutive whole numbers; got "
            f"{', '.join(points[:4])}. Use tag(log, interval(…))."
        )
    if log and min(numbers) <= 0:
        raise ConfigError(f"{key}: a log scale needs low above 0; got {min(numbers):g}.")
    step = Decimal(str(_step(numbers) or 0))
    low = min(numbers)
    high = max(numbers) if whole else float(Decimal(str(low)) + abs(step) * (len(numbers) - 1))
    return Dimension(
        key=key,
        prefix=prefix,
        low=int(low) if whole else low,
        high=int(high) if whole else high,
        whole=whole,
        log=log,
        points=points,
        numbers=numbers,
    )


def _step(numbers: Sequence[float]) -> float | None:
    """Return the step of evenly spaced numbers, None if there is only one."""
    if len(numbers) < 2:
        return None
    step = abs(numbers[1] - numbers[0])
    return float(f"{step:.12g}")


def _group(key: str) -> str:
    return key.partition(".")[0].partition("@")[0]


def _refuse_unread(override: Override) -> None:
    """Refuse text that looks like a sweep but is not one in the grammar."""
    text = override._value.text if isinstance(override._value, QuotedString) else ""
    name = text.partition("(")[0].strip()
    if "(" in text and name in SWEEPS and _group(override.key_or_group) in OPTIMISED:
        raise ConfigError(
            f"{override.get_key_element()} must be a sweep of Hydra's grammar; {text!r} is not. "
            "Write interval(LOW,HIGH), range(START,STOP,STEP), choice(A,B) or A,B."
        )


def describe_space(dimensions: Sequence[Dimension]) -> Mapping[str, str]:
    """Return the space by key, as on the command line."""
    return {dimension.key: dimension.describe() for dimension in dimensions}
