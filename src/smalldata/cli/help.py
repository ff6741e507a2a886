"""The help text of ``--help``."""

from smalldata.runtime.catalogue import names

HELP = """\
smalldata: is deep learning worth it on your table, or are simpler models better?

  python -m smalldata model=xgboost dataset=omics           folds, explanation, table, report
  python -m smalldata -m model=knn,svm,mlp dataset=omics    a grid of models, one comparison
  python -m smalldata dataset=table dataset.path=my.csv dataset.target=outcome model=svm

Verbs (the first word; the default is `run`)
  run       evaluate one cell, or a grid with -m
  compare   PATH …     one table of exactly the cells given; measure=NAME
  explain   PATH …     Shapley values of stored cells; trains only what it must
  summary KEY=VALUE …  layers, parameters and memory of a network on its first training fold
  look KEY=VALUE …     how a table is read: page, findings, pictures; --save my.yaml fixes it
  doctor               this machine, its libraries and cards, and what to fix; --json
  datasets             the bundled tables
  models               the models and their hyperparameters

Keys
  model=NAME           {models}
  dataset=NAME         {datasets}
                       table and h5ad take dataset.path=FILE dataset.target=COLUMN;
                       or a yaml of your own that `look` saved: dataset=my.yaml
  cv=NAME              {cv}; cv.n_splits=5 cv.train_size=40
  measure=NAME         the primary measure
  preprocess.select=univariate preprocess.k=50   selection inside the folds (or linear, shap)
  threshold.rule=youden     labels at a threshold chosen inside the folds (docs/thresholds.md)
  threshold.prevalence=0.05 the share of positives that PPV, NPV and net benefit hold for
  experiment=signature      a small panel of features: size and members chosen inside the folds
  model.learner.KEY=VALUE   a hyperparameter (see `models`)
  tune=optuna tune.trials=50   tuned inside each outer fold
  explain=shap|none  seed=0  n_jobs=2  device=auto|cpu|cuda  outputs=DIR  dry_run=true
  -m, --multirun       commas make a grid: model=knn,svm
  -m hydra/sweeper=smalldata_optuna 'model.learner.C=interval(0.01,100)'   a search (docs/tuning.md)
  -h, --help           this text
  --version

Exit status: 0 done, 1 a fold failed (the rest is kept), 2 wrong input,
70 a bug in the program or a machine out of memory (SMALLDATA_DEBUG=1 shows where),
130 interrupted (the same command continues from there).
Documentation: docs/ in the source tree.
"""


def help_text() -> str:
    """Return the help, with the names of models, datasets and cross-validations filled in."""
    wide = ", ".join
    return HELP.format(
        models=wide(names("model")), datasets=wide(names("dataset")), cv=wide(names("cv"))
    )
