"""Prove that a change of the code changes no number: run a fixed set of commands, compare files.

    nice python scripts/golden.py make FOLDER [--only PATTERN] [--python PATH]
    nice python scripts/golden.py compare OLD NEW
    nice python scripts/golden.py resume FOLDER [--only PATTERN] [--python PATH]

`make` runs the commands in `golden_commands.txt`, which touch every model, kind of task and verb,
in FOLDER. `compare` lists every number that differs between two such folders and exits 1 if there
is one; sentences and new keys are listed apart. `resume` runs the commands again on a copy of
FOLDER and exits 1 if anything was computed again. `--python` is the interpreter whose smalldata
runs, so that the script of one checkout can drive the code of another.
"""

import argparse
import fnmatch
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golden_files import (
    ABSENT,
    is_checksum,
    is_ignored,
    is_words,
    kind_of,
    list_files,
    list_others,
    read_leaves,
    same,
    show,
)

COMMANDS = Path(__file__).with_name("golden_commands.txt")
LOG = "commands.json"

# ---------------------------------------------------------------- make

CHECKPOINTS = """
import torch
from tabicl._model.tabicl import TabICL

tiny = dict(embed_dim=8, col_num_blocks=1, col_nhead=2, col_num_inds=4, row_num_blocks=1,
            row_nhead=2, row_num_cls=2, icl_num_blocks=2, icl_nhead=2, zero_init=False)
for name, n_classes in (("classifier", 10), ("regressor", 0)):
    config = {**tiny, "max_classes": n_classes, "num_quantiles": 9}
    torch.manual_seed(0)
    network = TabICL(**config)
    with torch.no_grad():
        network.icl_predictor.decoder[-1].weight.mul_(100.0)
    content = {"config": config, "state_dict": network.state_dict()}
    torch.save(content, f"inputs/{name}.ckpt")
"""


def read_commands(path: Path, only: str | None) -> list[tuple[str, int, str]]:
    """Return the name, the expected exit status and the words of each command."""
    found = []
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        head, words = line.split(":", 1)
        name, _, status = head.partition(" exit ")
        if only is None or fnmatch.fnmatch(name, only):
            found.append((name, int(status or 0), " ".join(words.split())))
    if not found:
        sys.exit(f"golden: --only must match at least one command; {only!r} matches none.")
    return found


def write_inputs(folder: Path) -> None:
    """Write small tables with groups, folds, categories and missing values."""
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    measured = [f"x{i}" for i in range(1, 9)]
    head = ["sample", "patient", "part", "sex", "stage", *measured, "outcome", "level", "dose"]
    rows = []
    for i in range(48):
        x = [round(draw.gauss(0, 1), 3) for _ in measured]
        sex, stage = draw.choice("fm"), draw.choice(["I", "II", "III"])
        dose = round(2 * x[0] - x[1] + (sex == "f") + draw.gauss(0, 0.5), 3)
        level = "low" if dose < -0.5 else "mid" if dose < 1 else "high"
        cells = [value if draw.random() > 0.05 else "" for value in x]
        shown = stage if draw.random() > 0.1 else ""
        outcome = "case" if dose > 0.3 else "control"
        about = [f"s{i:02d}", f"p{i // 3:02d}", f"f{i % 3}"]
        rows.append([*about, sex, shown, *cells, outcome, level, dose])

    def write(name: str, columns: list[str], separator: str = ",", decimal: str = ".") -> None:
        at = [head.index(column) for column in columns]
        lines = [columns, *([str(row[i]).replace(".", decimal) for i in at] for row in rows)]
        text = "\n".join(separator.join(line) for line in lines) + "\n"
        (inputs / name).write_text(text)

    write("mine.csv", head)
    write("euro.csv", ["sample", *measured, "dose"], ";", ",")
    write("rna.csv", ["sample", *measured[:4], "outcome"])
    write("protein.csv", ["sample", *measured[4:]])


