"""Each benchmark's README says on which code its tables were measured, and what changed since."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("freshness", ROOT / "benchmarks" / "freshness.py")
freshness = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(freshness)


@pytest.mark.parametrize("folder", freshness.folders(), ids=lambda folder: folder.name)
def test_readme_says_truly_what_its_tables_were_measured_on(folder):
    expected = freshness.block(freshness.read(folder))
    assert expected in (folder / "README.md").read_text(encoding="utf-8"), (
        f"the code that benchmarks/{folder.name} speaks of has changed: measure its tables again "
        f"and run `python benchmarks/freshness.py --stamp {folder.name}`, or say what is stale "
        "with `python benchmarks/freshness.py`."
    )


@pytest.mark.parametrize("folder", freshness.folders(), ids=lambda folder: folder.name)
def test_files_that_matter_exist(folder):
    for pattern in freshness.read(folder)["files"]:
        assert list(ROOT.glob(pattern)), pattern


def test_a_changed_file_makes_the_tables_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(freshness, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("1", encoding="utf-8")
    (tmp_path / "b.py").write_text("2", encoding="utf-8")
    hashes = {name: freshness._hash((tmp_path / name).read_bytes()) for name in ("a.py", "b.py")}
    measured = {"commit": "c0ffee", "files": ["*.py"], "hashes": hashes}
    assert freshness.sentence(measured).endswith("None of them has changed since.")
    (tmp_path / "b.py").write_text("3", encoding="utf-8")
    (tmp_path / "c.py").write_text("4", encoding="utf-8")
    assert freshness.sentence(measured).endswith("added since: `b.py`, `c.py`.")
    (tmp_path / "a.py").unlink()
    assert freshness.changed_files(measured) == ["a.py", "b.py", "c.py"]
