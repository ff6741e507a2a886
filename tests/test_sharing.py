"""Studies shared by several processes: nothing twice, nothing lost, nothing running for ever."""

import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from servers import PASSWORD
from sharing_driver import IDENTITY, N_SMALL, N_TRIALS, ask, join, open_short
from smalldata.errors import ConfigError, FitError
from smalldata.runtime.sealing import differences
from smalldata.tuning.shared import ledger
from smalldata.tuning.shared.database import absolute_url, redact, redact_url
from smalldata.tuning.shared.ledger import MOST_LOSSES
from smalldata.tuning.shared.study import Proposal, open_storage, open_study, propose

DRIVER = Path(__file__).with_name("sharing_driver.py")
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=KINDS)
def driven(request, tmp_path_factory):
    """What the driver's workers did in one database."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        url = f"sqlite:///{folder / 'studies.db'}"
    else:
        url = request.getfixturevalue("server").create("driven")
    seed = random.SystemRandom().randrange(1000)
    done = subprocess.run(
        [sys.executable, DRIVER, url, folder, str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return {"seed": seed, **json.loads(done.stdout)}


def notes_of(driven, name, what):
    return [tuple(note[3:]) for note in driven["notes"] if note[0] == what and note[2] == name]


# ---------------------------------------------------------------- processes


def test_concurrent_workers_take_each_trial_once(driven):
    assert driven["codes"]["rush"] == [0] * 3
    for i in range(N_SMALL):
        name = f"small/{i}"
        found = driven["studies"][name]
        assert [ordinal for ordinal, _ in found["finished"]] == [0, 1]
        assert found["states"] == ["COMPLETE"] * 2
        assert sorted(notes_of(driven, name, "kept")) == [(0,), (1,)]


def test_many_shared_trials_have_no_gap(driven):
    found = driven["studies"]["many"]
    assert [ordinal for ordinal, _ in found["finished"]] == list(range(N_TRIALS))
    assert found["states"] == ["COMPLETE"] * N_TRIALS
    assert found["numbers"] == list(range(N_TRIALS))
    begun = notes_of(driven, "many", "begun")
    assert sorted(begun) == sorted(map(tuple, found["finished"]))


def test_killed_worker_loses_no_trial(driven):
    assert driven["codes"]["killed"] == [-9, 0], driven["seed"]
    found = driven["studies"]["killed"]
    assert [ordinal for ordinal, _ in found["finished"]] == list(range(N_TRIALS))
    assert sorted(found["states"]) == ["COMPLETE"] * N_TRIALS + ["FAIL"]
    assert len(notes_of(driven, "killed", "kept")) == N_TRIALS
    # Begun twice: the one in flight, with the same values, and no other.
    begun = notes_of(driven, "killed", "begun")
    assert len(begun) == N_TRIALS + 1
    assert sorted(set(begun)) == sorted(map(tuple, found["finished"]))


def test_returning_worker_cannot_finish_a_lost_trial(driven):
    assert driven["codes"]["stopped"] == [0, 0]
    found = driven["studies"]["stopped"]
    assert sorted(found["states"]) == ["COMPLETE"] * 3 + ["FAIL"]
    assert notes_of(driven, "stopped", "dropped") == [(0,)]
    assert sorted(notes_of(driven, "stopped", "kept")) == [(0,), (1,), (2,)]


# ---------------------------------------------------------------- rules


def sql(study, command):
    with study.storage.engine.begin() as connection:
        connection.execute(text(command))


def age(study, claim):
    """Make the worker of a claim dead for an hour."""
    hour = {
        "sqlite": "datetime(heartbeat, '-1 hour')",
        "postgresql": "heartbeat - interval '1 hour'",
    }
    then = hour[study.storage.engine.dialect.name]
    sql(study, f"UPDATE trial_heartbeats SET heartbeat = {then} WHERE trial_id = {claim.trial_id}")


def states(study):
    return [trial.state.name for trial in study.study.trials]


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_trial_of_a_dead_worker_is_taken_before_new_values(url):
    study = join(open_short(url), "a")
    first, second = study.claim(5, ask), study.claim(5, ask)
    assert (first.ordinal, second.ordinal) == (0, 1)
    age(study, first)
    again = study.claim(5, ask)
    assert (again.ordinal, again.params) == (0, first.params)
    assert study.claim(5, ask).ordinal == 2
    assert states(study) == ["FAIL", "RUNNING", "RUNNING", "RUNNING"]
    # The dead one comes back: its result is not taken, nothing of it is written.
    assert not first.finish([0.5], attrs={"seconds": 1.0})
    assert "seconds" not in study.study.trials[0].user_attrs
    assert again.finish([0.25], attrs={"seconds": 2.0}, intermediate={0: 0.2, 1: 0.3})
    assert not again.finish([0.75])
    (done,) = study.finished()
    assert (done.value, done.params) == (0.25, first.params)
    assert done.intermediate_values == {0: 0.2, 1: 0.3}
    assert done.user_attrs["seconds"] == 2.0


def test_worker_with_a_recent_heartbeat_keeps_its_trial(url):
    study = join(open_short(url), "a")
    claim = study.claim(1, ask)
    age(study, claim)
    study.storage.record_heartbeat(claim.trial_id)
    assert study.claim(1, ask) is None
    assert not study.is_over(1)
    assert claim.finish([1.0])
    assert study.is_over(1)


def test_claim_context_sends_heartbeats(url):
    study = join(open_short(url), "a")
    with study.claim(1, ask) as claim:
        age(study, claim)
        # The thread beats within a second: seen in the database, not by our clock.
        engine = create_engine(url)
        asked = text(
            "SELECT count(*) FROM trial_heartbeats WHERE heartbeat > datetime('now', '-1 minute')"
        )
        n_alive = 0
        while not n_alive:
            with engine.connect() as connection:
                n_alive = connection.execute(asked).scalar()
        assert claim.finish([1.0])
    assert states(study) == ["COMPLETE"]


def test_interrupted_trial_is_released_at_once(url):
    study = join(open_short(url), "a")
    with pytest.raises(KeyboardInterrupt), study.claim(2, ask) as claim:
        raise KeyboardInterrupt
    again = study.claim(2, ask)
    assert (again.ordinal, again.params) == (0, claim.params)
    assert study.finished() == ()


def test_trial_that_kills_its_workers_fails_in_the_end(url):
    study = join(open_short(url), "a")
    for _ in range(MOST_LOSSES):
        claim = study.claim(1, ask)
        assert claim.ordinal == 0
        age(study, claim)
    assert study.claim(1, ask) is None
    assert study.is_over(1)
    (failed,) = study.finished()
    assert failed.state.name == "FAIL"
    assert failed.user_attrs["reason"].startswith(f"its worker died {MOST_LOSSES} times")


def test_released_trial_never_fails(url):
    study = join(open_short(url), "a")
    for _ in range(MOST_LOSSES + 1):
        with study.claim(1, ask):
            pass
    assert study.claim(1, ask).ordinal == 0


def test_failed_and_pruned_trials_are_finished(url):
    study = join(open_short(url), "a")
    first, second = study.claim(2, ask), study.claim(2, ask)
    assert first.finish(state="FAIL", reason="ValueError: no")
    assert second.finish([0.1], state="PRUNED")
    assert study.claim(2, ask) is None
    assert [trial.state.name for trial in study.finished()] == ["FAIL", "PRUNED"]
    assert study.finished()[0].user_attrs["reason"] == "ValueError: no"
    with pytest.raises(ValueError, match="a failed trial has a reason"):
        first.finish(state="FAIL")


def test_failure_recorded_by_another_tool_is_not_a_result(url):
    """Optuna's own fail_stale_trials sets FAIL without a reason."""
    study = join(open_short(url), "a")
    claim = study.claim(1, ask)
    study.storage.set_trial_state_values(claim.trial_id, optuna.trial.TrialState.FAIL)
    assert study.claim(1, ask).params == claim.params


