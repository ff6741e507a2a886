"""Statistics that know no model: corrected tests, power laws, steadiness of ranks, correlation.

Arrays go in, estimates with their intervals come out.
Step in the line: none of its own; comparison, explanation and report use it.
"""
