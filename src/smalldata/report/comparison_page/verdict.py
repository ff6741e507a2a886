"""What the first screen of a comparison says: who leads, whether it is real, what to doubt.

Step in the line: ComparisonSummary -> **ComparisonWords** (plain text; the template escapes it).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from smalldata.report.comparison_page.consensus import clearly_better, leading_group, say_agreement
from smalldata.report.comparison_page.overview import ComparisonSummary
from smalldata.report.comparison_page.rows import ComparedCell
from smalldata.report.plain import (
    Estimate,
    count,
    format_interval,
    format_number,
    format_p,
    join_words,
    sentence,
)
from smalldata.report.sections.scores_words import is_clear, say_task
from smalldata.report.sections.trust_doubts import ONE_STUDY, doubt_constants, doubt_size


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
    ranked.sort(key=lambda cell: cell.rank or 0)
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


def _say_leader(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    title = summary.measure.title
    if not ranked:
        return ["No model finished all its folds, so there is no ranking."]
    best = ranked[0]
    score = _score(summary, best)
    joint = [cell.label for cell in ranked if cell.rank == best.rank]
    interval = (
        f" (95 % interval {format_interval(score.low, score.high)})"
        if score.low is not None and len(joint) == 1
        else ""
    )
    verb = "has" if len(joint) == 1 else "share"
    lead = f"{join_words(joint)} {verb} the best {title}: {format_number(score.mean)}{interval}."
    if len(ranked) == 1:
        return [lead, "It is the only ranked model; there is nothing to compare it with."]
    subject = "It is" if len(joint) == 1 else "They are"
    distance = _say_distance(ranked[len(joint) :], subject=subject)
    return [lead, *distance, *_say_choice(summary)]


def _is_behind(cell: ComparedCell) -> bool:
    """Whether the difference to the best is clear, all pairs counted."""
    return cell.versus_best is not None and is_clear(cell.versus_best)


def _say_distance(others: Sequence[ComparedCell], *, subject: str) -> list[str]:
    tied = [cell.label for cell in others if cell.tied]
    clear = [cell.label for cell in others if not cell.tied and _is_behind(cell)]
    unclear = [cell.label for cell in others if not cell.tied and not _is_behind(cell)]
    sentences = []
    if others and len(clear) == len(others):
        sentences.append(
            f"{subject} clearly ahead of every other model: every interval of the difference "
            "excludes 0, and every p-value is below 0.05 after correcting for all pairs (Holm)."
        )
        return sentences
    if tied:
        sentences.append(
            f"{subject} not clearly ahead of {join_words(tied)}: the interval of the difference "
            "contains 0."
        )
    if unclear:
        sentences.append(
            f"{join_words(unclear)} {'is' if len(unclear) == 1 else 'are'} behind, but not "
            "clearly so after correcting for all pairs (Holm)."
        )
    if clear:
        sentences.append(
            f"{join_words(clear)} {'is' if len(clear) == 1 else 'are'} clearly behind."
        )
    return sentences


def _say_choice(summary: ComparisonSummary) -> list[str]:
    """Say what score to expect of the best, corrected for having picked it."""
    corrected = summary.best_corrected
    if corrected is None:
        return []
    n_models, best = int(corrected["n_models"]), corrected["uncorrected"]
    interval = format_interval(corrected["ci_low"], corrected["ci_high"])
    expected = f"{format_number(corrected['mean'])} ({interval})"
    change = corrected["mean"] - best
    worse = change < 0 if summary.measure.better == "higher" else change > 0
    if worse and format_number(best) != format_number(corrected["mean"]):
        return [
            f"Picking the best of {n_models} flatters it. Corrected for that, expect {expected}."
        ]
    return [
        f"These folds show no flattery from picking the best of {n_models}. Corrected for it, "
        f"expect {expected}."
    ]


def _say_baselines(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    """Say what dummy, the linear model and the deep models tell."""
    if not ranked:
        return []
    sentences = []
    dummy = next((cell for cell in ranked if cell.model == "dummy"), None)
    if dummy is None:
        sentences.append(
            "There is no dummy in this table: add model=dummy to see what guessing scores."
        )
    if len(ranked) == 1:
        return sentences
    if dummy is not None:
        sentences.append(_say_dummy(summary, dummy, ranked))
    linear = next((cell for cell in ranked if cell.model == "linear"), None)
    if linear is not None and linear.rank == 1:
        sentences.append("The linear model leads: nothing here calls for a more complex one.")
    elif linear is not None and linear.versus_best is not None:
        gap = linear.versus_best
        facts = f"difference {format_number(abs(gap.difference))}, {format_p(gap.p_holm)}"
        if linear.tied:
            sentences.append(
                "The linear model does as well as the best, as far as these folds can tell "
                f"({facts})."
            )
        elif is_clear(gap):
            sentences.append(f"The linear model is clearly behind the best ({facts}).")
        else:
            sentences.append(
                "The linear model is behind the best, but not clearly so after correcting for all "
                f"pairs ({facts})."
            )
    return [*sentences, *_say_deep(summary, ranked)]


def _say_dummy(
    summary: ComparisonSummary, dummy: ComparedCell, ranked: Sequence[ComparedCell]
) -> str:
    """Name the models clearly better than dummy, each by its own test against it."""
    score = format_number(_score(summary, dummy).mean)
    beaten_by = clearly_better(summary.tests, dummy, better=summary.measure.better)
    others = [cell.label for cell in ranked if cell.model != "dummy"]
    better = [label for label in others if label in beaten_by]
    if not better:
        return f"No model is clearly better than dummy, which ignores the features ({score})."
    told = "every other model" if len(better) == len(others) else join_words(better)
    verb = "is" if len(better) in (1, len(others)) else "are"
    return f"Ignoring the features (dummy) gives {score}; {told} {verb} clearly better."


def _say_deep(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    """Compare the best deep models with the simpler ones, of which dummy is not one."""
    deep = [cell for cell in ranked if cell.deep]
    simpler = [cell for cell in ranked if not cell.deep and cell.model != "dummy"]
    if not deep:
        return []
    if not simpler:
        labels = join_words([cell.label for cell in deep])
        return [
            f"Deep learning ({labels}) has no simpler model to compare with: add model=linear to "
            "see whether it pays."
        ]
    best = [cell for cell in deep if cell.rank == deep[0].rank]
    name = join_words([cell.label for cell in best])
    if len(deep) > len(best):
        name += f", the best of {len(deep)} deep models"
    if best[0].rank == 1:
        said = "has the best mean here, but is not clearly ahead of every simpler model."
        if all(not cell.tied and _is_behind(cell) for cell in simpler):
            said = "pays here: it is clearly ahead of every simpler model."
        return [f"Deep learning ({name}) {said}"]
    subject = f"Deep learning ({name}, {format_number(_score(summary, best[0]).mean)})"
    if best[0].tied:
        return [f"{subject} does as well as the best model, but no better."]
    clearly = "clearly " if _is_behind(best[0]) else ""
    return [f"{subject} does not pay here: it is {clearly}behind the best model."]


def _say_doubts(summary: ComparisonSummary, ranked: Sequence[ComparedCell]) -> list[str]:
    doubts = []
    failed = [cell for cell in summary.cells if cell.status == "failed"]
    skipped = [cell for cell in summary.cells if cell.status == "skipped"]
    if failed:
        doubts.append(
            f"{join_words([cell.label for cell in failed])} did not finish and "
            f"{'is' if len(failed) == 1 else 'are'} not ranked."
        )
    if skipped:
        doubts.append(
            f"{join_words([cell.label for cell in skipped])} "
            f"{'was' if len(skipped) == 1 else 'were'} skipped "
            "(reasons in the table)."
        )
    optimistic = [cell.label for cell in ranked if cell.optimistic]
    if optimistic:
        doubts.append(
            f"{join_words(optimistic)}: optimistic, because the settings were chosen on the same "
            "folds that give the score."
        )
    n_pairs = len(summary.tests)
    if n_pairs > 1:
        doubts.append(
            f"{count(n_pairs, 'pair')} of models were tested; p-values are corrected for that "
            "(Holm)."
        )
    doubts += [*doubt_size(summary.task), *doubt_constants(summary.task)]
    doubts += [sentence(text) for text in (*summary.task.warnings, *summary.notes)]
    return [*doubts, ONE_STUDY]
