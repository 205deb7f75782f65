"""What a compilation compiles for besides the servers it is configured for: the same sources, tried on each version of each product they use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tocsin.diag import Severity
from tocsin.ir.project import Project
from tocsin.pipeline import compile_service, export, link, together
from tocsin.pipeline.values import Compilation
from tocsin.wire.versions import TRIED, Product, Version, version_text


def compiles_for(compilation: Compilation) -> Mapping[str, Mapping[str, bool]]:
    """Product -> version -> whether every service compiles without an error when each server of that product has that version."""
    assert compilation.settings is not None
    project = compilation.settings.project
    used = {evaluator.kind for env in project.environments for evaluator in env.evaluators}
    return {
        product: {
            version_text(version): _compiles(compilation, _at(project, product, version))
            for version in versions
        }
        for product, versions in TRIED.items()
        if product in used
    }


def _at(project: Project, product: Product, version: Version) -> Project:
    environments = tuple(
        replace(
            env,
            evaluators=tuple(
                replace(each, version=version) if each.kind == product else each for each in env.evaluators
            ),
        )
        for env in project.environments
    )
    return replace(project, environments=environments)


def _compiles(compilation: Compilation, project: Project) -> bool:
    assert compilation.settings is not None
    settings = replace(compilation.settings, project=project)
    loaded = [each.loaded for each in compilation.services]
    shared = link(
        [export(each, project) for each in loaded], [each.report for each in compilation.pages], project
    )
    services = []
    for each in loaded:
        made = compile_service(each, settings, shared, digests=False)
        if any(found.severity is Severity.error for found in made.report.diagnostics):
            return False
        services.append(made)
    return not any(found.severity is Severity.error for found in together(services, project))
