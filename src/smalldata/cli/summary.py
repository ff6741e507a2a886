"""The verb ``summary``: the model of a cell on its first training fold.

For a network the layers, parameters and memory, for a linear model how many numbers it has.
Step in the line: Plan -> **summary** on stdout.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smalldata.cli.screen import DONE, reporter
from smalldata.config.build import build_config
from smalldata.config.hydra import run_composed, split_flags
from smalldata.errors import ConfigError
from smalldata.learner import Array, Learner
from smalldata.models import load_learner
from smalldata.models.linear import Linear
from smalldata.models.networks.recipe import Network
from smalldata.models.networks.summary import Layer, Outline, outline_network
from smalldata.pipeline.preprocess import make_preprocessor
from smalldata.pipeline.ranking import make_ranker
from smalldata.pipeline.training import TrainingRows
from smalldata.run.cell import plan_cell
from smalldata.run.plan import Plan
from smalldata.runtime.catalogue import names
from smalldata.runtime.console import open_console
from smalldata.runtime.files import scratch_folder
from smalldata.runtime.memory import is_out_of_memory
from smalldata.seeding import seed_for
from smalldata.task import TaskKind


def run_verb(arguments: Sequence[str]) -> int:
    """Compose the cells of a run, and print the model of each instead of running it.

    Parameters
    ----------
    arguments : sequence of str
        The arguments of ``run``.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    SmalldataError
        With one sentence for the user.
    """
    multirun, overrides = split_flags(arguments)
    if any(word.lstrip("+").startswith("hydra") for word in overrides):
        raise ConfigError("summary takes the cells of a grid; a search has none before it runs.")
    errors: list[Exception] = []
    job = partial(_summarize, errors=errors)
    with scratch_folder() as scratch:
        run_composed(job, overrides, multirun=multirun, scratch=scratch)
    if errors:
        raise errors[0]
    return DONE


def _summarize(composed: Any, *, errors: list[Exception]) -> None:
    try:
        _print_cell(composed)
    except Exception as error:  # if raised, Hydra would end the grid with its own message
        errors.append(
            error
            if not is_out_of_memory(error)
            else ConfigError(
                "summary trains one epoch to measure memory and ran out of it; "
                "ask for fewer features, members or layers, or narrower ones."
            )
        )


def _print_cell(composed: Any) -> None:
    config = replace(build_config(composed), explanation=None)
    plan = plan_cell(config, reporter())
    if plan.tuner is not None:
        reporter().say("tuning chooses values inside each fold; this shows its starting values")
    if plan.selector is not None:
        reporter().say("a signature chooses features inside each fold; this shows all of them")
    print_summary(plan, console=open_console())


def network_names() -> list[str]:
    """Return the names of the models whose layers `summary` shows."""
    return [name for name in names("model") if isinstance(load_learner(name), Network)]


def print_summary(plan: Plan, *, console: Console) -> None:
    """Print a network, or a linear model, as it is on the first training fold of a cell.

    Parameters
    ----------
    plan : Plan
    console : Console
        Writes to stdout.

    Raises
    ------
    ConfigError
        If the model is neither, or does not take the task.
    """
    learner, model = plan.config.learner, plan.config.model
    if plan.record.skipped:
        raise ConfigError(
            f"summary needs a model that takes the task; {plan.title} is skipped: "
            f"{plan.record.skipped}."
        )
    if not isinstance(learner, Network | Linear):
        raise ConfigError(
            "summary shows the layers of networks and the number of coefficients of linear: "
            f"{', '.join([*network_names(), 'linear'])}; model={model} is none of them."
        )
    seed = seed_for(plan.config.seed, "fit", 0, 0)
    rows = plan.cell.training(plan.splits.folds[0], seed=seed)
    X = _preprocess(learner, rows)
    where = (
        f"{plan.title}: first training fold of {plan.splits.name}, {len(X)} rows, "
        f"{plan.task.n_features} features in {X.shape[1]} columns"
    )
    _write(console, where)
    if isinstance(learner, Linear):
        n_outputs = 1 if plan.task.kind is not TaskKind.MULTICLASS else len(plan.task.classes)
        n_numbers = n_outputs * (X.shape[1] + 1)
        each = "" if n_outputs == 1 else f" for each of {n_outputs} classes"
        _write(
            console,
            f"{model} has no layers but {n_numbers:,} numbers, a coefficient per column and an "
            f"intercept{each}; {_ratio(n_numbers, len(X))} per training row.",
        )
        return
    outline = outline_network(learner, X, rows.y, rows.groups, info=rows.info, seed=seed)
    _print_outline(outline, optimizer=learner.optimizer, console=console)


def _preprocess(learner: Learner, rows: TrainingRows) -> Array:
    """Return training rows as the estimator would get them."""
    step = make_preprocessor(
        learner,
        rows.info,
        preprocessing=rows.preprocessing,
        ranker=make_ranker(learner, rows),
        below=rows.below,
    )
    fitted: Array = step.fit_transform(rows.X, rows.y, groups=rows.groups)
    return fitted


# ---------------------------------------------------------------- on the screen


def _print_outline(outline: Outline, *, optimizer: str, console: Console) -> None:
    n_members = outline.n_members
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    table.add_column("output of one", justify="right", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column(f"of all {n_members}", justify="right", no_wrap=True)
    for layer in outline.layers:
        own = layer.n_parameters
        table.add_row(
            Text(f"{'  ' * layer.depth}{_label(layer)}"),
            Text(_shape(layer, n_members=n_members)),
            f"{own // n_members:,}" if own else "",
            f"{own:,}" if own else "",
        )
    table.add_section()
    n_all = outline.n_parameters * n_members
    table.add_row("total", "", f"{outline.n_parameters:,}", f"{n_all:,}")
    console.print(table)
    n_one, n_rows = outline.n_parameters, outline.n_rows
    memory = outline.memory
    parts = (
        ("weights", memory.weights),
        ("gradients", memory.gradients),
        ("best weights", memory.best_weights),
        (f"{optimizer}'s state", memory.optimizer),
        ("activations of a step", memory.activations),
        ("data", memory.data),
    )
    shown = ", ".join(f"{name} {_megabytes(n_bytes)}" for name, n_bytes in parts)
    several = n_members > 1
    lines = [
        f"One member: {n_one:,} parameters, {_ratio(n_one, n_rows)} per training row.",
        f"The ensemble: {n_members} members side by side, {n_all:,} parameters, "
        f"{_ratio(n_all, n_rows)} per training row."
        if several
        else "The ensemble has one member.",
        f"A step takes {outline.n_batch} rows"
        + (f" of each member: the output of all is {n_members} × as large." if several else "."),
        f"Memory of training{' all members' if several else ''}, float32: about "
        f"{_megabytes(memory.total)} MB ({shown}).",
    ]
    _write(console, "", *lines)


def _label(layer: Layer) -> str:
    called = f" (called {layer.n_calls} times)" if layer.n_calls > 1 else ""
    return f"{layer.name}: {layer.kind}{called}" if layer.name else layer.kind


def _shape(layer: Layer, *, n_members: int) -> str:
    """Write the shape of a layer's output, without a leading axis of members."""
    shape = layer.output[1:] if layer.output[:1] == (n_members,) else layer.output
    return " × ".join(map(str, shape))


def _ratio(n_parameters: int, n_rows: int) -> str:
    ratio = n_parameters / n_rows
    return f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}"


def _megabytes(n_bytes: int) -> str:
    megabytes = n_bytes / 1e6
    return f"{megabytes:.2g}" if megabytes < 10 else f"{megabytes:,.0f}"


def _write(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Text(line), soft_wrap=True)
