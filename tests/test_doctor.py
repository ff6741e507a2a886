"""The doctor: every case over a dict, and the collecting on the machine at hand."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from smalldata.__main__ import main
from smalldata.doctor import machine, probes
from smalldata.doctor.builds import BUILDS, choose_build, covers, install_words, read_version
from smalldata.doctor.diagnosis import GIB, diagnose, is_healthy
from smalldata.doctor.facts import Finding
from smalldata.doctor.limits import cgroup_limits
from smalldata.runtime import catalogue
from smalldata.runtime.devices import first_line, resolve_device

INDEX = "https://download.pytorch.org/whl"
H100 = {"name": "NVIDIA H100", "memory_bytes": 80 * GIB, "capability": "9.0"}
BLACKWELL = {"name": "RTX 5090", "memory_bytes": 32 * GIB, "capability": "12.0"}
PASCAL = {"name": "GTX 1080", "memory_bytes": 8 * GIB, "capability": "6.1"}
KEPLER = {"name": "Tesla K80", "memory_bytes": 12 * GIB, "capability": "3.7"}


def _library(installed, *, requires=">=1", tested="1.5", extra=None, wanted=None):
    return {
        "installed": installed,
        "requires": requires,
        "wanted": wanted or f"x{requires}",
        "tested": tested,
        "extra": extra,
    }


@pytest.fixture
def plain():
    """A healthy machine without a card."""
    pool = {"user_api": "blas", "internal_api": "openblas", "prefix": "libopenblas"}
    openmp = {"user_api": "openmp", "internal_api": "openmp", "prefix": "libgomp"}
    return {
        "schema_version": 1,
        "smalldata": {"version": "0.1.0", "path": "/site/smalldata"},
        "python": {
            "version": "3.11.9",
            "requires": ">=3.11",
            "bits": 64,
            "executable": "/env/bin/python",
            "pip": ["python", "-m", "pip"],
        },
        "platform": {
            "system": "Linux",
            "release": "6.1",
            "machine": "x86_64",
            "libc": "glibc 2.36",
        },
        "environment": {},
        "cores": {"machine": 4, "affinity": 4, "cgroup": None, "usable": 4},
        "memory": {"total_bytes": 16 * GIB, "limit_bytes": None, "available_bytes": 12 * GIB},
        "libraries": {
            "numpy": _library("2.4.6", requires=">=2.1", tested="2.4.6"),
            "torch": _library("2.13.0+cpu", requires=">=2.4", tested="2.13.0"),
            "xgboost": _library("3.2.0", requires=">=3.0", tested="3.2.0"),
        },
        "outputs": {"path": "outputs", "error": None, "free_bytes": 100 * GIB},
        "missing_card": "this machine shows no NVIDIA card",
        "driver": {"nvidia_smi": "absent", "library": "absent"},
        "numeric": {
            "failed": {},
            "computed": {"cpu": None},
            "pools": [{**pool, "filepath": "/numpy/libopenblas.so", "num_threads": 4}],
        },
        "torch": {
            "version": "2.13.0+cpu",
            "cuda": None,
            "computed": {"cpu": None},
            "pools": [{**openmp, "filepath": "/torch/libgomp.so", "num_threads": 4}],
            "auto": ["cpu", "this machine shows no NVIDIA card"],
        },
        "xgboost": {"version": "3.2.0", "cuda": "12.9", "computed": {"cpu": None}, "pools": []},
    }


@pytest.fixture
def carded(plain):
    """A healthy machine with a card."""
    plain["missing_card"] = None
    plain["libraries"]["torch"]["installed"] = "2.13.0"
    plain["driver"] = {
        "nvidia_smi": "ok",
        "driver": "580.65",
        "cards": [H100],
        "library": "ok",
        "cuda": "13.0",
        "visible": [H100],
    }
    plain["torch"] |= {
        "version": "2.13.0+cu130",
        "cuda": "13.0",
        "architectures": ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"],
        "computed": {"cpu": None, "cuda:0": None},
        "trying": None,
        "n_cards": 1,
        "auto": ["cuda", "a small computation on it worked"],
    }
    plain["xgboost"]["computed"] = {"cpu": None, "cuda": None}
    return plain


def _set_card(facts, card, *, wrong="torch cannot compute on it (CUDA error: no kernel image)"):
    facts["driver"] |= {"cards": [card], "visible": [card]}
    facts["torch"]["computed"]["cuda:0"] = wrong
    facts["torch"]["auto"] = ["cpu", wrong]
    facts["xgboost"]["computed"] = {"cpu": None, "cuda": "xgboost cannot compute on it (…)"}


def _problems(facts):
    return [found for found in diagnose(facts) if found.level == "problem"]


def _only_problem(facts) -> Finding:
    problems = _problems(facts)
    assert len(problems) == 1, problems
    assert problems[0].what.endswith(".")
    assert problems[0].advice.endswith(".")
    return problems[0]


def _about(facts, topic, level=None):
    found = [
        each for each in diagnose(facts) if each.topic == topic and level in (None, each.level)
    ]
    assert found, topic
    return found[0]


# ---------------------------------------------------------------- healthy machines


def test_a_machine_without_a_card_is_healthy(plain):
    findings = diagnose(plain)
    assert is_healthy(findings)
    note = _about(plain, "cards")
    assert note.level == "note"
    assert "no NVIDIA card" in note.what
    assert [each.topic for each in findings if each.level == "note"] == ["cards"]
    assert _about(plain, "device").what.startswith("device=auto takes cpu: this machine shows")


def test_a_machine_with_a_card_is_healthy(carded):
    findings = diagnose(carded)
    assert {found.level for found in findings} == {"ok"}
    said = " ".join(found.what for found in findings)
    assert "NVIDIA H100 (80 GiB) under driver 580.65, which runs CUDA up to 13.0." in said
    assert "torch 2.13.0+cu130 (CUDA 13.0) computes on cuda:0, NVIDIA H100 (80 GiB)." in said
    assert "xgboost 3.2.0 (CUDA 12.9) computes on cuda." in said
    assert "device=auto takes cuda" in said


def test_diagnose_without_facts_does_not_crash():
    assert diagnose({})
    parts = ("python", "memory", "torch", "xgboost", "libraries", "numeric", "outputs", "driver")
    assert diagnose({part: {"error": "odd"} for part in parts})
    assert all(found.topic for found in diagnose({"driver": {}, "torch": {"error": "odd"}}))


@pytest.mark.parametrize("part", ["cores", "memory", "libraries"])
def test_part_that_could_not_be_read_is_a_finding(plain, part):
    plain[part] = {"error": "OSError: odd"}
    topic = "versions" if part == "libraries" else part
    assert _about(plain, topic).what == "Could not be read: OSError: odd."
    assert is_healthy(diagnose(plain))


# ---------------------------------------------------------------- cards and builds


def test_cpu_build_of_torch_with_a_card_is_a_problem(carded):
    carded["torch"] |= {"version": "2.13.0+cpu", "cuda": None, "computed": {"cpu": None}}
    problem = _only_problem(carded)
    assert "cannot use the NVIDIA H100 (80 GiB): it is a build without CUDA" in problem.what
    # Without "+cu130" pip would find 2.13.0 installed and do nothing.
    assert problem.command == f"python -m pip install torch==2.13.0+cu130 --index-url {INDEX}/cu130"


def test_card_too_new_for_this_torch_is_a_problem(carded):
    _set_card(carded, BLACKWELL)
    carded["torch"] |= {"version": "2.6.0+cu124", "cuda": "12.4"}
    carded["torch"]["architectures"] = ["sm_50", "sm_80", "sm_86", "sm_90"]
    problem = _only_problem(carded)
    assert "RTX 5090 (32 GiB) is too new for torch 2.6.0+cu124 (CUDA 12.4)" in problem.what
    assert "compute capability is 12.0, the build knows sm_50, sm_80, sm_86, sm_90" in problem.what
    assert problem.command.endswith(f"install torch==2.13.0+cu130 --index-url {INDEX}/cu130")


def test_new_card_with_cuda_12_driver_gets_a_fitting_build(carded):
    _set_card(carded, BLACKWELL)
    carded["driver"]["cuda"] = "12.8"
    carded["torch"] |= {"version": "2.6.0+cu124", "cuda": "12.4", "architectures": ["sm_90"]}
    assert "torch==2.11.0+cu128" in _only_problem(carded).command


def test_card_too_old_for_this_torch_gets_an_older_cuda_build(carded):
    _set_card(carded, PASCAL)
    problem = _only_problem(carded)
    assert "GTX 1080 (8.0 GiB) is too old for torch 2.13.0+cu130" in problem.what
    assert "torch==2.13.0+cu126" in problem.command
    assert f"{INDEX}/cu126" in problem.command


def test_equal_cards_give_one_problem(carded):
    _set_card(carded, PASCAL)
    carded["driver"] |= {"cards": [PASCAL] * 8, "visible": [PASCAL] * 8}
    carded["torch"] |= {"n_cards": 8, "computed": {"cpu": None}}
    carded["torch"]["computed"] |= {f"cuda:{i}": "no kernel image" for i in range(8)}
    assert "cu126" in _only_problem(carded).command


def test_driver_error_message_is_quoted(carded):
    _set_card(carded, H100, wrong="torch sees no card")
    carded["driver"] |= {"visible": [], "library": "cuInit failed with error 999"}
    assert "cuInit failed with error 999" in _only_problem(carded).what


def test_card_without_any_published_build_is_a_problem(carded):
    _set_card(carded, KEPLER)
    problem = _only_problem(carded)
    assert "too old" in problem.what
    assert problem.command == ""
    assert "No published build" in problem.advice
    assert "device=cpu" in problem.advice


def test_driver_too_old_for_this_torch_is_a_problem(carded):
    _set_card(carded, H100, wrong="torch sees no card")
    carded["driver"] |= {"driver": "535.104", "cuda": "12.2"}
    del carded["torch"]["computed"]["cuda:0"]
    carded["torch"]["n_cards"] = 0
    problem = _only_problem(carded)
    assert "The driver is too old for torch 2.13.0+cu130 (CUDA 13.0)" in problem.what
    assert "runs CUDA up to 12.2, CUDA 13.0 is asked for" in problem.what
    assert "torch==2.13.0+cu126" in problem.command
    assert "or update the driver to 580 or newer" in problem.advice


def test_a_driver_of_cuda_11_gets_the_last_build_for_it(carded):
    _set_card(carded, H100)
    carded["driver"]["cuda"] = "11.4"
    assert "torch==2.7.1+cu118" in _only_problem(carded).command
    carded["driver"]["cuda"] = "10.2"
    problem = _only_problem(carded)
    assert problem.command == ""
    assert "update the driver to 580" in problem.advice


def test_driver_of_an_older_minor_version_is_healthy(carded):
    """Within a major version of CUDA an older driver runs newer builds."""
    carded["driver"]["cuda"] = "13.0"
    carded["torch"] |= {"version": "2.13.0+cu132", "cuda": "13.2"}
    assert is_healthy(diagnose(carded))
    _set_card(carded, H100, wrong="torch cannot compute on it (CUDA error: out of memory)")
    problem = _only_problem(carded)
    assert "driver" not in problem.what
    assert "out of memory" in problem.what
    assert "Another program holds its memory" in problem.advice


def test_card_that_computes_is_healthy_whatever_its_versions(carded):
    """A list of architectures or a version is no reason to complain of a card that computes."""
    carded["torch"]["architectures"] = ["sm_50"]
    carded["driver"]["cuda"] = "12.2"
    assert is_healthy(diagnose(carded))


def test_torch_crash_on_the_second_card_is_a_problem(carded):
    carded["driver"] |= {"cards": [H100, H100], "visible": [H100, H100]}
    died = {"trying": "cuda:1", "error": "the process died of SIGSEGV"}
    carded["torch"] |= {"n_cards": 2, "auto": None, **died}
    problem = _only_problem(carded)
    assert "SIGSEGV" in problem.what
    assert "computes on cuda:0" in " ".join(each.what for each in diagnose(carded))


def test_torch_hanging_in_the_driver_is_a_problem(carded):
    carded["torch"] |= {"error": "no answer within 60 s", "computed": {"cpu": None}}
    del carded["torch"]["n_cards"], carded["torch"]["auto"]
    problem = _only_problem(carded)
    assert "no answer within 60 s" in problem.what
    assert "nvidia-smi" in problem.advice


def test_hidden_cards_are_a_note(carded):
    hidden = "CUDA_VISIBLE_DEVICES hides every card"
    carded |= {"missing_card": hidden}
    carded["driver"]["visible"] = []
    carded["torch"] |= {"computed": {"cpu": None}, "auto": ["cpu", hidden]}
    carded["xgboost"]["computed"] = {"cpu": None}
    assert is_healthy(diagnose(carded))
    note = _about(carded, "cards", "note")
    assert hidden in note.what
    assert note.advice == "Unset CUDA_VISIBLE_DEVICES to use them."


def test_a_variable_that_names_no_card_is_a_note(carded):
    """The driver is well: neither a restart nor another build would help."""
    carded["environment"] = {"CUDA_VISIBLE_DEVICES": "7"}
    carded["driver"] |= {"visible": [], "library": "cuInit failed with error 100"}
    carded["torch"] |= {"computed": {"cpu": None}, "n_cards": 0, "auto": ["cpu", "no card"]}
    carded["xgboost"]["computed"] = {"cpu": None, "cuda": "xgboost finds no card"}
    assert is_healthy(diagnose(carded))
    note = _about(carded, "cards", "note")
    assert note.what == "No card is used: CUDA_VISIBLE_DEVICES=7 names no card of this machine."
    assert note.advice == "Unset CUDA_VISIBLE_DEVICES to use them."
    carded["environment"] = {}
    assert "error 100" in _only_problem(carded).what


@pytest.mark.parametrize("cuda", ["13.0", None])
def test_container_with_incomplete_driver_is_a_problem(carded, cuda):
    """nvidia-smi works there, torch does not, and no build of torch would."""
    carded["driver"] = {"nvidia_smi": "ok", "driver": "535.104", "cards": [H100]}
    carded["driver"]["library"] = "absent"
    carded["torch"] |= {"cuda": cuda, "computed": {"cpu": None}, "n_cards": 0}
    problem = _only_problem(carded)
    assert problem.topic == "cards"
    assert "nvidia-smi sees the NVIDIA H100 (80 GiB), but the driver's library" in problem.what
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in problem.advice
    assert problem.command == ""


def test_unsupported_card_beside_supported_ones_is_reported(carded):
    carded["driver"] |= {"cards": [H100, KEPLER], "visible": [H100, KEPLER]}
    carded["torch"] |= {"n_cards": 2}
    carded["torch"]["computed"]["cuda:1"] = "no kernel image"
    assert is_healthy(diagnose(carded))  # a run takes the first one
    note = _about(carded, "torch", "note")
    assert "Tesla K80 (12 GiB) is too old" in note.what
    assert "A run takes the first card, which works." in note.advice
    assert note.command == ""  # what would be installed is installed
    carded["driver"] |= {"cards": [KEPLER, H100], "visible": [KEPLER, H100]}
    carded["torch"]["computed"] |= {"cuda:0": "no kernel image", "cuda:1": None}
    problem = _only_problem(carded)
    assert "leave this one out" in problem.advice
    assert problem.command == "export CUDA_VISIBLE_DEVICES=1"


FAILED_SMI = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."


def test_a_driver_on_a_machine_without_a_card_is_no_problem(plain):
    """As on the first node of a cluster, which has all programs of the others."""
    plain["driver"] = {"nvidia_smi": FAILED_SMI, "library": "absent"}
    assert "couldn't communicate" in _only_problem(plain).what
    plain["pci_cards"] = 0
    assert is_healthy(diagnose(plain))
    assert "No card to compute on: this machine shows no NVIDIA card" in _about(plain, "cards").what
    # WSL has no slots, and shows its card otherwise.
    plain["missing_card"] = None
    assert "couldn't communicate" in _only_problem(plain).what


def test_a_card_without_a_driver_is_a_note(plain):
    plain["pci_cards"] = 1
    assert is_healthy(diagnose(plain))
    note = _about(plain, "cards", "note")
    assert "has an NVIDIA card that no driver shows" in note.what
    assert "install NVIDIA's driver" in note.advice
    plain["missing_card"] = "CUDA_VISIBLE_DEVICES hides every card"
    assert "hides every card" in _about(plain, "cards", "note").what


def test_cards_are_counted_in_their_slots(tmp_path):
    for slot, (vendor, kind) in {
        "0000:01:00.0": ("0x10de", "0x030000"),
        "0000:01:00.1": ("0x10de", "0x040300"),  # its sound
        "0000:02:00.0": ("0x10de", "0x030200"),
        "0000:03:00.0": ("0x8086", "0x030000"),
    }.items():
        (tmp_path / slot).mkdir()
        (tmp_path / slot / "vendor").write_text(f"{vendor}\n")
        (tmp_path / slot / "class").write_text(f"{kind}\n")
    assert machine.count_pci_cards(tmp_path) == 2
    assert machine.count_pci_cards(tmp_path / "none") is None


def test_fewer_cards_seen_than_there_are_is_a_note(carded):
    carded["driver"]["cards"] = [H100, PASCAL]
    assert is_healthy(diagnose(carded))
    assert _about(carded, "torch", "note").what == "torch sees 1 of 2 cards."


def test_driver_that_does_not_answer_is_a_problem(carded):
    mismatch = "Failed to initialize NVML: Driver/library version mismatch"
    carded["driver"] = {"nvidia_smi": mismatch, "library": "cuInit failed with error 804"}
    carded["torch"] |= {"computed": {"cpu": None}, "n_cards": 0}
    problem = _only_problem(carded)
    assert mismatch in problem.what
    assert "restart the machine" in problem.advice
    carded["driver"] = {"error": "no answer within 60 s"}
    assert "no answer" in _only_problem(carded).what


def test_xgboost_without_cuda_with_a_card_is_reported(carded):
    carded["xgboost"] |= {"cuda": None, "computed": {"cpu": None}}
    problem = _only_problem(carded)
    assert "xgboost 3.2.0 (no CUDA) cannot use the card" in problem.what
    assert problem.command == (
        "python -m pip uninstall --yes xgboost xgboost-cpu && "
        "python -m pip install --no-cache-dir xgboost==3.2.0"
    )


def test_xgboost_without_cuda_is_fine_without_a_card(plain):
    plain["xgboost"]["cuda"] = None
    assert is_healthy(diagnose(plain))


def test_xgboost_failing_where_torch_computes_is_a_problem(carded):
    carded["xgboost"]["computed"]["cuda"] = "xgboost cannot compute on it (no kernel image)"
    problem = _only_problem(carded)
    assert "no kernel image" in problem.what
    # The tested version is installed already: pip would do nothing without being told to.
    assert problem.command == (
        "python -m pip install --force-reinstall --no-deps --no-cache-dir xgboost==3.2.0"
    )
    carded["xgboost"] |= {"computed": {"cpu": None}, "error": "the process died of SIGSEGV"}
    assert "SIGSEGV" in _only_problem(carded).what


def test_driver_too_old_for_xgboost_only_is_reported(carded):
    """No build of xgboost is for CUDA 11, so there is nothing to install."""
    carded["driver"]["cuda"] = "11.4"
    carded["torch"] |= {"version": "2.7.1+cu118", "cuda": "11.8"}
    carded["xgboost"]["computed"]["cuda"] = "xgboost cannot compute on it (driver version …)"
    problem = _only_problem(carded)
    assert "The driver is too old for xgboost 3.2.0 (CUDA 12.9): it runs CUDA up to" in problem.what
    assert "Update the driver to 525.60 or newer" in problem.advice
    assert problem.command == ""


# ---------------------------------------------------------------- broken and wrong libraries


def test_broken_torch_is_a_problem(plain):
    plain["torch"] = {"error": "ImportError: libc10.so: cannot open shared object file"}
    problem = _only_problem(plain)
    assert problem.topic == "torch"
    assert "torch 2.13.0+cpu is installed and does not work: ImportError: libc10.so" in problem.what
    assert problem.command == (
        f"python -m pip install --force-reinstall torch==2.13.0 --index-url {INDEX}/cpu"
    )


def test_broken_torch_with_a_card_gets_a_cuda_build(carded):
    carded["torch"] = {"error": "ImportError: libcudart.so.13: cannot open shared object file"}
    command = _only_problem(carded).command
    assert command.endswith(f"--force-reinstall torch==2.13.0+cu130 --index-url {INDEX}/cu130")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("OSError: [WinError 126] the module c10.dll", "Visual C++ Redistributable"),
        ("XGBoostError: libxgboost.dylib: libomp.dylib not loaded", "brew install libomp"),
        ("the process died of SIGILL", "processor lacks instructions"),
        ("OSError: version `GLIBC_2.28' not found", "C library"),
    ],
)
def test_well_known_errors_have_their_own_advice(plain, reason, advice):
    plain["xgboost"] = {"error": reason}
    problem = _only_problem(plain)
    assert problem.topic == "xgboost"
    assert advice in problem.advice
    assert problem.command.endswith("--force-reinstall --no-cache-dir xgboost==3.2.0")


def test_a_file_that_hides_a_library_is_named(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert machine._hidden_libraries() == {}
    (tmp_path / "torch.py").write_text("my = 'own script'\n")
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").touch()
    plain["hidden"] = machine._hidden_libraries()
    assert plain["hidden"].keys() == {"torch", "scikit-learn"}
    plain["torch"] = {"error": "AttributeError: module 'torch' has no attribute '__version__'"}
    problem = _only_problem(plain)
    assert problem.what.startswith(f"torch is hidden by {tmp_path / 'torch.py'}")
    assert problem.command == ""
    assert "Rename that file" in problem.advice


def test_a_missing_library_is_named_once(plain):
    plain["libraries"]["torch"]["installed"] = None
    plain["torch"] = {"error": "ModuleNotFoundError: No module named 'torch'"}
    problem = _only_problem(plain)
    assert problem.what == "torch>=2.4 is not installed."
    assert problem.command == f"python -m pip install torch==2.13.0 --index-url {INDEX}/cpu"
    plain["libraries"]["numpy"]["installed"] = None
    plain["numeric"] = {"failed": {"numpy": "ModuleNotFoundError: …"}, "error": "…"}
    commands = [found.command for found in _problems(plain)]
    assert commands == ["python -m pip install numpy==2.4.6", problem.command]


def test_versions_out_of_bounds_are_problems(plain):
    plain["libraries"]["numpy"]["installed"] = "1.26.4"
    problem = _only_problem(plain)
    assert problem.what == "numpy must be >=2.1; 1.26.4 is installed."
    assert problem.command == "python -m pip install numpy==2.4.6"


def test_other_versions_than_the_tested_are_a_note(plain):
    plain["libraries"]["numpy"]["installed"] = "2.5.0"
    assert is_healthy(diagnose(plain))
    note = _about(plain, "versions")
    assert note.level == "note"
    assert "1 of 3 libraries" in note.what
    assert "numpy 2.5.0 (tested: 2.4.6)" in note.what
    plain["libraries"]["numpy"]["installed"] = "2.4.6"
    assert _about(plain, "versions").what == "3 libraries are of the tested versions."


def test_missing_extras_are_a_note(plain):
    plain["libraries"]["h5py"] = _library(None, extra="h5ad", wanted="h5py>=3.11")
    psycopg = _library(None, extra="postgres", wanted="psycopg[binary]>=3.2")
    plain["libraries"]["psycopg"] = psycopg
    assert is_healthy(diagnose(plain))
    note = _about(plain, "extras")
    assert note.level == "note"
    assert "h5ad (dataset=h5ad)" in note.what
    assert note.command == "python -m pip install 'h5py>=3.11' 'psycopg[binary]>=3.2'"


def test_an_extra_of_a_wrong_version_is_a_problem(plain):
    plain["libraries"]["h5py"] = _library("3.0", requires=">=3.11", extra="h5ad")
    assert "h5py must be >=3.11" in _only_problem(plain).what


def test_library_that_does_not_load_is_a_problem(plain):
    plain["numeric"]["failed"] = {"scipy": "ImportError: libgfortran.so.5"}
    problem = _only_problem(plain)
    assert problem.topic == "scipy"
    assert "libgfortran" in problem.what


def test_wrong_or_crashing_numpy_is_a_problem(plain):
    plain["numeric"]["computed"] = {"cpu": "a wrong solution, [0. 0.]"}
    assert "a wrong solution" in _only_problem(plain).what
    plain["numeric"] = {"failed": {}, "trying": "numba", "error": "the process died of SIGILL"}
    assert _only_problem(plain).topic == "numba"


def test_the_pip_of_this_environment_is_named_and_quoted(plain):
    plain["python"]["pip"] = ["/my envs/a/bin/python", "-m", "pip"]
    plain["libraries"]["numpy"]["installed"] = None
    assert _only_problem(plain).command.startswith("'/my envs/a/bin/python' -m pip install ")
    plain["python"]["pip"] = [r"C:\my envs\python.exe", "-m", "pip"]
    plain["platform"]["system"] = "Windows"
    plain["libraries"]["numpy"]["tested"] = None  # then its bounds, with a sign of the shells
    assert _only_problem(plain).command == r'"C:\my envs\python.exe" -m pip install "x>=2.1"'
    plain["python"]["pip"] = [r"C:\env\python.exe", "-m", "pip"]
    assert _only_problem(plain).command.startswith(r"C:\env\python.exe -m pip install ")


# ---------------------------------------------------------------- Python, cores, memory, threads


def test_python_version_out_of_bounds_is_a_problem(plain):
    plain["python"]["version"] = "3.10.4"
    assert "Python must be >=3.11; this is 3.10.4." in _only_problem(plain).what
    plain["python"] |= {"version": "3.12.0", "bits": 32}
    assert "32-bit" in _only_problem(plain).what


def test_core_limits_are_reported(plain):
    plain["cores"] = {"machine": 64, "affinity": 8, "cgroup": 2.5, "usable": 3}
    what = _about(plain, "cores").what
    assert "3 of 64 cores may be used" in what
    assert "a control group allows 2.5" in what
    assert "affinity of this process 8" in what


def test_little_memory_is_reported(plain):
    plain["memory"]["available_bytes"] = int(1.6 * GIB)
    note = _about(plain, "memory")
    assert note.level == "note"
    assert note.advice == "Run with n_jobs=3."
    plain["memory"]["available_bytes"] = GIB // 4
    problem = _only_problem(plain)
    assert "0.2 GiB of memory are free, of 16 GiB." in problem.what
    plain["memory"] |= {"available_bytes": 2 * GIB, "limit_bytes": 3 * GIB}
    assert "of 3.0 GiB that a control group allows" in _about(plain, "memory").what
    plain["memory"] = {"total_bytes": 16 * GIB, "available_bytes": None}  # macOS does not say
    assert _about(plain, "memory").what == "16 GiB of memory."


def test_more_threads_than_cores_is_reported(plain):
    plain["cores"]["usable"] = 2
    plain["numeric"]["pools"][0]["num_threads"] = 64
    assert is_healthy(diagnose(plain))
    note = _about(plain, "threads")
    assert note.level == "note"
    assert "openblas 64" in note.what
    assert "more than the 2 cores" in note.what
    assert note.command == "export OMP_NUM_THREADS=2"
    plain["environment"] = {"OPENBLAS_NUM_THREADS": "64"}
    note = _about(plain, "threads")
    assert "OPENBLAS_NUM_THREADS=64 asks for them" in note.what
    # OpenBLAS reads its own variable first, so the common one alone would change nothing.
    assert note.command == "export OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2"
    plain["platform"]["system"] = "Windows"
    assert _about(plain, "threads").command == (
        'set "OMP_NUM_THREADS=2" & set "OPENBLAS_NUM_THREADS=2"'
    )
    plain["cores"]["usable"] = 64
    assert _about(plain, "threads").level == "ok"


def test_two_openmp_libraries_are_reported(plain):
    for prefix in ("libiomp", "libomp"):
        plain["xgboost"]["pools"].append(
            {"user_api": "openmp", "prefix": prefix, "filepath": prefix, "num_threads": 4}
        )
    notes = [found for found in diagnose(plain) if found.topic == "threads"]
    assert [found.level for found in notes] == ["ok", "note"]
    assert "loaded together" in notes[1].what


def test_unwritable_outputs_are_a_problem(plain):
    plain["outputs"] = {"path": "out", "error": "Permission denied", "free_bytes": 0}
    problem = _only_problem(plain)
    assert problem.what == "Results cannot be written to out: Permission denied."
    assert "outputs=DIR" in problem.advice


def test_little_disk_space_is_reported(plain):
    plain["outputs"]["free_bytes"] = GIB // 2
    assert _about(plain, "outputs").level == "note"
    assert is_healthy(diagnose(plain))
    plain["outputs"]["free_bytes"] = GIB // 100
    assert "0.0 GiB of disk are free" in _only_problem(plain).what


# ---------------------------------------------------------------- builds


def test_the_recommended_build_is_the_tested_torch():
    tested = catalogue.tested_versions()["torch"]
    assert BUILDS[0].torch == tested, "bring BUILDS up to PyTorch's support matrix"
    (bound,) = [
        Requirement(line).specifier
        for line in metadata.requires("smalldata")
        if Requirement(line).name == "torch"
    ]
    assert all(bound.contains(build.torch) for build in BUILDS)


@pytest.mark.parametrize(
    ("architectures", "capability", "expected"),
    [
        (["sm_80", "sm_86"], (8, 9), True),  # within a major version, from the minor version on
        (["sm_86"], (8, 0), False),
        (["sm_80"], (9, 0), False),
        (["sm_90"], (12, 0), False),
        (["sm_90", "compute_90"], (12, 0), True),  # the driver compiles it
        (["compute_90"], (8, 0), False),
        (["sm_90a"], (9, 0), True),
        (["sm_100a"], (10, 3), False),
        (["sm_100f"], (10, 3), True),
        (["sm_120"], (12, 1), True),
        (["gfx90a"], (9, 0), False),
        ([], (9, 0), False),
    ],
)
def test_build_covers_cards_of_its_architectures(architectures, capability, expected):
    assert covers(architectures, capability) is expected


def test_newest_build_that_runs_on_the_card_is_chosen():
    def tags(capabilities, cuda, python=(3, 11)):
        found = choose_build(capabilities, driver_cuda=cuda, python=python)
        return found and f"{found.torch}+{found.tag}"

    assert tags([(8, 9)], (13, 1)) == "2.13.0+cu130"
    assert tags([(8, 9)], (12, 0)) == "2.13.0+cu126"
    assert tags([(8, 9)], (11, 4)) == "2.7.1+cu118"
    assert tags([(8, 9)], None) == "2.13.0+cu130"
    assert tags([], (12, 4)) == "2.13.0+cu126"
    assert tags([(12, 0)], (12, 8)) == "2.11.0+cu128"
    assert tags([(6, 1), (9, 0), (9, 0)], (13, 0)) == "2.13.0+cu126"  # all cards rather than some
    assert tags([(6, 1), (12, 0), (12, 0)], (13, 0)) == "2.13.0+cu130"  # most of them
    assert tags([(3, 7)], (13, 0)) is None
    assert tags([(9, 0)], (11, 4), python=(3, 14)) is None
    assert tags([], (9, 0)) is None


def test_install_command_names_the_chosen_build():
    assert " ".join(install_words(BUILDS[1])) == (
        f"install torch==2.13.0+cu126 --index-url {INDEX}/cu126"
    )


@pytest.mark.parametrize(
    ("text", "expected"), [("12.4.1", (12, 4)), ("13", (13, 0)), ("", None), (None, None)]
)
def test_version_strings_are_parsed(text, expected):
    assert read_version(text) == expected


# ---------------------------------------------------------------- collecting


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    return machine.collect(tmp_path_factory.mktemp("outputs"))


def test_facts_of_this_machine_are_complete(collected):
    assert json.loads(json.dumps(collected)) == collected
    parts = {name: part for name, part in collected.items() if isinstance(part, dict)}
    assert [name for name, part in parts.items() if part.get("error")] == []
    assert collected["numeric"]["failed"] == {}
    assert collected["numeric"]["computed"] == {"cpu": None}
    assert collected["torch"]["computed"]["cpu"] is None
    assert collected["xgboost"]["computed"]["cpu"] is None
    assert {pool["user_api"] for pool in collected["numeric"]["pools"]} >= {"blas"}
    assert collected["torch"]["version"].startswith(metadata.version("torch"))
    assert collected["torch"]["auto"] == list(resolve_device("auto"))
    assert 1 <= collected["cores"]["usable"] <= collected["cores"]["machine"]
    memory = collected["memory"]
    assert 0 < memory["available_bytes"] <= memory["total_bytes"]
    assert diagnose(collected)


def test_every_requirement_of_a_user_is_looked_at(collected):
    core, extras = set(), {}
    for line in metadata.requires("smalldata"):
        name = re.match(r"[A-Za-z0-9_.-]+", line).group()
        extra = re.search(r"extra == ['\"]([\w-]+)", line)
        if extra is None:
            core.add(name)
        elif extra.group(1) not in ("dev", "data") and "benchmark" not in extra.group(1):
            extras[name] = extra.group(1)
    found = collected["libraries"]
    assert {name for name, entry in found.items() if entry["extra"] is None} == core
    assert {name: entry["extra"] for name, entry in found.items() if entry["extra"]} == extras
    assert [name for name, entry in found.items() if not entry["tested"]] == []


def test_the_tested_versions_travel_with_the_package():
    """What `make test` installs is what `constraints.txt` says, and that is read where it lies."""
    root = Path(__file__).parents[1]
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    targets = pyproject["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["force-include"]["constraints.txt"] == "smalldata/constraints.txt"
    assert "/constraints.txt" in targets["sdist"]["include"]
    assert "--constraint constraints.txt" in (root / "Makefile").read_text(encoding="utf-8")
    pinned = dict(
        line.split("==")
        for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    found = catalogue.tested_versions()
    assert len(found) == len(pinned)
    assert found["scikit-learn"] == pinned["scikit-learn"]
    assert found["sqlalchemy"] == pinned["SQLAlchemy"]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder whose modules are found before the installed ones."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def _probe(names):
    with machine._started(names) as started:
        deadline = machine.time.monotonic() + machine.PROBE_SECONDS
        return {
            name: machine._finish(process, stream, deadline=deadline)
            for name, (process, stream) in started.items()
        }


def test_torch_that_cannot_be_imported_is_probed_as_an_error(elsewhere, plain):
    (elsewhere / "torch.py").write_text("raise ImportError('libc10.so: no such file')\n")
    found = _probe(["torch"])["torch"]
    assert found == {"error": "ImportError: libc10.so: no such file"}
    assert _only_problem({**plain, "torch": found}).topic == "torch"


def test_torch_that_kills_its_process_is_probed_as_an_error(elsewhere, plain):
    (elsewhere / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    found = _probe(["torch"])["torch"]
    assert found == {"error": "the process died of SIGILL"}
    assert "processor" in _only_problem({**plain, "torch": found}).advice


def test_probe_of_a_hanging_library_times_out(elsewhere, monkeypatch):
    """What it told before is kept, also a line cut short."""
    monkeypatch.setattr(machine, "PROBE_SECONDS", 0.0)
    (elsewhere / "torch.py").write_text("import time\ntime.sleep(1000)\n")
    found = _probe(["torch"])["torch"]
    assert found == {"error": "no answer within 0 s"}


def test_facts_printed_before_a_crash_are_kept(elsewhere):
    (elsewhere / "torch.py").write_text(
        "import os, types\n__version__ = '9'\n__file__ = 'x'\n"
        "version = types.SimpleNamespace(cuda=None, hip=None)\n"
        "print('{\"noise\": 1}', end='', flush=True)\n"
        "def get_num_threads(): os.abort()\n"
    )
    found = _probe(["torch"])["torch"]
    assert found["version"] == "9"
    assert found["error"] == "the process died of SIGABRT"


def _executable(folder, text):
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_nvidia_smi_output_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _probe(["driver"])["driver"]["nvidia_smi"] == "absent"
    line = "NVIDIA H100 80GB HBM3, 580.65.06, 81559, 9.0"
    _executable(tmp_path, f"echo '{line}'; echo '{line}'")
    found = _probe(["driver"])["driver"]
    card = {"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 81559 * 2**20, "capability": "9.0"}
    assert found["cards"] == [card, card]
    assert found["driver"] == "580.65.06"
    # An old one does not know compute_cap.
    _executable(
        tmp_path,
        'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field to query.\';'
        " exit 2;; *) echo 'Tesla K80, 390.1';; esac",
    )
    found = _probe(["driver"])["driver"]
    assert found["cards"] == [{"name": "Tesla K80", "memory_bytes": None, "capability": None}]
    _executable(
        tmp_path, "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18"
    )
    found = _probe(["driver"])["driver"]
    assert found["nvidia_smi"] == "Failed to initialize NVML: Driver/library version mismatch"


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_hanging_nvidia_smi_times_out(tmp_path, monkeypatch):
    _executable(tmp_path, "exec sleep 1000")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(probes, "NVIDIA_SMI_SECONDS", 0)
    assert probes._ask_nvidia_smi() == {"nvidia_smi": "no answer within 0 s"}


LIBCUDA = """
#include <string.h>
int cuDriverGetVersion(int *v) { *v = 12020; return 0; }
int cuInit(unsigned flags) { return flags == 0 ? STATUS : 1; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 70 + ordinal; return 0; }
int cuDeviceGetName(char *name, int n, int device) {
  strncpy(name, device == 70 ? "first" : "second", n); return 0; }
