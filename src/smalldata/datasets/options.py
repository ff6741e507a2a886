"""How a table is read: the keys of conf/dataset/table.yaml as one object.

Step in the line: **files -> Dataset** -> Task. What is not given is found out, and said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smalldata.datasets.assembling import several
from smalldata.errors import ConfigError

Names = Sequence[str] | str


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    r"""What a user may say about a table.

    Attributes
    ----------
    path : str, Path or mapping
        csv, tsv, txt (each also .gz, .bz2, .xz), parquet or xlsx; several files as
        ``{block: file}``, joined on the sample id. The target and the other roles may be in any of
        the files; a file whose features are not wanted is left out by ``blocks``.
    target : str
        The column to predict.
    kind : str, optional
        binary, multiclass or regression. Default: see `target.infer_kind`.
    positive : object, optional
        The positive class. Default: see `target.infer_positive`.
    classes : sequence of str or mapping, optional
        The classes to keep, others leave with their rows; ``{case: [Case, CASE], control: ...}``
        merges spellings or classes.
    ignore_case : bool
        Classes that differ in case and blanks only are one.
    id : str or mapping, optional
        The column of sample ids, or one per block as ``{otu: Group, meta: sample}``; blocks that
        are not named find theirs. Default: see `joining.infer_id`; else the row numbers.
    replicates : str, optional
        What to do with rows of the same id: ``mean``, ``first``, or ``group`` to keep them
        together.
    groups : str, optional
        Column of rows that stay together; ``id:PATTERN`` takes the first group of a regular
        expression out of the ids. Never a feature.
    batch, folds : str, optional
        Columns of the measurement batch, of fold ids for ``cv=fixed``. Never features.
    blocks : sequence of str, optional
        Blocks (files) whose features are used; default: all.
    features : sequence of str, optional
        Which columns are features: names, patterns with ``*`` and ``?``, or a file with one name a
        line. Default: all without another role, except those of a table of samples beside others.
    drop : sequence of str
        Columns that are no features: names, or patterns with ``*`` and ``?``.
    duplicates : str, optional
        What to do with features of the same name: ``mean``, ``max``, ``first`` or ``number`` them.
    categorical : sequence of str
        Columns of numbers that are categories.
    missing : sequence of str
        Further markers of a missing value, beside those that `columns` names: words in any case,
        numbers in any spelling, in features and in every role.
    below_detection : str, optional
        What a value below a limit of detection is: ``missing``, ``half`` or ``value`` (of the limit
        that the cell states, else of the smallest value of the column in the training rows).
    strip_flags : bool
        Take flags off numbers: ``12.3*``, ``5.1a``, ``7 (J)``. A column with more numbers that
        have letters than others stays text.
    zeros : str, optional
        ``missing``: zeros are missing values, but in columns of 0 and 1.
    separator, decimal, encoding : str, optional
        How a text file is written; default: found out.
    header : int or mapping, optional
        Line of the header, counted from 1, or one per block; default: found out.
    transpose : bool or sequence of str, optional
        Features stand in rows: in all files, or in the blocks named; default: found out.
    name_column : str, optional
        With features in rows: the column of their names. Default: the first whose entries are all
        different.
    long : mapping, optional
        One row per measurement: ``{id: COLUMN, name: COLUMN, value: COLUMN}``.
    sheet : str, int or sequence of str, optional
        Sheet of a workbook, by name or counted from 0; several are joined, each a block of its
        name. Default: the first.
    join_how : str
        ``inner`` keeps samples that are in every file, and refuses if more than half of a file
        would be left out; ``part`` keeps them in that case too; ``outer`` keeps all.
    join_ids : str
        ``exact``, or ``loose``: ids may differ in case, punctuation, a leading X, leading zeros,
        ``.0``, and in what all ids of a file begin or end with. See `matching.RULES`.
    drop_missing_target : bool
        Leave out rows without a target; otherwise such rows are an error.
    drop_empty : bool
        Leave out features without any value; otherwise they are an error.
    name : str, optional
        Name of the dataset instead of the file's; six characters of the table's fingerprint follow
        in any case.
    sha256 : str
        Checksum of a single file; empty: not checked.
    licence, citation : str
        Kept as provenance.

    Raises
    ------
    ConfigError
        If a value is none of those it may be.
    """

    path: str | Path | Mapping[str, str | Path] | None = None
    target: str | None = None
    kind: str | None = None
    positive: object = None
    classes: Sequence[str] | Mapping[str, Sequence[str] | str] | None = None
    ignore_case: bool = False
    id: str | Mapping[str, str] | None = None
    replicates: str | None = None
    groups: str | None = None
    batch: str | None = None
    folds: str | None = None
    blocks: Names | None = None
    features: Names | None = None
    drop: Names = ()
    duplicates: str | None = None
    categorical: Names = ()
    missing: Names = ()
    below_detection: str | None = None
    strip_flags: bool = False
    zeros: str | None = None
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: int | Mapping[str, int] | None = None
    transpose: bool | Names | None = None
    name_column: str | None = None
    long: Mapping[str, str] | None = None
    sheet: str | int | Sequence[str] | None = None
    join_how: str = "inner"
    join_ids: str = "exact"
    drop_missing_target: bool = False
    drop_empty: bool = False
    name: str | None = None
    sha256: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        """Check the values that are one of a few."""
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value is not None and value not in choices:
                words = [repr(choice) if key == "decimal" else choice for choice in choices]
                raise ConfigError(
                    f"{key} must be {', '.join(words[:-1])}{' or ' if words[:-1] else ''}"
                    f"{words[-1]}; got {value!r}."
                )

    @property
    def roles(self) -> dict[str, str]:
        """Column of the target and of each other role that was named."""
        named = {
            "target": self.target,
            "groups": None if self.groups_pattern is not None else self.groups,
            "batch": self.batch,
            "folds": self.folds,
        }
        return {role: str(column) for role, column in named.items() if column not in (None, "")}

    @property
    def groups_pattern(self) -> str | None:
        """The regular expression that takes groups out of the ids."""
        return str(self.groups)[3:] if str(self.groups).startswith("id:") else None

    def id_of(self, block: str) -> str | None:
        """Give the column that ``id`` names for a block."""
        named = self.id.get(block) if isinstance(self.id, Mapping) else self.id
        return None if named is None else str(named)

    @property
    def marks(self) -> frozenset[str]:
        """Further markers of a missing value."""
        return frozenset(several(self.missing))


_CHOICES = {
    "decimal": (".", ","),
    "replicates": ("mean", "first", "group"),
    "duplicates": ("mean", "max", "first", "number"),
    "below_detection": ("missing", "half", "value"),
    "zeros": ("missing",),
    "join_how": ("inner", "part", "outer"),
    "join_ids": ("exact", "loose"),
}
