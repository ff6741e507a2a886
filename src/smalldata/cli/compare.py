"""The verb ``compare``: one table of exactly the cells given."""

import sys
from collections.abc import Sequence
from typing import cast, get_args

from smalldata.cli.arguments import cell_paths, key_values, known_values
from smalldata.cli.screen import DONE
from smalldata.comparison.comparison import compare
from smalldata.errors import ConfigError
from smalldata.report import print_comparison
from smalldata.results.comparison import IntervalName
from smalldata.store.cell_folder import CellFolder


def run_verb(arguments: Sequence[str]) -> int:
    """Print one table of exactly the cells given, and say how many others are in their folders."""
    values, words = key_values(arguments, prefix="")
    asked = known_values(values, ("measure", "interval"), prefix="")
    paths = cell_paths(words, verb="compare")
    folders = [CellFolder(path) for path in paths]
    records = [folder.with_permuted(folder.read_record()) for folder in folders]
    beside = {
        found.parent
        for path in paths
        for found in path.parent.glob("*/record.json")
        if found.parent.resolve() not in {given.resolve() for given in paths}
    }
    measure = asked.get("measure")
    interval = str(asked.get("interval", "jackknife"))
    if interval not in get_args(IntervalName):
        raise ConfigError(
            f"interval must be {' or '.join(get_args(IntervalName))}; got {interval!r}."
        )
    print_comparison(
        compare(
            records,
            measure=None if measure is None else str(measure),
            interval=cast("IntervalName", interval),
        )
    )
    if beside:
        sys.stdout.write(
            f"{len(beside)} more cell{'s' if len(beside) > 1 else ''} in the same folder "
            f"{'are' if len(beside) > 1 else 'is'} not in this table; Holm counts only what it "
            "shows.\n"
        )
    return DONE
