"""Further files of each format, as its programs write them: read as meant through the command line.

Each is made of what the format says, not of what the reader expects.
"""

import re

import numpy as np
import pytest
import yaml

import members_containers
import members_genes
import members_metabolites
import members_microbes
import members_proteins
from smalldata.__main__ import main
from smalldata.datasets import load_dataset

KINDS = {
    **members_proteins.KINDS,
    **members_metabolites.KINDS,
    **members_genes.KINDS,
    **members_microbes.KINDS,
    **members_containers.KINDS,
}
MEMBERS = {
    f"{kind}, {name}": member for kind, members in KINDS.items() for name, member in members.items()
}
READ = [name for name, member in MEMBERS.items() if not member.refuses]


@pytest.fixture
def member(request, tmp_path, monkeypatch):
    """A member whose files lie in the current folder."""
    given = MEMBERS[request.param]
    for name, content in given.files.values():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return given


def options_of(member):
    """Overrides as arguments of `load_dataset`."""
    pairs = [each.removeprefix("dataset.").split("=", 1) for each in member.overrides]
    pairs.append(["path", member.path])
    return {key: yaml.safe_load(re.sub(r":(?=\w)", ": ", value)) for key, value in pairs}


@pytest.mark.parametrize("member", MEMBERS, indirect=True)
def test_each_member_is_read_and_told_or_refused_in_one_line(member, capsys):
    words = ["model=dummy", "dataset=table", f"dataset.path={member.path}", *member.overrides]
    status = main([*words, "dry_run=true"])
    printed = "".join(capsys.readouterr())
    assert "Traceback" not in printed
    assert [word for word in member.says if word not in printed] == [], printed
    told = [line for line in printed.splitlines() if not line.startswith("reading ")]
    if member.refuses:
        assert status == 2, printed
        assert len(told) == 1, printed
    else:
        assert status == 0, printed
        n, p = member.values.shape
        assert f"read {n} x {p} " in printed, printed


@pytest.mark.parametrize("member", READ, indirect=True)
def test_values_ids_and_labels_are_those_of_the_files(member):
    dataset = load_dataset("table", **options_of(member))
    ids = dataset.sample_ids.tolist()
    order = [ids.index(entry) for entry in member.ids]
    assert len(ids) == len(order)
    assert dataset.y[order].tolist() == list(member.labels)
    names = list(dataset.X) if member.names is None else list(member.names)
    assert set(dataset.X) == set(names)
    values = dataset.X[names].to_numpy(float)[order]
    np.testing.assert_allclose(values, member.values, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_at_least_three_members(kind):
    assert len(KINDS[kind]) >= 3
