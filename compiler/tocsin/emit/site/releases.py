"""What was released, and what it compiles for: the ledger as a page of its own, and as a table on each SOP's page.

In: the model, whose ledger is the only source: a page says what a release said, whatever the sources say today. Out: Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.emit.site import markup, paths
from tocsin.emit.site.here import Here
from tocsin.emit.site.markup import UNSEARCHED, code, plain, table
from tocsin.emit.site.model import SiteModel, SopView
from tocsin.emit.site.parts import alert_link, page, sop_link
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say
from tocsin.ir.project import Release, ReleasedChange

_PAGE, _SOP = 50, 10
"""Releases that a page shows: the ledger and the changelog have them all."""
_CHANGES = 200
"""Changes of one release that the page shows."""


def releases_page(model: SiteModel, language: str) -> tuple[str, str]:
    """The page of all releases: its address and its text."""
    return paths.RELEASES, page(say(language, "releases"), *_releases(model, language))


def _releases(model: SiteModel, language: str) -> Iterator[str]:
    releases = model.ledger.releases
    if not releases:
        yield tr(language, "Nothing was released yet.")
    else:
        matrix = _matrix(releases[:_PAGE], language)
        if matrix:
            yield f"## {tr(language, 'What each release compiles for')} {{: #compatibility }}"
            yield matrix
    deprecations = model.project.release.deprecations
    if deprecations:
        yield f"## {tr(language, 'What goes away')} {{: #deprecated }}"
        words = [say(language, each) for each in ("what", "until", "reason")]
        yield table(
            words, [(plain(each.what), _day(each.until), plain(each.instead)) for each in deprecations]
        )
    for release in releases[:_PAGE]:
        yield f"## {plain(release.version)} {{: #{release.version} {UNSEARCHED} }}"
        yield _day(release.date)
        rows = [_row(model, each, language) for each in release.changes[:_CHANGES]]
        if rows:
            words = [say(language, "alert"), say(language, "what"), say(language, "reason")]
            yield table(words, rows)
        if len(release.changes) > _CHANGES:
            yield tr(language, "More changes are in the changelog.")
        sops = [_sop(model, each, language) for each in release.sops]
        if sops:
            yield f"{say(language, 'sops')}{say(language, 'colon')}{say(language, 'comma').join(sops)}"


def sop_releases(here: Here, view: SopView) -> str:
    """The section of a SOP's page: the releases that changed it or an alert that leads to it, the newest first; `""` where none did."""
    language, ids = here.language, {each.id for each in view.alerts}
    rows: list[Sequence[str]] = []
    for release in here.model.ledger.releases:
        version = plain(release.version)
        if not here.model.files:  # a pack has no page of releases
            version = markup.link(version, f"{paths.relative(paths.RELEASES, here.page)}#{release.version}")
        if any(name.partition(".")[0] == view.sop.id for name in release.sops):
            rows.append((version, _day(release.date), tr(language, "the procedure's text"), ""))
        rows.extend(
            (version, _day(release.date), f"{_rule(each)}<br>{_what(each, language)}", _why(each))
            for each in release.changes
            if each.rule.partition("/")[0] in ids
        )
    if not rows:
        return ""
    words = [say(language, "version"), tr(language, "Day"), say(language, "what"), say(language, "reason")]
    return (
        f"## {say(language, 'releases')} {{: #tocsin-releases {UNSEARCHED} }}\n\n{table(words, rows[:_SOP])}"
    )


def _row(model: SiteModel, change: ReleasedChange, language: str) -> Sequence[str]:
    id = change.rule.partition("/")[0]
    view = model.alerts.get(id)
    linked = f"{alert_link(model, view, paths.RELEASES)}<br>" if view is not None else ""
    return (f"{linked}{_rule(change)}", _what(change, language), _why(change))


def _rule(change: ReleasedChange) -> str:
    """Its key and where: one key may have changed otherwise elsewhere."""
    return f"{code(change.rule)}<br>{plain(', '.join(change.envs))}"


WORDS = {
    "added": "added",
    "removal": "removed",
    "meaning": "asks something else",
    "routing": "reaches somebody else",
    "text": "reads differently",
    "sensitivity": "fires at other times",
    "up": "more sensitive",
    "down": "less sensitive",
}
"""What a class or a direction of the ledger is called."""


def _what(change: ReleasedChange, language: str) -> str:
    word = WORDS.get(change.direction) or WORDS.get(change.class_)
    said = tr(language, word) if word is not None else plain(change.class_)
    return "<br>".join([said, *map(code, change.what)])


def _why(change: ReleasedChange) -> str:
    return "<br>".join(map(plain, (*change.reasons, *change.tickets)))


def _sop(model: SiteModel, name: str, language: str) -> str:
    id = name.partition(".")[0]
    return sop_link(model, id, language, paths.RELEASES) if id in model.sops and name == id else code(name)


def _day(text: str) -> str:
    return f'<time datetime="{plain(text)}">{plain(text)}</time>'


def _matrix(releases: Sequence[Release], language: str) -> str:
    """A column for each version that any of these releases was compiled for; a mark and a word, for colour alone tells nothing. `""` without any."""
    columns = sorted(
        {
            (product, version)
            for each in releases
            for product, found in each.compiles.items()
            for version in found
        },
        key=_in_order,
    )
    if not columns:
        return ""
    rows = [
        (
            markup.link(plain(each.version), f"#{each.version}"),
            *(_mark(each.compiles.get(product, {}).get(version), language) for product, version in columns),
        )
        for each in releases
    ]
    return table(
        [say(language, "version"), *(plain(f"{product} {version}") for product, version in columns)], rows
    )


def _in_order(column: tuple[str, str]) -> tuple[str, tuple[int, ...]]:
    return column[0], tuple(int(part) for part in column[1].split(".") if part.isdigit())


def _mark(compiles: bool | None, language: str) -> str:
    if compiles is None:
        return "–"
    return f"✓ {say(language, 'yes')}" if compiles else f"✗ {say(language, 'no')}"
