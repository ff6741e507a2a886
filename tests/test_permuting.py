"""The one rule for permuted labels: who exchanges them, how many orders there are, what follows."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from smalldata.errors import ConfigError
from smalldata.resampling.permuting import (
    FEWEST_ORDERS,
    check_permutable,
    count_orders,
    draw_permuted,
    find_exchange,
    permute_labels,
    permute_task,
)
from smalldata.task import TaskKind
from toys import binary_toy, classes_toy, make_toy, values_toy

SMALL = {
    "no groups": ("001122", None),
    "no groups, values": ("01234", None),
    "one label each": ("0011223", "aabbccd"),
    "one label each, in pieces": ("0101101", "abacbcd"),
    "labels differ within": ("010011", "aaabbb"),
    "one group differs": ("001111", "aabbcc"),
    "mixed": ("001011", "aabbcc"),
}


def _arrays(name):
    labels, groups = SMALL[name]
    return np.array([int(c) for c in labels]), None if groups is None else np.array(list(groups))


def _allowed(y, groups):
    """List the orders of the labels that the rule allows, by trying every permutation of rows."""
    if groups is None:
        return {tuple(y[list(order)]) for order in permutations(range(len(y)))}
    constant = all(len(set(y[groups == name])) == 1 for name in groups)
    found = set()
    for order in permutations(range(len(y))):
        source = np.array(order)
        if constant:
            ok = all(
                len(set(groups[source[groups == name]])) == 1
                and (groups == name).sum() == (groups == groups[source[groups == name][0]]).sum()
                for name in groups
            )
        else:
            ok = np.array_equal(groups[source], groups)
        if ok:
            found.add(tuple(y[source]))
    return found


@pytest.mark.parametrize("name", SMALL)
def test_every_allowed_order_of_the_labels_is_equally_likely_and_no_other_comes(name):
    y, groups = _arrays(name)
    allowed = _allowed(y, groups)
    assert count_orders(y, groups) == len(allowed)
    n = 60 * len(allowed)
    drawn = Counter(tuple(y[permute_labels(y, groups, seed=seed)].tolist()) for seed in range(n))
    assert set(drawn) == allowed
    chi_square = sum((drawn[order] - 60) ** 2 / 60 for order in allowed)
    n_free = len(allowed) - 1
    assert chi_square < n_free + 4 * np.sqrt(2 * n_free) + 1e-9


def test_a_permutation_moves_labels_and_nothing_else():
    task = classes_toy()
    permuted = permute_task(task, seed=1)
    assert not np.array_equal(permuted.y, task.y)
    assert sorted(permuted.y) == sorted(task.y)
    assert [task.classes[code] for code in permuted.y] == permuted.dataset.y.tolist()
    assert permuted.X is task.X
    assert permuted.split_key != task.split_key
    assert np.array_equal(permute_task(task, seed=1).y, permuted.y)
    assert not np.array_equal(permute_task(task, seed=2).y, permuted.y)


def test_whole_groups_exchange_labels_with_groups_of_their_size():
    sizes = np.repeat([1, 8, 3], 6)
    group = np.repeat(np.arange(18), sizes)
    rows = np.random.default_rng(0).permutation(len(group))  # groups need not lie together
    group = group[rows]
    y = (np.arange(18) % 2)[group]
    assert find_exchange(y, group) == "whole groups"
    for seed in range(20):
        moved = y[permute_labels(y, group, seed=seed)]
        of_group = [set(moved[group == name]) for name in range(18)]
        assert all(len(labels) == 1 for labels in of_group)
        for size in (1, 8, 3):
            labels = [next(iter(of_group[name])) for name in range(18) if sizes[name] == size]
            assert sorted(labels) == [0, 0, 0, 1, 1, 1]


def test_labels_that_differ_within_groups_stay_in_their_group():
    task = values_toy(groups=np.repeat(list("abcdef"), [1, 9, 2, 8, 4, 6]))
    assert find_exchange(task.y, task.groups) == "within groups"
    for seed in range(5):
        moved = permute_task(task, seed=seed)
        for name in "abcdef":
            rows = task.groups == name
            assert sorted(moved.y[rows]) == sorted(task.y[rows])
        assert not np.array_equal(moved.y, task.y)


# ---------------------------------------------------------------- too few


def test_labels_with_too_few_orders_are_refused():
    six = make_toy(["yes"] * 3 + ["no"] * 3)
    assert count_orders(six.y) == FEWEST_ORDERS
    check_permutable(six, key="permutations")
    five = make_toy(["yes"] * 3 + ["no"] * 2)
    with pytest.raises(
        ConfigError,
        match=r"permutations needs labels that can be put in at least 20 different orders; there "
        r"are 10 of 5 samples\. Use more samples, or set permutations=0\.",
    ):
        check_permutable(five, key="permutations")


def test_groups_of_different_sizes_are_refused():
    task = binary_toy(groups=np.repeat(list("abcd"), [3, 6, 9, 12]))
    constant = make_toy(
        np.repeat(["yes", "no", "yes", "no"], [3, 6, 9, 12]), groups=task.groups.tolist()
    )
    check_permutable(task, key="explain.null")
    with pytest.raises(
        ConfigError,
        match=r"explain\.null needs labels .*; there is 1, because only groups with the same "
        r"number of samples may exchange their label\. Keep the same number",
    ):
        check_permutable(constant, key="explain.null")


def test_groups_with_one_differing_label_each_are_refused():
    task = make_toy(["yes", "no"] * 4, groups=list("aabbccdd"))
    with pytest.raises(
        ConfigError, match=r"there are 16, because labels that differ within a group are exchanged"
    ):
        check_permutable(task, key="permutations")


def test_a_permutation_that_cannot_be_used_is_drawn_again():
    task = make_toy(["a"] * 10 + ["b"] * 10 + ["c", "c"], kind=TaskKind.MULTICLASS)
    tried = []

    def make(permuted):
        tried.append(permuted.y)
        if permuted.y[0] == permuted.y[-1]:
            raise ConfigError("no.")
        return permuted.y

    kept = [draw_permuted(task, make, seed=3, number=n, key="permutations") for n in range(12)]
    assert all(y[0] != y[-1] for y in kept)
    assert len(tried) > 12
    assert len({tuple(y) for y in kept}) == 12

    def refuse(_):
        raise ConfigError("cv cannot.")

    with pytest.raises(
        ConfigError, match=r"none of 100 permutations did: cv cannot\. .* or set permutations=0\."
    ):
        draw_permuted(task, refuse, seed=3, number=0, key="permutations")


# ---------------------------------------------------------------- what the rule is for


def _share_rejected(sizes, make_labels, permute, *, n_tables=150, n=19):
    """Share of noise tables whose statistic exceeds those of all permutations: 1 / (n + 1)."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    rejected = 0
    for seed in range(n_tables):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(len(sizes), 4))[group] + 0.3 * rng.normal(size=(len(group), 4))
        y = make_labels(rng, group)

        def statistic(labels, X=X):
            return np.abs(X[labels == 1].mean(axis=0) - X[labels == 0].mean(axis=0)).max()

        null = [statistic(y[permute(y, group, 1000 * seed + k)]) for k in range(n)]
        rejected += statistic(y) > max(null)
    return rejected / n_tables


