"""One finding, and how the rules read the collected facts: a missing part is never a crash.

Pure. Step in the line: none; collected -> **facts** -> rules.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "problem"]
Facts = Mapping[str, Any]

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    level : {"ok", "note", "problem"}
        A problem must be mended; a note is worth knowing.
    topic : str
        What it is about, in a word.
    what : str
        What was found, in a sentence.
    advice : str
        What to do.
    command : str
        The command that does it, where there is one.
    """

    level: Level
    topic: str
    what: str
    advice: str = ""
    command: str = ""


def part(facts: Facts, name: str) -> Facts:
    """Return a part that is a mapping; an empty one where it is none."""
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def entries(facts: Facts, name: str, key: str) -> Sequence[Any]:
    """Return a list in a part; an empty one where it is none."""
    found = part(facts, name).get(key)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def visible_cards(facts: Facts) -> Sequence[Facts]:
    """Cards this process may see, else all of the machine."""
    return entries(facts, "driver", "visible") or entries(facts, "driver", "cards")


def hidden_cards(facts: Facts) -> str | None:
    """Say why a process gets no card, where the machine or its environment says so; else None."""
    if isinstance(missing := facts.get("missing_card"), str):
        return missing
    named = part(facts, "environment").get("CUDA_VISIBLE_DEVICES")
    # CUDA_ERROR_NO_DEVICE: the driver is well, and no card is among those named.
    if named is not None and part(facts, "driver").get("library") == "cuInit failed with error 100":
        return f"CUDA_VISIBLE_DEVICES={named} names no card of this machine"
    return None


def lacks_library(facts: Facts) -> bool:
    """Whether nvidia-smi sees cards and the library that computes on them is not to be found."""
    seen = entries(facts, "driver", "cards") and not card_works(facts)
    return bool(seen) and part(facts, "driver").get("library") == "absent"


def card_works(facts: Facts) -> bool:
    """Whether torch computes on some card."""
    computed = part(part(facts, "torch"), "computed")
    return any(device != "cpu" and wrong is None for device, wrong in computed.items())


def card_name(card: Facts) -> str:
    """Return a card's name and memory."""
    memory = card.get("memory_bytes")
    shown = f" ({in_gib(memory)})" if memory else ""
    return f"{card.get('name') or 'NVIDIA card'}{shown}"


def tested(facts: Facts, name: str) -> str:
    """Return the tested version of a library as pip takes it, else what the package requires."""
    entry = part(part(facts, "libraries"), name)
    pinned = f"{name}=={entry['tested']}" if entry.get("tested") else None
    return pinned or str(entry.get("wanted", name))


def unread(topic: str, found: Facts) -> Finding:
    """Say that a part of the facts could not be read."""
    return Finding(
        level="note",
        topic=topic,
        what=f"Could not be read: {found.get('error', 'nothing was told')}.",
    )


def pip_command(facts: Facts, *words: str) -> str:
    """Return a command of this environment's pip, quoted for the shell of its system."""
    pip = part(facts, "python").get("pip") or ("python", "-m", "pip")
    if not on_windows(facts):
        return shlex.join([*pip, *words])
    # Both shells of Windows know double quotes alone, and only where they are needed.
    return " ".join(
        f'"{word}"' if re.search(r"[\s<>|&^()]", word) else word for word in (*pip, *words)
    )


def set_command(facts: Facts, values: Mapping[str, Any]) -> str:
    """Return the command that sets variables of the environment."""
    if on_windows(facts):
        return " & ".join(f'set "{name}={value}"' for name, value in values.items())
    return f"export {' '.join(f'{name}={value}' for name, value in values.items())}"


def on_windows(facts: Facts) -> bool:
    """Whether the machine runs Windows."""
    return part(facts, "platform").get("system") == "Windows"


def in_gib(n_bytes: int) -> str:
    """Return bytes as GiB for a sentence."""
    return f"{n_bytes / GIB:.1f} GiB" if n_bytes < 10 * GIB else f"{n_bytes / GIB:.0f} GiB"


def as_sentence(text: str) -> str:
    """End a text with a full stop."""
    return text if text.endswith(".") else f"{text}."
