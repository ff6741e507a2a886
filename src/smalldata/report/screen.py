"""The comparison on the terminal: coloured where someone looks, plain text where it is piped.

Step in the line: Comparison -> **the table on stdout**.
"""

from typing import TYPE_CHECKING

from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.report.comparison_page.learning_curves import say_learning
from smalldata.report.plain import format_interval, format_number, format_seconds
from smalldata.results.comparison import Comparison, ComparisonRow

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MEASURE_WIDTH = 14
"""Columns of the terminal that one further measure needs; the files hold all measures."""


def print_comparison(comparison: Comparison, console: "Console | None" = None) -> None:
    """Print the table, why a cell has no rank, and the legend.

    Parameters
    ----------
    comparison : Comparison
    console : rich.console.Console, optional
        Default: stdout. On a terminal colours, bold and as many measures as fit; elsewhere a
        Markdown table of all.
    """
    from rich.text import Text

    from smalldata.runtime.console import open_console, printable

    if console is None:
        console = open_console()
    rows = cells(comparison)
    if console.is_terminal:
        console.print(comparison_table(comparison, width=console.width))
        for line in remarks(rows):
            console.print(Text(printable(line), style="yellow"), soft_wrap=True)
        for line in legend(comparison):
            console.print(Text(printable(line), style="dim"))
        return
    wide = open_console(width=100_000, color_system=None)
    with wide.capture() as captured:
        wide.print(comparison_table(comparison))
    lines = [line.strip() for line in captured.get().splitlines() if line.strip()]
    for line in [*lines, *remarks(rows), *legend(comparison)]:
        console.print(Text(printable(line)), soft_wrap=True)


def comparison_table(comparison: Comparison, *, width: int | None = None) -> "Table":
    """Lay out the cells: best in bold, ties marked with =, what has no rank below.

    Parameters
    ----------
    comparison : Comparison
    width : int, optional
        Columns of the terminal; None: a Markdown table with every measure.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from smalldata.runtime.console import printable

    rows = cells(comparison)
    measures = {measure.name: measure for measure in measures_for(comparison.kind)}
    others = [measure for measure in measures.values() if measure.name != comparison.measure]
    if width is not None:
        used = 46 + max(len(_label(row[comparison.measure])) for row in rows)
        others = others[: max(0, (width - used) // MEASURE_WIDTH)]
    title = (
        f"{comparison.dataset} · {comparison.cv} · {comparison.n_samples} × "
        f"{comparison.n_features} · "
        f"{comparison.target}"
    )
    table = Table(
        title=Text(printable(title), style="bold"),
        title_justify="left",
        box=box.MARKDOWN if width is None else box.SIMPLE_HEAD,
        pad_edge=width is None,
        header_style="bold",
    )
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("model", overflow="fold")
    table.add_column(_heading(measures[comparison.measure]), justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    for measure in others:
        table.add_column(_heading(measure), justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for row in rows:
        own = row[comparison.measure]
        scores = [row[one.name].mean if one.name in row else None for one in others]
        texts = (
            _place(own),
            _label(own),
            format_number(own.mean),
            format_interval(own.ci_low, own.ci_high),
            *(format_number(score) for score in scores),
            format_seconds(_seconds(own)),
        )
        style = "bold green" if own.rank == 1 else "dim" if own.rank is None else ""
        table.add_row(*(Text(printable(text)) for text in texts), style=style)
    return table


def remarks(rows: list[dict[str, ComparisonRow]]) -> list[str]:
    """Say of each cell that failed, was skipped or is optimistic, in one line, why."""
    lines = []
    for row in rows:
        own = next(iter(row.values()))
        if own.status != "ok":
            lines.append(f"{_label(own)} {own.status}: {own.reason or 'no reason is recorded'}")
        if own.optimistic:
            lines.append(
                f"{_label(own)}: optimistic, chosen by the folds that the score is measured on"
            )
    return lines


def legend(comparison: Comparison) -> list[str]:
    """Say what the marks of the table mean, what picking its best is worth, what more data give."""
    several = comparison.n_folds > 1
    what = (
        f"Mean over {comparison.n_folds} held-out folds; intervals corrected for folds that share "
        "training samples."
        if several
        else "On one held-out part."
    )
    lines = [f"{what} = : tied with the best (the interval of the difference contains 0)."]
    if len({row.train_size for row in comparison.rows}) > 1:
        lines.append("Ranks and ties hold within one number of training samples.")
    best = comparison.best_corrected
    if best and best.get("mean") is not None:
        lines.append(
            f"Picking the best of {int(best.get('n_models', 0))}, corrected for the choice: "
            f"{format_number(best['mean'])} "
            f"({format_interval(best.get('ci_low'), best.get('ci_high'))})."
        )
    if comparison.learning is not None:
        measure = find_measure(comparison.measure, comparison.kind)
        lines += say_learning(comparison.learning, measure)
    return [*lines, *comparison.notes]


def cells(comparison: Comparison) -> list[dict[str, ComparisonRow]]:
    """Rows by cell and measure, in the order of the table; cells without a rank last."""
    by_cell: dict[str, dict[str, ComparisonRow]] = {}
    for row in comparison.rows:
        by_cell.setdefault(row.hash, {})[row.measure] = row
    complete = []
    for rows in by_cell.values():
        if comparison.measure not in rows:
            rows[comparison.measure] = next(iter(rows.values()))
        complete.append(rows)
    return sorted(complete, key=lambda rows: rows[comparison.measure].rank is None)


def _place(row: ComparisonRow) -> str:
    if row.rank is None:
        return "–"
    return f"{row.rank}=" if row.tied_with_best and row.rank != 1 else f"{row.rank} "


def _label(row: ComparisonRow) -> str:
    label = row.label
    return label if row.train_size is None else f"{label}, {row.train_size} samples"


def _seconds(row: ComparisonRow) -> float | None:
    parts = [row.tune_seconds, row.fit_seconds, row.predict_seconds, row.explain_seconds]
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _heading(measure: Measure) -> str:
    if measure.target is not None:
        return measure.title
    return f"{measure.title} {'↑' if measure.higher_is_better else '↓'}"
