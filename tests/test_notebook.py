"""What a notebook shows for a comparison and an explanation."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from report_cells import HOSTILE, make_explanation, make_record, make_toy_task
from smalldata.comparison.comparison import compare


class Cells(HTMLParser):
    """The texts of a table by row, and the tags it is made of."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.rows, self.caption, self._inside = set(), [], "", ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert all(name == "scope" for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._inside = tag

    def handle_data(self, data):
        if self._inside == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


PLAIN_TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td"}


def hostile_cells(kind="binary"):
    task = make_toy_task(kind, hostile=True)
    records = [
        make_record(task, "linear"),
        make_record(task, "dummy", fail=8),
        make_record(task, "knn", settings={HOSTILE[0]: HOSTILE[1]}),
    ]
    return task, records


def test_a_comparison_is_a_table_of_its_cells():
    _, records = hostile_cells()
    table = compare(records)
    page = table._repr_html_()
    cells = Cells(page)
    assert cells.tags == PLAIN_TAGS
    assert "<script" not in page.lower()
    assert HOSTILE[0] in cells.caption
    head, *rows = cells.rows
    assert head == ["rank", "model", "roc_auc", "95 % from", "95 % to", "status"]
    assert len(rows) == 3
    best = next(row for row in table.rows if row.rank == 1 and row.measure == "roc_auc")
    assert rows[0][:2] == ["1", best.label]
    second = next(row for row in table.rows if row.rank == 2 and row.measure == "roc_auc")
    assert rows[1][0] == f"2{second.mark}"
    assert rows[0][2] == f"{best.mean:.3f}"
    assert rows[0][3:5] == [f"{best.ci_low:.3f}", f"{best.ci_high:.3f}"]
    assert rows[-1] == ["–", "dummy", "–", "–", "–", "failed: r00f00: it did not converge <b>"]
    assert any(HOSTILE[1] in row[1] for row in rows)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_an_explanation_is_a_table_of_its_leading_features(kind):
    task, records = hostile_cells(kind)
    explanation = make_explanation(task, records[0])
    page = explanation._repr_html_()
    cells = Cells(page)
    assert cells.tags == PLAIN_TAGS
    assert "<script" not in page.lower()
    assert re.search(r"60 held-out samples; 10 of 12 features$", cells.caption)
    head, *rows = cells.rows
    outputs = list(task.classes) if kind == "multiclass" else []
    assert head == ["", "feature", "mean", *outputs]
    means = np.abs(explanation.values).mean(axis=0, dtype=np.float64)
    leading = np.argsort(-means.mean(axis=1), kind="stable")[:10]
    assert [row[1] for row in rows] == [task.dataset.feature_names[j] for j in leading]
    assert [row[0] for row in rows] == [str(place) for place in range(1, 11)]
    assert float(rows[0][2]) == pytest.approx(means[leading[0]].mean(), rel=1e-3, abs=5e-4)
    if outputs:
        found = [float(cell) for cell in rows[0][3:]]
        assert found == pytest.approx(means[leading[0]].tolist(), rel=1e-2, abs=5e-4)
