"""A sweep before it runs: its space, task and identity, checked before anything is written.

A sweep is one search. Everything that could change which values it tries, or their scores, is part
of its identity; the number of trials, where they run and where they are stored are not.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from hydra_plugins.smalldata_optuna._space import (
    Dimension,
    describe_space,
    grid_points,
    nested_overrides,
    read_space,
)
from smalldata.config.build import RunConfig, build_config
from smalldata.config.hydra import one_sentence, quote_text
from smalldata.errors import ConfigError
from smalldata.measures.registry import Measure, find_measure
from smalldata.results.record import cell_hash
from smalldata.run.cell import plan_cell
from smalldata.run.plan import Plan
from smalldata.run.progress import Reporter
from smalldata.runtime.files import safe_name
from smalldata.tuning.shared.database import redact_url

SAMPLERS = ("tpe", "random", "cmaes", "grid")
SWEEPER = "hydra/sweeper=smalldata_optuna"

Direction = Literal["minimize", "maximize"]
Compose = Callable[[Sequence[str]], RunConfig]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The keys of ``hydra.sweeper``, checked.

    Attributes
    ----------
    n_trials : int
        Total number of trials, including those of earlier runs and of other workers.
    n_jobs : int
        Trials passed to the launcher at a time.
    sampler : {"tpe", "random", "cmaes", "grid"}
    seed : int or None
        Seed of the sampler; None: that of the run.
    storage : str or None
        URL of a database; None: a file in the sweep's own folder.
    name : str or None
        Name of that folder; None: the hash of the identity.
    heartbeat_seconds : int
        Interval of a worker's heartbeats; a worker that misses three counts as dead.
    params : mapping
        Overrides as on the command line, applied before those.

    Raises
    ------
    ConfigError
        If a value is not one of these.
    """

    n_trials: int
    n_jobs: int
    sampler: str
    seed: int | None
    storage: str | None
    name: str | None
    heartbeat_seconds: int
    params: Mapping[str, str]

    def __post_init__(self) -> None:
        """Check the values."""
        for key in ("n_trials", "n_jobs", "heartbeat_seconds"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"hydra.sweeper.{key} must be a whole number of at least 1; "
                    f"got {getattr(self, key)}."
                )
        if self.sampler not in SAMPLERS:
            raise ConfigError(
                f"hydra.sweeper.sampler must be {', '.join(SAMPLERS)}; got {self.sampler!r}."
            )
        if self.sampler == "cmaes" and find_spec("cmaes") is None:
            raise ConfigError(
                "hydra.sweeper.sampler=cmaes needs the package cmaes, which is not installed; "
                "install smalldata[cmaes] or use hydra.sweeper.sampler=tpe."
            )
        if self.seed is not None and self.seed < 0:
            raise ConfigError(f"hydra.sweeper.seed must not be negative; got {self.seed}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A sweep before its first trial.

    Attributes
    ----------
    options : Options
    dimensions : tuple of Dimension
    fixed : tuple of str
        The overrides that every trial shares.
    plan : Plan
        Plan of the cell at the first value of every dimension.
    objectives : tuple of Measure
        The first is the primary measure of the table.
    """

    options: Options
    dimensions: tuple[Dimension, ...]
    fixed: tuple[str, ...]
    plan: Plan
    objectives: tuple[Measure, ...]

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions of the measures, in Optuna's words."""
        return tuple("maximize" if one.higher_is_better else "minimize" for one in self.objectives)

    @property
    def seed(self) -> int:
        """Seed of the sampler."""
        own = self.options.seed
        return self.plan.config.seed if own is None else own

    @property
    def total(self) -> int:
        """Number of trials of the whole sweep."""
        if self.options.sampler != "grid":
            return self.options.n_trials
        return min(self.options.n_trials, len(grid_points(self.dimensions)))

    @property
    def identity(self) -> dict[str, Any]:
        """What every worker of the sweep must agree on, as json's own types."""
        cell = dict(self.plan.record.identity)
        searched = {one.key.removeprefix("model.learner.") for one in self.dimensions}
        cell["learner"] = {k: v for k, v in cell["learner"].items() if k not in searched}
        for name in ("content", "split", "splits"):  # short enough to show as a difference
            cell[name] = cell[name][:12]
        return {
            "space": dict(describe_space(self.dimensions)),
            "order": [one.key for one in self.dimensions],
            "sampler": self.options.sampler,
            "seed": self.seed,
            "objectives": [one.name for one in self.objectives],
            "fixed": cell,
        }

    @property
    def key(self) -> str:
        """Ten hex digits of the identity."""
        return cell_hash(self.identity)

    @property
    def folder(self) -> Path:
        """``outputs/sweeps/<name or key>``."""
        name = safe_name(self.options.name) if self.options.name else self.key
        return Path(self.plan.config.outputs) / "sweeps" / name

    def job(self, params: Mapping[str, Any], *, ordinal: int) -> list[str]:
        """Return the overrides of one trial, which is not explained and is marked as a trial."""
        about = {
            "id": self.key,
            "trial": str(ordinal),
            "command": _as_text(self.command()),
            "instead": _as_text(self.nested_command() or ""),
        }
        kept = [text for text in self.fixed if _key(text) not in ("explain", "sweep")]
        return [
            *kept,
            *(one.override(params[one.key]) for one in self.dimensions),
            "explain=none",
            f"measure={self.objectives[0].name}",
            *(f"sweep.{key}={value}" for key, value in about.items()),
        ]

    def last_job(self, params: Mapping[str, Any], *, ordinal: int) -> list[str]:
        """Return the overrides that show a finished trial, and explain it if requested."""
        asked = [text for text in self.fixed if _key(text) == "explain"]
        job = [text for text in self.job(params, ordinal=ordinal) if text != "explain=none"]
        return [*job, *asked]

    def command(self) -> str:
        """Return the command of the whole sweep."""
        options = [
            f"hydra.sweeper.{key}={getattr(self.options, key)}"
            for key, usual in (
                ("n_trials", None),
                ("sampler", "tpe"),
                ("seed", None),
                ("name", None),
            )
            if getattr(self.options, key) != usual
        ]
        space = [f"{one.prefix}{one.key}={one.describe()}" for one in self.dimensions]
        words = ["-m", SWEEPER, *self.fixed, *space, *options]
        return _spoken("python", "-m", "smalldata", *words)

    def nested_command(self) -> str | None:
        """Return the command that searches the same space inside each outer fold.

        None if a dimension is not a hyperparameter, since no fold can tune that.
        """
        is_enumerated = self.options.sampler == "grid"
        found = nested_overrides(self.dimensions, enumerated=is_enumerated)
        if found is None:
            return None
        overrides, several = found
        kept = [text for text in self.fixed if _key(text) not in ("tune", "sweep", "objectives")]
        n_trials = self.options.n_trials
        if is_enumerated:  # tuning starts with the default
            n_trials = 1 + len(grid_points(self.dimensions))
        tune = ["tune=optuna", f"tune.trials={n_trials}"]
        if self.options.sampler != "tpe":
            tune.append(f"tune.sampler={self.options.sampler}")
        grid = ["-m"] if several else []
        return _spoken("python", "-m", "smalldata", *grid, *kept, *overrides, *tune)


def _spoken(*words: str) -> str:
    """Join the words of a command for a shell, without a database's password."""
    return shlex.join(redact_url(word) for word in words)


def make_frame(overrides: Sequence[Any], options: Options, *, compose: Compose) -> Frame:
    """Read and check a sweep.

    Parameters
    ----------
    overrides : sequence of Override
        Parsed with a config loader, for ``glob``.
    options : Options
    compose : callable
        Composes a cell from overrides.

    Raises
    ------
    SmalldataError
        If the space, a value at its bounds, the data or an objective cannot be used.
    """
    dimensions, fixed = read_space(overrides)
    if options.sampler == "grid":
        grid_points(dimensions)
    config = _probe(dimensions, fixed, compose=compose)
    plan = plan_cell(config, Reporter(Console(quiet=True)))
    objectives = _objectives(plan)
    if options.sampler == "cmaes" and len(objectives) > 1:
        raise ConfigError(
            "the sampler cmaes has one objective; got "
            f"{', '.join(one.name for one in objectives)}. Use hydra.sweeper.sampler=tpe."
        )
    return Frame(
        options=options, dimensions=dimensions, fixed=fixed, plan=plan, objectives=objectives
    )


def _probe(dimensions: Sequence[Dimension], fixed: Sequence[str], *, compose: Compose) -> RunConfig:
    """Compose the first point, then the other ends of each dimension, so that errors come early."""
    first = {one.key: one.probes()[0] for one in dimensions}
    config = compose([*fixed, *(one.override(first[one.key]) for one in dimensions)])
    for dimension in dimensions:
        for value in dimension.probes()[1:]:
            point = {**first, dimension.key: value}
            try:
                compose([*fixed, *(one.override(point[one.key]) for one in dimensions)])
            except ConfigError as error:
                if dimension.points or dimension.whole or value == dimension.high:
                    raise
                raise ConfigError(
                    f"{error} For whole numbers write {dimension.key}=int({dimension.describe()})."
                ) from None
    return config


def _objectives(plan: Plan) -> tuple[Measure, ...]:
    config, task = plan.config, plan.task
    names = config.objectives or (task.measure,)
    if len(set(names)) != len(names):
        raise ConfigError(f"objectives must be different measures; got {', '.join(names)}.")
    if config.measure is not None and config.measure not in names:
        raise ConfigError(
            f"measure must be one of the objectives, {', '.join(names)}, which ranks the "
            f"table; got {config.measure!r}. Leave it out, or add it to the objectives."
        )
    key = "objectives" if config.objectives else "measure"
    found = [find_measure(name, task.kind, key=key) for name in names]
    for one in found:
        if not one.ranked:
            raise ConfigError(
                f"an objective must rank the models; {one.name} does not. Choose another measure."
            )
    return tuple(sorted(found, key=lambda one: one.name != config.measure))


def composer(loader: Any, master: Any) -> Compose:
    """Return a function that composes the config of one trial."""
    from omegaconf import open_dict

    def compose(overrides: Sequence[str]) -> RunConfig:
        with one_sentence(overrides):
            composed = loader.load_sweep_config(master, list(overrides))
        with open_dict(composed):
            del composed["hydra"]
        return build_config(composed)

    return compose


def _as_text(value: str) -> str:
    """Quote text that must not be interpolated."""
    return quote_text(value.replace("${", "\\${"))


def _key(override: str) -> str:
    """Return the first word of an override's key: ``explain`` of ``explain.background=50``."""
    return override.lstrip("+~").partition("=")[0].partition(".")[0].partition("@")[0]
