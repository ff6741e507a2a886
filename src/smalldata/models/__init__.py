"""The models, one file and one yaml each. Takes a yaml, gives a Learner and its SearchSpace.

Step in the line: config -> **learner** -> pipeline. To add a model, add ``models/<name>.py`` and
``conf/model/<name>.yaml``.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from smalldata.errors import ConfigError, did_you_mean
from smalldata.learner import Learner, SearchSpace, Traits
from smalldata.runtime import catalogue


def load_learner(name: str, **values: Any) -> Learner:
    """Load a model by name, with its defaults.

    Parameters
    ----------
    name : str
        Of a file in conf/model.
    **values
        Hyperparameters that differ from the defaults.

    Returns
    -------
    Learner

    Raises
    ------
    ConfigError
        If there is no such model or hyperparameter (the message offers the nearest names), or a
        value has the wrong type or is out of range.

    Examples
    --------
    >>> load_learner("knn", n_neighbors=3).n_neighbors
    3
    """
    config = dict(_section(name, "learner"))
    known = [key for key in config if key != "_target_"]
    for key in values:
        if key not in known:
            raise ConfigError(_unknown(name, key, known))
    return build_learner(name, config | values)


def load_space(name: str) -> SearchSpace:
    """Load the search space of a model by name.

    Parameters
    ----------
    name : str
        Of a file in conf/model.

    Returns
    -------
    SearchSpace
        For a model whose columns are scaled, the transform is one of its dimensions.

    Raises
    ------
    ConfigError
        If there is no such model, or its search space is not valid.

    Examples
    --------
    >>> "n_neighbors" in load_space("knn").parameters
    True
    """
    shared = catalogue.read_entry("preprocess", "default")["space"]
    return make_space(load_learner(name), _section(name, "space"), shared)


def make_space(learner: Learner, own: Mapping[str, Any], shared: Mapping[str, Any]) -> SearchSpace:
    """Join the dimensions of a learner with those of the preprocessing, if it scales the columns.

    Parameters
    ----------
    learner : Learner
    own : mapping
        The ``space`` of the model's yaml.
    shared : mapping
        The ``space`` of conf/preprocess.

    Raises
    ------
    ConfigError
        If the space of the preprocessing has another dimension than ``transform``.
    """
    if unknown := set(shared) - {"transform"}:
        raise ConfigError(
            "preprocess.space must have no other dimension than transform; "
            f"got {sorted(unknown)[0]!r}."
        )
    scaled = shared if learner.traits.needs_scaling else {}
    return SearchSpace.from_config(
        {**own, **{f"preprocess.{name}": entry for name, entry in scaled.items()}}
    )


def build_learner(name: str, config: Mapping[str, Any]) -> Learner:
    """Build a learner from a composed ``learner`` section: ``_target_`` and a value per field.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    config : mapping
        Plain values.

    Returns
    -------
    Learner

    Raises
    ------
    ConfigError
        If ``_target_`` is not a learner of this package, a field is missing or unknown, or a value
        is not legal.
    """
    values = dict(config)
    cls = catalogue.resolve(str(values.pop("_target_", "")))
    if not (
        isinstance(cls, type)
        and dataclasses.is_dataclass(cls)
        and all(hasattr(cls, part) for part in ("traits", "build", "scale", "margin_form"))
    ):
        raise ConfigError(
            f"_target_ of model {name} must name a learner; got {config.get('_target_')!r}."
        )
    fields = [field.name for field in dataclasses.fields(cls)]
    for key in values:
        if key not in fields:
            raise ConfigError(_unknown(name, key, fields))
    missing = [key for key in fields if key not in values]
    if missing:
        raise ConfigError(
            f"conf/model/{name}.yaml must give every field a default; {missing[0]!r} is missing."
        )
    return cast(Learner, cls(**values))


def is_deep(identity: Mapping[str, Any]) -> bool:
    """Return whether the learner in a cell's identity is a deep one.

    Parameters
    ----------
    identity : mapping
        Of a `RunRecord`. A learner defined outside this package does not count as deep.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_deep({"learner": {"_target_": "smalldata.models.knn.KNN"}})
    False
    """
    learner = identity.get("learner") or {}
    try:
        cls = catalogue.resolve(str(learner.get("_target_", "")))
    except ConfigError:
        return False
    traits = getattr(cls, "traits", None)
    return isinstance(traits, Traits) and traits.deep


def _section(name: str, section: str) -> Mapping[str, Any]:
    found = catalogue.read_entry("model", name).get(section, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{section} in conf/model/{name}.yaml must hold keys and values.")
    return found


def _unknown(name: str, key: str, known: list[str]) -> str:
    hint = did_you_mean(key, known, f"it has {', '.join(known) or 'none'}.")
    return f"{name} has no hyperparameter {key!r}; {hint}"
