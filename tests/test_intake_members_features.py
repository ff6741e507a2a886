"""Further members of the kinds in `intake` are read, or refused with the way to read them.

Each is tried through the command line, and what the remedy gives is compared with what it holds.
"""

import numpy as np
import pytest

import members_around
import members_values
from intake import CLASSES, IDS, N
from members_around import GERMAN
from smalldata.__main__ import main
from smalldata.datasets import load_dataset
from test_intake import options_of

MEMBERS = members_around.MEMBERS | members_values.MEMBERS


@pytest.fixture(params=MEMBERS)
def name(request, tmp_path, monkeypatch):
    """The name of a member, which is in the current folder."""
    member = MEMBERS[request.param]
    for file, content in {request.param: member.content, **member.beside}.items():
        (tmp_path / file).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return request.param


def overrides(name, *further):
    """Overrides that open a member."""
    member = MEMBERS[name]
    given = [each.replace("FILE", name) for each in (*member.given, *further)]
    path = (
        [] if any(each.startswith("dataset.path=") for each in given) else [f"dataset.path={name}"]
    )
    return [*path, f"dataset.target={member.target}", *given]


def test_a_member_is_read_and_told_or_refused_in_one_line_with_the_remedy(name, capsys):
    member = MEMBERS[name]
    status = main(["model=dummy", "dataset=table", *overrides(name), "dry_run=true"])
    printed = capsys.readouterr()
    printed = printed.out + printed.err
    wanted = [each.split("=")[0] for each in member.remedy if member.refuses]
    assert [word for word in (*member.says, *wanted) if word not in printed] == [], printed
    assert [word for word in member.silent if word in printed] == [], printed
    assert status == (2 if member.refuses else 0), printed
    assert "Traceback" not in printed
    if member.refuses:
        assert len([x for x in printed.splitlines() if not x.startswith("reading ")]) == 1


def test_the_remedy_gives_what_the_member_holds(name):
    member = MEMBERS[name]
    dataset = load_dataset("table", **options_of(overrides(name, *member.remedy)))
    if member.names is not None:
        assert dataset.feature_names == tuple(member.names)
    found = dataset.X.to_numpy(dtype=float)
    compared = ~np.isinf(member.values)
    assert found.shape == member.values.shape
    np.testing.assert_allclose(found[compared], member.values[compared], rtol=1e-12)
    assert {
        name: unit.strip("[]()") for name, unit in dataset.reading.units.items()
    } == member.units
    assert dataset.sample_ids.tolist() in (IDS, [str(100 + i) for i in range(N)])
    if dataset.kind.is_classification:
        assert dataset.y.tolist() in (CLASSES, GERMAN)
    if member.batch:
        assert dataset.batch.tolist() == list(member.batch)
