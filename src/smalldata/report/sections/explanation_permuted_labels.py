"""What permuted labels say of the importances of a cell, in plain numbers.

Step in the line: NullImportances -> **plain dict** -> figures and words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from smalldata.results.evidence import FEWEST_PERMUTATIONS, NullImportances

N_SHOWN = 50
"""Leading features told one by one; all that are marked are named."""


def summarize_null(null: NullImportances, names: Sequence[str]) -> dict[str, Any]:
    """Say which features exceed all permutations of the labels, as Python scalars and lists.

    Parameters
    ----------
    null : NullImportances
    names : sequence of str, length n_features

    Returns
    -------
    dict
        ``n`` permutations, whether they are ``enough`` (``needed``), the ``threshold``, ``maxima``
        (the largest importance of each permutation), ``above`` (names of the features that are
        marked, most important first) and ``features`` (the leading ones: ``name``, ``observed``,
        ``highest`` on permuted labels, ``above``).
    """
    order = np.argsort(-null.observed, kind="stable")
    highest = null.values.max(axis=0)
    above = null.above
    return {
        "n": len(null.permutation),
        "enough": null.enough,
        "needed": FEWEST_PERMUTATIONS,
        "threshold": null.threshold,
        "maxima": [float(value) for value in null.values.max(axis=1)],
        "above": [str(names[j]) for j in order if above[j]],
        "features": [
            {
                "name": str(names[j]),
                "observed": float(null.observed[j]),
                "highest": float(highest[j]),
                "above": bool(above[j]),
            }
            for j in order[:N_SHOWN]
        ],
    }
