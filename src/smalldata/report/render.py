"""The two pages, each a self-contained HTML text.

Step in the line: summary + figures -> **HTML**. It reads only the package's own
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

from smalldata.comparison.words import define_words, describe_variance
from smalldata.report import plain
from smalldata.report.comparison_page.overview import summarize_comparison
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.report.figures import (
    comparison_figures,
    explanation_figures,
    outcome_figures,
    permutation_figures,
    signature_figures,
    threshold_figures,
    training_figures,
    tuning_figures,
)
from smalldata.report.figures.grammar import CONFIG, Figures, no_figures
from smalldata.report.inputs import ReportInputs
from smalldata.report.sections import scores_words, thresholds_words, trust_words, tuning_words
from smalldata.report.sections.cell import summarize_cell
from smalldata.report.sections.panel import summarize_signature
from smalldata.report.sections.panel_words import outline_signature, say_signature
from smalldata.report.sections.permuted_scores import summarize_permuted
from smalldata.report.sections.permuted_scores_words import outline_permuted, say_permuted
from smalldata.report.sections.scores import Difference
from smalldata.report.sections.thresholds import summarize_thresholds
from smalldata.report.sections.training import summarize_training
from smalldata.report.sections.training_words import say_training
from smalldata.report.sections.trust_doubts import say_doubts
from smalldata.report.sections.tuning import summarize_tuning
from smalldata.report.strips import fold_strip, shared_strips
from smalldata.results.comparison import Comparison
from smalldata.runtime.sealing import strict_plain
from smalldata.task import Task

PAGE_SCRIPT = "templates/report.js"
SCRIPTS = (
    "templates/vendor/vega.min.js",
    "templates/vendor/vega-lite.min.js",
    "templates/vendor/vega-interpreter.js",
    PAGE_SCRIPT,
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


def report_html(inputs: ReportInputs) -> str:
    """Write the report of one cell.

    Parameters
    ----------
    inputs : ReportInputs

    Returns
    -------
    str
        One HTML page that loads nothing.
    """
    return report_page(inputs).html()


def report_page(inputs: ReportInputs) -> Page:
    """Make the report of one cell, whose figures can be drawn as files too."""
    task, record = inputs.task, inputs.record
    summary = summarize_cell(inputs)
    explanation = summary.explanation
    tuning = summarize_tuning(record, inputs.trials)
    signature = summarize_signature(task, record, inputs.panel, inputs.comparison)
    training = summarize_training(record)
    thresholds = summarize_thresholds(task, record, prevalence=inputs.prevalence)
    permuted = summarize_permuted(task, record, inputs.comparison)
    chosen = None if explanation is None else explanation.samples.explained[0]
    page = _joined(
        permutation_figures(permuted),
        outcome_figures(summary.outcomes, summary.task, chosen=chosen),
        threshold_figures(thresholds),
        explanation_figures(explanation, summary.task, summary.outcomes),
        signature_figures(signature),
        tuning_figures(tuning),
        training_figures(training),
    )
    page["params"]["rows"] = [str(name) for name in task.dataset.sample_ids]
    page["params"]["codes"] = [int(code) for code in task.y] if task.kind.is_classification else []
    page["params"].setdefault("classes", list(task.classes))
    primary = summary.scores[0] if summary.scores else None
    words = {
        "question": scores_words.say_question(summary.task, summary.cell),
        "performance": scores_words.say_performance(
            summary.task, summary.cell, primary, summary.against
        )
        + outline_permuted(permuted)
        + tuning_words.say_tuned(tuning),
        "features": scores_words.say_features(summary.task, explanation)
        + outline_signature(signature),
        "sureness": trust_words.say_sureness(explanation),
        "company": trust_words.say_company(explanation),
        "doubts": say_doubts(summary, primary, tuning),
        "thresholds": None if thresholds is None else thresholds_words.write_texts(thresholds),
        "permuted": None if permuted is None else say_permuted(permuted),
        "signature": None if signature is None else say_signature(signature),
        "tuning": None if tuning is None else tuning_words.say_tuning(tuning),
        "training": None if training is None else say_training(training),
    }
    against = summary.against
    rivals = [] if against is None else [against.versus_best, against.dummy, against.linear]
    context = {
        "summary": summary,
        "thresholds": thresholds,
        "definitions": _definitions([rival for rival in rivals if rival is not None]),
        "signature": signature,
        "tuning": tuning,
        "training": training,
        "permuted": permuted,
        "words": words,
        "primary": primary,
        "variance": describe_variance(
            "jackknife" if inputs.comparison is None else inputs.comparison.interval,
            n_folds=summary.cell.n_planned,
        ),
        "strips": {score.name: fold_strip(score) for score in summary.scores},
        "has_index": inputs.comparison is not None,
    }
    return Page(template="templates/report.html", figures=page, context=context)


def index_html(comparison: Comparison, cells: Sequence[ReportInputs], *, task: Task) -> str:
    """Write the page of a comparison.

    Parameters
    ----------
    comparison : Comparison
    cells : sequence of ReportInputs
        Of the comparison: fold scores, curves, the trials and the optimism of tuned models, and
        the features that several models use are drawn of these.
    task : Task

    Returns
    -------
    str
        One HTML page that loads nothing and links to ``<model>-<hash>/report.html``.
    """
    return index_page(comparison, cells, task=task).html()


def index_page(comparison: Comparison, cells: Sequence[ReportInputs], *, task: Task) -> Page:
    """Make the page of a comparison, whose figures can be drawn as files too."""
    summary = summarize_comparison(
        comparison,
        [cell.record for cell in cells],
        task,
        {cell.record.hash: cell.explanation for cell in cells if cell.explanation is not None},
        {cell.record.hash: cell.trials for cell in cells if cell.trials is not None},
        {cell.record.hash: cell.null for cell in cells if cell.null is not None},
    )
    strips = shared_strips([cell.scores.get(summary.measure.name) for cell in summary.cells])
    context = {
        "summary": summary,
        "words": say_comparison(summary),
        "definitions": _definitions(summary.tests),
        "strips": strips,
    }
    return Page(
        template="comparison_page/index.html",
        figures=comparison_figures(summary),
        context=context,
    )


def _definitions(tests: Sequence[Difference]) -> list[str]:
    """Define the words that compare models, if any are compared."""
    return define_words(plain.format_number(tests[0].rope)) if tests else []


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
    page = no_figures()
    for part in parts:
        page["datasets"] |= part["datasets"]
        page["params"] |= part["params"]
        page["controls"] |= part["controls"]
        page["figures"] += part["figures"]
    return page


def _render(template: str, page: Figures, **context: Any) -> str:
    environment = _environment()
    scripts = [_own(name) for name in SCRIPTS] if page["figures"] else [_own(PAGE_SCRIPT)]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    said = ("title", "caption", "alt")  # the template writes these next to the drawing
    data = {
        "datasets": page["datasets"],
        "params": page["params"],
        "config": CONFIG,
        "figures": [
            {key: value for key, value in entry.items() if key not in said}
            for entry in page["figures"]
        ],
    }
    return environment.get_template(template).render(
        page=page,
        figures={entry["name"]: entry for entry in page["figures"]},
        page_data=embed_json(strict_plain(data)),
        policy=policy,
        scripts=[Markup(script) for script in scripts],
        style=Markup(_own("templates/report.css")),
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
        loader=PackageLoader("smalldata.report", ""),
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