def run_commands(folder: Path, python: str, commands: Path, only: str | None) -> bool:
    """Run the commands with ``folder`` as working folder; return whether all ended as expected."""
    said = folder / "said"
    said.mkdir(exist_ok=True)
    environment = {**os.environ, "COLUMNS": "200"}
    log: dict[str, Any] = {}
    as_expected, begin = True, time.perf_counter()
    for name, expected, text in read_commands(commands, only):
        words = []
        for word in shlex.split(text):
            matches = sorted(folder.glob(word)) if word.startswith("out/") else []
            words += [str(path.relative_to(folder)) for path in matches] or [word]
        start, used = time.perf_counter(), cpu_seconds()
        command = [python, "-m", "smalldata", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        seconds = {
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(cpu_seconds() - used, 1),
        }
        (said / f"{name}.out").write_text(done.stdout)
        (said / f"{name}.err").write_text(done.stderr)
        log[name] = {"words": text, "status": done.returncode, **seconds}
        times = "{seconds:6.1f} s, of the cores {cpu_seconds:6.1f} s".format(**seconds)
        print(f"{name:24} exit {done.returncode} {times}", flush=True)
        if done.returncode != expected:
            as_expected = False
            print(f"  must exit {expected}: {shlex.join(command)}\n{done.stderr[-2000:]}")
    (folder / LOG).write_text(json.dumps(log, indent=1) + "\n")
    total = sum(entry["cpu_seconds"] for entry in log.values())
    print(f"{len(log)} commands in {time.perf_counter() - begin:.0f} s, of the cores {total:.0f} s")
    return as_expected


def cpu_seconds() -> float:
    """Return what all ended children have used of the cores."""
    times = os.times()
    return times.children_user + times.children_system


def make(folder: Path, python: str, commands: Path, only: str | None) -> int:
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"golden: FOLDER must be new or empty; {folder} is not. Name another one.")
    write_inputs(folder)
    if any("checkpoint=" in words for _, _, words in read_commands(commands, only)):
        subprocess.run([python, "-c", CHECKPOINTS], cwd=folder, check=True)
    return 0 if run_commands(folder, python, commands, only) else 1


# ---------------------------------------------------------------- compare


@dataclass
class Findings:
    """What differs between two folders, and how many files are equal, by kind."""

    numbers: list[str] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    new_keys: Counter[str] = field(default_factory=Counter)
    table: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, kind: str, result: str) -> None:
        """Count a file."""
        self.table.setdefault(kind, Counter())[result] += 1


def list_cells(names: Iterable[str]) -> set[str]:
    return {name.rpartition("/")[0] for name in names if name.endswith("/record.json")}


def compare_folders(old: Path, new: Path, *, skip: Iterable[str] = ()) -> Findings:
    """Compare every file of two folders that `make` filled."""
    found = Findings()
    before, after = list_files(old), list_files(new)
    if not before:
        sys.exit(f"golden: {old} must be a folder that `make` filled; it holds no result.")
    found.new_keys.update(list_others(new) - list_others(old))
    cells = list_cells(before), list_cells(after)
    for cell in sorted(cells[0] | cells[1]):
        result = "equal" if cell in cells[0] & cells[1] else "missing"
        found.count("cell (its folder)", result)
        if result == "missing":
            where = "new" if cell in cells[0] else "old"
            found.numbers.append(f"{cell}: no such cell in the {where} folder")
    for name in sorted({**before, **after}):
        kind = kind_of(name)[0]
        if kind in skip:
            continue
        if name not in before or name not in after:
            found.count(kind, "missing")
            found.numbers.append(f"{name}: only in the {'old' if name in before else 'new'} folder")
            continue
        n = len(found.numbers)
        try:
            leaves = read_leaves(before[name], kind), read_leaves(after[name], kind)
        except Exception as error:  # whatever a torn file raises
            found.numbers.append(f"{name}: cannot be read in both folders ({error})")
        else:
            compare_files(name, *leaves, found)
        found.count(kind, "equal" if len(found.numbers) == n else "different")
    return found


