"""The interface to Hydra: it composes overrides, calls a function, and rewords Hydra's errors.

Hydra composes, sweeps and launches; what it writes itself (dated folders, ``.hydra/``,
``multirun.yaml``, logs) goes to a temporary folder.
First step of the line: command line -> composed config.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from smalldata.config.schema import describe_type
from smalldata.errors import ConfigError, did_you_mean
from smalldata.runtime.catalogue import conf_dir, names

CONFIG_NAME = "run"
_GROUPS = ("dataset", "model", "cv", "preprocess", "tune", "explain")
_LISTS = ("dataset.", "explain.", "signature.", "report.", "objectives")
"""Prefixes of the keys that take a list."""
_FLAGS = {"-m": "multirun", "--multirun": "multirun"}


def split_flags(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Separate ``-m`` from the overrides.

    Raises
    ------
    ConfigError
        If any other flag is given, or a word is not an override.
    """
    multirun = any(argument in _FLAGS for argument in arguments)
    rest = [argument for argument in arguments if argument not in _FLAGS]
    for argument in rest:
        if argument.startswith("-"):
            raise ConfigError(
                f"a run takes key=value and the flags -m, --help, --version; got {argument!r}. "
                "See python -m smalldata --help."
            )
        if "=" not in argument and not argument.startswith("~"):
            raise ConfigError(_bare_word(argument))
        if argument.startswith("="):
            raise ConfigError(f"an override must read key=value; got {argument!r}. See --help.")
    return multirun, rest


def run_composed(
    task_function: Callable[[Any], Any], overrides: Sequence[str], *, multirun: bool, scratch: Path
) -> None:
    """Compose the config for one job, or for each job of a sweep, and call the task function on it.

    Parameters
    ----------
    task_function : callable
        Takes a DictConfig; a sweeper optimises its return value.
    overrides : sequence of str
        ``key=value`` in Hydra's grammar; values that the grammar cannot parse are quoted.
    multirun : bool
        Sweep over the overrides that have several values.
    scratch : Path
        Existing folder for what Hydra writes.

    Raises
    ------
    ConfigError
        If the overrides do not compose.
    """
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from smalldata.config.hydra_keys import CheckedLoader  # imports Hydra, which is slow

    quoted = [quote_override(override) for override in overrides]
    if multirun:
        quoted = sweep_with_groups(quoted)
    pinned = [
        f"hydra.run.dir={quote_text(str(scratch / 'run'))}",
        f"hydra.sweep.dir={quote_text(str(scratch / 'sweep'))}",
        "hydra.sweep.subdir=${hydra.job.num}",
        "hydra.job.chdir=false",  # paths are relative to the user's working folder
    ]
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="smalldata"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        search_path = hydra.config_loader.get_search_path()
        hydra.config_loader = CheckedLoader(search_path, pinned=pinned, multirun=multirun)
        call = hydra.multirun if multirun else hydra.run
        with one_sentence(overrides):
            call(CONFIG_NAME, task_function, quoted, with_log_configuration=False)


