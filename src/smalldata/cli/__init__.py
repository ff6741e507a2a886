"""The command line: one file per verb.

It takes the words of a command, writes the result to stdout and the log to stderr, and gives an
exit status.
Step in the line: the first and the last.
"""
