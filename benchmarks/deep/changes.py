"""What the ablation changes: of each model, a name and the values that differ from the default."""

from typing import Any

CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "mlp": {
        "1 member": {"n_members": 1},
        "no faster column factors": {"scale_rate": 1.0},
        "no input dropout": {"input_dropout": 0.0},
        "label smoothing 0.1": {"label_smoothing": 0.1},
        "early stopping, patience 10": {"early_stopping": 10},
    }
}