int cuDeviceGetAttribute(int *v, int attribute, int device) {
  *v = attribute == 75 ? 8 : attribute == 76 ? 6 + device - 70 : -1; return 0; }
int cuDeviceTotalMem_v2(size_t *n, int device) { *n = 24ull << 30; return 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the library is libcuda.so.1")
@pytest.mark.parametrize("status", [0, 804])
def test_driver_library_is_queried(tmp_path, monkeypatch, status):
    source = tmp_path / "cuda.c"
    source.write_text(LIBCUDA.replace("STATUS", str(status)))
    library = tmp_path / "libcuda.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    found = _probe(["driver"])["driver"]
    assert found["cuda"] == "12.2"
    if status:
        assert found["library"] == "cuInit failed with error 804"
        return
    assert found["visible"] == [
        {"name": "first", "memory_bytes": 24 * GIB, "capability": "8.6"},
        {"name": "second", "memory_bytes": 24 * GIB, "capability": "8.7"},
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_smallest_cgroup_limit_of_the_hierarchy_counts(tmp_path, version):
    root, own = tmp_path / "cgroup", tmp_path / "own"
    files = {
        2: {
            "jobs/mine/cpu.max": "max 100000",
            "jobs/cpu.max": "250000 100000",
            "jobs/mine/memory.max": "4294967296",
            "jobs/mine/memory.current": "1048576000",
            "jobs/mine/memory.stat": "anon 1\ninactive_file 1047527424",
            "jobs/memory.max": "8589934592",
            "cpu.max": "800000 100000",
        },
        1: {
            "cpu,cpuacct/mine/cpu.cfs_quota_us": "250000",
            "cpu,cpuacct/mine/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/mine/memory.limit_in_bytes": "4294967296",
            "memory/mine/memory.usage_in_bytes": "1048576000",
            "memory/mine/memory.stat": "inactive_file 1\ntotal_inactive_file 1047527424",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
    }
    for name, text in files[version].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    own.write_text({2: "0::/jobs/mine\n", 1: "4:cpu,cpuacct:/mine\n9:memory:/mine\n"}[version])
    assert cgroup_limits(root, own) == {
        "cores": 2.5,
        "memory_bytes": 4 * GIB,
        "memory_used_bytes": 2**20,
    }
    assert cgroup_limits(root, tmp_path / "none") == {}
    assert cgroup_limits(tmp_path / "empty", own) == {}


def test_outputs_folder_is_checked_without_creating_it(tmp_path):
    found = machine._outputs(tmp_path / "new" / "deeper")
    assert found["error"] is None
    assert found["free_bytes"] > 0
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.touch()
    assert machine._outputs(blocked)["error"] == "Not a directory"


def test_a_package_of_another_name_is_found(elsewhere):
    """xgboost-cpu holds the module xgboost."""
    (elsewhere / "odd_module.py").touch()
    info = elsewhere / "odd_cpu-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-cpu\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("odd_module\n")
    assert machine._installed("odd_module") == "1.2"
    assert machine._installed("odd_nothing") is None


def test_error_without_a_message_is_shown_by_its_type():
    assert first_line(MemoryError()) == "MemoryError"
    assert first_line(ValueError("one\ntwo")) == "one"


# ---------------------------------------------------------------- the verb


@pytest.fixture
def as_collected(monkeypatch, plain):
    monkeypatch.setattr(machine, "collect", lambda outputs: plain)
    return plain


def test_the_verb_prints_a_table(as_collected, capsys):
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert "torch 2.13.0+cpu (no CUDA) computes on the CPU." in " ".join(out.split())
    assert out.rstrip().endswith("Nothing must be mended.")
    assert err == ""


def test_problem_exits_1_with_a_one_line_command(as_collected, capsys):
    as_collected["torch"] = {"error": "ImportError: [link=x]libc10.so[/link]"}
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    command = f"python -m pip install --force-reinstall torch==2.13.0 --index-url {INDEX}/cpu"
    assert f"    {command}" in out.splitlines()
    assert "[link=x]libc10.so[/link]" in out  # words of an error are no markup
    assert "1 problem to mend." in out


def test_json_output_holds_facts_and_findings(as_collected, capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"] is True
    assert found["schema_version"] == 1
    assert found["facts"] == as_collected
    assert {"level", "topic", "what", "advice", "command"} == set(found["findings"][0])
    as_collected["outputs"]["error"] = "Permission denied"
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False


@pytest.mark.parametrize("argument", ["--jsn", "gpu", "model=mlp", "outputs=", "-v"])
def test_unknown_doctor_argument_is_refused_with_one_sentence(argument, capsys):
    assert main(["doctor", argument]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    said = " ".join(err.split())
    assert re.search(rf"doctor takes --json and outputs=DIR; got '{re.escape(argument)}'", said)


def test_the_folder_of_outputs_can_be_named(monkeypatch, plain, capsys):
    asked = []
    monkeypatch.setattr(machine, "collect", lambda outputs: asked.append(outputs) or plain)
    assert main(["doctor", "outputs=/elsewhere"]) == 0
    assert main(["doctor"]) == 0
    assert asked == [Path("/elsewhere"), Path("outputs")]


# ---------------------------------------------------------------- the run says what it takes


def test_a_run_says_once_which_device_it_takes_and_why(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    device, reason = resolve_device("auto")
    grid = ["-m", "model=mlp,xgboost,knn", "dataset=nutrimouse", "cv=kfold", "cv.n_splits=2"]
    assert main([*grid, "dry_run=true", "n_jobs=1"]) == 0
    out, err = capsys.readouterr()
    assert err.count(f"device {device}: {reason}\n") == 1
    assert "device" not in out
    assert main(["model=knn", "dataset=nutrimouse", "dry_run=true"]) == 0
    assert "device" not in capsys.readouterr().err


def test_a_broken_torch_leaves_the_cpu_and_says_where_to_look(elsewhere, monkeypatch):
    (elsewhere / "torch.py").write_text("raise ImportError('libc10.so: no such file')\n")
    monkeypatch.setattr("smalldata.runtime.devices.missing_card", lambda: None)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    device, reason = resolve_device("auto")
    assert device == "cpu"
    assert reason.startswith("torch cannot be loaded (libc10.so: no such file); ")
    assert reason.endswith("`python -m smalldata doctor` says what to do")


@pytest.mark.gpu
def test_a_real_card_is_found_and_computes(collected):
    if collected["missing_card"] is not None:
        pytest.skip("there is no card here")
    assert collected["driver"]["visible"] or collected["driver"]["cards"]
    assert collected["torch"]["computed"]["cuda:0"] is None
    assert collected["torch"]["auto"][0] == "cuda"
