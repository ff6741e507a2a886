"""The in-fold preprocessing: what it learns, that it learns it inside the fold, and its edges."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata
from sklearn.base import clone
from sklearn.feature_selection import f_classif, f_regression
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import PowerTransformer, StandardScaler

from smalldata.errors import ConfigError, DataError
from smalldata.models import load_learner
from smalldata.pipeline.preprocess import (
    Preprocessing,
    Preprocessor,
    explained_share,
    make_pipeline,
)
from smalldata.resampling.splitting import make_folds
from smalldata.task import TaskInfo, TaskKind

TRANSFORMS = ["auto", "none", "log1p", "log", "yeo-johnson", "rank"]


def mixed_table(n_samples=40, seed=0):
    """Numbers with gaps, a constant, an all-missing column, categories of 2 and 3 levels."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": rng.gamma(2.0, size=n_samples),
            "sex": pd.Categorical(rng.choice(["f", "m"], n_samples)),
            "b": rng.gamma(2.0, size=n_samples) * 1000,
            "gene": pd.Categorical(rng.choice(["x", "y", "z"], n_samples)),
            "constant": np.full(n_samples, 0.1),
            "nothing": np.full(n_samples, np.nan),
        }
    )
    frame.loc[frame.index[::7], "b"] = np.nan
    frame.loc[frame.index[3::9], "gene"] = np.nan
    return frame, rng.integers(0, 2, n_samples)


def auc(y, score):
    ranks = rankdata(score)
    n_pos = int((y == 1).sum())
    return (ranks[y == 1].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * (len(y) - n_pos))


# ---------------------------------------------------------------- in the fold


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    transform=st.sampled_from(TRANSFORMS),
    select=st.sampled_from(["none", "variance", "univariate"]),
    categories=st.sampled_from(["onehot", "integer"]),
)
def test_a_held_out_row_changes_no_other_row(seed, transform, select, categories):
    frame, y = mixed_table(seed=seed)
    step = Preprocessor(
        categories=categories,
        select=select,
        k=None if select == "none" else 3,
        numeric_transform=transform,
    )
    train, probe = frame.iloc[:25], frame.iloc[25:30]
    alone = step.fit(train, y[:25]).transform(probe)
    spoiled = frame.copy()
    spoiled.loc[spoiled.index[30:], ["a", "b"]] = 1e6
    spoiled["gene"] = spoiled["gene"].cat.add_categories(["aaa"])
    spoiled.loc[spoiled.index[30:], "gene"] = "aaa"
    step = clone(step).fit(spoiled.iloc[:25], y[:25])
    np.testing.assert_array_equal(step.transform(spoiled.iloc[25:])[:5], alone)
    np.testing.assert_array_equal(step.transform(probe.iloc[[2]])[0], alone[2])


