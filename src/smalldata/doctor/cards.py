"""The rules on devices: the driver and its cards, torch and xgboost on each, what auto takes.

Pure. Step in the line: none; facts -> **findings**.
"""

import re
from collections.abc import Iterator

from smalldata.doctor.builds import OLDEST_DRIVERS, covers, install_words, read_version
from smalldata.doctor.facts import (
    Facts,
    Finding,
    as_sentence,
    card_name,
    card_works,
    entries,
    hidden_cards,
    lacks_library,
    part,
    pip_command,
    set_command,
    tested,
    visible_cards,
)
from smalldata.doctor.libraries import broken, is_installed, suitable_build


def judge_driver(facts: Facts) -> Iterator[Finding]:
    """Say which cards there are and whether their driver answers."""
    driver = part(facts, "driver")
    hidden = hidden_cards(facts)
    cards = visible_cards(facts)
    if cards:
        version = f" under driver {driver['driver']}" if driver.get("driver") else ""
        cuda = f", which runs CUDA up to {driver['cuda']}" if driver.get("cuda") else ""
        shown = ", ".join(card_name(card) for card in cards)
        yield Finding(level="ok", topic="cards", what=f"{shown}{version}{cuda}.")
        if hidden is not None:
            yield Finding(
                level="note",
                topic="cards",
                what=f"No card is used: {hidden}.",
                advice="Unset CUDA_VISIBLE_DEVICES to use them."
                if "CUDA_VISIBLE_DEVICES" in hidden
                else "In a container, pass the devices through (docker run --gpus all).",
            )
        elif lacks_library(facts):
            yield Finding(
                level="problem",
                topic="cards",
                what=f"nvidia-smi sees the {card_name(cards[0])}, but the driver's library that "
                "programs compute with (libcuda) is not to be found.",
                advice="In a container, ask for it (docker run --gpus all "
                "-e NVIDIA_DRIVER_CAPABILITIES=compute,utility); else install the driver anew. "
                "device=cpu works without it.",
            )
    elif facts.get("pci_cards") == 0 and hidden is not None:
        yield _no_card(hidden)  # a driver without a card, as on the first node of a cluster
    elif trouble := _driver_trouble(driver):
        yield Finding(
            level="problem",
            topic="cards",
            what=f"The NVIDIA driver does not answer: {trouble}.",
            advice="After an update of the driver restart the machine; else install the driver "
            "anew. device=cpu works without it.",
        )
    elif facts.get("pci_cards") and hidden is not None and "CUDA_VISIBLE" not in hidden:
        yield Finding(
            level="note",
            topic="cards",
            what="This machine has an NVIDIA card that no driver shows. Every model runs on the "
            "CPU.",
            advice="To use it, install NVIDIA's driver; in a container, pass the card through "
            "(docker run --gpus all).",
        )
    else:
        yield _no_card(hidden or "this machine shows no NVIDIA card")


def _no_card(reason: str) -> Finding:
    return Finding(
        level="note",
        topic="cards",
        what=f"No card to compute on: {reason}. Every model runs on the CPU.",
    )


def _driver_trouble(driver: Facts) -> str | None:
    """Return what nvidia-smi complained of; None where it is absent or there is no card."""
    if error := driver.get("error"):
        return str(error)
    said = str(driver.get("nvidia_smi", "absent"))
    if said in ("ok", "absent") or "No devices were found" in said:
        return None
    return said.rstrip(".")


