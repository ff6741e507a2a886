"""The frozen results: splits, folds, records, comparisons, explanations.

Dataclasses of numbers and their properties; nothing here computes a model or does I/O.
Step in the line: none of its own; every later step takes and gives these.
"""
