"""Configuration: what may be asked, checked and typed, and how Hydra is called to compose it.

Overrides and yaml go in, a RunConfig comes out.
Step in the line: command line -> **config** -> plan.
"""
