"""The settings that all networks share, and what a network must know about its columns.

The training loop reads them as they stand; an architecture adds its own sizes and ``network``.
Step in the line: yaml -> **learner** -> estimator, training.
"""

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight

if TYPE_CHECKING:
    import torch

OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
SchedulerName = Literal["none", "linear", "one_cycle", "cosine"]
Init = Literal["kaiming", "xavier", "default"]
LossName = Literal["squared", "huber"]
Precision = Literal["float32", "mixed"]
Embedding = Literal["none", "piecewise_linear", "periodic"]
When = Literal["values", "always", "never"]
"""``values``: in a regression only; `Settings.settle` turns it into one of the others."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What a network must know about its columns, taken from the training rows of one fold.

    Attributes
    ----------
    n_columns : int
    order : ndarray of shape (n_columns,), or None
        Positions of the preprocessed columns in the order the network gets them; None: unchanged.
    edges : ndarray of shape (n_bins + 1, n_columns), or None
        Quantiles of each column as the network gets it, for piecewise-linear embeddings.
    """

    n_columns: int
    order: NDArray[np.int64] | None = None
    edges: NDArray[np.float64] | None = None

    @property
    def layout(self) -> tuple[int, bool, bytes]:
        """What two networks of one recipe must have in common to have the same layers.

        The rows are already in order. Whether there is an order still decides what is dropped.
        """
        edges = b"" if self.edges is None else self.edges.tobytes()
        return self.n_columns, self.order is None, edges


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all networks share: the training loop, the ensemble around it, how columns enter.

    Attributes
    ----------
    n_members : int
        Networks of the ensemble, trained side by side; their outputs are averaged.
    optimizer : {"sgd", "adam", "adamw", "rmsprop"}
    learning_rate : float
        The highest rate of the schedule.
    momentum : float
        Nesterov momentum of sgd (Nesterov 1983); no effect on the other optimizers.
    weight_decay : float
        Applies to every parameter except biases. adamw subtracts it from the weights (Loshchilov &
        Hutter 2019), the others add it to the gradient.
    scheduler : {"none", "linear", "one_cycle", "cosine"}
        Step by step: a constant learning rate; one that falls to 0 in a line, or in a half cosine
        (Loshchilov & Hutter 2017); one that rises for 30 % of the steps and then falls (one cycle,
        Smith & Topin 2019).
    n_epochs : int
    batch_size : int
        Maximum number of rows in a step; an epoch is cut into equal steps.
    clip_norm : float
        Maximum norm of a member's gradient.
    init : {"kaiming", "xavier", "default"}
        How weights are drawn.
    input_dropout, dropout : float
        Share of the columns, and of the hidden units, dropped in each step.
    dropout_columns : int
        With this many columns or more, ``input_dropout`` applies in full; with fewer, in
        proportion. When there are few columns, dropping half of them hides their joint effects.
    noise_fades : {"values", "always", "never"}
        When dropout fades out: it falls in a line and reaches 0 after five sixths of the epochs.
        Dropout shrinks predictions, which makes values less accurate (most of all for collinear
        spectra) but does not harm a ranking; ``values`` fades it in regressions only.
    mixup : float
        Above 0, every step learns from mixtures of two rows and their targets (Zhang et al. 2018),
        with shares drawn from Beta(mixup, mixup).
    clip : float
        Scaled columns approach ±clip smoothly and never exceed it: x / sqrt(1 + (x / clip)^2).
    embedding : {"none", "piecewise_linear", "periodic"}
        Turns each column into several channels before columns are combined (Gorishniy, Rubachev &
        Babenko 2022).
    embedding_size : int
        Bins per column, between quantiles of the training rows, or frequencies per column.
    embedding_spread : float
        Standard deviation of the initial frequencies of ``periodic``.
    loss : {"squared", "huber"}
        Loss of a regression, whose target is standardised; ``huber`` is linear beyond 1.
        Classifications use the cross-entropy and are skipped with ``huber``.
    label_smoothing : float
        Share of every label that is spread over all classes; above 0, a regression is skipped.
    class_weight : {"none", "balanced"}
        ``balanced`` gives every class the same total weight; a regression is then skipped.
    early_stopping : int
        A member stops after this many epochs without a better loss on a held-out fifth of the
        training rows (each member has its own fifth) and keeps its best weights. 0: it never
        stops early, and all members learn from all rows.
    time_limit : float
        Seconds after which the fit stops at the end of the current epoch; 0: no limit. The result
        then depends on the machine, and the record says so.
    precision : {"float32", "mixed"}
        ``mixed`` multiplies in bfloat16 on a GPU; no effect on a CPU.
    """

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
    noise_fades: When
    mixup: Annotated[float, Range(low=0)]
    clip: Annotated[float, Range(low=0, above=True)]
    embedding: Embedding
    embedding_size: Annotated[int, Range(low=1)]
    embedding_spread: Annotated[float, Range(low=0, above=True)]
    loss: LossName
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
        """Build the members' network; all random numbers come from the generators.

        Parameters
        ----------
        inputs : Inputs
            Returned by ``self.inputs`` for the training rows.
        n_outputs : int
        generators : sequence of torch.Generator
            One per member.

        Returns
        -------
        Module
            Maps (n_members, n_rows, n_columns), or (n_rows, n_columns) that all members share, to
            (n_members, n_rows, n_outputs). The first axis of every parameter is the member.
        """

    def settle(self, *, classify: bool) -> Self:
        """Return the recipe for one kind of task: ``values`` becomes ``always`` or ``never``."""
        when = "never" if classify else "always"
        names = [field.name for field in dataclasses.fields(self)]
        settled: dict[str, Any] = {n: when for n in names if getattr(self, n) == "values"}
        return dataclasses.replace(self, **settled)

    def inputs(self, X: Array) -> Inputs:
        """Return what the network must know about the columns of the training rows."""
        order = self.order_columns(X)
        edges = None
        if self.embedding == "piecewise_linear":
            shares = np.linspace(0.0, 1.0, self.embedding_size + 1)
            found = np.quantile(X, shares, axis=0)
            edges = found / np.sqrt(1.0 + np.square(found / self.clip))
            edges = edges if order is None else edges[:, order]
        return Inputs(n_columns=X.shape[1], order=order, edges=edges)

    def order_columns(self, X: Array) -> NDArray[np.int64] | None:
        """Return the order in which the network gets the columns; None: unchanged."""
        return None

    def dropped_columns(self, inputs: Inputs) -> float:
        """Return the share of the columns that is dropped while training."""
        return self.input_dropout * min(1.0, inputs.n_columns / self.dropout_columns)
