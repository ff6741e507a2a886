"""Makes a table whose informative features are known: for tests, canaries and demonstrations.

Step in the line: **Dataset** -> Task.
"""

import numpy as np
import pandas as pd

from smalldata.datasets.assembling import assemble, name_with_changes
from smalldata.errors import ConfigError
from smalldata.runtime.catalogue import read_entry
from smalldata.seeding import seed_for
from smalldata.task import Dataset, Provenance, TaskKind, find_kind


def load(
    *,
    n: int = 120,
    p: int = 300,
    informative: int = 10,
    noise: float = 0.5,
    seed: int = 0,
    kind: str = "binary",
    n_classes: int = 3,
    missing: float = 0.0,
    name: str = "synthetic",
) -> Dataset:
    """Draw a table with a known truth.

    Features are independent standard normal. A score is the sum of the informative features with
    random signs, divided by the square root of their number, plus ``noise`` times a standard
    normal. A regression predicts the score; binary classes are its halves (case: the upper one), so
    they are balanced; for more classes each has its own signs and a row gets the class of its
    largest score. ``informative=0`` leaves pure noise.

    Parameters
    ----------
    n, p : int
        Number of samples and of features.
    informative : int
        Number of features that matter, at random places.
    noise : float
        Standard deviation of the noise, that of the signal being 1.
    seed : int
    kind : str
        binary, multiclass or regression.
    n_classes : int
        Of a multiclass target.
    missing : float
        Share of the entries that are missing, at random.
    name : str
        Name of the dataset.

    Returns
    -------
    Dataset
        ``truth`` holds the names of the informative features.

    Raises
    ------
    ConfigError
        If a number is out of range.

    Examples
    --------
    >>> dataset = load(n=40, p=100, informative=3)
    >>> dataset.X.shape, len(dataset.truth)
    ((40, 100), 3)
    """
    task_kind = find_kind(kind)
    if n < 4 or p < 1 or not 0 <= informative <= p:
        raise ConfigError(
            f"n must be at least 4, p at least 1 and informative between 0 and p; got n={n}, "
            f"p={p}, informative={informative}."
        )
    if noise < 0 or not 0 <= missing < 1 or n_classes < 3:
        raise ConfigError(
            f"noise must not be negative, missing lie in [0, 1) and n_classes be at least 3; got "
            f"noise={noise}, missing={missing}, n_classes={n_classes}."
        )
    generator = np.random.default_rng(seed_for(seed, "synthetic"))
    values = generator.standard_normal((n, p))
    places = np.sort(generator.choice(p, size=informative, replace=False))
    n_scores = n_classes if task_kind is TaskKind.MULTICLASS else 1
    signs = generator.choice([-1.0, 1.0], size=(informative, n_scores))
    signal = values[:, places] @ signs / np.sqrt(max(informative, 1))
    scores = signal + max(noise, 1e-9) * generator.standard_normal((n, n_scores))
    values[generator.random((n, p)) < missing] = np.nan
    y: np.ndarray
    if task_kind is TaskKind.REGRESSION:
        y = scores[:, 0]
    elif task_kind is TaskKind.BINARY:
        upper = scores[:, 0].argsort().argsort() >= n // 2
        y = np.where(upper, "case", "control").astype(object)
    else:
        y = np.array([f"class{winner + 1}" for winner in scores.argmax(axis=1)], dtype=object)
    width = len(str(p))
    names = [f"x{place:0{width}d}" for place in range(1, p + 1)]
    asked = {
        "n": n,
        "p": p,
        "informative": informative,
        "noise": noise,
        "seed": seed,
        "kind": kind,
        "n_classes": n_classes,
        "missing": missing,
    }
    return assemble(
        pd.DataFrame(values, columns=names),
        y,
        name=name_with_changes(name, asked, read_entry("dataset", "synthetic")),
        target="outcome",
        kind=task_kind,
        sample_ids=np.array([f"s{row:0{len(str(n))}d}" for row in range(1, n + 1)], dtype=object),
        positive="case" if task_kind is TaskKind.BINARY else None,
        provenance=Provenance(source=f"synthetic, {asked}"),
        read="a random generator",
        truth=tuple(names[place] for place in places),
    )
