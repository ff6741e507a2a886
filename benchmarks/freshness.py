"""Say of each benchmark which commit its tables were measured on, and what has changed since.

    python benchmarks/freshness.py                  write what is true into every README.md
    python benchmarks/freshness.py --stamp NAME     the tables of NAME were measured on this code

``--stamp`` takes the commit checked out, so commit first, and use it only after measuring again:
`benchmarks/line` and `benchmarks/tuning` have it as ``run.py --stamp``. Each folder's measured.json
names the files that decide its numbers (the algorithms, not all they import), the commit, and a
hash of each file at that commit. tests/test_benchmark_tables.py fails while a README.md says less
than that.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BLOCK = re.compile(r"<!-- measured -->\n.*?\n<!-- /measured -->", re.DOTALL)


def folders() -> list[Path]:
    """Return the folders of the benchmarks."""
    return sorted(path.parent for path in HERE.glob("*/README.md"))


def changed_files(measured: dict[str, Any]) -> list[str]:
    """Return the files that decide the numbers and are not what they were when measured."""
    then = measured["hashes"]
    now = {path: _hash((ROOT / path).read_bytes()) for path in _files(measured["files"])}
    return sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))


def sentence(measured: dict[str, Any]) -> str:
    """Return what a README.md must say of its tables."""
    whole = _hash(json.dumps(measured["hashes"], sort_keys=True).encode())
    about = (
        f"Measured at commit {measured['commit']} (hash {whole} of the {len(measured['hashes'])} "
        "files that matter, `measured.json`)."
    )
    changed = changed_files(measured)
    if not changed:
        return about + " None of them has changed since."
    names = ", ".join(f"`{path}`" for path in changed)
    return f"{about} **Known to be stale.** Changed, moved or added since: {names}."


def block(measured: dict[str, Any]) -> str:
    return f"<!-- measured -->\n{sentence(measured)}\n<!-- /measured -->"


def read(folder: Path) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((folder / "measured.json").read_text(encoding="utf-8"))
    return measured


def stamp(folder: Path) -> None:
    """Note the commit checked out and its files as what the tables of a folder were measured on.

    Exits with a sentence if one of the files is not as it was committed.
    """
    measured = read(folder)
    files = _files(measured["files"])
    changed = _git("status", "--porcelain", "--", *files).strip()
    if changed:
        sys.exit(
            f"the files that matter must be committed before the stamp; these are not:\n{changed}"
        )
    measured["commit"] = _git("rev-parse", "--short=10", "HEAD").strip()
    measured["hashes"] = {path: _hash((ROOT / path).read_bytes()) for path in files}
    text = json.dumps(measured, indent=2, sort_keys=True) + "\n"
    (folder / "measured.json").write_text(text, encoding="utf-8")
    admit(folder)


def admit(folder: Path) -> None:
    """Write into a README.md what is true of its tables."""
    path = folder / "README.md"
    text, n_found = BLOCK.subn(lambda _: block(read(folder)), path.read_text(encoding="utf-8"))
    if n_found != 1:
        sys.exit(
            f"{path} must have one block <!-- measured --> … <!-- /measured -->; it has {n_found}"
        )
    path.write_text(text, encoding="utf-8")


def _files(patterns: Iterable[str]) -> list[str]:
    return sorted({str(path.relative_to(ROOT)) for each in patterns for path in ROOT.glob(each)})


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stamp", choices=[folder.name for folder in folders()], metavar="NAME")
    asked = parser.parse_args().stamp
    if asked:
        stamp(HERE / asked)
    for folder in folders():
        admit(folder)


if __name__ == "__main__":
    main()