def noise_auc(*, selected_outside, seed):
    """Mean AUC over 5 folds on 60 x 5,000 pure noise with the 20 best features."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(60, 5000)), columns=[f"g{i}" for i in range(5000)])
    y = rng.permutation(np.repeat([0, 1], 30))
    preprocessing = Preprocessing(select="univariate", k=20)
    if selected_outside:
        chosen = np.argsort(-explained_share(frame.to_numpy(), y, classify=True))[:20]
        frame, preprocessing = frame.iloc[:, chosen], Preprocessing()
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=60, n_features=frame.shape[1], n_classes=2)
    scores = []
    for train, test in make_folds(y, 5, stratify=True, seed=seed):
        pipeline = make_pipeline(
            load_learner("linear"), info, preprocessing=preprocessing, seed=0, device="cpu"
        )
        pipeline.fit(frame.iloc[train], y[train], estimator__groups=None)
        scores.append(auc(y[test], pipeline.predict_proba(frame.iloc[test])[:, 1]))
    return np.mean(scores)


def test_selection_inside_the_folds_scores_at_chance_on_noise():
    # One seed has a standard deviation of 0.116; 20 seeds need a tolerance of 0.10.
    mean = np.mean([noise_auc(selected_outside=False, seed=seed) for seed in range(20)])
    assert abs(mean - 0.5) <= 0.10


def test_selection_outside_the_folds_scores_high_on_noise():
    mean = np.mean([noise_auc(selected_outside=True, seed=seed) for seed in range(5)])
    assert mean > 0.85


# ---------------------------------------------------------------- impute and scale


def test_imputing_and_scaling_equal_scikit_learn():
    rng = np.random.default_rng(1)
    X = rng.lognormal(size=(50, 30))
    X[rng.random(X.shape) < 0.2] = np.nan
    frame = pd.DataFrame(X, columns=[f"g{i}" for i in range(30)])
    imputer, scaler = SimpleImputer(strategy="median"), StandardScaler()
    scaler.fit(imputer.fit_transform(X[:35]))
    found = Preprocessor().fit(frame.iloc[:35]).transform(frame.iloc[35:])
    np.testing.assert_allclose(found, scaler.transform(imputer.transform(X[35:])), rtol=1e-10)


def test_missing_values_are_kept_for_learners_that_take_them():
    frame, _ = mixed_table()
    step = Preprocessor(categories="integer", impute=False, scale=False).fit(frame)
    out = step.transform(frame)
    np.testing.assert_array_equal(out[:, 2], frame["b"].to_numpy())
    assert np.isnan(out[:, 5]).all()
    assert np.isnan(out[3, 3])
    assert list(step.get_feature_names_out()) == list(frame.columns)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_constant_and_missing_columns_become_zero(transform):
    frame, _ = mixed_table()
    step = Preprocessor(numeric_transform=transform).fit(frame.iloc[:30])
    held_out = frame.iloc[30:].copy()
    held_out["constant"], held_out["nothing"] = 5.0, 7.0
    out = step.transform(held_out)
    names = list(step.get_feature_names_out())
    assert (out[:, names.index("constant")] == 0).all()
    assert (out[:, names.index("nothing")] == 0).all()
    assert np.isfinite(out).all()


def test_a_column_without_training_values_is_zero_without_scaling_too():
    frame = pd.DataFrame({"a": [np.nan, np.nan, 7.0], "b": [1.0, 2.0, 3.0]})
    out = Preprocessor(scale=False).fit(frame.iloc[:2]).transform(frame)
    np.testing.assert_array_equal(out, [[0, 1], [0, 2], [0, 3]])


def test_differences_of_rounding_are_not_scaled_up():
    frame = pd.DataFrame({"a": [0.1 + 0.2, 0.3] * 10})
    assert frame["a"].nunique() == 2
    assert (Preprocessor().fit(frame).transform(frame) == 0).all()


@pytest.mark.parametrize("transform", ["none", "yeo-johnson", "rank"])
@pytest.mark.parametrize("size", [1e-200, 1.0, 1e30, 1e300])
def test_huge_and_tiny_values_stay_finite(transform, size):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=30) * size, "b": rng.normal(size=30)})
    out = Preprocessor(numeric_transform=transform).fit(frame.iloc[:20]).transform(frame)
    assert np.isfinite(out).all()
    assert out[:20, 0].std() == pytest.approx(1.0)


# ---------------------------------------------------------------- categories


def test_onehot_columns_players_and_names():
    frame, _ = mixed_table()
    step = Preprocessor(scale=False).fit(frame)
    out = step.transform(frame)
    assert list(step.players_) == [0, 1, 2, 3, 3, 3, 4, 5]
    assert list(step.get_feature_names_out()) == [
        "a", "sex=m", "b", "gene=x", "gene=y", "gene=z", "constant", "nothing",
    ]  # fmt: skip
    np.testing.assert_array_equal(out[:, 1], frame["sex"] == "m")
    np.testing.assert_array_equal(out[:, 4], frame["gene"] == "y")
    assert (out[3, 3:6] == 0).all()


def test_an_unseen_category_counts_as_missing():
    gene = pd.Categorical(["x", "y", "z", "x", "w", None], categories=list("wxyz"))
    sex = pd.Categorical(["f", "m", "m", "m", "other", None])
    frame = pd.DataFrame({"gene": gene, "sex": sex})
    onehot = Preprocessor(scale=False).fit(frame.iloc[:4]).transform(frame)
    np.testing.assert_array_equal(onehot[4], onehot[5])
    np.testing.assert_array_equal(onehot[4], [0, 0, 0, 0.75])
    integer = Preprocessor(categories="integer", impute=False, scale=False).fit(frame.iloc[:4])
    np.testing.assert_array_equal(
        integer.transform(frame)[3:], [[0, 1], [np.nan] * 2, [np.nan] * 2]
    )
    coded = Preprocessor(categories="integer", scale=False).fit(frame.iloc[:4]).transform(frame)
    np.testing.assert_array_equal(coded[4:], [[-1, -1], [-1, -1]])


def test_order_of_categories_does_not_change_the_columns():
    values = ["u", "w", "v", "w"]
    tables = [
        pd.DataFrame({"c": pd.Categorical(values, categories=list(order))})
        for order in ("uvw", "xwvu")
    ]
    for categories in ("onehot", "integer"):
        step = Preprocessor(categories=categories, scale=False)
        found = [clone(step).fit(table).transform(table) for table in tables]
        np.testing.assert_array_equal(found[0], found[1])
    ordered = pd.DataFrame({"c": pd.Categorical(values, categories=list("wvu"), ordered=True)})
    out = Preprocessor(categories="integer", scale=False).fit(ordered).transform(ordered)
    np.testing.assert_array_equal(out[:, 0], [2, 0, 1, 0])


def test_two_levels_with_gaps_keep_two_columns():
    frame = pd.DataFrame({"sex": pd.Categorical(["f", "m", None, "m"])})
    out = Preprocessor(scale=False).fit(frame).transform(frame)
    np.testing.assert_array_equal(out, [[1, 0], [0, 1], [0, 0], [0, 1]])


def test_columns_of_a_categorical_vary_together_as_much_as_a_number():
    frame, _ = mixed_table(200)
    step = Preprocessor().fit(frame)
    variance = step.transform(frame).var(axis=0)
    for feature in (0, 1, 2, 3):
        assert variance[step.players_ == feature].sum() == pytest.approx(1.0)


def test_a_categorical_without_any_level_is_one_column_of_zeros():
    frame = pd.DataFrame({"c": pd.Categorical([None] * 5, categories=["u"]), "a": range(5)})
    step = Preprocessor().fit(frame)
    assert (step.transform(frame)[:, 0] == 0).all()
    assert list(step.get_feature_names_out()) == ["c", "a"]


# ---------------------------------------------------------------- selection


@pytest.mark.parametrize("classify", [True, False])
def test_univariate_selection_ranks_as_scikit_learn(classify):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 40))
    y = rng.integers(0, 3, 60) if classify else rng.normal(size=60)
    X[:, :5] += 0.8 * y[:, None]
    scores = (f_classif if classify else f_regression)(X, y)[0]
    frame = pd.DataFrame(X, columns=[f"g{i}" for i in range(40)])
    step = Preprocessor(select="univariate", k=9, classify=classify).fit(frame, y)
    np.testing.assert_array_equal(step.players_, np.sort(np.argsort(-scores)[:9]))


def test_variance_selection_puts_constant_columns_last():
    frame = pd.DataFrame({"c": np.full(6, 3.3), "a": np.arange(6.0), "b": np.arange(6.0) * 9})
    y = np.array([0, 0, 0, 1, 1, 1])
    assert list(Preprocessor(select="variance", k=1).fit(frame).players_) == [2]
    assert list(Preprocessor(select="variance", k=2).fit(frame).players_) == [1, 2]
    assert list(Preprocessor(select="univariate", k=2).fit(frame, y).players_) == [1, 2]
    assert list(Preprocessor(select="univariate", k=99).fit(frame, y).players_) == [0, 1, 2]


def test_a_categorical_is_selected_whole_and_alike_for_all_learners():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    frame = pd.DataFrame(rng.normal(size=(60, 8)), columns=list("abcdefgh"))
    frame["gene"] = pd.Categorical(np.array(["u", "v", "w"])[y])
    onehot = Preprocessor(select="univariate", k=2).fit(frame, y)
    integer = Preprocessor(select="univariate", k=2, categories="integer").fit(frame, y)
    assert list(onehot.players_)[1:] == [8, 8, 8]
    assert set(onehot.players_) == set(integer.players_)


# ---------------------------------------------------------------- transforms


def test_yeo_johnson_equals_scikit_learn_on_standardised_columns():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.lognormal(size=80), rng.normal(size=80), -rng.gamma(1.5, size=80)])
    z = StandardScaler().fit_transform(X)
    expected = PowerTransformer(standardize=True).fit_transform(z)
    frame = pd.DataFrame(X, columns=list("abc"))
    found = Preprocessor(numeric_transform="yeo-johnson").fit(frame).transform(frame)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_yeo_johnson_ignores_missing_values():
    rng = np.random.default_rng(4)
    x = rng.lognormal(size=60)
    gaps = pd.DataFrame({"a": np.concatenate([x, [np.nan] * 20])})
    full = pd.DataFrame({"a": x})
    step = Preprocessor(numeric_transform="yeo-johnson", impute=False, scale=False)
    np.testing.assert_allclose(
        clone(step).fit(gaps).transform(full), clone(step).fit(full).transform(full), rtol=1e-6
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_train=st.integers(1, 40))
def test_rank_is_the_normal_score_of_the_share_below(seed, n_train):
    rng = np.random.default_rng(seed)
    train = rng.integers(0, 12, (n_train, 3)).astype(float)
    train[rng.random(train.shape) < 0.2] = np.nan
    probe = rng.integers(-1, 13, (9, 3)).astype(float)
    step = Preprocessor(numeric_transform="rank", impute=False, scale=False)
    found = step.fit(pd.DataFrame(train, columns=list("abc"))).transform(
        pd.DataFrame(probe, columns=list("abc"))
    )
    for column in range(3):
        known = train[~np.isnan(train[:, column]), column]
        for row in range(9):
            x = probe[row, column]
            if len(np.unique(known)) < 2:
                expected = 0.0
            else:
                share = ((known < x).sum() + (known <= x).sum()) / (2 * len(known))
                half = 0.5 / len(known)
                expected = norm.ppf(min(max(share, half), 1 - half))
            assert found[row, column] == pytest.approx(expected)


def test_log1p_refuses_negative_values_wherever_they_come():
    frame = pd.DataFrame({"a": [0.0, 1.0, np.e - 1], "b": [1.0, 2.0, -3.0]})
    step = Preprocessor(numeric_transform="log1p", scale=False)
    np.testing.assert_allclose(
        step.fit(frame[["a"]]).transform(frame[["a"]])[:, 0], [0, np.log(2), 1]
    )
    sentence = "needs values of 0 or more; feature 'b' has -3. Use preprocess.transform=yeo-johnson"
    with pytest.raises(DataError, match=sentence):
        clone(step).fit(frame)
    fitted = clone(step).fit(frame.iloc[:2])
    with pytest.raises(DataError, match=sentence):
        fitted.transform(frame)


# ---------------------------------------------------------------- settings and edges


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"select": "anova"},
            "select must be one of none, variance, univariate, linear, shap; got",
        ),
        (
            {"transform": "sqrt"},
            "transform must be one of auto, none, log1p, log, yeo-johnson, rank",
        ),
        ({"k": 5}, "k=5 needs a way to select"),
        ({"select": "variance"}, "needs preprocess.k, an integer of at least 1; got None"),
        ({"select": "variance", "k": 0}, "at least 1; got 0"),
        ({"select": "univariate", "k": 2.5}, "an integer of at least 1; got 2.5"),
    ],
)
def test_invalid_preprocessing_settings_are_refused(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Preprocessing(**values)


def test_columns_other_than_in_training_are_refused():
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    step = Preprocessor().fit(frame)
    with pytest.raises(DataError, match="features of the training rows"):
        step.transform(frame.rename(columns={"a": "b"}))
    with pytest.raises(DataError, match="'a' is"):
        Preprocessor().fit(pd.DataFrame({"a": ["text", "more"]}))


def test_preprocessing_does_not_modify_the_table():
    frame, _ = mixed_table()
    before = frame.copy()
    Preprocessor(numeric_transform="rank").fit(frame).transform(frame)
    pd.testing.assert_frame_equal(frame, before)
