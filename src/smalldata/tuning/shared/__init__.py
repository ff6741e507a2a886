"""A study that several processes or machines share through a database.

Takes the study's address and what it searches, gives claimed trials, each done once.
Step in the line: as `smalldata.tuning`, for ``tune.storage`` and for sweeps.
"""
