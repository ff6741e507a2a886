"""What learning curves say: from how many samples deep learning pays, what more data would bring.

Step in the line: LearningCurves -> **LearningSummary**, sentences -> page, screen. Every sentence
is a rule over the numbers; none names a number of samples or a predicted score without its
interval.
"""

from dataclasses import dataclass

from smalldata.measures.registry import Measure
from smalldata.report.plain import format_interval, format_number, join_words
from smalldata.results.learning_curves import (
    Contest,
    CurvePoint,
    Lead,
    LearningCurve,
    LearningCurves,
)
from smalldata.statistics.power_law import REACH

PERFECT = 0.0005
"""Distance to the best possible score that the table rounds away."""

TIMES = {2: "twice", 3: "three times", 4: "four times"}


@dataclass(frozen=True, kw_only=True)
class LearningSummary:
    """Learning curves and what they say.

    Attributes
    ----------
    curves : tuple of LearningCurve
    pairs : list of (Contest, str)
        Each with which model leads where, in words.
    has_laws : bool
        Whether any curve has a fitted law.
    times : str
        How far the laws are read, in words: up to this many times the largest number measured.
    words : list of str
    """

    curves: tuple[LearningCurve, ...]
    pairs: list[tuple[Contest, str]]
    has_laws: bool
    times: str
    words: list[str]


def summarize_learning(curves: LearningCurves, measure: Measure) -> LearningSummary:
    """Put learning curves and what they say together."""
    return LearningSummary(
        curves=curves.curves,
        pairs=[(contest, say_contest(contest)) for contest in curves.pairs],
        has_laws=any(curve.law is not None for curve in curves.curves),
        times=TIMES[REACH],
        words=say_learning(curves, measure),
    )


def say_learning(curves: LearningCurves, measure: Measure) -> list[str]:
    """Say whether deep learning pays and from how many samples, then what more would bring.

    Parameters
    ----------
    curves : LearningCurves
    measure : Measure
        The measure of the curves.
    """
    measured = [curve for curve in curves.curves if curve.points]
    if not measured:
        return ["No model has a score at any number of training samples, so there is no curve."]
    sentences = [*_say_networks(curves), *say_curve(measured[0], measure)]
    foretold = [
        contest.most
        for contest in curves.networks
        if any(lead.stop > contest.most for lead in contest.leads)
    ]
    if foretold:
        sentences.append(
            f"Statements beyond {_n(min(foretold))} training samples rest on the fitted curves: "
            "use them to plan how much data to collect, not as results."
        )
    return sentences


def _say_networks(curves: LearningCurves) -> list[str]:
    networks = [curve for curve in curves.curves if curve.is_network]
    if not networks and curves.single:
        return [
            f"Deep learning ({join_words(list(curves.single))}) has scores at only one number "
            "of training samples: run it with those of the other models (cv.train_size=…) to see "
            "from how many it pays."
        ]
    if not networks:
        return ["No deep model has a score here: add model=mlp to see whether deep learning pays."]
    said = [say_payoff(contest) for contest in curves.networks]
    heard = {contest.first for contest in curves.networks}
    for curve in networks:
        if curve.label in heard:
            continue
        if curve.law is None:
            said.append(
                f"It is unknown from how many samples deep learning ({curve.label}) pays: "
                f"{curve.reason}."
            )
        else:
            said.append(
                f"There is no other model with a fitted curve to compare deep learning "
                f"({curve.label}) with."
            )
    return said


# ---------------------------------------------------------------- a network against the others


def say_payoff(contest: Contest) -> str:
    """Say from how many training samples a network pays, if the curves show it."""
    name = f"Deep learning ({contest.first})"
    others = contest.rivals[0] if len(contest.rivals) == 1 else "every other model"
    span = f"between {_n(contest.fewest)} and {_n(contest.reach)} training samples"
    leads = contest.leads
    limit = (
        f"{_n(contest.reach)} is {TIMES[REACH]} the largest number that {_sides(contest)} were "
        "measured with; nothing is claimed beyond it."
    )
    if not leads:
        why = f"by the fitted curves it is never clearly ahead of {others}"
        why += " or behind it" if len(contest.rivals) == 1 else ", or clearly behind one of them"
        return (
            f"Whether deep learning ({contest.first}) pays is unclear at any number {span}: "
            f"{why}. {limit}"
        )
    sides = [lead.of_first for lead in leads]
    if sides in ([False, True], [True, False]):
        return _say_turn(contest, name)
    if len(leads) > 1:
        parts = [
            f"{'ahead' if lead.of_first else f'behind {lead.leader}'} {_between(lead)}"
            for lead in leads
        ]
        return f"{name} is {join_words(parts)}; elsewhere {span} it is unclear."
    lead = leads[0]
    would = lead.start > contest.most
    if lead.of_first and would:
        verdict, why = "would pay", f"by the fitted curves it would be ahead of {others}"
    elif lead.of_first:
        verdict, why = "pays", f"it is ahead of {others}"
    elif would:
        verdict, why = "would not pay", f"by the fitted curves {lead.leader} would be ahead"
    else:
        verdict, why = "does not pay", f"{lead.leader} is ahead"
    from_start, to_end = lead.start <= contest.fewest, lead.stop >= contest.reach
    if from_start and to_end:
        return f"{name} {verdict} at any number {span}: {why}. {limit}"
    if to_end:
        return (
            f"{name} {verdict} with {_n(lead.start)} training samples or more, up to "
            f"{_n(lead.stop)}: {why}. With fewer it is unclear."
        )
    if from_start:
        return (
            f"{name} {verdict} with up to {_n(lead.stop)} training samples: {why}. Whether it does "
            f"with more, up to {_n(contest.reach)}, is unclear. {limit}"
        )
    return (
        f"{name} {verdict} {_between(lead)} training samples: {why}. With fewer or more it is "
        "unclear."
    )


