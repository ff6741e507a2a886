"""The sweeper ``hydra/sweeper=smalldata_optuna``.

In every Hydra program of the environment, Hydra imports the modules of this package without an
underscore. So these import only Hydra, and nothing here imports optuna before a sweep starts.
"""