def test_a_closed_study_gives_no_trial_and_keeps_those_in_flight(url):
    study, other = join(open_short(url), "a"), join(open_short(url), "a")
    mine, theirs = study.claim(9, ask), study.claim(9, ask)
    study.close()
    assert other.claim(9, ask) is None
    assert not other.is_over(9)
    assert mine.finish([1.0])
    age(study, theirs)
    assert other.is_over(9)
    assert [trial.user_attrs["ordinal"] for trial in other.finished()] == [0]
    assert list(other.claims(9, ask)) == []


def test_a_study_closed_while_values_are_asked_for_gives_none(url):
    study = join(open_short(url), "a")

    def ask_and_close(ordinal, trials):
        study.close()
        return ask(ordinal, trials)

    assert study.claim(3, ask_and_close) is None
    assert states(study) == []


def test_second_claim_of_an_ordinal_takes_the_next(url):
    study, quick = join(open_short(url), "a"), join(open_short(url), "a")
    asked = []

    def slow(ordinal, trials):
        asked.append(ordinal)
        if len(asked) == 1:
            assert quick.claim(2, ask).ordinal == 0
        return ask(ordinal, trials)

    assert study.claim(2, slow).ordinal == 1
    assert asked == [0, 1]
    assert study.claim(2, slow) is None
    assert len(states(study)) == 2


def test_restarted_study_forgets_finished_trials(url):
    study = join(open_short(url), "a")
    claim = study.claim(1, ask)
    study.restart()  # one is in flight
    assert study.claim(1, ask) is None
    claim.finish(state="FAIL", reason="no")
    study.close()
    study.restart()
    assert study.finished() == ()
    assert not study.is_over(1)
    again = study.claim(1, ask)
    assert again.ordinal == 0
    again.finish([2.0])
    assert [trial.value for trial in study.finished()] == [2.0]


