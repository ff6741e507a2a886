"""Writes an option as it is typed on the command line, quoted where a shell or Hydra needs it.

Step in the line: **files** -> Dataset. Findings and refusals show it, ready to be copied.
"""

import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"(?!(?i:true|false|null|nan|inf)$)(?:[A-Za-z_][\w.-]*|0|-?[1-9]\d*)", re.ASCII)


def command(key: str, value: str | Sequence[str] | Mapping[str, str | Sequence[str]]) -> str:
    r"""Write one key of ``dataset`` with its value.

    Examples
    --------
    >>> print(command("name_column", "gene"), command("features", "k__*"))
    dataset.name_column=gene 'dataset.features="k__*"'
    >>> print(command("drop", ["age", "body site"]))
    'dataset.drop=[age,"body site"]'
    >>> print(command("classes", {"case": ["Case", "CASE"], "no": ["no!"]}))
    'dataset.classes={case: [Case, CASE], no: ["no!"]}'
    """
    if isinstance(value, Mapping):
        entries = [f"{name}: {_inside(inner)}" for name, inner in value.items()]
        return _for_shell(f"dataset.{key}={{{', '.join(entries)}}}")
    if isinstance(value, str):
        text = f"dataset.{key}={_quoted(value)}"
        return text if _PLAIN.fullmatch(value) else _for_shell(text)
    return _for_shell(f"dataset.{key}=[{','.join(map(_quoted, value))}]")


def _inside(value: str | Sequence[str]) -> str:
    return _quoted(value) if isinstance(value, str) else f"[{', '.join(map(_quoted, value))}]"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    # Hydra takes a backslash for itself only before a quotation mark.
    mended = re.sub(r'(\\*)"', r'\1\1\\"', value)
    mended += "\\" * (len(mended) - len(mended.rstrip("\\")))
    return f'"{mended}"'


def _for_shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
