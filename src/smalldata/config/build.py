"""The composed configuration as checked, typed values: what one cell is.

Step in the line: **config** -> dataset. The keys and their types are in `schema`; learners,
cross-validation and preprocessing check their own values.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from smalldata.config.schema import RunSchema, describe_type
from smalldata.errors import ConfigError
from smalldata.evaluation.thresholds import ThresholdOptions
from smalldata.explanation.options import ExplanationOptions
from smalldata.learner import Learner, SearchSpace
from smalldata.measures.thresholds import check_prevalence
from smalldata.panel.selector import SignatureOptions
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.report import check_formats
from smalldata.results.comparison import IntervalName
from smalldata.results.record import SCHEMA_VERSION
from smalldata.runtime.files import safe_name
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.shared.database import absolute_url, redact_url


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The sweep that a cell is a trial of.

    Attributes
    ----------
    id : str
        Hash of its identity.
    trial : int or None
        Number of the trial, from 0.
    command : str
        Command of the whole sweep.
    instead : str
        Command that searches the same space inside the folds; "" if there is none.
    """

    id: str
    trial: int | None
    command: str
    instead: str


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One cell, typed.

    Attributes
    ----------
    dataset : dict
        ``_target_`` and the arguments of its loader.
    model : str
        Name of the model.
    learner : Learner
    space : SearchSpace
    cv : dict
        Arguments of `make_splits`, without the seed.
    train_size : int or None
    preprocessing : Preprocessing
    signature : SignatureOptions or None
        None: no panel is selected. Otherwise it selects the features instead of ``preprocessing``.
    threshold : ThresholdOptions or None
        None: labels are the most probable class.
    prevalence : float or None
        Share of positives that the report's predictive values hold for; None: that of the samples.
    tuning : TuningOptions or None
        None: the learner's own values are used. Its measure defaults to that of the run.
    storage : str or None
        URL of the database through which machines share trials; None: trials are not shared.
    explanation : ExplanationOptions or None
        None: there is no explanation.
    figures : tuple of str
        Formats in which figures are also written as files; not part of the cell's identity.
    weights : bool
        Whether the weights of networks are also written as files; not part of the cell's identity.
    interval : {"jackknife", "nadeau_bengio"}
        How the table's intervals are made; not part of the cell's identity.
    permutations : int
        Permutations of the labels that the whole cell is scored on; not part of its identity.
    objectives : tuple of str
        Measures that a sweeper optimises; empty: the primary measure.
    sweep : Sweep or None
        The sweep that the cell is a trial of.
    plain : dict
        The whole configuration as plain values, without passwords: the cell's ``config.yaml``.
    """

    dataset: dict[str, Any]
    model: str
    learner: Learner
    space: SearchSpace
    cv: dict[str, Any]
    train_size: int | None
    preprocessing: Preprocessing
    signature: SignatureOptions | None
    threshold: ThresholdOptions | None
    prevalence: float | None
    tuning: TuningOptions | None
    storage: str | None
    explanation: ExplanationOptions | None
    figures: tuple[str, ...]
    weights: bool
    permutations: int
    measure: str | None
    interval: IntervalName
    objectives: tuple[str, ...]
    seed: int
    n_jobs: int | None
    device: str
    outputs: str
    dry_run: bool
    sweep: Sweep | None
    plain: dict[str, Any]


def build_config(composed: Any) -> RunConfig:
    """Check a composed DictConfig and build the typed configuration from it.

    Parameters
    ----------
    composed : DictConfig
        Without the ``hydra`` node.

    Returns
    -------
    RunConfig

    Raises
    ------
    ConfigError
        If a key is unknown, a value is missing or has the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    plain_input = None
    try:
        plain_input = OmegaConf.to_container(composed, resolve=True)
        merged = OmegaConf.merge(OmegaConf.structured(RunSchema), plain_input)
        plain = OmegaConf.to_container(
            merged, resolve=True, enum_to_str=True, throw_on_missing=True
        )
    except OmegaConfBaseException as error:
        raise ConfigError(_sentence(error, plain_input)) from None
    assert isinstance(plain, dict)
    return _typed({str(key): value for key, value in plain.items()})


def config_text(plain: dict[str, Any]) -> str:
    """Write a configuration as the yaml of a cell's ``config.yaml``."""
    import yaml

    return yaml.safe_dump(
        {"schema_version": SCHEMA_VERSION, **plain}, sort_keys=False, allow_unicode=True
    )


