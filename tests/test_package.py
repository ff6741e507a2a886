"""The package as it is imported: what it names, and what it does not load."""

import ast
import doctest
import inspect
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import smalldata

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "xgboost", "shap", "sklearn", "pandas", "hydra", "optuna", "numba")


def _loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()


@pytest.mark.parametrize("name", smalldata.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(smalldata, name).__doc__


def test_the_table_the_imports_and_all_agree():
    tree = ast.parse(Path(smalldata.__file__).read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imported = {
        name.asname: f"{line.module}.{name.name}" for line in block.body for name in line.names
    }
    homes = smalldata._HOMES
    assert imported == {name: f"smalldata.{home}.{name}" for name, home in homes.items()}
    assert smalldata.__all__ == sorted(homes) == dir(smalldata)
    for name, home in homes.items():  # where it is defined, not where it is passed on
        assert getattr(smalldata, name).__module__ == f"smalldata.{home}"


@pytest.mark.parametrize("name", smalldata.__all__)
def test_the_examples_of_public_names_run(name):
    thing = getattr(smalldata, name)
    found = doctest.DocTestFinder().find(thing, name)
    if inspect.isfunction(thing):
        assert any(test.examples for test in found), f"{name} has no example"
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_the_example_of_the_package_runs():
    assert doctest.testmod(smalldata).failed == 0


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = smalldata.nonsense


def test_importing_the_package_loads_nothing_heavy():
    assert _loaded_after("import smalldata") == set()


def test_help_loads_nothing_heavy():
    assert _loaded_after("from smalldata.__main__ import main; main(['--help'])") == set()


def test_importing_evaluate_and_explain_loads_no_torch_or_xgboost():
    code = "import smalldata; smalldata.make_task, smalldata.evaluate, smalldata.explain"
    assert _loaded_after(code) & {"torch", "xgboost", "shap", "hydra"} == set()


def test_an_estimator_loads_what_its_model_needs_and_no_more():
    code = "import smalldata; smalldata.make_estimator('svm', kind='binary').get_params()"
    assert _loaded_after(code) & {"torch", "xgboost", "shap", "hydra"} == set()


def test_report_is_written_from_python(tmp_path):
    task = smalldata.make_task(smalldata.load_dataset("nutrimouse"))
    splits = smalldata.make_splits(task, "kfold", n_splits=2)
    learner = smalldata.load_learner("linear")
    record = smalldata.evaluate(task, learner, splits, n_jobs=1)
    explanation = smalldata.explain(task, record, learner, splits, n_jobs=1)
    comparison = smalldata.compare([record])
    path = Path(tmp_path) / "new" / "report.html"
    inputs = smalldata.ReportInputs(
        task=task, record=record, explanation=explanation, comparison=comparison
    )
    smalldata.write_report(path, inputs)
    assert "nutrimouse" in path.read_text(encoding="utf-8")


def _imports(root: Path) -> dict[str, set[str]]:
    """Name what each file below a folder imports of the others, at whatever place it does."""
    files = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    module = f"{node.module}.{alias.name}"
                    named.add(module if module in files else str(node.module))
        found[name] = named & set(files) - {name}
    return found


@pytest.mark.parametrize(
    "root",
    [ROOT / "src", *sorted(path for path in (ROOT / "benchmarks").iterdir() if path.is_dir())],
    ids=lambda path: path.name,
)
def test_no_files_import_each_other(root):
    """Imports inside functions and for type checking count too."""
    TopologicalSorter(_imports(root)).prepare()  # names the files of a cycle
