"""Tables whose rows are only numbered: the numbers are no ids of samples.

Step in the line: **files** -> Dataset. pandas and R write the numbers as a first column without a
name. They give way to a column that holds ids, and options that are about ids are refused where
there are none.
"""

from collections.abc import Mapping
from dataclasses import replace

from smalldata.datasets.commands import command
from smalldata.datasets.joining import infer_id, row_numbers, without_ids
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable
from smalldata.errors import ConfigError


def without_row_numbers(
    tables: Mapping[str, RawTable], options: TableOptions, decimals: Mapping[str, str]
) -> dict[str, RawTable]:
    """Take the row numbers out of tables in which another column holds the ids.

    Parameters
    ----------
    tables : mapping of str to RawTable
    options : TableOptions
        Of these the id, and the columns that are something else.
    decimals : mapping of str to str
        Decimal sign of each block.

    Returns
    -------
    dict of str to RawTable

    Raises
    ------
    ConfigError
        If no table has ids, and the user asks for replicates, or for groups from the ids.
    """
    # Groups may be named by the column of ids that repeat.
    apart = [name for role, name in options.roles.items() if role != "groups"]
    taken = [*apart, *without_ids(tables, options)]
    kept: dict[str, RawTable] = {}
    have_ids = []
    for block, table in tables.items():
        bare = table
        if row_numbers(table) and len(table.names) > 1:
            bare = replace(table, names=table.names[1:], columns=table.columns[1:])
        has_ids = (
            options.id_of(block) in bare.names
            or infer_id(bare, decimal=decimals[block], taken=taken) is not None
        )
        have_ids.append(has_ids)
        kept[block] = bare if has_ids else table
    if not any(have_ids):
        _refuse(tables, options)
    return kept


def _refuse(tables: Mapping[str, RawTable], options: TableOptions) -> None:
    """Refuse what is about ids where rows are only numbered."""
    if options.replicates is not None:
        asked = f"replicates={options.replicates} must have sample ids that repeat"
    elif options.groups_pattern is not None:
        asked = "groups=id:PATTERN must have sample ids to take the groups from"
    else:
        return
    sources = " and ".join(table.source for table in tables.values())
    block = next(iter(tables))
    column = command("id", "COLUMN" if len(tables) == 1 else {block: "COLUMN"})
    raise ConfigError(
        f"{asked}; the rows of {sources} are only numbered. Name the column of ids with {column}."
    )
