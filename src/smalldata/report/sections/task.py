"""The data of a task in plain numbers, and the question put to it.

Step in the line: Task -> **TaskFacts** -> words -> HTML.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from smalldata.task import Task, TaskKind


@dataclass(frozen=True, kw_only=True)
class ClassSize:
    """A class with its number and its share of the samples.

    ``n_groups`` is the number of groups that hold it, if the samples come in groups.
    """

    name: str
    n: int
    share: float
    n_groups: int | None = None


@dataclass(frozen=True, kw_only=True)
class BlockSize:
    """A block with its number of features."""

    name: str
    n: int


@dataclass(frozen=True, kw_only=True)
class TargetValues:
    """Mean, standard deviation and range of a numeric target."""

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """The data and the question put to it.

    Attributes
    ----------
    kind : str
        Value of a `TaskKind`.
    target_values : TargetValues or None
        Of a regression.
    classes : list of ClassSize
        Empty for a regression.
    positive : str or None
        Name of the positive class of a binary task.
    missing : float
        Share of the values that are missing.
    constant : list of str
        Features with the same value in every sample.
    censored : list of (str, float)
        Features with values below a limit of detection and their share, the largest first.
    censored_by_class : list of (str, float)
        That share over these features together, by class.
    n_groups : int or None
    messages : list of str
        What was inferred, and findings that are just told.
    warnings : list of str
        Findings that the user should look at.
    provenance : list of (label, text)
    units : dict of str to str
        Unit of a feature, where its file says it.
    """

    kind: str
    target: str
    target_values: TargetValues | None
    classes: list[ClassSize]
    positive: str | None
    n_samples: int
    n_features: int
    blocks: list[BlockSize]
    missing: float
    constant: list[str]
    censored: list[tuple[str, float]]
    censored_by_class: list[tuple[str, float]]
    n_groups: int | None
    messages: list[str]
    warnings: list[str]
    provenance: list[tuple[str, str]]
    units: dict[str, str] = field(default_factory=dict)


def summarize_task(task: Task) -> TaskFacts:
    """Describe the data and the question put to it."""
    dataset = task.dataset
    groups = None if task.groups is None else task.groups.astype(str)
    classes = []
    if task.kind.is_classification:
        counts = np.bincount(task.y, minlength=len(task.classes))
        classes = [
            ClassSize(
                name=name,
                n=int(n),
                share=float(n / task.n_samples),
                n_groups=None if groups is None else len(np.unique(groups[task.y == code])),
            )
            for code, (name, n) in enumerate(zip(task.classes, counts, strict=True))
        ]
    provenance = dataset.provenance
    target = None
    if task.kind is TaskKind.REGRESSION:
        target = TargetValues(
            mean=float(np.mean(task.y)),
            sd=float(np.std(task.y, ddof=1)),
            low=float(np.min(task.y)),
            high=float(np.max(task.y)),
        )
    return TaskFacts(
        kind=str(task.kind),
        target=dataset.target,
        target_values=target,
        classes=classes,
        positive=task.positive,
        n_samples=task.n_samples,
        n_features=task.n_features,
        blocks=[
            BlockSize(name=str(name), n=n) for name, n in Counter(dataset.feature_blocks).items()
        ],
        missing=float(task.X.isna().to_numpy().mean()) if task.n_features else 0.0,
        constant=list(dataset.constant_features),
        censored=sorted(dataset.reading.censored.items(), key=lambda entry: -entry[1]),
        censored_by_class=list(dataset.reading.censored_by_class.items()),
        n_groups=None if groups is None else len(np.unique(groups)),
        messages=[
            *dataset.messages,
            *(str(entry) for entry in dataset.findings if entry.level == "note"),
        ],
        warnings=[str(text) for text in dataset.warnings],
        provenance=[
            (label, text)
            for label, text in (
                ("Source", provenance.source),
                ("Citation", provenance.citation),
                ("Licence", provenance.licence),
                ("SHA-256 of the file", provenance.sha256),
                ("Fingerprint of the table", task.content_key),
                ("Fingerprint of ids, target and groups", task.split_key),
            )
            if text
        ],
        units={name: unit for name, unit in dataset.reading.units.items() if name in task.X},
    )
