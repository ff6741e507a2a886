"""What the first screen of a report says: each sentence follows a rule on the numbers.

Step in the line: CellSummary -> **sentences** (plain text; the templates escape it). The thresholds
are named here.
"""

from collections.abc import Sequence

from smalldata.comparison.words import say_interval
from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    format_percent,
    join_words,
    name_some,
)
from smalldata.report.sections.cell import CellFacts
from smalldata.report.sections.difference_words import say_facts, say_power
from smalldata.report.sections.explanation import ExplanationSummary, RankedFeature
from smalldata.report.sections.scores import Score, Standing
from smalldata.report.sections.task import TaskFacts
from smalldata.results.comparison import Word

MOST_CONSTANT = 3
"""Most constant features that a sentence names."""

MOST_CENSORED = 5
"""Most features with values below a limit of detection that a sentence names."""


# ---------------------------------------------------------------- the question


def say_question(task: TaskFacts, cell: CellFacts) -> list[str]:
    """Say what was predicted, from what, and how it was tested."""
    sentences = say_task(task)
    if cell.n_folds:
        times = f", {cell.n_repeats} repeats" if cell.n_repeats > 1 else ""
        sentences.append(
            "Every score is for samples that the model had not seen: "
            f"{count(cell.n_folds, 'fold')}{times} ({cell.cv})."
        )
    if cell.train_size is not None:
        sentences.append(f"Each model was trained on only {cell.train_size} samples.")
    return sentences


def say_task(task: TaskFacts) -> list[str]:
    """Say what is to be predicted and from what."""
    samples = count(task.n_samples, "sample")
    if task.target_values is not None:
        values = task.target_values
        asked = (
            f"Predict {task.target} ({format_number(values.low)} to "
            f"{format_number(values.high)}, "
            f"standard deviation {format_number(values.sd)}) for {samples}"
        )
    elif task.kind == "binary":
        positive = next(entry for entry in task.classes if entry.name == task.positive)
        other = next(entry for entry in task.classes if entry.name != task.positive)
        asked = (
            f"Tell {positive.name} ({positive.n}) from {other.name} ({other.n}) in "
            f"{samples}; "
            f"the target is {task.target}"
        )
    else:
        counts = [entry.n for entry in task.classes]
        asked = (
            f"Tell the {len(counts)} classes of {task.target} apart "
            f"({_span(min(counts), max(counts))} samples each) in {samples}"
        )
    blocks = task.blocks
    features = count(task.n_features, "feature")
    if len(blocks) > 1:
        sizes = join_words([f"{block.name} {block.n}" for block in blocks])
        features += f" in {len(blocks)} blocks ({sizes})"
    sentences = [f"{asked}.", f"Each sample has {features}."]
    if task.constant:
        sentences.append(_say_constant(task.constant))
    if task.censored:
        sentences.append(_say_censored(task))
    if task.n_groups is not None:
        sentences.append(
            f"The samples come in {count(task.n_groups, 'group')}; a group is never split "
            "between training and test."
        )
    return sentences


def _say_constant(names: list[str]) -> str:
    named = name_some(names, MOST_CONSTANT)
    if len(names) == 1:
        return f"1 of them has the same value in every sample, so no model can use it: {named}."
    return (
        f"{len(names)} of them have the same value in every sample, so no model can use them: "
        f"{named}."
    )


def _say_censored(task: TaskFacts) -> str:
    """Say which features have most values below a limit of detection, and whether classes do."""
    leading = [f"{name} ({format_percent(share)})" for name, share in task.censored[:MOST_CENSORED]]
    n_left = len(task.censored) - len(leading)
    named = join_words([*leading, *([f"{n_left} more with fewer"] if n_left else [])])
    said = f"Some values are below a limit of detection: {named}."
    if task.censored_by_class:
        shares = [f"{format_percent(share)} in {name}" for name, share in task.censored_by_class]
        said += f" Across these features, the share is {join_words(shares)}."
    return said


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


# ---------------------------------------------------------------- how well


def say_performance(
    task: TaskFacts,
    cell: CellFacts,
    primary: Score | None,
    against: Standing | None,
) -> list[str]:
    """Say how well it went, with the interval, compared with a model that ignores the features."""
    if cell.status == "skipped":
        return [f"{cell.label} was not run: {cell.reason}."]
    if primary is None or primary.mean is None:
        reason = cell.reason or "no fold has a score"
        return [f"There is no score: {reason.rstrip('.')}."]
    sentences = [_score_sentence(primary)]
    if primary.low is not None:
        sentences.append(say_interval(cell.n_train, one_fold=cell.n_planned == 1))
    if cell.model == "dummy":
        sentences.append("It ignores the features: every other model has to beat it.")
        return sentences + ([] if against is None else say_rank(against))
    meaning = explain_score(primary, task)
    if meaning:
        sentences.append(meaning)
    sentences += say_against_dummy(primary, against)
    if against is not None:
        sentences += say_rank(against)
    return sentences


