"""A look at a dataset before anything is fitted: its numbers, its page, the yaml that fixes it.

Step in the line: Dataset -> **Look** -> look.html.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from smalldata.datasets.saved import settings_yaml
from smalldata.errors import ConfigError, SplitError
from smalldata.findings import Finding
from smalldata.report.look_page.numbers import LookNumbers, read_numbers
from smalldata.report.look_page.page import look_page
from smalldata.resampling.strategies import make_splits
from smalldata.runtime.files import write_file
from smalldata.task import Dataset, make_task

PAGE = "look.html"


@dataclass(frozen=True, kw_only=True)
class Look(LookNumbers):
    """How a table was read; the attributes are those of `LookNumbers`."""

    @property
    def is_of_files(self) -> bool:
        """Whether it was read from files of the user's, so that a yaml can fix the reading."""
        return bool(self.settings.get("path"))

    def html(self, *, command: str = "") -> str:
        """Return the page: one HTML text that loads nothing.

        Parameters
        ----------
        command : str
            How to make it again, shown on the page.
        """
        return look_page(self, yaml=self.yaml(), command=command).html()

    def write(self, path: str | Path = PAGE, *, command: str = "") -> Path:
        """Write the page and return where it is.

        Parameters
        ----------
        path : str or Path
            File of the page; an older one is replaced.
        command : str
            How to make it again, shown on the page.
        """
        file = Path(path)
        write_file(file, self.html(command=command).encode())
        return file

    def yaml(self, folder: str | Path = ".") -> str:
        """Return the yaml that fixes the reading; empty unless it was read from the user's files.

        Parameters
        ----------
        folder : str or Path
            Of the yaml; paths in it are relative to this folder.
        """
        return settings_yaml(self.settings, folder=Path(folder)) if self.is_of_files else ""

    def save(self, path: str | Path) -> Path:
        """Write the yaml that fixes the reading, which ``dataset=PATH`` reads.

        Parameters
        ----------
        path : str or Path
            A new file, ending in .yaml.

        Returns
        -------
        Path

        Raises
        ------
        ConfigError
            If the file exists, has another ending, or the dataset was not read from a file.
        """
        file = Path(path)
        check_new_yaml(file)
        write_file(file, settings_yaml(self.settings, folder=file.parent).encode())
        return file


def check_new_yaml(file: Path) -> None:
    """Refuse a file for settings that exists or has another ending.

    Raises
    ------
    ConfigError
    """
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise ConfigError(f"--save must name a file that ends in .yaml; got {str(file)!r}.")
    if file.exists():
        raise ConfigError(f"--save must name a new file; {file} exists. Name another or remove it.")


def look(dataset: Dataset) -> Look:
    """Look at a dataset before anything is fitted.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    Look
        Numbers, findings, the page (`Look.html`, `Look.write`) and the yaml that fixes the reading
        (`Look.save`).

    Examples
    --------
    >>> from smalldata import load_dataset, look
    >>> seen = look(load_dataset("omics"))
    >>> seen.n_samples, seen.n_features, seen.positive
    (333, 130, 'Impaired')
    >>> [(entry.name, entry.n) for entry in seen.classes]
    [('Control', 242), ('Impaired', 91)]
    """
    return Look(**read_numbers(replace(dataset, findings=(*dataset.findings, *_folds(dataset)))))


def _folds(dataset: Dataset) -> list[Finding]:
    """Say why a run with the usual folds would refuse the dataset."""
    try:
        make_splits(make_task(dataset), "auto" if dataset.folds is None else "fixed")
    except SplitError as error:
        return [Finding(code="SD049", what="a run can't make its folds", evidence=str(error))]
    return []
