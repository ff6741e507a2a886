"""The verb ``models``: the models, their hyperparameters and search spaces."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from smalldata.cli.arguments import refuse_arguments
from smalldata.cli.screen import DONE
from smalldata.runtime.catalogue import names, read_entry
from smalldata.runtime.console import open_console


def run_verb(arguments: Sequence[str]) -> int:
    """Print the models, their hyperparameters and search spaces."""
    refuse_arguments(arguments, verb="models")
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
    return DONE


def _describe_space(space: dict[str, Any]) -> str:
    if space["kind"] == "categorical":
        return " | ".join(str(choice) for choice in space["choices"])
    scale = ", log" if space.get("log") else ""
    return f"{space['low']} to {space['high']}{scale}"
