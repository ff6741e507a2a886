"""The bundled yaml: where conf/ and data/ are, which names they have, and the only yaml reader.

The command line (through Hydra) and Python read numbers the same way: ``1e-3`` is a float. A
``_target_`` is checked by name against the package's own classes before anything is imported, so a
config cannot run code.
"""

import importlib
import re
from pathlib import Path
from typing import Any

import yaml

from smalldata.errors import ConfigError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
_TARGET = re.compile(r"smalldata\.(models|datasets)(\.[a-z_0-9]+)*\.[A-Za-z_0-9]+")


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number, as Hydra's own grammar does."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:float"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+0123456789."),
)


def conf_dir() -> Path:
    """Return the folder of the bundled configuration: next to src/ or in the package."""
    return _bundled("conf")


def data_dir() -> Path:
    """Return the folder of the bundled datasets."""
    return _bundled("data")


def tested_versions() -> dict[str, str]:
    """Return the library versions that the test suite runs with, by lower-case name."""
    lines = _bundled("constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if "==" in line and not line.startswith("#")]
    return {name.strip().lower().replace("_", "-"): pin.strip() for name, _, pin in pins}


def _bundled(name: str) -> Path:
    for candidate in (_PACKAGE / name, _PACKAGE.parents[1] / name):
        if candidate.exists():
            return candidate
    raise ConfigError(
        f"{name} must come with the package; it is neither in {_PACKAGE} nor next to "
        "src/. Reinstall smalldata."
    )


def names(group: str) -> list[str]:
    """List the names of the yaml files of a conf group (model, dataset, cv …)."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def read_entry(group: str, name: str) -> dict[str, Any]:
    """Read conf/<group>/<name>.yaml.

    Raises
    ------
    ConfigError
        If there is no such file; the message suggests the nearest names.
    """
    known = names(group)
    if name not in known:
        hint = did_you_mean(name, known, f"known: {', '.join(known)}.")
        raise ConfigError(f"{group} must name a file of conf/{group}; there is no {name!r}; {hint}")
    return read_yaml(conf_dir() / group / f"{name}.yaml")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one yaml file as a dict."""
    return parse_yaml(path.read_text(encoding="utf-8"), source=str(path))


def parse_yaml(text: str, *, source: str, as_text: bool = False) -> dict[str, Any]:
    """Read yaml text as a dict; ``source`` names it in the error, ``as_text`` keeps words as typed.

    Raises
    ------
    ConfigError
        If it is not yaml or not a mapping.
    """
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader if as_text else _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} must be yaml; {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{source} must have keys and values.")
    return content


def resolve(target: str) -> Any:
    """Import the class that a ``_target_`` names; only from smalldata.models or smalldata.datasets.

    Raises
    ------
    ConfigError
        If the class is elsewhere or does not exist.
    """
    if not _TARGET.fullmatch(target):
        raise ConfigError(
            f"_target_ must name a class of smalldata.models or smalldata.datasets; got {target!r}."
        )
    module_name, _, attribute = target.rpartition(".")
    file = _PACKAGE.joinpath(*module_name.split(".")[1:])
    if not (file.with_suffix(".py").is_file() or (file / "__init__.py").is_file()):
        raise ConfigError(
            f"_target_ must name a class that exists; there is no module {module_name!r}."
        )
    found = getattr(importlib.import_module(module_name), attribute, None)
    if found is None or getattr(found, "__module__", None) != module_name:
        raise ConfigError(
            f"_target_ must name a class that exists; {module_name} defines no {attribute!r}."
        )
    return found
