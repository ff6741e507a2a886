"""The numbers of one cell's training.

Step in the line: RunRecord -> **TrainingSummary** -> figures -> HTML. A cell whose model reports
no losses has none. The thresholds for judging a curve are here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from smalldata.report.plain import join_words
from smalldata.results.folds import FoldResult
from smalldata.results.loss_curves import LossCurves
from smalldata.results.record import RunRecord

TAIL = 0.1
"""Share of the epochs that counts as the end of a curve; at least one epoch."""

FEWEST_EPOCHS = 4
"""Shorter parts of a curve are not judged."""

FALLING = 0.02
"""A training loss is still falling if it falls by this share of its whole fall in its tail."""

CHANGED = 0.05
"""A held-out loss rises, or falls again, if it does so by this share of its whole fall."""


Ends = tuple[int, int]
"""Lowest and highest."""


@dataclass(frozen=True, kw_only=True)
class TrainedFold:
    """The losses of one fold; epochs are counted from 1.

    Attributes
    ----------
    held : bool
        Whether it held training samples out.
    train, held_out : sequence of float
        By epoch.
    epoch, first, last : float, int, int
        Kept by its members: mean, lowest, highest.
    loss : float
        Of the weights kept.
    end : float
        Last training loss.
    """

    name: str
    held: bool
    train: Sequence[float]
    held_out: Sequence[float] | None
    n_epochs: int
    n_planned: int
    epoch: float
    first: int
    last: int
    loss: float
    end: float


@dataclass(frozen=True, kw_only=True)
class KeptEpochs:
    """Which epochs the members kept that watched held-out rows, counted from 1.

    Attributes
    ----------
    mean, first, last : float, int, int
        Mean over the folds; lowest and highest of single members.
    planned, patience : (int, int)
    n_members : int
    n_stopped : int
        Members that stopped before the end.
    n_late : int
        Members that kept an epoch of the tail of the plan.
    tail : int
        Epochs of that tail.
    near, end : float
        Held-out loss around the epoch kept and at the end, mean over the folds.
    n_too_soon : int
        Folds in which it fell between the two.
    """

    mean: float
    first: int
    last: int
    planned: Ends
    patience: Ends
    n_members: int
    n_stopped: int
    n_late: int
    tail: int
    near: float
    end: float
    n_too_soon: int


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How the curves of the folds end.

    Attributes
    ----------
    n : int
        Folds whose training loss still falls, or whose held-out loss rises.
    n_flat : int
        Folds whose loss never fell.
    n_folds : int
        Folds with a curve long enough to be judged.
    epochs : (int, int)
        Over which the change is measured.
    change, whole : float
        Mean change in these epochs, and mean fall in all.
    n_overfit : int
        Folds whose held-out loss rises while the training loss falls.
    """

    n: int
    n_flat: int
    n_folds: int
    epochs: Ends
    change: float
    whole: float
    n_overfit: int


@dataclass(frozen=True, kw_only=True)
class MeanCurves:
    """Mean losses over the folds, as far as all of them go; none held out is an empty list."""

    train: list[float]
    held_out: list[float]


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """The losses of a cell's fits.

    Attributes
    ----------
    losses : list of (str, int)
        What was minimised, and in how many folds.
    alike : bool
        Whether that was one loss.
    guessing : float or None
        Loss of guessing, which ``guess`` puts in words.
    schedule : list of str
        What the plan changes towards the end, in all folds.
    n_folds, n_finished : int
        Folds with losses, and all that were finished.
    n_held, n_cut : int
        Folds that held rows out, and folds that something else than patience ended.
    members, ran : (int, int)
        Members of a fold, and epochs they ran.
    kept : KeptEpochs or None
        Of the folds that held rows out.
    fall : Trend or None
        Of the training loss, where nothing was held out.
    rise : Trend or None
        Of the held-out loss.
    mean : MeanCurves or None
        None where the losses differ.
    folds : list of TrainedFold
    """

    losses: list[tuple[str, int]]
    alike: bool
    guessing: float | None
    guess: str
    schedule: list[str]
    n_folds: int
    n_finished: int
    n_held: int
    n_cut: int
    members: Ends
    ran: Ends
    kept: KeptEpochs | None
    fall: Trend | None
    rise: Trend | None
    mean: MeanCurves | None
    folds: list[TrainedFold]


def summarize_training(record: RunRecord) -> TrainingSummary | None:
    """Describe the losses of a cell's fits, or return None if no fold has any."""
    finished = [fold for fold in record.folds if fold.status == "ok"]
    told = [(fold, fold.losses) for fold in finished if fold.losses is not None]
    if not told:
        return None
    every = [losses for _, losses in told]
    held = [losses for losses in every if losses.held_out is not None]
    names = Counter(_name(losses) for losses in every)
    alike = len(names) == 1
    guesses = [losses.guessing for losses in every if losses.guessing is not None]
    return TrainingSummary(
        losses=names.most_common(),
        alike=alike,
        guessing=float(np.mean(guesses)) if alike and len(guesses) == len(every) else None,
        guess="equal odds for every class"
        if record.kind.is_classification
        else "the mean for every sample",
        schedule=[text for text in every[0].schedule if all(text in one.schedule for one in every)],
        n_folds=len(every),
        n_finished=len(finished),
        n_held=len(held),
        n_cut=sum(losses.cut_short for losses in every),
        members=_ends(len(losses.best_epoch) for losses in every),
        ran=_ends(len(losses.train) for losses in every),
        kept=_kept(held) if held else None,
        fall=_trend([one for one in every if one.held_out is None], _fall),
        rise=_trend(held, _rise),
        mean=MeanCurves(
            train=_mean([losses.train for losses in every]),
            held_out=_mean([losses.held_out for losses in held if losses.held_out is not None]),
        )
        if alike
        else None,
        folds=[_fold(fold, losses) for fold, losses in told],
    )