def _one_label_each(rng, group):
    return rng.permutation(np.arange(group.max() + 1) % 2)[group]


def _large_groups_sick(rng, group):
    large = np.bincount(group) > 4
    turned = rng.permutation(np.arange(len(large)) % 4 == 0)
    return np.where(turned, ~large, large).astype(int)[group]


def _differ_within(rng, group):
    prevalence = rng.uniform(0.2, 0.8, size=group.max() + 1)[group]
    y = (rng.uniform(size=len(group)) < prevalence).astype(int)
    y[:2] = 0, 1
    return y


@pytest.mark.parametrize("make_labels", [_one_label_each, _large_groups_sick, _differ_within])
def test_noise_exceeds_all_of_19_permutations_in_one_table_of_twenty(make_labels):
    """Expected 7.5 of 150; 18 or more come in 0.1 % of cases."""

    def rule(y, group, seed):
        return permute_labels(y, group, seed=seed)

    assert _share_rejected((1, 8) * 8, make_labels, rule) < 18 / 150


def test_rows_of_groups_that_exchange_labels_freely_exceed_them_too_often():
    """What the simulation above is there to catch."""

    def freely(y, group, seed):
        return permute_labels(y, None, seed=seed)

    assert _share_rejected((1, 8) * 8, _one_label_each, freely, n_tables=50) > 0.3
