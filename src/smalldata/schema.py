"""The keys of conf/ and the types of their values, as Hydra composes them.

Step in the line: **schema** -> config.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Device(Enum):
    """Where models that can use a GPU are fitted."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


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
    transform: str = "none"


@dataclass
class TuneSchema:
    """The keys of conf/tune; none but the name without tuning."""

    name: str = "none"
    trials: int | None = None
    timeout: float | None = None
    inner_folds: int | None = None
    inner_repeats: int | None = None
    sampler: str | None = None
    storage: str | None = None
    pruner: str | None = None
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
    """The keys of a signature; none but the rule without one."""

    rule: str = "none"
    sizes: Any = None
    inner_folds: Any = None
    measure: str | None = None


@dataclass
class ReportSchema:
    """What is written beside the pages."""

    figures: Any = None


@dataclass
class SweepSchema:
    """What a sweeper says of its trials; nothing without one."""

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
    report: ReportSchema = field(default_factory=ReportSchema)
    measure: str | None = None
    objectives: list[str] | None = None
    seed: int = 0
    n_jobs: int | None = None
    device: Device = Device.auto
    checkpoint: str | None = None
    weights: bool = False
    outputs: str = "outputs"
    dry_run: bool = False
    sweep: SweepSchema = field(default_factory=SweepSchema)
