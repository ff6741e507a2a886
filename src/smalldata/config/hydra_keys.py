"""The settings of Hydra's own that a run accepts, checked before Hydra acts on them.

Hydra builds whatever a ``_target_`` below ``hydra`` names and sets up logging from a dictionary
that can name any class and any file, so a setting can run code or overwrite a file, even in a dry
run. Only the keys listed here may be set, on the command line or in a yaml file; everything else
keeps the package's value. Step in the line: overrides -> **checked composition** -> config.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from smalldata.datasets.saved import is_saved, read_settings
from smalldata.errors import ConfigError
from smalldata.runtime.catalogue import conf_dir, names

PLUGINS = {
    "sweeper": {
        "basic": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "smalldata_optuna": "hydra_plugins.smalldata_optuna.sweeper.SmalldataOptunaSweeper",
    },
    "launcher": {
        "basic": "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "joblib": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
        "submitit_local": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
        "submitit_slurm": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
    },
}
"""The plugins that a run may use, and the class of each."""

_LOGGING = {"version": 1, "root": {"level": "ERROR"}, "disable_existing_loggers": True}
_KEPT: dict[str, Any] = {
    "callbacks": {},
    "searchpath": [],
    "output_subdir": None,
    "job_logging": _LOGGING,
    "hydra_logging": _LOGGING,
    "job.env_set": {},
    "job.env_copy": [],
}
"""Settings that Hydra runs, reads from, writes to or exports; none may be changed."""

_PATH_LIKE = re.compile(r"[/\\]|\.\.|\$\{")


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader, restricted to what a run accepts.

    The command line, each job of a grid and each trial of a sweep all go through it.

    Parameters
    ----------
    config_search_path : ConfigSearchPath
    pinned : sequence of str
        Our own overrides, applied last.
    multirun : bool
        Whether this is a grid or a search; one cell does not use a sweeper or a launcher.
    """

    def __init__(self, config_search_path: Any, *, pinned: Sequence[str], multirun: bool) -> None:
        super().__init__(config_search_path=config_search_path)
        self.pinned = tuple(pinned)
        self.multirun = multirun

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose, or raise ConfigError for what a run does not accept."""
        asked = [override for override in overrides if override not in self.pinned]
        parsed = OverridesParser.create().parse_overrides(asked)
        for override in parsed:
            check_override(override)
            if override.is_hydra_override() and not self.multirun:
                raise ConfigError(f"{override.key_or_group} belongs to a grid or a search; add -m.")
        try:
            composed = super().load_configuration(
                config_name=config_name,
                overrides=[*map(_table_for_file, asked, parsed), *self.pinned],
                run_mode=run_mode,
                from_shell=from_shell,
                validate_sweep_overrides=validate_sweep_overrides,
            )
        except AttributeError:  # OmegaConf cannot merge keys into null
            if not any("hydra.sweeper.params" in override for override in asked):
                raise
            raise ConfigError(
                "hydra.sweeper.params belongs to hydra/sweeper=smalldata_optuna; without it write "
                "KEY=A,B for a grid."
            ) from None
        check_composed(composed)
        _fill_from_file(composed, parsed, asked=asked)
        return composed


def check_override(override: Override) -> None:
    """Refuse an override that a run does not accept.

    Raises
    ------
    ConfigError
        If it sets a key of Hydra's own that is not listed here, moves a group elsewhere, or names a
        file outside ``conf/``.
    """
    key = override.key_or_group
    if override.package is not None:
        raise ConfigError(
            f"a run takes {key}=NAME; got {override.input_line!r}. Leave out @{override.package}."
        )
    words = re.split(r"[./]", key)
    if words[0].startswith("hydra"):
        _check_hydra_key(key, words, override)
    elif "/" in key or (conf_dir() / key).is_dir():
        for value in () if override.is_delete() else _values(override):
            _check_name(key, value, written=str(override.input_line).partition("=")[2])


def check_composed(composed: DictConfig) -> None:
    """Refuse a composed configuration if a yaml file set what only the package may set.

    Raises
    ------
    ConfigError
        If a setting differs from the package's, or a plugin or file is not trusted.
    """
    for key, kept in _KEPT.items():
        found = _plain(OmegaConf.select(composed.hydra, key))
        if found != kept:
            raise ConfigError(
                f"hydra.{key} must stay as the package sets it, since it can run code or overwrite "
                f"files; a yaml file or override sets it to {_short(found)}. Remove it there."
            )
    for kind, known in PLUGINS.items():
        node = _plain(composed.hydra[kind]) or {}
        target = node.pop("_target_", None)
        if target not in known.values():
            raise ConfigError(_unknown_plugin(f"hydra.{kind}._target_", kind, target))
        _check_plain(f"hydra.{kind}", node)
    for group, name in composed.hydra.runtime.choices.items():
        if name is not None and _PATH_LIKE.search(str(name)):
            raise ConfigError(_outside(group, name))


def _check_hydra_key(key: str, words: Sequence[str], override: Override) -> None:
    kind = words[1] if len(words) > 1 else ""
    if key in ("hydra/sweeper", "hydra/launcher") and not override.is_delete():
        for name in _values(override):
            if name not in PLUGINS[kind]:
                raise ConfigError(_unknown_plugin(key, kind, name))
    elif key.startswith(("hydra.sweeper.", "hydra.launcher.")):
        value = None if override.is_delete() else override.value()
        _check_plain(key.rpartition(".")[0], {words[-1]: value})
        if hidden := [word for word in words if word.startswith("_")]:
            raise ConfigError(_not_taken(f"{hidden[0]} in {key}"))
    else:
        raise ConfigError(_not_taken(key))


def _check_plain(key: str, value: Any) -> None:
    """Refuse keys such as ``_target_`` inside a setting; Hydra would build what they name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if str(name).startswith("_"):
                raise ConfigError(_not_taken(f"{name} in {key}"))
            _check_plain(f"{key}.{name}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_plain(key, inner)


def _is_file(override: Override) -> bool:
    """Whether this names a yaml file as the dataset, and no sweep over several."""
    return (
        override.key_or_group == "dataset"
        and not override.is_delete()
        and not override.is_sweep_override()
        and is_saved(override.value())
    )


def _table_for_file(written: str, override: Override) -> str:
    return "dataset=table" if _is_file(override) else written


def _fill_from_file(
    composed: DictConfig, overrides: Sequence[Override], *, asked: Sequence[str]
) -> None:
    """Put the settings of a yaml file that names the dataset below those of the command line."""
    files = [str(override.value()) for override in overrides if _is_file(override)]
    if not files:
        return
    said = {
        override.key_or_group.split(".")[1]
        for override in overrides
        if override.key_or_group.startswith("dataset.")
    }
    for key, value in read_settings(files[-1]).items():
        if key not in said:
            OmegaConf.update(composed, f"dataset.{key}", value, merge=False)
    # The command is kept in the record as it was given.
    task = composed.hydra.overrides.task
    for place, override in enumerate(overrides):
        if _is_file(override) and "dataset=table" in task:
            task[list(task).index("dataset=table")] = asked[place]


def _check_name(key: str, value: Any, *, written: str) -> None:
    if key == "dataset" and is_saved(value):
        return
    if isinstance(value, str):
        if _PATH_LIKE.search(value):
            raise ConfigError(_outside(key, value))
        return
    known = names(key)
    choices = f": {', '.join(known)}" if known else ", which has none"
    hint = f" Leave {key} out for none." if value is None else ""
    hint = f" Set {key}.KEY=VALUE for one of its settings." if isinstance(value, dict) else hint
    raise ConfigError(f"{key} must name one file of conf/{key}{choices}; got {written}.{hint}")


def _values(override: Override) -> Iterator[Any]:
    """Yield the values that an override sets: several for a sweep."""
    found: Any = override._value
    if isinstance(found, Glob):
        yield from [*found.include, *found.exclude]
    elif override.is_sweep_override():
        listed = getattr(found, "list", None)
        for value in [found] if listed is None else listed:
            yield getattr(value, "text", value)
    else:
        yield override.value()


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _not_taken(what: str) -> str:
    return (
        "of Hydra's own keys a run takes hydra/sweeper, hydra/launcher and the options "
        f"hydra.sweeper.KEY and hydra.launcher.KEY; got {what}. Leave it out."
    )


def _unknown_plugin(key: str, kind: str, found: Any) -> str:
    return (
        f"{key} must be one of the {kind}s that smalldata trusts, "
        f"{', '.join(PLUGINS[kind])}; got {_short(found)}. Set hydra/{kind}=NAME."
    )


def own_table(name: Any) -> str:
    """Say how a table of one's own is named, where a file is given as the dataset."""
    return (
        f"dataset must name a file of conf/dataset; for a table of your own set "
        f"dataset=table dataset.path={name} dataset.target=COLUMN."
    )


def _outside(group: str, name: Any) -> str:
    if group == "dataset":
        return own_table(name)
    return (
        f"{group} must be the bare name of a file of conf/{group}, without a path; got {name!r}. "
        f"Known: {', '.join(names(group)) or 'none'}."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
