"""What one process remembers between commands."""

from smalldata.cli import screen
from smalldata.run import cell as run_cell


def forget() -> None:
    """Remember no more than a new process would."""
    for remembered in (screen.reporter, run_cell._dataset, run_cell._task):
        remembered.cache_clear()
