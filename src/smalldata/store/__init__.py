"""The store: the folders of cells on disk, written atomically, sealed, locked and resumable.

Records, explanations and trials go in and come out again unchanged.
Step in the line: fold results -> **files** -> comparison; the only writer below ``outputs/``.
"""
