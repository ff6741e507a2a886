"""The verb ``compare``: one table of exactly the cells given."""

import sys
from collections.abc import Sequence

from smalldata.cli.arguments import cell_paths, key_values, known_values
from smalldata.cli.screen import DONE
from smalldata.comparison.comparison import compare
from smalldata.report import print_comparison
from smalldata.store.cell_folder import CellFolder


def run_verb(arguments: Sequence[str]) -> int:
    """Print one table of exactly the cells given, and say how many others are in their folders."""
    values, words = key_values(arguments, prefix="")
    measure = known_values(values, ("measure",), prefix="").get("measure")
    paths = cell_paths(words, verb="compare")
    folders = [CellFolder(path) for path in paths]
    records = [folder.with_permuted(folder.read_record()) for folder in folders]
    beside = {
        found.parent
        for path in paths
        for found in path.parent.glob("*/record.json")
        if found.parent.resolve() not in {given.resolve() for given in paths}
    }
    print_comparison(compare(records, measure=None if measure is None else str(measure)))
    if beside:
        sys.stdout.write(
            f"{len(beside)} more cell{'s' if len(beside) > 1 else ''} in the same folder "
            f"{'are' if len(beside) > 1 else 'is'} not in this table; Holm counts only what it "
            "shows.\n"
        )
    return DONE
