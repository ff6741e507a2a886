"""The figures as files: every one of real reports, in every format, with something drawn in it."""

import json
import re
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from report_cells import (
    HOSTILE,
    add_losses,
    all_inputs,
    inputs_of,
    make_explanation,
    make_record,
    make_toy_task,
)
from smalldata.__main__ import main
from smalldata.cli import screen
from smalldata.comparison.comparison import compare
from smalldata.errors import ConfigError
from smalldata.report import draw_figures, index_page, report_page
from smalldata.report.figures import files as figure_files
from smalldata.report.figures.files import (
    FORMATS,
    MOST_DRAWINGS,
    SCALE,
    check_formats,
    require_drawing,
    standalone_specs,
)
from smalldata.report.figures.grammar import PURPLE
from smalldata.run import cell as run_cell
from smalldata.store.cell_folder import CellFolder
from test_report_tuning import make_tuned

SVG = "{http://www.w3.org/2000/svg}"
SMALL = ("dataset=nutrimouse", "cv=kfold", "cv.n_splits=2", "n_jobs=1")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports of three kinds of task, tuned, with losses, with hostile names; the comparisons."""
    found = {}
    hostile = make_toy_task("multiclass", n_samples=60, blocks=2, hostile=True, categorical=True)
    for name, task in (
        ("binary", make_toy_task("binary", n_samples=60, missing=True)),
        ("regression", make_toy_task("regression", n_samples=60)),
        ("hostile", hostile),
    ):
        records = [make_record(task, model) for model in ("linear", "knn", "dummy")]
        comparison = compare(records)
        explanation = make_explanation(task, records[0])
        found[f"{name} report"] = report_page(
            inputs_of(task, records[0], explanation=explanation, comparison=comparison)
        ).figures
        explanations = {record.hash: explanation for record in records[:2]}
        found[f"{name} index"] = index_page(
            comparison, all_inputs(task, records, explanations=explanations), task=task
        ).figures
    task = make_toy_task("binary", n_samples=60)
    record, trials = make_tuned(task, tmp_path_factory.mktemp("tuned"))
    found["tuned report"] = report_page(inputs_of(task, record, trials=trials)).figures
    found["trained report"] = report_page(inputs_of(task, add_losses(make_record(task)))).figures
    sizes = [make_record(task, "linear", train_size=n, identity={"n": n}) for n in (20, 40)]
    found["learning index"] = index_page(compare(sizes), all_inputs(task, sizes), task=task).figures
    return found


NAMES = [
    f"{kind} {which}"
    for kind in ("binary", "regression", "hostile")
    for which in ("report", "index")
] + ["tuned report", "trained report", "learning index"]


def read_png(content: bytes) -> tuple[int, int, np.ndarray]:
    """Width, height and the raw bytes of the rows of a PNG."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    data, place = b"", 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        if content[place + 4 : place + 8] == b"IDAT":
            data += content[place + 8 : place + 8 + length]
        place += 12 + length
    rows = np.frombuffer(zlib.decompress(data), dtype=np.uint8)
    return width, height, rows.reshape(height, -1)[:, 1:]


