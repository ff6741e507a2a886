"""What the first screen of a report says: every sentence is a rule over the numbers of a summary.

Step in the line: plain dict -> **sentences** (plain text; the templates escape it). The thresholds
are named here.
"""

from collections.abc import Sequence
from typing import Any

from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    format_p,
    format_percent,
    join_words,
    sentence,
)

FEW_SAMPLES = 100
FEW_IN_CLASS = 20
RARE_CLASS = 0.2
WIDE_INTERVAL = 0.15
"""Width of an interval, for measures that range over 0 to 1."""
STEADY, MOSTLY = 0.9, 0.6
"""Share of folds in which a feature leads, for it to be called steady or mostly there."""
NOISY_VALUES = 0.1
"""Standard error over mean |phi| above which sampled Shapley values are called noisy."""
SLOPE = (0.7, 1.4)
"""Calibration slopes outside of which probabilities are called too extreme or too timid."""
SIGNIFICANT = 0.05
ONE_STUDY = (
    "All numbers come from one data set; only samples from elsewhere show whether they hold there."
)


# ---------------------------------------------------------------- the question


def say_question(task: dict[str, Any], cell: dict[str, Any]) -> list[str]:
    """Say what was predicted, from what, and how it was tested."""
    sentences = say_task(task)
    if cell["n_planned"]:
        times = f", {cell['n_repeats']} times over" if cell["n_repeats"] > 1 else ""
        sentences.append(
            "Every score is of samples that the model had not seen: "
            f"{count(cell['n_folds'], 'fold')}{times} ({cell['cv']})."
        )
    if cell["train_size"] is not None:
        sentences.append(f"Each model was trained on {cell['train_size']} samples only.")
    return sentences


def say_task(task: dict[str, Any]) -> list[str]:
    """Say what is to be predicted and from what."""
    samples = count(task["n_samples"], "sample")
    if task["kind"] == "regression":
        values = task["target_values"]
        asked = (
            f"Predict {task['target']} ({format_number(values['low'])} to "
            f"{format_number(values['high'])}, "
            f"standard deviation {format_number(values['sd'])}) of {samples}"
        )
    elif task["kind"] == "binary":
        positive = next(entry for entry in task["classes"] if entry["name"] == task["positive"])
        other = next(entry for entry in task["classes"] if entry["name"] != task["positive"])
        asked = (
            f"Tell {positive['name']} ({positive['n']}) from {other['name']} ({other['n']}) in "
            f"{samples}; "
            f"the target is {task['target']}"
        )
    else:
        counts = [entry["n"] for entry in task["classes"]]
        asked = (
            f"Tell the {len(counts)} classes of {task['target']} apart "
            f"({min(counts)} to {max(counts)} samples each) in {samples}"
        )
    blocks = task["blocks"]
    features = count(task["n_features"], "feature")
    if len(blocks) > 1:
        sizes = join_words([f"{block['name']} {block['n']}" for block in blocks])
        features += f" in {len(blocks)} blocks ({sizes})"
    sentences = [f"{asked}.", f"Each is described by {features}."]
    if task["n_groups"] is not None:
        sentences.append(
            f"The samples come in {count(task['n_groups'], 'group')}; a group is never split "
            "between training and test."
        )
    return sentences


# ---------------------------------------------------------------- how well


def say_performance(
    task: dict[str, Any],
    cell: dict[str, Any],
    primary: dict[str, Any] | None,
    against: dict[str, Any] | None,
) -> list[str]:
    """Say how well it went, with the interval, and against a model that ignores the features."""
    if cell["status"] == "skipped":
        return [f"{cell['label']} was not run: {cell['reason']}."]
    if primary is None or primary["mean"] is None:
        reason = cell["reason"] or "no fold has a score"
        return [f"There is no score: {reason.rstrip('.')}."]
    sentences = [_score_sentence(cell, primary)]
    meaning = explain_score(primary["name"], primary["mean"], task)
    if meaning:
        sentences.append(meaning)
    sentences += say_against_dummy(primary, against)
    if against is not None:
        sentences += _say_rank(against)
    return sentences


