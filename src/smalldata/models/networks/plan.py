"""How a network is trained: the settings every architecture shares.

Step in the line: yaml -> learner -> **Plan** -> training.
"""

from dataclasses import dataclass

from smalldata.models.weighting import ClassWeight

HELD_OUT_FOLDS = 5
"""Early stopping watches one part in so many of the training rows."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of the training loop and of the ensemble around it.

    Attributes
    ----------
    n_members : int
        Networks of the ensemble, trained side by side.
    n_epochs : int
    batch_size : int
        Most rows of a step; an epoch is cut into equal steps.
    learning_rate : float
        Peak of the one-cycle schedule (Smith & Topin 2019).
    weight_decay : float
        Decoupled (Loshchilov & Hutter 2019), on weights and not on biases.
    clip_norm : float
        Largest norm of a member's gradient.
    noise_fades : bool
        Dropout falls in a line to nothing, which it reaches after five sixths of the epochs.
    clip : float
        Bound that the columns approach smoothly: x / sqrt(1 + (x / clip)^2).
    label_smoothing : float
        Share of every label that is spread over all classes; no effect in a regression.
    early_stopping : int
        Epochs without a better loss on held-out training rows after which a member has finished;
        it keeps its best weights. 0: never, and all members learn from all rows.
    class_weight : {"none", "balanced"}
        ``balanced``: every class weighs the same in the loss.
    """

    n_members: int
    n_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    clip_norm: float
    noise_fades: bool
    clip: float
    label_smoothing: float
    early_stopping: int
    class_weight: ClassWeight
