"""Which of Hydra's own settings a run takes: none that runs code or writes where it should not."""

import shutil
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from smalldata.__main__ import main
from smalldata.config.hydra_keys import check_override
from smalldata.errors import ConfigError
from smalldata.runtime import catalogue

DRY = ("model=dummy", "dataset=nutrimouse", "cv=kfold", "explain=none", "dry_run=true")
COPY = "{_target_:shutil.copyfile,src:theirs,dst:mine}"
LOGGING = "{version:1,handlers:{h:{class:logging.FileHandler,filename:mine,mode:w}}}"
GLOBAL = "# @package _global_\n"
CALLBACK = f"{GLOBAL}hydra: {{callbacks: {{x: {COPY}}}}}\n".replace(":", ": ")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run beside a file that must stay what it is, and one that could be copied over it."""
    monkeypatch.chdir(tmp_path)
    Path("mine").write_text("mine")
    Path("theirs").write_text("theirs")
    yield tmp_path
    assert Path("mine").read_text() == "mine"
    assert not Path("outputs").exists()


@pytest.fixture
def conf(folder, monkeypatch):
    """Use a copy of conf/ that a test may add files to."""
    original = catalogue._bundled
    copied = folder / "conf"
    shutil.copytree(original("conf"), copied)
    monkeypatch.setattr(
        catalogue, "_bundled", lambda name: copied if name == "conf" else original(name)
    )
    return copied


def _refused(capsys, *arguments):
    assert main([*arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


@pytest.mark.parametrize("multirun", [(), ("-m",)])
@pytest.mark.parametrize(
    ("override", "named"),
    [
        (f"+hydra.callbacks.x={COPY}", "hydra.callbacks.x"),
        (f"++hydra.callbacks.x={COPY}", "hydra.callbacks.x"),
        (f"hydra.callbacks={{x:{COPY}}}", "hydra.callbacks"),
        ("hydra={callbacks:{}}", "got hydra."),
        ("+hydra/callbacks=x", "hydra/callbacks"),
        ("+model@hydra.callbacks=svm", "Leave out @hydra.callbacks"),
        ("hydra.searchpath=[file:///tmp]", "hydra.searchpath"),
        (f"hydra.job_logging={LOGGING}", "hydra.job_logging"),
        (f"++hydra.hydra_logging={LOGGING}", "hydra.hydra_logging"),
        ("hydra/job_logging=stdout", "hydra/job_logging"),
        ("hydra.run.dir=elsewhere", "hydra.run.dir"),
        ("~hydra.run.dir", "hydra.run.dir"),
        ("hydra.sweep.dir=elsewhere", "hydra.sweep.dir"),
        ("hydra.output_subdir=elsewhere", "hydra.output_subdir"),
        ("+hydra.job.env_set.PATH=here", "hydra.job.env_set.PATH"),
        ("hydra.job.chdir=true", "hydra.job.chdir"),
        ("hydra.mode=MULTIRUN", "hydra.mode"),
        ("hydra.launcher._target_=hydra_plugins.x.Y", "_target_ in hydra.launcher"),
        ("hydra.sweeper._target_=hydra_plugins.x.Y", "_target_ in hydra.sweeper"),
        (f"+hydra.launcher.x={COPY}", "_target_ in hydra.launcher.x"),
        (f"+hydra.launcher.x=[{COPY}]", "_target_ in hydra.launcher.x"),
        ("+hydra.launcher.x._target_=shutil.copyfile", "_target_ in hydra.launcher.x"),
        ("hydra.launcher={}", "hydra.launcher"),
        ("hydra/launcher=rq", "basic, joblib, submitit_local, submitit_slurm; got 'rq'"),
        ("hydra/sweeper=ax", "basic, smalldata_optuna; got 'ax'"),
    ],
)
def test_settings_that_could_run_code_or_write_are_refused(multirun, override, named, capsys):
    assert named in _refused(capsys, *multirun, *DRY, override)


@pytest.mark.parametrize(
    "override",
    [
        "experiment={}",
        "+experiment={}",
        "experiment='{}'",
        "cv=kfold,{}",
        "cv=choice(kfold,{})",
        "preprocess=glob({})",
        "+dataset/x={}",
    ],
)
def test_a_group_takes_no_path(folder, override, capsys):
    (folder / "evil.yaml").write_text(CALLBACK)
    up = "../" * (len(catalogue.conf_dir().parts) + 1)
    err = _refused(capsys, "-m", *DRY, override.format(f"{up}{folder}/evil".replace("//", "/")))
    assert "without a path" in err


def test_the_keys_of_params_are_checked_as_overrides_are(capsys):
    sweep = ("-m", *DRY, "hydra/sweeper=smalldata_optuna", "model=dummy,knn")
    for params, named in (
        ("{hydra.callbacks.x:3}", "hydra.callbacks.x"),
        ("{experiment:'../x'}", "without a path"),
    ):
        assert named in _refused(capsys, *sweep, f"+hydra.sweeper.params={params}")


@pytest.mark.parametrize("multirun", [(), ("-m",)])
@pytest.mark.parametrize(
    ("text", "named"),
    [
        (CALLBACK, "hydra.callbacks must stay"),
        (f"hydra: {{job_logging: {LOGGING}}}", "hydra.job_logging must stay"),
        ("hydra: {output_subdir: elsewhere}", "hydra.output_subdir must stay"),
        ("hydra: {job: {env_set: {A: b}}}", "hydra.job.env_set must stay"),
        ("hydra: {launcher: {_target_: hydra_plugins.x.Y}}", "got 'hydra_plugins.x.Y'"),
        (f"hydra: {{sweeper: {{params: {{x: {COPY}}}}}}}", "hydra.sweeper"),
        (f"hydra: {{launcher: {{x: {COPY}}}}}", "conf/experiment/mine.yaml must fit"),
        ("defaults: [{override /tune: ../tune/none}]", "without a path"),
    ],
)
def test_a_yaml_file_sets_none_of_them_either(conf, multirun, text, named, capsys):
    (conf / "experiment" / "mine.yaml").write_text(GLOBAL + text.replace(":", ": "))
    assert named in _refused(capsys, *multirun, *DRY, "experiment=mine")


def test_run_yaml_sets_none_of_them_either(conf, capsys):
    with (conf / "run.yaml").open("a") as file:
        file.write(f"  callbacks: {{x: {COPY}}}\n".replace(":", ": "))
    assert "hydra.callbacks must stay" in _refused(capsys, *DRY)


def test_a_trusted_name_of_another_class_is_refused(conf, capsys):
    launchers = conf / "hydra" / "launcher"
    launchers.mkdir(parents=True)
    (launchers / "joblib.yaml").write_text("# @package hydra.launcher\n_target_: hydra_plugins.x.Y")
    err = _refused(capsys, "-m", *DRY, "hydra/launcher=joblib")
    assert "got 'hydra_plugins.x.Y'" in err


@pytest.mark.parametrize(
    "override",
    [
        "hydra/launcher=joblib",
        "hydra/launcher=submitit_slurm",
        "hydra/sweeper=smalldata_optuna",
        "hydra.launcher.n_jobs=2",
        "hydra.launcher.setup=['module load cuda']",
        "+hydra.launcher.additional_parameters={mem:4G}",
        "hydra.sweeper.n_trials=4",
        "+hydra.sweeper.params={model.learner.C:'interval(0.1,10)'}",
        "model/optimizer=sgd",
        "dataset.path=../tables/a.csv",
        "outputs=/tmp/x",
        "model=knn,svm",
        "~model.space",
        "~preprocess.space.transform",
    ],
)
def test_what_a_run_documents_is_taken(override):
    check_override(OverridesParser.create().parse_override(override))


def test_a_launcher_that_is_not_installed_is_named_with_its_package(capsys):
    err = _refused(capsys, "-m", *DRY, "hydra/launcher=submitit_local")
    assert "Install hydra-submitit-launcher" in err


def test_an_option_that_a_plugin_does_not_have_is_named(capsys):
    for override in ("hydra.launcher.n_jobs=2", "+hydra.launcher.n_jobs=2"):
        assert "has no option 'n_jobs'" in _refused(capsys, "-m", *DRY, override)
    sweep = ("-m", *DRY, "hydra/sweeper=smalldata_optuna", "model=dummy,knn")
    err = _refused(capsys, *sweep, "+hydra.sweeper.n_trial=3")
    assert "did you mean hydra.sweeper.n_trials" in err


@pytest.mark.parametrize("override", ["hydra/sweeper=smalldata_optuna", "hydra/launcher=basic"])
def test_a_sweeper_or_launcher_without_a_grid_is_refused(override, capsys):
    assert "belongs to a grid or a search; add -m." in _refused(capsys, *DRY, override)


def test_several_files_of_a_group_are_refused():
    with pytest.raises(ConfigError, match=r"one file of conf/model: .*; got \[dummy,knn\]"):
        check_override(OverridesParser.create().parse_override("model=[dummy,knn]"))
