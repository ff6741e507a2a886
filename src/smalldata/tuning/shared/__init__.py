"""One study shared by several processes or machines through a database.

A study's address and its question go in, claimed trials come out, each done once.
Step in the line: as `smalldata.tuning`, for ``tune.storage`` and for sweeps.
"""
