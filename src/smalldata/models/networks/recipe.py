"""What the recipes of all networks share: how they are trained, and the estimator they build.

An architecture adds its own sizes and ``network``. Step in the line: yaml -> **learner** -> plan.
"""

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array, CallableForm, FitJob, Traits
from smalldata.models.networks.plan import (
    Embedding,
    Init,
    Inputs,
    Loss,
    OptimizerName,
    Plan,
    Precision,
    SchedulerName,
)
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind

if TYPE_CHECKING:
    import torch

    from smalldata.models.networks.blocks import Columns


@dataclass(frozen=True, kw_only=True)
class Network:
    """Learner of an ensemble of networks of one architecture.

    Attributes
    ----------
    n_members : int
        Networks whose outputs are averaged.
    optimizer : {"sgd", "adam", "adamw", "rmsprop"}
    learning_rate : float
        Its largest, see ``scheduler``.
    momentum : float
        Of sgd (Nesterov's); no effect on the others.
    weight_decay : float
        Of all that is learned but the biases; adamw takes it off the weights, the others add it to
        the gradient.
    scheduler : {"none", "linear", "one_cycle", "cosine"}
        The learning rate stays, falls in a line or a half cosine to 0, or rises and falls.
    n_epochs, batch_size : int
    clip_norm : float
        Largest norm of a member's gradient.
    init : {"kaiming", "xavier", "default"}
        How weights are drawn.
    input_dropout, dropout : float
        Share of the columns, and of the hidden units, dropped in each step.
    dropout_columns : int
        From so many columns on ``input_dropout`` applies whole, to fewer in proportion: where each
        column is one of few, dropping half of them hides what two do together.
    noise_fades : {"values", "always", "never"}
        When dropout falls to nothing towards the end: it shrinks what is predicted, which costs a
        value its accuracy (collinear spectra most) and a ranking nothing; ``values`` fades it in
        regressions only.
    mixup : float
        Above 0, every step learns from mixtures of two rows and of their targets (Zhang et al.
        2018); the share of the one is drawn from Beta(mixup, mixup).
    clip : float
        Scaled columns approach ±clip smoothly and never pass it.
    embedding : {"none", "piecewise_linear", "periodic"}
        Each column as several channels before columns meet (Gorishniy, Rubachev & Babenko 2022).
    embedding_size : int
        Bins, between quantiles of the training rows, or frequencies of each column.
    embedding_spread : float
        Of the first frequencies of ``periodic``.
    loss : {"squared", "huber"}
        Of a regression; classifications have the cross-entropy.
    label_smoothing : float
        No effect in a regression.
    class_weight : {"none", "balanced"}
        No effect in a regression.
    early_stopping : int
        Epochs without a better loss on a fifth of the training rows, another fifth for each
        member, after which it stops with its best weights; 0: never, and all rows are learned from.
    time_limit : float
        Seconds after which a fit ends with the epoch it is in; 0: none. What came of it then
        depends on the machine, and the record says so.
    precision : {"float32", "mixed"}
        ``mixed``: products in bfloat16 on a card; no effect on a CPU.
    """

    traits: ClassVar[Traits] = Traits(
        needs_scaling=True,
        needs_complete=True,
        uses_gpu=True,
        early_stops=True,
        sampled=True,
        deep=True,
    )
    n_members: Annotated[int, Range(low=1)]
    optimizer: OptimizerName
    learning_rate: Annotated[float, Range(low=0, above=True)]
    momentum: Annotated[float, Range(low=0, high=1, below=True)]
    weight_decay: Annotated[float, Range(low=0)]
    scheduler: SchedulerName
    n_epochs: Annotated[int, Range(low=1)]
    batch_size: Annotated[int, Range(low=1)]
    clip_norm: Annotated[float, Range(low=0, above=True)]
    init: Init
    input_dropout: Annotated[float, Range(low=0, high=1, below=True)]
    dropout: Annotated[float, Range(low=0, high=1, below=True)]
    dropout_columns: Annotated[int, Range(low=1)]
    noise_fades: Literal["values", "always", "never"]
    mixup: Annotated[float, Range(low=0)]
    clip: Annotated[float, Range(low=0, above=True)]
    embedding: Embedding
    embedding_size: Annotated[int, Range(low=1)]
    embedding_spread: Annotated[float, Range(low=0, above=True)]
    loss: Loss
    label_smoothing: Annotated[float, Range(low=0, high=1, below=True)]
    class_weight: ClassWeight
    early_stopping: Annotated[int, Range(low=0)]
    time_limit: Annotated[float, Range(low=0)]
    precision: Precision

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    @abstractmethod
    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; every random number comes from their generators.

        Parameters
        ----------
        inputs : Inputs
            As ``self.inputs`` made it of the training rows.
        n_outputs : int
        generators : sequence of torch.Generator
            One per member.

        Returns
        -------
        Module
            Maps (n_members, n_rows, n_columns), or (n_rows, n_columns) that all members share, to
            (n_members, n_rows, n_outputs). Every parameter leads with the members' axis.
        """

    def inputs(self, X: Array) -> Inputs:
        """Say what the network must know of the columns of the training rows."""
        order = self.order_columns(X)
        edges = None
        if self.embedding == "piecewise_linear":
            shares = np.linspace(0.0, 1.0, self.embedding_size + 1)
            found = np.quantile(X, shares, axis=0)
            edges = found / np.sqrt(1.0 + np.square(found / self.clip))
            edges = edges if order is None else edges[:, order]
        return Inputs(n_columns=X.shape[1], order=order, edges=edges)

    def order_columns(self, X: Array) -> NDArray[np.int64] | None:
        """Return the order in which the network gets the columns; None: as they are."""
        return None

    def dropped_columns(self, inputs: Inputs) -> float:
        """Return the share of the columns that is dropped while training."""
        return self.input_dropout * min(1.0, inputs.n_columns / self.dropout_columns)

    def embed_columns(
        self, inputs: Inputs, *, generators: "Sequence[torch.Generator]"
    ) -> "Columns":
        """Build the first layer of a network that keeps columns apart."""
        from smalldata.models.networks.blocks import Columns
        from smalldata.models.networks.embeddings import Periodic, PiecewiseLinear

        embedding: PiecewiseLinear | Periodic | None = None
        if self.embedding == "piecewise_linear":
            assert inputs.edges is not None
            embedding = PiecewiseLinear(inputs.edges)
        elif self.embedding == "periodic":
            embedding = Periodic(
                inputs.n_columns,
                self.embedding_size,
                spread=self.embedding_spread,
                generators=generators,
            )
        return Columns(embedding, dropout=self.dropped_columns(inputs), n_members=len(generators))

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws weights, order, masks and held-out rows."""
        from smalldata.models.networks.estimator import NetworkClassifier, NetworkRegressor

        plan = self.plan(info.kind)
        if info.kind is TaskKind.REGRESSION:
            return NetworkRegressor(architecture=self, plan=plan, seed=seed, device=device)
        return NetworkClassifier(
            n_classes=info.n_classes, architecture=self, plan=plan, seed=seed, device=device
        )

    def load(self) -> None:
        """Import torch, what trains with it, and what an optimizer imports with its first step."""
        from torch import optim, zeros

        from smalldata.models.networks import (
            train_together,  # noqa: F401
        )

        optim.SGD([zeros(1, requires_grad=True)]).step()

    def refusal(self, info: TaskInfo) -> str:
        """Say which setting means nothing on such a task: its row would pass for another model."""
        if info.kind is TaskKind.REGRESSION:
            if self.label_smoothing > 0 or self.class_weight != "none":
                return "label_smoothing and class_weight are of classes; the target is a value"
        elif self.loss == "huber":
            return "loss=huber is of values; the target is a class"
        return ""

    def fit_many(self, jobs: Sequence[FitJob], *, device: str) -> list[Any]:
        """Fit several training sets of one outer fold, those of one shape as one network."""
        from smalldata.models.networks.estimator import fit_together

        estimators = [self.build(job.info, seed=job.seed, device=device) for job in jobs]
        fit_together(estimators, jobs)
        return estimators

    def plan(self, kind: TaskKind) -> Plan:
        """Return what the training loop needs to know."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(Plan)}
        fades = self.noise_fades == "always" or (
            self.noise_fades == "values" and kind is TaskKind.REGRESSION
        )
        return Plan(**(values | {"noise_fades": fades}))

    def scale(self, kind: TaskKind) -> str:
        """Log-odds, or value."""
        return "log-odds" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> CallableForm:
        """Return the ensemble's mean output as a function; log-odds of several classes centred."""
        return CallableForm(
            function=fitted.margins, gradient=fitted.gradients, cost=fitted.products_
        )
