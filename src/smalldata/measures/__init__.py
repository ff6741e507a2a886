"""Measures: the name, needs, formula and bootstrap of each.

Predictions go in; scores, bootstrap draws and curves come out.
Step in the line: fold -> **scores** -> comparison.
"""