# ---------------------------------------------------------------- numbers


def _name(losses: LossCurves) -> str:
    altered = f", with {join_words(list(losses.altered))}" if losses.altered else ""
    return f"{losses.loss}{altered}"


def _ends(values: Iterable[int]) -> Ends:
    found = list(values)
    return min(found), max(found)


def _fold(fold: FoldResult, losses: LossCurves) -> TrainedFold:
    best = [epoch + 1 for epoch in losses.best_epoch]
    return TrainedFold(
        name=fold.name,
        held=losses.held_out is not None,
        train=losses.train,
        held_out=losses.held_out,
        n_epochs=len(losses.train),
        n_planned=losses.n_planned,
        epoch=float(np.mean(best)),
        first=min(best),
        last=max(best),
        loss=losses.best_loss,
        end=losses.train[-1],
    )


def _kept(held: Sequence[LossCurves]) -> KeptEpochs:
    epochs = [epoch + 1 for losses in held for epoch in losses.best_epoch]
    late = [
        epoch >= losses.n_planned - _tail(losses.n_planned)
        for losses in held
        for epoch in losses.best_epoch
    ]
    near, end, too_soon = np.transpose([_fell_on(losses) for losses in held])
    return KeptEpochs(
        mean=float(np.mean([np.mean(losses.best_epoch) + 1 for losses in held])),
        first=min(epochs),
        last=max(epochs),
        planned=_ends(losses.n_planned for losses in held),
        patience=_ends(losses.patience for losses in held),
        n_members=len(epochs),
        n_stopped=sum(losses.n_stopped for losses in held),
        n_late=sum(late),
        tail=max(_tail(losses.n_planned) for losses in held),
        near=float(near.mean()),
        end=float(end.mean()),
        n_too_soon=int(too_soon.sum()),
    )


def _fell_on(losses: LossCurves) -> tuple[float, float, bool]:
    """Return the held-out loss around the kept epoch and at the end, and whether it fell between.

    It is the mean of all members. The loss of the kept weights cannot be used: each member kept
    its own lowest one.
    """
    curve = losses.held_out
    assert curve is not None
    n_tail = _tail(len(curve))
    place = max(0, round(float(np.mean(losses.best_epoch))) - n_tail // 2)
    near = float(np.mean(curve[place : place + n_tail]))
    end = float(np.mean(curve[-n_tail:]))
    whole = curve[0] - min(curve)
    return near, end, near > end and near - end >= CHANGED * whole


def _tail(n_epochs: int) -> int:
    return max(1, round(TAIL * n_epochs))


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    """Average over the folds, as far as all of them go."""
    if not curves:
        return []
    shortest = min(map(len, curves))
    means: list[float] = np.mean([curve[:shortest] for curve in curves], axis=0).tolist()
    return means


@dataclass(frozen=True, kw_only=True)
class _End:
    """The end of one curve: whether it goes on as asked, and by how much."""

    goes_on: bool
    change: float
    whole: float
    epochs: int
    overfit: bool = False


def _trend(
    curves: Sequence[LossCurves], judge: Callable[[LossCurves], _End | None]
) -> Trend | None:
    """Judge the end of each fold's curve, or return None if none is long enough."""
    found = [judged for losses in curves if (judged := judge(losses)) is not None]
    if not found:
        return None
    return Trend(
        n=sum(one.goes_on for one in found),
        n_flat=sum(one.whole <= 0 for one in found),
        n_folds=len(found),
        epochs=_ends(one.epochs for one in found),
        change=float(np.mean([one.change for one in found])),
        whole=float(np.mean([one.whole for one in found])),
        n_overfit=sum(one.overfit for one in found),
    )


def _fall(losses: LossCurves) -> _End | None:
    """Compare the tail of a training loss with the part of equal length before it."""
    curve, n_tail = losses.train, _tail(len(losses.train))
    if len(curve) < max(FEWEST_EPOCHS, 2 * n_tail + 1):
        return None
    end = float(np.mean(curve[-n_tail:]))
    change = float(np.mean(curve[-2 * n_tail : -n_tail])) - end
    whole = curve[0] - end
    goes_on = whole > 0 and change >= FALLING * whole
    return _End(goes_on=goes_on, change=change, whole=whole, epochs=n_tail)


def _rise(losses: LossCurves) -> _End | None:
    """Compare the last with the first third of a held-out loss after its lowest point.

    Not with the lowest point itself: all others lie above it by chance alone.
    """
    assert losses.held_out is not None
    lowest = int(np.argmin(losses.held_out))
    after = losses.held_out[lowest + 1 :]
    if len(after) < FEWEST_EPOCHS:
        return None
    n_third = max(1, len(after) // 3)
    change = float(np.mean(after[-n_third:]) - np.mean(after[:n_third]))
    whole = losses.held_out[0] - losses.held_out[lowest]
    rises = change > 0 and change >= CHANGED * whole
    learned = losses.train[lowest + 1 :]
    return _End(
        goes_on=rises,
        overfit=rises and bool(np.mean(learned[-n_third:]) < np.mean(learned[:n_third])),
        change=change,
        whole=whole,
        epochs=len(after),
    )
