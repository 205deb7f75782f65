"""What a source may be called, how large it may be and how it is read: asked of the work tree and of every revision alike.

In: a path, a size, bytes. Out: a text or a finding. Nothing is opened here, so that `disk.files` and `disk.git_tree` cannot disagree about what a
source is.
"""

from __future__ import annotations

import hashlib
import os
import stat

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span

MAX_BYTES = 2_000_000
"""A hand-written source stays under 100 kB; a mark (`diag.origin`) holds columns below a million."""
PROJECT, LEDGER = "tocsin.yaml", "releases.json"
FOLDERS = ("rules", "sops", "incidents", "site")
TEST_SUFFIX = ".promtool.yaml"
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".ico")
WANTED = {"rules": (".yaml",), "sops": (".md",), "incidents": (".md",), "site": (".md", ".css", *IMAGES)}
STRAY = {
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
ABOUT_FOLDERS = frozenset({"readme.md", "index.md"})


def decode(path: str, data: bytes) -> tuple[SourceFile | None, tuple[Diagnostic, ...]]:
    """The text of `data`, without byte-order mark and with plain line ends; None and TOC110 where it is not
    UTF-8. `digest` is of the bytes.
    """
    found: list[Diagnostic] = []
    digest = hashlib.sha256(data).hexdigest()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "UTF-32" if data[2:4] == b"\0\0" and len(data) % 4 == 0 else "UTF-16"
        return None, (
            diagnostic("TOC110", Span.point(path, 1, 1), f"the file is {encoding}", help="save it as UTF-8"),
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


def bad_name(path: str, name: str) -> Diagnostic | None:
    """A name that no page, link or log can show."""
    if name.isprintable() and "\\" not in name:
        return None
    odd = next(each for each in name if each == "\\" or not each.isprintable())
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


def stray(folder: str, path: str, name: str) -> Diagnostic:
    """A file that looks like a source of `folder` and is none."""
    if folder == "site":
        return _not_for_the_site(path, name)
    stem, _, suffix = name.rpartition(".")
    wanted = WANTED[folder][0]
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


def not_a_file(path: str, mode: int) -> Diagnostic:
    """What stands where a file belongs, by its mode."""
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    what = next((word for test, word in kinds if test(mode)), "something else")
    return diagnostic("TOC113", Span(path), f"{what} stands where a file belongs", help="remove it")


def too_large(path: str, size: int) -> Diagnostic:
    """A file of more than `MAX_BYTES`."""
    message = f"the file has {size:,} bytes; a source has at most {MAX_BYTES:,}"
    return diagnostic("TOC115", Span(path), message, help="split it")


def unreadable(path: str, error: OSError) -> Diagnostic:
    """What the system said when the file was opened."""
    return diagnostic(
        "TOC113",
        Span(path),
        f"it cannot be read: {os.strerror(error.errno or 0).lower()}",
        help="check its permissions",
    )


def leads_out(path: str) -> Diagnostic:
    """A symbolic link to a place outside the repository."""
    return diagnostic(
        "TOC114",
        Span(path),
        "the symbolic link leads out of the repository",
        help="put the file here, or remove the link",
    )


def leads_nowhere(path: str) -> Diagnostic:
    """A symbolic link to nothing."""
    help = "remove it, or put a file there"
    return diagnostic("TOC113", Span(path), "the symbolic link points to nothing", help=help)


def folder_for_file(path: str, name: str) -> Diagnostic:
    """A folder that is called like a source."""
    help = "rename the folder, or put the source's text in a file of this name"
    return diagnostic("TOC113", Span(path), f"`{name}` is a folder where a file belongs", help=help)


def file_for_folder(folder: str) -> Diagnostic:
    """Something else that is called like one of the top folders."""
    return diagnostic("TOC113", Span(folder), f"`{folder}` must be a folder", help="rename it")


def is_source(folder: str, name: str) -> bool:
    """Whether a file of that name, anywhere below `folder`, is read."""
    low = name.lower()
    if not (low if folder == "site" else name).endswith(WANTED[folder]):
        return False
    return low not in ABOUT_FOLDERS or (folder == "site" and low == "index.md")


def is_stray(folder: str, name: str) -> bool:
    """Whether a file that is no source has a name that looks like one."""
    low = name.lower()
    named_right = (low if folder == "site" else name).endswith(WANTED[folder])
    return not named_right and low.endswith(STRAY[folder])


def is_image(path: str) -> bool:
    """Whether it is an image of the site, which is not read as text."""
    return path.startswith("site/") and path.lower().endswith(IMAGES)
