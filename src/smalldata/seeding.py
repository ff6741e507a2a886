"""Seeds: a base seed and labels that say what the randomness is for give one 31-bit integer.

Nothing else in the package makes seeds. The labels of a split do not name the model, so that all
models get the same folds.
"""

import hashlib

SEED_BITS = 31


def seed_for(base: int, *labels: str | int) -> int:
    """Derive a seed from a base seed and the labels of its purpose.

    Parameters
    ----------
    base : int
        The run's ``seed``.
    *labels : str or int
        What the randomness is for, from general to specific.

    Returns
    -------
    int
        In [0, 2**31), stable across machines, processes and Python versions.

    Examples
    --------
    >>> seed_for(0, "split", 3) == seed_for(0, "split", 3)
    True
    >>> seed_for(0, "split", 3) == seed_for(0, "split", "3")
    False
    """
    text = "\x1f".join([repr(base), *(repr(label) for label in labels)])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)
