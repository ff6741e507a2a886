"""The losses of a training as the record keeps them.

Imports torch: load it inside functions. Step in the line: trained network -> **loss curves** ->
fold result.
"""

import numpy as np
import torch

from smalldata.models.networks.layers import MemberDropout
from smalldata.models.networks.train_together import Learnt, Lesson
from smalldata.results.loss_curves import LossCurves

_CROSS_ENTROPY = "cross-entropy in nats"
_OF_VALUES = {
    "squared": "squared error in units of the target's variance",
    "huber": "Huber loss of the target in standard deviations (half the squared error up to 1, "
    "linear beyond)",
}


def loss_curves(lesson: Lesson, learnt: Learnt, *, classify: bool) -> LossCurves:
    """Return the losses per epoch, and what a reader must know to judge them.

    Parameters
    ----------
    lesson : Lesson
    learnt : Learnt
    classify : bool
    """
    recipe = lesson.recipe
    altered = []
    if classify and recipe.label_smoothing:
        altered.append(f"label smoothing {recipe.label_smoothing:.3g}")
    if classify and recipe.class_weight == "balanced":
        altered.append("balanced class weights")
    if recipe.mixup:
        altered.append(f"the samples learned from mixed in pairs (mixup {recipe.mixup:.3g})")
    schedule = []
    if recipe.scheduler != "none":
        schedule.append("the learning rate falls to nearly 0")
    drops = any(isinstance(one, MemberDropout) and one.share for one in learnt.network.modules())
    if recipe.noise_fades == "always" and drops:
        schedule.append("dropout fades to nothing")
    # If a time limit stops groups of members at different epochs, all curves end with the shortest.
    best_epoch = np.minimum(learnt.curves.best_epoch, len(learnt.curves.train) - 1)
    return LossCurves.of_members(
        learnt.curves.train,
        learnt.curves.held_out,
        best_epoch,
        loss=_CROSS_ENTROPY if classify else _OF_VALUES[recipe.loss],
        n_planned=recipe.n_epochs,
        patience=0 if learnt.curves.held_out is None else recipe.early_stopping,
        guessing=_guessing(lesson),
        altered=tuple(altered),
        schedule=tuple(schedule),
    )


def _guessing(lesson: Lesson) -> float:
    """Return the loss if all outputs are 0: equal odds, or the mean of a standardised value."""
    with torch.no_grad():
        rows = lesson.loss(torch.zeros_like(lesson.targets)[None], lesson.targets[None])[0]
        return float((rows.double() * lesson.row_weights.double()).mean())
