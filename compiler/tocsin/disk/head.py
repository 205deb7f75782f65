"""Whether Git's HEAD moved, from a few small files and without starting a program: for answers that are remembered between runs.

Light on purpose: a run whose answer is known imports this and little else.
"""

from __future__ import annotations

from pathlib import Path

_WATCHED = ("logs/HEAD", "packed-refs", "shallow", "reftable/tables.list")
_LONGEST = 4_096


def head_stamp(root: Path) -> tuple[str, ...]:
    """Equal stamps mean that HEAD names the same commit of the same history; empty where `root` lies in no repository."""
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_dir():
            return _stamp(git, git)
        if git.is_file():
            # A linked work tree: the file names its own folder, and that names the one it shares.
            own = folder / _read(git).removeprefix("gitdir:").strip()
            shared = own / (_read(own / "commondir").strip() or ".")
            return _stamp(own, shared)
    return ()


def _stamp(own: Path, shared: Path) -> tuple[str, ...]:
    head = _read(own / "HEAD").strip()
    name = head.removeprefix("ref:").strip()
    rows = [head]
    # A name from a file is joined to a folder: only what is a plain branch name is opened.
    if head.startswith("ref:") and name.startswith("refs/") and ".." not in name:
        rows.append(_read(shared / name).strip())
    folders = (own,) if own == shared else (own, shared)
    for each in (folder / name for folder in folders for name in _WATCHED):
        try:
            info = each.stat()
        except OSError:
            continue
        rows.append(f"{each} {info.st_size} {info.st_mtime_ns}")
    return tuple(rows)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
