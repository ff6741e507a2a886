"""The options of tuning: the keys of ``tune`` except its storage, checked."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

from smalldata.errors import ConfigError, did_you_mean
from smalldata.tuning.choice import Choose
from smalldata.tuning.samplers import Sampler

Pruner = Literal["none", "paired"]


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """The options of tuning.

    Attributes
    ----------
    trials : int
        Per outer fold, including the untuned default.
    timeout : float or None
        Seconds per outer fold after which no new trial starts.
    inner_folds : int
        Fewer if the smallest class of the training fold has too few rows.
    inner_repeats : int
        Repeats of the inner cross-validation.
    sampler : {"tpe", "random", "cmaes", "grid"}
    pruner : {"paired", "none"}
        Whether to stop a trial after some inner folds if it can no longer win.
    measure : str or None
        The measure that trials are judged by; None: the task's primary measure.
    choose : {"confirmed", "one_se", "best"}
        Whether the best trial must clearly beat the untuned default: again, on inner folds cut
        anew, or on those of the search.

    Raises
    ------
    ConfigError
        If a value is not one of these.
    """

    trials: int = 50
    timeout: float | None = None
    inner_folds: int = 5
    inner_repeats: int = 1
    sampler: Sampler = "tpe"
    pruner: Pruner = "paired"
    measure: str | None = None
    choose: Choose = "confirmed"

    def __post_init__(self) -> None:
        """Check the values."""
        for key, least in (("trials", 1), ("inner_folds", 2), ("inner_repeats", 1)):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"tune.{key} must be a whole number of at least {least}; got {value!r}."
                )
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigError(
                f"tune.timeout must be a number of seconds above 0, or null for none; "
                f"got {self.timeout!r}."
            )
        for key, choices in (("sampler", Sampler), ("pruner", Pruner), ("choose", Choose)):
            known, value = get_args(choices), getattr(self, key)
            if value not in known:
                hint = did_you_mean(str(value), known)
                raise ConfigError(
                    f"tune.{key} must be {', '.join(known)}; got {value!r}"
                    f"{'; ' + hint if hint else '.'}"
                )
        if self.sampler == "cmaes" and find_spec("cmaes") is None:
            raise ConfigError(
                "tune.sampler=cmaes needs the package cmaes, which is not installed; "
                "install smalldata[cmaes] or use tune.sampler=tpe."
            )
