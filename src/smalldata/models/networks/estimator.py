"""The scikit-learn estimators of all networks: targets, weights, held-out rows, the members' mean.

An architecture only says how to build its network. torch is imported by the first fit.
Step in the line: learner -> **estimator** -> fitted pipeline.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from smalldata.errors import SplitError
from smalldata.learner import Array, FitJob
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.networks.predict import Passage, give_columns
from smalldata.models.networks.settings import Inputs, Settings
from smalldata.models.weighting import row_weights
from smalldata.resampling.splitting import Rows, largest_n_splits, make_folds
from smalldata.runtime.devices import one_torch_thread
from smalldata.seeding import seed_for

if TYPE_CHECKING:
    import torch

    from smalldata.models.networks.train_together import Learnt, Lesson
    from smalldata.models.networks.training import Loss

HELD_OUT_FOLDS = 5
"""Early stopping holds out one of this many parts of the training rows."""


class Ensemble:
    """What the classifier and the regressor share: all but the target and the scale of outputs.

    After a fit, ``curves_`` holds the losses per epoch and member, ``losses_`` their means.
    """

    classify: ClassVar[bool]
    learner: Settings
    seed: int
    device: str
    notes_: tuple[str, ...]

    @property
    def n_outputs(self) -> int:
        """Outputs of the network."""
        raise NotImplementedError

    def _targets(self, y: NDArray[Any]) -> "tuple[Array, Loss]":
        """Return the targets (n_samples, n_outputs) and their loss; keep what outputs need."""
        raise NotImplementedError

    def _rescale(self, outputs: Array) -> Array:
        """Map outputs, or their derivatives, from the network's scale to that of the margins."""
        raise NotImplementedError

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit all members on the training rows of one fold."""
        from smalldata.models.networks.train_together import learn

        lesson = self.prepare(X, y, groups)
        (learnt,) = learn([lesson], device=self.device)
        self._keep(lesson, learnt)
        return self

    @staticmethod
    def fit_together(estimators: "Sequence[Ensemble]", jobs: Sequence[FitJob]) -> None:
        """Fit estimators of one recipe, all members of those with one shape as one network.

        Parameters
        ----------
        estimators : sequence of Ensemble
            Unfitted, one for each job, on one device.
        jobs : sequence of FitJob
        """
        from smalldata.models.networks.train_together import learn

        lessons = [
            estimator.prepare(job.X, job.y, job.groups)
            for estimator, job in zip(estimators, jobs, strict=True)
        ]
        shapes: dict[Any, list[int]] = {}
        for i, lesson in enumerate(lessons):
            shapes.setdefault(lesson.shape, []).append(i)
        for alike in shapes.values():
            found = learn([lessons[i] for i in alike], device=estimators[alike[0]].device)
            for i, learnt in zip(alike, found, strict=True):
                estimators[i]._keep(lessons[i], learnt)

    def prepare(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None) -> "Lesson":
        """Return what the members learn from, on the device."""
        import torch

        from smalldata.models.networks.train_together import Lesson

        self.n_features_in_ = X.shape[1]
        recipe = self.learner.settle(classify=self.classify)
        targets, loss = self._targets(y)
        weights = row_weights(y, recipe.class_weight, classify=self.classify)
        held_out, self.notes_ = self.held_out_rows(y, groups)
        inputs = recipe.inputs(X)
        with one_torch_thread():
            return Lesson(
                recipe=recipe,
                inputs=inputs,
                x=give_columns(X, inputs, clip=recipe.clip, device=self.device),
                targets=torch.as_tensor(targets, dtype=torch.float32, device=self.device),
                row_weights=torch.as_tensor(weights, dtype=torch.float32, device=self.device),
                loss=loss,
                held_out=held_out,
                seed=self.seed,
            )

    def held_out_rows(
        self, y: NDArray[Any], groups: NDArray[Any] | None
    ) -> tuple[list[Rows] | None, tuple[str, ...]]:
        """Return the rows each member holds out, and a note if none can be held out.

        The members take the parts of one split in turn, so that the ensemble learns from all rows.
        """
        if self.learner.early_stopping == 0:
            return None, ()
        stratify, n_members = self.classify, self.learner.n_members
        n_folds = min(HELD_OUT_FOLDS, largest_n_splits(y, stratify=stratify, groups=groups))
        held_out: list[Rows] = []
        try:
            while len(held_out) < n_members:
                part_seed = seed_for(self.seed, "held-out", len(held_out))
                folds = make_folds(y, n_folds, stratify=stratify, groups=groups, seed=part_seed)
                held_out += [rows for _, rows in folds]
        except SplitError:  # a class of one row, or whole groups that hold a class; or one group
            lost = "a class" if stratify else "all of them"
            return None, (
                "no early stopping: no rows can be held out of this training fold without losing "
                f"{lost}; all {self.learner.n_epochs} epochs were run on all rows",
            )
        return held_out[:n_members], ()

    def margins(self, X: Array) -> Array:
        """Return the members' mean, of shape (n_samples, n_outputs)."""
        return self._rescale(self._passage().mean_outputs(X))

    def gradients(self, X: Array) -> Array:
        """Return the derivative of ``margins``, of shape (n_samples, n_outputs, n_columns)."""
        return self._rescale(self._passage().mean_gradients(X))

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name, as `restore` takes it."""
        inputs = self.inputs_
        found = {
            "n_columns": np.array(inputs.n_columns),
            "order": inputs.order,
            "edges": inputs.edges,
        }
        tensors = self.network_.state_dict().items()
        network = {f"network.{name}": tensor.cpu().numpy() for name, tensor in tensors}
        return {name: array for name, array in (found | network).items() if array is not None}

    def restore(self, weights: Mapping[str, NDArray[Any]]) -> Self:
        """Become the fitted estimator, of an equal recipe, whose ``learned`` gave the weights."""
        import torch

        inputs = Inputs(
            n_columns=int(weights["n_columns"]),
            order=weights.get("order"),
            edges=weights.get("edges"),
        )
        recipe = self.learner.settle(classify=self.classify)
        unused = [torch.Generator() for _ in range(recipe.n_members)]
        network = recipe.network(inputs, self.n_outputs, generators=unused)
        network.load_state_dict(
            {
                name.removeprefix("network."): torch.from_numpy(np.array(array))
                for name, array in weights.items()
                if name.startswith("network.")
            }
        )
        self.n_features_in_ = inputs.n_columns
        self._hold(inputs, network.to(self.device).eval())
        return self

    def _keep(self, lesson: "Lesson", learnt: "Learnt") -> None:
        from smalldata.models.networks.loss_curves import loss_curves

        self._hold(lesson.inputs, learnt.network)
        self.curves_ = learnt.curves
        self.losses_ = loss_curves(lesson, learnt, classify=self.classify)
        self.notes_ += learnt.notes

    def _hold(self, inputs: Inputs, network: "torch.nn.Module") -> None:
        import torch

        from smalldata.models.networks.layers import count_products, count_values

        self.inputs_, self.network_ = inputs, network
        row = torch.zeros((1, inputs.n_columns), device=self.device)
        self.products_ = count_products(network, row)
        # Every member gets the columns and has its own gradient for each of them.
        own = self.learner.n_members * inputs.n_columns
        self.values_per_row_ = count_values(network, row) + own

    def _passage(self) -> Passage:
        return Passage(
            network=self.network_,
            inputs=self.inputs_,
            clip=self.learner.clip,
            device=self.device,
            n_values=self.values_per_row_,
        )


class NetworkClassifier(Ensemble, Classifier[Settings]):
    """An ensemble of networks for two or more classes.

    Its margins are the mean of the members' log-odds: one column for two classes, otherwise one
    per class, centred. ``predict_proba`` is their sigmoid or softmax.
    """

    classify = True

    @property
    def n_outputs(self) -> int:
        """One log-odds for two classes, otherwise one per class."""
        return 1 if self.n_classes == 2 else self.n_classes

    def _targets(self, y: NDArray[Any]) -> "tuple[Array, Loss]":
        from smalldata.models.networks.losses import binary_cross_entropy, cross_entropy

        self.classes_ = np.arange(self.n_classes)
        smoothing = self.learner.label_smoothing
        targets = np.eye(self.n_classes)[y] * (1.0 - smoothing) + smoothing / self.n_classes
        if self.n_classes == 2:
            return targets[:, 1:], binary_cross_entropy
        return targets, cross_entropy

    def _rescale(self, outputs: Array) -> Array:
        return outputs if self.n_classes == 2 else outputs - outputs.mean(axis=1, keepdims=True)

    def decision_function(self, X: Array) -> Array:
        """Return log-odds: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margins = self.margins(X)
        return margins[:, 0] if self.n_classes == 2 else margins

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        margins = self.margins(X)
        if self.n_classes == 2:
            return np.asarray(expit(np.hstack([-margins, margins])))
        return np.asarray(softmax(margins, axis=1))

    def restore(self, weights: Mapping[str, NDArray[Any]]) -> Self:
        """Become the fitted estimator, of an equal recipe, whose ``learned`` gave the weights."""
        self.classes_ = np.arange(self.n_classes)
        return super().restore(weights)


