"""``python -m smalldata``: help and version at once, all else through `smalldata.cli`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

HELP = """\
smalldata: does deep learning pay on your table, or do simpler models serve you better?

  python -m smalldata model=xgboost dataset=omics           folds, explanation, table, report
  python -m smalldata -m model=knn,svm,mlp dataset=omics    a grid of models, one comparison
  python -m smalldata dataset=table dataset.path=my.csv dataset.target=outcome model=svm

Verbs (the first word; `run` is understood)
  run       evaluate one cell, or a grid with -m
  compare   PATH …     one table of exactly the cells given; measure=NAME
  explain   PATH …     Shapley values of stored cells, without training more than it must
  summary KEY=VALUE …  layers, parameters and memory of a network on its first training fold
  doctor               this machine, its libraries and cards, and what to mend; --json
  datasets             the bundled tables
  models               the models and their hyperparameters

Keys
  model=NAME           {models}
  dataset=NAME         {datasets}
                       table and h5ad take dataset.path=FILE dataset.target=COLUMN
  cv=NAME              {cv}; cv.n_splits=5 cv.train_size=40
  measure=NAME         the primary measure
  preprocess.select=univariate preprocess.k=50   selection inside the folds (or linear, shap)
  experiment=signature      a small panel of features: size and members chosen inside the folds
  model.learner.KEY=VALUE   a hyperparameter (see `models`)
  tune=optuna tune.trials=50   tuned inside each outer fold
  explain=shap|none  seed=0  n_jobs=2  device=auto|cpu|cuda  outputs=DIR  dry_run=true
  -m, --multirun       commas make a grid: model=knn,svm
  -m hydra/sweeper=smalldata_optuna 'model.learner.C=interval(0.01,100)'   a search (docs/tuning.md)
  -h, --help           this text
  --version

Exit status: 0 done, 1 a fold failed (the rest is kept), 2 wrong input,
70 an error of the program or a machine out of memory (SMALLDATA_DEBUG=1 shows where),
130 interrupted (the same command goes on from there).
Documentation: docs/ in the source tree.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _open_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except BrokenPipeError:  # `--help | head` has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:  # while the rest was still being imported
        sys.stderr.write("interrupted\n")
        return 130
    except Exception as error:  # all that comes from further down is caught in `cli`
        return _complain(error)


def _dispatch(arguments: Sequence[str]) -> int:
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(_help())
        sys.stdout.flush()
        return 0
    if "--version" in arguments:
        from importlib.metadata import version

        sys.stdout.write(f"smalldata {version('smalldata')}\n")
        return 0
    from smalldata.cli import run as cli

    return cli.main(arguments)


def _complain(error: Exception) -> int:
    """Say what kept the command line from starting, with nothing but the standard library."""
    from smalldata.errors import SmalldataError, describe_unexpected, wants_traceback

    if wants_traceback():
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SmalldataError):
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    sys.stderr.write(f"InternalError: {describe_unexpected(error)}\n")
    return 70


def _open_closed_streams() -> None:
    """Give a program started with closed streams (``2>&-``) somewhere to write.

    Else the next file it opens gets their number, and its worker processes die without theirs.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (stays open)
            if stream.fileno() == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(stream.fileno(), number)
            setattr(sys, name, stream)


def _help() -> str:
    from smalldata.runtime.catalogue import names

    wide = ", ".join
    return HELP.format(
        models=wide(names("model")), datasets=wide(names("dataset")), cv=wide(names("cv"))
    )


if __name__ == "__main__":
    sys.exit(main())
