"""Compiled rules become files: one module per target, each pure.

A target has `emit(resolved, project, environment) -> Iterator[Artifact]` and `unsupported(resolved, project,
environment) -> Iterator[Diagnostic]`, one service and one environment at a time, so that services can be
compiled in parallel and cached. What it cannot express it refuses in `unsupported`; it never leaves anything
out.
"""
