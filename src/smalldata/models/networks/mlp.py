"""Multilayer perceptron: a member-batched ensemble of small ones.

Learned column factors, input dropout, ``n_layers`` times (linear, rectifier, dropout), one linear
output; Kaiming initialisation. benchmarks/mlp_defaults/ and benchmarks/deep/ show what each
default is worth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smalldata.learner import CallableForm, FitJob, Traits
from smalldata.models.networks.plan import Plan
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class MLP:
    """Learner of an ensemble of multilayer perceptrons.

    Attributes
    ----------
    n_members : int
        Networks whose outputs are averaged.
    n_layers, width : int
        Hidden layers of each and their units.
    scale_rate : float
        How much faster a column's learned factor moves than a weight: high picks few columns.
    linear_path : {"values", "always", "never"}
        When a linear model of the columns is learned beside the hidden layers, 0 at the start:
        ``values`` in regressions only. Classes lose by it, some regressions gain.
    dropout_columns : int
        From so many columns on ``input_dropout`` applies whole, to fewer in proportion: where each
        column is one of few, dropping half of them hides what two do together.
    input_dropout, dropout : float
        Share of the columns, and of the hidden units, dropped in each step.
    noise_fades : {"values", "always", "never"}
        When dropout falls to nothing towards the end: it shrinks what is predicted, which costs a
        value its accuracy (collinear spectra most) and a ranking nothing; ``values`` fades it in
        regressions only.
    learning_rate, weight_decay, n_epochs, batch_size, clip_norm
        AdamW under a one-cycle schedule, see `Plan`.
    clip : float
        Scaled columns approach ±clip smoothly and never pass it.
    label_smoothing : float
        No effect in a regression.
    early_stopping : int
        Epochs without a better loss on a fifth of the training rows, another fifth for each
        member, after which it stops with its best weights; 0: never, and all rows are learned from.
    class_weight : {"none", "balanced"}
        No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(
        needs_scaling=True, needs_complete=True, uses_gpu=True, early_stops=True, sampled=True
    )
    n_members: Annotated[int, Range(low=1)]
    n_layers: Annotated[int, Range(low=1)]
    width: Annotated[int, Range(low=1)]
    scale_rate: Annotated[float, Range(low=0, above=True)]
    linear_path: Literal["values", "always", "never"]
    dropout_columns: Annotated[int, Range(low=1)]
    input_dropout: Annotated[float, Range(low=0, high=1, below=True)]
    dropout: Annotated[float, Range(low=0, high=1, below=True)]
    noise_fades: Literal["values", "always", "never"]
    learning_rate: Annotated[float, Range(low=0, above=True)]
    weight_decay: Annotated[float, Range(low=0)]
    n_epochs: Annotated[int, Range(low=1)]
    batch_size: Annotated[int, Range(low=1)]
    clip_norm: Annotated[float, Range(low=0, above=True)]
    clip: Annotated[float, Range(low=0, above=True)]
    label_smoothing: Annotated[float, Range(low=0, high=1, below=True)]
    early_stopping: Annotated[int, Range(low=0)]
    class_weight: ClassWeight

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws weights, order, masks and held-out rows."""
        if self.linear_path == "values":
            known = replace(
                self, linear_path="always" if info.kind is TaskKind.REGRESSION else "never"
            )
            return known.build(info, seed=seed, device=device)
        from smalldata.models.networks.estimator import NetworkClassifier, NetworkRegressor

        plan = self.plan(info.kind)
        if info.kind is TaskKind.REGRESSION:
            return NetworkRegressor(architecture=self, plan=plan, seed=seed, device=device)
        return NetworkClassifier(
            n_classes=info.n_classes, architecture=self, plan=plan, seed=seed, device=device
        )

    def fit_many(self, jobs: Sequence[FitJob], *, device: str) -> list[Any]:
        """Fit several training sets of one outer fold, those of one shape as one network."""
        from smalldata.models.networks.estimator import fit_together

        estimators = [self.build(job.info, seed=job.seed, device=device) for job in jobs]
        fit_together(estimators, jobs)
        return estimators

    def plan(self, kind: TaskKind) -> Plan:
        """Return what the training loop needs to know."""
        return Plan(
            n_members=self.n_members,
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            noise_fades=self.noise_fades == "always"
            or (self.noise_fades == "values" and kind is TaskKind.REGRESSION),
            clip=self.clip,
            label_smoothing=self.label_smoothing,
            early_stopping=self.early_stopping,
            class_weight=self.class_weight,
        )

    def network(
        self, n_columns: int, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; every random number comes from their generators."""
        from torch import nn

        from smalldata.models.networks.layers import Beside, MemberDropout, MemberLinear

        dropped = self.input_dropout * min(1.0, n_columns / self.dropout_columns)
        layers: list[nn.Module] = []
        n_in = n_columns
        for index in range(self.n_layers):
            layers += [
                MemberLinear(
                    n_in,
                    self.width,
                    generators=generators,
                    gain=math.sqrt(2.0),
                    scale_rate=self.scale_rate if index == 0 else None,
                ),
                nn.ReLU(),
                MemberDropout(self.dropout),
            ]
            n_in = self.width
        layers.append(MemberLinear(n_in, n_outputs, generators=generators, gain=1.0))
        if self.linear_path != "always":  # ``build`` has settled what "values" means
            return nn.Sequential(MemberDropout(dropped), *layers)
        path = MemberLinear(
            n_columns, n_outputs, generators=generators, gain=1.0, scale_rate=self.scale_rate
        )
        nn.init.zeros_(path.weight)
        return nn.Sequential(MemberDropout(dropped), Beside(nn.Sequential(*layers), path))

    def scale(self, kind: TaskKind) -> str:
        """Log-odds, or value."""
        return "log-odds" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> CallableForm:
        """Return the ensemble's mean output as a function; log-odds of several classes centred."""
        return CallableForm(function=fitted.margins, gradient=fitted.gradients)
