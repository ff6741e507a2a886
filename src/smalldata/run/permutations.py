"""The scores of a finished cell on permuted labels: makes and writes the missing ones.

Step in the line: RunRecord on disk -> **permutations/<measure>/pXXXX.json** -> comparison.
"""

from smalldata.comparison.permuted_scores import permuted_scores
from smalldata.errors import RecordError
from smalldata.pipeline.fitting import describe_failure
from smalldata.results.evidence import FEWEST_PERMUTATIONS
from smalldata.run.plan import Stored
from smalldata.run.progress import Reporter


def score_permuted_labels(stored: Stored, reporter: Reporter) -> None:
    """Compute the missing permutations of a cell; the caller holds its lock.

    Each is written as it finishes. One that fails ends them with a note: the folds and their score
    stay.
    """
    plan, n = stored.plan, stored.plan.config.permutations
    if n < FEWEST_PERMUTATIONS:
        reporter.warn(
            f"permutations={n}: the smallest p-value is 1/{n + 1}; it takes "
            f"{FEWEST_PERMUTATIONS} to reach 0.05, and 100 are usual."
        )
    folder = stored.folder.permuted_scores(plan.task.measure)
    found, sentences = folder.resume()
    for sentence in sentences:
        reporter.warn(sentence)
    missing = [number for number in range(n) if number not in found]
    if not missing:
        return
    scores = permuted_scores(
        plan.cell, numbers=missing, device=plan.config.device, n_jobs=plan.config.n_jobs
    )
    try:
        for number, score in reporter.follow(
            scores,
            title=f"scoring {plan.title} on permuted labels",
            total=n,
            done=n - len(missing),
        ):
            folder.write(number, score)
    except RecordError:
        raise
    except Exception as error:  # whatever a model raises
        reporter.warn(f"{plan.title}: permutations end early: {describe_failure(error)}")
