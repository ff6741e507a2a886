"""Refresh the JavaScript that the reports carry: src/smalldata/report/templates/vendor/.

Run by hand, never by the program: ``python scripts/vendor_javascript.py`` (needs npm). Each package
is packed by npm, its browser build and its licence are copied, and README.md lists version and
SHA-256 of every file. Versions are pinned here, so that a refresh is a change someone made and
read.
"""

import hashlib
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "src/smalldata/report/templates/vendor"

PACKAGES = (
    ("vega", "6.4.0", "build/vega.min.js"),
    ("vega-lite", "6.4.3", "build/vega-lite.min.js"),
    ("vega-interpreter", "2.3.2", "build/vega-interpreter.js"),
)

README = """# Vendored JavaScript

Carried inside every report, so that a report needs no network. Written by
`scripts/vendor_javascript.py`; do not edit. All three packages are under the BSD-3-Clause licence,
whose texts lie beside them.

| file | npm package | version | bytes | sha256 |
|---|---|---|---|---|
{rows}

What was changed: the lines that name a source map are dropped, and vega-interpreter, which is
published as a module only, is wrapped into a function that takes its three imports from the global
`vega` and adds `vega.expressionInterpreter`. With it no expression of a figure is turned into code,
so the reports forbid `eval`.
"""


def main() -> None:
    """Pack, copy, wrap, and write the README."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for package, version, member in PACKAGES:
            subprocess.run(
                ["npm", "pack", f"{package}@{version}", "--silent"],
                cwd=scratch,
                check=True,
                capture_output=True,
            )
            with tarfile.open(Path(scratch) / f"{package}-{version}.tgz") as archive:
                code = _read(archive, f"package/{member}")
                licence = _read(archive, "package/LICENSE")
            code = re.sub(r"\n?//# sourceMappingURL=.*", "", code).replace("\r\n", "\n")
            if package == "vega-interpreter":
                code = _as_script(code)
            if "</script" in code.lower() or "<!--" in code:
                raise SystemExit(f"{package} {version} cannot be put inside a script element.")
            target = FOLDER / Path(member).name
            target.write_text(code, encoding="utf-8", newline="\n")
            (FOLDER / f"{package}.LICENSE").write_text(licence, encoding="utf-8", newline="\n")
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            size = target.stat().st_size
            rows.append(f"| {target.name} | {package} | {version} | {size} | `{digest}` |")
    (FOLDER / "README.md").write_text(
        README.format(rows="\n".join(rows)), encoding="utf-8", newline="\n"
    )


def _read(archive: tarfile.TarFile, name: str) -> str:
    member = archive.extractfile(name)
    assert member is not None
    return member.read().decode("utf-8")


def _as_script(module: str) -> str:
    """Turn the import and the export of vega-interpreter into uses of the global ``vega``."""
    body, n_imports = re.subn(r"import (\{[^}]*\}) from 'vega-util';", r"const \1 = vega;", module)
    body, n_exports = re.subn(
        r"export \{ (\w+) as expressionInterpreter \};", r"vega.expressionInterpreter = \1;", body
    )
    if (n_imports, n_exports) != (1, 1) or re.search(r"^(import|export) ", body, re.MULTILINE):
        raise SystemExit("vega-interpreter is built in another way than this script knows.")
    return f"(function () {{\n'use strict';\n{body.strip()}\n}})();\n"


if __name__ == "__main__":
    main()
