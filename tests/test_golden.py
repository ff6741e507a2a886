"""scripts/golden.py: it finds a change in every kind of file, and what was computed again."""

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
COMMANDS = """
tuned: model=mlp dataset=synthetic dataset.n=30 dataset.p=4 dataset.informative=2 cv=holdout \\
  model.learner.n_members=2 model.learner.n_epochs=2 tune=optuna tune.trials=2 tune.inner_folds=2 \\
  explain.rows=2 explain.evaluations=100 explain.null=1 weights=true report.figures=[svg] \\
  outputs=out
panel: experiment=signature model=linear preprocess.select=linear signature.sizes=[1,2] \\
  dataset=synthetic dataset.n=30 dataset.p=4 dataset.informative=2 cv=holdout explain=none \\
  outputs=out
datasets: datasets
doctor: doctor --json
wrong exit 2: model=nonesuch outputs=out
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def golden():
    sys.path.insert(0, str(SCRIPTS))
    import golden

    yield golden
    sys.path.remove(str(SCRIPTS))
    for name in ("golden", "golden_files"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def made(golden, tmp_path_factory):
    """A folder that `make` filled by two small cells, and a sweep's files."""
    scratch = tmp_path_factory.mktemp("golden")
    (scratch / "commands.txt").write_text(COMMANDS)
    folder = scratch / "old"
    assert golden.main(["make", str(folder), "--commands", str(scratch / "commands.txt")]) == 0
    sweep = folder / "out" / "sweeps" / "abc"
    sweep.mkdir(parents=True)
    (sweep / "sweep.json").write_text(json.dumps({"identity": {"seed": 0}, "command": "a b"}))
    (sweep / "trials.csv").write_text("trial,state,score\n0,ok,0.25\n1,failed,\n")
    return folder


@pytest.fixture
def pair(made, tmp_path):
    shutil.copytree(made, tmp_path / "new")
    return made, tmp_path / "new"


def find(folder, pattern):
    return min(folder.glob(pattern))


def change_json(*keys):
    def change(path):
        content = json.loads(path.read_text())
        place = content
        for key in keys[:-1]:
            place = place[key]
        old = place[keys[-1]]
        place[keys[-1]] = old + "0" if isinstance(old, str) else np.nextafter(old, 1e9)
        path.write_text(json.dumps(content))

    return change


def change_log(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["score"] = np.nextafter(lines[0]["score"], 1)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def change_parquet(name):
    def change(path):
        table = pq.read_table(path)
        values = table.column(name).to_pylist()
        values[1] = values[1] + 1 if isinstance(values[1], int) else np.nextafter(values[1], 9)
        at = table.column_names.index(name)
        changed = table.set_column(at, name, pa.array(values, table.schema.field(name).type))
        pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)

    return change


def change_npz(path):
    with np.load(path) as found:
        arrays = dict(found)
    values = arrays["values"]
    values.flat[-1] = np.nextafter(values.flat[-1], values.dtype.type(1e9))
    np.savez(path, **arrays)


def change_weights(path):
    arrays = {name: array.copy() for name, array in load_file(path).items()}
    first = arrays[min(arrays)]
    first.flat[0] = first.flat[0] + 1
    save_file(arrays, path)


def change_csv(name):
    def change(path):
        head, *rows = csv.reader(path.read_text().splitlines())
        i = head.index(name)
        rows[0][i] = repr(float(np.nextafter(float(rows[0][i]), 9)))
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])

    return change


def change_text(pattern):
    def change(path):
        text = path.read_text()
        found = re.search(pattern, text, re.DOTALL)
        at = found.end(1) - 1
        path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])

    return change


CHANGES = [
    ("*/splits.parquet", change_parquet("row"), "/row"),
    ("mlp-*/folds/r00f00.json", change_json("scores", "roc_auc", "value"), "/scores/roc_auc/value"),
    ("mlp-*/folds/r00f00.json", change_json("losses", "train", 1), "/losses/train/1"),
    ("linear-*/folds/r00f00.json", change_json("selection", "k"), "/selection/k"),
    ("mlp-*/folds/r00f00.parquet", change_parquet("p_case"), "/p_case"),
    ("mlp-*/record.json", change_json("identity", "content"), "/identity/content"),
    ("mlp-*/record.json", change_json("splits_key"), "/splits_key"),
    ("mlp-*/DONE", change_json("cell"), "/cell"),
    ("linear-*/signature.json", change_json("score"), "/score"),
    ("mlp-*/explanation/null-*/p0000.npz", change_npz, "/values"),
    ("mlp-*/explanation/*.npz", change_npz, "/values"),
    ("mlp-*/trials.parquet", change_parquet("score"), "/score"),
    ("mlp-*/tuning/r00f00.jsonl", change_log, "/0/score"),
    ("mlp-*/weights/r00f00.safetensors", change_weights, "/"),
    ("comparison.csv", change_csv("ci_low"), "/ci_low"),
    ("comparison.json", change_json("rows", 0, "mean"), "/rows/0/mean"),
    ("predictions.csv", change_csv("p_case"), "/p_case"),
    ("mlp-*/report.html", change_text(r'page-data">.*?"data":\{"[xy]":\[.*?(\d+)[,\]]'), "/"),
    ("sweeps/abc/sweep.json", change_json("identity", "seed"), "/identity/seed"),
    ("sweeps/abc/trials.csv", change_csv("score"), "/score"),
    ("said/datasets.out", change_text(r"(\d,\d{3})"), "/numbers"),
    ("commands.json", change_json("wrong", "status"), "/wrong/status"),
]


