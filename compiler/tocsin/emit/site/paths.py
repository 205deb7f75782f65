"""Addresses of the site: the same for ever, in every language, whatever a page is called or where its source lies.

A page's file below the docs folder and its address say the same thing twice; both come from here.
"""

from __future__ import annotations

from urllib.parse import quote

HOME = ""
LEVELS = "levels"
LOOKUP = "lookup"
COVERAGE = "report/coverage"
FRESHNESS = "report/freshness"
LANGUAGES = "report/languages"
SOPS = "sop"
ALERTS = "a"
SERVICES = "svc"
TEAMS = "team"
ERRORS = "err"
INCIDENTS = "inc"


def sop(id: str) -> str:
    """The page of one SOP."""
    return f"{SOPS}/{id}"


def alert(name: str) -> str:
    """The stub of one alertname."""
    return f"{ALERTS}/{quote(name, safe='')}"


def service(name: str) -> str:
    """The page of one service."""
    return f"{SERVICES}/{quote(name, safe='')}"


def team(id: str) -> str:
    """The page of one team."""
    return f"{TEAMS}/{quote(id, safe='')}"


def error(code: str) -> str:
    """The page of one error code."""
    return f"{ERRORS}/{quote(code, safe='')}"


def incident(id: str) -> str:
    """The page of one incident."""
    return f"{INCIDENTS}/{id}"


def markdown(page: str) -> str:
    """The Markdown file of a page, below the docs folder: index pages have a folder of their own."""
    return (
        f"{page}.md"
        if page and page not in (SOPS, SERVICES, TEAMS, ERRORS, INCIDENTS, ALERTS)
        else f"{page}/index.md".lstrip("/")
    )


def address(page: str) -> str:
    """The address of a page below the site's root: `/sop/SOP-KAFKA-007/`."""
    return f"/{page}/" if page else "/"


def relative(page: str, of: str) -> str:
    """The link to `page`'s Markdown file as written on page `of`, which the generator turns into the right address and checks."""
    source, target = markdown(of).split("/"), markdown(page).split("/")
    while len(source) > 1 and len(target) > 1 and source[0] == target[0]:
        source, target = source[1:], target[1:]
    return "../" * (len(source) - 1) + "/".join(target)
