"""The machine: files and seals, processes, memory, devices, the bundled yaml.

Knows nothing about data or models; takes paths, jobs and sizes, gives files, results and limits.
Step in the line: none; every step may use it.
"""