def compare_files(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], found: Findings
) -> None:
    for key in {**old, **new}:
        if is_ignored(key):
            continue
        first, second = old.get(key, ABSENT), new.get(key, ABSENT)
        if key not in old:
            found.new_keys[f"{kind_of(name)[0]}: {key}"] += 1
        elif not same(first, second) and not (key in new and is_checksum(key, first, second)):
            if key in new and is_words(key, first, second):
                found.words[f"{kind_of(name)[0]}: {key}: {show(first, second)}"] += 1
            else:
                found.numbers.append(f"{name}: {key}: {show(first, second)}")


def report(found: Findings, *, most: int) -> int:
    """Print what was found; return the exit status."""
    for title, lines in (
        ("words", [f"{n} x {text}" for text, n in found.words.items()]),
        ("new keys", [f"{n} x {text}" for text, n in found.new_keys.items()]),
        ("DIFFERENCES", found.numbers),
    ):
        print(f"{title}: {len(lines)}")
        for line in lines[:most]:
            print(f"  {line}")
        if len(lines) > most:
            print(f"  and {len(lines) - most} more (--most {len(lines)} shows them)")
    columns = ("equal", "different", "missing")
    print(f"{'kind':24} {'compared':>9} " + " ".join(f"{name:>9}" for name in columns))
    for kind, counts in found.table.items():
        numbers = " ".join(f"{counts[name]:9}" for name in columns)
        print(f"{kind:24} {counts.total():9} {numbers}")
    return 1 if found.numbers else 0


# ---------------------------------------------------------------- resume


def resume(folder: Path, python: str, commands: Path, only: str | None, most: int) -> int:
    """Run the commands on a copy and report every file that was computed again."""
    with tempfile.TemporaryDirectory(prefix="golden-", dir=folder.resolve().parent) as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy)
        as_expected = run_commands(copy, python, commands, only)
        shutil.copy2(folder / LOG, copy / LOG)
        # What `make` drew and printed shows the cells finished by then; now all of them are.
        drawn = ["page data", "figure (its name)", "printed numbers"]
        found = compare_folders(folder, copy, skip=drawn)
        again = list_rewritten(folder, copy)
    found.numbers += again
    status = report(found, most=most)
    print(f"computed again: {len(again)} files")
    return status if as_expected else 1


def list_rewritten(old: Path, new: Path) -> list[str]:
    """Return a line for each computed file that has another time or content than before."""
    lines = []
    for name, path in list_files(old).items():
        other = new / name
        if not kind_of(name)[1] or not other.is_file():
            continue
        if path.read_bytes() != other.read_bytes():
            lines.append(f"{name}: written again, with another content")
        elif path.stat().st_mtime_ns != other.stat().st_mtime_ns:
            lines.append(f"{name}: written again, with the same content")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, folders in {
        "make": ["folder"],
        "compare": ["old", "new"],
        "resume": ["folder"],
    }.items():
        added = verbs.add_parser(verb)
        for name in folders:
            added.add_argument(name, type=Path)
        if verb != "make":
            added.add_argument("--most", type=int, default=40, help="lines to show of each list")
        if verb != "compare":
            added.add_argument("--only", help="run the commands whose name fits, as in 'tune-*'")
            added.add_argument("--python", default=sys.executable, help="whose smalldata runs")
            added.add_argument("--commands", type=Path, default=COMMANDS, help="run others")
    asked = parser.parse_args(arguments)
    if asked.verb == "compare":
        return report(compare_folders(asked.old, asked.new), most=asked.most)
    python = str(Path(asked.python).absolute()) if os.sep in asked.python else asked.python
    if asked.verb == "make":
        return make(asked.folder, python, asked.commands, asked.only)
    return resume(asked.folder, python, asked.commands, asked.only, asked.most)


if __name__ == "__main__":
    sys.exit(main())
