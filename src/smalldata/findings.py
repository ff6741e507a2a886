"""What reading a table found that its user should know: one type, with a stable code a kind.

Step in the line: files -> **Dataset** -> Task. A finding says what is, by what it shows, and
what to do about it. Codes are never given to another kind; docs/findings.md lists them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["note", "warning"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of finding: its title, and whether the user should look at it or just be told."""

    title: str
    level: Level = "warning"


KINDS = {
    # samples and their ids
    "SD001": Kind(title="sample ids repeat"),
    "SD002": Kind(title="the ids name persons who recur"),
    "SD003": Kind(title="one row per measurement"),
    "SD004": Kind(title="quality controls among the samples"),
    "SD005": Kind(title="one label in several spellings"),
    "SD006": Kind(title="classes left out or merged", level="note"),
    "SD007": Kind(title="samples that copy each other"),
    "SD008": Kind(title="a column of persons who recur"),
    "SD009": Kind(title="summaries among the samples"),
    # what stands around the numbers
    "SD010": Kind(title="rows of units", level="note"),
    "SD011": Kind(title="rows above the header", level="note"),
    "SD012": Kind(title="text above the table", level="note"),
    "SD013": Kind(title="annotations of the features", level="note"),
    "SD014": Kind(title="metadata among the features"),
    "SD015": Kind(title="the table was turned", level="note"),
    "SD016": Kind(title="a format was recognised", level="note"),
    "SD017": Kind(title="blocks from the file", level="note"),
    "SD018": Kind(title="the range of a sheet"),
    "SD019": Kind(title="merged and hidden cells", level="note"),
    # features
    "SD020": Kind(title="gene symbols turned into dates or numbers"),
    "SD021": Kind(title="one feature separates the classes"),
    "SD022": Kind(title="constant columns", level="note"),
    "SD023": Kind(title="nearly constant columns", level="note"),
    "SD024": Kind(title="columns without a value"),
    "SD025": Kind(title="columns that copy each other", level="note"),
    "SD026": Kind(title="a feature named like the target"),
    "SD027": Kind(title="an id among the features"),
    "SD028": Kind(title="survival times"),
    "SD029": Kind(title="columns of dates"),
    # several files
    "SD030": Kind(title="ids that agree but for their spelling"),
    "SD031": Kind(title="samples that are not in every file"),
    "SD032": Kind(title="columns of the sample sheet left out", level="note"),
    "SD033": Kind(title="repeated feature names"),
    "SD034": Kind(title="ids found by those of another file", level="note"),
    # values
    "SD040": Kind(title="markers of missing values", level="note"),
    "SD041": Kind(title="values below a limit of detection"),
    "SD042": Kind(title="flags on numbers", level="note"),
    "SD043": Kind(title="zeros that may mean missing"),
    "SD044": Kind(title="numbers that may mean missing"),
    "SD045": Kind(title="numbers read as categories"),
    # features that describe no sample
    "SD046": Kind(title="how samples were handled"),
    "SD047": Kind(title="free text among the features"),
    "SD048": Kind(title="dates among the features"),
    # the folds of a run
    "SD049": Kind(title="no folds can be made"),
    # a workbook
    "SD050": Kind(title="formulas without values"),
}
"""The kinds, by code."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found in a table.

    Attributes
    ----------
    code : str
        Of `KINDS`.
    what : str
        What is, as a clause without a capital or a full stop.
    evidence : str
        Names and numbers that show it; may be empty.
    remedy : str
        What to do, as a clause with the option to type; may be empty where nothing need be done.

    Raises
    ------
    ValueError
        If there is no such code.

    Examples
    --------
    >>> str(Finding(code="SD029", what="1 column of dates left out", evidence="'visit'"))
    "1 column of dates left out: 'visit' [SD029]"
    """

    code: str
    what: str
    evidence: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        """Check the code."""
        if self.code not in KINDS:
            raise ValueError(f"code must be one of {', '.join(KINDS)}; got {self.code!r}.")

    @property
    def level(self) -> Level:
        """Whether the user should look at it (warning) or is just told (note)."""
        return KINDS[self.code].level

    @property
    def text(self) -> str:
        """The whole in one line, without the code."""
        shown = f"{self.what}: {self.evidence}" if self.evidence else self.what
        return f"{shown}; {self.remedy}" if self.remedy else shown

    def __str__(self) -> str:
        """Return the whole in one line."""
        return f"{self.text} [{self.code}]"


N_SHOWN = 6
"""Lines that a run gives to findings."""


def shown_findings(findings: Sequence[Finding]) -> list[str]:
    """Give at most six lines of findings, warnings first, by code; the last one counts the rest."""
    ordered = sorted(findings, key=lambda entry: (entry.level != "warning", entry.code))
    lines = [str(finding) for finding in ordered]
    if len(lines) > N_SHOWN:
        n_left = len(lines) - N_SHOWN + 1
        lines[N_SHOWN - 1 :] = [f"{n_left} more findings: see them with `python -m smalldata look`"]
    return lines
