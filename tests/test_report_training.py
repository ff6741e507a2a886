"""The training on the page: numbers against those of the folds, rules, figure, the browser."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from browsing import CHROMIUM, Tab, drawings
from report_cells import (
    add_losses,
    inputs_of,
    make_record,
    make_toy_task,
)
from smalldata.report import report_html
from smalldata.report.figures import training_figures
from smalldata.report.figures.training import MOST_FOLDS
from smalldata.report.sections.training import summarize_training
from smalldata.report.sections.training_words import say_training
from smalldata.results.loss_curves import LossCurves
from test_report import Page


@pytest.fixture(scope="module")
def task():
    return make_toy_task("binary")


def losses(train, held_out=None, *, best=None, **changes):
    """Curves of one member, or of as many as there are best epochs."""
    best = best if best is not None else (len(train) - 1,)
    judged = train if held_out is None else held_out
    about = {
        "loss": "cross-entropy in nats",
        "train": tuple(map(float, train)),
        "held_out": None if held_out is None else tuple(map(float, held_out)),
        "best_epoch": tuple(best),
        "best_loss": float(judged[best[0]]),
        "n_planned": len(train),
        "guessing": 0.6931472,
    }
    return LossCurves(**(about | changes))


def cell(task, *curves):
    """A record whose folds have these losses."""
    record = make_record(task, n_splits=max(2, len(curves)), n_repeats=1)
    folds = [replace(fold, losses=own) for fold, own in zip(record.folds, curves, strict=False)]
    return replace(record, folds=tuple(folds), n_planned=len(folds))


def say(task, *curves):
    words = say_training(summarize_training(cell(task, *curves)))
    return {part: " ".join(sentences) for part, sentences in words.items()}


FLAT = np.full(30, 0.3)
LEVEL = np.concatenate([np.linspace(0.7, 0.3, 20), np.full(10, 0.3)])
"""Of 30 epochs; does not change in the last ten."""


# ---------------------------------------------------------------- numbers


def test_training_summary_equals_fold_losses(task):
    record = add_losses(make_record(task, n_splits=4, n_repeats=1, fail=1))
    found = summarize_training(record)
    told = [fold.losses for fold in record.folds if fold.losses is not None]
    assert len(told) == found.n_folds == found.n_finished == found.n_held == 3
    assert [fold.name for fold in found.folds] == ["r00f01", "r00f02", "r00f03"]
    assert found.ran == (31, 33)
    for fold, own in zip(found.folds, told, strict=True):
        assert tuple(fold.train) == own.train
        assert tuple(fold.held_out) == own.held_out
        assert (fold.first, fold.last, fold.epoch) == (13, 16, 14.5)
        assert (fold.loss, fold.end) == (own.best_loss, own.train[-1])
        assert (fold.n_epochs, fold.n_planned) == (len(own.train), 60)
    for part, curves in (
        ("train", [own.train for own in told]),
        ("held_out", [own.held_out for own in told]),
    ):
        assert len(getattr(found.mean, part)) == 31, "as far as all of them go"
        wanted = np.mean([curve[:31] for curve in curves], axis=0)
        np.testing.assert_allclose(getattr(found.mean, part), wanted, rtol=1e-12)
    assert found.guessing == 0.6931472
    assert found.kept.mean == 14.5
    assert (found.kept.n_members, found.kept.n_stopped) == (6, 6)
    assert found.schedule == ["the learning rate falls to nearly 0"]


def test_a_cell_without_losses_has_no_section(task):
    record = make_record(task)
    assert summarize_training(record) is None
    assert training_figures(None)["figures"] == []
    html = report_html(inputs_of(task, record))
    assert 'id="training"' not in html
    assert 'href="#training"' not in html


# ---------------------------------------------------------------- which weights were kept


def test_without_held_out_samples_the_last_epoch_of_a_fixed_schedule_is_kept(task):
    said = say(task, *[losses(LEVEL, best=(29, 29))] * 3)["kept"]
    assert said == (
        "In each fit the 2 members ran all 30 epochs of a fixed schedule and kept the weights of "
        "the last one: no samples were held out for early stopping."
    )
    assert say(task, losses(LEVEL))["kept"].startswith("In each fit the network ran all 30 epochs")
    said = say(task, losses(LEVEL), losses(LEVEL[:12]))["kept"]
    assert "ran 12 to 30 epochs of" in said


def test_held_out_samples_chose_the_kept_epoch_is_reported(task):
    held = losses(LEVEL, LEVEL, best=(4, 19), patience=8, n_planned=40)
    said = say(task, held, replace(held, best_epoch=(9, 21)))["kept"]
    assert "kept the weights of the epoch with the lowest loss on them" in said
    assert "epoch 14.2 on average over 2 folds (single members 5 to 22), of 40 planned" in said
    assert "All 4 members stopped before the end, after 8 epochs without a lower loss." in said
    assert "chose the epoch, so their lowest loss flatters" in said
    said = say(task, replace(held, best_epoch=(4, 29), n_planned=30))["kept"]
    assert "epoch 17.5 on average (single members 5 to 30), of 30 planned" in said
    assert "1 of 2 members stopped before the end" in said
    said = say(task, replace(held, best_epoch=(29,), n_planned=30))["kept"]
    assert "In each fit the network held out" in said
    assert "on them: epoch 30, of 30 planned" in said
    assert "stopped" not in said


def test_folds_that_differ_in_holding_out_are_counted(task):
    held = losses(LEVEL, LEVEL, best=(4,), patience=8, n_planned=40)
    said = say(task, held, losses(LEVEL), losses(LEVEL))
    assert "In 2 of 3 fits the network ran all 30 epochs" in said["kept"]
    assert "In 1 of 3 fits the network held out some" in said["kept"]
    assert (
        "Where none were held out, the training loss was no longer clearly falling" in said["trend"]
    )


def test_training_cut_short_is_reported(task):
    cut = losses(LEVEL[:12], n_planned=30)
    said = say(task, losses(LEVEL), cut)["kept"]
    assert "In each fit the network ran 12 to 30 of 30 planned epochs and kept" in said
    assert "Training was cut short in 1 of 2 folds; the notes of the folds say why." in said
    held = losses(LEVEL, LEVEL, best=(29,), patience=8, n_planned=40)
    said = say(task, held)["kept"]
    assert "Training was cut short in the one fold" in said
    assert "stopped before the end" not in said
    assert "cut short" not in say(task, replace(held, n_planned=30))["kept"]


def test_folds_stored_without_losses_are_counted(task):
    record = cell(task, losses(LEVEL), losses(LEVEL))
    folds = (record.folds[0], replace(record.folds[1], losses=None))
    words = say_training(summarize_training(replace(record, folds=folds)))
    assert words["kept"][0].startswith("Losses are known for 1 of 2 folds")
    assert "Losses are known" not in say(task, losses(LEVEL))["kept"]


# ---------------------------------------------------------------- what the loss is


def test_loss_is_named_with_its_unit_and_guessing_level(task):
    smoothed = {"altered": ("label smoothing 0.1", "balanced class weights")}
    assert say(task, losses(LEVEL, **smoothed))["loss"] == (
        "The loss is the cross-entropy in nats, with label smoothing 0.1 and balanced class "
        "weights; equal odds for every class would give 0.693."
    )
    values = make_toy_task("regression")
    said = say(values, losses(LEVEL, loss="squared error", guessing=1.0))["loss"]
    assert said == "The loss is the squared error; the mean for every sample would give 1.000."
    assert say(task, losses(LEVEL, guessing=None))["loss"] == (
        "The loss is the cross-entropy in nats."
    )


def test_folds_of_different_losses_are_not_averaged(task):
    tuned = [losses(LEVEL, altered=(f"label smoothing {share}",)) for share in (0.1, 0.2)]
    record = cell(task, losses(LEVEL), *tuned, losses(LEVEL))
    found = summarize_training(record)
    assert found.mean is None
    assert found.guessing is None
    (said,) = say_training(found)["loss"]
    assert "different losses (cross-entropy in nats (2 folds); " in said
    assert "cannot be compared and no mean is drawn" in said
    (drawn,) = training_figures(found)["figures"]
    assert "losses_mean" not in drawn["datasets"]
    assert "the mean of the folds" not in drawn["caption"]


# ---------------------------------------------------------------- how it ended


def tail(share):
    """Falls by 0.4 to its 27th epoch, then by so much of its whole fall."""
    whole = 0.4 / (1 - share)
    return np.concatenate([np.linspace(0.7, 0.3, 24), np.full(3, 0.3), [0.7 - whole] * 3])


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.021] * 5, "The training loss was still falling when the epochs ended (by 0.009 over "),
        (
            [0.019] * 5,
            "The training loss was no longer clearly falling when the epochs ended, which says ",
        ),
        ([0.021] * 4 + [0.019], "The training loss was still falling"),
        ([0.021] * 3 + [0.019] * 2, "In 3 of 5 folds the training loss was still falling"),
        ([0.021] + [0.019] * 4, "The training loss was no longer clearly falling"),
    ],
)
def test_final_trend_of_the_training_loss_is_reported(task, shares, said):
    found = say(task, *[losses(tail(share)) for share in shares])["trend"]
    assert found.startswith(said.removesuffix("(by 0.009 over "))
    assert "says nothing about unseen samples" in found
    assert "overfit" not in found


def test_size_of_the_last_fall_is_reported(task):
    found = say(task, losses(tail(0.04)))["trend"]
    assert "(by 0.017 over the last 3 epochs, 4\u202f% of its whole fall)" in found
    short = np.linspace(0.7, 0.3, 5)
    assert "(by 0.100 over its last epoch, 25\u202f% of" in say(task, losses(short))["trend"]
    assert say(task, losses(short[:3]))["trend"] == "", "too short to be judged"


def test_training_loss_that_never_fell_is_reported(task):
    rising = np.linspace(0.6, 0.9, 30)
    assert "did not fall: the fits learned nothing" in say(task, losses(rising))["trend"]
    found = say(task, *[losses(rising)] * 3, *[losses(tail(0.1))] * 2)["trend"]
    assert "did not fall" not in found


def held_after(change, *, lowest=10, n_epochs=30):
    """Held-out loss: falls by 0.2 to its lowest point, then changes in a line from just above."""
    fall = np.linspace(0.6, 0.4, lowest + 1)
    after = n_epochs - lowest - 1
    return np.concatenate([fall, 0.41 + np.linspace(0, change, after)])


@pytest.mark.parametrize(
    ("n_rising", "n_level", "rises"), [(5, 0, True), (4, 1, True), (3, 2, False), (1, 4, False)]
)
def test_rising_held_out_loss_is_reported_as_overfitting(task, n_rising, n_level, rises):
    about = {"best": (10,), "patience": 12, "n_planned": 60}
    train = np.linspace(0.7, 0.1, 30)
    risen = losses(train, held_after(0.1), **about)
    level = losses(train, held_after(0.001), **about)
    found = say(task, *[risen] * n_rising, *[level] * n_level)["trend"]
    assert ("rose in" in found) == ("later epochs overfit" in found) == rises
    if rises:
        share = "all 5 folds" if n_rising == 5 else "4 of 5 folds"
        assert f"the held-out loss rose in {share} (on average by" in found
    assert ("did not clearly rise" in found) == (n_rising == 1)


def test_a_rise_must_be_a_share_of_the_fall_and_the_training_loss_must_fall_too(task):
    about = {"best": (10,), "patience": 12, "n_planned": 60}
    falling, rising = np.linspace(0.7, 0.1, 30), np.linspace(0.1, 0.7, 30)
    # A line over 19 epochs rises from the first six to the last six by 13 / 18 of its height.
    for change, rises in ((0.0143, True), (0.0134, False)):  # 0.05 x 0.2 x 18 / 13 = 0.01385
        found = say(task, losses(falling, held_after(change), **about))["trend"]
        assert ("rose in the one fold" in found) == rises
    found = say(task, losses(rising, held_after(0.1), **about))["trend"]
    assert "rose in the one fold" in found
    assert "overfit" not in found
    # The lowest of noisy losses lies below all others by itself.
    noisy = losses(falling, np.where(np.arange(30) == 10, 0.4, 0.45), **about)
    assert "did not clearly rise" in say(task, noisy)["trend"]
    short = losses(falling, held_after(0.1, lowest=26), best=(26,), patience=12, n_planned=60)
    found = say(task, short)["trend"]
    assert "rose" not in found
    assert "rise" not in found


@pytest.mark.parametrize(("best", "helps"), [((27, 5), True), ((26, 5), False), ((28, 29), True)])
def test_lowest_loss_at_the_end_suggests_more_epochs(task, best, helps):
    held = losses(LEVEL, LEVEL, best=best, patience=4)
    found = say(task, held)["trend"]
    assert ("more epochs (n_epochs) could help" in found) == helps
    assert ("did not clearly rise" in found) != helps
    if helps:
        share = "both members" if best[0] == 28 else "1 of 2 members"
        assert f"lowest within the last 3 planned epochs in {share}," in found


def test_loss_falling_after_early_stop_suggests_more_patience(task):
    hump = np.concatenate(
        [np.linspace(0.7, 0.42, 10), np.full(8, 0.45), np.linspace(0.45, 0.36, 12)]
    )
    held = losses(LEVEL, hump, best=(11, 13), patience=5)
    found = say(task, *[held] * 3)["trend"]
    assert "In all 3 folds the held-out loss (mean of the members) was lower at the end" in found
    assert "on average 0.368 compared with 0.450. Most members had stopped before that" in found
    assert "did not rise" not in found
    late = losses(LEVEL, hump, best=(11, 29), patience=5)  # one of two stopped
    assert "More patience" not in say(task, late)["trend"]
    level = losses(LEVEL, np.where(np.arange(30) < 10, hump, 0.42), best=(9, 12), patience=5)
    assert "More patience" not in say(task, level)["trend"]
    assert "More patience" not in say(task, held, level)["trend"], "half of the folds"
    for drop, falls in ((0.016, True), (0.012, False)):  # 0.05 of a whole fall of 0.28
        slight = np.where(np.arange(30) < 18, hump, 0.45 - drop)
        found = say(task, losses(LEVEL, slight, best=(11, 13), patience=5))["trend"]
        assert ("More patience" in found) == falls


def test_schedule_changes_towards_the_end_are_reported(task):
    both = ("the learning rate falls to nearly 0", "dropout fades to nothing")
    found = say(task, losses(LEVEL, schedule=both))["trend"]
    assert "nearly 0 and dropout fades to nothing, which alone shapes the end" in found
    found = say(task, losses(LEVEL, schedule=both), losses(LEVEL, schedule=both[:1]))["trend"]
    assert "nearly 0, which alone shapes the end" in found
    assert "Towards" not in say(task, losses(LEVEL))["trend"]


# ---------------------------------------------------------------- the figure


def columns(drawn, name):
    return drawn["datasets"][name]["data"]


def test_training_figure_holds_folds_mean_and_kept_epoch(task):
    record = add_losses(make_record(task, n_splits=3, n_repeats=1))
    drawn = training_figures(summarize_training(record))
    (figure,) = drawn["figures"]
    rows = columns(drawn, "losses")
    for o, fold in enumerate(record.folds):
        own = [i for i, place in enumerate(rows["o"]) if place == o]
        assert [rows["epoch"][i] for i in own] == list(range(1, 31 + o))
        np.testing.assert_allclose([rows["train"][i] for i in own], fold.losses.train, rtol=1e-3)
        np.testing.assert_allclose([rows["held"][i] for i in own], fold.losses.held_out, rtol=1e-3)
    assert drawn["params"]["loss_names"] == ["r00f00", "r00f01", "r00f02"]
    assert columns(drawn, "losses_mean")["epoch"] == list(range(1, 31))
    kept = columns(drawn, "losses_kept")
    assert kept["epoch"] == [14.5] * 3
    assert kept["which"] == ["held"] * 3
    assert columns(drawn, "losses_stop") == {"epoch": [14.5]}
    assert columns(drawn, "losses_guess") == {"loss": [0.6931]}
    assert set(figure["datasets"]) == set(drawn["datasets"])
    assert "as far as all of them go" in figure["caption"]
    assert "Compare the course of the two, not their heights" in figure["caption"]


def test_without_held_out_samples_only_the_training_loss_is_drawn(task):
    record = add_losses(make_record(task, n_splits=3, n_repeats=1), held_out=False)
    drawn = training_figures(summarize_training(record))
    (figure,) = drawn["figures"]
    assert set(columns(drawn, "losses")["held"]) == {None}
    labels = {column["key"]: column["label"] for column in drawn["datasets"]["losses"]["columns"]}
    assert labels["held"] == "", "no empty column in the table"
    assert columns(drawn, "losses_kept")["epoch"] == [30, 31, 32]
    assert columns(drawn, "losses_kept")["which"] == ["train"] * 3
    assert "losses_stop" not in drawn["datasets"]
    assert "Orange" not in figure["caption"]
    assert "the weights of the last epoch" in figure["caption"]


def test_training_figure_of_one_fold_draws_it_as_the_mean(task):
    drawn = training_figures(summarize_training(cell(task, losses(LEVEL, LEVEL, best=(4,)))))
    (figure,) = drawn["figures"]
    assert "losses_mean" not in drawn["datasets"]
    assert "losses_stop" not in drawn["datasets"]
    assert "one per fold" not in figure["caption"]


def test_many_epochs_and_many_folds_are_thinned_and_keep_their_end(task):
    curve = np.linspace(0.9, 0.1, 1001)
    drawn = training_figures(summarize_training(cell(task, losses(curve))))
    epochs = columns(drawn, "losses")["epoch"]
    assert epochs[0] == 1
    assert epochs[-1] == 1001
    assert 100 < len(epochs) <= 151
    many = make_toy_task("binary", n_samples=120)
    record = cell(many, *[losses(LEVEL)] * 60)
    drawn = training_figures(summarize_training(record))
    assert max(columns(drawn, "losses")["o"]) == MOST_FOLDS - 1
    assert f"one for each of the first {MOST_FOLDS} folds" in drawn["figures"][0]["caption"]


# ---------------------------------------------------------------- the page


def test_training_section_is_in_the_page_with_its_table(task):
    record = add_losses(make_record(task, n_splits=3, n_repeats=1))
    html = report_html(inputs_of(task, record))
    page = Page(html)
    assert 'href="#training"' in html
    section = html[html.index('id="training"') : html.index('id="settings"')]
    assert section.count('<tr><th scope="row">') == 3
    cells = re.findall(r'<td class="n">([^<]*)</td>', section)
    assert cells[:4] == ["60", "30", "14.5", "13 to 16"]
    assert "equal odds for every class would give 0.693" in page.text
    for sentences in say_training(summarize_training(record)).values():
        assert " ".join(sentences) in page.text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)")
@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_training_figure_is_drawn_fits_and_downloads(
    browser, task, tmp_path, held_out, width, scheme
):
    record = add_losses(make_record(task, n_splits=3, n_repeats=1), held_out=held_out)
    path = tmp_path / "report.html"
    path.write_text(report_html(inputs_of(task, record)), "utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    tab = Tab(context.new_page())
    page = tab.open(path)
    assert drawings(page)["losses"] > 3
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    lines = page.locator("#figure-losses .canvas .mark-line.role-mark path")
    assert lines.count() == (3 + 1) * (2 if held_out else 1), "of each fold and their mean"
    legend = page.locator("#figure-losses .canvas .role-legend-label text").all_text_contents()
    both = ["samples trained on", "samples held out"]
    assert legend == (both if held_out else both[:1])
    page.locator("#figure-losses .canvas .mark-symbol.role-mark path").last.hover(force=True)
    page.wait_for_selector("#tooltip:not([hidden])")
    assert "r00f02" in page.locator("#tooltip dd").all_text_contents()
    table = tab.download("#figure-losses [data-download=csv]").decode()
    head, *rows = csv.reader(io.StringIO(table, newline=""))
    assert head == ["Fold", "Epoch", "Training loss", *(["Held-out loss"] if held_out else [])]
    assert len(rows) == 30 + 31 + 32
    assert tab.download("#figure-losses [data-download=svg]").startswith(b"<svg")
    context.close()
    assert tab.complaints == []
