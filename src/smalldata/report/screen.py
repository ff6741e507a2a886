"""The comparison on the terminal: in colour, or as plain text if piped.

Step in the line: Comparison -> **the table on stdout**.
"""

from typing import TYPE_CHECKING

from smalldata.comparison.words import (
    corrected_for_choice,
    is_flattered,
    say_folds,
    say_interval_of,
)
from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.report.comparison_page.learning_curves import say_learning
from smalldata.report.plain import format_interval, format_number, format_p, format_seconds
from smalldata.results.comparison import MARKS, Comparison, ComparisonRow

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MEASURE_WIDTH = 14
"""Terminal columns that each further measure takes; the files hold all measures."""


def print_comparison(comparison: Comparison, console: "Console | None" = None) -> None:
    """Print the table, why any cell has no rank, and the legend.

    Parameters
    ----------
    comparison : Comparison
    console : rich.console.Console, optional
        Default: stdout. A terminal gets colours, bold and as many measures as fit; a file or pipe
        gets a Markdown table of all.
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
    """Lay out the cells: the best in bold, marks against it, cells without a rank last.

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
        used = 46 + max(len(row[comparison.measure].full_label) for row in rows)
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
    permuted = any(row[comparison.measure].n_permutations for row in rows)
    if permuted:
        table.add_column("p (permuted)", justify="right", no_wrap=True)
    for measure in others:
        table.add_column(_heading(measure), justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for row in rows:
        own = row[comparison.measure]
        scores = [row[one.name].mean if one.name in row else None for one in others]
        texts = (
            _place(own),
            own.full_label,
            format_number(own.mean),
            format_interval(own.ci_low, own.ci_high),
            *([_permuted(own)] if permuted else []),
            *(format_number(score) for score in scores),
            format_seconds(sum(own.seconds.values()) if own.seconds else None),
        )
        style = "bold green" if own.rank == 1 else "dim" if own.rank is None else ""
        table.add_row(*(Text(printable(text)) for text in texts), style=style)
    return table


def remarks(rows: list[dict[str, ComparisonRow]]) -> list[str]:
    """Say in one line each why a cell failed, was skipped or is optimistic."""
    lines = []
    for row in rows:
        own = next(iter(row.values()))
        if own.status != "ok":
            lines.append(f"{own.full_label} {own.status}: {own.reason or 'no reason recorded'}")
        if own.optimistic:
            lines.append(
                f"{own.full_label}: optimistic, because its settings were chosen on the folds that "
                "give the score"
            )
    return lines


def legend(comparison: Comparison) -> list[str]:
    """Explain the marks of the table, the score to expect of its best, and the learning curves."""
    several = comparison.n_folds > 1
    what = (
        f"Mean over {say_folds(comparison)}, each held out; intervals account for folds that share "
        "training samples."
        if several
        else "Score on one held-out part."
    )
    lines = [what, f"{MARKS}.", say_interval_of(comparison)]
    if len({row.train_size for row in comparison.rows}) > 1:
        lines.append("Ranks and marks compare models with the same number of training samples.")
    best = corrected_for_choice(comparison)
    measure = find_measure(comparison.measure, comparison.kind)
    if best is not None:
        told = "these folds show no flattery"
        if is_flattered(best, higher_is_better=measure.higher_is_better):
            interval = format_interval(best["ci_low"], best["ci_high"])
            told = f"{format_number(best['mean'])} (95 % interval {interval})"
        lines.append(
            f"Picking the best of {int(best['n_models'])}, corrected for the choice: {told}."
        )
    lines += say_permutations(comparison)
    if comparison.learning is not None:
        lines += say_learning(comparison.learning, measure)
    return [*lines, *comparison.notes]


def say_permutations(comparison: Comparison) -> list[str]:
    """Say what the column of permutation p-values means; nothing if there is none."""
    counts = {row.n_permutations for row in comparison.rows if row.measure == comparison.measure}
    if not (several := sorted(counts - {0})):
        return []
    measure = find_measure(comparison.measure, comparison.kind)
    return [
        "p (permuted): how often the whole procedure scores as "
        f"{'high' if measure.higher_is_better else 'low'} when labels carry nothing, from "
        f"{' or '.join(map(str, several))} permutations of the labels; not corrected for the "
        "number of models."
    ]


def cells(comparison: Comparison) -> list[dict[str, ComparisonRow]]:
    """Return the rows of each cell by measure; cells without a rank last."""
    return sorted(comparison.by_cell(), key=lambda rows: rows[comparison.measure].rank is None)


def _place(row: ComparisonRow) -> str:
    if row.rank is None:
        return "–"
    return f"{row.rank}{row.mark or ' '}"


def _permuted(row: ComparisonRow) -> str:
    return "–" if row.p_permutation is None else format_p(row.p_permutation, bare=True)


def _heading(measure: Measure) -> str:
    if measure.target is not None:
        return measure.title
    return f"{measure.title} {'↑' if measure.higher_is_better else '↓'}"
