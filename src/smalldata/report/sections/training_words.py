"""Sentences of a report about the training, each a rule over the numbers of its summary.

Step in the line: TrainingSummary -> **sentences** (plain text; the templates escape it). A training
loss is only read as what it is: how well the model fits the samples it was trained on.
"""

from collections.abc import Sequence

from smalldata.report.plain import count, format_number, format_percent, join_words
from smalldata.report.sections.training import KeptEpochs, TrainingSummary

MOST, FEW = 0.8, 0.2
"""Share of the folds from which a sentence speaks of all, and up to which it speaks of none."""


def say_training(training: TrainingSummary) -> dict[str, list[str]]:
    """Say how the training went.

    Parameters
    ----------
    training : TrainingSummary

    Returns
    -------
    dict of lists of str
        Sentences: ``kept`` (which weights), ``loss`` (what it is), ``trend`` (how it ended).
    """
    return {
        "kept": say_kept(training),
        "loss": say_loss(training),
        "trend": [
            *say_fall(training),
            *say_held_out(training),
            *say_schedule(training.schedule),
        ],
    }


def say_kept(training: TrainingSummary) -> list[str]:
    """Say which epochs' weights were kept, and who chose them."""
    n_folds, n_held = training.n_folds, training.n_held
    who = "the network" if training.members[1] == 1 else f"the {_span(training.members)} members"
    said = []
    if n_folds < training.n_finished:
        said.append(
            f"Losses are known for {n_folds} of {training.n_finished} folds; the others were "
            "stored without them."
        )
    if n_held < n_folds:
        found = [fold for fold in training.folds if not fold.held]
        ran, planned = (
            (min(values), max(values))
            for values in zip(*((fold.n_epochs, fold.n_planned) for fold in found), strict=True)
        )
        all_of_them = "all " if planned[0] == planned[1] else ""
        epochs = f"{all_of_them}{_span(planned)} epochs of a fixed schedule"
        if ran != planned:
            epochs = f"{_span(ran)} of {_span(planned)} planned epochs"
        said.append(
            f"In {_name_fits(n_folds - n_held, n_folds)} {who} ran {epochs} and kept the weights "
            "of the last one: no samples were held out for early stopping."
        )
    if training.n_cut:
        said.append(
            f"Training was cut short in {_share(training.n_cut, n_folds, 'fold').lower()}; the "
            "notes of the folds say why."
        )
    if training.kept is not None:
        said += _say_chosen(training, training.kept, who)
    return said


def _say_chosen(training: TrainingSummary, kept: KeptEpochs, who: str) -> list[str]:
    """Say which epochs the held-out samples chose."""
    n_held = training.n_held
    epoch = f"epoch {kept.first}"
    if kept.n_members > 1:
        over = f" over {count(n_held, 'fold')}" if n_held > 1 else ""
        kind = "folds" if training.members[1] == 1 else "members"
        span = _span([kept.first, kept.last])
        epoch = f"epoch {kept.mean:.1f} on average{over} (single {kind} {span})"
    said = [
        f"In {_name_fits(n_held, training.n_folds)} {who} held out some of the training samples "
        f"and kept the weights of the epoch with the lowest loss on them: {epoch}, of "
        f"{_span(kept.planned)} planned."
    ]
    if kept.n_stopped:
        said.append(
            f"{_share(kept.n_stopped, kept.n_members, 'member')} stopped before the end, after "
            f"{_span(kept.patience)} epochs without a lower loss."
        )
    said.append(
        "These samples chose the epoch, so their lowest loss flatters. The scores on this page "
        "come from other samples, which had no part in the choice."
    )
    return said


def _name_fits(n: int, n_all: int) -> str:
    return "each fit" if n == n_all else f"{n} of {n_all} fits"


def say_loss(training: TrainingSummary) -> list[str]:
    """Name the loss, its unit and the loss of guessing."""
    losses = training.losses
    if not training.alike:
        named = [f"{name} ({count(n, 'fold')})" for name, n in losses[:3]]
        more = f"; and {len(losses) - 3} more" if len(losses) > 3 else ""
        return [
            f"The folds were trained on different losses ({'; '.join(named)}{more}), so the "
            "heights of their curves cannot be compared and no mean is drawn."
        ]
    guess = training.guessing
    beside = "" if guess is None else f"; {training.guess} would give {format_number(guess)}"
    return [f"The loss is the {losses[0][0]}{beside}."]


