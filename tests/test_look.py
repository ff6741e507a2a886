"""The verb look: what it shows, the page it writes, the yaml that fixes a reading."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from memory import forget
from smalldata import Dataset, load_dataset, look
from smalldata.__main__ import main
from smalldata.errors import ConfigError, SmalldataError
from smalldata.report.look_page.page import look_page
from smalldata.runtime.catalogue import names, read_entry

BUNDLED = [name for name in names("dataset") if read_entry("dataset", name).get("citation")]
DRY = ("model=dummy", "dry_run=true", "cv=kfold", "cv.n_splits=2", "n_jobs=1")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def messy(n=60):
    """Gaps by class, a leak, a copy, a constant, a broken symbol, names that are markup."""
    rng = np.random.default_rng(1)
    genes = ["TP53", "EGFR1", "BRCA1", "CD4", "IL6", "AKT1"]
    frame = pd.DataFrame(rng.normal(size=(n, 8)), columns=[*genes, "1-Sep", "</script><b>x"])
    y = np.tile(["<i>case", "control"], n // 2)
    frame[rng.random(frame.shape) < 0.1] = np.nan
    frame["flat"] = 1
    frame["diag_code"] = (y == "control") * 1.0
    frame["twin"] = 3 - 2 * frame["TP53"]
    frame.insert(0, "sample", [f"s{i}" for i in range(n)])
    frame["chip"] = np.tile(["b1", "b2", "b3"], n // 3)
    frame["person"] = [f"p{i // 2}" for i in range(n)]
    frame["diag"] = y
    return frame


@pytest.fixture
def table(folder):
    messy().to_csv("my table.csv", index=False)
    return "my table.csv"


ROLES = ("dataset.target=diag", "dataset.batch=chip", "dataset.groups=person")


# ---------------------------------------------------------------- on the screen


def test_a_bundled_table_is_shown(capsys):
    assert main(["look", "dataset=omics"]) == 0
    out = capsys.readouterr().out
    for text in (
        "333 samples and 130 features",
        "target: Class, Control (242) and Impaired (91)",
        "positive class: Impaired",
        "blocks: clinical (3) and protein (127)",
        "nothing that needs a look",
        "page  look.html",
    ):
        assert text in out
    assert "--save" not in out, "the name of a bundled table fixes it"


def test_all_that_was_read_is_shown(table, capsys):
    assert main(["look", "dataset=table", f"dataset.path={table}", *ROLES]) == 0
    out = capsys.readouterr().out
    for text in (
        "my table.csv: a table of samples by columns",
        "60 samples and 11 features",
        "groups: 30, the largest with 2 samples",
        "batches: 3, the largest with 20 samples",
        "of the values are missing",
        "SD020 1 feature name looks like a gene symbol",
        "SD021 feature 'diag_code' separates the classes of 'diag' alone: AUC 1",
        "leave it out with 'dataset.drop=[diag_code]'",
        "SD022 1 column holds the same value in every sample: 'flat'",
        "SD025 1 column copies another one (1 up to sign or scale): 'twin' copies 'TP53'",
        "SD026 1 feature is named like the target 'diag': 'diag_code'",
        "--save my.yaml",
    ):
        assert text in out, text
    assert re.search(r"b1 +20 +\d+ +\d+", out)
    assert re.search(r"s0 .*<i>case", out)


def test_a_file_may_be_named_alone(table, capsys):
    assert main(["look", table, *ROLES]) == 0
    assert "60 samples and 11 features" in capsys.readouterr().out
    assert main(["look", "none.csv"]) == 2
    assert "got 'none.csv'; there is no such file" in capsys.readouterr().err
    assert main(["look", table, table]) == 2
    assert "look reads one table" in capsys.readouterr().err
    assert main(["look", table, "dataset=omics"]) == 2
    assert main(["look", "-m", "dataset=omics"]) == 2
    assert "leave out -m" in capsys.readouterr().err


def test_without_a_target_the_columns_are_shown(table, capsys):
    assert main(["look", table]) == 0
    out, err = capsys.readouterr()
    assert "60 rows, 15 columns" in out
    assert re.search(r"diag +text +2 +0 +<i>case \(30\)", out)
    assert out.index("dataset.target=diag\n") < out.index("dataset.target=chip")
    assert "name the column to predict" in out
    assert err == ""
    page = Path("look.html").read_text(encoding="utf-8")
    assert "could be the target" in page
    assert "<i>case" not in page


def test_a_refusal_is_shown_with_what_was_read(table, capsys):
    assert main(["look", table, "dataset.target=Diag"]) == 2
    out, err = capsys.readouterr()
    assert "60 rows, 15 columns" in out
    assert err.startswith("ConfigError: target must be a column")
    assert "did you mean" in Path("look.html").read_text(encoding="utf-8")
    frame = messy()
    frame["flag"] = [*["12*"], *map(str, range(59))]
    frame.to_csv("flags.csv", index=False)
    assert main(["look", "flags.csv", *ROLES]) == 2
    out, err = capsys.readouterr()
    assert "60 rows, 16 columns" in out
    assert "'12*'" in err
    Path("empty.csv").write_text("", encoding="utf-8")
    assert main(["look", "empty.csv"]) == 2
    assert "it is empty" in capsys.readouterr().err


def test_escape_sequences_of_a_file_do_not_reach_the_terminal(folder, capsys):
    frame = messy().rename(columns={"CD4": "CD4\x1b[2J"})
    frame.to_csv("odd.csv", index=False)
    assert main(["look", "odd.csv", *ROLES]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err


def test_a_look_loads_no_networks_and_no_trees(folder):
    """It must answer within seconds; these take that long to load."""
    code = (
        "import sys; from smalldata.__main__ import main; status = main(['look', 'dataset=omics']);"
        "print([name for name in ('torch', 'xgboost', 'shap', 'optuna', 'numba') "
        "if name in sys.modules]); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# ---------------------------------------------------------------- from Python


def test_the_numbers_are_those_of_the_table(table):
    frame = messy()
    dataset = Dataset.from_file(table, target="diag", batch="chip", groups="person")
    seen = look(dataset)
    features = frame.drop(columns=["sample", "chip", "person", "diag"])
    assert (seen.n_samples, seen.n_features) == features.shape
    assert seen.missing == pytest.approx(features.isna().to_numpy().mean())
    by_class = features.isna().groupby(frame["diag"]).mean()
    assert {entry.name: entry.n for entry in seen.classes} == {"<i>case": 30, "control": 30}
    for entry in seen.gappy:
        shares = dict(zip([c.name for c in seen.classes], entry.by_class, strict=True))
        assert shares == pytest.approx(by_class[entry.name].to_dict())
    assert [entry.missing for entry in seen.gappy] == sorted(
        (entry.missing for entry in seen.gappy), reverse=True
    )
    counts = pd.crosstab(frame["chip"], frame["diag"])
    for name, row in zip(seen.batch.names, seen.batch.counts, strict=True):
        assert row == tuple(counts.loc[name, [entry.name for entry in seen.classes]])
    assert seen.first_rows[0][0] == "s0"
    assert seen.findings[0].level == "warning"
    with pytest.raises(AttributeError):
        seen.name = "other"


def test_the_components_are_those_of_a_singular_value_decomposition():
    values = np.random.default_rng(0).normal(size=(30, 12))
    frame = pd.DataFrame(values, columns=[f"g{j}" for j in range(12)])
    seen = look(Dataset.from_frame(frame.assign(y=["a", "b"] * 15), target="y")).principal
    z = (values - values.mean(0)) / values.std(0)
    u, sizes, _ = np.linalg.svd(z, full_matrices=False)
    assert seen.shares == pytest.approx(tuple((sizes**2 / (sizes**2).sum())[:2]))
    for place, drawn in enumerate((seen.x, seen.y)):
        wanted = u[:, place] * np.sqrt(30)
        assert np.allclose(np.abs(np.corrcoef(drawn, wanted)[0, 1]), 1)
        assert np.allclose(np.abs(drawn), np.abs(wanted), atol=1e-3)


def test_a_number_as_target_is_shown_by_its_values():
    seen = look(load_dataset("meats"))
    y = load_dataset("meats").y
    assert seen.classes == ()
    assert seen.target_values.mean == pytest.approx(y.mean())
    assert "numbers from" in " ".join(main_lines(seen))


def main_lines(seen):
    return look_page(seen, yaml="").context["lead"]


# ---------------------------------------------------------------- the page


def test_the_page_shows_names_as_text_and_loads_nothing(table):
    seen = look(Dataset.from_file(table, target="diag", batch="chip", groups="person"))
    page = seen.html(command="python -m smalldata look '<u>'")
    for raw in ("</script><b>x", "<i>case", "<u>"):
        assert raw not in page
    assert "&lt;i&gt;case" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page.partition("<script>")[0])
    for code in ("SD020", "SD021", "SD022", "SD025", "SD026"):
        assert code in page
    assert "separator: &#34;comma&#34;" in page


def test_the_page_is_written_where_it_is_asked_for(folder):
    seen = look(load_dataset("nutrimouse"))
    assert seen.write() == Path("look.html")
    assert seen.write(folder / "sub" / "page.html").read_text(encoding="utf-8") == seen.html()


# ---------------------------------------------------------------- the yaml


def equal(one, other):
    pd.testing.assert_frame_equal(one.X, other.X)
    assert one.y.tolist() == other.y.tolist()
    assert one.sample_ids.tolist() == other.sample_ids.tolist()
    for role in ("groups", "batch", "folds"):
        first, second = getattr(one, role), getattr(other, role)
        assert (first is None) == (second is None)
        assert first is None or first.tolist() == second.tolist()
    assert (one.kind, one.positive, one.target) == (other.kind, other.positive, other.target)


WRITTEN = {  # one way to write a table for each bundled one
    0: {"sep": ",", "decimal": "."},
    1: {"sep": ";", "decimal": ","},
    2: {"sep": "\t", "encoding": "utf-16"},
    3: {"sep": ",", "encoding": "utf-8-sig"},
}


@pytest.mark.parametrize("name", ["omics", "srbct", "meats", "gse7390", "tissue", "nutrimouse"])
def test_a_saved_yaml_reads_the_same_table(name, folder, capsys):
    bundled = load_dataset(name)
    frame = bundled.X.copy()
    frame.insert(0, "sample", [f"s{entry}" for entry in bundled.sample_ids])
    frame["zz target"] = bundled.y
    path = Path("data") / f"{name}.csv"
    path.parent.mkdir()
    frame.to_csv(path, index=False, **WRITTEN[BUNDLED.index(name) % 4])
    guessed = Dataset.from_file(path, target="zz target")
    assert main(["look", str(path), "dataset.target=zz target", "--save", "sub.yaml"]) == 0
    assert "dataset=sub.yaml" in capsys.readouterr().out
    forget()
    equal(load_dataset("sub.yaml"), guessed)
    assert load_dataset("sub.yaml").name == guessed.name, "its cells are found again"
    # Every guess stands in the file.
    saved = yaml.safe_load(Path("sub.yaml").read_text(encoding="utf-8"))
    for key in ("kind", "id", "separator", "decimal", "encoding"):
        assert saved[key] is not None, key
    assert saved["transpose"] is False
    assert saved["path"] == f"data/{name}.csv"
    assert set(saved) == set(read_entry("dataset", "table"))


def test_several_files_are_read_the_same(folder):
    frame = messy()
    genes = frame[["sample", "TP53", "EGFR1", "CD4"]].set_index("sample")
    genes.T.to_csv("rna.csv")
    frame[["sample", "IL6", "flat", "diag"]].to_csv("sheet.tsv", index=False, sep="\t")
    dataset = Dataset.from_file(
        {"rna": "rna.csv", "sheet": "sheet.tsv"}, target="diag", transpose=["rna"], drop=["flat"]
    )
    look(dataset).save("sub/both.yaml")
    again = load_dataset("sub/both.yaml")
    equal(again, dataset)
    assert again.feature_blocks == dataset.feature_blocks


def test_a_run_reads_files_in_the_order_they_are_named_as_a_look_does(folder, capsys):
    frame = messy()
    frame[["sample", "TP53", "EGFR1"]].to_csv("rna.csv", index=False)
    frame[["sample", "diag"]].to_csv("clin.csv", index=False)
    words = ["dataset=table", "dataset.path={rna: rna.csv, clin: clin.csv}", "dataset.target=diag"]
    assert main(["look", *words]) == 0
    looked = capsys.readouterr().out
    assert main(["model=dummy", *words, "dry_run=true"]) == 0
    printed = capsys.readouterr()
    name = looked.split()[0]
    assert name.startswith("rna+clin-")
    assert f"dummy on {name}:" in printed.out + printed.err


def test_a_table_in_memory_has_a_page_and_no_yaml():
    seen = look(Dataset.from_frame(messy().drop(columns="sample"), target="diag", groups="person"))
    assert "&#39;dataset.drop=[diag_code]&#39;" in seen.html()
    assert seen.yaml() == ""
    with pytest.raises(ConfigError, match="made in memory"):
        seen.save("frame.yaml")


def test_a_saved_yaml_moves_with_its_table(table, folder, capsys):
    assert main(["look", table, *ROLES, "--save=conf.yaml"]) == 0
    guessed = Dataset.from_file(table, target="diag", batch="chip", groups="person")
    moved = folder / "elsewhere"
    moved.mkdir()
    for name in (table, "conf.yaml"):
        shutil.move(name, moved / name)
    equal(load_dataset("elsewhere/conf.yaml"), guessed)
    capsys.readouterr()
    assert main(["run", "dataset=elsewhere/conf.yaml", *DRY]) == 0
    out, err = capsys.readouterr()
    assert "2 folds, 0 found" in out
    assert "SD021" in err
    assert main(["look", "dataset=elsewhere/conf.yaml"]) == 0
    assert main(["look", "elsewhere/conf.yaml", "dataset.drop=[flat]"]) == 0
    assert "60 samples and 10 features" in capsys.readouterr().out


def test_the_command_line_goes_before_the_yaml(table, capsys):
    Path("conf.yaml").write_text(
        f"path: {table}\ntarget: diag\npositive: <i>case\ngroups: person\n", encoding="utf-8"
    )
    assert main(["look", "dataset=conf.yaml", "dataset.positive=control"]) == 0
    out = capsys.readouterr().out
    assert "positive class: control" in out
    assert "groups: 30" in out


def test_a_grid_takes_yaml_files_and_keeps_the_command(table, capsys):
    for target in ("diag", "chip"):
        Path(f"{target}.yaml").write_text(f"path: {table}\ntarget: {target}\n", encoding="utf-8")
    words = ["-m", "dataset=diag.yaml,chip.yaml", "model=dummy", "cv=kfold", "cv.n_splits=2"]
    assert main([*words, "n_jobs=1", "explain=none"]) == 0
    records = [json.loads(path.read_text()) for path in Path("outputs").rglob("record.json")]
    commands = sorted(record["environment"]["command"] for record in records)
    assert len(commands) == 2
    assert "dataset=chip.yaml" in commands[0]
    assert "dataset=diag.yaml" in commands[1]


def test_an_existing_file_is_not_overwritten(table, capsys):
    Path("conf.yaml").write_text("mine", encoding="utf-8")
    assert main(["look", table, *ROLES, "--save", "conf.yaml"]) == 2
    assert "conf.yaml exists" in capsys.readouterr().err
    assert Path("conf.yaml").read_text(encoding="utf-8") == "mine"
    assert main(["look", table, *ROLES, "--save", "conf.txt"]) == 2
    assert "ends in .yaml" in capsys.readouterr().err
    assert main(["look", table, "--save"]) == 2
    assert "--save needs a file" in capsys.readouterr().err
    assert main(["look", "dataset=omics", "--save", "omics.yaml"]) == 2
    assert "a yaml can only fix how a file is read" in capsys.readouterr().err
    assert not Path("omics.yaml").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("_target_: os.system\npath: x.csv", "_target_ in bad.yaml must be smalldata.datasets"),
        ("_target_: smalldata.datasets.bundled.load\npath: x", "must be smalldata.datasets.table"),
        ("hydra: {run: {dir: x}}", "there is no key 'hydra'"),
        ("paht: x.csv", "did you mean 'path'?"),
        ("path: '${oc.env:HOME}'", "must be plain text"),
        ("path: {a: '${oc.env:HOME}'}", "must be plain text"),
        ("path: {_target_: x}", "must be plain text"),
        ("path: [", "must be yaml"),
        ("- 1", "must have keys and values"),
        ("path: x.csv\ntarget: y\njoin_how: left", "join_how must be inner, part or outer"),
        ("path: x.csv\ntarget: [y]", "dataset.target must be text"),
        ("path: none.csv\ntarget: y", "there is no none.csv"),
    ],
)
def test_a_yaml_with_anything_else_is_refused(text, told, capsys):
    Path("bad.yaml").write_text(text, encoding="utf-8")
    assert main(["dataset=bad.yaml", *DRY]) == 2
    assert told in capsys.readouterr().err
    with pytest.raises(SmalldataError, match=re.escape(told)):
        load_dataset("bad.yaml")


def test_a_yaml_that_is_not_there_is_refused(capsys):
    assert main(["dataset=none.yaml", *DRY]) == 2
    assert "there is no none.yaml" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"there is no none\.yml"):
        load_dataset("none.yml")


def test_words_keep_their_meaning_in_the_yaml(folder):
    """no, 1e5, 007, null and a date are text; yaml would read something else."""
    odd = ["no", "1e5", "007", "null", "2021-01-01", "~", "é\x85", "a: b #c"]
    frame = messy().drop(columns="1-Sep")
    frame.to_csv("t.csv", index=False)
    dataset = Dataset.from_file("t.csv", target="diag", drop=["person", "chip"], missing=odd)
    look(dataset).save("odd.yaml")
    again = load_dataset("odd.yaml")
    assert list(again.reading.settings["missing"]) == odd
    equal(again, dataset)


def test_the_first_rows_begin_with_the_target_and_name_limits(folder, capsys):
    rows = [f"s{i},{i}.5,{'n.d.' if i % 3 == 0 else i},{i % 2}" for i in range(12)]
    Path("low.csv").write_text("\n".join(["sample,a,b,y", *rows]), encoding="utf-8")
    assert main(["look", "low.csv", "dataset.target=y", "dataset.below_detection=half"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["id", "y", "a", "b"] in lines
    assert ["s0", "0", "0.5", "below", "limit"] in lines
