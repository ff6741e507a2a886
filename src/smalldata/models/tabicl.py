"""TabICL: a transformer pretrained on synthetic tables, which reads the training rows.

Step in the line: yaml -> **learner** -> estimator. Nothing is trained here: the training rows are
the context from which it predicts the others (Qu, Holzmüller, Varoquaux & Le Morvan 2025; version
2: Qu, Holzmüller, Varoquaux & Le Morvan 2026). The weights are a local file that the user names;
nothing is ever downloaded. The extra ``foundation`` installs the library (tabicl on PyPI).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError, FitError
from smalldata.learner import Array, CallableForm, Traits
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.files import LocalFile
from smalldata.models.values import Range, check_fields
from smalldata.runtime.devices import first_line, one_torch_thread
from smalldata.runtime.memory import map_rows
from smalldata.task import TaskInfo, TaskKind

REPOSITORY = "https://huggingface.co/jingang/TabICL"
CLASSES_FILE = "tabicl-classifier-v2-20260212.ckpt"
VALUES_FILE = "tabicl-regressor-v2-20260212.ckpt"
USUAL_COLUMNS = 100
"""Columns of the widest tables version 2 was trained on, according to its documentation."""

CHUNK_VALUES = 250_000
"""Members x rows x columns predicted at once; each becomes a few hundred numbers."""


@dataclass(frozen=True, kw_only=True)
class TabICL:
    """Learner that builds TabICL; other settings keep the library's defaults.

    Attributes
    ----------
    checkpoint : str or None
        Local file of the weights. Those of version 2 either classify or predict values.
    n_members : int
        Views of the table whose outputs are averaged. Each has its own order of columns and
        classes, with columns as they are or made normal. There are fewer views if the table has too
        few columns for this many orders.
    """

    # The library imputes too, but masks a column that has no value among the rows to predict: the
    # prediction for a row would depend on the other rows.
    traits: ClassVar[Traits] = Traits(
        needs_complete=True,
        categories="integer",
        uses_gpu=True,
        max_features=2000,
        sampled=True,
        deep=True,
    )
    checkpoint: Annotated[str | None, LocalFile()]
    n_members: Annotated[int, Range(low=1)]

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def refusal(self, info: TaskInfo) -> str:
        """Say what is missing for a task of this kind; "" if nothing is.

        Raises
        ------
        ConfigError
            If the file is not a checkpoint of TabICL.
        """
        return _lack(self.checkpoint, classify=info.kind.is_classification)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws the views."""
        if info.kind is TaskKind.REGRESSION:
            return ContextRegressor(learner=self, seed=seed, device=device)
        return ContextClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

    def scale(self, kind: TaskKind) -> str:
        """Return log-odds for classes, value for a regression."""
        return "log-odds" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> CallableForm:
        """Return the prediction as a function; log-odds of several classes are centred."""
        return CallableForm(function=fitted.margins)


class ContextClassifier(Classifier[TabICL]):
    """Predicts class probabilities in the context of the training rows."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Read the training rows of one fold."""
        config = _checked_config(self.learner.checkpoint, classify=True)
        from tabicl import TabICLClassifier

        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        n_known = int(config["max_classes"])
        self.notes_ = _width_notes(X)
        # The library can cache its encoding of the training rows up to this many classes.
        is_kept = len(np.unique(y)) <= n_known
        if not is_kept:
            self.notes_ += (
                f"the weights separate at most {n_known} classes at once; the {self.n_classes} "
                "classes are separated in steps",
            )
        self.model_ = _read_context(TabICLClassifier, self, X, y, kv_cache=is_kept)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        found = np.zeros((len(X), self.n_classes))
        found[:, self.model_.classes_] = _by_chunks(self.model_.predict_proba, self, X)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def margins(self, X: Array) -> Array:
        """Return log-odds (n_samples, n_outputs): one for two classes, else one each, centred."""
        # The library's softmax has single precision; a 0 counts as its smallest positive number.
        logs = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))
        if self.n_classes == 2:
            return np.asarray(logs[:, 1:] - logs[:, :1])
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))

    def decision_function(self, X: Array) -> Array:
        """Return log-odds: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margins = self.margins(X)
        return margins[:, 0] if self.n_classes == 2 else margins


class ContextRegressor(Regressor[TabICL]):
    """Predicts the mean of a value in the context of the training rows."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Read the training rows of one fold."""
        _checked_config(self.learner.checkpoint, classify=False)
        from tabicl import TabICLRegressor

        self.n_features_in_ = X.shape[1]
        self.notes_ = _width_notes(X)
        # The library's targets have single precision; a large mean would use up the digits.
        self.centre_ = float(np.mean(y))
        self.model_ = _read_context(TabICLRegressor, self, X, y - self.centre_, kv_cache=True)
        return self

    def margins(self, X: Array) -> Array:
        """Return values of shape (n_samples, 1)."""
        return self.predict(X)[:, None]

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return self.centre_ + _by_chunks(self.model_.predict, self, X)


