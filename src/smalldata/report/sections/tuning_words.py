"""Sentences of a report about the tuning, each a rule over the numbers of its summary.

Step in the line: TuningSummary -> **sentences** (plain text; the templates escape it). The inner
score never appears without the word optimistic.
"""

from collections.abc import Sequence

from smalldata.report.plain import (
    count,
    format_number,
    format_percent,
    format_seconds,
    join_words,
)
from smalldata.report.sections.tuning import Optimism, TuningOutline, TuningSummary
from smalldata.report.sections.tuning_parameters import Parameter
from smalldata.tuning.choice import CONFIRMED

DEPENDS, HARDLY = 1.0, 0.5
"""Mean importance, as a multiple of an even share, above which the report says that the inner score
depends on a hyperparameter, and below which it says that the hyperparameter hardly matters."""

Words = dict[str, list[str]]


def say_tuning(tuning: TuningSummary) -> Words:
    """Describe what tuning did, group by group."""
    return {
        "stayed": say_stayed(tuning),
        "optimism": say_optimism(tuning.optimism, tuning.measure.title),
        "effort": say_effort(tuning),
        "choices": say_choices(tuning),
        "importance": say_importance(tuning),
    }


def say_stayed(tuning: TuningSummary) -> list[str]:
    """Say in how many folds the untuned default stayed, and what would have replaced it."""
    if not tuning.n_tuned:
        return []
    folds = f"{tuning.n_stayed} of {count(tuning.n_tuned, 'fold')}"
    if tuning.settings.choose == "best":
        return [f"The untuned default had the best inner score in {folds}."]
    where = {
        "confirmed": f"{CONFIRMED:g} standard errors on inner folds cut anew",
        "one_se": "a standard error on the inner folds",
    }
    return [
        f"The untuned default stayed in {folds}.",
        f"To replace it, the best trial must beat it by more than {where[tuning.settings.choose]}.",
    ]


def say_optimism(optimism: Optimism, title: str) -> list[str]:
    """Say by how much the tuning score would have overstated the result."""
    if optimism.mean is None:
        return [
            f"The optimism of the tuning score is unknown: no fold has {title} on both its inner "
            "folds and its held-out rows."
        ]
    inner, outer = format_number(optimism.inner), format_number(optimism.outer)
    over = "" if optimism.n == 1 else f", mean over {count(optimism.n, 'fold')}"
    told = (
        f"The chosen trial scored {inner} on the inner folds, {outer} on unseen rows "
        f"({title}{over})"
    )
    gap = optimism.mean
    interval = (
        ""
        if optimism.low is None or optimism.high is None
        else f" (95 % interval {format_gap_interval(optimism.low, optimism.high, inner)})"
    )
    if gap <= 0:
        return [
            f"{told}. The tuning score did not overstate the result here: its optimism is "
            f"{format_gap(gap, inner)}{interval}.",
            "This can happen because the models of the inner folds are trained on fewer rows than "
            "the tested one.",
        ]
    sentences = [
        f"{told}. Reporting the tuning score would have overstated the result by "
        f"{format_gap(gap, inner)}{interval}."
    ]
    if optimism.low is not None and optimism.low <= 0:
        sentences.append(
            "The interval contains 0: these folds do not show that it would do so again."
        )
    return sentences


def format_gap(gap: float, beside: str) -> str:
    """Write a difference with as many decimals as the score next to it.

    Example
    -------
    >>> format_gap(0.00442, "0.897"), format_gap(0.00004, "0.897"), format_gap(3.21, "41.2")
    ('0.004', 'less than 0.001', '3.2')
    """
    n_decimals = len(beside.partition(".")[2])
    text = f"{gap:.{n_decimals}f}"
    if gap != 0 and float(text) == 0:
        return f"less than {10**-n_decimals:.{n_decimals}f}" if gap > 0 else "0"
    return text.replace("-", "−")


def format_gap_interval(low: float, high: float, beside: str) -> str:
    """Write the interval of a difference with as many decimals as the score next to it.

    Example
    -------
    >>> format_gap_interval(-0.0412, 0.00092, "0.897")
    '−0.041 to 0.001'
    """
    n_decimals = len(beside.partition(".")[2])
    return f"{low:.{n_decimals}f} to {high:.{n_decimals}f}".replace("-", "−")


