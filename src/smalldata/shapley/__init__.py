"""Shapley values of the same game for every model; arrays in, arrays out.

v(S) = mean over background rows z of f(x_S, z_rest). No learners and no I/O. The functions import
what they need (numba, xgboost) on first use.
Step in the line: none of its own; explanation and panel use it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smalldata.shapley.gradients import expected_gradients
    from smalldata.shapley.linear import linear_values
    from smalldata.shapley.neighbours import knn_values
    from smalldata.shapley.networks import permutation_values
    from smalldata.shapley.polynomial import polynomial_interactions, polynomial_values
    from smalldata.shapley.product import rbf_values
    from smalldata.shapley.product_interactions import rbf_interactions
    from smalldata.shapley.trees import tree_interactions, tree_values

__all__ = [
    "expected_gradients",
    "knn_values",
    "linear_values",
    "permutation_values",
    "polynomial_interactions",
    "polynomial_values",
    "rbf_interactions",
    "rbf_values",
    "tree_interactions",
    "tree_values",
]

_HOMES = {
    "expected_gradients": "gradients",
    "knn_values": "neighbours",
    "linear_values": "linear",
    "permutation_values": "networks",
    "polynomial_interactions": "polynomial",
    "polynomial_values": "polynomial",
    "rbf_interactions": "product_interactions",
    "rbf_values": "product",
    "tree_interactions": "trees",
    "tree_values": "trees",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"smalldata.shapley.{_HOMES[name]}"), name)
