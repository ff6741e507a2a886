"""Shapley values of one cell, with evidence on how far to trust them. Frozen, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.results.evidence import Faithfulness, Interactions
from smalldata.results.folds import Array, Rows
from smalldata.results.notebook import html_table
from smalldata.results.record import cell_hash

N_LEADING = 20
"""How many features, by importance, count as leading."""

N_SHOWN = 10
"""Features that a notebook shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Shapley values of held-out rows, each explained by the model of a fold that never saw it.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features, n_outputs), float32
        n_outputs is 1 for binary and regression, else n_classes.
    base_values : ndarray of shape (n_rows, n_outputs)
        Mean of f over the background of the row's fold.
    row, repeat, fold : ndarray of shape (n_rows,)
    scale : str
        margin, log-odds, probability or value.
    outputs : tuple of str
        The class of each output (binary: the positive class; regression: the target).
    standard_errors : ndarray like values or None
        None if the values are exact.
    additivity_error : float
        Largest |sum of values + base value - f(x)|, in float64, over the scale of f.
    options : mapping
        The options of the explanation; their hash names the file.
    interactions : Interactions or None
        Of the leading features; None if not requested or the model has none.
    faithfulness : Faithfulness or None
        Effect on the scores of replacing the leading features.
    """

    values: NDArray[np.float32]
    base_values: Array
    row: Rows
    repeat: Rows
    fold: Rows
    feature_names: tuple[str, ...]
    scale: str
    outputs: tuple[str, ...]
    additivity_error: float
    standard_errors: NDArray[np.float32] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    interactions: Interactions | None = None
    faithfulness: Faithfulness | None = None

    @property
    def hash(self) -> str:
        """Ten hex digits of the options."""
        return cell_hash(self.options)

    @property
    def sampling_error(self) -> tuple[float, float | None] | None:
        """Typical standard error of the `N_LEADING` features, alone and over their mean size.

        This is the error of a sample's mean over its repeats, since each repeat is sampled
        independently. None if the values are exact.
        """
        if self.standard_errors is None:
            return None
        importance = np.abs(self.values).mean(axis=(0, 2), dtype=np.float64)
        leading = np.argsort(-importance, kind="stable")[:N_LEADING]
        n_repeats = np.bincount(self.row)[self.row]
        errors = self.standard_errors[:, leading]
        squares = np.square(errors, dtype=np.float64).mean(axis=(1, 2)) / n_repeats
        typical, size = float(np.sqrt(squares.mean())), float(importance[leading].mean())
        return typical, typical / size if size > 0 else None

    @property
    def null_hash(self) -> str:
        """Ten hex digits of the options that also apply to permuted labels."""
        kept = {key: self.options[key] for key in self.options if key not in _NOT_IN_NULL}
        return cell_hash(kept)

    @property
    def first_importances(self) -> Array:
        """Mean |value| over rows of the first explained repeat and outputs: (n_features,)."""
        values = np.abs(self.values[self.repeat == self.repeat.min()])
        return np.asarray(values.mean(axis=2, dtype=np.float64).mean(axis=0))

    def _repr_html_(self) -> str:
        """Show the leading features with their mean |Shapley value| in a notebook."""
        means = np.abs(self.values).mean(axis=0, dtype=np.float64)
        overall = means.mean(axis=1)
        leading = np.argsort(-overall, kind="stable")[:N_SHOWN]
        several = self.outputs if len(self.outputs) > 1 else ()
        rows = [
            [
                str(place),
                self.feature_names[feature],
                float(overall[feature]),
                *(means[feature].tolist() if several else ()),
            ]
            for place, feature in enumerate(leading, start=1)
        ]
        caption = (
            f"mean |Shapley value| ({self.scale}) of {len(np.unique(self.row))} held-out samples; "
            f"{len(leading)} of {len(overall)} features"
        )
        return html_table(caption, ["", "feature", "mean", *several], rows)


_NOT_IN_NULL = ("repeats", "interactions", "measure")
"""Options that do not change the importances in the first repeat of an explanation."""
