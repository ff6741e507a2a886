"""The rules that were compared, and the tables of README.md.

Each rule maps the trials of one search to the position of the trial it takes; 0 is the default.
"""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from smalldata.measures.registry import find_measure
from smalldata.results.folds import Trial
from smalldata.task import TaskKind
from smalldata.tuning.choice import is_clear, pool_spread

HERE = Path(__file__).parent
MEASURES = {
    1.0: find_measure("roc_auc", TaskKind.BINARY),
    -1.0: find_measure("rmse", TaskKind.REGRESSION),
}


class Search:
    """The trials of one draw; ``scored`` are the different ones with a score, the default first."""

    def __init__(self, found):
        self.sign, self.rows = found["sign"], found["trials"]
        self.scored = [row for row in self.rows if row.get("outer") is not None]
        self.trials = [as_trial(row["inner"], row["state"]) for row in self.rows]
        self.spread = pool_spread(self.trials) if len(self.trials) > 1 else math.inf
        self.ranked = sorted(
            range(len(self.scored)),
            key=lambda i: (-self.sign * self.mean(i), *self.scored[i]["plain"], i),
        )

    def mean(self, i):
        """Return the score of a trial."""
        return round(float(np.mean(known(self.scored[i]["inner"]))), 12)

    def ahead(self, i):
        """Return the differences to the default on the inner folds of the search."""
        return self.gaps(self.scored[i]["inner"], self.scored[0]["inner"])

    def gaps(self, one, other):
        """Return the differences of two rows of scores, higher is better."""
        pairs = zip(one, other, strict=True)
        return np.array([self.sign * (a - b) for a, b in pairs if a is not None and b is not None])

    def anew(self, i, n_repeats):
        """Return the scores on further repeats; None for a trial that was no finalist."""
        more = self.scored[i].get("more")
        return None if more is None else more[: n_repeats * self.n_splits]

    @property
    def n_splits(self):
        """Return the number of inner folds."""
        return len(self.scored[0]["inner"])

    def is_clear(self, one, other, errors):
        """Apply the rule of the package."""
        about = {"measure": MEASURES[self.sign], "spread": self.spread, "n_splits": self.n_splits}
        return is_clear(one, other, errors=errors, **about)


def as_trial(scores, state):
    score = 0.0 if state == "ok" else None
    return Trial(ordinal=0, state=state, values={}, score=score, fold_scores=tuple(scores))


def known(scores):
    return [score for score in scores if score is not None]


def best(search):
    return search.ranked[0]


def plain_se(errors):
    """Take the best if it is ahead by more than so many s / sqrt(n), s of its own differences."""

    def rule(search):
        i = best(search)
        gaps = search.ahead(i)
        error = np.std(gaps, ddof=1) / math.sqrt(len(gaps)) if len(gaps) > 1 else math.inf
        return i if i and gaps.mean() > errors * error else 0

    return rule


def pooled_se(errors):
    """Take the best if `is_clear` on the folds of the search."""

    def rule(search):
        i = best(search)
        clear = search.is_clear(search.scored[i]["inner"], search.scored[0]["inner"], errors)
        return i if i and clear else 0

    return rule


def shrunk(search):
    """Take the best if it is still ahead when shrunk towards the mean of the search."""
    gaps = np.array([search.ahead(i).mean() for i in range(1, len(search.scored))])
    if len(gaps) < 3 or not best(search):
        return 0
    variance = gaps.var(ddof=1)
    noise = search.spread**2 * (1 / search.n_splits + 1 / (search.n_splits - 1))
    kept = max(0.0, 1 - noise / variance) if variance > 0 else 0.0
    return best(search) if gaps.mean() + kept * (gaps.max() - gaps.mean()) > 0 else 0


def anew(errors, *, n_repeats=1):
    """Take the best if `is_clear` on further repeats alone."""

    def rule(search):
        i = best(search)
        found, usual = search.anew(i, n_repeats), search.anew(0, n_repeats)
        return i if i and found and usual and search.is_clear(found, usual, errors) else 0

    return rule


def finalists(errors, *, n_repeats, n_finalists):
    """Take the best finalist on old and further folds together if `is_clear` there."""

    def rule(search):
        def scores(i):
            return [*search.scored[i]["inner"], *search.anew(i, n_repeats)]

        tried = [i for i in search.ranked if i and search.anew(i, 1) is not None][:n_finalists]
        if not tried or search.anew(0, 1) is None:
            return 0
        i = max(tried, key=lambda i: search.gaps(scores(i), scores(0)).mean())
        return i if search.is_clear(scores(i), scores(0), errors) else 0

    return rule


RULES = {
    "best": best,
    "one_se, own spread, s / sqrt(n)": plain_se(1.0),
    "two of these": plain_se(2.0),
    "one_se as shipped (pooled, corrected)": pooled_se(1.0),
    "two of these errors": pooled_se(2.0),
    "shrunk towards the mean of the search": shrunk,
    "4 finalists, 4 more repeats, one error": finalists(1.0, n_repeats=4, n_finalists=4),
    "8 finalists, 2 more repeats, one error": finalists(1.0, n_repeats=2, n_finalists=8),
    "anew, ahead at all": anew(0.0),
    "anew, one error": anew(1.0),
    "**confirmed: anew, 1.25 errors**": anew(1.25),
    "anew, 1.5 errors": anew(1.5),
    "anew, two errors": anew(2.0),
    "anew twice, 1.25 errors": anew(1.25, n_repeats=2),
    "anew four times, 1.25 errors": anew(1.25, n_repeats=4),
}


