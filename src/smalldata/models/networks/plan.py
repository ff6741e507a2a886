"""How a network is trained: the settings every architecture shares.

Step in the line: yaml -> learner -> **Plan** -> training.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.models.weighting import ClassWeight

HELD_OUT_FOLDS = 5
"""Early stopping watches one part in so many of the training rows."""

OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
SchedulerName = Literal["none", "linear", "one_cycle", "cosine"]
Init = Literal["kaiming", "xavier", "default"]
Loss = Literal["squared", "huber"]
Precision = Literal["float32", "mixed"]
Embedding = Literal["none", "piecewise_linear", "periodic"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of the training loop and of the ensemble around it.

    Attributes
    ----------
    n_members : int
        Networks of the ensemble, trained side by side.
    optimizer : {"sgd", "adam", "adamw", "rmsprop"}
    learning_rate : float
        The largest of the schedule.
    momentum : float
        Of sgd (Nesterov 1983).
    weight_decay : float
        Of all that is learned but the biases; decoupled (Loshchilov & Hutter 2019) with adamw.
    scheduler : {"none", "linear", "one_cycle", "cosine"}
        Step by step: constant; falling to 0 in a line, or in a half cosine (Loshchilov & Hutter
        2017); rising for 30 % of the steps, then falling (one cycle, Smith & Topin 2019).
    n_epochs : int
    batch_size : int
        Most rows of a step; an epoch is cut into equal steps.
    clip_norm : float
        Largest norm of a member's gradient.
    noise_fades : bool
        Dropout falls in a line to nothing, which it reaches after five sixths of the epochs.
    clip : float
        Bound that the columns approach smoothly: x / sqrt(1 + (x / clip)^2).
    loss : {"squared", "huber"}
        Of a regression, whose target is standardised; Huber's turns linear at 1.
    label_smoothing : float
        Share of every label that is spread over all classes; no effect in a regression.
    early_stopping : int
        Epochs without a better loss on held-out training rows after which a member has finished;
        it keeps its best weights. 0: never, and all members learn from all rows.
    mixup : float
        Above 0: rows of a step are mixed in pairs, by shares drawn from Beta(mixup, mixup).
    time_limit : float
        Seconds after which the fit ends with the epoch it is in; 0: none.
    precision : {"float32", "mixed"}
        Of the products on a card.
    class_weight : {"none", "balanced"}
        ``balanced``: every class weighs the same in the loss.
    """

    n_members: int
    optimizer: OptimizerName
    learning_rate: float
    momentum: float
    weight_decay: float
    scheduler: SchedulerName
    n_epochs: int
    batch_size: int
    clip_norm: float
    noise_fades: bool
    clip: float
    loss: Loss
    label_smoothing: float
    early_stopping: int
    class_weight: ClassWeight
    mixup: float
    time_limit: float
    precision: Precision


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What a network is told of the columns it gets; made of the training rows of one fold.

    Attributes
    ----------
    n_columns : int
    order : ndarray of shape (n_columns,), or None
        Positions of the preprocessed columns in the order the network gets them; None: as they are.
    edges : ndarray of shape (n_bins + 1, n_columns), or None
        Quantiles of each column as the network gets it, for piecewise-linear embeddings.
    """

    n_columns: int
    order: NDArray[np.int64] | None = None
    edges: NDArray[np.float64] | None = None

    @property
    def layout(self) -> tuple[int, bool, bytes]:
        """What is equal for two networks of one recipe that have the same layers.

        The order itself has been followed when the rows were made; whether there is one decides
        what is dropped.
        """
        edges = b"" if self.edges is None else self.edges.tobytes()
        return self.n_columns, self.order is None, edges