def judge_torch(facts: Facts) -> Iterator[Finding]:
    """Say whether torch computes on the CPU and on each card, and which build would."""
    torch = part(facts, "torch")
    if "version" not in torch:
        if is_installed(facts, "torch"):
            yield broken(facts, "torch", str(torch.get("error", "it said nothing")))
        return
    computed = part(torch, "computed")
    if wrong := computed.get("cpu", torch.get("error", "it computed nothing")):
        yield broken(facts, "torch", str(wrong))
        return
    cuda = torch.get("cuda")
    build = f"torch {torch['version']} ({f'CUDA {cuda}' if cuda else 'no CUDA'})"
    yield Finding(level="ok", topic="torch", what=f"{build} computes on the CPU.")
    cards = visible_cards(facts)
    if not cards or hidden_cards(facts) is not None or lacks_library(facts):
        return
    if cuda is None:
        yield _other_build(
            facts,
            what=f"{build} cannot use the {card_name(cards[0])}: it is a build without CUDA.",
        )
        return
    n_seen = torch.get("n_cards", 0)
    for index in range(n_seen or 1):
        card = cards[index] if index < len(cards) else {}
        device = f"cuda:{index}"
        wrong = computed.get(device, torch.get("error", "torch sees no card"))
        if wrong is None:
            yield Finding(
                level="ok", topic="torch", what=f"{build} computes on {device}, {card_name(card)}."
            )
        else:
            yield _useless_card(facts, card, build=build, reason=str(wrong))
    if n_seen and n_seen < len(entries(facts, "driver", "cards")):
        yield Finding(
            level="note",
            topic="torch",
            what=f"torch sees {n_seen} of {len(entries(facts, 'driver', 'cards'))} cards.",
            advice="CUDA_VISIBLE_DEVICES and the container or scheduler say which.",
        )


def _useless_card(facts: Facts, card: Facts, *, build: str, reason: str) -> Finding:
    """Say why a build of torch does not compute on a card, and which one would."""
    torch, driver = part(facts, "torch"), part(facts, "driver")
    built, runs = read_version(torch.get("cuda")), read_version(driver.get("cuda"))
    capability = read_version(card.get("capability"))
    architectures = torch.get("architectures") or []
    name = card_name(card)
    if built and runs and runs[0] < built[0]:
        oldest = OLDEST_DRIVERS.get(built[0])
        newer = f", or update the driver to {oldest} or newer" if oldest else ""
        return _other_build(
            facts,
            what=f"The driver is too old for {build}: it runs CUDA up to {driver['cuda']}, "
            f"CUDA {torch['cuda']} is asked for.",
            alternative=newer,
        )
    if capability and architectures and not covers(architectures, capability):
        numbers = [int(found) for found in re.findall(r"sm_(\d+)", " ".join(architectures))]
        newest = max(numbers, default=0)
        age = "too new" if capability[0] * 10 + capability[1] > newest else "too old"
        return _other_build(
            facts,
            what=f"The {name} is {age} for {build}: its compute capability is "
            f"{capability[0]}.{capability[1]}, the build knows {', '.join(architectures)}.",
            card=card,
        )
    advice = "Restart the machine if the driver was updated; see what else uses the card with "
    if "out of memory" in reason:
        advice = "Another program holds its memory: end it, or wait. To see it: "
    if (library := str(driver.get("library", "ok"))) not in ("ok", "absent"):
        reason = f"{reason}; of the driver's own library {library}"
    return Finding(
        level="problem",
        topic="torch",
        what=f"{build} does not compute on the {name}: {reason}.",
        advice=f"{advice}nvidia-smi. device=cpu works without it.",
    )


def _other_build(
    facts: Facts, *, what: str, alternative: str = "", card: Facts | None = None
) -> Finding:
    """Say that another build of torch is needed, with the command that installs it."""
    build = suitable_build(facts)
    capability = read_version((card or {}).get("capability"))
    if build is not None and capability is not None and not build.runs(capability):
        return _odd_card(facts, what)
    if build is None:
        no_build = (
            "No published build of torch that smalldata works with suits this card and driver"
        )
        return Finding(
            level="problem",
            topic="torch",
            what=what,
            advice=f"{no_build}{alternative or '; update the driver'}. device=cpu works without.",
        )
    return Finding(
        level="problem",
        topic="torch",
        what=what,
        advice=f"Install the build for CUDA {build.cuda[0]}.{build.cuda[1]}{alternative}.",
        command=pip_command(facts, *install_words(build)),
    )


