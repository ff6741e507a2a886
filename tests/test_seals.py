"""Files whose SHA-256 is kept: an edit is noticed, what can be made again is, the rest is named."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from smalldata.__main__ import main
from smalldata.errors import RecordError
from smalldata.runtime.sealing import SEALS, DamageError, read_sealed, seal_files, write_sealed
from smalldata.store.cell_folder import CellFolder
from smalldata.store.trial_log import read_trials

# ---------------------------------------------------------------- a file and its seal


def digests(path):
    return json.loads((path.parent / SEALS).read_text())["files"].get(path.name)


def test_an_edited_cut_or_exchanged_file_is_refused(tmp_path):
    path, other = tmp_path / "a.npz", tmp_path / "b.npz"
    write_sealed(path, b"content")
    write_sealed(other, b"another")
    assert read_sealed(path) == b"content"
    for content in (b"c0ntent", b"cont", b"another", b""):
        path.write_bytes(content)
        with pytest.raises(DamageError, match=r"a\.npz is torn or was edited"):
            read_sealed(path)
    assert read_sealed(other) == b"another"
    write_sealed(path, b"anew")
    assert len(digests(path)) == 1  # what was edited is not taken on
    assert read_sealed(path) == b"anew"


def test_edited_seals_vouch_for_nothing(tmp_path):
    path = tmp_path / "a.npz"
    write_sealed(path, b"content")
    seals = tmp_path / SEALS
    text = seals.read_text()
    seals.write_text(text.replace(digests(path)[0], "0" * 64))
    with pytest.raises(DamageError, match=r"seals\.json was edited"):
        read_sealed(path)
    with pytest.raises(DamageError):
        write_sealed(path, b"anew")
    seals.write_text(text.replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(RecordError, match="schema version"):
        read_sealed(path)


def test_a_file_without_a_seal_is_read_and_sealed_as_it_is(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"content")
    assert read_sealed(path) == b"content"
    assert seal_files([path]) == 1
    assert seal_files([path]) == 0
    path.write_bytes(b"c0ntent")
    assert seal_files([path]) == 0
    with pytest.raises(DamageError):
        read_sealed(path)


KILLED_WRITES = """
import os, sys
from pathlib import Path
from smalldata.runtime.sealing import read_sealed, write_sealed

path = Path(sys.argv[1]) / "a.npz"
first_unsealed = sys.argv[2] == "old"
replace, kill_at = os.replace, 0

def killing(source, target):
    global kill_at
    kill_at -= 1
    if kill_at == 0 and not after:
        os._exit(9)
    replace(source, target)
    if kill_at == 0 and after:
        os._exit(9)

def killed(content, at):
    # Write in a child that dies at its n-th rename; 0: it lives.
    global kill_at
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    kill_at, os.replace = at, killing
    write_sealed(path, content)
    os._exit(0)

for after in (False, True):
    for one in (0, 1, 2):
        for two in (0, 1, 2):
            for three in (0, 1, 2):
                for file in path.parent.iterdir():
                    file.unlink()
                if first_unsealed:
                    path.write_bytes(b"0")
                for content, at in ((b"1", one), (b"2", two), (b"3", three)):
                    before = path.read_bytes() if path.exists() else None
                    assert killed(content, at) == (9 if at else 0)
                    there = read_sealed(path) if path.exists() else None  # never distrusted
                    assert there in ((before, content) if at else (content,)), (one, two, three)
                    print(there)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("first", ["none", "old"])
def test_a_kill_at_any_write_leaves_a_file_that_its_seal_fits(tmp_path, first):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WRITES, str(tmp_path), first], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 * 27 * 3


# ---------------------------------------------------------------- a cell on disk

