"""The machine under the line: files and seals, processes, memory, devices, the bundled yaml.

Knows nothing of data or models; takes paths, jobs and sizes, gives files, results and limits.
Step in the line: none; every step may use it.
"""
