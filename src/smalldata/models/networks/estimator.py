"""The scikit-learn side of all networks: targets, weights, held-out rows, the members' mean.

An architecture says only how its network is built; torch is imported when something is fitted.
Step in the line: Plan + architecture -> **estimator** -> fold result.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.errors import SplitError
from smalldata.learner import Array, FitJob
from smalldata.models.networks.architecture import Architecture
from smalldata.models.networks.plan import HELD_OUT_FOLDS, Inputs, Plan
from smalldata.models.networks.predict import Passage, give_columns
from smalldata.models.weighting import row_weights
from smalldata.resampling.splitting import Rows, largest_n_splits, make_folds
from smalldata.runtime.devices import one_torch_thread
from smalldata.seeding import seed_for

if TYPE_CHECKING:
    import torch

    from smalldata.models.networks.train_together import Learnt, Lesson
    from smalldata.models.networks.training import Loss


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An ensemble of networks for two or more classes.

    ``decision_function`` is the mean of the members' log-odds, centred over several classes, and
    ``predict_proba`` its sigmoid or softmax. ``curves_`` holds the losses per epoch
    and member, ``losses_`` their means.
    """

    def __init__(
        self, *, n_classes: int, architecture: Architecture, plan: Plan, seed: int, device: str
    ) -> None:
        self.n_classes = n_classes
        self.architecture = architecture
        self.plan = plan
        self.seed = seed
        self.device = device

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit all members on the training rows of one fold."""
        _learn(self, self.prepare(X, y, groups))
        return self

    def prepare(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None) -> "Lesson":
        """Return what the members learn from."""
        from smalldata.models.networks.losses import binary_cross_entropy, cross_entropy

        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        smoothing = self.plan.label_smoothing
        targets = np.eye(self.n_classes)[y] * (1.0 - smoothing) + smoothing / self.n_classes
        held_out, self.notes_ = _held_out_rows(
            self.plan, y, stratify=True, groups=groups, seed=self.seed
        )
        binary = self.n_classes == 2
        return _lesson(
            self,
            X,
            targets[:, 1:] if binary else targets,
            weights=row_weights(y, self.plan.class_weight, classify=True),
            loss=binary_cross_entropy if binary else cross_entropy,
            held_out=held_out,
        )

    def margins(self, X: Array) -> Array:
        """Log-odds (n_samples, n_outputs): one of two classes, else one a class, centred."""
        logits = _passage(self).mean_outputs(X)
        return logits if self.n_classes == 2 else logits - logits.mean(axis=1, keepdims=True)

    def gradients(self, X: Array) -> Array:
        """Return the derivative of ``margins``: (n_samples, n_outputs, n_columns)."""
        slopes = _passage(self).mean_gradients(X)
        return slopes if self.n_classes == 2 else slopes - slopes.mean(axis=1, keepdims=True)

    def decision_function(self, X: Array) -> Array:
        """Log-odds: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margins = self.margins(X)
        return margins[:, 0] if self.n_classes == 2 else margins

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        margins = self.margins(X)
        if self.n_classes == 2:
            return np.asarray(expit(np.hstack([-margins, margins])))
        return np.asarray(softmax(margins, axis=1))

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name, as `restore` takes it."""
        return _weights(self)

    def restore(self, weights: Mapping[str, NDArray[Any]]) -> Self:
        """Become the fitted estimator that told it, of an equal recipe."""
        self.classes_ = np.arange(self.n_classes)
        _restore(self, weights, n_outputs=1 if self.n_classes == 2 else self.n_classes)
        return self


class NetworkRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An ensemble of networks for a value; the target is standardised within the fold.

    ``curves_`` holds the losses per epoch and member, in units of the target's variance,
    ``losses_`` their means.
    """

    def __init__(self, *, architecture: Architecture, plan: Plan, seed: int, device: str) -> None:
        self.architecture = architecture
        self.plan = plan
        self.seed = seed
        self.device = device

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit all members on the training rows of one fold."""
        _learn(self, self.prepare(X, y, groups))
        return self

    def prepare(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None) -> "Lesson":
        """Return what the members learn from."""
        from smalldata.models.networks.losses import huber, squared_error

        self.n_features_in_ = X.shape[1]
        self.centre_ = float(np.mean(y))
        self.spread_ = float(np.std(y)) or 1.0
        held_out, self.notes_ = _held_out_rows(
            self.plan, y, stratify=False, groups=groups, seed=self.seed
        )
        return _lesson(
            self,
            X,
            ((y - self.centre_) / self.spread_)[:, None],
            weights=np.ones(len(y)),
            loss=huber if self.plan.loss == "huber" else squared_error,
            held_out=held_out,
        )

    def margins(self, X: Array) -> Array:
        """Return values of shape (n_samples, 1) in the units of the target."""
        return self.centre_ + self.spread_ * _passage(self).mean_outputs(X)

    def gradients(self, X: Array) -> Array:
        """Return the derivative of ``margins`` by each column: (n_samples, 1, n_columns)."""
        return self.spread_ * _passage(self).mean_gradients(X)

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,) in the units of the target."""
        return self.margins(X)[:, 0]

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name, as `restore` takes it."""
        about = {"centre": np.array(self.centre_), "spread": np.array(self.spread_)}
        return _weights(self) | about

    def restore(self, weights: Mapping[str, NDArray[Any]]) -> Self:
        """Become the fitted estimator that told it, of an equal recipe."""
        self.centre_, self.spread_ = float(weights["centre"]), float(weights["spread"])
        _restore(self, weights, n_outputs=1)
        return self


def _weights(estimator: NetworkClassifier | NetworkRegressor) -> dict[str, NDArray[Any]]:
    inputs = estimator.inputs_
    found = {"n_columns": np.array(inputs.n_columns), "order": inputs.order, "edges": inputs.edges}
    tensors = estimator.network_.state_dict().items()
    network = {f"network.{name}": tensor.cpu().numpy() for name, tensor in tensors}
    return {name: array for name, array in (found | network).items() if array is not None}


def _restore(estimator: Any, weights: Mapping[str, NDArray[Any]], *, n_outputs: int) -> None:
    import torch

    inputs = Inputs(
        n_columns=int(weights["n_columns"]), order=weights.get("order"), edges=weights.get("edges")
    )
    unused = [torch.Generator() for _ in range(estimator.plan.n_members)]
    network = estimator.architecture.network(inputs, n_outputs, generators=unused)
    network.load_state_dict(
        {
            name.removeprefix("network."): torch.from_numpy(np.array(array))
            for name, array in weights.items()
            if name.startswith("network.")
        }
    )
    estimator.n_features_in_ = inputs.n_columns
    _hold(estimator, inputs, network.to(estimator.device).eval())


def _held_out_rows(
    plan: Plan, y: NDArray[Any], *, stratify: bool, groups: NDArray[Any] | None, seed: int
) -> tuple[list[Rows] | None, tuple[str, ...]]:
    """Rows each member holds out, and the note if there can be none.

    The members take the parts of one split in turn, so that the ensemble learns from all rows.
    """
    if plan.early_stopping == 0:
        return None, ()
    n_folds = min(HELD_OUT_FOLDS, largest_n_splits(y, stratify=stratify, groups=groups))
    held_out: list[Rows] = []
    try:
        while len(held_out) < plan.n_members:
            part_seed = seed_for(seed, "held-out", len(held_out))
            folds = make_folds(y, n_folds, stratify=stratify, groups=groups, seed=part_seed)
            held_out += [rows for _, rows in folds]
    except SplitError:  # a class of one row, or whole groups that hold a class; else a single group
        lost = "a class" if stratify else "all of them"
        return None, (
            "no early stopping: no rows can be held out of this training fold without losing "
            f"{lost}; all {plan.n_epochs} epochs were run on all rows",
        )
    return held_out[: plan.n_members], ()


def _lesson(
    estimator: NetworkClassifier | NetworkRegressor,
    X: Array,
    targets: Array,
    *,
    weights: Array,
    loss: "Loss",
    held_out: list[Rows] | None,
) -> "Lesson":
    """Return what the members learn from, on the device."""
    import torch

    from smalldata.models.networks.train_together import Lesson

    plan, device = estimator.plan, estimator.device
    inputs = estimator.architecture.inputs(X)
    with one_torch_thread():
        return Lesson(
            inputs=inputs,
            x=give_columns(X, inputs, clip=plan.clip, device=device),
            targets=torch.as_tensor(targets, dtype=torch.float32, device=device),
            row_weights=torch.as_tensor(weights, dtype=torch.float32, device=device),
            loss=loss,
            held_out=held_out,
            n_members=plan.n_members,
            seed=estimator.seed,
        )


def _learn(estimator: NetworkClassifier | NetworkRegressor, lesson: "Lesson") -> None:
    from smalldata.models.networks.train_together import learn

    (learnt,) = learn(estimator.architecture, estimator.plan, [lesson], device=estimator.device)
    _keep(estimator, lesson, learnt)


def _keep(
    estimator: NetworkClassifier | NetworkRegressor, lesson: "Lesson", learnt: "Learnt"
) -> None:
    from smalldata.models.networks.loss_curves import loss_curves

    _hold(estimator, lesson.inputs, learnt.network)
    estimator.curves_ = learnt.curves
    estimator.losses_ = loss_curves(
        lesson, learnt, estimator.plan, classify=isinstance(estimator, NetworkClassifier)
    )
    estimator.notes_ += learnt.notes


def _hold(
    estimator: NetworkClassifier | NetworkRegressor, inputs: Inputs, network: "torch.nn.Module"
) -> None:
    import torch

    from smalldata.models.networks.layers import count_products, count_values

    estimator.inputs_, estimator.network_ = inputs, network
    row = torch.zeros((1, inputs.n_columns), device=estimator.device)
    estimator.products_ = count_products(network, row)
    # Every member gets the columns, and leaves a gradient of its own for each.
    estimator.values_per_row_ = (
        count_values(network, row) + estimator.plan.n_members * inputs.n_columns
    )


def fit_together(
    estimators: Sequence[NetworkClassifier | NetworkRegressor], jobs: Sequence[FitJob]
) -> None:
    """Fit estimators of one recipe, the members of all that have one shape as one network.

    Parameters
    ----------
    estimators : sequence of NetworkClassifier or NetworkRegressor
        Unfitted; one for each job.
    jobs : sequence of FitJob
    """
    from smalldata.models.networks.train_together import learn

    lessons = [
        estimator.prepare(job.X, job.y, job.groups)
        for estimator, job in zip(estimators, jobs, strict=True)
    ]
    shapes: dict[Any, list[int]] = {}
    for i in range(len(lessons)):
        shapes.setdefault(lessons[i].shape(estimators[i].plan), []).append(i)
    for alike in shapes.values():
        first = estimators[alike[0]]
        found = learn(
            first.architecture, first.plan, [lessons[i] for i in alike], device=first.device
        )
        for i, learnt in zip(alike, found, strict=True):
            _keep(estimators[i], lessons[i], learnt)


def _passage(estimator: NetworkClassifier | NetworkRegressor) -> Passage:
    return Passage(
        network=estimator.network_,
        inputs=estimator.inputs_,
        clip=estimator.plan.clip,
        device=estimator.device,
        n_values=estimator.values_per_row_,
    )
