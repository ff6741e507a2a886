"""What one process remembers between commands."""

from smalldata import cli, running


def forget() -> None:
    """Remember no more than a new process would."""
    for remembered in (cli._reporter, running._dataset, running._task):
        remembered.cache_clear()
