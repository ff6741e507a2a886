"""The verb ``datasets``: the bundled tables, and the ways to read others."""

from collections.abc import Sequence

from rich.table import Table

from smalldata.cli.arguments import refuse_arguments
from smalldata.cli.screen import DONE
from smalldata.runtime.catalogue import data_dir, names, read_entry
from smalldata.runtime.console import open_console


def run_verb(arguments: Sequence[str]) -> int:
    """Print the bundled tables and the ways to read others."""
    refuse_arguments(arguments, verb="datasets")
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
    return DONE


def _describe_size(path: str) -> str:
    from pyarrow.parquet import read_metadata

    found = read_metadata(data_dir() / path)
    return f"{found.num_rows:,} × {found.num_columns:,}"
