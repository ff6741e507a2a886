"""The disk format: exact round trips, damage that is noticed, disks and folders that refuse."""

import dataclasses
import json
import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalldata.errors import RecordError
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import Faithfulness, Interactions
from smalldata.results.explanation import Explanation
from smalldata.results.folds import FoldResult, Prediction, Score
from smalldata.results.record import RunRecord, cell_hash
from smalldata.runtime.files import safe_name
from smalldata.runtime.sealing import DamageError
from smalldata.store.cell_folder import CellFolder
from smalldata.store.splits_folder import (
    lock_comparison,
    read_records,
    read_splits,
    splits_folder,
    write_splits,
    write_text,
)
from toys import binary_toy, classes_toy, differences, make_toy, values_toy

AWKWARD = [0.1 + 0.2, 5e-324, -1.7976931348623157e308, 1 / 3, 1e-17, -0.0]


def make_prediction(task, rows):
    rng = np.random.default_rng(1)
    n_classes = len(task.classes)
    about = {"row": rows, "y": task.y[rows]}
    if not n_classes:
        value = rng.normal(size=len(rows))
        value[: len(AWKWARD)] = AWKWARD
        return Prediction(**about, value=value)
    probabilities = rng.dirichlet(np.ones(n_classes), size=len(rows))
    margin = rng.normal(size=(len(rows), 1 if n_classes == 2 else n_classes))
    margin[: len(AWKWARD), 0] = AWKWARD
    label = probabilities.argmax(axis=1).astype(np.int64)
    return Prediction(**about, label=label, probabilities=probabilities, margin=margin)


def make_fold(task, fold, **changes):
    return dataclasses.replace(
        FoldResult(
            repeat=fold.repeat,
            fold=fold.fold,
            status="ok",
            seed=7,
            n_train=len(fold.train),
            prediction=make_prediction(task, fold.test),
            scores={
                "m": Score(value=1 / 3, note="n"),
                "undefined": Score(value=None, reason="why"),
            },
            values={"k": 3, "rate": 0.1 + 0.2, "sizes": (8, 4), "word": "ü", "nothing": None},
            seconds={"fit": 0.25, "predict": 0.125},
            notes=("first", "second"),
        ),
        **changes,
    )


def make_cell(folder, task=None, *, seed=0, n_folds=3, write=True):
    """Write a whole cell by hand; return its folder, record, task and splits."""
    task = task or binary_toy()
    splits = make_splits(task, "kfold", n_splits=n_folds)
    record = RunRecord(
        dataset=task.dataset.name,
        cv=splits.folder,
        model="toy",
        kind=task.kind,
        classes=task.classes,
        measure=task.measure,
        target="t",
        n_samples=task.n_samples,
        n_features=task.n_features,
        splits_key=splits.key,
        test_train_ratio=splits.test_train_ratio,
        n_planned=n_folds,
        identity={"seed": seed, "rate": 0.1 + 0.2, "none": None},
        groups=(0, *range(task.n_samples - 1)),
        settings={"seed": seed, "sizes": (8, 4)},
        environment={"python": "3"},
        folds=tuple(make_fold(task, fold) for fold in splits.folds),
    )
    cell = CellFolder(folder / record.folder)
    if write:
        for fold in record.folds:
            cell.write_fold(fold, task)
        cell.write_record(record)
    return cell, record, task, splits


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("make", [binary_toy, classes_toy, values_toy])
def test_stored_cell_reads_back_exactly(tmp_path, make):
    cell, record, _, _ = make_cell(tmp_path, make())
    assert cell.is_done
    assert differences(cell.read_record(), record) == []
    assert [r.seconds for r in cell.read_folds()] == [r.seconds for r in record.folds]
    assert cell.read_record().environment == {"python": "3"}
    assert read_records(tmp_path)[0].hash == record.hash


def test_prediction_file_has_the_documented_columns(tmp_path):
    wanted = {
        binary_toy: ["y", "label", "p_no", "p_yes", "margin_yes"],
        classes_toy: [
            *["y", "label", "p_a/b: ü", "p_c d", "p_p_x"],
            *["margin_a/b: ü", "margin_c d", "margin_p_x"],
        ],
        values_toy: ["y", "value"],
    }
    for make, columns in wanted.items():
        cell, _record, task, splits = make_cell(
            tmp_path, make(name=make.__name__), seed=make.__name__
        )
        path = cell.path / "folds" / "r00f00.parquet"
        table = pd.read_parquet(path)
        assert list(table) == ["row", "sample_id", *columns]
        assert table["row"].tolist() == splits.folds[0].test.tolist()
        assert table["sample_id"].tolist() == [f"s{row}" for row in table["row"]]
        if task.classes:
            assert set(table["y"]) <= set(task.classes)
        assert pq.read_schema(path).metadata[b"schema_version"] == b"1"
        assert json.loads(path.with_suffix(".json").read_text())["schema_version"] == 1


