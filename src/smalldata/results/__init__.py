"""The frozen results of the line: splits, folds, records, comparisons, explanations.

Numbers go in and properties of them come out; nothing here computes a model or touches a disk.
Step in the line: none of its own; every later step takes and gives these.
"""
