"""The figure of the training: losses by epoch, fold by fold, and the epoch that was kept.

Step in the line: TrainingSummary -> **figures** -> HTML.
"""

from collections.abc import Sequence

from smalldata.report.figures.grammar import (
    BLUE,
    ORANGE,
    Figures,
    Spec,
    data,
    dataset,
    figure,
    legend_columns,
    no_figures,
    quantitative,
    tooltip,
)
from smalldata.report.plain import round_significant
from smalldata.report.sections.training import TrainingSummary

MOST_FOLDS = 50
"""Most thin lines drawn; if there are more folds, the first ones."""

MOST_EPOCHS = 150
"""Most points of a line; if there are more epochs, every second, third … one, and the last."""

SAMPLES = {"train": "samples trained on", "held": "samples held out"}
"""What the two losses are measured on, in legend and tooltip."""


def training_figures(training: TrainingSummary | None) -> Figures:
    """Draw how the fits of a cell were trained; nothing if no losses are known."""
    page = no_figures()
    if training is None:
        return page
    folds = training.folds[:MOST_FOLDS]
    held = bool(training.n_held)
    labels = {"train": "Training loss", "held": "Held-out loss" if held else ""}
    page["params"]["loss_names"] = [fold.name for fold in folds]
    page["datasets"]["losses"] = dataset(
        [
            {"o": o, **point}
            for o, fold in enumerate(folds)
            for point in _points(fold.train, fold.held_out)
        ],
        {"o": "Fold", "epoch": "Epoch", **labels},
        lookups={"o": "loss_names"},
    )
    page["datasets"]["losses_kept"] = dataset(
        [
            {
                "o": o,
                "epoch": round(fold.epoch, 2),
                "loss": round_significant(fold.loss),
                "which": "held" if fold.held else "train",
            }
            for o, fold in enumerate(folds)
        ],
        {"o": "Fold", "epoch": "Epoch kept", "loss": "Its loss", "which": ""},
        lookups={"o": "loss_names"},
    )
    mean = training.mean if training.n_folds > 1 else None
    faint = mean is not None
    lines = [_lines(width=1.0 if faint else 2.5 if training.n_folds == 1 else 1.5, faint=faint)]
    names = ["losses_kept"]
    if training.guessing is not None:
        page["datasets"]["losses_guess"] = dataset(
            [{"loss": round_significant(training.guessing)}], {"loss": "Loss of guessing"}
        )
        lines.insert(0, _rule("losses_guess", "y", "loss"))
        names.append("losses_guess")
    if training.kept is not None and training.n_held > 1:
        page["datasets"]["losses_stop"] = dataset(
            [{"epoch": round(training.kept.mean, 2)}], {"epoch": "Epoch kept, mean of folds"}
        )
        lines.insert(0, _rule("losses_stop", "x", "epoch"))
        names.append("losses_stop")
    if mean is not None:
        page["datasets"]["losses_mean"] = dataset(
            _points(mean.train, mean.held_out or None), {"epoch": "Epoch", **labels}
        )
        lines.append(_means())
        names.append("losses_mean")
    lines.append(_kept())
    page["figures"].append(
        figure(
            "losses",
            "Loss over the epochs",
            {"height": 320, "layer": [_placed(layer, training) for layer in lines]},
            table="losses",
            datasets=names,
            params=["loss_names"],
            caption=_caption(training, n_drawn=len(folds), has_mean=mean is not None),
        )
    )
    return page


