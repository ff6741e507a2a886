"""What comes with the package, as tables on stdout: the bundled datasets, the models.

Step in the line: none; conf/ -> **stdout**.
"""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from smalldata.errors import ConfigError
from smalldata.runtime.catalogue import data_dir, names, read_entry
from smalldata.runtime.console import open_console


def show_datasets(arguments: Sequence[str]) -> None:
    """Print the bundled tables and the ways to read others."""
    _no_arguments(arguments, verb="datasets")
    table = Table(box=None, pad_edge=False)
    for column in ("dataset", "kind", "rows × columns", "target"):
        table.add_column(column, no_wrap=True)
    table.add_column("from", overflow="fold")
    ways = []
    for name in names("dataset"):
        entry = read_entry("dataset", name)
        if not entry.get("citation"):
            ways.append(name)
            continue
        source = str(entry["citation"]).partition(")")[0] + ")"
        table.add_row(name, entry["kind"], _describe_size(entry["path"]), entry["target"], source)
    console = open_console()
    console.print(table)
    console.print(
        f"Other data: dataset={' | '.join(ways)}. Licences and citations: data/README.md.",
        soft_wrap=True,
    )


def _describe_size(path: str) -> str:
    from pyarrow.parquet import read_metadata

    found = read_metadata(data_dir() / path)
    return f"{found.num_rows:,} × {found.num_columns:,}"


def show_models(arguments: Sequence[str]) -> None:
    """Print the models, their hyperparameters and what may be searched."""
    _no_arguments(arguments, verb="models")
    table = Table(box=None, pad_edge=False)
    for column in ("model", "hyperparameter", "default"):
        table.add_column(column, no_wrap=True)
    table.add_column("search space", overflow="fold")
    for name in names("model"):
        entry = read_entry("model", name)
        rows = [key for key in entry["learner"] if key != "_target_"] or [""]
        for place, key in enumerate(rows):
            space = entry["space"].get(key)
            needs = escape(f"needs {entry['needs']}") if "needs" in entry and place == 0 else ""
            table.add_row(
                name if place == 0 else "",
                f"model.learner.{key}" if key else "",
                str(entry["learner"].get(key, "")),
                _describe_space(space) if space else needs,
            )
    open_console().print(table)


def _no_arguments(arguments: Sequence[str], *, verb: str) -> None:
    if arguments:
        raise ConfigError(f"{verb} takes no arguments; got {arguments[0]!r}.")


def _describe_space(space: dict[str, Any]) -> str:
    if space["kind"] == "categorical":
        return " | ".join(str(choice) for choice in space["choices"])
    scale = ", log" if space.get("log") else ""
    return f"{space['low']} to {space['high']}{scale}"
