"""The only reader of the work tree: a folder in, decoded texts and findings out.

A pull request of a stranger decides what stands in the folder, so nothing here is trusted: a symbolic link
out of the repository, a pipe, a device, a file of 50 MB or a name with a line break becomes a finding, is
never opened (or never read whole), and never hides the other files. Order is by path, so that the same folder
gives the same bytes on every machine.
"""

# ruff: noqa: PTH118, PTH114, PTH112, PTH116
# 4,000 names are looked at in a few milliseconds; a Path for each would double that.
from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tocsin.diag.diagnostic import Diagnostic, diagnostic, ordered
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span

MAX_BYTES = 2_000_000
"""A hand-written source stays under 100 kB; a mark (`diag.origin`) holds columns below a million."""
PROJECT, LEDGER = "tocsin.yaml", "releases.json"
FOLDERS = ("rules", "sops", "incidents", "site")
TEST_SUFFIX = ".promtool.yaml"
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".ico")
_WANTED = {"rules": (".yaml",), "sops": (".md",), "incidents": (".md",), "site": (".md", ".css", *IMAGES)}
_STRAY = {
    "rules": (".yml", ".json", ".txt", ".rules", ".yaml"),
    "sops": (".markdown", ".txt", ".yaml", ".yml", ".md"),
    "incidents": (".markdown", ".txt", ".yaml", ".yml", ".md"),
    "site": ("",),
}
"""Endings, in any case, that look like a source and are none."""
_RENAMED = {
    "rules": ("yaml", "yml", "rules"),
    "sops": ("md", "markdown", "txt"),
    "incidents": ("md", "markdown", "txt"),
}
_NEVER = (
    ((".yml", ".yaml"), "the generator's configuration is made from `site:` in tocsin.yaml"),
    ((".py", ".pyc"), "the generator runs no code from here; move it out of `site/`"),
    (
        (".html", ".htm", ".jinja", ".j2"),
        "write the page in Markdown: templates and raw HTML are not passed on",
    ),
    ((".js", ".mjs"), "the site loads no scripts but its own; move it out of `site/`"),
    ((".svg",), "an SVG can carry scripts: save the picture as PNG or WebP"),
)
"""What in `site/` would run code or replace the site's own pages, and what to do instead."""
_ABOUT_FOLDERS = frozenset({"readme.md", "index.md"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a repository has to say: every tuple sorted by path. `promtool` are test files for promtool
    itself, kept as they are; `site` are the pages and styles of `site/`, `images` the paths of its images.
    """

    project: SourceFile | None
    ledger: SourceFile | None
    rules: tuple[SourceFile, ...]
    sops: tuple[SourceFile, ...]
    incidents: tuple[SourceFile, ...]
    promtool: tuple[SourceFile, ...]
    site: tuple[SourceFile, ...]
    images: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


class _Found(NamedTuple):
    """One name on disk: what to read, or why not. `full` is what to open; `info` is of the target where it is
    a link.
    """

    path: str
    full: str
    info: os.stat_result | None
    problem: Diagnostic | None = None


def read_tree(root: Path) -> Tree:
    """Every source below `root`. A file that cannot be read is a diagnostic; a missing folder is empty."""
    found: list[Diagnostic] = []
    texts: dict[str, list[SourceFile]] = {each: [] for each in (*FOLDERS, "promtool", "")}
    images: list[str] = []
    for each in _candidates(root):
        folder = each.path.partition("/")[0] if "/" in each.path else ""
        if each.problem is not None:
            found.append(each.problem)
            continue
        if folder == "site" and each.path.lower().endswith(IMAGES):
            images.append(each.path)
            continue
        file, said = _read(each)
        found.extend(said)
        if file is not None:
            texts["promtool" if folder == "rules" and file.path.endswith(TEST_SUFFIX) else folder].append(
                file
            )
    top = {each.path: each for each in texts[""]}
    images.sort()
    return Tree(
        project=top.get(PROJECT),
        ledger=top.get(LEDGER),
        rules=_by_path(texts["rules"]),
        sops=_by_path(texts["sops"]),
        incidents=_by_path(texts["incidents"]),
        promtool=_by_path(texts["promtool"]),
        site=_by_path(texts["site"]),
        images=tuple(images),
        diagnostics=ordered(found),
    )


def read_image(root: Path, path: str) -> bytes | None:
    """The bytes of one of `Tree.images`; None where it is none any more, or cannot be read."""
    top = os.path.realpath(root)
    full = os.path.join(top, path)
    each = _look(top, path, full, is_link=os.path.islink(full))
    if each.problem is not None or _outside(top, path, full):
        return None
    data, _ = _bytes(each)
    return data


def stat_tree(root: Path) -> tuple[tuple[str, int, int], ...]:
    """(path, size, mtime in ns) of every name `read_tree` would speak of, sorted: equal tuples mean nothing
    was touched.
    """
    rows = [
        (each.path, each.info.st_size if each.info else -1, each.info.st_mtime_ns if each.info else -1)
        for each in _candidates(root)
    ]
    return tuple(sorted(rows))


def decode(path: str, data: bytes) -> tuple[SourceFile | None, tuple[Diagnostic, ...]]:
    """The text of `data`, without byte-order mark and with plain line ends; None and TOC110 where it is not
    UTF-8. `digest` is of the bytes.
    """
    found: list[Diagnostic] = []
    digest = hashlib.sha256(data).hexdigest()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None, (
            diagnostic("TOC110", Span.point(path, 1, 1), "the file is UTF-16", help="save it as UTF-8"),
        )
    if data[:3] == b"\xef\xbb\xbf":
        found.append(
            diagnostic(
                "TOC111",
                Span.point(path, 1, 1),
                "the file starts with a byte-order mark",
                help="save it as UTF-8 without BOM",
            )
        )
        data = data[3:]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        span = Span.point(path, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        found.append(
            diagnostic(
                "TOC110",
                span,
                f"the byte 0x{data[error.start]:02X} is not UTF-8",
                help="save the file as UTF-8",
            )
        )
        return None, tuple(found)
    if "\r" in text:
        first = text.index("\r")
        row = text.count("\n", 0, first) + 1
        span = Span.point(path, row, first - (text.rfind("\n", 0, first) + 1) + 1)
        found.append(
            diagnostic(
                "TOC112",
                span,
                "lines end with carriage returns",
                help="save it with Unix line ends, or set `* text=auto eol=lf` in .gitattributes",
            )
        )
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return SourceFile(path=path, text=text, digest=digest), tuple(found)


def _by_path(files: list[SourceFile]) -> tuple[SourceFile, ...]:
    return tuple(sorted(files, key=lambda each: each.path))


def _read(each: _Found) -> tuple[SourceFile | None, tuple[Diagnostic, ...]]:
    data, found = _bytes(each)
    return (None, found) if data is None else decode(each.path, data)


def _bytes(each: _Found) -> tuple[bytes | None, tuple[Diagnostic, ...]]:
    try:
        # O_NONBLOCK: should the name have become a pipe since it was looked at, opening must not wait for a
        # writer.
        handle = os.open(each.full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return None, (_unreadable(each.path, error),)
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            return None, (_not_a_file(each.path, info.st_mode),)
        if info.st_size > MAX_BYTES:
            return None, (_too_large(each.path, info.st_size),)
        # One byte more than there should be: a file that grows meanwhile is read on, up to the limit.
        data = os.read(handle, info.st_size + 1)
        while info.st_size < len(data) <= MAX_BYTES and (more := os.read(handle, MAX_BYTES + 1 - len(data))):
            data += more
    except OSError as error:
        return None, (_unreadable(each.path, error),)
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        return None, (_too_large(each.path, len(data)),)
    return data, ()


def _candidates(root: Path) -> Iterator[_Found]:
    """Every name that is a source, or stands where one belongs and is not."""
    top = os.path.realpath(root)
    for name in (PROJECT, LEDGER):
        full = os.path.join(top, name)
        if os.path.lexists(full):
            yield _look(top, name, full, is_link=os.path.islink(full))
    for folder in FOLDERS:
        full = os.path.join(top, folder)
        if not os.path.lexists(full):
            continue
        if os.path.islink(full) and (problem := _outside(top, folder, full)):
            yield _Found(folder, full, None, problem)
        elif os.path.isdir(full):
            yield from _walk(top, folder, folder, full, frozenset({os.path.realpath(full)}))
        else:
            problem = diagnostic("TOC113", Span(folder), f"`{folder}` must be a folder", help="rename it")
            yield _Found(folder, full, None, problem)


def _walk(top: str, folder: str, path: str, full: str, above: frozenset[str]) -> Iterator[_Found]:
    try:
        with os.scandir(full) as names:
            entries = sorted(names, key=lambda each: each.name)
    except OSError as error:
        yield _Found(path, full, None, _unreadable(path, error))
        return
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name.endswith("~"):
            continue
        here = f"{path}/{name}"
        low = name.lower()
        if problem := _bad_name(here, name):
            yield _Found(problem.span.file, entry.path, None, problem)
            continue
        is_link = entry.is_symlink()
        if is_link and (problem := _outside(top, here, entry.path)):
            yield _Found(here, entry.path, None, problem)
        elif _is_folder(entry):
            if (low if folder == "site" else name).endswith(_WANTED[folder]):
                help = "rename the folder, or put the source's text in a file of this name"
                yield _Found(
                    here,
                    entry.path,
                    None,
                    diagnostic("TOC113", Span(here), f"`{name}` is a folder where a file belongs", help=help),
                )
                continue
            real = os.path.realpath(entry.path) if is_link else ""
            if is_link and (real in above or any(each.startswith(real + os.sep) for each in above)):
                continue
            yield from _walk(top, folder, here, entry.path, above | {real or os.path.join(full, name)})
        elif (low if folder == "site" else name).endswith(_WANTED[folder]):
            if low not in _ABOUT_FOLDERS or (folder == "site" and low == "index.md"):
                yield _look(top, here, entry.path, is_link=is_link, entry=entry)
        elif low.endswith(_STRAY[folder]):
            yield _Found(here, entry.path, None, _stray(folder, here, name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _look(top: str, path: str, full: str, *, is_link: bool, entry: os.DirEntry[str] | None = None) -> _Found:
    if is_link and (problem := _outside(top, path, full)):
        return _Found(path, full, None, problem)
    try:
        info = entry.stat() if entry is not None else os.stat(full)
    except OSError as error:
        if is_link:
            problem = diagnostic(
                "TOC113",
                Span(path),
                "the symbolic link points to nothing",
                help="remove it, or put a file there",
            )
            return _Found(path, full, None, problem)
        return _Found(path, full, None, _unreadable(path, error))
    if not stat.S_ISREG(info.st_mode):
        return _Found(path, full, info, _not_a_file(path, info.st_mode))
    if info.st_size > MAX_BYTES:
        return _Found(path, full, info, _too_large(path, info.st_size))
    return _Found(path, full, info)


def _outside(top: str, path: str, full: str) -> Diagnostic | None:
    real = os.path.realpath(full)
    if real == top or real.startswith(top + os.sep):
        return None
    return diagnostic(
        "TOC114",
        Span(path),
        "the symbolic link leads out of the repository",
        help="put the file here, or remove the link",
    )


def _bad_name(path: str, name: str) -> Diagnostic | None:
    if name.isprintable() and "\\" not in name:
        return None
    odd = next(each for each in name if each == "\\" or not each.isprintable())
    what = "a byte that is not UTF-8" if 0xD800 <= ord(odd) <= 0xDFFF else f"the character U+{ord(odd):04X}"
    what = f"the character U+{ord(odd):04X}"
    if odd == "\\":
        what = "a backslash"
    elif 0xD800 <= ord(odd) <= 0xDFFF:
        what = "a byte that is not UTF-8"
    shown = "".join(each if each.isprintable() else f"\\x{ord(each) & 0xFF:02x}" for each in path)
    return diagnostic(
        "TOC118",
        Span(shown),
        f"the name contains {what}",
        help="rename it: letters, digits, dashes, dots and underscores",
    )


def _stray(folder: str, path: str, name: str) -> Diagnostic:
    if folder == "site":
        return _not_for_the_site(path, name)
    stem, _, suffix = name.rpartition(".")
    wanted = _WANTED[folder][0]
    if suffix.lower() in _RENAMED[folder]:
        help = f"rename it to `{stem}{wanted}` if it is a source"
    elif folder == "rules":
        help = f"`tocsin adopt prometheus {path}` makes a source of it; else move it out of `rules/`"
    else:
        help = f"sources below `{folder}/` are Markdown with front matter; rules belong below `rules/`"
    return diagnostic(
        "TOC117", Span(path), f"`{name}` is not read: sources below `{folder}/` end in `{wanted}`", help=help
    )


def _not_for_the_site(path: str, name: str) -> Diagnostic:
    low = name.lower()
    kinds = "Markdown, CSS and images (png, jpg, webp, gif, ico)"
    help = next(
        (said for endings, said in _NEVER if low.endswith(endings)),
        f"`site/` holds {kinds}; move it elsewhere",
    )
    return diagnostic("TOC119", Span(path), f"`{name}` is not passed on to the site", help=help)


def _not_a_file(path: str, mode: int) -> Diagnostic:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    what = next((word for test, word in kinds if test(mode)), "something else")
    return diagnostic("TOC113", Span(path), f"{what} stands where a file belongs", help="remove it")


def _too_large(path: str, size: int) -> Diagnostic:
    message = f"the file has {size:,} bytes; a source has at most {MAX_BYTES:,}"
    return diagnostic("TOC115", Span(path), message, help="split it")


def _unreadable(path: str, error: OSError) -> Diagnostic:
    return diagnostic(
        "TOC113",
        Span(path),
        f"it cannot be read: {os.strerror(error.errno or 0).lower()}",
        help="check its permissions",
    )