def _score_sentence(primary: Score) -> str:
    over = f"mean over {count(primary.n, 'fold')}" if primary.n != 1 else "on one fold"
    interval = (
        f", 95 % interval {format_interval(primary.low, primary.high)}"
        if primary.low is not None
        else ""
    )
    return (
        f"{primary.title} {format_number(primary.mean)}{interval} ({over}; "
        f"{primary.better} is better)."
    )


def explain_score(score: Score, task: TaskFacts) -> str:
    """Say a score in everyday words, where its measure has any."""
    mean, says = score.mean, score.says
    if mean is None:
        return ""
    if score.says_below_chance and score.guessing is not None and mean < score.guessing:
        says = score.says_below_chance
    sd = task.target_values.sd if task.target_values is not None else 0.0
    if ("{share_of_sd}" in says and not sd) or ("{percent}" in says and mean < 0):
        return ""
    return says.format(
        of_hundred=_of_hundred(mean),
        percent=format_percent(mean),
        share_of_sd=format_percent(mean / sd) if sd else "",
        positive=task.positive,
        target=task.target,
    )


def _of_hundred(share: float) -> str:
    if 0.995 <= share < 1:
        return "more than 99 of 100"
    return f"{100 * share:.0f} of 100"


def say_against_dummy(primary: Score, against: Standing | None) -> list[str]:
    """Compare with a model that ignores the features, or with the score of guessing."""
    dummy = against.dummy if against else None
    if dummy is not None:
        facts = f"dummy, {primary.title} {format_number(dummy.mean)}; {say_facts(dummy)}"
        if dummy.word.is_clear:
            return [f"That is {dummy.word} than ignoring the features ({facts})."]
        if dummy.word is Word.EQUAL:
            return [f"That is practically equal to ignoring the features ({facts})."]
        return [
            f"That cannot be told apart from ignoring the features ({facts}).",
            say_power(dummy),
        ]
    guessing = primary.guessing
    if guessing is None or primary.low is None or primary.high is None:
        return []
    if primary.low > guessing:
        return [f"The whole interval lies above {format_number(guessing)}, the score of guessing."]
    if primary.high < guessing:
        return [f"The whole interval lies below {format_number(guessing)}, the score of guessing."]
    return [
        f"The interval contains {format_number(guessing)}, the score of guessing: "
        "these folds do not show that the model has learnt anything."
    ]


def say_rank(against: Standing) -> list[str]:
    """Say the rank of a cell, and its word against the best, or those of the others against it."""
    if against.rank is None or against.n_ranked < 2:
        return []
    place = f"Rank {against.rank} of {against.n_ranked} when this page was written"
    versus = against.versus_best
    if versus is None:
        others = against.others if against.rank == 1 else {}
        parts = [
            f"{join_words(names)} {verb if len(names) > 1 else single}"
            for word, single, verb in (
                (Word.EQUAL, "is practically equal to it", "are practically equal to it"),
                (Word.UNCLEAR, *["cannot be told apart from it"] * 2),
                (Word.WORSE, "is clearly worse", "are clearly worse"),
            )
            if (names := [label for label, found in others.items() if found is word])
        ]
        return [f"{place}: {'; '.join(parts)}." if parts else f"{place}."]
    if versus.word.is_clear:
        return [f"{place}: {versus.word} than {against.best} ({say_facts(versus)})."]
    if versus.word is Word.EQUAL:
        return [f"{place}: practically equal to {against.best} ({say_facts(versus)})."]
    return [
        f"{place}: it cannot be told apart from {against.best} ({say_facts(versus)}).",
        say_power(versus),
    ]


# ---------------------------------------------------------------- which features


def say_features(task: TaskFacts, explanation: ExplanationSummary | None) -> list[str]:
    """Name the most important features and their direction."""
    if explanation is None:
        return ["This model was not explained (explain=none)."]
    features = [entry for entry in explanation.features if entry.share > 0]
    if not features:
        return ["The model uses none of the features: every Shapley value is zero."]
    leading = features[:5]
    share = sum(entry.share for entry in leading)
    of_all = (
        ""
        if len(leading) == explanation.n_features
        else f"; together they carry {format_percent(share)} of the total Shapley value"
    )
    subject = "feature is" if len(leading) == 1 else "features are"
    names = join_words([entry.name for entry in leading])
    sentences = [f"The most important {subject} {names}{of_all}."]
    sentences += _say_direction(task, leading)
    if explanation.blocks:
        first = explanation.blocks[0]
        sentences.append(
            f"The block {first.name} carries {format_percent(first.share)} "
            f"({format_percent(first.low)} to {format_percent(first.high)} over the folds) "
            f"with {format_percent(first.n_features / explanation.n_features)} of the "
            "features."
        )
    return sentences


def _say_direction(task: TaskFacts, leading: Sequence[RankedFeature]) -> list[str]:
    towards = task.positive if task.kind == "binary" else f"a higher {task.target}"
    sentences = []
    for direction, word in (("up", "Higher"), ("down", "Lower")):
        names = [entry.name for entry in leading if entry.direction == direction]
        if names:
            verb = "points" if len(names) == 1 else "point"
            sentences.append(f"{word} {join_words(names)} {verb} towards {towards}.")
    return sentences