def test_a_model_without_margin_has_no_margin_column(tmp_path):
    cell, record, task, _splits = make_cell(tmp_path, write=False)
    prediction = dataclasses.replace(record.folds[0].prediction, margin=None)
    plain = dataclasses.replace(record.folds[0], prediction=prediction)
    cell.write_fold(plain, task)
    assert cell.read_folds()[0].prediction.margin is None
    assert differences(cell.read_folds(), (plain,)) == []


def test_stored_splits_keep_their_training_order(tmp_path):
    task = classes_toy()
    for cv in ("rep5x5", "loo", "holdout"):
        splits = dataclasses.replace(make_splits(task, cv), asked=None)  # which is not stored
        folder = splits_folder(tmp_path, task, splits)
        write_splits(folder, splits, task)
        assert folder == tmp_path / "toy" / cv
        assert differences(read_splits(folder), splits) == []
    table = pd.read_parquet(tmp_path / "toy/rep5x5/splits.parquet")
    assert list(table) == ["repeat", "fold", "row", "sample_id", "part", "order"]
    assert len(table) == 25 * 30
    assert table[table["part"] == "test"]["order"].isna().all()
    first = table[(table["repeat"] == 0) & (table["fold"] == 0) & (table["part"] == "train")]
    assert first["order"].tolist() == list(range(24))


def test_other_splits_never_share_a_folder(tmp_path):
    task = binary_toy()
    splits = make_splits(task)
    write_splits(tmp_path, splits, task)
    before = (tmp_path / "splits.parquet").stat().st_mtime_ns
    write_splits(tmp_path, splits, task)
    assert (tmp_path / "splits.parquet").stat().st_mtime_ns == before
    with pytest.raises(RecordError, match=f"has {splits.key[:6]} and this run makes"):
        write_splits(tmp_path, make_splits(task, seed=1), task)


def test_damaged_splits_are_refused_and_written_again(tmp_path):
    task = binary_toy()
    splits = make_splits(task)
    path = tmp_path / "splits.parquet"
    write_splits(tmp_path, splits, task)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(DamageError, match=r"splits\.parquet is torn"):
        read_splits(tmp_path)
    table = pq.read_table(pa_buffer(whole))
    rows = table.column("row").to_numpy().copy()
    rows[[0, 1]] = rows[[1, 0]]
    pq.write_table(table.set_column(2, "row", [rows]), path)
    with pytest.raises(DamageError, match="have changed since it was written"):
        read_splits(tmp_path)
    write_splits(tmp_path, splits, task)
    assert path.read_bytes() == whole


def pa_buffer(content):
    import pyarrow as pa

    return pa.BufferReader(content)


def make_explanation(**changes):
    rng = np.random.default_rng(0)
    explanation = Explanation(
        values=rng.normal(size=(4, 3, 2)).astype(np.float32),
        base_values=rng.normal(size=(4, 2)),
        row=np.arange(4),
        repeat=np.zeros(4, dtype=np.int64),
        fold=np.array([0, 0, 1, 1]),
        feature_names=("ü 1", "b", "c"),
        scale="log-odds",
        outputs=("no", "yes"),
        additivity_error=1e-17,
        options={"background": 100, "repeats": None, "sizes": (1, 2)},
        seconds=1.5,
        notes=("sampled",),
    )
    return dataclasses.replace(explanation, **changes)


@pytest.mark.parametrize("sampled", [False, True])
def test_stored_explanation_reads_back_without_pickle(tmp_path, sampled):
    cell, *_ = make_cell(tmp_path, write=False)
    errors = np.full((4, 3, 2), 0.5, dtype=np.float32) if sampled else None
    explanation = make_explanation(standard_errors=errors, notes=() if sampled else ("n",))
    cell.write_explanation(explanation)
    path = cell.path / "explanation" / f"{explanation.hash}.npz"
    with np.load(path, allow_pickle=False) as arrays:
        assert int(arrays["schema_version"]) == 1
        assert arrays["values"].dtype == np.float32
        assert arrays["feature_names"].tolist() == ["ü 1", "b", "c"]
        assert ("standard_errors" in arrays.files) == sampled
    assert differences(cell.read_explanation(explanation.hash), explanation) == []
    assert cell.read_explanation(explanation.hash).seconds == 1.5
    assert cell.explanation_keys() == (explanation.hash,)
    assert cell.read_explanation("0" * 10) is None