def read_config(text: str) -> RunConfig:
    """Read a cell's ``config.yaml`` back.

    Raises
    ------
    ConfigError
        If another version wrote it, or it was edited and is no longer valid.
    """
    from omegaconf import OmegaConf

    from smalldata.runtime.catalogue import parse_yaml

    plain = parse_yaml(text, source="config.yaml")
    found = plain.pop("schema_version", None)
    if found != SCHEMA_VERSION:
        raise ConfigError(
            f"config.yaml must have schema_version {SCHEMA_VERSION}; it has {found}. "
            "Run the cell again, or use the version of smalldata that wrote it."
        )
    return build_config(OmegaConf.create(plain))


def _typed(plain: dict[str, Any]) -> RunConfig:
    from smalldata.models import build_learner, make_space

    cv = dict(plain["cv"])
    train_size = cv.pop("train_size")
    explain = dict(plain["explain"])
    method = explain.pop("name")
    if method not in ("none", "shap"):
        raise ConfigError(f"explain must be none or shap; got {method!r}.")
    seed, n_jobs = plain["seed"], plain["n_jobs"]
    if seed < 0:
        raise ConfigError(f"seed must not be negative; got {seed}.")
    if n_jobs is not None and n_jobs < 1 and n_jobs != -1:
        raise ConfigError(f"n_jobs must be at least 1, or null for every core; got {n_jobs}.")
    plain = _with_checkpoint(plain)
    model = plain["model"]
    if safe_name(model["name"]) != model["name"]:  # it names a folder
        raise ConfigError(
            f"model.name must be letters, digits and any of . _ + -; got {model['name']!r}."
        )
    tuning = _tuning(plain["tune"], plain["measure"], model["trials"])
    preprocess = dict(plain["preprocess"])
    searched = preprocess.pop("space")
    signature = _signature(plain["signature"], preprocess, plain["measure"])
    if signature is not None:
        preprocess = {**preprocess, "select": "none"}
    tune, storage = plain["tune"], _storage(plain["tune"])
    if storage is not None:
        plain = {**plain, "tune": {**tune, "storage": redact_url(tune["storage"])}}
    learner = build_learner(model["name"], model["learner"])
    if preprocess["transform"] != "auto":  # a named transform is kept
        searched = {}
    return RunConfig(
        dataset=plain["dataset"],
        model=model["name"],
        learner=learner,
        space=make_space(learner, model["space"], searched),
        cv={"cv": cv.pop("name"), **cv},
        train_size=train_size,
        preprocessing=Preprocessing(**preprocess),
        signature=signature,
        threshold=_threshold(plain["threshold"]),
        prevalence=plain["threshold"]["prevalence"],
        tuning=tuning,
        storage=storage,
        explanation=ExplanationOptions(**explain) if method == "shap" else None,
        figures=check_formats(plain["report"]["figures"]),
        weights=plain["weights"],
        permutations=_permutations(plain),
        measure=plain["measure"],
        interval=plain["interval"],
        objectives=tuple(plain["objectives"] or ()),
        seed=seed,
        n_jobs=None if n_jobs == -1 else n_jobs,
        device=plain["device"],
        outputs=plain["outputs"],
        dry_run=plain["dry_run"],
        sweep=_sweep(plain["sweep"]),
        plain=plain,
    )


def _permutations(plain: dict[str, Any]) -> int:
    n: int = plain["permutations"]
    if n < 0:
        raise ConfigError(f"permutations must be a whole number of at least 0; got {n}.")
    if n and plain["sweep"]["id"] is not None:
        raise ConfigError(
            "permutations tests one cell, and the best of a sweep is chosen by its score; set "
            "permutations=0, or search inside the folds with tune=optuna."
        )
    return n


def _with_checkpoint(plain: dict[str, Any]) -> dict[str, Any]:
    """Give the file of ``checkpoint`` to the model if it takes one; in a grid, not all do."""
    given, model = plain["checkpoint"], plain["model"]
    if given is None or "checkpoint" not in model["learner"]:
        return plain
    own = model["learner"]["checkpoint"]
    if own is not None and own != given:
        raise ConfigError(
            f"checkpoint and model.learner.checkpoint must name one file; got {given!r} and "
            f"{own!r}. Leave one of them out."
        )
    learner = {**model["learner"], "checkpoint": given}
    return {**plain, "checkpoint": None, "model": {**model, "learner": learner}}