def _read_context(
    library: Callable[..., Any],
    estimator: ContextClassifier | ContextRegressor,
    X: Array,
    y: NDArray[Any],
    *,
    kv_cache: bool,
) -> Any:
    """Fit the library's estimator from the file, in single precision on every device."""
    assert estimator.learner.checkpoint is not None
    model = library(
        n_estimators=estimator.learner.n_members,
        model_path=Path(estimator.learner.checkpoint),
        allow_auto_download=False,
        kv_cache=kv_cache,
        use_amp=False,
        use_fa3=False,
        random_state=estimator.seed,
        device=estimator.device,
    )
    with one_torch_thread():
        model.fit(X, y)
    # The library groups views in the order of a set of words, which differs between processes, and
    # so would the order in which outputs are summed.
    views = model.ensemble_generator_
    for name in ("ensemble_configs_", "feature_shuffles_", "class_shuffles_"):
        if hasattr(views, name):
            setattr(views, name, OrderedDict(sorted(getattr(views, name).items())))
    return model


def _by_chunks(
    predict: Callable[[Array], Any], estimator: ContextClassifier | ContextRegressor, X: Array
) -> Array:
    """Predict a few rows at a time: each value of the table becomes a vector in every member."""
    size = max(1, CHUNK_VALUES // (estimator.learner.n_members * max(X.shape[1], 1)))
    with one_torch_thread():
        chunks = map_rows(lambda start, stop: predict(X[start:stop]), n_rows=len(X), size=size)
    return np.concatenate(chunks).astype(np.float64)


def _width_notes(X: Array) -> tuple[str, ...]:
    if X.shape[1] <= USUAL_COLUMNS:
        return ()
    return (
        f"the weights were trained on tables of up to {USUAL_COLUMNS} columns; this one has "
        f"{X.shape[1]}",
    )


# ---------------------------------------------------------------- the file of the weights


def _lack(checkpoint: str | None, *, classify: bool) -> str:
    """Say what is missing before anything can be fitted; "" if nothing is."""
    package = ""
    if find_spec("tabicl") is None:
        package = "needs the package tabicl (pip install 'smalldata[foundation]')"
    wanted = CLASSES_FILE if classify else VALUES_FILE
    get = f"download {wanted} from {REPOSITORY} and set checkpoint=PATH/{wanted}"
    if checkpoint is None:
        return f"{package or 'needs pretrained weights'}; {get}"
    if not Path(checkpoint).is_file():
        is_folder = Path(checkpoint).is_dir()
        found = f"{checkpoint} is a folder" if is_folder else f"there is no file {checkpoint}"
        return f"{package or 'needs pretrained weights'}; {found}; {get}"
    if package:
        return package
    try:
        config = _config_of(checkpoint)
    except ImportError as error:
        return (
            f"needs the package tabicl, which is installed but does not load ({first_line(error)});"
            " reinstall it (pip install --force-reinstall 'smalldata[foundation]')"
        )
    if bool(config["max_classes"]) != classify:
        can, cannot = ("predict values", "classify") if classify else ("classify", "predict values")
        return f"the weights in {checkpoint} {can} and cannot {cannot}; {get}"
    return ""


def _checked_config(checkpoint: str | None, *, classify: bool) -> dict[str, Any]:
    """Return the shape of the network in a file.

    Raises
    ------
    FitError
        If the package or the file is missing, or the weights are for other tasks.
    """
    if reason := _lack(checkpoint, classify=classify):
        raise FitError(f"tabicl {reason}.")
    assert checkpoint is not None
    return _config_of(checkpoint)


def _config_of(checkpoint: str) -> dict[str, Any]:
    found = Path(checkpoint).resolve()
    about = found.stat()
    return _read_config(str(found), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4)
def _read_config(path: str, size: int, changed: int) -> dict[str, Any]:
    """Read the shape of the network and check that the weights fit it, without reading them.

    Raises
    ------
    ConfigError
        If the file does not hold weights of TabICL.
    """
    import torch
    from tabicl._model.tabicl import TabICL as Network

    must = f"checkpoint must be a file of weights from {REPOSITORY}"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # damaged bytes can raise anything in torch
        raise ConfigError(f"{must}; {path} is not a file that torch can read as weights.") from None
    if not isinstance(content, dict) or not {"config", "state_dict"} <= set(content):
        raise ConfigError(f"{must}; {path} holds something else.")
    config, weights = content["config"], content["state_dict"]
    try:
        with torch.device("meta"):  # shapes alone
            shapes = {name: part.shape for name, part in Network(**config).state_dict().items()}
        fits = shapes == {name: part.shape for name, part in weights.items()}
    except (TypeError, ValueError, AttributeError, AssertionError, RuntimeError):
        fits = False
    if not fits:
        from importlib.metadata import version

        raise ConfigError(
            f"{must}; the weights in {path} do not fit the network that tabicl {version('tabicl')} "
            "builds. Get the file named there, or a newer tabicl."
        )
    return {"max_classes": 10, **config}
