"""What one fit learns from, and how the members of one or several fits are trained side by side.

Members share no weights, so training them together changes numbers only by rounding: all members of
all inner folds together on a GPU, a few members of one fit if memory is short.
Imports torch: load it inside functions. Step in the line: recipe + rows -> **trained network**.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from smalldata.models.networks.settings import Inputs, Settings
from smalldata.models.networks.training import Curves, Loss, count_steps, train
from smalldata.resampling.splitting import Rows
from smalldata.runtime.devices import one_torch_thread
from smalldata.runtime.memory import train_within
from smalldata.seeding import seed_for


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What the members of one fit learn from.

    Attributes
    ----------
    recipe : Settings
        Settled for this kind of task.
    inputs : Inputs
    x : Tensor of shape (n_rows, n_columns)
        As the network gets it.
    targets : Tensor of shape (n_rows, n_outputs)
    row_weights : Tensor of shape (n_rows,)
    loss : Loss
    held_out : list of ndarray, or None
        Rows that each member holds out for early stopping.
    seed : int
    """

    recipe: Settings
    inputs: Inputs
    x: Tensor
    targets: Tensor
    row_weights: Tensor
    loss: Loss
    held_out: list[Rows] | None
    seed: int

    def train_rows(self, member: int) -> Rows:
        """Return the rows that a member learns from."""
        rows = np.arange(len(self.x))
        return rows if self.held_out is None else np.setdiff1d(rows, self.held_out[member])

    @property
    def steps(self) -> tuple[int, int]:
        """Return the steps per epoch and the rows per step, the same for all members."""
        rows = [self.train_rows(member) for member in range(self.recipe.n_members)]
        return count_steps(rows, self.recipe.batch_size)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Return what must be equal for two lessons to be trained side by side."""
        return (
            self.steps,
            self.targets.shape[1],
            self.held_out is None,
            self.loss,
            self.inputs.layout,
        )

    def generator(self, member: int) -> torch.Generator:
        """Return the generator of a member at its first random number."""
        return torch.Generator().manual_seed(seed_for(self.seed, "member", member))


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt:
    """The result of a lesson.

    Attributes
    ----------
    network : Module
    curves : Curves
    notes : tuple of str
        What the record must say about memory or time that ran short.
    """

    network: nn.Module
    curves: Curves
    notes: tuple[str, ...] = ()


def learn(lessons: Sequence[Lesson], *, device: str) -> list[Learnt]:
    """Train the members of all lessons, of one recipe and shape, side by side as memory allows.

    Parameters
    ----------
    lessons : sequence of Lesson
    device : {"cpu", "cuda"}

    Returns
    -------
    list of Learnt
        One per lesson, equal to the result of training it alone up to rounding.

    Raises
    ------
    FitError
        If a loss stops being finite in any of them.
    MemoryError
        If not even one row of one member fits.
    """
    recipe = lessons[0].recipe
    units = [(i, member) for i in range(len(lessons)) for member in range(recipe.n_members)]

    def train_all(n_together: int, n_parts: int) -> list[tuple[nn.Module, Curves]]:
        groups = [units[start : start + n_together] for start in range(0, len(units), n_together)]
        own = replace(recipe, time_limit=recipe.time_limit / len(groups))
        return [
            _train_units(
                own,
                lessons,
                group,
                device=device,
                n_parts=n_parts,
                stops=len(groups) == 1,  # else the curves of the groups would differ in length
            )
            for group in groups
        ]

    trained, notes = train_within(train_all, n_members=len(units), n_rows=lessons[0].steps[1])
    if any(curves.timed_out for _, curves in trained):
        notes += (_timed_out(recipe, [curves for _, curves in trained]),)
    if len(lessons) == 1 and len(trained) == 1:
        ((network, curves),) = trained
        return [Learnt(network=network, curves=curves, notes=notes)]
    parameters = [dict(network.named_parameters()) for network, _ in trained]
    joint = {
        name: torch.cat([found[name].detach() for found in parameters]) for name in parameters[0]
    }
    return [
        Learnt(
            network=_take_out(lesson, joint, first=units.index((i, 0))),
            curves=_join([part for _, part in trained], [own == i for own, _ in units], recipe),
            notes=notes,
        )
        for i, lesson in enumerate(lessons)
    ]


def _train_units(
    recipe: Settings,
    lessons: Sequence[Lesson],
    units: Sequence[tuple[int, int]],
    *,
    device: str,
    n_parts: int,
    stops: bool,
) -> tuple[nn.Module, Curves]:
    """Train some members of some lessons in one network, starting at their first random numbers."""
    used = sorted({i for i, _ in units})
    ends = np.cumsum([len(lessons[i].x) for i in used])
    first_row = {i: int(end) - len(lessons[i].x) for i, end in zip(used, ends, strict=True)}
    generators = [lessons[i].generator(member) for i, member in units]
    held_out = [
        first_row[i] + rows[member]
        for i, member in units
        if (rows := lessons[i].held_out) is not None
    ]
    with one_torch_thread():
        network = recipe.network(
            lessons[0].inputs, lessons[0].targets.shape[1], generators=generators
        ).to(device)
        curves = train(
            network,
            torch.cat([lessons[i].x for i in used]),
            torch.cat([lessons[i].targets for i in used]),
            torch.cat([lessons[i].row_weights for i in used]),
            loss=lessons[0].loss,
            recipe=recipe,
            train_rows=[first_row[i] + lessons[i].train_rows(member) for i, member in units],
            held_out_rows=held_out or None,
            generators=generators,
            steps=lessons[0].steps,
            n_parts=n_parts,
            stops=stops,
        )
    return network, curves


def _take_out(lesson: Lesson, joint: dict[str, Tensor], *, first: int) -> nn.Module:
    """Return a network of only the members of one lesson."""
    n_members = lesson.recipe.n_members
    unused = [torch.Generator().manual_seed(0) for _ in range(n_members)]
    network = lesson.recipe.network(lesson.inputs, lesson.targets.shape[1], generators=unused)
    own = network.state_dict()
    for name, _ in network.named_parameters():
        own[name] = joint[name][first : first + n_members].clone()
    network.load_state_dict(own)
    return network.to(lesson.x.device).eval()


def _join(parts: Sequence[Curves], chosen: Sequence[bool], recipe: Settings) -> Curves:
    """Return the curves of one lesson, cut to the epochs it would have run alone."""
    best = np.concatenate([part.best_epoch for part in parts])[chosen]
    n_run = min(len(part.train) for part in parts)  # a time limit stops groups at different epochs
    held_out = [part.held_out[:n_run] for part in parts if part.held_out is not None]
    train = np.concatenate([part.train[:n_run] for part in parts], axis=1)
    if held_out:  # the first epoch in which no member has patience left is the last one
        n_run = min(n_run, int(best.max()) + recipe.early_stopping + 1)
    return Curves(
        train=train[:n_run, chosen],
        held_out=np.concatenate(held_out, axis=1)[:n_run, chosen] if held_out else None,
        best_epoch=best,
        timed_out=any(part.timed_out for part in parts),
    )


def _timed_out(recipe: Settings, curves: Sequence[Curves]) -> str:
    n_run = min(len(part.train) for part in curves if part.timed_out)
    return (
        f"time_limit of {recipe.time_limit:g} s: trained {n_run} of {recipe.n_epochs} epochs; "
        "a faster machine would give other numbers"
    )