def _score_sentence(cell: dict[str, Any], primary: dict[str, Any]) -> str:
    over = f"mean over {count(primary['n'], 'fold')}" if primary["n"] != 1 else "on one fold"
    interval = (
        f", 95 % interval {format_interval(primary['low'], primary['high'])}"
        if primary["low"] is not None
        else ""
    )
    return (
        f"{primary['title']} {format_number(primary['mean'])}{interval} ({over}; "
        f"{primary['better']} is better)."
    )


def explain_score(measure: str, mean: float, task: dict[str, Any]) -> str:
    """Say a score in everyday words, where there are any.

    Example
    -------
    >>> explain_score("balanced_accuracy", 0.785, {})
    'On average over the classes, 78 of 100 samples get the right class.'
    """
    if measure == "roc_auc":
        name = task["positive"]
        return (
            f"Of one {name} sample and one other, drawn at random, the model scores the {name} one "
            "higher "
            f"in {100 * mean:.0f} of 100 cases."
        )
    if measure == "roc_auc_ovr":
        return (
            "Of one sample of a class and one of another class, drawn at random, the model scores "
            "the first higher for "
            f"that class in {100 * mean:.0f} of 100 cases, on average over the classes."
        )
    if measure == "balanced_accuracy":
        return f"On average over the classes, {100 * mean:.0f} of 100 samples get the right class."
    if measure == "rmse" and task.get("target_values"):
        share = mean / task["target_values"]["sd"]
        return (
            f"A typical error is {format_percent(share)} of the standard deviation of "
            f"{task['target']}."
        )
    if measure == "r2":
        return f"The model accounts for {format_percent(max(mean, 0.0))} of the variance."
    return ""


def say_against_dummy(primary: dict[str, Any], against: dict[str, Any] | None) -> list[str]:
    """Compare with a model that ignores the features, or with the score of guessing."""
    dummy = against["dummy"] if against else None
    if dummy is not None:
        better = dummy["difference"] if primary["better"] == "higher" else -dummy["difference"]
        facts = (
            f"{primary['title']} {format_number(dummy['mean'])}; difference "
            f"{format_number(dummy['difference'])}, "
            f"interval {format_interval(dummy['low'], dummy['high'])}, {format_p(dummy['p_holm'])}"
        )
        if dummy["low"] <= 0 <= dummy["high"] or dummy["p_holm"] >= SIGNIFICANT:
            return [f"That is not clearly better than ignoring the features ({facts})."]
        if better < 0:
            return [f"That is worse than ignoring the features ({facts})."]
        return [f"That is clearly better than ignoring the features ({facts})."]
    guessing = primary["guessing"]
    if guessing is None or primary["low"] is None:
        return []
    if primary["low"] > guessing:
        return [f"The whole interval lies above {format_number(guessing)}, the score of guessing."]
    if primary["high"] < guessing:
        return [f"The whole interval lies below {format_number(guessing)}, the score of guessing."]
    return [
        f"The interval contains {format_number(guessing)}, the score of guessing: "
        "these folds do not show that the model has learnt anything."
    ]


def _say_rank(against: dict[str, Any]) -> list[str]:
    if against["rank"] is None or against["n_ranked"] < 2:
        return []
    place = f"Rank {against['rank']} of {against['n_ranked']} in its table"
    if against["rank"] == 1:
        others = against["n_tied"] - 1
        tied = f", tied with {count(others, 'other')}" if others > 0 else ", ahead of all others"
        return [f"{place}{tied}."]
    tied = "tied with" if against["tied_with_best"] else "clearly behind"
    return [f"{place}, {tied} the first, {against['best']}."]


# ---------------------------------------------------------------- which features


