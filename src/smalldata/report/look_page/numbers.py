"""How a table was read, in plain numbers.

Step in the line: Dataset -> **LookNumbers** -> figures, page, screen.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.findings import Finding
from smalldata.pipeline.limits import without_limits
from smalldata.report.sections.task import TargetValues
from smalldata.task import Dataset, Dropped, Provenance, TaskKind

N_FIRST_ROWS, N_FIRST_COLUMNS = 6, 8
"""Of the table, shown as it was read."""

N_GAPPY = 30
"""Features with most missing values that are drawn."""

N_POINTS = 2000
"""Samples that are drawn; of more, evenly chosen ones."""


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """A class, its samples, and the share of their values that are missing."""

    name: str
    n: int
    missing: float


@dataclass(frozen=True, kw_only=True)
class BlockCount:
    """A block: features, how many hold numbers, what is missing, also in each class."""

    name: str
    n: int
    n_numeric: int
    missing: float
    missing_by_class: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Groups or batches: how many, the largest of them, and the samples of each class in them.

    ``counts`` has one row for each of ``names`` and one column for each class.
    """

    n: int
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Samples on the first two principal components of the numbers, each scaled to variance 1.

    ``rows`` are positions of samples, ``shares`` the shares of the variance.
    """

    rows: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    shares: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class GappyFeature:
    """A feature with missing values: their share in all samples and in each class."""

    name: str
    missing: float
    by_class: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LookNumbers:
    """How a table was read.

    Attributes
    ----------
    name : str
        Of the dataset.
    taken_for : tuple of str
        What each file was taken for.
    messages : tuple of str
        What was inferred.
    n_samples, n_features : int
    ids : tuple of str
        The first sample ids.
    target : str
    kind : str
    positive : str or None
    classes : tuple of ClassCount
        Empty for a numeric target.
    target_values : TargetValues or None
        Of a numeric target.
    blocks : tuple of BlockCount
    n_numeric, n_categorical : int
        Features by type.
    groups, batch, folds : Labels or None
    units : mapping of str to str
        By feature, where the files say them.
    missing : float
        Share of all values.
    gappy : tuple of GappyFeature
        The features with most missing values.
    n_gappy : int
        Features with any missing value.
    dropped : tuple of Dropped
    header : tuple of str
        Of the first rows: the id, the target, the first features.
    first_rows : tuple of tuple of str
    findings : tuple of Finding
    settings : mapping
        Keys of ``dataset`` that fix the reading.
    principal : Principal or None
        None where fewer than two features hold numbers that vary.
    sample_ids, labels : tuple of str
        Of all samples: ids, and classes or values of the target.
    """

    name: str
    taken_for: tuple[str, ...]
    messages: tuple[str, ...]
    n_samples: int
    n_features: int
    ids: tuple[str, ...]
    target: str
    kind: str
    positive: str | None
    classes: tuple[ClassCount, ...]
    target_values: TargetValues | None
    blocks: tuple[BlockCount, ...]
    n_numeric: int
    n_categorical: int
    groups: Labels | None
    batch: Labels | None
    folds: Labels | None
    units: Mapping[str, str]
    missing: float
    gappy: tuple[GappyFeature, ...]
    n_gappy: int
    dropped: tuple[Dropped, ...]
    header: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]
    settings: Mapping[str, Any]
    principal: Principal | None
    sample_ids: tuple[str, ...]
    labels: tuple[str, ...]


def read_numbers(dataset: Dataset) -> dict[str, Any]:
    """Give the attributes of `LookNumbers` for a dataset."""
    is_regression = dataset.kind is TaskKind.REGRESSION
    labels = [_text(value) for value in dataset.y]
    names = [] if is_regression else _class_names(labels, dataset.positive)
    codes = np.array([names.index(label) for label in labels] if names else [0] * len(labels))
    absent = dataset.X.isna().to_numpy()
    by_class = [absent[codes == code].mean(axis=0) for code in range(len(names))]
    share = absent.mean(axis=0)
    is_numeric = np.array([not isinstance(d, pd.CategoricalDtype) for d in dataset.X.dtypes])
    block_of = np.array(dataset.feature_blocks, dtype=object)
    order = [int(place) for place in np.argsort(-share, kind="stable") if share[place] > 0]
    values = dataset.y.astype(np.float64) if is_regression else None
    shown = without_limits(dataset.X, dataset.below)
    return {
        "name": dataset.name,
        "taken_for": dataset.reading.taken_for or _source(dataset.provenance),
        "messages": dataset.messages,
        "n_samples": len(dataset.X),
        "n_features": dataset.X.shape[1],
        "ids": tuple(str(entry) for entry in dataset.sample_ids[:N_FIRST_ROWS]),
        "target": dataset.target,
        "kind": str(dataset.kind),
        "positive": dataset.positive,
        "classes": tuple(
            ClassCount(name=name, n=int((codes == code).sum()), missing=_mean(by_class[code]))
            for code, name in enumerate(names)
        ),
        "target_values": None
        if values is None
        else TargetValues(
            mean=float(values.mean()),
            sd=float(values.std(ddof=1)),
            low=float(values.min()),
            high=float(values.max()),
        ),
        "blocks": tuple(
            BlockCount(
                name=block,
                n=int((block_of == block).sum()),
                n_numeric=int(is_numeric[block_of == block].sum()),
                missing=_mean(share[block_of == block]),
                missing_by_class=tuple(_mean(part[block_of == block]) for part in by_class),
            )
            for block in dataset.block_names
        ),
        "n_numeric": int(is_numeric.sum()),
        "n_categorical": int((~is_numeric).sum()),
        "groups": _labels(dataset.groups, codes, len(names)),
        "batch": _labels(dataset.batch, codes, len(names)),
        "folds": _labels(dataset.folds, codes, len(names)),
        "units": dataset.reading.units,
        "missing": _mean(share),
        "gappy": tuple(
            GappyFeature(
                name=dataset.feature_names[place],
                missing=float(share[place]),
                by_class=tuple(float(part[place]) for part in by_class),
            )
            for place in order[:N_GAPPY]
        ),
        "n_gappy": len(order),
        "dropped": dataset.reading.dropped,
        **_first_rows(dataset),
        "findings": tuple(
            sorted(dataset.findings, key=lambda entry: (entry.level != "warning", entry.code))
        ),
        "settings": dataset.reading.settings,
        "principal": _principal(shown.loc[:, is_numeric].to_numpy(dtype=np.float64)),
        "sample_ids": tuple(str(entry) for entry in dataset.sample_ids),
        "labels": tuple(labels),
    }


def _source(provenance: Provenance) -> tuple[str, ...]:
    """Name what was read where the reader does not say what it was taken for."""
    what = ": a bundled table" if provenance.source.startswith("data/") else ""
    return (f"{provenance.source}{what}",) if provenance.source else ()


def _class_names(labels: list[str], positive: str | None) -> list[str]:
    """Name the classes, the positive one last as in a task."""
    return sorted(set(labels), key=lambda name: (name == positive, name))


def _labels(
    entries: NDArray[Any] | None, codes: NDArray[np.intp], n_classes: int, most: int = 12
) -> Labels | None:
    if entries is None:
        return None
    counted = Counter(str(entry) for entry in entries).most_common()
    texts = np.array([str(entry) for entry in entries], dtype=object)
    return Labels(
        n=len(counted),
        names=tuple(name for name, _ in counted[:most]),
        sizes=tuple(n for _, n in counted),
        counts=tuple(
            tuple(int(((texts == name) & (codes == code)).sum()) for code in range(n_classes))
            for name, _ in counted[:most]
        ),
    )


def _first_rows(dataset: Dataset) -> dict[str, Any]:
    shown = dataset.X.iloc[:N_FIRST_ROWS, :N_FIRST_COLUMNS]
    rows = []
    for row in range(len(shown)):
        cells = [_text(shown.iat[row, place]) for place in range(shown.shape[1])]
        rows.append((str(dataset.sample_ids[row]), _text(dataset.y[row]), *cells))
    return {"header": ("id", dataset.target, *shown.columns), "first_rows": tuple(rows)}


def _principal(values: NDArray[np.float64]) -> Principal | None:
    """Project the samples on two components; missing values are the mean of their feature.

    Eigenvectors of the matrix of samples by samples, which is small however many features there are
    (Jolliffe 2002, Principal Component Analysis, section 3.5).
    """
    step = -(-len(values) // N_POINTS)
    rows = np.arange(0, len(values), max(1, step))
    chosen = values[rows]
    gram = np.zeros((len(rows), len(rows)))
    n_varying = 0
    for start in range(0, chosen.shape[1], 4096):
        part = chosen[:, start : start + 4096]
        part = part[:, ~np.isnan(part).all(axis=0)]
        part = part - np.nanmean(part, axis=0)
        part = np.where(np.isnan(part), 0.0, part)
        spread = np.sqrt((part**2).mean(axis=0))
        kept = np.isfinite(spread) & (spread > 0)
        part = part[:, kept] / spread[kept]
        gram += part @ part.T
        n_varying += int(kept.sum())
    if n_varying < 2 or len(rows) < 3:
        return None
    sizes, vectors = np.linalg.eigh(gram)
    total = float(np.trace(gram))
    first, second = vectors[:, -1], vectors[:, -2]
    root = np.sqrt(len(rows))
    # The sign of a component is arbitrary: the largest entry is made positive.
    x, y = (root * part * np.sign(part[np.abs(part).argmax()]) for part in (first, second))
    return Principal(
        rows=tuple(int(row) for row in rows),
        x=tuple(float(f"{value:.4g}") for value in x),
        y=tuple(float(f"{value:.4g}") for value in y),
        shares=(float(sizes[-1]) / total, float(max(sizes[-2], 0.0)) / total),
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _text(value: Any) -> str:
    """Write a cell as it was read: a missing one is empty."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or np.isnan(value):
        return ""
    if np.isinf(value):
        return "below limit" if value < 0 else "above limit"
    return f"{float(value):.6g}"