def compose_dataset(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose the config of one run and return its section of the dataset as plain values.

    Raises
    ------
    ConfigError
        If the overrides do not compose.
    """
    from omegaconf import OmegaConf

    from smalldata.runtime.files import scratch_folder

    sections: list[Any] = []

    def keep(composed: Any) -> None:
        sections.append(OmegaConf.to_container(composed.dataset, resolve=True))

    with scratch_folder() as scratch:
        run_composed(keep, overrides, multirun=False, scratch=scratch)
    section: dict[str, Any] = sections[0]
    return section


def quote_override(override: str) -> str:
    """Return the override, with its value quoted if Hydra's grammar cannot parse it.

    To the user, ``dataset.target=Time (days)`` and paths with ``(``, ``=`` or ``#`` are plain text;
    so are the words of a list.

    Examples
    --------
    >>> quote_override("model=knn,svm")
    'model=knn,svm'
    >>> quote_override("dataset.target=Time (days)")
    "dataset.target='Time (days)'"
    >>> quote_override("dataset.drop=[Größe,age]")
    "dataset.drop=['Größe',age]"
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    try:
        parser.parse_override(override)
    except HydraException:  # not an override, or an unknown function
        key, _, value = override.partition("=")
        inside = [_quote_words(value)] if value[:1] in ("[", "{") else []
        for quoted in (*inside, quote_text(value)):
            with suppress(HydraException):
                parser.parse_override(f"{key}={quoted}")
                return f"{key}={quoted}"
        raise ConfigError(
            f"an override must read key=value; got {override!r}. See --help."
        ) from None
    return override


def _quote_words(value: str) -> str:
    """Quote the words of a list or mapping that have signs which Hydra's grammar lacks."""

    def quoted(found: re.Match[str]) -> str:
        word = found[0].strip()
        is_known = not word or word[0] in "'\"" or re.fullmatch(r"[\w.+*/%@?|-]+", word, re.ASCII)
        return found[0] if is_known else quote_text(word)

    return re.sub(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^]\[{},:]+""", quoted, value)


def sweep_with_groups(overrides: Sequence[str]) -> list[str]:
    """Return the overrides, with keys of swept groups turned into sweeps over one value.

    Hydra first composes what the jobs of a sweep share, without the swept groups. A key that only
    the swept models have would then be looked up in the default model.

    Examples
    --------
    >>> sweep_with_groups(["model=mlp,rnn", "model.learner.n_epochs=15", "seed=1"])
    ['model=mlp,rnn', 'model.learner.n_epochs=choice(15)', 'seed=1']
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = [parser.parse_override(override) for override in overrides]
    swept = {found.key_or_group for found in parsed if found.is_sweep_override()}
    made = list(overrides)
    for i, found in enumerate(parsed):
        group = re.split(r"[./]", found.key_or_group)[0]
        inside = group in swept and found.key_or_group != group
        if not inside or found.is_sweep_override() or found.is_delete():
            continue
        key, _, value = made[i].partition("=")
        with suppress(HydraException):  # a choice cannot be null; leave it as it is
            parser.parse_override(f"{key}=choice({value})")
            made[i] = f"{key}=choice({value})"
    return made


def quote_text(value: str) -> str:
    """Quote text for Hydra, where a backslash only matters before a quote or at the end."""
    escaped = re.sub(r"(\\*)'", lambda found: found.group(1) * 2 + "\\'", value)
    escaped = re.sub(r"(\\+)$", lambda found: found.group(1) * 2, escaped)
    return f"'{escaped}'"


def _bare_word(word: str) -> str:
    if word.startswith(_LISTS):
        return f"an option must have no blanks around =: {word}=VALUE."
    if Path(word).suffix:
        return (
            "a run takes key=value; for a table set "
            f"dataset=table dataset.path={word} dataset.target=COLUMN."
        )
    verbs = ("run", "compare", "explain", "summary", "look", "doctor", "datasets", "models")
    if word in verbs:
        return f"a verb must be the first word; got {word!r} later on. Move it to the front."
    hint = did_you_mean(
        word, verbs, f"verbs are {', '.join(verbs)}.", show=lambda verb: f"the verb {verb!r}"
    )
    return f"a run takes key=value; got {word!r}; {hint}"


@contextmanager
def one_sentence(overrides: Sequence[str]) -> Iterator[None]:
    """Turn errors of Hydra and OmegaConf into a ConfigError that says what to do."""
    from hydra.errors import (
        ConfigCompositionException,
        HydraException,
        InstantiationException,
        MissingConfigException,
        OverrideParseException,
    )
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except MissingConfigException as error:
        raise ConfigError(_missing_file(error.missing_cfg_file or "")) from None
    except OverrideParseException as error:
        raise ConfigError(f"an override must read key=value; got {error.override!r}.") from None
    except ConfigCompositionException as error:
        raise ConfigError(_not_composed(str(error), overrides)) from None
    except InstantiationException as error:
        raise ConfigError(_not_built(str(error))) from None
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_first_line(error)) from None


def _missing_file(missing: str) -> str:
    group, _, name = missing.rpartition("/") if "/" in missing else (missing, "", "")
    if group.partition("/")[0] == "hydra":
        package = f"hydra-{missing.rpartition('/')[2].partition('_')[0]}-launcher"
        return (
            f"{missing.rpartition('/')[0]} must name a plugin that is installed; "
            f"{missing.rpartition('/')[2]!r} is not. Install {package}, or leave it out."
        )
    known = names(group)
    if not name:
        return f"{group} must name a file of conf/{group}; known: {', '.join(known)}."
    if group == "dataset" and Path(name).suffix:
        from smalldata.config.hydra_keys import own_table

        return own_table(name)
    hint = did_you_mean(name, known, f"known: {', '.join(known) or 'none'}.")
    return f"{group} must name a file of conf/{group}; there is no {name!r}; {hint}"


def _not_built(message: str) -> str:
    """Name the option that a launcher or sweeper does not take."""
    kind = "launcher" if "Launcher'" in message.partition("\n")[0] else "sweeper"
    if found := re.search(r"unexpected keyword argument '(\w+)'", message):
        return f"the {kind} chosen has no option {found[1]!r}; leave out hydra.{kind}.{found[1]}."
    return f"the {kind} cannot be made from its options: {_first_line(message.partition(':')[2])}"


def _not_composed(message: str, overrides: Sequence[str]) -> str:
    if several := re.search(r"Ambiguous value for argument '([^=]+)=(.*)'", message):
        key, value = several.groups()
        instead = f" A list is written {key}=[{value}]." if key.startswith(_LISTS) else ""
        return f"{key} must be one value; got {value!r}. Add -m for a grid of them.{instead}"
    if wrong := re.search(r"Error merging override '?([^=]+)=(.*)", message):
        key, value = wrong.groups()
        return _wrong_type(key.lstrip("+"), value)
    if inside := re.search(r"In '([^']+)': \w+ raised while composing config:\n(.+)", message):
        return f"conf/{inside[1]}.yaml must fit the configuration; {inside[2].rstrip('.')}."
    found = re.search(r"Could not override '([^']+)'", message)
    if found is None:
        return _first_line(message)
    key = found.group(1)
    if key in ("hydra.sweeper.direction", "hydra.sweeper.directions"):
        return f"there is no key {key!r}: the measure decides which direction is better."
    if key == "hydra.sweeper.params":
        return f"the keys of {key} must be added; write '+{key}={{KEY:SWEEP}}'."
    if key.startswith("hydra.sweeper."):
        return unknown_key(key, _sweeper_keys())
    if key.startswith("hydra.launcher."):
        return f"the launcher chosen has no option {key.rpartition('.')[2]!r}; leave out {key}."
    if key.startswith("model.space."):
        return f"{key} does not exist yet; write '++{key}=VALUE' to add it."
    group = key.partition(".")[0].partition("/")[0]
    chosen = _chosen(group, overrides)
    if "/" in key:
        return _no_subgroup(key, group, chosen)
    owners = [name for name in names(group) if key in _group_keys(group, name)]
    if owners and owners != chosen:
        return _other_owners(key, group, chosen, owners)
    return unknown_key(key, _known_keys(group, chosen))


def _wrong_type(key: str, value: str) -> str:
    options = None
    if key.startswith("hydra.sweeper."):
        node = _sweeper_node()
        options = node._metadata.object_type
    allowed = options and describe_type(options, key.removeprefix("hydra.sweeper."))
    if allowed:
        return f"{key} must be {allowed}; got {value!r}."
    return f"{key} has a value of the wrong type; got {value!r}."


def _no_subgroup(key: str, group: str, chosen: Sequence[str]) -> str:
    """List the subgroups (model/optimizer=…) that the chosen models have."""
    have = list(dict.fromkeys(sub for name in chosen for sub in _subgroups(group, name)))
    if have:
        return unknown_key(key, [f"{group}/{sub}" for sub in have])
    owners = [name for name in names(group) if key in _group_keys(group, name)]
    if not owners:
        return unknown_key(key, _known_keys(group, ()))
    return _other_owners(key, group, chosen, owners)


def _other_owners(key: str, group: str, chosen: Sequence[str], owners: Sequence[str]) -> str:
    have = "has" if len(owners) == 1 else "have"
    without = [name for name in chosen if name not in owners] or chosen
    return (
        f"there is no key {key!r} with {group}={' or '.join(without)}; "
        f"{group}={' or '.join(owners)} {have} it."
    )


def _subgroups(group: str, name: str) -> list[str]:
    """Return the subfolders that a file of the group names in its defaults, such as optimizer."""
    from smalldata.runtime.catalogue import read_entry

    items = read_entry(group, name).get("defaults", [])
    return [sub for item in items if isinstance(item, dict) for sub in item]


def _sweeper_keys() -> list[str]:
    """Return the option keys of the sweeper; directions follow from the measures, so have none."""
    return [f"hydra.sweeper.{key}" for key in map(str, _sweeper_node()) if not key.startswith("_")]


def _sweeper_node() -> Any:
    from hydra.core.config_store import ConfigStore

    return ConfigStore.instance().load("hydra/sweeper/smalldata_optuna.yaml").node


def _chosen(group: str, overrides: Sequence[str]) -> list[str]:
    """Return the names chosen for a group of conf/, by the overrides or else by conf/run.yaml."""
    from smalldata.runtime.catalogue import read_yaml

    defaults = read_yaml(conf_dir() / f"{CONFIG_NAME}.yaml")["defaults"]
    found = next((item[group] for item in defaults if group in item), "")
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        found = value if key == group else found
    return [name.strip() for name in str(found).split(",") if name.strip() in names(group)]


def _group_keys(group: str, name: str) -> list[str]:
    """Return the dotted keys of one file of conf/."""
    from smalldata.runtime.catalogue import read_entry

    keys = [f"{group}/{sub}" for sub in _subgroups(group, name)]
    for key, value in read_entry(group, name).items():
        if key == "defaults":
            continue
        keys.append(f"{group}.{key}")
        if isinstance(value, dict) and key != "space":
            keys += [f"{group}.{key}.{inner}" for inner in value]
    return keys


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key does not exist, and name the nearest ones."""
    last = key.rpartition(".")[2]
    hint = (
        did_you_mean(key, known)
        or did_you_mean(last, [name for name in known if name.rpartition(".")[2] == last])
        or "see python -m smalldata --help."
    )
    return f"there is no key {key!r} in this configuration; {hint}"


def _known_keys(group_asked: str, chosen: Sequence[str]) -> list[str]:
    """Return the dotted keys of conf/; for the given group only those of the chosen files."""
    from smalldata.runtime.catalogue import read_yaml

    keys = []
    for name, value in read_yaml(conf_dir() / f"{CONFIG_NAME}.yaml").items():
        if name not in ("defaults", "hydra"):
            keys.append(name)
        if name in ("signature", "threshold"):
            keys += [f"{name}.{key}" for key in value]
    for group in _GROUPS:
        keys.append(group)
        for name in chosen if chosen and group == group_asked else names(group):
            keys += _group_keys(group, name)
    return [key for key in dict.fromkeys(keys) if not key.endswith("_target_")]


def _first_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