def say_features(task: dict[str, Any], explanation: dict[str, Any] | None) -> list[str]:
    """Name the features the model leans on, their direction, and how steady they are."""
    if explanation is None:
        return ["This model was not explained (explain=none)."]
    features = [entry for entry in explanation["features"] if entry["share"] > 0]
    if not features:
        return ["The model uses no feature: every Shapley value is zero."]
    leading = features[:5]
    share = sum(entry["share"] for entry in leading)
    of_all = (
        ""
        if len(leading) == explanation["n_features"]
        else f"; together they carry {format_percent(share)} of all Shapley value"
    )
    sentences = [f"It leans most on {join_words([entry['name'] for entry in leading])}{of_all}."]
    sentences += _say_direction(task, leading)
    if explanation["n_folds"] > 1:
        sentences.append(say_steadiness(leading, explanation["top_k"], explanation["n_folds"]))
    if explanation["blocks"]:
        first = explanation["blocks"][0]
        sentences.append(
            f"The block {first['name']} carries {format_percent(first['share'])} "
            f"({format_percent(first['low'])} to {format_percent(first['high'])} over the folds)."
        )
    return sentences


def _say_direction(task: dict[str, Any], leading: Sequence[dict[str, Any]]) -> list[str]:
    towards = task["positive"] if task["kind"] == "binary" else f"a higher {task['target']}"
    sentences = []
    for direction, word in (("up", "Higher"), ("down", "Lower")):
        names = [entry["name"] for entry in leading if entry["direction"] == direction]
        if names:
            sentences.append(f"{word} {join_words(names)}: towards {towards}.")
    return sentences


def say_steadiness(leading: Sequence[dict[str, Any]], top_k: int, n_folds: int) -> str:
    """Say in how many folds the leading features lead.

    Example
    -------
    >>> say_steadiness([{"name": "tau", "frequency": 1.0}], 10, 5)
    'The ranking is steady: tau is among the first 10 in at least 90\u202f% of the 5 folds.'
    """
    steady = [entry["name"] for entry in leading if entry["frequency"] >= STEADY]
    loose = [entry["name"] for entry in leading if entry["frequency"] < MOSTLY]
    if len(steady) == len(leading):
        verb = "is" if len(steady) == 1 else "are"
        return (
            f"The ranking is steady: {join_words(steady)} {verb} among the first {top_k} "
            f"in at least {format_percent(STEADY)} of the {n_folds} folds."
        )
    if loose:
        counts = [
            f"{entry['name']} in {entry['frequency'] * n_folds:.0f}"
            for entry in leading
            if entry["frequency"] < MOSTLY
        ]
        return (
            f"The ranking is not steady: of {n_folds} folds, among the first {top_k} are "
            f"{join_words(counts)}."
        )
    counts = [f"{entry['name']} in {entry['frequency'] * n_folds:.0f}" for entry in leading]
    return (
        f"The ranking is mostly steady: of {n_folds} folds, among the first {top_k} are "
        f"{join_words(counts)}."
    )


# ---------------------------------------------------------------- what to doubt


def say_doubts(summary: dict[str, Any], primary: dict[str, Any] | None) -> list[str]:
    """List what weakens the result, gravest first; one sentence each."""
    task, cell, against = summary["task"], summary["cell"], summary["against"]
    doubts = []
    if cell["failed"]:
        doubts.append(
            f"{len(cell['failed'])} of {cell['n_planned']} folds failed; the scores are of the "
            "rest "
            f"and the cell is not ranked. First reason: {cell['failed'][0]['reason'].rstrip('.')}."
        )
    elif cell["status"] == "failed" and cell["n_ok"] < cell["n_planned"]:
        doubts.append(f"Only {cell['n_ok']} of {cell['n_planned']} folds are finished.")
    if against is not None and against["optimistic"]:
        doubts.append(
            "This score is optimistic: the settings were chosen by the same folds that it is "
            "measured on."
        )
    if cell["train_size"] is not None:
        doubts.append(
            f"Trained on {cell['train_size']} samples only; more data may change the picture."
        )
    doubts += doubt_size(task)
    if primary is not None:
        doubts += doubt_interval(primary, task)
    slope = next((s for s in summary["scores"] if s["name"] == "calibration_slope"), None)
    if slope is not None and slope["mean"] is not None:
        doubts += doubt_calibration(slope["mean"])
    if against is not None and against["linear"] is not None:
        doubts += doubt_beyond_linear(against["linear"])
    doubts += [sentence(text) for text in task["warnings"]]
    doubts += doubt_explanation(summary["explanation"])
    for note in cell["notes"][:4]:
        folds = f" ({count(note['n'], 'fold')})" if note["n"] < cell["n_ok"] else ""
        doubts.append(sentence(f"{note['text'].rstrip('.')}{folds}"))
    return [*doubts, ONE_STUDY]


