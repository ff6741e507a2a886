"""Memory that runs out: half as much at once, and how many processes share a card."""

import pytest
import torch

from smalldata.datasets import load_dataset
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_folds
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.runtime import memory
from smalldata.runtime.memory import (
    OUT_OF_MEMORY,
    bytes_on_card,
    count_on_card,
    describe_sharing,
    is_out_of_memory,
    map_rows,
    share_card,
    train_within,
)
from smalldata.task import make_task


def allocate(n_bytes):
    """More than any machine has: what a device really raises."""
    return torch.empty(n_bytes, dtype=torch.uint8)


def test_out_of_memory_errors_of_torch_and_python_are_recognised():
    with pytest.raises(RuntimeError) as caught:
        allocate(2**50)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not is_out_of_memory(caught.value)
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize(
    ("fits", "tried", "said"),
    [
        (100, [(8, 1)], ""),
        (40, [(8, 1), (4, 1)], "4 of 8 members at a time"),
        (10, [(8, 1), (4, 1), (2, 1), (1, 1)], "1 of 8 members at a time"),
        (3, [(8, 1), (4, 1), (2, 1), (1, 1), (1, 2), (1, 4)], "in 4 parts"),
    ],
)
def test_members_are_halved_first_then_the_rows_of_a_step(fits, tried, said):
    seen = []

    def train(n_together, n_parts):
        seen.append((n_together, n_parts))
        if n_together * 10 / n_parts > fits:
            allocate(2**50)
        return "trained"

    result, notes = train_within(train, n_members=8, n_rows=10)
    assert result == "trained"
    assert seen == tried
    assert all(note.startswith(OUT_OF_MEMORY) for note in notes)
    assert said in "".join(notes)
    assert bool(notes) == bool(said)


def test_one_row_of_one_member_that_does_not_fit_raises():
    tried = []

    def train(n_together, n_parts):
        tried.append((n_together, n_parts))
        allocate(2**50)

    with pytest.raises(MemoryError, match="one row of one member"):
        train_within(train, n_members=3, n_rows=5)
    assert tried == [(3, 1), (2, 1), (1, 1), (1, 2), (1, 4), (1, 5)]
    with pytest.raises(ZeroDivisionError):  # nothing else is tried again
        train_within(lambda *_: 1 / 0, n_members=3, n_rows=5)


def test_rows_are_computed_in_smaller_pieces_from_where_memory_ran_out():
    tried = []

    def compute(start, stop):
        tried.append((start, stop))
        if stop - start > 3 and start >= 10:
            allocate(2**50)
        return list(range(start, stop))

    found = map_rows(compute, n_rows=23, size=10)
    assert [row for part in found for row in part] == list(range(23))
    assert tried[:4] == [(0, 10), (10, 20), (10, 15), (10, 13)]
    with pytest.raises(MemoryError, match="one row"):
        map_rows(lambda *_: allocate(2**50), n_rows=4, size=4)
    with pytest.raises(ZeroDivisionError):
        map_rows(lambda *_: 1 / 0, n_rows=4, size=4)


def test_a_card_is_shared_by_as_many_processes_as_its_memory_holds():
    gib = 2**30
    assert count_on_card(16, free=80 * gib, n_values=10_000) == 16
    assert count_on_card(16, free=6 * gib, n_values=10_000) == 5
    assert count_on_card(16, free=gib // 2, n_values=10_000) == 1  # it may fit all the same
    for n_values in (0, 10**6, 10**8):
        n_processes = count_on_card(10**6, free=80 * gib, n_values=n_values)
        assert n_processes * bytes_on_card(n_values) <= 80 * gib
    assert count_on_card(16, free=80 * gib, n_values=10**8) < count_on_card(
        16, free=80 * gib, n_values=10**6
    )


def test_only_default_n_jobs_on_a_card_is_capped(monkeypatch):
    monkeypatch.setattr(memory, "free_card_memory", lambda: 3 * 2**30)
    assert share_card(8, device="cuda", n_jobs=None, n_values=1000) == 2
    assert share_card(8, device="cuda", n_jobs=8, n_values=1000) == 8
    assert share_card(8, device="cpu", n_jobs=None, n_values=1000) == 8
    assert describe_sharing(8, n_values=1000) == (
        "2 folds at a time on the card: 3.0 GB are free, about 1.0 GB for each "
        "(n_jobs=N for another number)"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no card")
def test_folds_run_in_parallel_on_a_real_card():
    task = make_task(load_dataset("nutrimouse"))
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("mlp", n_members=2, n_epochs=3)
    for n_jobs in (None, 2):
        found = list(
            evaluate_folds(
                Cell(task=task, learner=learner, splits=splits), device="cuda", n_jobs=n_jobs
            )
        )
        assert [fold.status for fold in found] == ["ok"] * 3
        assert {fold.device for fold in found} == {"cuda"}