def say_effort(tuning: TuningSummary) -> list[str]:
    """Say how many trials ran, how they ended and how long they took."""
    counts, per_fold = tuning.counts, tuning.per_fold
    if not per_fold:
        return ["No trial finished, so every fold was fitted with the untuned defaults."]
    most = count(per_fold[-1], "trial")
    each = most if len(per_fold) == 1 else f"{per_fold[0]} to {most}"
    if all(one.is_path for one in tuning.parameters):
        name = tuning.parameters[0].name
        how = f"the untuned default, with {name} read off each fit"
    else:
        how = f"sampler {tuning.settings.sampler}; the first is the untuned default"
    who = "The outer fold" if tuning.n_tuned == 1 else f"Each of {tuning.n_tuned} outer folds"
    sentences = [
        f"{who} ran {each} ({how}), scored on {_name_inner_folds(tuning)} of its training rows."
    ]
    ended = [f"{counts['ok']} were scored"]
    ended += [f"{counts[state]} {state}" for state in ("pruned", "failed") if counts[state]]
    total = count(tuning.n_trials, "trial")
    how = f"All {total} were scored" if len(ended) == 1 else f"Of {total}, {join_words(ended)}"
    sentences.append(f"{how}; together they took {format_seconds(tuning.seconds)}.")
    if spared := tuning.fits.get("spared"):
        sentences.append(
            f"Pruning saved {spared} of {spared + tuning.fits['fits']} fits on inner folds."
        )
    if tuning.failures:
        reason, n = tuning.failures[0]
        sentences.append(f"Most common failure ({count(n, 'trial')}): {reason.rstrip('.')}.")
    if tuning.n_untuned:
        sentences.append(
            f"{tuning.n_untuned} of {count(tuning.n_folds, 'fold')} had no trial and "
            f"{'was' if tuning.n_untuned == 1 else 'were'} fitted with the untuned defaults."
        )
    return sentences


def _name_inner_folds(tuning: TuningSummary) -> str:
    """Say how many inner folds there were; small classes may allow fewer than were asked for."""
    asked, repeats = tuning.settings.inner_folds, tuning.settings.inner_repeats
    found = tuning.n_inner
    if not found or found == [asked * repeats]:
        return f"{asked} inner folds{f', repeated {repeats} times,' if repeats > 1 else ''}"
    many = f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"
    times = f", repeated {repeats} times" if repeats > 1 else ""
    return f"{many} inner folds (asked for: {asked}{times})"


def say_choices(tuning: TuningSummary) -> list[str]:
    """Say which choices agree across the folds, and which jump about."""
    n_folds = tuning.n_tuned
    if n_folds < 2:
        return ["One tuned fold cannot show whether the choice is steady."]
    kinds: dict[str, list[Parameter]] = {"steady": [], "moves": [], "jumps": []}
    for parameter in tuning.parameters:
        kinds[parameter.agreement].append(parameter)
    sentences = []
    if kinds["steady"]:
        everything = len(kinds["steady"]) == len(tuning.parameters)
        sentences.append(
            f"{'All choices are steady' if everything else 'Steady'} across the {n_folds} folds: "
            f"{join_words([_with_count(one, n_folds) for one in kinds['steady']])}."
        )
    if kinds["moves"]:
        sentences.append(
            f"Mostly steady: {join_words([_with_count(one, n_folds) for one in kinds['moves']])}."
        )
    sentences += _say_jumps(kinds["jumps"], n_folds, even=even_share(tuning))
    return sentences


def even_share(tuning: TuningSummary) -> float:
    """Return the importance that each hyperparameter would have if all had the same."""
    return 1 / max(1, sum(one.importance is not None for one in tuning.parameters))


