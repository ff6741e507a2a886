"""The smallest panel of features that predicts as well as the best: its size and its members.

Step in the line: training rows of one outer fold -> **Selection** -> fold result. The size is
chosen by an inner cross-validation that ranks the features again inside each training part; it
never sees the outer test rows.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from smalldata.errors import ConfigError, FitError
from smalldata.learner import Learner
from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.panel.sizes import Rule, choose_size
from smalldata.pipeline.choices import Selected
from smalldata.pipeline.preprocess import Select
from smalldata.pipeline.ranking import FixedRanking, rank_features
from smalldata.pipeline.training import TrainingRows
from smalldata.results.panel import Selection
from smalldata.runtime.sealing import plain
from smalldata.seeding import seed_for
from smalldata.task import Task, TaskInfo
from smalldata.tuning.inner_folds import InnerFolds


@dataclass(frozen=True, kw_only=True)
class SignatureOptions:
    """The options of a signature.

    Attributes
    ----------
    ranking : {"shap", "linear", "univariate", "variance"}
        How features are ranked, as in ``preprocess.select``.
    rule : {"one_se", "best"}
        Take the smallest size within one standard error of the best, or the best.
    sizes : tuple of int
        Numbers of features to try.
    inner_folds : int
        Fewer if the smallest class of the training fold has fewer rows.
    measure : str or None
        Judges the sizes; None: the task's primary measure.

    Raises
    ------
    ConfigError
        If a value is not one of these.
    """

    ranking: Select = "shap"
    rule: Rule = "one_se"
    sizes: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 50)
    inner_folds: int = 5
    measure: str | None = None

    def __post_init__(self) -> None:
        """Check the values and put the sizes in order."""
        rankings = [name for name in get_args(Select) if name != "none"]
        if self.ranking not in rankings:
            raise ConfigError(
                f"a signature needs preprocess.select, one of {', '.join(rankings)}; "
                f"got {self.ranking!r}."
            )
        if self.rule not in get_args(Rule):
            raise ConfigError(
                f"signature.rule must be {', '.join(get_args(Rule))} or none; got {self.rule!r}."
            )
        if (
            not isinstance(self.sizes, list | tuple)
            or not self.sizes
            or any(not _is_count(size, least=1) for size in self.sizes)
        ):
            raise ConfigError(
                "signature.sizes must be a list of whole numbers of at least 1, such as [1,2,5]; "
                f"got {self.sizes!r}."
            )
        object.__setattr__(self, "sizes", tuple(sorted(set(self.sizes))))
        if not _is_count(self.inner_folds, least=2):
            raise ConfigError(
                f"signature.inner_folds must be a whole number of at least 2; "
                f"got {self.inner_folds!r}."
            )


def _is_count(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True, kw_only=True)
class SignatureSelector:
    """Chooses how many leading features a fit keeps, on the rows of one training fold.

    Attributes
    ----------
    options : SignatureOptions
        With a measure; no size above the task's number of features.
    info : TaskInfo
    classes : tuple of str
    usual : SignatureOptions
        The default options.
    """

    options: SignatureOptions
    info: TaskInfo
    classes: tuple[str, ...]
    usual: SignatureOptions

    @property
    def measure(self) -> Measure:
        """The measure that judges the sizes."""
        assert self.options.measure is not None
        return find_measure(self.options.measure, self.info.kind)

    def describe(self) -> dict[str, Any]:
        """Return everything that can change the choice, as plain values."""
        described: dict[str, Any] = plain(asdict(self.options))
        return described

    def settings(self) -> dict[str, Any]:
        """Return the ranking and what differs from the defaults, for the label of the cell."""
        changed = {
            f"signature.{field.name}": getattr(self.options, field.name)
            for field in fields(SignatureOptions)
            if field.name != "ranking"
            and getattr(self.options, field.name) != getattr(self.usual, field.name)
        }
        return {f"signature by {self.options.ranking}": True, **changed}

    def select(self, learner: Learner, rows: TrainingRows) -> Selected:
        """Choose the size by an inner cross-validation, and rank the features on all these rows.

        Parameters
        ----------
        learner : Learner
        rows : TrainingRows
            Without a selection; their seed is that of the fit on them.

        Raises
        ------
        FitError
            If the rows cannot be cut into inner folds, or the measure is undefined on all of them.
        """
        most = self.options.sizes[-1]
        preprocessing = replace(rows.preprocessing, select=self.options.ranking, k=most)
        rows = replace(rows, preprocessing=preprocessing)
        folds = self.cut_folds(rows)
        rankers = [
            FixedRanking(_leading(learner, folds.train_part(fold), most))
            for fold in range(len(folds))
        ]  # one ranking serves all sizes
        scores = tuple(
            self._scores(learner, folds.keep(size, rankers)) for size in self.options.sizes
        )
        size = choose_size(
            self.options.sizes,
            scores,
            higher_is_better=self.measure.higher_is_better,
            rule=self.options.rule,
        )
        leading = _leading(learner, rows, most)
        return Selected(
            preprocessing=replace(preprocessing, k=size),
            ranker=FixedRanking(leading),
            selection=Selection(
                ranking=self.options.ranking,
                sizes=self.options.sizes,
                inner=scores,
                k=size,
                leading=leading,
            ),
            notes=self._fewer_folds(folds),
        )

    def score_panel(
        self, learner: Learner, members: Sequence[int], folds: InnerFolds
    ) -> tuple[float | None, ...]:
        """Score exactly these features on each of the folds."""
        rankers = [FixedRanking(tuple(members))] * len(folds)
        return self._scores(learner, folds.keep(len(members), rankers))

    def cut_folds(self, rows: TrainingRows) -> InnerFolds:
        """Cut the rows into the inner folds that score sizes and panels; raises as `select`."""
        folds = InnerFolds.cut(
            replace(rows, seed=seed_for(rows.seed, "signature")),
            n_folds=self.options.inner_folds,
            classes=self.classes,
            measure=self.measure,
        )
        if not folds.pairs:
            raise FitError(
                "the size of a signature is chosen on inner folds, and the training rows cannot be "
                "cut into 2; set preprocess.k instead."
            )
        folds.check_defined(key="signature")
        return folds

    # ------------------------------------------------------------ inside

    def _scores(self, learner: Learner, folds: InnerFolds) -> tuple[float | None, ...]:
        return tuple(folds.score(learner, fold) for fold in range(len(folds)))

    def _fewer_folds(self, folds: InnerFolds) -> tuple[str, ...]:
        if len(folds) == self.options.inner_folds:
            return ()
        return (
            f"the size was chosen on {len(folds)} inner folds instead of "
            f"{self.options.inner_folds}: the training rows do not fill more",
        )


def _leading(learner: Learner, rows: TrainingRows, k: int) -> tuple[int, ...]:
    """Return the leading features by a ranking of these rows."""
    return tuple(rank_features(learner, rows)[:k].tolist())


def make_selector(task: Task, options: SignatureOptions | None = None) -> SignatureSelector:
    """Make the selector of a cell; sizes above the task's number of features become that number.

    Parameters
    ----------
    task : Task
    options : SignatureOptions, optional

    Returns
    -------
    SignatureSelector
        For `smalldata.evaluation.outer_loop.evaluate`.

    Raises
    ------
    ConfigError
        If the task has no such measure, or the measure cannot rank.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> from smalldata.task import make_task
    >>> task = make_task(load_dataset("omics"))
    >>> make_selector(task, SignatureOptions(sizes=(5, 1000))).options.sizes
    (5, 130)
    """
    asked = options or SignatureOptions()
    usual = measures_for(task.kind)[0].name
    key = "signature.measure" if asked.measure else "measure"
    measure = find_measure(asked.measure or task.measure, task.kind, key=key)
    if not measure.ranked:
        raise ConfigError(
            f"signature.measure must rank the sizes; {measure.name} does not. "
            f"Use signature.measure={usual}."
        )

    def cut(sizes: Sequence[int]) -> tuple[int, ...]:
        return tuple(min(size, task.n_features) for size in sizes)

    return SignatureSelector(
        options=replace(asked, sizes=cut(asked.sizes), measure=measure.name),
        info=task.info,
        classes=task.classes,
        usual=SignatureOptions(measure=usual, sizes=cut(SignatureOptions().sizes)),
    )