def test_larger_total_continues_the_study(url):
    study = join(open_short(url), "a")
    for total in (2, 3):
        for claim in study.claims(total, ask):
            with claim:
                assert claim.finish([0.0])
        assert len(study.finished()) == total


def test_optuna_reads_the_study(url):
    study = join(open_short(url), "omics/knn/r00f00")
    for claim in study.claims(6, ask):
        with claim:
            claim.finish([claim.params["x"]])
    plain = optuna.load_study(study_name="omics/knn/r00f00", storage=url)
    assert [trial.number for trial in plain.trials] == list(range(6))
    assert plain.best_value == max(trial.params["x"] for trial in plain.trials)
    assert plain.best_trial.distributions.keys() == {"x", "kind"}
    assert set(optuna.importance.get_param_importances(plain)) == {"x", "kind"}


# ---------------------------------------------------------------- asking in memory


def test_proposal_equals_the_sampler_on_the_same_trials():
    space = {"n": IntDistribution(1, 9), "kind": CategoricalDistribution(["a", "b"])}
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(
        lambda t: t.suggest_int("n", 1, 9) + (t.suggest_categorical("kind", "ab") == "b"), 15
    )
    study = optuna.create_study(direction="minimize")
    for i in range(12):
        params = {"n": i % 9 + 1, "kind": "ab"[i % 2]}
        study.add_trial(optuna.create_trial(params=params, distributions=space, value=float(i)))
    outside = optuna.create_trial(value=0.0)
    sampler = optuna.samplers.TPESampler(seed=4, multivariate=True)
    found = propose(
        [outside, *study.trials], sampler=sampler, distributions=space, directions=["minimize"]
    )
    study.sampler = optuna.samplers.TPESampler(seed=4, multivariate=True)
    assert found.params == study.ask(space).params


def test_notes_of_a_proposal_survive_a_takeover(url):
    study = join(open_short(url), "a")
    noted = Proposal(user_attrs={"values": {"C": None}}, system_attrs={"cma:x": "1"})
    claim = study.claim(1, lambda ordinal, trials: noted)
    age(study, claim)
    again = study.claim(1, ask)
    assert (again.params, again.user_attrs) == ({}, {"values": {"C": None}})
    assert study.study.trials[-1].system_attrs == {"cma:x": "1"}


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_a_study_of_another_configuration_is_refused_with_the_difference(url):
    storage = open_short(url)
    identity = {"space": {"C": {"low": 0.1, "high": 10}}, "content": "3f2a"}
    open_study(storage, "a", directions=["maximize"], identity=identity)
    open_study(storage, "a", directions=["maximize"], identity=identity)
    other = {"space": {"C": {"low": 0.1, "high": 99}, "gamma": 1}, "content": "77aa"}
    with pytest.raises(ConfigError) as caught:
        open_study(storage, "a", directions=["minimize"], identity=other)
    said = str(caught.value)
    assert "space.C.high: 10 → 99" in said
    assert 'content: "3f2a" → "77aa"' in said
    assert "space.gamma: nothing → 1" in said
    assert 'directions.0: "maximize" → "minimize"' in said
    assert "space.C.low" not in said
    assert "s3cr" not in said


def test_a_study_of_unknown_origin_is_refused(url):
    storage = open_short(url)
    study = optuna.create_study(storage=storage, study_name="a")
    join_empty = open_study(storage, "a", directions=["minimize"], identity={})
    assert join_empty.finished() == ()
    study = optuna.create_study(storage=storage, study_name="b")
    study.add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(ConfigError, match="must be one that smalldata made"):
        open_study(storage, "b", directions=["minimize"], identity={})


def test_long_list_of_differences_is_cut():
    assert differences({"a": 1}, {"a": 1}) == []
    many = {str(i): i for i in range(9)}
    assert differences(many, {})[-1] == "and 3 more"
    assert differences({"a": []}, {"a": {}}) == ["a: [] → {}"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("foo", "must be a URL; got 'foo'"),
        ("", "must be a URL"),
        (
            "mysql://ann:hush@h/db",
            "must be SQLite or PostgreSQL; got mysql://ann:\\*\\*\\*@h/db",
        ),
        ("nonsense://h/db", "must be SQLite or PostgreSQL"),
        (
            "postgres://ann:hush@h/db",
            "must begin with postgresql://; got postgres://ann:\\*\\*\\*@h/db",
        ),
        ("ann:hush@h/db", "must be a URL; got 'ann:\\*\\*\\*@h/db'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////no/such/folder/a.db", "there is no /no/such/folder"),
        ("postgresql://ann:hush@127.0.0.1:1/db", "must be reachable; it answered: connection"),
        ("postgresql://ann:hush@127.0.0.1:1/db", r"refused\. Check the address, and that"),
    ],
)
def test_unreachable_storage_is_refused_with_one_sentence(given, expected):
    with pytest.raises(ConfigError, match=expected) as caught:
        open_storage(given)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "a.db").write_text("sample,age\n1,2\n" * 50)
    with pytest.raises(ConfigError, match="must be a database; it answered: file is not"):
        open_storage(f"sqlite:///{tmp_path / 'a.db'}")


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_foreign_database_is_refused_and_not_changed(url):
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE patients (id INTEGER)"))
    with pytest.raises(ConfigError, match="it has the tables patients") as caught:
        open_storage(url)
    assert "s3cr" not in str(caught.value)
    with engine.connect() as connection, pytest.raises(Exception, match="studies"):
        connection.execute(text("SELECT * FROM studies"))