def _sweep(entry: dict[str, Any]) -> Sweep | None:
    if entry["id"] is None:
        return None
    texts = {key: entry[key] or "" for key in ("command", "instead")}
    return Sweep(id=entry["id"], trial=entry["trial"], **texts)


def _signature(
    entry: dict[str, Any], preprocess: dict[str, Any], measure: str | None
) -> SignatureOptions | None:
    """Build the options; the measure defaults to that of the run."""
    options = {key: value for key, value in entry.items() if value is not None}
    rule = options.pop("rule")
    if rule == "none":
        if options:
            raise ConfigError(
                f"signature.{next(iter(options))} needs a signature; set experiment=signature."
            )
        return None
    if preprocess["k"] is not None:
        raise ConfigError(
            f"a signature chooses how many features to keep; got preprocess.k={preprocess['k']}. "
            f"Leave it out, or set signature.sizes=[{preprocess['k']}]."
        )
    return SignatureOptions(
        **{"measure": measure, **options}, rule=rule, ranking=preprocess["select"]
    )


def _threshold(entry: dict[str, Any]) -> ThresholdOptions | None:
    """Build the options; the prevalence alone needs no rule."""
    options = {key: value for key, value in entry.items() if value is not None}
    check_prevalence(options.get("prevalence"))
    if options.pop("rule") != "none":
        return ThresholdOptions(rule=entry["rule"], **options)
    options.pop("prevalence", None)
    if options:
        raise ConfigError(
            f"threshold.{next(iter(options))} needs a rule; set threshold.rule=youden, "
            "sensitivity, specificity or cost."
        )
    return None


def _tuning(entry: dict[str, Any], measure: str | None, trials: int | None) -> TuningOptions | None:
    """Build the options; without ``tune.trials``, the model's own number of trials is used."""
    options = {key: value for key, value in entry.items() if value is not None}
    name = options.pop("name")
    if name == "optuna":
        options.pop("storage", None)
        own = {} if trials is None else {"trials": trials}
        return TuningOptions(**{"measure": measure, **own, **options})
    if name != "none":
        raise ConfigError(f"tune must be none or optuna; got {name!r}.")
    if options:
        raise ConfigError(f"tune.{next(iter(options))} needs tuning; set tune=optuna.")
    return None


def _storage(entry: dict[str, Any]) -> str | None:
    """Return the URL of the shared studies, which does not depend on the working folder."""
    if entry["storage"] is None:
        return None
    if entry["sampler"] == "cmaes":
        raise ConfigError(
            "tune.sampler=cmaes keeps its state as a pickle, which is not safe to read from a "
            "storage that others can write; use tune.sampler=tpe, or no tune.storage."
        )
    return absolute_url(entry["storage"])


def _sentence(error: Exception, given: Any) -> str:
    from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

    full_key = str(getattr(error, "full_key", None) or getattr(error, "key", None) or "a key")
    first = str(error).splitlines()[0]
    if isinstance(error, MissingMandatoryValue):
        return f"{full_key} has no default; set {full_key}=VALUE."
    if "not in" in first and "Key" in first:
        return f"there is no key {full_key!r} in this configuration; see --help."
    if whole := re.search(r"is not a subclass of (\w+)Schema\. value: (.*)", first):
        key = whole[1].lower()
        return f"{key} has several settings; set {key}.KEY=VALUE instead of {key}={whole[2]}."
    if isinstance(error, InterpolationResolutionError):
        return f"{full_key} must refer to a value that exists; {first.rstrip('.')}."
    key = full_key.partition("[")[0]
    allowed = describe_type(RunSchema, key)
    if allowed is None:
        return f"{full_key} has a value of the wrong type: {first}."
    found = _shown(given, key)
    card = ""
    if key == "device" and "cuda:" in found:
        card = " Set CUDA_VISIBLE_DEVICES in the environment to choose the card for device=cuda."
    return f"{key} must be {allowed}; got {found}.{card}"


def _shown(given: Any, key: str) -> str:
    """Return the value of a dotted key as yaml writes it, with text in quotes."""
    for word in key.split("."):
        given = given.get(word) if isinstance(given, dict) else None
    return repr(given) if isinstance(given, str) else json.dumps(given, default=str)
