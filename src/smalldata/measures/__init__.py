"""Measures: what each is called, what it needs, how it is computed and drawn from again.

Predictions go in, scores, bootstrap draws and curves come out.
Step in the line: fold -> **scores** -> comparison.
"""
