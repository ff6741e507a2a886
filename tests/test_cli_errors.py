"""How the command line ends when something goes wrong: one sentence and an exit status."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from smalldata.__main__ import main
from smalldata.errors import did_you_mean
from smalldata.run import cell as run_cell

SMALL = ("dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "n_jobs=1", "explain=none")
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run below a temporary folder, as a new process would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMALLDATA_DEBUG", raising=False)
    return tmp_path


@pytest.fixture
def broken(monkeypatch):
    """Let the planning of knn, and of it alone, fail as a mistake in the program would."""
    plan_cell = run_cell.plan_cell

    def fail(config, *arguments, **options):
        if config.model == "knn":
            raise KeyError("age")
        return plan_cell(config, *arguments, **options)

    monkeypatch.setattr(run_cell, "plan_cell", fail)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("xgbost", "did you mean xgboost?"),
        (" KNN", "did you mean knn?"),
        ("boost", "did you mean xgboost?"),
        ("zebra", "known: knn, xgboost."),
    ],
)
def test_hint_names_near_misses_other_cases_and_parts(name, hint):
    assert did_you_mean(name, ["knn", "xgboost"], "known: knn, xgboost.") == hint


def test_an_unexpected_error_is_one_sentence_and_status_3(broken, capsys):
    assert main(["model=knn", *SMALL]) == 70
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("InternalError: an unexpected KeyError stopped this: 'age'.")
    assert "SMALLDATA_DEBUG=1" in line


def test_an_unexpected_error_shows_where_on_demand(broken, monkeypatch, capsys):
    monkeypatch.setenv("SMALLDATA_DEBUG", "1")
    assert main(["model=knn", *SMALL]) == 70
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert 'raise KeyError("age")' in err
    assert err.splitlines()[-1].startswith("InternalError: ")


def test_a_mistake_of_the_user_shows_where_on_demand(monkeypatch, capsys):
    monkeypatch.setenv("SMALLDATA_DEBUG", "1")
    assert main(["model=knn", *SMALL, "seed=-1"]) == 2
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1] == "ConfigError: seed must not be negative; got -1."


def test_an_unexpected_error_in_one_cell_of_a_grid_leaves_the_others(broken, capsys):
    assert main(["-m", "model=knn,dummy", *SMALL]) == 70
    out, err = capsys.readouterr()
    assert "dummy" in out
    assert err.count("InternalError") == 1
    assert "Error executing job" not in err


def test_an_unexpected_error_in_another_verb_is_one_sentence(monkeypatch, capsys):
    def fail(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr("smalldata.cli.compare.compare", fail)
    assert main(["model=dummy", *SMALL]) == 0
    capsys.readouterr()
    assert main(["compare", *map(str, Path("outputs").glob("*/*"))]) == 70
    err = capsys.readouterr().err
    assert err.startswith("InternalError: this ran out of memory.")


def test_an_unexpected_error_of_summary_is_one_sentence(monkeypatch, capsys):
    def fail(*_arguments, **_options):
        raise KeyError("age")

    monkeypatch.setattr("smalldata.cli.summary.plan_cell", fail)
    assert main(["summary", "-m", "model=mlp,resnet", *SMALL]) == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert "KeyError" in line


def test_a_library_that_cannot_be_loaded_is_one_sentence(folder):
    (folder / "rich").mkdir()
    (folder / "rich" / "__init__.py").write_text("raise ImportError('rich is broken')\n")
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-W", "error", "-m", "smalldata", "models"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 70
    (line,) = done.stderr.splitlines()
    assert line.startswith("InternalError: an unexpected ImportError stopped this: rich is broken.")


def test_help_into_a_closed_pipe_is_no_error():
    script = "import sys; from smalldata.__main__ import main; sys.exit(main(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""


@pytest.mark.parametrize("columns", ["0", "1", "19"])
def test_a_screen_without_width_still_gets_the_table(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["model=dummy", *SMALL]) == 0
    out = capsys.readouterr().out
    assert "dummy" in out
    assert "index.html" in out
    for verb, shown in (("datasets", "nutrimouse"), ("models", "xgboost")):
        monkeypatch.setenv("COLUMNS", columns)
        assert main([verb]) == 0
        assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("tune=3", "tune must name one file of conf/tune: none, optuna; got 3."),
        ("cv=5", "cv must name one file of conf/cv: "),
        ("experiment=null", "got null. Leave experiment out for none."),
        ("model=[dummy,knn]", "got [dummy,knn]."),
        ("model/optimizer=3", "model/optimizer must name one file of conf/model/optimizer: adam"),
        ("dry_run=maybe", "dry_run must be true or false; got 'maybe'."),
        ("weights=often", "weights must be true or false; got 'often'."),
        ("seed=1.5", "seed must be a whole number; got 1.5."),
        ("cv.n_splits=many", "cv.n_splits must be a whole number or null; got 'many'."),
        ("tune.timeout=soon", "tune.timeout must be a number or null; got 'soon'."),
        ("objectives=3", "objectives must be a list [A,B] of names or null; got 3."),
        ("outputs=null", "outputs must be text; got null."),
        ("device=gpu", "device must be auto, cpu or cuda; got 'gpu'."),
        ("dataset.target=${x}", "dataset.target must refer to a value that exists"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(override, sentence, capsys):
    extra = ["tune=optuna"] if override.startswith("tune.") else []
    assert main(["model=dummy", *SMALL, "dry_run=true", *extra, override]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


@pytest.mark.parametrize("override", ["seed=-1", "dry_run=maybe", "+cv.fold=3"])
def test_what_is_wrong_in_every_cell_of_a_grid_is_said_once(override, capsys):
    assert main(["-m", "model=dummy,knn,linear", *SMALL, override]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_wrong_in_two_ways_is_said_twice(capsys):
    assert main(["-m", "model=dummy,knn", "seed=-1,-2", *SMALL]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_card_asked_for_a_model_that_uses_none_is_mentioned(capsys):
    assert main(["model=dummy", *SMALL, "dry_run=true", "device=cuda"]) == 0
    assert "note: dummy does not use a GPU; device=cuda changes" in capsys.readouterr().err
    assert main(["model=dummy", *SMALL, "dry_run=true", "device=cpu"]) == 0
    assert "does not use a GPU" not in capsys.readouterr().err


def test_every_library_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {
        re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for lines in lists for line in lines
    }
    provided_by = importlib.metadata.packages_distributions()
    own = {"smalldata", "hydra_plugins"}
    for path in (ROOT / "src").rglob("*.py"):
        for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            if name in sys.stdlib_module_names or name in own or name not in provided_by:
                continue
            found = {one.lower().replace("_", "-") for one in provided_by[name]}
            assert found & declared, f"{path} imports {name}, which pyproject.toml does not declare"


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
