"""Classes are chosen and merged when asked, and the positive one is never an absence."""

import shlex

import numpy as np
import pytest

from smalldata import Dataset
from smalldata.config.hydra import quote_override
from smalldata.datasets import load_dataset
from smalldata.datasets.classes import choose_classes
from smalldata.datasets.options import TableOptions
from smalldata.datasets.polarity import told_positive
from smalldata.datasets.quality import quality_controls
from smalldata.errors import ConfigError, DataError


@pytest.fixture
def read(tmp_path):
    def load(labels, *, ids=None, **values):
        generator = np.random.default_rng(0)
        names = ids or [f"S{row}" for row in range(len(labels))]
        rows = [
            f"{name},{generator.normal():.4f},{generator.normal():.4f},{label}"
            for name, label in zip(names, labels, strict=True)
        ]
        (tmp_path / "my.csv").write_text("\n".join(["sample,x,z,class", *rows]))
        return load_dataset("table", path=str(tmp_path / "my.csv"), target="class", **values)

    return load


PAIRS = (
    """
0:LIVING 1:DECEASED|1:LIVING 0:DECEASED|no yes|FALSE TRUE|F T|n y|neg pos|normal tumor
non-responder responder|NR R|1 2|0 1|MSS MSI-H|disease-free recurred|non-smoker smoker|-1 1
relapse-free relapse|0:DiseaseFree 1:Recurred/Progressed|survivor non-survivor|healthy unhealthy
wt mutant|HPV- HPV+|M0 M1|1_no 2_yes|unaffected affected|untreated treated|uninfected COVID
nondiabetic diabetic|pMMR dMMR|RD pCR|never ever|placebo drug|term preterm|absent present
undetected detected|none mild|- +|0_negative 1_positive|HC AD|unstimulated stimulated|B0 B1
ER-negative ER-positive|pain-free pain|low high|alive dead|false true|N P|stable unstable
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
PHRASES = [
    ("No recurrence", "Recurrence"),
    ("not detected", "detected"),
    ("never smoker", "current smoker"),
    ("without metastasis", "with metastasis"),
    ("negative for HPV", "positive for HPV"),
    ("0:ALIVE OR DEAD TUMOR FREE", "1:DEAD WITH TUMOR"),
    ("1 - no", "2 - yes"),
    ("(0) control", "(1) case"),
    ("healthy control", "AD"),
    ("adjacent normal", "tumor"),
    ("no evidence of disease", "disease"),
    ("insulin sensitive", "insulin resistant"),
    ("no diabetes", "type 2 diabetes"),
    ("stable disease", "progressive disease"),
    ("BRAF wt", "BRAF V600E"),
    ("healthy", "not healthy"),
    ("Alive", "Dead of disease"),
    ("0: no event", "1: event"),
]


@pytest.mark.parametrize(("negative", "positive"), [*(pair.split(" ") for pair in PAIRS), *PHRASES])
def test_the_positive_class_is_never_the_absence(negative, positive):
    assert told_positive([negative, positive]) == positive
    assert told_positive([positive, negative]) == positive


@pytest.mark.parametrize(
    "pair", ["left right", "M F", "male female", "I II", "A B", "EU US", "LumA Basal", "old young"]
)
def test_labels_that_say_nothing_are_a_guess_and_called_one(read, pair):
    classes = pair.split(" ")
    assert told_positive(classes) is None
    dataset = read([classes[0]] * 12 + [classes[1]] * 8)
    assert dataset.positive == classes[1]
    assert f"{classes[1]!r} is a guess: set dataset.positive={classes[0]}" in dataset.messages[0]
    assert "guess" not in read(["case", "control"] * 8).messages[0]
    assert (
        "guess"
        not in read([classes[0]] * 12 + [classes[1]] * 8, positive="x" and classes[0]).messages[0]
    )


def test_the_positive_class_is_in_the_line_of_reading(read):
    dataset = read(["1:DECEASED" if row % 3 else "0:LIVING" for row in range(24)])
    assert "positive: 1:DECEASED" in dataset.messages[0]


def option(text, key):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    start = text.index(f"'dataset.{key}=")
    (word,) = shlex.split(text[start : text.index("'", start + 1) + 1])
    return OverridesParser.create().parse_override(quote_override(word)).value()


SPELLINGS = {
    "case": (["Case", "case", "CASE", "control", "Control", "control"], 2),
    "truth": (["TRUE", "true", "1", "FALSE", "0", "FALSE"], 2),
    "mixed truth": (["yes", "no", "1", "no"], 2),
    "coded": (["0:LIVING", "0:living", "1:DECEASED"], 2),
    "hyphens": (["non-responder", "nonresponder", "responder"], 2),
    "blanks": (["ER +", "ER+", "ER-", "ER-"], 2),
    "other letters": (["Ödem", "ödem", "x", "x"], 2),
    "several": (["stage 1", "Stage1", "Stage 2", "Stage 3"], 3),
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_spellings_of_one_class_are_refused_and_the_merge_shown_works(read, kind):
    labels, n_classes = SPELLINGS[kind]
    with pytest.raises(DataError, match="must have one spelling") as error:
        read(labels * 6)
    merged = option(str(error.value), "classes")
    dataset = read(labels * 6, classes=merged)
    assert (len(set(dataset.y)), len(dataset.y)) == (n_classes, 6 * len(labels))
    assert [finding.code for finding in dataset.findings] == ["SD006"]
    apart = read(labels * 6, classes=sorted(set(labels)))
    assert len(set(apart.y)) == len(set(labels))


def test_case_and_blanks_are_ignored_when_asked(read):
    dataset = read(["Case", "case", "CASE", "control", "Control", "control"] * 4, ignore_case=True)
    assert set(dataset.y) == {"Case", "control"}
    assert dataset.positive == "Case"


@pytest.mark.parametrize(
    "labels",
    [
        ["Gleason 3+4", "Gleason 4+3"],
        ["A", "a+", "A-"],
        ["AA", "Aa", "aa"],
        ["1", "-1"],
        ["type1", "type 11"],
        ["TRUE", "FALSE"],
        ["T1", "T2", "T1a"],
    ],
)
def test_different_labels_are_not_spellings(labels):
    choice = choose_classes(labels, TableOptions(), target="class")
    assert (choice.labels, choice.findings) == (labels, ())


def test_classes_are_kept_and_merged_and_counted(read):
    labels = ["case", "control"] * 10 + ["QC", "QC", "blank"]
    dataset = read(labels, classes=["case", "control"])
    assert len(dataset.y) == 20
    assert "3 rows of other classes left out: 'QC' 2, 'blank' 1" in str(dataset.findings[0])
    merged = read(labels, classes={"sick": ["case", "QC"], "control": "control"})
    assert (sorted(set(merged.y)), len(merged.y)) == (["control", "sick"], 22)
    assert [finding.code for finding in merged.findings] == ["SD006", "SD006"]
    assert dataset.name != merged.name
    with pytest.raises(ConfigError, match="did you mean 'control'"):
        read(labels, classes=["case", "contrl"])
    with pytest.raises(ConfigError, match="'case' of 'class' is in 'a' and in 'b'"):
        read(labels, classes={"a": ["case"], "b": ["case", "control"]})
    with pytest.raises(ConfigError, match="are for a target of classes"):
        read(labels, classes=["case", "control"], kind="regression")
    # A class with several spellings is not halved by naming one of them.
    with pytest.raises(DataError, match="must have one spelling"):
        read([*labels, "Case", "Case"], classes=["case", "control"])


def test_truth_values_of_yaml_name_classes(read):
    dataset = read(["TRUE", "FALSE", "unknown"] * 8, classes=[True, False])
    assert (set(dataset.y), dataset.positive) == ({"TRUE", "FALSE"}, "TRUE")
    dataset = read(["1", "2", "3"] * 8, classes=[1, 3])
    assert set(dataset.y) == {"1", "3"}


def controls(labels, ids=None, columns=None, **values):
    names = ids or [f"S{row}" for row in range(len(labels))]
    return quality_controls(labels, names, columns or {}, target="class", **values)


def test_quality_controls_are_named_with_the_remedy(read):
    labels = ["case", "control"] * 10 + ["QC", "QC", "blank"]
    dataset = read(labels)
    (finding,) = [finding for finding in dataset.findings if finding.code == "SD004"]
    assert finding.evidence == "'QC' 2, 'blank' 1"
    assert option(finding.remedy, "classes") == ["case", "control"]
    kept = read(labels, classes=option(finding.remedy, "classes"))
    assert [finding.code for finding in kept.findings] == ["SD006"]
    (by_id,) = controls(
        ["case", "control"] * 10 + ["a"] * 2, [f"S{r}" for r in range(20)] + ["QC1", "Pool_2"]
    )
    assert by_id.evidence == "'QC1', 'Pool_2'"
    assert option(by_id.remedy, "classes") == ["case", "control"]
    kinds = ["Sample"] * 18 + ["pooled QC"] * 2
    (by_column,) = controls(["case", "control"] * 10, columns={"Sample type": kinds})
    assert "by column 'Sample type'" in by_column.what


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        (["standard", "intensive"] * 10, {}),
        (["standard", "intensive", "placebo"] * 10, {}),
        (["case", "control"] * 10, {"ids": [f"QC_{row}" for row in range(20)]}),
        (["case", "control"] * 10, {"columns": {"library": ["pool1", "pool2"] * 10}}),
        (["case", "control"] * 10, {"columns": {"QC_Warning": ["Pass", "Warn"] * 10}}),
        (["QC", "sample"] * 10, {}),
        (["case", "control", "QC"] * 10, {"named": True}),
    ],
)
def test_honest_classes_are_no_quality_controls(labels, values):
    assert controls(labels, **values) == []


def test_classes_of_a_frame():
    import pandas as pd

    frame = pd.DataFrame({"x": np.arange(24) / 7, "class": ["a", "b", "c"] * 8})
    dataset = Dataset.from_frame(frame, target="class", classes=["a", "b"])
    assert len(dataset.y) == 16
