"""The two pages, each one self-contained HTML text.

Step in the line: summary + figures -> **HTML**. The only files read are the package's own
templates. Every value passes jinja's autoescape; the figures' data are JSON in which no character
can end a script element. The page's own content security policy forbids every request, and every
script but the four whose hashes it names.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smalldata.comparison.tuning_summary import CellTrials
from smalldata.report import plain
from smalldata.report.comparison_page.overview import summarize_comparison
from smalldata.report.figures import (
    cell_figures,
    comparison_figures,
    explanation_figures,
    signature_figures,
    training_figures,
    tuning_figures,
)
from smalldata.report.figures.grammar import CONFIG, Figures
from smalldata.report.sections import scores_words, trust_words, tuning_words
from smalldata.report.sections.panel import (
    outline_signature,
    say_signature,
    summarize_signature,
)
from smalldata.report.sections.scores import summarize_cell
from smalldata.report.sections.training import summarize_training
from smalldata.report.sections.training_words import say_training
from smalldata.report.sections.trust_doubts import say_doubts
from smalldata.report.sections.tuning import summarize_tuning
from smalldata.results.comparison import Comparison
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.panel import Panel
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain
from smalldata.task import Task

SCRIPTS = (
    "vendor/vega.min.js",
    "vendor/vega-lite.min.js",
    "vendor/vega-interpreter.js",
    "report.js",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """A page before it is written: its figures can be drawn as files too.

    Attributes
    ----------
    template : str
    figures : Figures
    context : mapping
        What the template reads beside the figures.
    """

    template: str
    figures: Figures
    context: Mapping[str, Any]

    def html(self) -> str:
        """Write the page: one HTML text that loads nothing."""
        return _render(self.template, self.figures, **self.context)


def report_html(
    task: Task,
    record: RunRecord,
    *,
    explanation: Explanation | None = None,
    comparison: Comparison | None = None,
    trials: CellTrials | None = None,
    panel: Panel | None = None,
    null: NullImportances | None = None,
) -> str:
    """Write the report of one cell.

    Parameters
    ----------
    task : Task
    record : RunRecord
        Finished, failed or skipped.
    explanation : Explanation, optional
    comparison : Comparison, optional
        The table the cell belongs to; gives the rank, the test against dummy and the link to
        ``../index.html``.
    trials : CellTrials, optional
        Of a tuned cell: what its tuning came to.
    panel : Panel, optional
        Of a cell that seeks a signature: the panel of all rows.
    null : NullImportances, optional
        What permuted labels gave, explained as the explanation.

    Returns
    -------
    str
        One HTML page that loads nothing.
    """
    return report_page(
        task,
        record,
        explanation=explanation,
        comparison=comparison,
        trials=trials,
        panel=panel,
        null=null,
    ).html()


def report_page(
    task: Task,
    record: RunRecord,
    *,
    explanation: Explanation | None = None,
    comparison: Comparison | None = None,
    trials: CellTrials | None = None,
    panel: Panel | None = None,
    null: NullImportances | None = None,
) -> Page:
    """Make the report of one cell; parameters as in `report_html`."""
    summary = summarize_cell(task, record, explanation, comparison, null)
    tuning = summarize_tuning(record, trials)
    signature = summarize_signature(task, record, panel, comparison)
    training = summarize_training(record)
    page = _joined(
        cell_figures(summary),
        explanation_figures(summary),
        signature_figures(signature),
        tuning_figures(tuning),
        training_figures(training),
    )
    page["params"]["rows"] = [str(name) for name in task.dataset.sample_ids]
    page["params"]["codes"] = [int(code) for code in task.y] if task.kind.is_classification else []
    page["params"].setdefault("classes", list(task.classes))
    primary = summary["scores"][0] if summary["scores"] else None
    words = {
        "question": scores_words.say_question(summary["task"], summary["cell"]),
        "performance": scores_words.say_performance(
            summary["task"], summary["cell"], primary, summary["against"]
        )
        + tuning_words.say_tuned(tuning),
        "features": scores_words.say_features(summary["task"], summary["explanation"])
        + outline_signature(signature),
        "sureness": trust_words.say_sureness(summary["explanation"]),
        "company": _say_company(summary),
        "doubts": say_doubts(summary, primary, tuning),
        "signature": None if signature is None else say_signature(signature),
        "tuning": None if tuning is None else tuning_words.say_tuning(tuning),
        "training": None if training is None else say_training(training),
    }
    context = {
        "summary": summary,
        "signature": signature,
        "tuning": tuning,
        "training": training,
        "words": words,
        "primary": primary,
        "strips": {score["name"]: strip(score) for score in summary["scores"]},
        "has_index": comparison is not None,
    }
    return Page(template="report.html", figures=page, context=context)


def _say_company(summary: Mapping[str, Any]) -> list[str]:
    explanation = summary["explanation"]
    if explanation is None:
        return []
    return [
        *trust_words.say_twins(explanation["twins"]),
        *trust_words.say_pairs(explanation),
    ]


def index_html(
    comparison: Comparison,
    records: Sequence[RunRecord],
    *,
    task: Task,
    explanations: Mapping[str, Explanation] | None = None,
    trials: Mapping[str, CellTrials] | None = None,
    nulls: Mapping[str, NullImportances] | None = None,
) -> str:
    """Write the page of a comparison.

    Parameters
    ----------
    comparison : Comparison
    records : sequence of RunRecord
        Cells of the comparison; fold scores and curves are drawn of these.
    task : Task
    explanations : mapping of str to Explanation, optional
        By the hash of the cell; for the features that several models use.
    trials : mapping of str to CellTrials, optional
        By the hash of the cell; for the trials and the optimism of tuned models.
    nulls : mapping of str to NullImportances, optional
        By the hash of the cell; what they are is said in `smalldata.results.evidence`.

    Returns
    -------
    str
        One HTML page that loads nothing and links to ``<model>-<hash>/report.html``.
    """
    return index_page(
        comparison, records, task=task, explanations=explanations, trials=trials, nulls=nulls
    ).html()


def index_page(
    comparison: Comparison,
    records: Sequence[RunRecord],
    *,
    task: Task,
    explanations: Mapping[str, Explanation] | None = None,
    trials: Mapping[str, CellTrials] | None = None,
    nulls: Mapping[str, NullImportances] | None = None,
) -> Page:
    """Make the page of a comparison; parameters as in `index_html`."""
    summary = summarize_comparison(comparison, records, task, explanations, trials, nulls)
    name = summary["measure"]["name"]
    strips = shared_strips([cell["scores"].get(name) for cell in summary["cells"]])
    context = {"summary": summary, "words": summary["words"], "strips": strips}
    return Page(template="index.html", figures=comparison_figures(summary), context=context)


# ---------------------------------------------------------------- small drawings inside the tables


def strip(score: Mapping[str, Any]) -> dict[str, Any] | None:
    """Positions, in per cent of the width, of folds, mean, interval and guessing."""
    values = [fold["value"] for fold in score["folds"] if fold["value"] is not None]
    marks = [score[key] for key in ("mean", "low", "high", "guessing") if score[key] is not None]
    if not values or score["mean"] is None:
        return None
    place = _scale([*values, *marks])
    return {
        "dots": [place(value) for value in values],
        **{
            key: None if score[key] is None else place(score[key])
            for key in ("mean", "low", "high", "guessing")
        },
    }


def shared_strips(scores: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any] | None]:
    """Positions of means and intervals of several models on one scale."""
    ends = [
        score[key]
        for score in scores
        if score is not None
        for key in ("mean", "low", "high")
        if score[key] is not None
    ]
    if not ends:
        return [None] * len(scores)
    place = _scale(ends)
    return [
        None
        if score is None or score["mean"] is None
        else {
            "dots": [],
            "guessing": None,
            **{
                key: None if score[key] is None else place(score[key])
                for key in ("mean", "low", "high")
            },
        }
        for score in scores
    ]


def _scale(values: Sequence[float]) -> Any:
    low, high = min(values), max(values)
    width = high - low or 1.0
    return lambda value: round(4 + 92 * (value - low) / width, 2)


# ---------------------------------------------------------------- the page


def embed_json(value: Any) -> Markup:
    r"""Write JSON that may stand inside a script element: ASCII without <, > and &.

    Example
    -------
    >>> embed_json({"name": "</script><b>"})
    Markup('{"name":"\\u003c/script\\u003e\\u003cb\\u003e"}')
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _joined(*parts: Figures) -> Figures:
    page: Figures = {"datasets": {}, "params": {}, "figures": [], "controls": {}}
    for part in parts:
        for key in ("datasets", "params", "controls"):
            page[key] |= part[key]
        page["figures"] += part["figures"]
    return page


