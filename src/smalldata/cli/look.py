"""The verb ``look``: how a table is read, before anything is fitted."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smalldata.cli.notes import short_path
from smalldata.cli.screen import DONE, WRONG_INPUT, stderr_console
from smalldata.config.hydra import compose_dataset, split_flags
from smalldata.errors import ConfigError, DataError, SmalldataError, did_you_mean
from smalldata.runtime.console import open_console, printable


def run_verb(arguments: Sequence[str]) -> int:
    """Show how a table is read, write it as look.html, and with --save the yaml that fixes it.

    Parameters
    ----------
    arguments : sequence of str
        Overrides as of a run, or the name of a file instead of ``dataset.path``;
        ``--save FILE.yaml``.

    Returns
    -------
    int
        0; 2 where a run would refuse the table. What could be read is shown then too.

    Raises
    ------
    ConfigError
        If a word is none of these, or the file of --save exists.
    """
    from smalldata.datasets import build_dataset
    from smalldata.run.looking import check_new_yaml, look

    save, rest = _take_save(arguments)
    multirun, overrides = split_flags(_files_as_overrides(rest))
    if multirun:
        raise ConfigError("look reads one table; leave out -m.")
    if save is not None:
        check_new_yaml(save)
    command = shlex.join(["python", "-m", "smalldata", "look", *rest])
    section = compose_dataset(overrides)
    if _lacks_target(section):
        return _show_files(section, refusal=None, command=command, save=save)
    try:
        dataset = build_dataset(section)
    except (ConfigError, DataError) as error:
        return _show_files(section, refusal=error, command=command, save=save)
    from smalldata.report.look_page.screen import print_look

    seen = look(dataset)
    console = open_console()
    print_look(seen, console=console)
    if save is not None:
        _say("yaml", f"{seen.save(save)}: dataset={save} reads the table in this way")
    elif seen.is_of_files:
        _say("yaml", "--save my.yaml keeps how this was read, for dataset=my.yaml")
    _say("page", short_path(seen.write(command=command).resolve()))
    return DONE


def _show_files(
    section: dict[str, Any], *, refusal: SmalldataError | None, command: str, save: Path | None
) -> int:
    """Show what stands in the files where there is no target yet, or a run would refuse."""
    from smalldata.datasets import read_files
    from smalldata.report.look_page.page import preview_page
    from smalldata.report.look_page.screen import print_preview
    from smalldata.run.looking import PAGE
    from smalldata.runtime.files import write_file

    try:
        previews = read_files(section)
    except SmalldataError as error:
        if refusal is None:
            raise
        raise refusal from error
    if not previews and refusal is not None:
        raise refusal
    print_preview(previews, console=open_console())
    told = "" if refusal is None else str(refusal)
    page = preview_page(previews, refusal=told, command=command)
    write_file(Path(PAGE), page.html().encode())
    _say("page", short_path(Path(PAGE).resolve()))
    if refusal is None:
        _say("next", "name the column to predict with dataset.target=COLUMN")
        if save is not None:
            raise ConfigError("--save needs dataset.target: a reading is fixed with its target.")
        return DONE
    stderr_console().print(f"{type(refusal).__name__}: {refusal}", style="red", markup=False)
    return WRONG_INPUT


def _say(what: str, text: str) -> None:
    open_console().print(printable(f"{what}  {text}"), soft_wrap=True, markup=False)


def _lacks_target(section: dict[str, Any]) -> bool:
    is_table = section.get("_target_") == "smalldata.datasets.table.load"
    return is_table and bool(section.get("path")) and section.get("target") in (None, "")


def _take_save(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Split off ``--save FILE`` or ``--save=FILE``."""
    rest = list(arguments)
    save = None
    for place, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if name != "--save":
            continue
        if not equals:
            value = rest[place + 1] if place + 1 < len(rest) else ""
        if not value:
            raise ConfigError("--save needs a file: --save my.yaml.")
        save = Path(value).expanduser()
        del rest[place : place + (1 if equals else 2)]
        break
    return save, rest


def _files_as_overrides(words: Sequence[str]) -> list[str]:
    """Take a file that is named without a key as the table."""
    files = [word for word in words if "=" not in word and not word.startswith(("-", "~"))]
    rest = [word for word in words if word not in files]
    for word in files:
        if word.startswith("dataset."):
            raise ConfigError(f"an option must have no blanks around =: {word}=VALUE.")
        if not Path(word).exists():  # a folder is refused with what it holds
            hint = did_you_mean(word, ["dataset=", "--save"], "there is no such file.")
            raise ConfigError(f"look takes key=value, a file and --save; got {word!r}; {hint}")
    if len(files) > 1:
        from smalldata.datasets.commands import command

        raise ConfigError(
            f"look reads one table; got {' and '.join(files)}. Join files by name: "
            f"dataset=table {command('path', dict(zip('ab', files, strict=False)))}."
        )
    if not files:
        return rest
    if any(word.startswith("dataset=") for word in rest):
        raise ConfigError(f"look reads one table; got {files[0]} beside dataset=.")
    kind = Path(files[0]).suffix.lower()
    if kind in (".yaml", ".yml"):
        return [f"dataset={files[0]}", *rest]
    return [f"dataset={'h5ad' if kind == '.h5ad' else 'table'}", f"dataset.path={files[0]}", *rest]