def apply_rules():
    """Write results.csv: the gain over untuned of each rule in each draw."""
    rows = []
    for path in sorted((HERE / "trials").glob("*.jsonl")):
        stage, table, n, measure, model = path.stem.split("-")
        for line in path.read_text().splitlines():
            found = json.loads(line)
            search = Search(found)
            if not search.scored or search.scored[0]["trial"] != 0:
                continue  # the default failed, or has no score on the test rows
            scale = found["sign"] / (found["spread"] if measure == "usual" else 1.0)
            about = [stage, table, int(n), measure, model, found["draw"]]
            for name, rule in RULES.items():
                i = rule(search)
                gain = scale * (search.scored[i]["outer"] - search.scored[0]["outer"])
                untuned = abs(scale) * search.scored[0]["outer"]
                rows.append([*about, name, round(untuned, 4), round(gain, 5), int(i == 0)])
    names = ["stage", "table", "n", "measure", "model", "draw", "rule", "untuned", "gain", "stayed"]
    pd.DataFrame(rows, columns=names).to_csv(HERE / "results.csv", index=False)


# ---------------------------------------------------------------- the tables

CELL = ["table", "n", "measure", "model"]


def compare_rules(rows):
    """One row for each rule: means of the cells' means."""
    cells = rows.groupby(["rule", *CELL], sort=False)[["gain", "stayed"]].mean().reset_index()
    usual = cells[cells.measure == "usual"]
    tables = list(dict.fromkeys(usual.table))
    lines = [
        "| rule | stayed | mean gain | gains | losses | cells below -0.005 | log loss | "
        + " | ".join(tables)
        + " |",
        "|---" * (7 + len(tables)) + "|",
    ]
    for name in RULES:
        own = usual[usual.rule == name]
        other = cells[(cells.rule == name) & (cells.measure != "usual")]
        by_table = own.groupby("table").gain.mean()
        shown = [
            f"{own.stayed.mean():.0%}",
            f"{own.gain.mean():+.4f} ± {error_of(rows, name):.4f}",
            f"{own.gain.clip(lower=0).mean():+.4f}",
            f"{own.gain.clip(upper=0).mean():+.4f}",
            f"{(own.gain < -0.005).sum()} of {len(own)}",
            f"{other.gain.mean():+.3f}" if len(other) else "–",
            *(f"{by_table[table]:+.3f}" for table in tables),
        ]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def error_of(rows, name):
    """Return the standard error over draws of the mean of the cells' means."""
    own = rows[(rows.rule == name) & (rows.measure == "usual")]
    grouped = own.groupby(CELL).gain
    squares = (grouped.var(ddof=1).fillna(0.0) / grouped.count()).to_numpy()
    return math.sqrt(squares.sum()) / len(squares)


def list_cells(rows):
    """One row for each cell: untuned, best and the shipped rule."""
    shipped = next(name for name in RULES if name.startswith("**"))
    lines = [
        "| table | rows | measure | model | draws | untuned | best | confirmed | difference of "
        "confirmed (± s.e.) | default stayed |",
        "|---" * 10 + "|",
    ]
    for cell, part in rows.groupby(CELL, sort=False):
        taken, usual = part[part.rule == shipped], part[part.rule == "best"]
        untuned, gain = taken.untuned.mean(), taken.gain
        # Errors are shown as errors: a gain makes them smaller.
        sign = (
            -1 if cell[2] == "log_loss" or cell[0] in ("permeability", "meats", "regression") else 1
        )
        error = f"{gain.std(ddof=1) / math.sqrt(len(gain)):.4f}" if len(gain) > 1 else "?"
        lines.append(
            f"| {cell[0]} | {cell[1]} | {cell[2]} | {cell[3]} | "
            f"{len(gain)} | {untuned:.3f} | {untuned + sign * usual.gain.mean():.3f} | "
            f"{untuned + sign * gain.mean():.3f} | {gain.mean():+.4f} ± {error} | "
            f"{taken.stayed.mean():.0%} |"
        )
    return "\n".join(lines)


def write_tables():
    """Rewrite what stands between the marks in README.md."""
    rows = pd.read_csv(HERE / "results.csv")
    readme = HERE / "README.md"
    text = readme.read_text()
    for stage in ("choose", "confirm"):
        part = rows[rows.stage == stage]
        for mark, made in ((stage, compare_rules(part)), (f"{stage} cells", list_cells(part))):
            before, _, rest = text.partition(f"<!-- {mark} -->")
            after = rest.partition(f"<!-- /{mark} -->")[2]
            text = f"{before}<!-- {mark} -->\n{made}\n<!-- /{mark} -->{after}"
    readme.write_text(text)
