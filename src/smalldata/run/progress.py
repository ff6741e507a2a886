"""What the user sees while a cell runs, on stderr: a bar on a terminal, plain lines on a pipe."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from smalldata.results.record import RunRecord
from smalldata.runtime.console import open_console

Item = TypeVar("Item")

SILENCE = 0.8
"""Seconds after which a stage on a pipe says that it has begun, unless it has said more."""

PLAIN_STEPS = 4
"""Lines a long stage prints on a pipe, besides its last."""

CUT_SHORT = ("not tuned", "tuning ended")
"""How the notes of a fold begin if it was not tuned as requested."""

MOST_NOTES = 3
"""How many different ones are shown."""


class Reporter:
    """Speaks to the user on stderr; every sentence once.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to write; default: stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or open_console(stderr=True, soft_wrap=True)
        self._said: set[str] = set()

    def say(self, text: str, *, style: str | None = None) -> None:
        """Print one line, unless it was printed before."""
        if text not in self._said:
            self._said.add(text)
            self.console.print(text, style=style, markup=False)

    def warn(self, text: str) -> None:
        """Print one line the user should look at."""
        self.say(f"note: {text}", style="yellow")

    def follow(
        self, items: Iterable[Item], *, title: str, total: int, done: int = 0
    ) -> Iterator[Item]:
        """Yield the items and show how many of ``total`` are done."""
        if self.console.is_terminal:
            yield from self._bar(items, title=title, total=total, done=done)
        else:
            yield from self._lines(items, title=title, total=total, done=done)

    @contextmanager
    def announce(self, text: str) -> Iterator[None]:
        """Print a line if a block takes longer than `SILENCE` seconds."""
        timer = threading.Timer(SILENCE, self.say, [text])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def sum_up_tuning(self, record: RunRecord, *, title: str) -> None:
        """Report what pruning saved, where the default stayed, which folds were cut short."""
        if spared := record.tuning.get("spared"):
            share = spared / (spared + record.tuning["fits"])
            self.say(f"{title}: pruning spared {share:.0%} of the inner fits")
        if n_tuned := sum(bool(fold.tuning.get("trials")) for fold in record.folds):
            stayed = record.tuning["stayed"]
            self.say(f"{title}: the untuned default stayed in {stayed} of {n_tuned} folds")
        notes = (note for fold in record.folds for note in fold.notes if note.startswith(CUT_SHORT))
        for note, n_folds in Counter(notes).most_common(MOST_NOTES):
            self.warn(f"{title}: {n_folds} of {len(record.folds)} folds: {note}")

    def tell_transform(self, record: RunRecord, *, title: str) -> None:
        """Report in one line what ``preprocess.transform=auto`` did to the numbers."""
        if record.transform:
            self.say(f"{title}: preprocess.transform=auto: {record.transform}")

    def _bar(self, items: Iterable[Item], *, title: str, total: int, done: int) -> Iterator[Item]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=self.console) as progress:
            bar = progress.add_task(title, total=total, completed=done)
            for item in items:
                progress.advance(bar)
                yield item

    def _lines(self, items: Iterable[Item], *, title: str, total: int, done: int) -> Iterator[Item]:
        start, first = time.perf_counter(), done
        step = max(1, -(-total // PLAIN_STEPS))
        timer = threading.Timer(SILENCE, self.say, [f"{title}: {done}/{total}"])
        timer.daemon = True
        timer.start()
        for item in self._until_first(items, timer):
            done += 1
            seconds = time.perf_counter() - start
            if done == total:
                self.console.print(f"{title}: {done}/{total} in {seconds:.1f} s", markup=False)
            elif done % step == 0:
                left = seconds / (done - first) * (total - done)
                self.console.print(
                    f"{title}: {done}/{total}, about {_duration(left)} left", markup=False
                )
            yield item

    @staticmethod
    def _until_first(items: Iterable[Item], timer: threading.Timer) -> Iterator[Item]:
        """Yield the items; cancel the timer with the first of them, or an error before it."""
        try:
            for item in items:
                timer.cancel()
                yield item
        finally:
            timer.cancel()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