def doubt_size(task: dict[str, Any]) -> list[str]:
    """Few samples, a small or rare class, more features than samples."""
    doubts = []
    if task["n_samples"] < FEW_SAMPLES:
        doubts.append(f"{task['n_samples']} samples are few: expect other numbers on new data.")
    if task["classes"]:
        smallest = min(task["classes"], key=lambda entry: entry["n"])
        if smallest["n"] < FEW_IN_CLASS:
            doubts.append(
                f"The class {smallest['name']} has {count(smallest['n'], 'sample')} only."
            )
        elif len(task["classes"]) == 2 and smallest["share"] < RARE_CLASS:
            doubts.append(
                f"The classes are unequal: {smallest['name']} is "
                f"{format_percent(smallest['share'])} of the samples. "
                "Look at average precision and the confusion matrix too."
            )
    if task["n_features"] > task["n_samples"]:
        ratio = task["n_features"] / task["n_samples"]
        doubts.append(
            f"There are {ratio:.1f} times as many features as samples: some will fit by chance."
        )
    if task["missing"] > 0.05:
        doubts.append(
            f"{format_percent(task['missing'])} of the values are missing and were filled in."
        )
    return doubts


def doubt_interval(primary: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """Interval too wide to tell much, or folds that disagree."""
    low, high = primary["low"], primary["high"]
    if primary["mean"] is None:
        return []
    if low is None:
        return ["One fold gives no interval: nothing is known of the spread."]
    sd = task["target_values"].get("sd") if task["target_values"] else None
    wide = WIDE_INTERVAL * sd if sd and primary["name"] in ("rmse", "mae") else WIDE_INTERVAL
    if high - low > wide:
        return [
            f"The interval is wide ({format_interval(low, high)}); single folds reach from "
            f"{format_number(primary['min'])} to {format_number(primary['max'])}."
        ]
    return []


def doubt_calibration(slope: float) -> list[str]:
    """Probabilities that are too extreme or too timid."""
    if slope < SLOPE[0]:
        return [
            f"The probabilities are too extreme (calibration slope {format_number(slope)}): "
            "read them as an order, not as risks."
        ]
    if slope > SLOPE[1]:
        return [
            f"The probabilities are too timid (calibration slope {format_number(slope)}): "
            "true risks are further from the middle."
        ]
    return []


def doubt_beyond_linear(linear: dict[str, Any]) -> list[str]:
    """Point at a simple linear model that does as well."""
    if linear["low"] <= 0 <= linear["high"]:
        return [
            f"A linear model does as well, as far as these folds can tell (difference "
            f"{format_number(linear['difference'])}, interval "
            f"{format_interval(linear['low'], linear['high'])})."
        ]
    return []


def doubt_explanation(explanation: dict[str, Any] | None) -> list[str]:
    """Point at noisy sampled values, a ranking that is not steady, notes."""
    if explanation is None:
        return []
    doubts = []
    error = explanation["relative_error"]
    if error is not None and error > NOISY_VALUES:
        doubts.append(
            "The Shapley values are sampled and noisy: their standard error is "
            f"{format_percent(error)} of a typical value."
        )
    leading = [entry for entry in explanation["features"][:5] if entry["share"] > 0]
    if explanation["n_folds"] > 1 and leading:
        loose = [entry["name"] for entry in leading if entry["frequency"] < MOSTLY]
        if 2 * len(loose) > len(leading):
            doubts.append(
                "Which features lead depends on the fold: do not build on one of them alone."
            )
    doubts += [sentence(text) for text in explanation["notes"]]
    return doubts