def say_fall(training: TrainingSummary) -> list[str]:
    """Say how the training loss ended if nothing was held out, without a promise."""
    trend = training.fall
    if trend is None:
        return []
    n, n_folds = trend.n, trend.n_folds
    subject = (
        "Where none were held out, the training loss" if training.n_held else "The training loss"
    )
    if trend.n_flat >= MOST * n_folds:
        return [f"{subject} did not fall: the fits learned nothing that lowers it."]
    tail = f"the last {_span(trend.epochs)} epochs" if trend.epochs[1] > 1 else "its last epoch"
    silent = "which says nothing about unseen samples"
    if n >= MOST * n_folds:
        share = trend.change / trend.whole if trend.whole > 0 else 1.0
        facts = (
            f"by {format_number(trend.change)} over {tail}, "
            f"{format_percent(min(share, 1.0))} of its whole fall"
        )
        return [
            f"{subject} was still falling when the epochs ended ({facts}). More epochs "
            f"could lower it further, {silent}."
        ]
    if n <= FEW * n_folds:
        return [f"{subject} was no longer clearly falling when the epochs ended, {silent}."]
    return [
        f"In {n} of {count(n_folds, 'fold')} the training loss was still falling when the epochs "
        f"ended, {silent}."
    ]


def say_held_out(training: TrainingSummary) -> list[str]:
    """Say how the held-out loss ended: too soon, too late, or stopped in time."""
    kept, trend = training.kept, training.rise
    if kept is None:
        return []
    said = []
    if 2 * kept.n_late >= kept.n_members:
        n_tail = kept.tail
        tail = f"the last {n_tail} planned epochs" if n_tail > 1 else "the last planned epoch"
        said.append(
            f"The held-out loss was lowest within {tail} in "
            f"{_share(kept.n_late, kept.n_members, 'member').lower()}, so more epochs "
            "(n_epochs) could help."
        )
    n_held = training.n_held
    if 2 * kept.n_stopped > kept.n_members and 2 * kept.n_too_soon > n_held:
        said.append(
            f"In {_share(kept.n_too_soon, n_held, 'fold').lower()} the held-out loss (mean of "
            "the members) was lower at the end than around the kept epoch: on average "
            f"{format_number(kept.end)} compared with {format_number(kept.near)}. Most members had "
            "stopped before that. More patience (early_stopping), or no early stopping (0), could "
            "help."
        )
    if trend is not None and trend.n >= MOST * trend.n_folds:
        overfit = trend.n_overfit >= MOST * trend.n_folds
        while_ = " while the training loss kept falling: later epochs overfit" if overfit else ""
        said.append(
            "After its lowest point, the held-out loss rose in "
            f"{_share(trend.n, n_held, 'fold').lower()} (on average by "
            f"{format_number(trend.change)} from the first third of those epochs to the last)"
            f"{while_}."
        )
    elif trend is not None and trend.n <= FEW * trend.n_folds and not said:
        said.append("After its lowest point, the held-out loss did not clearly rise.")
    return said


def say_schedule(schedule: Sequence[str]) -> list[str]:
    """Say what the schedule itself changes towards the end."""
    if not schedule:
        return []
    return [
        f"Towards the last planned epoch, {join_words(list(schedule))}, which alone shapes the end "
        "of the curves."
    ]


def _share(n: int, n_all: int, noun: str) -> str:
    """Write a share of all: "3 of 10 folds", "All 10 folds", "Both folds", "The one fold"."""
    if n < n_all:
        return f"{n} of {count(n_all, noun)}"
    return {1: f"The one {noun}", 2: f"Both {noun}s"}.get(n, f"All {count(n, noun)}")


def _span(ends: Sequence[int]) -> str:
    low, high = ends
    return str(low) if low == high else f"{low} to {high}"
