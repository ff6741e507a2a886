"""The keys of conf/ and the types of their values, for Hydra and in words.

Step in the line: **schema** -> config.
"""

from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


class Device(Enum):
    """Where models that can use a GPU are fitted."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class IntervalKind(Enum):
    """How the intervals of the table are made."""

    jackknife = "jackknife"
    nadeau_bengio = "nadeau_bengio"


@dataclass
class CvSchema:
    """The keys of conf/cv."""

    name: str = "auto"
    n_splits: int | None = None
    n_repeats: int | None = None
    test_share: float | None = None
    train_size: int | None = None


@dataclass
class PreprocessSchema:
    """The keys of conf/preprocess."""

    select: str = "none"
    k: int | None = None
    transform: str = "auto"
    space: dict[str, Any] = field(default_factory=dict)


@dataclass
class TuneSchema:
    """The keys of conf/tune; without tuning only the name is set."""

    name: str = "none"
    trials: int | None = None
    timeout: float | None = None
    inner_folds: int | None = None
    inner_repeats: int | None = None
    sampler: str | None = None
    storage: str | None = None
    pruner: str | None = None
    choose: str | None = None
    measure: str | None = None


@dataclass
class ExplainSchema:
    """The keys of conf/explain."""

    name: str = "shap"
    background: Any = None
    repeats: Any = None
    evaluations: int = 6_000
    rows: Any = None
    interactions: Any = 20
    quick: bool | None = None
    null: int = 0


@dataclass
class ModelSchema:
    """The keys of conf/model; the learner's own are checked by the learner."""

    name: str = "???"
    learner: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)
    trials: int | None = None
    needs: str | None = None


@dataclass
class SignatureSchema:
    """The keys of a signature; without one only the rule is set."""

    rule: str = "none"
    sizes: Any = None
    inner_folds: Any = None
    measure: str | None = None


@dataclass
class ThresholdSchema:
    """The keys of a threshold; without one only the rule, and perhaps the prevalence, is set."""

    rule: str = "none"
    at: float | None = None
    cost_ratio: float | None = None
    inner_folds: int | None = None
    prevalence: float | None = None


@dataclass
class ReportSchema:
    """What is written in addition to the pages."""

    figures: Any = None


@dataclass
class SweepSchema:
    """What a sweeper says about its trials; empty without a sweeper."""

    id: str | None = None
    trial: int | None = None
    command: str | None = None
    instead: str | None = None


@dataclass
class RunSchema:
    """The keys of conf/run.yaml; the loader checks the dataset's."""

    dataset: dict[str, Any] = field(default_factory=dict)
    model: ModelSchema = field(default_factory=ModelSchema)
    cv: CvSchema = field(default_factory=CvSchema)
    preprocess: PreprocessSchema = field(default_factory=PreprocessSchema)
    tune: TuneSchema = field(default_factory=TuneSchema)
    explain: ExplainSchema = field(default_factory=ExplainSchema)
    signature: SignatureSchema = field(default_factory=SignatureSchema)
    threshold: ThresholdSchema = field(default_factory=ThresholdSchema)
    report: ReportSchema = field(default_factory=ReportSchema)
    measure: str | None = None
    interval: IntervalKind = IntervalKind.jackknife
    objectives: list[str] | None = None
    seed: int = 0
    n_jobs: int | None = None
    device: Device = Device.auto
    checkpoint: str | None = None
    weights: bool = False
    permutations: int = 0
    outputs: str = "outputs"
    dry_run: bool = False
    sweep: SweepSchema = field(default_factory=SweepSchema)


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def describe_type(schema: Any, key: str) -> str | None:
    """Describe the values that a key takes; None if the schema does not say.

    Examples
    --------
    >>> describe_type(RunSchema, "dry_run")
    'true or false'
    >>> describe_type(RunSchema, "cv.n_splits")
    'a whole number or null'
    """
    kind = schema
    for word in key.split("."):
        kind = get_type_hints(kind).get(word) if is_dataclass(kind) else None
    several = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    words = [_in_words(one) for one in several if one is not type(None)]
    if len(words) != 1 or words[0] is None:
        return None
    return f"{words[0]} or null" if len(several) > 1 else words[0]


def _in_words(kind: Any) -> str | None:
    if get_origin(kind) is list:
        return "a list [A,B] of names"
    if isinstance(kind, type) and issubclass(kind, Enum):
        *first, last = [one.name for one in kind]
        return f"{', '.join(first)} or {last}"
    return _WORDS.get(kind)