def _render(template: str, page: Figures, **context: Any) -> str:
    environment = _environment()
    scripts = [_own(name) for name in SCRIPTS] if page["figures"] else [_own("report.js")]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    data = {key: page[key] for key in ("datasets", "params")}
    data["config"] = CONFIG
    data["figures"] = [
        {
            key: entry[key]
            for key in ("name", "spec", "table", "datasets", "params", "controls", "marked")
        }
        for entry in page["figures"]
    ]
    return environment.get_template(template).render(
        page=page,
        figures={entry["name"]: entry for entry in page["figures"]},
        page_data=embed_json(strict_plain(data)),
        policy=policy,
        scripts=[Markup(script) for script in scripts],
        style=Markup(_own("report.css")),
        **context,
    )


def breakable(label: str) -> Markup:
    """Let a browser break a label where its settings have a joint, not within a word.

    Example
    -------
    >>> breakable("svm (tune.trials=12, <b>)")
    Markup('svm (tune.<wbr>trials=<wbr>12, &lt;b&gt;)')
    """
    parts = re.split(r"(?<==)|(?<=[A-Za-z]\.)|(?<=_)", label)
    return Markup("<wbr>").join(parts)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("smalldata.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": plain.format_number,
        "percent": plain.format_percent,
        "seconds": plain.format_seconds,
        "p_value": plain.format_p,
        "join_words": plain.join_words,
        "breakable": breakable,
        "short_label": plain.short_label,
    }
    environment.globals["interval"] = plain.format_interval
    environment.globals["count"] = plain.count
    environment.globals["gap"] = tuning_words.format_gap
    environment.globals["gap_interval"] = tuning_words.format_gap_interval
    return environment


@cache
def _own(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    # The browser reads CRLF as LF, and the hashes of the policy are of what it reads.
    return loader.get_source(_environment(), name)[0].replace("\r\n", "\n")


@cache
def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
