"""What the ablation changes: of each model, a name and the values that differ from the default."""

from typing import Any

CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "mlp": {
        "half of few columns dropped": {"dropout_columns": 1},
        "linear path for values": {"linear_path": "values"},
        "linear path for all": {"linear_path": "always"},
        "60 epochs": {"n_epochs": 60},
        "clip at 5": {"clip": 5.0},
        "those three together": {"linear_path": "values", "n_epochs": 60, "clip": 5.0},
        "1 member": {"n_members": 1},
        "16 members": {"n_members": 16},
        "width 128": {"width": 128},
        "3 layers": {"n_layers": 3},
        "no faster column factors": {"scale_rate": 1.0},
        "input dropout 0.3": {"input_dropout": 0.3},
        "decay 0.5": {"weight_decay": 0.5},
        "decay 2": {"weight_decay": 2.0},
        "batches of 16": {"batch_size": 16},
        "label smoothing 0.1": {"label_smoothing": 0.1},
        "early stopping, patience 10": {"early_stopping": 10},
    },
    "cnn1d": {
        "as given": {"order": "given"},
        "by correlation": {"order": "correlation"},
        "by correlation, none dropped": {"order": "correlation", "input_dropout": 0.0},
    },
    "rnn": {"as given": {"order": "given"}, "by correlation": {"order": "correlation"}},
}
