"""What models agree on, against hand-made explanations and plain loops."""

from itertools import product

import numpy as np
import pytest

from smalldata.explanation.agreement import ExplainedModel, agree, correlate_rows
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation

NAMES = tuple("abcdefghijkl")  # twelve features: four count as a model's first


def explained(values, *, row=None, repeat=None, fold=None, names=NAMES) -> Explanation:
    """Explanation of (n_rows, n_features[, n_outputs]) values; a row is a fold of its own."""
    values = np.asarray(values, dtype=np.float32)
    if values.ndim == 2:
        values = values[:, :, None]
    n = len(values)
    return Explanation(
        values=values,
        base_values=np.zeros((n, values.shape[2])),
        row=np.arange(n) if row is None else np.asarray(row),
        repeat=np.zeros(n, dtype=np.int64) if repeat is None else np.asarray(repeat),
        fold=np.arange(n) if fold is None else np.asarray(fold),
        feature_names=names,
        scale="margin",
        outputs=tuple(f"class {k}" for k in range(values.shape[2])),
        additivity_error=0.0,
    )


def model(label: str, values, *, good: bool = True, null=None, **place) -> ExplainedModel:
    return ExplainedModel(
        label=label,
        model=label.split()[0],
        good=good,
        explanation=explained(values, **place),
        null=null,
    )


def row_of(**sizes: float) -> list[float]:
    return [sizes.get(name, 0.0) for name in NAMES]


def named(uses) -> set[str]:
    return {use.name for use in uses}


def test_consensus_and_sole_user_of_models_that_share_one_feature():
    found = agree(
        [
            model("linear", [row_of(a=4, b=3, c=1)] * 4),
            model("svm", [row_of(a=-2, b=5, c=0.5)] * 4),
            model("knn", [row_of(a=0.2, d=0.3)] * 4),
            model("mlp", [row_of(e=9)] * 4, good=False),
        ]
    )
    assert found.top_k == 4
    assert named(found.consensus) == {"a"}
    sole = {use.name: found.sole_user(use) for use in found.features}
    assert sole == {"a": None, "b": None, "c": None, "d": "knn", "e": None}
    assert {use.name: found.count_voices(use) for use in found.features} == {
        "a": 3,
        "b": 2,
        "c": 2,
        "d": 1,
        "e": 0,
    }
    a = next(use for use in found.features if use.name == "a")
    assert a.places == (1, 2, 2, None)
    assert a.shares == pytest.approx((4 / 8, 2 / 7.5, 0.4, 0.0))
    assert a.users == (0, 1, 2)
    # Shares of the good models alone set the order: b 3/8 + 5/7.5, a 4/8 + 2/7.5 + 0.4.
    assert [use.name for use in found.features] == ["a", "b", "d", "c", "e"]


def test_rows_of_the_same_model_count_as_one_voice():
    values = [row_of(a=2, d=1)] * 2
    found = agree(
        [
            model("knn", values),
            model("knn (tuned)", values),
            model("svm", [row_of(a=1, b=2)] * 2),
        ]
    )
    assert found.n_voices == 2
    d = next(use for use in found.features if use.name == "d")
    assert found.sole_user(d) == "knn"
    assert found.count_voices(d) == 1
    both = agree(
        [model("knn", values), model("knn (tuned)", [row_of(b=1)]), model("svm", [row_of(b=2)])]
    )
    assert named(both.consensus) == {"b"}, "one of the rows of knn uses it"
    alone = agree([model("knn", values), model("knn (tuned)", values)])
    assert alone.n_voices == 1
    assert alone.consensus == ()
    assert alone.sole_user(d) is None


@pytest.mark.parametrize(("n_leading", "used"), [(1, False), (2, True), (3, True)])
def test_a_feature_is_used_that_leads_in_half_of_the_folds(n_leading, used):
    """Four folds; x leads in so many of them, else four others do."""
    others = row_of(a=9, b=8, c=7, d=6, e=0.1)
    leading = row_of(a=9, b=8, c=7, d=0.1, e=6)
    values = [leading] * n_leading + [others] * (4 - n_leading)
    found = agree([model("svm", values), model("knn", values)])
    e = next(use for use in found.features if use.name == "e")
    assert e.frequencies == (n_leading / 4,) * 2
    assert e.users == ((0, 1) if used else ())


def test_folds_of_all_repeats_are_counted_and_rows_of_one_fold_averaged():
    values = [row_of(a=9, b=8, c=7, d=6, e=1), row_of(a=9, b=8, c=7, d=1, e=4)] * 2
    # Two folds of two rows: mean d 3.5, mean e 2.5 in both.
    place = {"fold": [0, 0, 0, 0], "repeat": [0, 0, 1, 1], "row": [0, 1, 0, 1]}
    found = agree([model("svm", values, **place), model("knn", values, **place)])
    assert {use.name: use.frequencies[0] for use in found.features} == {
        "a": 1,
        "b": 1,
        "c": 1,
        "d": 1,
        "e": 0,
    }


