"""Tables of samples out of what a format holds, with names and with what was taken for what.

Step in the line: **files** -> Dataset.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smalldata.datasets.assembling import listed, nearest
from smalldata.datasets.formats.cells import Features, Sheet
from smalldata.datasets.naming import nameless
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable, clean_name
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding
from smalldata.task import Dropped

Tables = dict[str, RawTable]
"""The tables that one file holds, by block; one without a name of its own is ``""``."""

SAMPLES = "samples"
"""Block of the table of samples that some formats hold beside the features."""

RUN_ENDINGS = re.compile(
    r"(?:\.(?:raw|mzml|mzxml|wiff2?|scan|dia|d|htrms|bam|sam|gz))+$", re.IGNORECASE
)


def name_features(
    sheet: Sheet,
    header: Sequence[str],
    features: Features,
    *,
    candidates: Sequence[int],
    options: TableOptions,
) -> tuple[list[str], str]:
    """Name features by their annotations.

    Each feature gets the first of its names that no other feature has. What is left without one
    gets its first and its last name together. ``name_column`` names one column instead, and with
    ``duplicates`` the first column names them, alike or not.

    Parameters
    ----------
    sheet : Sheet
    header : sequence of str
    features : Features
    candidates : sequence of int
        Columns of names, the best first; the last should be unique.
    options : TableOptions
        Of these ``name_column`` and ``duplicates``.

    Returns
    -------
    names : list of str
    told : str
        ``named by 'Gene names', 2 by 'Protein IDs'``.

    Raises
    ------
    ConfigError
        If ``name_column`` is not an annotation.
    DataError
        If names are missing or repeat, and ``duplicates`` does not say what to do.
    """
    if options.name_column is not None:
        known = {header[column]: column for column in features.texts}
        if options.name_column not in known:
            raise ConfigError(
                f"name_column must be an annotation in {sheet.source}; there is no "
                f"{options.name_column!r}{nearest(options.name_column, list(known))}"
            )
        candidates = [known[options.name_column]]
    if options.duplicates is not None:
        cells = zip(*(features.texts[column] for column in candidates), strict=True)
        names = [clean_name(next(filter(None, row), "")) for row in cells]
        _check_feature_names(names, sheet.source, options)
        return names, f"named by {header[candidates[0]]!r}"
    names = [""] * len(features)
    given: set[str] = set()
    used: Counter[str] = Counter()
    for column in candidates:
        entries = [clean_name(entry) for entry in features.texts[column]]
        counts = Counter(entries)
        for row, entry in enumerate(entries):
            if not names[row] and entry and counts[entry] == 1 and entry not in given:
                names[row] = entry
                given.add(entry)
                used[header[column]] += 1
    first, last = features.texts[candidates[0]], features.texts[candidates[-1]]
    for row, name in enumerate(names):
        if not name:
            parts = dict.fromkeys(part for part in (first[row], last[row]) if part)
            names[row] = "|".join(parts)
    _check_feature_names(names, sheet.source, options)
    (main, _), *others = used.most_common() or [(header[candidates[0]], 0)]
    told = ", ".join([f"named by {main!r}", *(f"{n} by {name!r}" for name, n in others)])
    return names, told


def _check_feature_names(names: list[str], source: str, options: TableOptions) -> None:
    if "" in names:
        told = nameless("feature", [at for at, name in enumerate(names, 1) if not name])
        raise DataError(
            f"every feature of {source} must have a name; {told}. "
            "Name another column: dataset.name_column=COLUMN."
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated and options.duplicates is None:
        raise DataError(
            f"features of {source} must have different names; {listed(repeated)} occur more than "
            "once. Say what to do with them: dataset.duplicates=mean, max, first or number."
        )


@dataclass
class Taken:
    """What a file was taken for, in one line.

    Attributes
    ----------
    taken_for : str
        ``a MaxQuant table of proteins``.
    facts : list of str
        What was taken and what was dropped, with counts.
    dropped : list of Dropped
    remedy : str
    """

    taken_for: str
    facts: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    remedy: str = ""

    def drop(self, what: str, names: Sequence[str], reason: str) -> None:
        """Note what is left out, if anything is."""
        if names:
            self.dropped.append(Dropped(what=what, names=tuple(names), reason=reason))

    def finding(self, source: str) -> Finding:
        """Make one line of it."""
        return Finding(
            code="SD016",
            what=f"{source} was taken for {self.taken_for}",
            evidence="; ".join(self.facts),
            remedy=self.remedy or "dataset.header=N reads it as a plain table",
        )


def turned_table(
    sheet: Sheet, *, samples: Sequence[str], names: Sequence[str], features: Features, taken: Taken
) -> RawTable:
    """Make a table of samples in rows out of features in rows.

    Raises
    ------
    DataError
        If a sample has no name, or two have the same.
    """
    ids = check_samples(samples, sheet.source)
    return RawTable(
        source=sheet.source,
        names=["", *names],
        columns=[ids, *features.values],
        places=[f"sample {sample}" for sample in ids],
        notes=(*sheet.notes, "transposed"),
        sha256=sheet.sha256,
        findings=(*sheet.findings, taken.finding(sheet.source)),
        dropped=tuple(taken.dropped),
        taken_for=taken.taken_for,
    )


def samples_table(
    source: str,
    *,
    id_name: str,
    ids: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    sha256: str,
    taken_for: str,
) -> RawTable:
    """Make the table of samples that stands in a file beside its features."""
    return RawTable(
        source=source,
        names=[id_name, *columns],
        columns=[list(ids), *(list(cells) for cells in columns.values())],
        places=[f"sample {sample}" for sample in ids],
        notes=("its samples",),
        sha256=sha256,
        taken_for=taken_for,
        settings={"id": id_name} if id_name else {},
        is_sheet=True,
    )


def with_samples(
    table: RawTable, columns: Mapping[str, Sequence[str]], *, taken_for: str
) -> Tables:
    """Give a table, and beside it the one of its samples where columns describe these."""
    if not columns:
        return {"": table}
    described = samples_table(
        table.source,
        id_name="",
        ids=[str(sample) for sample in table.columns[0]],
        columns=columns,
        sha256=table.sha256,
        taken_for=taken_for,
    )
    return {"": table, SAMPLES: described}


def table_of_rows(
    sheet: Sheet,
    *,
    names: Sequence[str],
    columns: Sequence[list[str]],
    lines: Sequence[int],
    taken: Taken,
    id_name: str,
    is_sheet: bool = False,
    categories: Sequence[str] = (),
) -> Tables:
    """Make a table of samples that stand in rows.

    Parameters
    ----------
    sheet : Sheet
    names : sequence of str
    columns : sequence of list of str
    lines : sequence of int
        Line of each row in the file.
    taken : Taken
    id_name : str
        The column of the sample ids.
    is_sheet : bool
        The columns describe the samples.
    categories : sequence of str
        Columns that the file says are categories.
    """
    table = RawTable(
        source=sheet.source,
        names=list(names),
        columns=[*columns],
        places=[f"{sheet.place} {line}" for line in lines],
        notes=sheet.notes,
        sha256=sheet.sha256,
        findings=(*sheet.findings, taken.finding(sheet.source)),
        dropped=tuple(taken.dropped),
        taken_for=taken.taken_for,
        settings={"id": id_name},
        is_sheet=is_sheet,
        categories=dict.fromkeys(categories, ()),
    )
    return {"": table}


def check_samples(samples: Sequence[str], source: str, *, stand: str = "columns") -> list[str]:
    """Refuse samples without a name, or of the same name; they stand in columns or in rows."""
    ids = [clean_name(sample) for sample in samples]
    if not all(ids):
        absent = [at for at, name in enumerate(ids, 1) if not name]
        raise DataError(
            f"every sample of {source} must have a name; {nameless('sample', absent)}. "
            f"Name {'it' if len(absent) == 1 else 'them'} in the file."
        )
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if repeated:
        raise DataError(
            f"samples of {source} must have different names; {listed(repeated)} occur more than "
            f"once. Rename or delete the repeated {stand} in the file."
        )
    return ids


def run_names(paths: Sequence[str]) -> list[str]:
    r"""Shorten paths to base names without the endings of instruments, if they stay different.

    Examples
    --------
    >>> run_names([r"D:\runs\a1.raw", "/data/a2.mzML"])
    ['a1', 'a2']
    """
    base = [re.split(r"[\\/]", path.strip())[-1] for path in paths]
    for shorter in ([RUN_ENDINGS.sub("", name) for name in base], base):
        if len(set(shorter)) == len(paths) and all(shorter):
            return shorter
    return list(paths)


def counted(n: int, word: str) -> str:
    """Write a count with its noun: ``1 row``, ``2 rows``."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"