def test_stored_evidence_reads_back(tmp_path):
    cell = CellFolder(tmp_path / "knn-0123456789")
    folds = {"repeat": np.array([0, 0]), "fold": np.array([0, 1])}
    magnitude = np.arange(8.0).reshape(2, 2, 2, 1)
    explanation = make_explanation(
        interactions=Interactions(feature=np.array([3, 1]), magnitude=magnitude, **folds),
        faithfulness=Faithfulness(
            measure="roc_auc",
            n_removed=np.array([0, 1]),
            leading=np.array([[0.9, 0.7], [0.8, np.nan]]),
            random=np.full((2, 3, 2), 0.85),
            **folds,
        ),
    )
    cell.write_explanation(explanation)
    found = cell.read_explanation(explanation.hash)
    assert differences(found, explanation) == []
    assert found.faithfulness.measure == "roc_auc"
    np.testing.assert_array_equal(found.interactions.magnitude, magnitude)


def test_damaged_or_foreign_explanation_is_refused_by_name(tmp_path):
    cell, *_ = make_cell(tmp_path, write=False)
    other, *_ = make_cell(tmp_path, seed=1, write=False)
    explanation = make_explanation()
    cell.write_explanation(explanation)
    path = cell.path / "explanation" / f"{explanation.hash}.npz"
    (other.path / "explanation").mkdir(parents=True)
    shutil.copy(path, other.path / "explanation")
    with pytest.raises(DamageError, match="belongs to another cell"):
        other.read_explanation(explanation.hash)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DamageError, match=rf"{explanation.hash}\.npz is torn"):
        cell.read_explanation(explanation.hash)


# ---------------------------------------------------------------- DONE


def test_failed_fold_leaves_the_cell_unfinished_and_is_retried(tmp_path):
    cell, record, task, splits = make_cell(tmp_path)
    failed = make_fold(task, splits.folds[1], status="failed", reason="why", prediction=None)
    cell.write_fold(failed, task)
    folds = (record.folds[0], failed, record.folds[2])
    cell.write_record(dataclasses.replace(record, folds=folds))
    assert not cell.is_done
    assert differences(cell.read_folds(), folds) == []
    finished, sentences = cell.resume()
    assert [result.fold for result in finished] == [0, 2]
    assert sentences == ()
    assert cell.read_record().status == "failed"
    assert cell.read_record().reason == "r00f01: why"


def test_skipped_cell_counts_as_done(tmp_path):
    cell, record, *_ = make_cell(tmp_path, write=False)
    skipped = dataclasses.replace(record, folds=(), skipped="takes no binary tasks")
    cell.write_record(skipped)
    assert cell.is_done
    assert differences(cell.read_record(), skipped) == []


def test_a_folder_without_a_record_is_no_finished_cell(tmp_path):
    with pytest.raises(RecordError, match=r"must be the folder of a finished cell"):
        CellFolder(tmp_path / "knn-0123456789").read_record()
    assert read_records(tmp_path) == []


# ---------------------------------------------------------------- damage


def _cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def _edit(path):
    text = path.read_text()
    assert '"seed": 7' in text
    path.write_text(text.replace('"seed": 7', '"seed": 8'))


def _empty(path):
    path.write_bytes(b"")


