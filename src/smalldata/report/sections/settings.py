"""What one cell was run with, as text.

Step in the line: RunRecord -> **Settings** -> HTML.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from smalldata.report.plain import flatten
from smalldata.results.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the cell was run with, as pairs of name and text."""

    hyperparameters: list[tuple[str, str]]
    identity: list[tuple[str, str]]
    environment: list[tuple[str, str]]


def summarize_settings(record: RunRecord) -> Settings:
    """List what the cell was run with; tuned values as their range or list."""
    values: dict[str, list[Any]] = {}
    for fold in record.folds:
        for key, value in fold.values.items():
            values.setdefault(key, []).append(value)
    hyperparameters = []
    for key, given in values.items():
        distinct = list(dict.fromkeys(str(value) for value in given))
        if len(distinct) == 1:
            text = distinct[0]
        elif all(isinstance(value, int | float) for value in given):
            median = f"median {np.median(given):g}"
            text = f"{min(given):g} to {max(given):g}, {median} (chosen in each fold)"
        else:
            counts = Counter(str(value) for value in given)
            text = ", ".join(f"{name} ({n} folds)" for name, n in counts.most_common())
        hyperparameters.append((key, text))
    if record.transform:
        hyperparameters.append(("preprocess.transform=auto", record.transform))
    return Settings(
        hyperparameters=hyperparameters,
        identity=flatten(record.identity),
        environment=flatten(record.environment),
    )