@pytest.mark.parametrize("url", KINDS, indirect=True)
@pytest.mark.parametrize("version", ["v2.6.0.a", "v99.0.0.a"])
def test_a_database_of_another_version_of_optuna_is_refused(url, version):
    storage = open_storage(url)
    with storage.engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
    with pytest.raises(ConfigError, match="must be a database of this version of Optuna") as caught:
        open_storage(url)
    assert "s3cr" not in str(caught.value)


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    place = tmp_path / "a.db"
    open_storage(f"sqlite:///{place}")
    with pytest.raises(ConfigError, match="must be writable; it answered: attempt to"):
        open_storage(f"sqlite:///file:{place}?mode=ro&uri=true")
    if os.geteuid() != 0:
        place.chmod(stat.S_IRUSR)
        with pytest.raises(ConfigError, match="must be writable"):
            open_storage(f"sqlite:///{place}")


def test_missing_database_driver_is_refused_by_name(tmp_path):
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from smalldata.tuning.shared.study import open_storage\n"
        "open_storage('postgresql://ann:hush@h/db')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert "needs the package psycopg, which is not installed; install smalldata[postgres]" in last
    assert "hush" not in last


@pytest.mark.postgres
def test_server_refusal_is_shown_without_the_password(server):
    url = server.url()
    wrong = url.replace("s3cr", "wrong")
    with pytest.raises(ConfigError, match="password authentication failed") as caught:
        open_storage(wrong)
    assert "wrong" not in str(caught.value).replace("wrong password", "")
    with pytest.raises(ConfigError, match=r"must be a database; .*does not exist"):
        open_storage(server.url("nowhere"))
    server.sql("CREATE ROLE guest LOGIN PASSWORD 'hush'")
    server.create("guarded")
    server.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC", "guarded")
    guest = server.url("guarded").replace("postgres:s3cr%3At%40%2F%25", "guest:hush")
    assert guest != server.url("guarded")
    with pytest.raises(ConfigError, match="must be writable; it answered: ") as caught:
        open_storage(guest)
    assert "hush" not in str(caught.value)


@pytest.mark.postgres
def test_restarted_server_loses_nothing_and_a_stopped_one_is_reported(server, monkeypatch):
    monkeypatch.setattr(ledger, "RETRY_SECONDS", (0.0,))
    study = join(open_short(server.create("restarted")), "a")
    claim = study.claim(2, ask)
    server.control("-m", "fast", "restart")
    assert claim.finish([1.0])
    other = study.claim(2, ask)
    server.control("-m", "fast", "stop")
    try:
        with pytest.raises(FitError, match="must stay reachable") as caught:
            other.finish([1.0])
    finally:
        server.control("-l", str(server.folder / "log"), "start")
    assert PASSWORD not in str(caught.value)
    assert "s3cr" not in str(caught.value)
    assert other.finish([1.0])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ann@h/db", "postgresql://ann@h/db"),
        ("postgresql://ann:a:b@c@h:5432/db", "postgresql://ann:***@h:5432/db"),
        ("postgresql://ann:a/b?c@h/db", "postgresql://ann:***@h/db"),
        ("postgresql://h/db?user=a&password=hush", "postgresql://h/db?user=a&password=***"),
        ("postgresql://h:5432/db", "postgresql://h:5432/db"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
        ("ann:hush@h", "ann:***@h"),
    ],
)
def test_a_password_is_never_shown(given, shown):
    assert redact_url(given) == shown


def test_password_is_removed_from_any_text():
    url = "postgresql://ann:a%40b@h/db"
    assert redact(f"{url} said a@b, or a%40b", url) == "postgresql://ann:***@h/db said ***, or ***"


def test_sqlite_url_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_url("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert absolute_url("postgresql://ann:a%40b@h/db") == "postgresql://ann:a%40b@h/db"


def test_driver_identity_is_valid_json():
    assert json.loads(json.dumps(IDENTITY)) == IDENTITY
