"""What the first screen of a comparison says: who leads, whether it is real, what to doubt.

Step in the line: ComparisonSummary -> **ComparisonWords** (plain text; the template escapes it).
Every sentence is one of `SENTENCES`; docs/verdict.md says when each of them is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smalldata.comparison.words import is_flattered
from smalldata.report.comparison_page.consensus import leading_group, say_agreement
from smalldata.report.comparison_page.overview import ComparisonSummary
from smalldata.report.comparison_page.rows import ComparedCell
from smalldata.report.plain import (
    Estimate,
    count,
    format_interval,
    format_number,
    format_percent,
    join_words,
    sentence,
)
from smalldata.report.sections.difference_words import (
    is_not_worse,
    say_detectable,
    say_facts,
    say_odds,
    say_short_odds,
)
from smalldata.report.sections.scores import Difference
from smalldata.report.sections.scores_words import say_task
from smalldata.report.sections.trust_doubts import ONE_STUDY, doubt_constants, doubt_size
from smalldata.results.comparison import Word

SENTENCES = {
    # Which model leads.
    "no ranking": "No model finished all its folds, so there is no ranking.",
    "leader": "{best} has the best {title}: {score}{interval}.",
    "joint leaders": "{best} share the best {title}: {score}.",
    "alone": "It is the only ranked model; there is nothing to compare it with.",
    "too few folds": "There are too few test samples or folds to tell any two models apart.",
    "ahead of all": "{best} is clearly better than every other model: each 95 % interval of the "
    "difference excludes 0, and each p-value is below 0.05 after correcting for all pairs (Holm).",
    "equal to the best": "Practically equal to {best}: {models}; in brackets the probabilities of "
    "being better, practically equal and worse.",
    "not told from the best": "Cannot be told apart from {best}: {models}; in brackets the "
    "probabilities of being better, practically equal and worse.",
    "power": "The smallest true difference from {best} that these folds would have shown with "
    "80 % power is {detectable}.",
    "worse than the best": "Clearly worse than {best}: {models}.",
    "flattery": "Picking the best of {n} flatters it. Corrected for that, expect {expected}.",
    "no flattery": "These folds show no flattery from picking the best of {n}{interval}.",
    # How the simple models compare.
    "no dummy": "There is no dummy in this table: add model=dummy to see what guessing scores.",
    "nothing beats dummy": "No model is clearly better than dummy, which ignores the features "
    "({score}).",
    "all beat dummy": "Ignoring the features (dummy) gives {score}; every other model is clearly "
    "better.",
    "some beat dummy": "Ignoring the features (dummy) gives {score}. Clearly better: {models}.",
    "equal to dummy": "Practically equal to dummy: {models}.",
    "not told from dummy": "Cannot be told apart from dummy: {models}.",
    "power against dummy": "The smallest true difference from dummy that these folds would have "
    "shown with 80 % power is {detectable}.",
    "worse than dummy": "Clearly worse than dummy: {models}.",
    "linear leads": "The linear model has the best mean: no more complex model is clearly better.",
    "linear is enough": "The linear model is not worse than the best by more than {rope}, with a "
    "probability of {probability}: nothing here calls for a more complex one.",
    "linear is worse": "The linear model is clearly worse than the best ({facts}).",
    "linear is unclear": "The linear model cannot be told apart from the best ({facts}).",
    "deep alone": "Deep learning ({name}) has no simpler model to compare with: add model=linear "
    "to see whether it pays.",
    "deep pays": "Deep learning ({name}) pays here: it is clearly better than every simpler model.",
    "deep is not needed": "Deep learning ({name}) has the best mean here, but does not pay: "
    "{model} is not worse by more than {rope}, with a probability of {probability}.",
    "deep leads unclearly": "Deep learning ({name}) has the best mean here, but is not clearly "
    "better than {models}.",
    "deep is equal": "Deep learning ({name}, {score}) is practically equal to the best model, "
    "{best}.",
    "deep is unclear": "Deep learning ({name}, {score}) cannot be told apart from the best model, "
    "{best} ({odds}).",
    "deep is worse": "Deep learning ({name}, {score}) does not pay here: it is clearly worse than "
    "the best model, {best}.",
    # What to doubt.
    "failed": "{models} did not finish and {is_are} not ranked.",
    "skipped": "{models} {was_were} skipped (reasons in the table).",
    "optimistic": "{models}: optimistic, because the settings were chosen on the same folds that "
    "give the score.",
    "pairs": "{pairs} of models were tested; p-values are corrected for that (Holm).",
}
"""The templates of all sentences of this file, by the name of their rule."""


def _say(rule: str, **facts: Any) -> str:
    return SENTENCES[rule].format(**facts)


@dataclass(frozen=True, kw_only=True)
class ComparisonWords:
    """The sentences of the first screen, answer by answer."""

    question: list[str]
    leader: list[str]
    learning: list[str]
    baselines: list[str]
    features: list[str]
    doubts: list[str]


def say_comparison(summary: ComparisonSummary) -> ComparisonWords:
    """Say who leads, whether it is real, what the simple models say, and what to doubt."""
    ranked = [cell for cell in leading_group(summary.cells) if cell.rank is not None]
    ranked.sort(key=lambda cell: (cell.rank or 0, cell.versus_best is not None))
    return ComparisonWords(
        question=say_task(summary.task),
        leader=_say_leader(summary, ranked),
        learning=[] if summary.learning is None else summary.learning.words,
        baselines=_say_baselines(summary, ranked),
        features=say_agreement(summary.agreement),
        doubts=_say_doubts(summary, ranked),
    )


def _score(summary: ComparisonSummary, cell: ComparedCell) -> Estimate:
    return cell.scores[summary.measure.name]


# ---------------------------------------------------------------- who leads


def _say_leader(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    if not ranked:
        return [_say("no ranking")]
    score = _score(summary, ranked[0])
    joint = [cell.label for cell in ranked if cell.rank == ranked[0].rank]
    interval = (
        f" (95 % interval {format_interval(score.low, score.high)})"
        if score.low is not None
        else ""
    )
    lead = _say(
        "leader" if len(joint) == 1 else "joint leaders",
        best=join_words(joint),
        title=summary.measure.title,
        score=format_number(score.mean),
        interval=interval,
    )
    if len(ranked) == 1:
        return [lead, _say("alone")]
    return [lead, *_say_distance(ranked), *_say_choice(summary)]


def _say_distance(ranked: Sequence[ComparedCell]) -> list[str]:
    """Put each other model into its word against the best."""
    best = ranked[0].label
    tests = {cell.label: cell.versus_best for cell in ranked if cell.versus_best is not None}
    if all(test.detectable is None for test in tests.values()):
        return [_say("too few folds")]

    def names(word: Word, *, odds: bool) -> str:
        return join_words(
            [
                f"{label} ({say_short_odds(test)})" if odds else label
                for label, test in tests.items()
                if test.word is word
            ]
        )

    worse = names(Word.WORSE, odds=False)
    equal, unclear = (names(word, odds=True) for word in (Word.EQUAL, Word.UNCLEAR))
    if not equal and not unclear and len(tests) == len(ranked) - 1:
        return [_say("ahead of all", best=best)]
    said = []
    if equal:
        said.append(_say("equal to the best", best=best, models=equal))
    if unclear:
        said.append(_say("not told from the best", best=best, models=unclear))
        if detectable := say_detectable(list(tests.values())):
            said.append(_say("power", best=best, detectable=detectable))
    if worse:
        said.append(_say("worse than the best", best=best, models=worse))
    return said


def _say_choice(summary: ComparisonSummary) -> list[str]:
    """Say what score to expect of the best, corrected for having picked it."""
    corrected = summary.best_corrected
    if corrected is None:
        return []
    n, mean, best = int(corrected["n_models"]), corrected["mean"], corrected["uncorrected"]
    low, high = corrected["ci_low"], corrected["ci_high"]
    higher = summary.measure.better == "higher"
    worse = is_flattered(corrected, higher_is_better=higher)
    if worse and format_number(best) != format_number(mean):
        expected = f"{format_number(mean)} (95 % interval {format_interval(low, high)})"
        return [_say("flattery", n=n, expected=expected)]
    is_within = low <= best <= high
    bounds = format_interval(low, high)
    shown = f"; corrected for the choice, the 95 % interval is {bounds}" if is_within else ""
    return [_say("no flattery", n=n, interval=shown)]


# ---------------------------------------------------------------- dummy, linear, deep


def _say_baselines(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    """Say what dummy, the linear model and the deep models tell."""
    if not ranked:
        return []
    dummy = next((cell for cell in ranked if cell.model == "dummy"), None)
    sentences = [_say("no dummy")] if dummy is None else []
    if len(ranked) == 1:
        return sentences
    if dummy is not None:
        sentences += _say_dummy(summary, dummy, ranked)
    linear = next((cell for cell in ranked if cell.model == "linear"), None)
    if linear is not None:
        sentences += _say_linear(linear, is_best=linear.rank == ranked[0].rank)
    return [*sentences, *_say_deep(summary, ranked)]


def _say_dummy(
    summary: ComparisonSummary, dummy: ComparedCell, ranked: Sequence[ComparedCell]
) -> list[str]:
    """Put each other model into its word against dummy, in the order of the ranks."""
    score = format_number(_score(summary, dummy).mean)
    tests = _tests_against(summary, dummy)
    tests = {cell.label: tests[cell.label] for cell in ranked if cell.label in tests}
    if all(test.detectable is None for test in tests.values()):
        return []  # the sentence on too few folds holds here too

    def names(word: Word) -> list[str]:
        return [label for label, test in tests.items() if test.word is word]

    better = names(Word.BETTER)
    if len(better) == len(ranked) - 1:
        return [_say("all beat dummy", score=score)]
    if better:
        said = [_say("some beat dummy", score=score, models=join_words(better))]
    else:
        said = [_say("nothing beats dummy", score=score)]
    for word, rule in (
        (Word.EQUAL, "equal to dummy"),
        (Word.UNCLEAR, "not told from dummy"),
        (Word.WORSE, "worse than dummy"),
    ):
        if found := names(word):
            said.append(_say(rule, models=join_words(found)))
        if word is Word.UNCLEAR and (detectable := say_detectable(list(tests.values()))):
            said.append(_say("power against dummy", detectable=detectable))
    return said


def _tests_against(summary: ComparisonSummary, cell: ComparedCell) -> dict[str, Difference]:
    """Return the tests of all other cells minus one, by label."""
    found: dict[str, Difference] = {}
    for test in summary.tests:
        if test.train_size == cell.train_size and test.second == cell.label:
            found[test.first] = test
        elif test.train_size == cell.train_size and test.first == cell.label:
            found[test.second] = test.turned()
    return found


def _say_linear(linear: ComparedCell, *, is_best: bool) -> list[str]:
    if is_best:
        return [_say("linear leads")]
    gap = linear.versus_best
    if gap is None or gap.detectable is None:
        return []
    if is_not_worse(gap):
        probability = format_percent(1 - gap.p_worse)
        return [_say("linear is enough", rope=format_number(gap.rope), probability=probability)]
    rule = "linear is worse" if gap.word is Word.WORSE else "linear is unclear"
    return [_say(rule, facts=say_facts(gap))]


def _say_deep(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    """Compare the best deep model with the simpler ones, of which dummy is not one."""
    deep = [cell for cell in ranked if cell.deep]
    simpler = [cell for cell in ranked if not cell.deep and cell.model != "dummy"]
    if not deep:
        return []
    if not simpler:
        return [_say("deep alone", name=join_words([cell.label for cell in deep]))]
    best = deep[0]
    equals = [cell.label for cell in deep if cell.rank == best.rank]
    name = join_words(equals)
    if len(deep) > len(equals):
        name += f", the best of {len(deep)} deep models"
    if best is ranked[0]:
        return _say_deep_leader(name, simpler)
    gap, score = best.versus_best, format_number(_score(summary, best).mean)
    if gap is None or gap.detectable is None:
        return []
    facts = {"name": name, "score": score, "best": ranked[0].label}
    if gap.word is Word.WORSE:
        return [_say("deep is worse", **facts)]
    if gap.word is Word.EQUAL:
        return [_say("deep is equal", **facts)]
    return [_say("deep is unclear", **facts, odds=say_odds(gap))]


def _say_deep_leader(name: str, simpler: Sequence[ComparedCell]) -> list[str]:
    """Say whether a deep model that has the best mean is worth it."""
    gaps = {cell.label: cell.versus_best for cell in simpler if cell.versus_best is not None}
    if all(gap.detectable is None for gap in gaps.values()):
        return []
    rivals = [
        cell.label
        for cell in simpler
        if cell.versus_best is None or cell.versus_best.word is not Word.WORSE
    ]
    if not rivals:
        return [_say("deep pays", name=name)]
    enough = max(gaps, key=lambda label: 1 - gaps[label].p_worse)
    if is_not_worse(gaps[enough]):
        return [
            _say(
                "deep is not needed",
                name=name,
                model=enough,
                rope=format_number(gaps[enough].rope),
                probability=format_percent(1 - gaps[enough].p_worse),
            )
        ]
    return [_say("deep leads unclearly", name=name, models=join_words(rivals))]


# ---------------------------------------------------------------- what to doubt


def _say_doubts(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    doubts = []
    failed = [cell.label for cell in summary.cells if cell.status == "failed"]
    skipped = [cell.label for cell in summary.cells if cell.status == "skipped"]
    optimistic = [cell.label for cell in ranked if cell.optimistic]
    if failed:
        is_are = "is" if len(failed) == 1 else "are"
        doubts.append(_say("failed", models=join_words(failed), is_are=is_are))
    if skipped:
        was_were = "was" if len(skipped) == 1 else "were"
        doubts.append(_say("skipped", models=join_words(skipped), was_were=was_were))
    if optimistic:
        doubts.append(_say("optimistic", models=join_words(optimistic)))
    if len(summary.tests) > 1:
        doubts.append(_say("pairs", pairs=count(len(summary.tests), "pair")))
    doubts += [*doubt_size(summary.task), *doubt_constants(summary.task)]
    doubts += [sentence(text) for text in (*summary.task.warnings, *summary.notes)]
    return [*doubts, ONE_STUDY]
