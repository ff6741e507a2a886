"""A command that a message shows does what it says, whatever the names in it."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from smalldata.datasets.commands import command

NAMES = [
    *("a b", "a\\b", "1,2-diol", "it's", 'say "x"', "a|b;c", "a\\", "x=y", "[q]", "ü"),
    *("123", "007", "1e5", "-5", "1.50", "0x1F", "1_000", "inf", "NaN", "true", "null"),
    *("a:b", "a#b", "@", "*x", "k__B|p__P", "\\", 'a\\"b', "%d", "{z}", "(r)", "!", "~x"),
    *("C:\\d\\", "Animal no.", "OS (months)", "n/d", "$HOME", "`ls`", "5*"),
]


def parsed(text):
    """What a shell and Hydra make of a command."""
    (word,) = shlex.split(text)
    return OverridesParser.create().parse_override(word).value()


def plain(value):
    return str(getattr(value, "text", value))


@pytest.mark.parametrize("name", NAMES)
def test_a_shown_command_gives_the_name_it_was_made_from(name):
    assert plain(parsed(command("groups", name))) == name
    assert [plain(entry) for entry in parsed(command("drop", ["b", name]))] == ["b", name]
    (entry,) = parsed(command("classes", {"case": [name]})).values()
    assert [plain(part) for part in entry] == [name]
    assert plain(parsed(command("id", {"rna": name}))["rna"]) == name
