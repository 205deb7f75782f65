"""Tocsin compiles alert rules and the procedures (SOPs) that answer them.

The story is in `pipeline`; the rooms and the one way down between them are drawn in `compiler/MAP.md`.
Nothing is imported here, because `tocsin --help` has to answer before a person notices.
"""

__version__ = "0.1.0"