class NetworkRegressor(Ensemble, Regressor[Settings]):
    """An ensemble of networks for a value; the target is standardised within the fold.

    Its margins are in units of the target, its losses in units of the target's variance.
    """

    classify = False
    n_outputs = 1

    def _targets(self, y: NDArray[Any]) -> "tuple[Array, Loss]":
        from smalldata.models.networks.losses import huber, squared_error

        self.centre_ = float(np.mean(y))
        self.spread_ = float(np.std(y)) or 1.0
        targets = ((y - self.centre_) / self.spread_)[:, None]
        return targets, huber if self.learner.loss == "huber" else squared_error

    def _rescale(self, outputs: Array) -> Array:
        return self.spread_ * outputs

    def margins(self, X: Array) -> Array:
        """Return values of shape (n_samples, 1) in units of the target."""
        return self.centre_ + super().margins(X)

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,) in units of the target."""
        return self.margins(X)[:, 0]

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name, as `restore` takes it."""
        about = {"centre": np.array(self.centre_), "spread": np.array(self.spread_)}
        return super().learned() | about

    def restore(self, weights: Mapping[str, NDArray[Any]]) -> Self:
        """Become the fitted estimator, of an equal recipe, whose ``learned`` gave the weights."""
        self.centre_, self.spread_ = float(weights["centre"]), float(weights["spread"])
        return super().restore(weights)
