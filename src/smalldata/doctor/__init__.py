"""The doctor: what this machine, its libraries and its cards are, and what to mend.

`machine.collect` looks at the machine, `diagnosis.diagnose` says what the facts mean, `screen`
prints both. Step in the line: none; it stands beside it.
"""
