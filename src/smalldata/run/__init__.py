"""Running: one cell from its plan to its files, with its progress, weights and page.

A RunConfig goes in, a finished cell on disk comes out.
Step in the line: config -> **plan, folds, explanation, report** -> ``outputs/``.
"""