def _odd_card(facts: Facts, what: str) -> Finding:
    """Say of a card that no build runs beside the others how to leave it out."""
    computed = part(part(facts, "torch"), "computed")
    working = [device.partition(":")[2] for device, wrong in computed.items() if wrong is None]
    others = ",".join(filter(None, working))
    first_works = computed.get("cuda:0", "") is None
    return Finding(
        level="note" if first_works else "problem",
        topic="torch",
        what=what,
        advice="No published build of torch runs it beside the other cards. A run takes the first "
        f"card{', which works' if first_works else ': leave this one out'}.",
        command=""
        if first_works or not others
        else set_command(facts, {"CUDA_VISIBLE_DEVICES": others}),
    )


def judge_xgboost(facts: Facts) -> Iterator[Finding]:
    """Say whether xgboost computes on the CPU, and on a card that torch computes on."""
    xgboost = part(facts, "xgboost")
    if "version" not in xgboost:
        if is_installed(facts, "xgboost"):
            yield broken(facts, "xgboost", str(xgboost.get("error", "it said nothing")))
        return
    computed = part(xgboost, "computed")
    if wrong := computed.get("cpu", xgboost.get("error", "it computed nothing")):
        yield broken(facts, "xgboost", str(wrong))
        return
    cuda = xgboost.get("cuda")
    build = f"xgboost {xgboost['version']} ({f'CUDA {cuda}' if cuda else 'no CUDA'})"
    yield Finding(level="ok", topic="xgboost", what=f"{build} computes on the CPU.")
    if not card_works(facts):  # then torch's finding says what is wrong with the card
        return
    if cuda is None:
        yield Finding(
            level="problem",
            topic="xgboost",
            what=f"{build} cannot use the card that torch computes on.",
            advice="Replace it by the build with CUDA, which Linux with glibc 2.28 or newer and "
            "Windows have.",
            command=f"{pip_command(facts, 'uninstall', '--yes', 'xgboost', 'xgboost-cpu')} && "
            f"{pip_command(facts, 'install', '--no-cache-dir', tested(facts, 'xgboost'))}",
        )
        return
    if wrong := computed.get("cuda", xgboost.get("error", "it did not try")):
        yield _useless_xgboost(facts, build=build, reason=wrong)
    else:
        yield Finding(level="ok", topic="xgboost", what=f"{build} computes on cuda.")


def _useless_xgboost(facts: Facts, *, build: str, reason: str) -> Finding:
    """Say why xgboost does not compute on a card that torch computes on."""
    cuda, driver = part(facts, "xgboost").get("cuda"), part(facts, "driver").get("cuda")
    built, runs = read_version(cuda), read_version(driver)
    if built and runs and runs[0] < built[0]:
        newest = OLDEST_DRIVERS.get(built[0])
        return Finding(
            level="problem",
            topic="xgboost",
            what=f"The driver is too old for {build}: it runs CUDA up to {driver}.",
            advice=f"Update the driver{f' to {newest} or newer' if newest else ''}. device=cpu "
            "works without it.",
        )
    again = ("install", "--force-reinstall", "--no-deps", "--no-cache-dir")
    return Finding(
        level="problem",
        topic="xgboost",
        what=f"{build} does not compute on the card that torch computes on: {reason}.",
        advice="Install the tested version anew; if that does not help, device=cpu works without "
        "the card.",
        command=pip_command(facts, *again, tested(facts, "xgboost")),
    )


def judge_auto(facts: Facts) -> Iterator[Finding]:
    """Say which device a run takes by itself, and why."""
    found = entries(facts, "torch", "auto")
    if len(found) == 2:
        device, reason = found
        yield Finding(
            level="ok", topic="device", what=f"device=auto takes {device}: {as_sentence(reason)}"
        )