def test_a_feature_above_its_null_is_used_wherever_it_ranks():
    values = [row_of(a=9, b=8, c=7, d=6, e=5, f=4)] * 3
    null = NullImportances(
        permutation=np.arange(19),
        values=np.full((19, 12), 4.5),
        observed=np.array(row_of(a=9, b=8, c=7, d=6, e=5, f=4)),
    )
    found = agree([model("svm", values, null=null), model("knn", values)])
    users = {use.name: use.users for use in found.features}
    assert users["d"] == (0, 1)
    assert users["e"] == (0,), "above 4.5 for svm; the fifth of four for knn"
    assert users["f"] == ()


def test_feature_with_zero_values_is_not_used_even_when_within_top_k():
    """Three features count as first of ten, svm has one."""
    names = NAMES[:10]
    found = agree(
        [
            model("svm", [[1.0] + [0.0] * 9], names=names),
            model("knn", [[1.0] * 10], names=names),
        ]
    )
    assert [use.users for use in found.features[:4]] == [(0, 1), (1,), (1,), ()]
    assert found.features[1].places == (None, 2)


def test_row_correlation_equals_pearson_over_features():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 12)), rng.normal(size=(5, 12))
    found = correlate_rows(explained(a), explained(1000 * b))
    np.testing.assert_allclose(
        found, [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)], atol=1e-6
    )
    (pair,) = agree([model("svm", a), model("knn", 1000 * b)]).pairs
    assert pair.correlation == pytest.approx(found.mean())
    assert (pair.low, pair.high) == pytest.approx(tuple(np.quantile(found, [0.1, 0.9])))
    assert pair.n_rows == 5


def test_correlation_takes_the_mean_over_outputs_that_vary():
    a = np.zeros((2, 12, 2))
    a[0, :, 0] = np.arange(12)
    a[0, :, 1] = np.arange(12)
    a[1, :, 0] = np.arange(12)
    b = a.copy()
    b[0, :, 1] *= -1
    # Row 0: +1 and -1; row 1: +1, its second output is constant.
    np.testing.assert_allclose(correlate_rows(explained(a), explained(b)), [0.0, 1.0], atol=1e-9)


def test_row_correlations_compare_the_same_repeat_only():
    a = np.eye(12)[:4]
    first = explained(a, row=[0, 1, 0, 1], repeat=[0, 0, 1, 1])
    second = explained(a[[3, 0]], row=[1, 0], repeat=[1, 0])
    np.testing.assert_allclose(correlate_rows(first, second), [1.0, 1.0], atol=1e-9)
    assert len(correlate_rows(first, explained(a, row=[0, 1, 2, 3], repeat=[7] * 4))) == 0


def test_models_without_a_common_row_have_no_correlation():
    a = [row_of(a=1, b=2)]
    (pair,) = agree([model("svm", a), model("knn", a, row=[3])]).pairs
    assert (pair.correlation, pair.low, pair.high, pair.n_rows) == (None, None, None, 0)
    assert pair.overlap == pytest.approx(1.0)


def test_agreement_does_not_depend_on_the_scale_of_values():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 12)), rng.normal(size=(6, 12))
    plain = agree([model("svm", a), model("knn", b)])
    scaled = agree([model("svm", a), model("knn", 1e-3 * b)])
    assert [use.users for use in plain.features] == [use.users for use in scaled.features]
    assert plain.pairs[0].overlap == scaled.pairs[0].overlap
    assert plain.pairs[0].correlation == pytest.approx(scaled.pairs[0].correlation, abs=1e-6)


def test_ranking_overlap_ignores_unused_features():
    """Two models of one feature each, of six thousand: the zeros after them are no ranking."""
    names = tuple(f"g{j}" for j in range(6000))
    one, other = np.zeros((1, 6000)), np.zeros((1, 6000))
    one[0, 5], other[0, 900] = 1.0, 1.0
    (pair,) = agree([model("svm", one, names=names), model("knn", other, names=names)]).pairs
    assert pair.overlap == 0.0


def test_models_with_different_features_or_outputs_are_refused():
    a = [row_of(a=1)]
    with pytest.raises(ValueError, match="same features"):
        agree([model("svm", a), model("knn", a, names=NAMES[::-1])])
    with pytest.raises(ValueError, match="same outputs"):
        agree([model("svm", a), model("knn", np.ones((1, 12, 3)))])
    assert agree([]).pairs == ()


def test_every_pair_of_models_is_listed_once():
    found = agree([model(name, [row_of(a=1)]) for name in ("svm", "knn", "mlp", "pls")])
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        (i, j) for i, j in product(range(4), repeat=2) if i < j
    ]
