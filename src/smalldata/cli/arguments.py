"""The arguments of a verb: folders of cells, and keys with values."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smalldata.errors import ConfigError, RecordError, did_you_mean
from smalldata.runtime.catalogue import parse_yaml


def cell_paths(words: Sequence[str], *, verb: str) -> list[Path]:
    """Return the cell folders that are named or lie in a named comparison folder."""
    if not words:
        raise RecordError(f"{verb} takes folders below outputs/; got none. Name at least one cell.")
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if (path / "record.json").is_file():
            found.append(path)
        elif cells := sorted(inner.parent for inner in path.glob("*/record.json")):
            found += cells
        else:
            raise RecordError(f"{verb} takes folders of finished cells; {word} {_instead(path)}")
    return list(dict.fromkeys(found))


def _instead(path: Path) -> str:
    """Describe what a folder without cells has instead, such as folders below it that have some."""
    if not path.is_dir():
        return "is not a folder."
    if (path / "folds").is_dir():
        return "is not finished. Run its command again."
    below = Counter(found.parent.parent for found in path.rglob("record.json"))
    if not below:
        return "has no finished cell."
    shown = [f"{folder} ({n} cell{'s' if n > 1 else ''})" for folder, n in sorted(below.items())]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return f"has none itself. Name one below it: {', '.join(shown[:5])}{more}."


def key_values(arguments: Sequence[str], *, prefix: str) -> tuple[dict[str, Any], list[str]]:
    """Separate key=value from plain words; strip the prefix of keys and read values as yaml."""
    values: dict[str, Any] = {}
    words = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and not Path(argument).exists():
            parsed = parse_yaml(f"value: {value}", source=argument)["value"]
            if isinstance(parsed, list):  # names: sample 007 is not 7, feature NO is not false
                parsed = parse_yaml(f"value: {value}", source=argument, as_text=True)["value"]
            values[key.removeprefix(prefix)] = None if parsed == "all" else parsed
        else:
            words.append(argument)
    return values, words


def known_values(values: dict[str, Any], keys: Sequence[str], *, prefix: str) -> dict[str, Any]:
    """Return the values, or refuse a key that the verb does not take."""
    for key in values:
        if key not in keys:
            hint = did_you_mean(
                key, keys, "the rest is set by the cell.", show=lambda name: f"{prefix}{name}"
            )
            known = ", ".join(f"{prefix}{name}" for name in keys)
            raise ConfigError(f"stored cells take {known}; there is no key {key!r}; {hint}")
    return values


def refuse_arguments(arguments: Sequence[str], *, verb: str) -> None:
    """Refuse any word after a verb that takes none."""
    if arguments:
        raise ConfigError(f"{verb} takes no arguments; got {arguments[0]!r}.")