def _say_turn(contest: Contest, name: str) -> str:
    """Say where the lead changes, with its interval."""
    before, after = contest.leads
    gap = f"95 % interval {_n(before.stop)} to {_n(after.start)}"
    would = after.start > contest.most
    if contest.crossing is not None:
        where = f"about {_n(round(contest.crossing.value))} training samples ({gap})"
    else:
        where = f"some number of training samples between {_n(before.stop)} and {_n(after.start)}"
    if after.of_first:
        start = f"{name} {'would pay' if would else 'pays'} from {where} on"
        text = f"{start}; with fewer, {before.leader} is ahead."
    else:
        text = f"{name} pays up to {where}; with more, {after.leader} "
        text += "would be ahead." if would else "is ahead."
    if would:
        text += f" The largest number that {_sides(contest)} were measured with is "
        text += f"{_n(contest.most)}."
    return text


def _sides(contest: Contest) -> str:
    return "both" if len(contest.rivals) == 1 else "all"


def _between(lead: Lead) -> str:
    if lead.start == lead.stop:
        return f"at {_n(lead.start)}"
    return f"between {_n(lead.start)} and {_n(lead.stop)}"


def say_contest(contest: Contest) -> str:
    """Say in one line which of two models leads where."""
    if not contest.leads:
        return "unclear"
    parts = [f"{lead.leader} {_between(lead)}" for lead in contest.leads]
    return "; ".join(parts)


# ---------------------------------------------------------------- one curve


def say_curve(curve: LearningCurve, measure: Measure) -> list[str]:
    """Say what a model gained from more samples, and what twice as many would bring."""
    if len(curve.points) < 2:
        return [f"{curve.label} has scores at fewer than two numbers of training samples."]
    first, last = curve.points[0], curve.points[-1]
    between = f"from {_n(first.size)} to {_n(last.size)} training samples"
    best = measure.high if measure.higher_is_better else measure.low
    if abs(last.mean - best) < PERFECT:
        full = next(point for point in curve.points if abs(point.mean - best) < PERFECT)
        return [
            f"{curve.label} reaches the best possible {measure.title} with {_n(full.size)} "
            f"training samples{_interval(full)}: more cannot improve it."
        ]
    sentences = [_say_gain(curve, measure, between)] if curve.gain is not None else []
    if curve.law is None:
        return [*sentences, f"No curve was fitted for {curve.label}: {curve.reason}."]
    doubled = curve.law.doubled
    sentences.append(
        f"Twice the samples ({_n(doubled.size)}) would take {curve.label} from "
        f"{format_number(last.mean)}{_interval(last)} to {format_number(doubled.mean)}"
        f"{_interval(doubled)}, if its curve continues as fitted."
    )
    return sentences


def _say_gain(curve: LearningCurve, measure: Measure, between: str) -> str:
    gain = curve.gain
    assert gain is not None
    facts = (
        f"{measure.title} {_signed(gain.value)}, 95 % interval {_signed(gain.low)} to "
        f"{_signed(gain.high)}"
    )
    if gain.low <= 0 <= gain.high:
        return f"{curve.label} does not clearly change {between} ({facts})."
    if (gain.value > 0) == measure.higher_is_better:
        return f"{curve.label} improves {between} ({facts})."
    flat = (
        " Its fitted curve is flat, because a law of this kind cannot get worse."
        if curve.law
        else ""
    )
    return f"{curve.label} gets worse {between} ({facts}).{flat}"


def _interval(point: CurvePoint) -> str:
    if point.low is None or point.high is None:
        return ""
    return f" ({format_interval(point.low, point.high)})"


def _signed(value: float) -> str:
    text = format_number(value)
    return text if text.startswith("−") or value == 0 else f"+{text}"


def _n(size: int) -> str:
    return f"{size:,}".replace(",", "\u202f")