DAMAGE = {
    "json cut": (lambda folds: _cut(folds / "r00f01.json"), r"r00f01\.json is torn"),
    "json empty": (lambda folds: _empty(folds / "r00f01.json"), r"r00f01\.json is torn"),
    "json list": (lambda folds: (folds / "r00f01.json").write_text("[]"), r"is foreign"),
    "json edited": (lambda folds: _edit(folds / "r00f01.json"), r"r00f01\.json was edited"),
    "parquet cut": (lambda folds: _cut(folds / "r00f01.parquet"), r"r00f01\.parquet is torn"),
    "parquet gone": (lambda folds: (folds / "r00f01.parquet").unlink(), r"parquet is missing"),
    "parquet of another fold": (
        lambda folds: shutil.copy(folds / "r00f00.parquet", folds / "r00f01.parquet"),
        r"r00f01\.parquet is torn, edited or of another fold",
    ),
    "json of another fold": (
        lambda folds: shutil.copy(folds / "r00f00.json", folds / "r00f01.json"),
        r"it holds fold r00f00",
    ),
    "json of another cell": (
        lambda folds: shutil.copy(
            make_cell(folds.parents[1], seed=1)[0].path / "folds/r00f01.json", folds
        ),
        r"belongs to another cell",
    ),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_fold_is_set_aside_and_computed_again(tmp_path, how):
    cell, record, task, _ = make_cell(tmp_path)
    damage, words = DAMAGE[how]
    damage(cell.path / "folds")
    with pytest.raises(DamageError, match=words):
        cell.read_folds()
    problems = []
    kept = read_records(tmp_path, on_problem=problems.append)
    assert record.hash not in {found.hash for found in kept}
    assert len(problems) == 1
    assert re.search(words, problems[0])
    finished, sentences = cell.resume()
    assert [result.fold for result in finished] == [0, 2]
    assert len(sentences) == 1
    assert re.search(words, sentences[0])
    assert not cell.is_done
    assert (cell.path / "folds" / "r00f01.json.damaged").exists()
    cell.write_fold(record.folds[1], task)
    cell.write_record(record)
    assert differences(cell.read_record(), record) == []


def test_an_edited_record_is_refused_and_set_aside(tmp_path):
    cell, record, *_ = make_cell(tmp_path)
    path = cell.path / "record.json"
    path.write_text(path.read_text().replace('"model": "toy"', '"model": "boy"'))
    with pytest.raises(DamageError, match=r"record\.json was edited"):
        cell.read_record()
    finished, sentences = cell.resume()
    assert len(finished) == 3
    assert "record.json was edited" in sentences[0]
    assert not cell.is_done
    cell.write_record(record)
    assert differences(cell.read_record(), record) == []


def test_a_renamed_cell_is_refused(tmp_path):
    cell, *_ = make_cell(tmp_path)
    moved = CellFolder(cell.path.rename(tmp_path / "toy-0123456789"))
    with pytest.raises(DamageError, match="belongs to another cell"):
        moved.read_record()


@pytest.mark.parametrize(("version", "words"), [(2, "Upgrade"), (0, "Move it away")])
def test_another_schema_version_is_refused_with_the_remedy(tmp_path, version, words):
    cell, *_ = make_cell(tmp_path)
    path = cell.path / "folds" / "r00f01.json"
    path.write_text(path.read_text().replace('"schema_version": 1', f'"schema_version": {version}'))
    for read in (cell.read_folds, cell.resume, cell.read_record):
        with pytest.raises(RecordError, match=rf"schema version 1; it has {version}\. {words}"):
            read()


# ---------------------------------------------------------------- names


@given(st.text(max_size=200), st.text(max_size=200))
def test_folder_names_are_safe_everywhere_and_distinct(first, second):
    name = safe_name(first)
    assert re.fullmatch(r"[\w+-][\w.+-]*", name, flags=re.ASCII)
    assert len(name) <= 90
    assert not name.endswith(".")
    assert (name == safe_name(second)) == (first == second)


@pytest.mark.parametrize("text", ["con", "NUL", "com1.csv", "..", "", ".", "a/../b", "x" * 300])
def test_reserved_and_empty_folder_names_are_changed(text):
    name = safe_name(text)
    assert name != text
    assert not re.match(r"(con|nul|com1)(\.|$)", name, flags=re.IGNORECASE)
    assert name not in ("..", ".")


# ---------------------------------------------------------------- locks


LOCKER = """
import os, signal, sys
from pathlib import Path
from smalldata.store.cell_folder import CellFolder
cell = CellFolder(Path(sys.argv[1]))
def told(sentence):
    print("waits:", sentence, flush=True)
with cell.lock(on_wait=told):
    print("holds", (cell.path / "first has finished").exists(), flush=True)
    if sys.argv[2] == "die":
        (cell.path / "folds").mkdir(exist_ok=True)
        (cell.path / "folds" / ".r00f00.json.1.tmp").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.readline()
print("left", flush=True)
"""


def start_locker(path, what="wait"):
    return subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(path), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_second_process_waits_for_the_lock_with_a_message(tmp_path):
    cell = CellFolder(tmp_path / "knn-0123456789")
    with cell.lock():
        second = start_locker(cell.path)
        assert "another process is working on" in second.stdout.readline()
        # Room for a lock that does not hold: the second process must stay silent.
        assert not select.select([second.stdout], [], [], 0.3)[0]
        (cell.path / "first has finished").touch()
    assert second.stdout.readline() == "holds True\n"
    out, _ = second.communicate("\n")
    assert out == "left\n"
    assert second.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")
def test_lock_and_temporary_files_of_a_killed_process_are_removed(tmp_path):
    cell = CellFolder(tmp_path / "knn-0123456789")
    killed = start_locker(cell.path, "die")
    assert killed.communicate()[0] == "holds False\n"
    leftover = cell.path / "folds" / ".r00f00.json.1.tmp"
    assert leftover.exists()
    told = []
    with cell.lock(on_wait=told.append):
        assert told == []
        assert not leftover.exists()


def test_lock_removes_only_temporary_files_of_its_own(tmp_path):
    cell = tmp_path / "knn-0123456789"
    (cell / "folds").mkdir(parents=True)
    of_table = [tmp_path / ".comparison.csv.1.tmp", tmp_path / ".index.html.1.tmp"]
    of_table += [cell / ".report.html.1.tmp"]
    of_cell = [cell / ".record.json.1.tmp", cell / ".DONE.1.tmp", cell / ".config.yaml.1.tmp"]
    of_nobody = tmp_path / ".splits.parquet.1.tmp"
    for path in (*of_table, *of_cell, of_nobody):
        path.touch()
    with CellFolder(cell).lock():
        assert not any(path.exists() for path in of_cell)
        assert all(path.exists() for path in of_table)
    with lock_comparison(tmp_path):
        assert not any(path.exists() for path in of_table)
    assert of_nobody.exists()


def test_interrupted_write_leaves_no_file(tmp_path, monkeypatch):
    def interrupt(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "comparison.csv", "a\n")
    assert list(tmp_path.iterdir()) == []


def test_comparison_has_its_own_lock(tmp_path):
    cell = CellFolder(tmp_path / "knn-0123456789")
    with lock_comparison(tmp_path), cell.lock():
        write_text(tmp_path / "comparison.csv", "a\n")
    assert (tmp_path / "comparison.csv").read_text() == "a\n"


# ---------------------------------------------------------------- disks and folders that refuse


FULL = """
import resource, sys
from pathlib import Path
from smalldata.store.splits_folder import write_text
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
path = Path(sys.argv[1]) / "index.html"
write_text(path, "old")
try:
    write_text(path, "x" * 1_000_000)
except Exception as error:
    print(type(error).__name__, error)
print(path.read_text(), sorted(p.name for p in path.parent.iterdir()))
"""


def check_full(out, folder):
    assert out.startswith(f"RecordError the disk must have room for {folder}/index.html")
    assert out.endswith("old ['index.html']\n")


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_write_without_space_keeps_the_old_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), "limit"],
        capture_output=True,
        text=True,
        check=True,
    )
    check_full(done.stdout, tmp_path)


