"""Opens one file: its bytes, unpacked, and what kind of file they are.

Step in the line: **files** -> Dataset. The kind is told by the content, not by the ending.
"""

import bz2
import gzip
import hashlib
import io
import lzma
from pathlib import Path

from smalldata.datasets.assembling import listed
from smalldata.datasets.damage import refusing
from smalldata.datasets.formats.refused import refuse_bytes
from smalldata.datasets.options import TableOptions
from smalldata.datasets.parquet import read_parquet
from smalldata.datasets.raw import Grid, RawTable, TextFile
from smalldata.datasets.sniffing import decode
from smalldata.datasets.workbook import read_workbook
from smalldata.errors import DataError, did_you_mean

_GZIP = b"\x1f\x8b"
_PACKED = {
    _GZIP: ("gzip", "gzipped", gzip.decompress),
    b"BZh": ("bzip2", "packed with bzip2", bz2.decompress),
    b"\xfd7zXZ\0": ("xz", "packed with xz", lzma.decompress),
}
"""First bytes of packed files: what they are, how to say it, and how to unpack them."""

# The second is an empty zip file, the third one in parts.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def open_file(path: str | Path, options: TableOptions) -> TextFile | Grid | RawTable:
    """Read one file.

    Parameters
    ----------
    path : str or Path
    options : TableOptions
        Of these its encoding, its sheet and its decimal sign.

    Returns
    -------
    TextFile, Grid or RawTable
        Text; the cells of a workbook's sheet; the columns of a parquet file.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    DataError
        If the file is missing, empty, broken or no table.
    """
    file = Path(path).expanduser()
    source = file.name
    if _is_parquet(file):  # its columns are read one after the other, without a copy of the file
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return read_parquet(file, source, sha256=sha256)
    content = _bytes(file)
    sha256 = hashlib.sha256(content).hexdigest()
    content = _unpack(content, source)
    if not content or content.isspace():
        raise DataError(f"{source} must hold a table; it is empty.")
    refuse_bytes(content, source)
    if content.startswith(b"PAR1"):
        return read_parquet(io.BytesIO(content), source, sha256=sha256)
    if content.startswith(_ZIP):
        return read_workbook(
            content, source, sheet=_one_sheet(options), decimal=options.decimal, sha256=sha256
        )
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            f"{source} must be csv, tsv, parquet or xlsx; it is an old Excel workbook "
            "or one with a password. Save it as xlsx or csv."
        )
    text, encoding = decode(content, source=source, encoding=options.encoding)
    if "\n" not in text:  # lines of an old Macintosh
        text = text.replace("\r", "\n")
    return TextFile(source=source, text=text, encoding=encoding, sha256=sha256)


def _one_sheet(options: TableOptions) -> str | int | None:
    """Return the sheet to read; of several, each is asked for by itself."""
    sheet = options.sheet
    return sheet if sheet is None or isinstance(sheet, str | int) else str(sheet[0])


def _is_parquet(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"PAR1"
    except OSError:
        return False  # said where it is read


def _bytes(file: Path) -> bytes:
    if file.is_dir():
        inside = sorted(entry.name for entry in file.iterdir() if entry.is_file())
        raise DataError(
            f"path must be a file; {file} is a folder"
            + (f" (with {listed(inside, mark='')})." if inside else " without files.")
        )
    if not file.exists():
        folder = file.parent
        beside = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        hint = did_you_mean(file.name, beside, show=lambda name: str(folder / name))
        hint = hint or f"the folder {folder.resolve()} " + (
            f"holds {listed(sorted(beside), mark='')}." if beside else "is empty or missing."
        )
        raise DataError(f"path must be a file; there is no {file}; {hint}")
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} must be readable; {error.strerror or error}.") from None


def _unpack(content: bytes, source: str) -> bytes:
    """Unpack a file that is packed once."""
    packed = next((mark for mark in _PACKED if content.startswith(mark)), None)
    if packed is None:
        return content
    kind, said, unpack = _PACKED[packed]
    with refusing(
        f"{source} must be a whole {kind} file",
        found="it is cut or damaged",
        remedy="Copy or download it again.",
    ):
        content = unpack(content)
    if content.startswith(packed):
        raise DataError(f"{source} must be {said} once; it is {said} twice. Unpack it once.")
    return content