@pytest.mark.parametrize(("pattern", "change", "key"), CHANGES, ids=[c[0] + c[2] for c in CHANGES])
def test_compare_finds_one_changed_number(golden, pair, capsys, pattern, change, key):
    old, new = pair
    path = find(new, f"**/{pattern}")
    change(path)
    assert golden.main(["compare", str(old), str(new)]) == 1
    said = capsys.readouterr().out
    assert "DIFFERENCES: 1\n" in said
    assert f"  {path.relative_to(new).as_posix()}: {key}" in said
    table = said.splitlines()[-len(golden.compare_folders(old, new).table) :]
    assert [line.split()[-2] for line in table].count("1") == 1  # one kind has one different file


def test_equal_folders_differ_in_nothing(golden, pair, capsys):
    old, new = pair
    assert golden.main(["compare", str(old), str(new)]) == 0
    said = capsys.readouterr().out
    assert "words: 0\nnew keys: 0\nDIFFERENCES: 0\n" in said
    kinds = {kind for _, kind, _ in sys.modules["golden_files"].KINDS} - {"damaged"}
    assert set(golden.compare_folders(old, new).table) == kinds | {"cell (its folder)"}


def test_compare_finds_a_cell_of_another_hash(golden, pair, capsys):
    old, new = pair
    cell = find(new, "**/mlp-*")
    cell.rename(cell.with_name("mlp-0123456789"))
    assert golden.main(["compare", str(old), str(new)]) == 1
    said = capsys.readouterr().out
    assert f"{cell.relative_to(new).as_posix()}: no such cell in the new folder" in said
    assert "mlp-0123456789: no such cell in the old folder" in said


@pytest.mark.parametrize("pattern", ["mlp-*/folds/r00f00.parquet", "mlp-*/figures/*.svg"])
def test_compare_finds_a_missing_file(golden, pair, capsys, pattern):
    old, new = pair
    path = find(new, f"**/{pattern}")
    path.unlink()
    assert golden.main(["compare", str(old), str(new)]) == 1
    assert f"{path.relative_to(new).as_posix()}: only in the old folder" in capsys.readouterr().out


def test_compare_finds_a_missing_key_and_another_type(golden, pair, capsys):
    old, new = pair
    path = find(new, "**/mlp-*/record.json")
    content = json.loads(path.read_text())
    del content["target"]
    path.write_text(json.dumps(content))
    archive = find(new, "**/mlp-*/explanation/*.npz")
    with np.load(archive) as found:
        arrays = dict(found)
    np.savez(archive, **{**arrays, "values": arrays["values"].astype(np.float64)})
    assert golden.main(["compare", str(old), str(new)]) == 1
    said = capsys.readouterr().out
    assert "/target: 'outcome' -> 'absent'" in said
    assert re.search(r"/values: float32\[.*\] -> float64", said)


def test_words_new_keys_and_seconds_are_no_difference(golden, pair, capsys):
    old, new = pair
    path = find(new, "**/mlp-*/folds/r00f00.json")
    content = json.loads(path.read_text())
    content["losses"]["loss"] += " in other words"
    content["seconds"]["fit"] += 1
    content["sha256"] = "0" * 64
    content["sealed_by"] = "1" * 64
    path.write_text(json.dumps(content))
    (path.parent / "seals.json").write_text("{}")
    assert golden.main(["compare", str(old), str(new)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"words: 1\n  1 x fold: /losses/loss: .*other words", said)
    assert re.search(r"new keys: 2\n  1 x file seals.json\n  1 x fold: /sealed_by\n", said)


def test_resume_computes_nothing_of_a_whole_folder(golden, made, capsys):
    commands = made.parent / "commands.txt"
    assert golden.main(["resume", str(made), "--commands", str(commands)]) == 0
    assert "computed again: 0 files" in capsys.readouterr().out


def test_resume_says_what_was_computed_again(golden, pair, capsys):
    made, folder = pair
    path = find(folder, "**/mlp-*/folds/r00f00.json")
    path.write_text(path.read_text() + "torn")
    commands = ["--commands", str(made.parent / "commands.txt"), "--only", "tuned"]
    assert golden.main(["resume", str(folder), *commands]) == 1
    said = capsys.readouterr().out
    assert "folds/r00f00.json: written again, with another content" in said
    assert "r00f00.json.damaged: only in the new folder" in said