def _can_mount(tmp_path):
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(tmp_path)]
    return subprocess.run(probe, capture_output=True).returncode == 0


def test_full_disk_is_refused_with_one_sentence(tmp_path):
    if not _can_mount(tmp_path):
        pytest.skip("no right to mount a small disk here; the limit on file sizes is tested above")
    script = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1" disk'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL],
        capture_output=True,
        text=True,
        check=True,
    )
    check_full(done.stdout, tmp_path)


REFUSED = """
import os, sys
from pathlib import Path
from smalldata.store.cell_folder import CellFolder
from smalldata.store.splits_folder import write_text
import filelock
folder = Path(sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
def lock():
    with CellFolder(folder / "knn-0123456789").lock():
        pass
for write in (lambda: write_text(folder / "a.txt", "x"), lock):
    try:
        write()
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights")
def test_unwritable_folder_is_refused_with_one_sentence(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(closed)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done
    for line, name in zip(lines, ("a.txt", "knn-0123456789"), strict=True):
        assert line.startswith(f"RecordError the folder of {closed}/{name} must be writable")
        assert "set outputs=DIR" in line


def test_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "outputs").write_text("")
    with pytest.raises(RecordError, match="must be in a folder; a file is in the way"):
        write_text(tmp_path / "outputs" / "omics" / "a.txt", "x")
    with (
        pytest.raises(RecordError, match="a file is in the way"),
        CellFolder(tmp_path / "outputs" / "knn-0123456789").lock(),
    ):
        pass


def test_hash_equals_that_of_canonical_json():
    assert cell_hash({"b": 1, "a": (1, 2)}) == cell_hash({"a": [1, 2], "b": 1})
    assert cell_hash({"a": 1}) != cell_hash({"a": 1.0})
    assert make_toy(["yes", "no"] * 5).content_key != make_toy(["yes", "no"] * 6).content_key
    assert Path(safe_name("omics")).name == "omics"
