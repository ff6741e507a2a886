"""Weights for models that need a file of them: tiny, random, and in the library's own format."""

import atexit
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from smalldata.models import load_learner
from smalldata.models.files import file_fields
from smalldata.task import TaskKind

TINY = {
    "embed_dim": 8,
    "col_num_blocks": 1,
    "col_nhead": 2,
    "col_num_inds": 4,
    "row_num_blocks": 1,
    "row_nhead": 2,
    "row_num_cls": 2,
    "icl_num_blocks": 2,
    "icl_nhead": 2,
    "zero_init": False,  # else every block begins as the identity, and no row looks at another
}


def lacking(model: str) -> str:
    """Say why a model cannot be tested here; "" if it can."""
    if model == "tabicl" and find_spec("tabicl") is None:
        return "the extra foundation is not installed"
    return ""


def stand_in(model: str, kind: TaskKind) -> dict[str, str]:
    """Return the files that a model needs to be fitted, by field; none for most."""
    if not file_fields(load_learner(model)):
        return {}
    assert model == "tabicl"
    return {"checkpoint": str(tabicl_weights(classify=kind.is_classification))}


@cache
def tabicl_weights(*, classify: bool, max_classes: int = 10, seed: int = 0) -> Path:
    """Write the weights of a tiny network that nobody has trained, with the keys of a real file."""
    import torch
    from tabicl._model.tabicl import TabICL

    config = {**TINY, "max_classes": max_classes if classify else 0, "num_quantiles": 9}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TabICL(**config)
    with torch.no_grad():  # else all rows get nearly the same output
        network.icl_predictor.decoder[-1].weight.mul_(100.0)
    folder = Path(tempfile.mkdtemp(prefix="smalldata-weights-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"tiny-{'classifier' if classify else 'regressor'}.ckpt"
    torch.save({"config": config, "state_dict": network.state_dict()}, path)
    return path
