"""An Explanation in plain numbers: how much each feature counts and how reliable that is.

Step in the line: Explanation + Task -> **ExplanationSummary** -> figures. Every row was explained
by a model that never saw it. `steady`, `null`, `removals`, `pairs` and `twins` say how far that can
be trusted; `samples` holds what is drawn sample by sample.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.pipeline.limits import shown_column
from smalldata.report.plain import round_significant
from smalldata.report.sections.explanation_pairs import PairsSummary, summarize_pairs
from smalldata.report.sections.explanation_permuted_labels import NullSummary, summarize_null
from smalldata.report.sections.explanation_removals import Removals, summarize_removals
from smalldata.report.sections.explanation_samples import (
    N_BEESWARM,
    SampleValues,
    choose_kept,
    list_samples,
)
from smalldata.report.sections.trust import Steadiness, summarize_steadiness
from smalldata.report.sections.trust_correlation_groups import Twins, summarize_twins
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.statistics.rank_stability import fold_importances, top_k_frequency
from smalldata.task import Task

N_TABLE = 500
"""Most rows of the feature table."""


@dataclass(frozen=True, kw_only=True)
class RankedFeature:
    """A row of the feature table.

    Attributes
    ----------
    mean : float
        Mean |phi|; ``sd`` and the 10th and 90th percentile ``low`` and ``high`` over folds.
    share : float
        Of the summed mean |phi| of all features.
    frequency : float
        Share of folds in which the feature is among the first ``top_k``.
    direction : str
        Whether higher values raise the output: up, down, mixed or category; "" where it is not
        known.
    above : bool or None
        Whether it passes what permuted labels reach; None where that is not known.
    """

    rank: int
    name: str
    block: str
    mean: float
    sd: float
    low: float
    high: float
    share: float
    frequency: float
    direction: str
    n_missing: int
    above: bool | None


@dataclass(frozen=True, kw_only=True)
class BlockShare:
    """A block's share of the summed mean |phi|; 10th and 90th percentile over folds."""

    name: str
    n_features: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Mean |phi| of a column of the table; 10th and 90th percentile over folds."""

    feature: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class ExplanationSummary:
    """What an explanation holds, for one page.

    Attributes
    ----------
    scale, scale_means : str
        Unit of the values, and what a step on it is in everyday words.
    outputs : list of str
        Names of the classes that are explained, or of the target.
    n_samples, n_repeats, n_folds : int
        That were explained.
    top_k : int
        A feature leads in a fold where it is among the first ``top_k``.
    features : list of RankedFeature
        Most important first.
    n_unused : int
        Features whose values are all 0.
    standard_error, relative_error : float or None
        Typical standard error of the leading features, also over their mean |phi|; None for exact
        values.
    blocks : list of BlockShare
        Largest share first; empty where there is one block.
    importance : list of lists of Bar
        Leading features per output; with several outputs those over all of them come last.
    steady : Steadiness or None
    null : NullSummary or None
    pairs : PairsSummary or None
    removals : Removals or None
    twins : Twins or None
    samples : SampleValues
    """

    scale: str
    scale_means: str
    outputs: list[str]
    n_features: int
    n_samples: int
    n_repeats: int
    n_folds: int
    top_k: int
    features: list[RankedFeature]
    n_unused: int
    additivity_error: float
    standard_error: float | None
    relative_error: float | None
    notes: list[str]
    blocks: list[BlockShare]
    importance: list[list[Bar]]
    steady: Steadiness | None
    null: NullSummary | None
    pairs: PairsSummary | None
    removals: Removals | None
    twins: Twins | None
    samples: SampleValues


def summarize_explanation(
    task: Task,
    explanation: Explanation,
    *,
    null: NullImportances | None = None,
    test_train_ratio: float = 0.25,
) -> ExplanationSummary:
    """Describe an explanation in plain numbers.

    Parameters
    ----------
    task : Task
        The task that was explained.
    explanation : Explanation
    null : NullImportances, optional
        Importances on permuted labels.
    test_train_ratio : float
        Rows a fold is tested on over rows it is trained on: widens the interval over folds.

    Returns
    -------
    ExplanationSummary
    """
    means = fold_importances(explanation)
    per_output = np.abs(explanation.values).mean(axis=0, dtype=np.float64)
    overall = per_output.mean(axis=1)
    ranking = np.argsort(-overall, kind="stable")
    kept = choose_kept(ranking, per_output, task.n_samples)
    table = ranking[:N_TABLE]
    fold_overall = means.mean(axis=2)
    top_k = max(1, min(10, task.n_features // 3))
    frequency = top_k_frequency(fold_overall, top_k)
    direction = _directions(task, explanation, table)
    total = float(overall.sum())
    low, high = np.quantile(fold_overall, [0.1, 0.9], axis=0)
    spread = fold_overall.std(axis=0, ddof=1) if len(fold_overall) > 1 else np.zeros_like(overall)
    names = explanation.feature_names
    blocks = task.dataset.feature_blocks
    missing = task.X.isna().sum(axis=0).to_numpy()
    tested = None if null is None else summarize_null(null, names)
    above = set(tested.above) if tested is not None else set()
    features = [
        RankedFeature(
            rank=position + 1,
            name=str(names[j]),
            block=str(blocks[j]),
            mean=float(overall[j]),
            sd=float(spread[j]),
            low=float(low[j]),
            high=float(high[j]),
            share=float(overall[j]) / total if total > 0 else 0.0,
            frequency=float(frequency[j]),
            direction=direction[position],
            n_missing=int(missing[j]),
            above=str(names[j]) in above if tested is not None and tested.enough else None,
        )
        for position, j in enumerate(table)
    ]
    typical, relative = explanation.sampling_error or (None, None)
    return ExplanationSummary(
        scale="units of the target" if explanation.scale == "value" else explanation.scale,
        scale_means=_explain_scale(explanation.scale, n_outputs=len(explanation.outputs)),
        outputs=[str(name) for name in explanation.outputs],
        n_features=len(names),
        n_samples=len(np.unique(explanation.row)),
        n_repeats=len(np.unique(explanation.repeat)),
        n_folds=len(means),
        top_k=top_k,
        features=features,
        n_unused=int((overall == 0).sum()),
        additivity_error=float(explanation.additivity_error),
        standard_error=typical,
        relative_error=relative,
        notes=[str(note) for note in explanation.notes],
        blocks=_blocks(task, fold_overall, overall),
        importance=_importance(means, per_output),
        steady=summarize_steadiness(explanation, fold_overall, ranking, top_k=top_k),
        null=tested,
        pairs=summarize_pairs(explanation),
        removals=summarize_removals(explanation, task, test_train_ratio=test_train_ratio),
        twins=summarize_twins(task, explanation, ranking, overall),
        samples=list_samples(task, explanation, kept, per_output),
    )


def _explain_scale(scale: str, *, n_outputs: int) -> str:
    """Say in everyday words what a step on the explained scale is; "" if its name says it."""
    if scale == "log-odds":
        return "0.69 more doubles the odds" if n_outputs == 1 else "against the mean of the classes"
    return {
        "margin": "the model's own score, before conversion to a probability; it has no unit",
        "probability": "0.1 is ten percentage points",
    }.get(scale, "")


def _directions(task: Task, explanation: Explanation, features: NDArray[np.int64]) -> list[str]:
    """Say whether higher values raise the output: up, down, mixed, category."""
    if explanation.values.shape[2] > 1:
        return [""] * len(features)
    directions = []
    for j in features:
        column = shown_column(task, int(j)).iloc[explanation.row]
        phi = explanation.values[:, j, 0]
        if not phi.any():
            directions.append("")
        elif isinstance(column.dtype, pd.CategoricalDtype):
            directions.append("category")
        else:
            r = _rank_correlation(column.to_numpy(dtype=np.float64), phi)
            directions.append("up" if r > 0.3 else "down" if r < -0.3 else "mixed")
    return directions


def _rank_correlation(x: NDArray[np.float64], phi: NDArray[np.float32]) -> float:
    """Spearman correlation over the rows where x is known; 0 where it is undefined."""
    known = np.isfinite(x)
    a = pd.Series(x[known]).rank().to_numpy()
    b = pd.Series(phi[known].astype(np.float64)).rank().to_numpy()
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _blocks(
    task: Task, fold_overall: NDArray[np.float64], overall: NDArray[np.float64]
) -> list[BlockShare]:
    """Share of the summed mean |phi| per block, with its spread over folds."""
    names = task.dataset.block_names
    if len(names) < 2:
        return []
    owner = np.array([names.index(block) for block in task.dataset.feature_blocks])
    fold_total = fold_overall.sum(axis=1)
    total = overall.sum()
    blocks = []
    for code, name in enumerate(names):
        inside = owner == code
        shares = np.divide(
            fold_overall[:, inside].sum(axis=1),
            fold_total,
            out=np.zeros_like(fold_total),
            where=fold_total > 0,
        )
        low, high = np.quantile(shares, [0.1, 0.9])
        blocks.append(
            BlockShare(
                name=str(name),
                n_features=int(inside.sum()),
                share=float(overall[inside].sum() / total) if total > 0 else 0.0,
                low=float(low),
                high=float(high),
            )
        )
    return sorted(blocks, key=lambda block: -block.share)


def _importance(means: NDArray[np.float64], per_output: NDArray[np.float64]) -> list[list[Bar]]:
    """Leading features per output with their spread over folds; overall comes last."""
    lists = []
    n_outputs = per_output.shape[1]
    overall = [per_output.mean(axis=1)] if n_outputs > 1 else []
    columns = [per_output[:, output] for output in range(n_outputs)] + overall
    folds = [means[:, :, output] for output in range(n_outputs)] + [means.mean(axis=2)]
    for values, spread in zip(columns, folds, strict=False):
        leading = np.argsort(-values, kind="stable")[:N_BEESWARM]
        low, high = np.quantile(spread[:, leading], [0.1, 0.9], axis=0)
        lists.append(
            [
                Bar(
                    feature=int(j),
                    mean=round_significant(float(values[j])),
                    low=round_significant(float(low[i])),
                    high=round_significant(float(high[i])),
                )
                for i, j in enumerate(leading)
            ]
        )
    return lists
