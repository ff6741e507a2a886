"""What a further member of a kind of tables is: its files, how they are opened, what they give."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import openpyxl

N = 12
CLASSES = ["case", "control"] * (N // 2)
GENES = ["IL6", "CXCL8", "ALB", "APOE", "CRP"]
IDS = [f"P{n:02d}_T" for n in range(1, N + 1)]
VALUES = np.random.default_rng(15).normal(12, 2, (N, 5)).round(4)


@dataclass(frozen=True, kw_only=True)
class Member:
    """Files by the name of their block, and the truth about them.

    ``names`` are the features in order; None where the format leaves their names open. ``says`` are
    words of the output. ``refuses``: the run ends with status 2.
    """

    files: Mapping[str, tuple[str, bytes]]
    overrides: Sequence[str]
    ids: Sequence[str] = field(default_factory=lambda: IDS)
    names: Sequence[str] | None = field(default_factory=lambda: GENES)
    values: np.ndarray = field(default_factory=lambda: VALUES)
    labels: Sequence[str] = field(default_factory=lambda: CLASSES)
    says: Sequence[str] = ()
    refuses: bool = False

    @property
    def path(self) -> str:
        """The path as it is given on the command line."""
        names = {block: name for block, (name, _) in self.files.items()}
        if len(names) == 1:
            return next(iter(names.values()))
        return "{" + ",".join(f"{block}:{name}" for block, name in names.items()) + "}"


def text(rows, separator="\t", end="\n", *, encoding="utf-8", quotes=False):
    """Write rows of cells as text."""
    cell = '"{}"' if quotes else "{}"
    body = (separator.join(cell.format(value) for value in row) for row in rows)
    return (end.join(body) + end).encode(encoding)


def sheet(ids=IDS, *, name="sample", target="class", labels=CLASSES, separator=","):
    """Write a table of the samples and their classes."""
    return "sheet.csv", text([[name, target], *zip(ids, labels, strict=True)], separator)


def workbook(sheets, merged=()):
    """Write the sheets of a workbook; ``merged`` are cells of the first."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(list(row))
    for cells in merged:
        book.worksheets[0].merge_cells(cells)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


TARGET = "dataset.target=class"


def beside(name, content, ids=IDS, *, table=None, overrides=(), **more):
    """A file of values next to the table of its samples, `sheet` unless another is given."""
    files = {"values": (name, content), "sheet": table or sheet(ids)}
    return Member(files=files, ids=ids, overrides=(*overrides, TARGET), **more)


def in_rows(names=GENES, values=VALUES, more=lambda j: ()):
    """Rows of features: the name, what annotates it, the values."""
    return [[name, *more(j), *values[:, j]] for j, name in enumerate(names)]
