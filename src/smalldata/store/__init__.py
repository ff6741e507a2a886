"""The store: how a cell lies on disk, atomically written, sealed, locked and resumable.

Records, explanations and trials go in and come out again, number for number.
Step in the line: fold results -> **files** -> comparison; the only writer below ``outputs/``.
"""
