"""The sweeper ``hydra/sweeper=smalldata_optuna``.

Hydra imports the modules of this package without an underscore in every Hydra program of the
environment: they import nothing but Hydra, and nothing here imports optuna before a sweep begins.
"""
