"""Whether the models of a comparison use the same features: numbers and sentences.

Step in the line: cells of a comparison + Explanations -> **AgreementSummary**, sentences. Which
models are good enough for their features to count is decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smalldata.explanation.agreement import Agreement, ExplainedModel, PairAgreement, agree
from smalldata.report.comparison_page.rows import ComparedCell, PairTest
from smalldata.report.plain import join_words, name_some
from smalldata.results.comparison import Word
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation

MOST_FEATURES = 60
"""Rows of the table of features."""

FIRST_FEATURES = 15
"""Rows shown even if no model uses the feature: near misses are worth a look."""

MOST_NAMED = 6
"""Most features named in the sentence on what all good models use."""

MOST_SHARED = 2
"""Most features named that one model uses and others rank high."""

MOST_OWN = 3
"""Most features named that only one model uses, and most models named for that."""


@dataclass(frozen=True, kw_only=True)
class OwnFeatures:
    """Features that only one good model uses, the largest share first.

    No other good model ranks them among its first `FAR_BEHIND`.
    """

    model: str
    features: list[str]


@dataclass(frozen=True, kw_only=True)
class SharedFeature:
    """A feature that one good model uses and others rank high, with the rank in each of them."""

    name: str
    user: str
    place: int
    others: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class NearestFeature:
    """The feature that most good models use, and how many do."""

    name: str
    n: int


@dataclass(frozen=True, kw_only=True)
class ComparedFeature:
    """A row of the table of features; lists are in the order of `AgreementSummary.labels`.

    Attributes
    ----------
    share : float
        Of the mean |phi|; mean over the good models, or over all models if none is good.
    places : list of int or None
        Rank by mean |phi|; None if every Shapley value is 0.
    used : list of bool
    n_good : int
        Good models that use it.
    in_all : bool
        Whether all of them do.
    only : str or None
        The one good model that uses it, if the others rank it far behind.
    """

    name: str
    share: float
    places: list[int | None]
    used: list[bool]
    n_good: int
    in_all: bool
    only: str | None


@dataclass(frozen=True, kw_only=True)
class AgreementSummary:
    """Which features all models use, some, or only one.

    Attributes
    ----------
    top : int
        How many features count as a model's first.
    labels : list of str
        Of the explained cells; ``good`` says which of them count.
    good_models : list of str
        Names of the good models, each once.
    n_good : int
        How many these are.
    pairs : list of PairAgreement
        By position in ``labels``.
    consensus : list of str
        Features that all good models use.
    own : list of OwnFeatures
    shared : list of SharedFeature
        Used by one good model, but not by it alone.
    nearest : NearestFeature or None
    features : list of ComparedFeature
        The table; ``n_left_out`` more are not in it.
    has_null : bool
        Whether permuted labels were used to decide which model uses which feature.
    """

    top: int
    labels: list[str]
    good: list[bool]
    good_models: list[str]
    n_good: int
    pairs: list[PairAgreement]
    consensus: list[str]
    own: list[OwnFeatures]
    shared: list[SharedFeature]
    nearest: NearestFeature | None
    features: list[ComparedFeature]
    n_left_out: int
    has_null: bool


def clearly_better(tests: Sequence[PairTest], cell: ComparedCell) -> set[str]:
    """Return the labels of the cells clearly better than one."""
    winners = set()
    for test in tests:
        if test.train_size == cell.train_size and test.word.is_clear:
            ahead = test.word is Word.BETTER
            winner, loser = (test.first, test.second) if ahead else (test.second, test.first)
            if loser == cell.label:
                winners.add(winner)
    return winners


def good_labels(cells: Sequence[ComparedCell], tests: Sequence[PairTest]) -> set[str]:
    """Return the labels of the cells that predict well enough for their features to count.

    A cell is good if it is clearly better than dummy, or the best, or not clearly worse than the
    best. If dummy itself is not clearly worse than the best, only cells clearly better than dummy
    are good: the features of a model that predicts no better than guessing are chance.

    Parameters
    ----------
    cells : sequence of ComparedCell
        Of one train_size; dummy and cells without a rank are never good.
    tests : sequence of PairTest
        All pairs of the comparison.
    """
    ranked = [cell for cell in cells if cell.rank is not None]
    dummies = [cell for cell in ranked if cell.model == "dummy"]
    beyond = set().union(*(clearly_better(tests, cell) for cell in dummies))
    guessing_leads = any(_is_at_the_top(cell) for cell in dummies)
    return {
        cell.label
        for cell in ranked
        if cell.model != "dummy"
        and (cell.label in beyond or (_is_at_the_top(cell) and not guessing_leads))
    }


def _is_at_the_top(cell: ComparedCell) -> bool:
    return cell.rank is not None and cell.word is not Word.WORSE


def summarize_agreement(
    cells: Sequence[ComparedCell],
    tests: Sequence[PairTest],
    explanations: Mapping[str, Explanation],
    nulls: Mapping[str, NullImportances],
) -> AgreementSummary | None:
    """Find which features all, some or single models use; None for fewer than two models.

    Parameters
    ----------
    cells : sequence of ComparedCell
        All of the comparison, best first; those of the largest train_size are compared.
    tests : sequence of PairTest
    explanations, nulls : mapping
        By the hash of the cell.
    """
    group = leading_group(cells)
    good = good_labels(group, tests)
    explained: list[ExplainedModel] = []
    for cell in group:
        explanation = explanations.get(cell.hash)
        # A table may hold cells of different blocks of one data set.
        if cell.rank is None or explanation is None or not explanation.values.any():
            continue
        usual = explained[0].explanation if explained else explanation
        if (explanation.feature_names, explanation.outputs) != (usual.feature_names, usual.outputs):
            continue
        explained.append(
            ExplainedModel(
                label=cell.label,
                model=cell.model,
                good=cell.label in good,
                explanation=explanation,
                null=nulls.get(cell.hash),
            )
        )
    if len(explained) < 2:
        return None
    has_null = any(entry.null is not None and entry.null.enough for entry in explained)
    return _describe(agree(explained), has_null=has_null)


def leading_group(cells: Sequence[ComparedCell]) -> list[ComparedCell]:
    """Return the cells on all samples, or of the largest subset if none of them has a rank."""
    full = [cell for cell in cells if cell.train_size is None]
    if any(cell.rank is not None for cell in full):
        return full
    largest = max((cell.train_size or 0 for cell in cells), default=0)
    return [cell for cell in cells if cell.train_size == largest]


def _describe(agreement: Agreement, *, has_null: bool) -> AgreementSummary:
    own: dict[str, list[str]] = {}
    shared = []
    for use in sorted(agreement.features, key=lambda use: -max(use.shares)):
        sole, near = agreement.sole_user(use), agreement.near_users(use)
        if sole is None:
            continue
        place = agreement.best_places(use).get(sole)
        if not near:
            own.setdefault(sole, []).append(use.name)
        elif place is not None:
            shared.append(SharedFeature(name=use.name, user=sole, place=place, others=near))
    consensus = [use.name for use in agreement.consensus]
    counted = agreement.good or range(len(agreement.labels))
    used = [use for use in agreement.features if use.users]
    shown = [
        use for place, use in enumerate(agreement.features) if use.users or place < FIRST_FEATURES
    ]
    nearest = max(used, key=agreement.count_voices, default=None)
    order = list(dict.fromkeys(agreement.models[m] for m in agreement.good))
    return AgreementSummary(
        top=agreement.top_k,
        labels=list(agreement.labels),
        good=[m in agreement.good for m in range(len(agreement.labels))],
        good_models=order,
        n_good=agreement.n_voices,
        pairs=list(agreement.pairs),
        consensus=consensus,
        own=[OwnFeatures(model=model, features=own[model]) for model in order if model in own],
        shared=shared,
        nearest=None
        if nearest is None
        else NearestFeature(name=nearest.name, n=agreement.count_voices(nearest)),
        features=[
            ComparedFeature(
                name=use.name,
                share=sum(use.shares[m] for m in counted) / len(counted),
                places=list(use.places),
                used=[m in use.users for m in range(len(agreement.labels))],
                n_good=agreement.count_voices(use),
                in_all=use.name in consensus,
                only=None if agreement.near_users(use) else agreement.sole_user(use),
            )
            for use in shown[:MOST_FEATURES]
        ],
        n_left_out=max(0, len(shown) - MOST_FEATURES),
        has_null=has_null,
    )


# ---------------------------------------------------------------- words


def say_agreement(found: AgreementSummary | None) -> list[str]:
    """Say which features all good models use, which only one does, and how rankings compare."""
    if found is None:
        return []
    n_good = found.n_good
    if n_good == 0:
        return ["No explained model predicts well enough for its features to count."]
    if n_good == 1:
        return [
            f"Of the explained models only {found.good_models[0]} predicts well enough for "
            "its features to count."
        ]
    all_models = "both" if n_good == 2 else f"all {n_good}"
    sentences = []
    if found.consensus:
        names = name_some(found.consensus, MOST_NAMED)
        sentences.append(f"{all_models.capitalize()} good models use {names}.")
    elif found.nearest is not None and found.nearest.n > 1:
        sentences.append(
            f"No feature is used by {all_models} good models; {found.nearest.name} comes closest, "
            f"used by {found.nearest.n}."
        )
    else:
        sentences.append(f"No feature is used by more than one of the {n_good} good models.")
    sentences += _say_own(found.own)
    sentences += _say_shared(found.shared)
    return sentences + _say_overlap(found)


def _say_own(own: Sequence[OwnFeatures]) -> list[str]:
    if not own:
        return []
    if len(own) > MOST_OWN:
        models = join_words([entry.model for entry in own])
        return [f"{models} each use features that no other good model uses: see the table."]
    used = [(entry.model, name_some(entry.features, MOST_OWN)) for entry in own]
    others = [f"; only {model} uses {features}" for model, features in used[1:]]
    return [f"Only {used[0][0]} uses {used[0][1]}{''.join(others)}."]


def _say_shared(shared: Sequence[SharedFeature]) -> list[str]:
    """Give the ranks of features that one model uses and others rank high too."""
    said = []
    for feature in shared[:MOST_SHARED]:
        others = join_words([f"{place} in {model}" for model, place in feature.others.items()])
        said.append(
            f"{feature.name} counts as used by {feature.user} only (rank {feature.place}), but it "
            f"ranks {others}."
        )
    return said


def _say_overlap(found: AgreementSummary) -> list[str]:
    """Name the pairs of good models whose rankings are most and least alike."""
    pairs = [pair for pair in found.pairs if found.good[pair.first] and found.good[pair.second]]
    if not pairs:
        return []
    pairs.sort(key=lambda pair: -pair.overlap)
    most, least = pairs[0], pairs[-1]

    def named(pair: PairAgreement) -> str:
        return f"{found.labels[pair.first]} and {found.labels[pair.second]}"

    if len(pairs) == 1:
        return [f"Their rankings overlap by {most.overlap:.2f} (1 means identical)."]
    return [
        f"The rankings of {named(most)} are the most alike (overlap {most.overlap:.2f}; "
        f"1 means identical), those of {named(least)} the least ({least.overlap:.2f})."
    ]