FEW = ["dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "n_jobs=1"]
TUNE = ["tune=optuna", "tune.trials=4", "tune.inner_folds=2"]
EXPLAIN = ["explain.repeats=1", "explain.interactions=0", "explain.null=2"]
COMMAND = ["model=linear", *FEW, *TUNE, *EXPLAIN]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("whole") / "outputs"
    assert main([*COMMAND, f"outputs={outputs}"]) == 0
    return outputs


@pytest.fixture
def cell(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "outputs")
    return CellFolder(next((tmp_path / "outputs").glob("*/*/linear-*")))


def run(cell, capsys, *more):
    """Give the cell's command again; return what was said, on one line."""
    capsys.readouterr()
    assert main([*COMMAND, f"outputs={cell.path.parents[2]}", *more]) == 0
    return " ".join(capsys.readouterr().err.split())


def only(cell, pattern):
    (path,) = cell.path.glob(pattern)
    return path


def kept(cell):
    """Bytes and times of all that is computed; what is derived anew with every run is not."""
    patterns = ("*.parquet", "record.json", "folds/*", "tuning/*", "explanation/**/*.npz")
    found = [path for pattern in patterns for path in cell.path.glob(pattern)]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def edit_npz(path, name, change):
    with np.load(path) as arrays:
        found = dict(arrays)
    change(found[name])
    buffer = io.BytesIO()
    np.savez(buffer, **found)
    path.write_bytes(buffer.getvalue())


def edit_scores(path, *, by):
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place = table.column_names.index("score")
    scores = [None if score is None else score + by for score in table["score"].to_pylist()]
    pq.write_table(table.set_column(place, "score", [scores]), path)


def add_fifty(values):
    values[:, 7] += 50


def test_the_same_command_twice_writes_nothing(cell, capsys):
    before = kept(cell)
    seals = {path: path.stat().st_mtime_ns for path in cell.path.rglob(SEALS)}
    assert sorted(path.parent.relative_to(cell.path).as_posix()[:16] for path in seals) == [
        ".",
        "explanation",
        "explanation/null",
    ]
    said = run(cell, capsys)
    assert "already finished" in said
    assert "seal" not in said
    assert kept(cell) == before
    assert {path: path.stat().st_mtime_ns for path in cell.path.rglob(SEALS)} == seals


def test_an_edited_explanation_is_computed_anew(cell, capsys):
    path = only(cell, "explanation/*.npz")
    good = cell.read_explanation(path.stem).values
    edit_npz(path, "values", add_fifty)
    with pytest.raises(DamageError, match="was edited"):
        cell.read_explanation(path.stem)
    said = run(cell, capsys)
    assert said.count(path.name) == 1
    assert "was edited" in said
    assert "It was set aside and is computed again." in said
    np.testing.assert_array_equal(cell.read_explanation(path.stem).values, good)
    assert "was edited" not in run(cell, capsys)


def test_an_edited_explanation_of_another_cell_is_left_out(cell, capsys):
    path = only(cell, "explanation/*.npz")
    edit_npz(path, "values", add_fifty)
    capsys.readouterr()
    assert main(["model=dummy", *FEW, "explain=none", f"outputs={cell.path.parents[2]}"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count(path.name) == 1
    assert "is left out" in said
    assert "Explain the cell again with its options, or delete the file." in said


def test_an_edited_permutation_is_computed_anew(cell, capsys):
    path = only(cell, "explanation/null-*/p0001.npz")
    good = np.load(path)["values"]
    edit_npz(path, "values", lambda values: values.__imul__(0))
    said = run(cell, capsys)
    assert said.count("p0001.npz") == 1
    np.testing.assert_array_equal(np.load(path)["values"], good)


@pytest.mark.parametrize("damage", ["deleted", "cut", "edited"])
def test_the_table_of_trials_is_rebuilt_from_the_logs(cell, capsys, damage):
    path = cell.path / "trials.parquet"
    good = kept(cell)
    if damage == "deleted":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        edit_scores(path, by=0.2)
    said = run(cell, capsys)
    assert said.count("trials.parquet") == 1
    assert "It is rebuilt from the logs of the tuning." in said
    assert path.read_bytes() == good[path][0]
    assert {key: value for key, value in kept(cell).items() if key != path} == {
        key: value for key, value in good.items() if key != path
    }
    assert "rebuilt" not in run(cell, capsys)


def shorten(path, how):
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "deleted":
        path.unlink()
    elif how == "cut":
        path.write_bytes(b"".join(lines[:2]))
    else:
        lines[1] = lines[1].replace(b'"seconds": ', b'"seconds": 1')
        path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(("how", "n_left"), [("deleted", 0), ("cut", 2), ("edited", 1)])
def test_a_log_with_fewer_trials_than_its_fold_used_is_named(cell, capsys, how, n_left):
    log = cell.path / "tuning" / "r00f01.jsonl"
    good = log.read_bytes()
    shorten(log, how)
    before = kept(cell)
    said = run(cell, capsys)
    assert said.count("r00f01.jsonl") == 1
    assert f"r00f01.jsonl ({n_left} of 4)" in said
    assert f"delete {cell.path / 'folds' / 'r00f01.json'}" in said
    assert kept(cell) == before
    (cell.path / "trials.parquet").unlink()  # now it is the only copy
    said = run(cell, capsys)
    assert "trials.parquet is missing" in said
    assert f"r00f01.jsonl ({n_left} of 4)" in said
    assert "It cannot be rebuilt" in said
    assert not (cell.path / "trials.parquet").exists()
    (cell.path / "folds" / "r00f01.json").unlink()  # what the sentence advises
    assert "cannot" not in run(cell, capsys)
    columns, _ = read_trials(cell.path / "trials.parquet")
    assert len(columns["trial"]) == 12
    assert len(log.read_bytes().splitlines()) >= len(good.splitlines())


def test_no_table_is_gathered_from_a_log_that_lost_trials(cell, capsys):
    shorten(cell.path / "tuning" / "r00f01.jsonl", "cut")
    (cell.path / "folds" / "r00f02.json").unlink()
    said = run(cell, capsys)
    assert "r00f01.jsonl (2 of 4)" in said
    assert "tuning of linear" in said  # is left out of the pages
    assert not (cell.path / "trials.parquet").exists()


def test_edited_seals_put_aside_what_they_vouched_for(cell, capsys):
    good = {path: content for path, (content, _) in kept(cell).items()}
    for seals in cell.path.rglob(SEALS):
        seals.write_text(seals.read_text().replace('"files"', '"file"'))
    edit_npz(only(cell, "explanation/*.npz"), "values", add_fifty)
    said = run(cell, capsys)
    assert said.count("seals.json was edited") == 3
    again = {path: content for path, (content, _) in kept(cell).items()}
    assert again.keys() == good.keys()
    assert again[cell.path / "trials.parquet"] == good[cell.path / "trials.parquet"]
    for path in cell.path.glob("explanation/**/*.npz"):
        np.testing.assert_array_equal(
            np.load(path)["values"], np.load(io.BytesIO(good[path]))["values"]
        )
    assert "edited" not in run(cell, capsys)


def test_files_without_seals_are_said_once_a_run_and_sealed(cell, capsys):
    found = list(cell.path.rglob(SEALS))
    before = {path: path.read_bytes() for path in found}
    for path in found:
        path.unlink()
    other = CellFolder(cell.path)
    stored = kept(cell)
    said = run(cell, capsys)
    assert said.count("carry no seal") == 1
    assert kept(cell) == stored
    assert {path: path.read_bytes() for path in cell.path.rglob(SEALS)} == before
    assert "carry no seal" not in run(cell, capsys)
    edit_npz(only(cell, "explanation/*.npz"), "values", add_fifty)
    with pytest.raises(DamageError):
        other.read_explanation(other.explanation_keys()[0])


def test_another_run_seals_the_files_of_a_cell_unless_it_is_held(cell, capsys):
    for path in cell.path.rglob(SEALS):
        path.unlink()
    other = ["model=dummy", *FEW, "explain=none", f"outputs={cell.path.parents[2]}"]
    with cell.lock():
        assert main(other) == 0
        assert not list(cell.path.rglob(SEALS))
    assert main(other) == 0
    assert len(list(cell.path.rglob(SEALS))) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_edited_weights_are_made_again(tmp_path, capsys):
    small = ["model.learner.n_members=2", "model.learner.n_epochs=2", "weights=true"]
    command = ["model=mlp", *FEW, "explain=none", *small, f"outputs={tmp_path}"]
    assert main(command) == 0
    path = next(tmp_path.rglob("weights/r00f01.safetensors"))
    good = path.read_bytes()
    path.write_bytes(good[:-4] + b"\0\0\x80\x3f")
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().err.count("r00f01.safetensors") == 1
    assert path.read_bytes() == good


def test_a_log_is_on_the_disk_before_the_fold_that_counts_it(cell, monkeypatch):
    log = cell.path / "tuning" / "r00f01.jsonl"
    synced, fsync = [], os.fsync

    def tracing(handle):
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    record = cell.read_record()
    monkeypatch.setattr(os, "fsync", tracing)
    from smalldata.run.cell import open_cell

    cell.write_fold(record.folds[1], open_cell(cell.path).task)
    fold = (cell.path / "folds" / "r00f01.json").stat().st_ino
    assert synced.index(log.stat().st_ino) < synced.index(fold)
