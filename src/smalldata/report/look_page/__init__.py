"""The page that shows how a table was read: its numbers, figures and template.

Step in the line: files -> Dataset -> **what people read**, before anything is fitted. Takes a
Dataset, or what could be read where it became none, and gives HTML and lines for a screen.
"""
