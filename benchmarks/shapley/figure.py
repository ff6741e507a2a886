"""Time against error, one panel a model."""

import warnings
from pathlib import Path

import pandas as pd

# Errors of rounding alone are drawn at this height at the lowest.
FLOOR = 1e-17
# The palette of Okabe & Ito, told apart in all common kinds of colour blindness.
STYLES = {
    "smalldata": ("#000000", "o"),
    "smalldata, a whole fold": ("#8A8A8A", "*"),
    "smalldata, gradients": ("#56B4E9", "X"),
    "shap.PermutationExplainer": ("#D55E00", "s"),
    "shap.KernelExplainer": ("#0072B2", "^"),
    "shap.SamplingExplainer": ("#009E73", "v"),
    "shap.TreeExplainer": ("#CC79A7", "D"),
    "shap.LinearExplainer": ("#E69F00", "P"),
}


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Write the figure: seconds a row against the rms error over the largest value."""
    with warnings.catch_warnings():
        # The import warns of matplotlib's own future changes.
        warnings.simplefilter("ignore")
        import matplotlib
        from matplotlib.figure import Figure

    models = list(dict.fromkeys(rows["model"]))
    n_across = min(3, len(models))
    n_down = -(-len(models) // n_across)
    # Without a salt and a date of its own the same numbers give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "smalldata", "svg.fonttype": "path"}):
        figure = Figure(figsize=(3.4 * n_across, 2.7 * n_down + 0.7), layout="constrained")
        panels = figure.subplots(n_down, n_across, squeeze=False).ravel()
        shown = {}
        for panel, model in zip(panels, models, strict=False):
            part = rows[rows["model"] == model]
            for explainer, line in part.groupby("explainer", sort=False):
                colour, marker = STYLES[explainer]
                line = line.sort_values("seconds_per_row")
                error = (line["rms_error"] / line["largest_value"]).clip(lower=FLOOR)
                (shown[explainer],) = panel.plot(
                    line["seconds_per_row"], error, marker=marker, color=colour, markersize=5
                )
            panel.set(xscale="log", yscale="log", title=model)
            panel.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
            panel.set_axisbelow(True)
        for panel in panels[len(models) :]:
            panel.set_visible(False)
        figure.supxlabel("seconds a row", fontsize=10)
        figure.supylabel("rms error / largest value", fontsize=10)
        figure.legend(
            shown.values(), shown.keys(), loc="outside lower center", ncols=n_across, frameon=False
        )
        figure.savefig(path, metadata={"Date": None, "Creator": None})
