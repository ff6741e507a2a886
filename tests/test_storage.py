"""Temporary folders: gone with their process, one way or the other, and never under a live one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smalldata.runtime.files import scratch_folder

HOLDER = """
import sys
from smalldata.runtime.files import scratch_folder
with scratch_folder() as folder:
    (folder / "function").write_text("the data of a run")
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _age(folder):
    long_ago = time.time() - 3600
    os.utime(folder / ".lock", (long_ago, long_ago))


def test_scratch_folder_is_removed_after_its_block(temporary):
    with scratch_folder() as folder:
        assert folder.parent == temporary
        assert folder.is_dir()
    assert not list(temporary.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")
def test_scratch_folder_of_a_killed_process_is_removed_by_a_later_one(temporary):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    held = Path(holder.stdout.readline().strip())
    foreign = temporary / "smalldata-notes"
    foreign.mkdir()
    _age(held)
    with scratch_folder() as own:
        _age(own)
        with scratch_folder():
            assert own.is_dir()
            assert (held / "function").is_file()  # its process lives
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    (held / ".lock").touch()
    with scratch_folder():
        assert held.is_dir()  # too young: it could be one that is just being made
    _age(held)
    with scratch_folder():
        assert not held.exists()
    assert [path.name for path in temporary.iterdir()] == [foreign.name]
