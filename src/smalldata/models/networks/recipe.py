"""The learner of every network: the interface of a model on top of the shared settings.

Step in the line: yaml -> **learner** -> estimator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from smalldata.learner import CallableForm, FitJob, Traits
from smalldata.models.networks.estimator import Ensemble, NetworkClassifier, NetworkRegressor
from smalldata.models.networks.settings import Settings
from smalldata.task import TaskInfo, TaskKind


@dataclass(frozen=True, kw_only=True)
class Network(Settings):
    """Learner of an ensemble of networks of one architecture; see `Settings` for its fields."""

    traits: ClassVar[Traits] = Traits(
        needs_scaling=True,
        needs_complete=True,
        uses_gpu=True,
        sampled=True,
        deep=True,
    )

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws weights, order, masks and held-out rows."""
        if info.kind is TaskKind.REGRESSION:
            return NetworkRegressor(learner=self, seed=seed, device=device)
        return NetworkClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

    def load(self) -> None:
        """Import torch, the training modules, and what an optimizer imports at its first step."""
        from torch import optim, zeros

        from smalldata.models.networks import train_together  # noqa: F401

        optim.SGD([zeros(1, requires_grad=True)]).step()

    def refusal(self, info: TaskInfo) -> str:
        """Name a setting that has no effect on this task: its row would look like another model."""
        if info.kind is TaskKind.REGRESSION:
            if self.label_smoothing > 0 or self.class_weight != "none":
                return "label_smoothing and class_weight apply to classes; the target is a value"
        elif self.loss == "huber":
            return "loss=huber applies to values; the target is a class"
        return ""

    def fit_many(self, jobs: Sequence[FitJob], *, device: str) -> list[Any]:
        """Fit several training sets of one outer fold; those of one shape train as one network."""
        estimators = [self.build(job.info, seed=job.seed, device=device) for job in jobs]
        Ensemble.fit_together(estimators, jobs)
        return estimators

    def scale(self, kind: TaskKind) -> str:
        """Return log-odds for classes, value for a regression."""
        return "log-odds" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> CallableForm:
        """Return the ensemble's mean output as a function; log-odds of several classes centred."""
        return CallableForm(
            function=fitted.margins, gradient=fitted.gradients, cost=fitted.products_
        )