def _say_jumps(parameters: Sequence[Parameter], n_folds: int, *, even: float) -> list[str]:
    """Say what jumps about, grouped by whether it matters to the score."""
    groups: dict[tuple[str, str], list[Parameter]] = {
        (  # of one hyperparameter, of several
            "Jumps about although the inner score depends on it, so these samples do not settle "
            "its value",
            "Jump about although the inner score depends on them, so these samples do not settle "
            "their values",
        ): [],
        (
            "Jumps about but hardly matters to the inner score",
            "Jump about but hardly matter to the inner score",
        ): [],
        ("Jumps about", "Jump about"): [],
    }
    depends, hardly, unclear = groups.values()
    for one in parameters:
        weight = None if one.importance is None else one.importance.mean / even
        if weight is not None and weight > DEPENDS:
            depends.append(one)
        elif weight is not None and weight < HARDLY:
            hardly.append(one)
        else:
            unclear.append(one)
    return [
        f"{alone if len(found) == 1 else together}: "
        f"{join_words([_with_count(one, n_folds) for one in found])}."
        for (alone, together), found in groups.items()
        if found
    ]


def _with_count(parameter: Parameter, n_folds: int) -> str:
    return f"{parameter.name} ({parameter.n_agreeing} of {n_folds} agree)"


def say_importance(tuning: TuningSummary) -> list[str]:
    """Say which hyperparameters the inner score depends on, or why that is unknown."""
    known = tuning.importance
    if not known.n_known:
        return [f"No importances: {known.reason}."]
    shares = {one.name: one.importance.mean for one in tuning.parameters if one.importance}
    weighed = sorted(shares, key=lambda name: -shares[name])
    even = even_share(tuning)
    leading = [name for name in weighed[:3] if shares[name] > DEPENDS * even] or weighed[:1]
    told = [f"{name} ({format_percent(shares[name])})" for name in leading]
    sentences = [
        f"The inner score depends most on {join_words(told)}; an even split would give each "
        f"{format_percent(even)}."
    ]
    if known.n_known < tuning.n_folds:
        sentences.append(
            f"Importances are from {known.n_known} of {tuning.n_folds} folds"
            + (
                f"; for {tuning.n_folds - known.n_asked} they were not computed, to save time"
                if known.n_asked < tuning.n_folds
                else f"; the others have none: {known.reason}"
            )
            + "."
        )
    path = [one.name for one in tuning.parameters if one.is_path]
    if path:
        sentences.append(
            f"{join_words(path)} has none: no trial chose it; its values were read off each fit."
        )
    return sentences


# ---------------------------------------------------------------- beyond its own section


def say_tuned(tuning: TuningSummary | None) -> list[str]:
    """Say on the first screen that the score comes from rows the tuning never saw."""
    if tuning is None or not tuning.per_fold:
        return []
    gap = tuning.optimism.mean
    told = (
        f" and scored {format_number(tuning.optimism.inner)} there (optimistic)"
        if gap is not None and gap > 0
        else ""
    )
    return [
        "Its hyperparameters were tuned inside each training fold with "
        f"{'' if len(tuning.per_fold) == 1 else 'at most '}{count(tuning.per_fold[-1], 'trial')}"
        f"{told}; the score comes from rows that the tuning never saw.",
        *(say_stayed(tuning)[:1] if tuning.n_stayed else []),
    ]


def doubt_tuning(tuning: TuningSummary | None) -> list[str]:
    """Warn that no setting is best if what the inner score depends on jumps about."""
    if tuning is None:
        return []
    names = [
        one.name
        for one in tuning.parameters
        if one.agreement == "jumps"
        and one.importance is not None
        and one.importance.mean > DEPENDS * even_share(tuning)
    ]
    if not names:
        return []
    return [
        f"The tuned {join_words(names)} {'jumps' if len(names) == 1 else 'jump'} about from fold "
        "to fold: there is no single best setting to use elsewhere."
    ]


def outline_text(outline: TuningOutline) -> str:
    """Name the trials of a model and its optimism, for a table."""
    if outline.fewest == outline.most:
        text = f"tuned, {count(outline.most, 'trial')}"
    else:
        text = f"tuned, {outline.fewest} to {count(outline.most, 'trial')}"
    if outline.n_stayed:
        text += f"; default kept in {outline.n_stayed} of {count(outline.n_tuned, 'fold')}"
    if outline.mean is None:
        return text
    return f"{text}; optimism {format_gap(outline.mean, format_number(outline.inner))}"
