"""How often a page says "clearly better" or "practically equal" where it is not so.

    nice python benchmarks/verdict/sentences.py         every world that is not in sentences.csv yet

A page compares four models by ROC AUC, all pairs. The truth of a model is its mean score over all
pages of the world. "Clearly better" is false if the truth is not better; "practically equal" is
false if the truths differ by 0.01 or more. A page counts once, however many of its words are false.
"""

import itertools
import os
import sys
import zlib
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from fast import class_scores
from simulated import World, simulate

from smalldata.comparison.entries import scale_of
from smalldata.measures.registry import find_measure
from smalldata.results.comparison import Word
from smalldata.statistics.influence import from_units
from smalldata.statistics.intervals import difference_test
from smalldata.statistics.significance import holm
from smalldata.statistics.verdict import choose_word
from smalldata.task import TaskKind

HERE = Path(__file__).parent
N_PAGES = 1000
MEASURE = find_measure("roc_auc", TaskKind.BINARY)


def worlds() -> dict[str, World]:
    """Return the worlds: no signal, equal models, models at the edge of equality, a clear order."""

    def world(**changes: object) -> World:
        setting = {"p": 30, "prevalence": 0.5, "repeats": 5, "folds": 5, "blocks": 4}
        return World(**(setting | changes))

    return {
        "no signal": world(n=80, signal=0.0, learner="ridge"),
        "no signal, unstable models": world(n=80, signal=0.0, learner="stump"),
        "equal models": world(n=80, signal=1.2, learner="ridge"),
        "equal models, more samples": world(n=240, signal=1.2, learner="ridge"),
        "similar models, same features": world(n=240, signal=1.2, learner="shrunk"),
        "similar models, strong signal": world(n=240, signal=2.8, learner="shrunk"),
        "order of merit": world(n=120, signal=1.8, learner="ridge", weaker=0.7),
    }


def study(world: World, n_pages: int = N_PAGES) -> dict[str, object]:
    """Return the shares of pages with a false word, and of pairs with each word."""
    pages = []
    means = []
    for chunk in simulate(world, n_pages, zlib.crc32(repr(world).encode())):
        scores, moved = class_scores(chunk, only=("roc_auc",))["roc_auc"]
        for table in range(len(scores)):
            mean = scores[table].mean(axis=(1, 2))
            influences = [
                from_units(one, tested_share=1.0, n_folds=world.folds) for one in moved[table]
            ]
            pairs = list(itertools.combinations(range(world.blocks), 2))
            tests = [
                difference_test(
                    float(mean[i] - mean[j]),
                    influences[i].minus(influences[j]),
                    scale_of(MEASURE).of_difference,
                    rope=MEASURE.rope,
                )
                for i, j in pairs
            ]
            adjusted = holm([test.p for test in tests])
            words = [
                choose_word(test, p, higher_is_better=True)
                for test, p in zip(tests, adjusted, strict=True)
            ]
            pages.append([(i, j, word) for (i, j), word in zip(pairs, words, strict=True)])
            means.append(mean)
    truth = np.mean(means, axis=0)
    if world.weaker == 1 and world.learner != "shrunk":
        truth[:] = truth.mean()
    said = [word for page in pages for _, _, word in page]
    return {
        "pages": len(pages),
        "truth": " ".join(f"{one:.3f}" for one in truth),
        "false_clear": float(np.mean([any(_false_clear(truth, *one) for one in p) for p in pages])),
        "false_equal": float(np.mean([any(_false_equal(truth, *one) for one in p) for p in pages])),
        "clear": said.count(Word.BETTER) / len(said) + said.count(Word.WORSE) / len(said),
        "equal": said.count(Word.EQUAL) / len(said),
        "unclear": said.count(Word.UNCLEAR) / len(said),
    }


def _false_clear(truth: np.ndarray, i: int, j: int, word: Word) -> bool:
    return (word is Word.BETTER and truth[i] <= truth[j]) or (
        word is Word.WORSE and truth[i] >= truth[j]
    )


def _false_equal(truth: np.ndarray, i: int, j: int, word: Word) -> bool:
    return word is Word.EQUAL and abs(truth[i] - truth[j]) >= MEASURE.rope


def main() -> None:
    """Study every world that is not in the file yet."""
    path = HERE / "sentences.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame()
    for name, world in worlds().items():
        if len(done) and (done["world"] == name).any():
            continue
        done = pd.concat([done, pd.DataFrame([{"world": name} | study(world)])], ignore_index=True)
        done.to_csv(path, index=False, float_format="%.5g")
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
