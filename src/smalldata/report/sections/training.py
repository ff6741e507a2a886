"""How the fits of one cell were trained, in plain numbers.

Step in the line: RunRecord -> **plain dict** -> figures -> HTML. A cell whose model tells no losses
has none of it. What a single curve is judged by is named here.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from smalldata.report.plain import join_words
from smalldata.results.folds import FoldResult
from smalldata.results.loss_curves import LossCurves
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain

TAIL = 0.1
"""Share of the epochs that is looked at where the end of a curve is judged, at least one."""

FEWEST_EPOCHS = 4
"""Shorter stretches of a curve are not judged."""

FALLING = 0.02
"""Share of its whole fall by which the training loss must fall in its tail to be still falling."""

CHANGED = 0.05
"""Share of its whole fall by which a held-out loss must rise, or fall again, to be said to."""


def summarize_training(record: RunRecord) -> dict[str, Any] | None:
    """Describe the losses of a cell's fits; None where no fold has any.

    Parameters
    ----------
    record : RunRecord

    Returns
    -------
    dict
        ``losses`` (what was minimised, with the folds), ``alike`` (whether that was one loss),
        ``guessing`` and ``guess`` (what that is), ``schedule``, ``n_folds``, ``n_finished``,
        ``n_held`` (folds that held rows out), ``n_cut`` (that something else than patience ended),
        ``members`` and ``ran`` (lowest and highest), ``kept`` (of folds that held rows out),
        ``trend``, ``mean`` (curves over the folds, or None), ``folds``.
    """
    finished = [fold for fold in record.folds if fold.status == "ok"]
    told = [(fold, fold.losses) for fold in finished if fold.losses is not None]
    if not told:
        return None
    every = [losses for _, losses in told]
    held = [losses for losses in every if losses.held_out is not None]
    names = Counter(_name(losses) for losses in every)
    alike = len(names) == 1
    guesses = [losses.guessing for losses in every if losses.guessing is not None]
    summary = {
        "losses": [{"name": name, "n": n} for name, n in names.most_common()],
        "alike": alike,
        "guessing": float(np.mean(guesses)) if alike and len(guesses) == len(every) else None,
        "guess": "equal odds for every class"
        if record.kind.is_classification
        else "the mean for every sample",
        "schedule": [
            text for text in every[0].schedule if all(text in one.schedule for one in every)
        ],
        "n_folds": len(every),
        "n_finished": len(finished),
        "n_held": len(held),
        "n_cut": sum(losses.cut_short for losses in every),
        "members": _ends(len(losses.best_epoch) for losses in every),
        "ran": _ends(len(losses.train) for losses in every),
        "kept": _kept(held) if held else None,
        "trend": {
            "train": _trend([one for one in every if one.held_out is None], _fall),
            "held_out": _trend(held, _rise),
        },
        "mean": {
            "train": _mean([losses.train for losses in every]),
            "held_out": _mean([losses.held_out for losses in held if losses.held_out is not None]),
        }
        if alike
        else None,
        "folds": [_fold(fold, losses) for fold, losses in told],
    }
    described: dict[str, Any] = strict_plain(summary)
    return described


# ---------------------------------------------------------------- numbers


def _name(losses: LossCurves) -> str:
    altered = f", with {join_words(list(losses.altered))}" if losses.altered else ""
    return f"{losses.loss}{altered}"


def _ends(values: Any) -> list[int]:
    found = list(values)
    return [min(found), max(found)]


def _fold(fold: FoldResult, losses: LossCurves) -> dict[str, Any]:
    best = [epoch + 1 for epoch in losses.best_epoch]
    return {
        "name": fold.name,
        "held": losses.held_out is not None,
        "train": losses.train,
        "held_out": losses.held_out,
        "n_epochs": len(losses.train),
        "n_planned": losses.n_planned,
        "epoch": float(np.mean(best)),
        "first": min(best),
        "last": max(best),
        "loss": losses.best_loss,
        "end": losses.train[-1],
    }


def _kept(held: Sequence[LossCurves]) -> dict[str, Any]:
    """Which epochs the members kept that watched held-out rows, counted from 1."""
    epochs = [epoch + 1 for losses in held for epoch in losses.best_epoch]
    late = [
        epoch >= losses.n_planned - _tail(losses.n_planned)
        for losses in held
        for epoch in losses.best_epoch
    ]
    near, end, too_soon = np.transpose([_fell_on(losses) for losses in held])
    return {
        "mean": float(np.mean([np.mean(losses.best_epoch) + 1 for losses in held])),
        "first": min(epochs),
        "last": max(epochs),
        "planned": _ends(losses.n_planned for losses in held),
        "patience": _ends(losses.patience for losses in held),
        "n_members": len(epochs),
        "n_stopped": sum(losses.n_stopped for losses in held),
        "n_late": sum(late),
        "tail": max(_tail(losses.n_planned) for losses in held),
        "near": float(near.mean()),
        "end": float(end.mean()),
        "n_too_soon": int(too_soon.sum()),
    }


def _fell_on(losses: LossCurves) -> tuple[float, float, bool]:
    """Held-out loss, mean of all members, around the epoch kept and at the end; if it fell between.

    The loss of the weights kept is no measure of that: each member's is the lowest of its own.
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
    """Mean over the folds, as far as all of them go."""
    if not curves:
        return []
    shortest = min(map(len, curves))
    means: list[float] = np.mean([curve[:shortest] for curve in curves], axis=0).tolist()
    return means


def _trend(
    curves: Sequence[LossCurves], judge: Callable[[LossCurves], dict[str, Any] | None]
) -> dict[str, Any] | None:
    """Judge the end of each fold's curve; None where none is long enough."""
    found = [judged for losses in curves if (judged := judge(losses)) is not None]
    if not found:
        return None
    return {
        "n": sum(one["is"] for one in found),
        "n_flat": sum(one["whole"] <= 0 for one in found),
        "n_folds": len(found),
        "epochs": _ends(one["epochs"] for one in found),
        "change": float(np.mean([one["change"] for one in found])),
        "whole": float(np.mean([one["whole"] for one in found])),
        "n_overfit": sum(one.get("overfit", False) for one in found),
    }


def _fall(losses: LossCurves) -> dict[str, Any] | None:
    """Set the tail of a training loss beside the stretch of equal length before it."""
    curve, n_tail = losses.train, _tail(len(losses.train))
    if len(curve) < max(FEWEST_EPOCHS, 2 * n_tail + 1):
        return None
    end = float(np.mean(curve[-n_tail:]))
    change = float(np.mean(curve[-2 * n_tail : -n_tail])) - end
    whole = curve[0] - end
    return {
        "is": whole > 0 and change >= FALLING * whole,
        "change": change,
        "whole": whole,
        "epochs": n_tail,
    }


def _rise(losses: LossCurves) -> dict[str, Any] | None:
    """Set the last third of a held-out loss after its lowest point beside the first third.

    Not beside the lowest point itself, above which all others lie by chance alone.
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
    return {
        "is": rises,
        "overfit": rises and np.mean(learned[-n_third:]) < np.mean(learned[:n_third]),
        "change": change,
        "whole": whole,
        "epochs": len(after),
    }