def _points(
    train: Sequence[float], held_out: Sequence[float] | None
) -> list[dict[str, float | None]]:
    """List the losses of a line, with epochs counted from 1; long lines are thinned."""
    step = -(-len(train) // MOST_EPOCHS)
    shown = [*range(0, len(train) - 1, step), len(train) - 1]
    return [
        {
            "epoch": epoch + 1,
            "train": round_significant(train[epoch]),
            "held": round_significant(held_out[epoch])
            if held_out is not None and epoch < len(held_out)
            else None,
        }
        for epoch in shown
    ]


# ---------------------------------------------------------------- layers

_FOLDED: list[Spec] = [
    {"fold": ["train", "held"], "as": ["which", "loss"]},
    {"filter": "isValid(datum.loss)"},
]
"""One row per loss instead of one column."""

_NAMED: Spec = {
    "calculate": f"datum.which == 'held' ? '{SAMPLES['held']}' : '{SAMPLES['train']}'",
    "as": "name",
}


def _colour(*, held: bool) -> Spec:
    return {
        "field": "which",
        "type": "nominal",
        "scale": {"domain": ["train", "held"], "range": [BLUE, ORANGE]},
        "legend": {
            "title": None,
            "symbolType": "stroke",
            "labelExpr": f"datum.value == 'held' ? '{SAMPLES['held']}' : '{SAMPLES['train']}'",
            "values": ["train", "held"] if held else ["train"],
            "columns": legend_columns([*SAMPLES.values()]),
        },
    }


def _lines(*, width: float, faint: bool) -> Spec:
    """Draw a line per fold and loss."""
    return {
        "data": data("losses"),
        "transform": _FOLDED,
        "mark": {"type": "line", "strokeWidth": width, "opacity": 0.3 if faint else 0.8},
        "encoding": {"detail": {"field": "o", "type": "nominal"}},
    }


def _means() -> Spec:
    """Draw the means over the folds, with a point to hover at each epoch."""
    return {
        "data": data("losses_mean"),
        "transform": [*_FOLDED, _NAMED],
        "mark": {"type": "line", "strokeWidth": 2.5, "point": "transparent"},
        "encoding": {
            "tooltip": tooltip(
                ("name", "Loss of", "text"), ("epoch", "Epoch", "d"), ("loss", "Mean", ".3~r")
            )
        },
    }


def _kept() -> Spec:
    """Draw the epoch whose weights each fold kept."""
    return {
        "data": data("losses_kept"),
        "transform": [_NAMED, {"calculate": "loss_names[datum.o]", "as": "fold"}],
        "mark": {"type": "point", "size": 45, "opacity": 1},
        "encoding": {
            "tooltip": tooltip(
                ("fold", "Fold", "text"),
                ("epoch", "Epoch kept", ".3~r"),
                ("loss", "Its loss", ".3~r"),
                ("name", "Of", "text"),
            )
        },
    }


def _rule(name: str, axis: str, field: str) -> Spec:
    return {
        "data": data(name),
        "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6, "strokeWidth": 1.2},
        "encoding": {axis: {"field": field}},
    }


def _placed(layer: Spec, training: TrainingSummary) -> Spec:
    """Give a layer the axes that all layers share."""
    most = max(fold.n_epochs for fold in training.folds)
    x = quantitative(
        "epoch",
        "Epoch",
        scale={"domain": [1, max(2, most)], "nice": False},
        axis={"tickMinStep": 1, "grid": False, "format": "d"},
    )
    y = quantitative("loss", "Loss")
    own = layer["encoding"]
    if layer["mark"]["type"] == "rule":
        return layer | {"encoding": {"x": x} if "x" in own else {"y": y}}
    shared = {"x": x, "y": y, "color": _colour(held=bool(training.n_held))}
    return layer | {"encoding": shared | own}


# ---------------------------------------------------------------- words


def _caption(training: TrainingSummary, *, n_drawn: int, has_mean: bool) -> str:
    n_folds, n_held = training.n_folds, training.n_held
    said = [
        "Blue: loss of the samples trained on, averaged over the steps of an epoch, including the "
        "noise that training adds (dropout)."
    ]
    if n_held:
        said.append(
            "Orange: loss of training samples held out, at the end of an epoch and without noise. "
            "Compare the course of the two, not their heights."
        )
    if n_folds > 1:
        which = (
            "one per fold" if n_drawn == n_folds else f"one for each of the first {n_drawn} folds"
        )
        far = "" if training.ran[0] == training.ran[1] else ", as far as all of them go"
        said.append(
            f"Thin lines: {which}; thick: the mean of the folds{far}."
            if has_mean
            else f"Lines: {which}."
        )
    if not n_held:
        said.append("Dots: the weights of the last epoch, which were kept.")
    else:
        rest = "" if n_held == n_folds else " Without held-out samples it is the last epoch."
        upright = " Vertical dashes: the mean of these epochs over the folds." if n_held > 1 else ""
        said.append(
            "Dots: the epoch whose weights were kept, and its loss, averaged over the members of a "
            "fold. Each member keeps its own best epoch, so the dots lie below the lines."
            f"{rest}{upright}"
        )
    if training.guessing is not None:
        said.append(f"Horizontal dashes: {training.guess}.")
    return " ".join(said)
