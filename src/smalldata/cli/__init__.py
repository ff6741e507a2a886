"""The command line: one file per verb.

Words go in, the result goes to stdout, the log to stderr, an exit status comes out.
Step in the line: the first and the last.
"""