def marks(root: ET.Element) -> int:
    """Shapes and texts drawn for data: not axes, not legends, not the background."""
    return sum(
        len(
            [
                shape
                for shape in group.iter()
                if shape.tag in (f"{SVG}path", f"{SVG}text", f"{SVG}line", f"{SVG}rect")
            ]
        )
        for group in root.iter(f"{SVG}g")
        if "role-mark" in group.get("class", "").split()
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_in_every_format(pages, name):
    page = {**pages[name], "controls": {}}  # each figure as the page shows it first
    assert page["figures"]
    files = dict(draw_figures(page, FORMATS))
    stems = {file.rpartition(".")[0] for file in files}
    assert len(files) == 3 * len(stems)
    assert stems == {figure["name"] for figure in page["figures"]}
    for stem in stems:
        svg = files[f"{stem}.svg"]
        root = ET.fromstring(svg)
        assert marks(root) > 0, stem
        assert b"currentColor" not in svg
        assert root.get("style") is None or "background" not in root.get("style")
        assert 'fill="#ffffff"' in svg.decode() or 'fill="white"' in svg.decode(), stem
        width, height, rows = read_png(files[f"{stem}.png"])
        assert abs(width - SCALE * float(root.get("width"))) <= SCALE
        assert abs(height - SCALE * float(root.get("height"))) <= SCALE
        assert 3 * 500 < width < 3 * 800, "fits the page of a journal"
        assert len(np.unique(rows)) > 4, f"{stem} is empty"
        pdf = files[f"{stem}.pdf"]
        assert pdf.startswith(b"%PDF")
        assert b"/Page" in pdf
        assert len(pdf) > 2000


def test_standalone_drawing_refers_to_no_url_and_to_its_own_data(pages):
    for page in pages.values():
        for name, spec in standalone_specs(page):
            text = json.dumps(spec, allow_nan=False)
            assert '"url"' not in text
            named = {entry["name"] for entry in spec["params"]}
            assert len(named) == len(spec["params"]), name
            assert all(rows for rows in spec["datasets"].values())


def texts(svg: bytes) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_static_figures_show_the_numbers_of_the_page(pages):
    page = pages["binary report"]
    files = dict(draw_figures(page, ["svg"]))
    shown = [text for text in texts(files["importance.svg"]) if text.startswith("gene_")]
    assert shown == page["params"]["features"]
    sample = page["controls"]["s"]["options"][0]["value"]
    final = f"{page['params']['final'][0][sample]:.3g}".replace("-", "−")
    said = texts(files["waterfall.svg"])
    assert any(f"this sample {final}" in text for text in said)
    assert any(page["params"]["rows"][sample] in text for text in said), "which sample it is"


def test_a_mean_without_an_interval_is_a_dot_without_a_bar():
    task = make_toy_task("binary", n_samples=60)
    records = [
        make_record(task, model, n_splits=2, n_repeats=1) for model in ("linear", "knn", "dummy")
    ]
    comparison = compare(records)
    rows = [row for row in comparison.rows if row.measure == comparison.measure]
    without = sum(row.ci_low is None for row in rows)
    assert 0 < without < len(rows)
    page = index_page(comparison, all_inputs(task, records), task=task).figures
    page = {
        **page,
        "controls": {},
        "figures": [f for f in page["figures"] if f["name"] == "scores"],
    }
    root = ET.fromstring(dict(draw_figures(page, ["svg"]))["scores.svg"])
    drawn = {
        name: sum(
            len(group.findall(f"{SVG}{shape}"))
            for group in root.iter(f"{SVG}g")
            if f"mark-{name} role-mark" in group.get("class", "") and "layer" in group.get("class")
        )
        for name, shape in (("rule", "line"), ("symbol", "path"))
    }
    assert drawn == {"rule": len(rows) - without, "symbol": len(rows)}


def test_the_sample_and_the_class_of_a_waterfall_are_named(pages):
    page = pages["hostile report"]
    (figure,) = (entry for entry in page["figures"] if entry["name"] == "waterfall")
    files = dict(draw_figures({**page, "figures": [figure]}, ["svg"]))
    assert len(files) == 3
    for svg, name in zip(files.values(), page["params"]["outputs"], strict=True):
        assert any(HOSTILE[0] in text and name in text for text in texts(svg)), "sample and class"


def test_the_other_features_of_a_waterfall_are_0_where_they_do_nothing():
    task = make_toy_task("binary", n_features=15)
    record = make_record(task, "linear")
    page = report_page(inputs_of(task, record, explanation=make_explanation(task, record))).figures
    (figure,) = (entry for entry in page["figures"] if entry["name"] == "waterfall")
    values = page["datasets"]["phi"]["data"]["phi"]
    values[12:] = [[0.0] * task.n_samples for _ in values[12:]]
    values[11] = [-0.000842] * task.n_samples
    page["params"]["rest"] = [[-5.55e-17] * task.n_samples]
    files = dict(draw_figures({**page, "figures": [figure]}, ["svg"]))
    said = texts(files["waterfall.svg"])
    assert "all other features" in said
    assert "0" in said
    assert "−8.42e−4" in said
    assert not [text for text in said if "0.00000" in text]


def test_each_measure_class_and_feature_is_drawn_and_named(pages):
    names = {name for name, _ in standalone_specs(pages["binary index"])}
    assert {"scores-ROC-AUC", "folds-ROC-AUC", "scores-Log-loss", "differences"} <= names
    specs = dict(standalone_specs(pages["binary index"]))
    assert specs["scores-Log-loss"]["title"]["text"] == "Measure: Log loss"
    assert "title" not in specs["differences"]
    features = pages["binary report"]["params"]["features"]
    drawn = {name for name, _ in standalone_specs(pages["binary report"])}
    assert {f"dependence-{feature}" for feature in features} <= drawn
    assert "waterfall" in drawn
    files = dict(draw_figures(pages["binary index"], ["svg"]))
    assert files["scores-ROC-AUC.svg"] != files["scores-Log-loss.svg"]
    assert "Measure: Log loss" in texts(files["scores-Log-loss.svg"])
    assert all(marks(ET.fromstring(svg)) for svg in files.values())


def test_static_figures_escape_hostile_names(pages):
    page = pages["hostile report"]
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", name) for name, _ in standalone_specs(page))
    files = dict(draw_figures({**page, "controls": {}}, ["svg"]))
    for svg in files.values():
        tags = {element.tag for element in ET.fromstring(svg).iter()}
        assert not tags & {f"{SVG}script", f"{SVG}img", f"{SVG}image", f"{SVG}foreignObject"}
    assert HOSTILE[0] in texts(files["importance_all.svg"])


def page_of(controls: dict[str, list[str]], **columns: list[int]) -> dict:
    """A page of one empty figure, with the texts of the options of its controls."""
    return {
        "figures": [
            {
                "name": "roc",
                "spec": {},
                "controls": dict.fromkeys(controls, 0),
                "params": [],
                "datasets": [],
                "marked": [],
                "table": "roc",
            }
        ],
        "controls": {
            name: {
                "label": name,
                "options": [{"value": i, "text": text} for i, text in enumerate(texts)],
            }
            for name, texts in controls.items()
        },
        "params": {},
        "datasets": {"roc": {"columns": [], "data": columns}},
    }


def names_of(page: dict) -> list[str]:
    return [name for name, _ in standalone_specs(page)]


def test_drawings_have_distinct_file_names():
    """Classes that differ in what a file name cannot hold, or in case alone."""
    names = names_of(page_of({"k": ["a b", "a/b", "A b", "a-b"]}))
    assert len({name.casefold() for name in names}) == 4
    assert names[0] == "roc-a-b"


def test_drawings_of_one_figure_are_limited():
    many = [f"c{i}" for i in range(10)]
    names = names_of(page_of({"k": many, "f": many}))
    assert len(names) == 20 <= MOST_DRAWINGS
    assert names[:3] == ["roc-c0-c0", "roc-c0-c1", "roc-c1-c0"]
    assert names_of(page_of({"s": many})) == ["roc"]


def test_measure_without_rows_is_not_drawn():
    assert names_of(page_of({"m": ["auc", "slope", "mcc"]}, m=[0, 0, 2])) == ["roc-auc", "roc-mcc"]


# ---------------------------------------------------------------- asked for


def test_unknown_figure_format_is_refused():
    assert check_formats(None) == check_formats([]) == ()
    assert check_formats("svg") == ("svg",)
    assert check_formats(["pdf", "svg", "pdf"]) == ("pdf", "svg")
    with pytest.raises(ConfigError, match=r"report\.figures takes any of png, svg, pdf; got 'gif'"):
        check_formats(["png", "gif"])


def test_missing_figure_library_is_refused_with_its_command(monkeypatch):
    monkeypatch.setattr(figure_files, "find_spec", lambda name: None)
    require_drawing(())
    with pytest.raises(ConfigError, match=r"pip install 'smalldata\[figures\]'"):
        require_drawing(("png",))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for remembered in (screen.reporter, run_cell._dataset, run_cell._task):
        remembered.cache_clear()
    return tmp_path


def test_a_finished_cell_gets_its_figures_by_the_same_command(folder, capsys):
    command = ["model=dummy", *SMALL, "explain=none"]
    assert main(command) == 0
    (cell,) = [path.parent for path in folder.glob("outputs/*/*/*/record.json")]
    before = CellFolder(cell).read_record()
    assert not list(folder.rglob("figures"))
    capsys.readouterr()

    assert main([*command, "report.figures=[svg]"]) == 0
    captured = capsys.readouterr()
    assert "already finished" in captured.err
    assert "figures" in captured.out
    assert (cell / "figures" / "confusion.svg").read_bytes().startswith(b"<svg")
    assert (cell.parent / "figures" / "scores-MCC.svg").is_file()
    assert not list(folder.rglob("*.png"))
    assert CellFolder(cell).read_record().identity == before.identity
    assert len(list(folder.glob("outputs/*/*/*/record.json"))) == 1

    assert main(["explain", str(cell), "report.figures=[pdf]"]) == 0
    assert (cell / "figures" / "confusion.pdf").read_bytes().startswith(b"%PDF")
    capsys.readouterr()
    assert main([*command, "report.figures=[svg,tiff]"]) == 2
    assert "got 'tiff'" in capsys.readouterr().err


def test_missing_values_and_categories_are_drawn_differently():
    task = make_toy_task("binary", n_samples=60, missing=True, categorical=True)
    record = make_record(task, "linear")
    page = report_page(inputs_of(task, record, explanation=make_explanation(task, record))).figures
    (figure,) = (entry for entry in page["figures"] if entry["name"] == "beeswarm")
    assert figure["caption"].endswith("; pink: a category; hollow: missing.")
    drawn = dict(draw_figures({**page, "figures": [figure]}, ["svg"]))
    root = ET.fromstring(drawn["beeswarm.svg"])
    dots = [dot for dot in root.iter(f"{SVG}path") if dot.get("fill-opacity") is not None]
    n_missing = int(task.X.isna().to_numpy().sum())
    n_known = int(task.X.iloc[:, 1].notna().sum())
    assert sum(dot.get("fill-opacity") == "0" for dot in dots) == n_missing > 0
    full = [dot.get("fill") for dot in dots if dot.get("fill-opacity") != "0"]
    assert full.count(PURPLE) == n_known
    measured = make_toy_task("binary", n_samples=60)
    record = make_record(measured, "linear")
    page = report_page(
        inputs_of(measured, record, explanation=make_explanation(measured, record))
    ).figures
    (figure,) = (entry for entry in page["figures"] if entry["name"] == "beeswarm")
    assert figure["caption"].endswith("value of the feature in that sample.")
