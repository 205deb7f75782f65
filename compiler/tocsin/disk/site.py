"""The site on disk: a generated tree in, `dist/site` out, whole or not at all.

    dist/.work/site/LANG/       the tree the generator reads: mkdocs.yml and docs/, only changed files written
    dist/.work/built/           what it writes, with our static files beside it
    dist/site/                  renamed into place at the very end; the old one is moved aside first and put back should the second rename fail

Nothing is built where nothing changed: a digest of the tree, and of the programs that build it, lies in the site itself. `dist/` may have come
with a stranger's branch, so nothing is written through a symbolic link, and a folder that is no site of ours is not replaced.

Longer than most: writing, running, the last pass and the swap hold one set of rules about the same few folders.
"""

# ruff: noqa: PTH123
# 10,000 stubs are written in a second; a Path for each would double that.
from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tocsin.disk.process import Running, start
from tocsin.disk.write import Output
from tocsin.errors import MachineError, TocsinError

WORK = ".work"
MARK = "assets/tocsin/built.json"
"""Below the site: says that we built it, and from what."""
_STATIC = "static/"
_WAITING = """
import json, os, sys
import markdown, pygments.lexers, pymdownx.superfences
import mkdocs.__main__, mkdocs.commands.build, material.plugins.search.plugin
said = sys.stdin.readline()
if said:
    folder, argv = json.loads(said)
    os.chdir(folder)
    mkdocs.__main__.cli(argv, prog_name="mkdocs")
"""
"""What a generator does that was started before there is anything to build; without a word it ends, as it does when we are gone."""
_PROGRAMS = ("mkdocs", "mkdocs-material", "Markdown", "pymdown-extensions", "Pygments", "jieba")
_FIXED_TIME = "315532800"
_LIMIT = 1800.0
_GLANCE = 0.5
_END = "</html>"
WARNING = re.compile(r"^(?:WARNING|ERROR)\s+-\s+(?P<text>.*(?:\n {2,}.*)*)", re.MULTILINE)

Finish = Callable[[str, str, str], tuple[str, tuple[str, ...]]]
"""(HTML, its path, `404.html` of its tree or "") -> the page to publish, and what forbids publishing it."""
Tidy = Callable[[str], str]


class SiteError(TocsinError):
    """The site cannot be published as it is: a dead link, a page that would load something from elsewhere."""

    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a site is built from. Files are by path below `dist/.work/site`: `LANG/mkdocs.yml`, `LANG/docs/**`, and `static/**`, which goes
    straight to the site. `root` is the language at the site's root.
    """

    files: Mapping[str, bytes]
    root: str
    digest: str
    """Of the files, and of the versions of what builds them: equal on every machine."""
    maker: str
    """This very tocsin and this Python, to the byte."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Each one is a run of the generator; the root's first."""
        found = {path.partition("/")[0] for path in self.files if path.endswith("/mkdocs.yml")}
        return tuple(sorted(found, key=lambda each: (each != self.root, each)))


def plan(
    artifacts: Iterable[Output], assets: Mapping[str, bytes], *, root: str, version: str, maker: str
) -> Plan:
    """The plan of a site. `assets` are files that are no text of ours: images, scripts. `version` is tocsin's, `maker` names it to the byte.

    MachineError where the programs that build a site are not installed.
    """
    files = {each.path: each.text.encode("utf-8") for each in artifacts}
    files.update(assets)
    for path in files:
        if (
            not all(step and step not in (".", "..") for step in path.split("/"))
            or "\\" in path
            or "\0" in path
        ):
            raise ValueError(f"not a path of the site: {path!r}")
    digest = hashlib.sha256(repr((version, root, _versions())).encode())
    for path in sorted(files):
        digest.update(f"{path}\0{hashlib.sha256(files[path]).hexdigest()}\n".encode("utf-8", "surrogatepass"))
    return Plan(files=files, root=root, digest=digest.hexdigest(), maker=f"{maker} {sys.version}")


def is_built(plan: Plan, out: Path, name: str = "site") -> bool:
    """Whether the site in `out` is the one this plan makes, as far as its mark and its number of files say."""
    said = _mark(out / name)
    return said is not None and said.get("tree") == plan.digest and said.get("files") == _count(out / name)


def build(
    plan: Plan,
    out: Path,
    finish: Finish,
    tidy: Tidy,
    *,
    name: str = "site",
    meanwhile: Callable[[], None] | None = None,
    ready: Running | None = None,
) -> bool:
    """Makes `out/name` the site of this plan; False where it already was. `ready` is a generator that waits (`waiting`), for the root language.
    `meanwhile` is work for the time in which the generator runs; it is
    called at most once, and only where a site is built.

    SiteError where a link leads nowhere; MachineError where the generator or the disk refuses. In both cases the old site is still there.
    """
    _admit(out, name)
    with locked(out / WORK):
        # A pack has a working folder of its own: the large site's tree goes on being what was last built.
        work = out / WORK / name if "/" in name else out / WORK
        work.mkdir(parents=True, exist_ok=True)
        _recover(work, out / name)
        record = work / "maker"
        if is_built(plan, out, name) and _text(record) == plan.maker:
            return False
        try:
            write_tree(plan, work / "site")
            built = work / "built"
            shutil.rmtree(built, ignore_errors=True)
            built.mkdir(parents=True, exist_ok=True)
            problems = _generate(plan, work, finish, tidy, meanwhile, ready)
            if problems:
                raise SiteError(_listed("the site is not published", problems))
            _join(plan, built)
            whole = built / plan.root
            _sign(plan, whole)
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            _swap(whole, out / name, work / "old")
            record.write_text(plan.maker, encoding="utf-8")
        except OSError as error:
            raise _refused(error, out) from error
    return True


def _generate(
    plan: Plan,
    work: Path,
    finish: Finish,
    tidy: Tidy,
    meanwhile: Callable[[], None] | None,
    ready: Running | None,
) -> list[str]:
    problems: list[str] = []
    done_pages: dict[str, set[str]] = {each: set() for each in plan.languages}
    with ExitStack() as stack:
        runs = [
            (each, stack.enter_context(_mkdocs(work / "site" / each, ready if each == plan.root else None)))
            for each in plan.languages
        ]
        # On the other core meanwhile: ten thousand stubs.
        problems.extend(_write_static(plan, work / "built" / "static", finish))
        if meanwhile is not None:
            meanwhile()
        until = time.monotonic() + _LIMIT
        while any(run.runs() for _, run in runs) and time.monotonic() < until:
            time.sleep(_GLANCE)
            for language, _ in runs:
                problems.extend(_finish(work / "built" / language, finish, done_pages[language]))
        for language, run in runs:
            done = run.wait(max(1.0, until - time.monotonic()))
            if done.code != 0:
                raise _failed(language, done.out)
    for language in plan.languages:
        problems.extend(_finish(work / "built" / language, finish, done_pages[language], last=True))
        _tidy(work / "built" / language, tidy)
    return sorted(problems)


def mkdocs_command(language: str, *, strict: bool = True) -> tuple[list[str], dict[str, str]]:
    """The generator's command line, for the folder of one language's tree, and what its environment adds."""
    # Without -q: with it, a dead anchor ends with 0. With -P the tree itself is no place to import from.
    argv = [sys.executable, "-P", "-m", "mkdocs", "build", "--config-file", "mkdocs.yml"]
    argv += ["--site-dir", f"../../built/{language}"]
    env = {"SOURCE_DATE_EPOCH": _FIXED_TIME, "NO_MKDOCS_2_WARNING": "1", "PYTHONHASHSEED": "0"}
    return [*argv, *(["--strict"] if strict else [])], env


def _mkdocs(folder: Path, ready: Running | None) -> Running:
    argv, env = mkdocs_command(folder.name)
    if ready is None or not ready.runs():
        return start("mkdocs", argv, cwd=folder, env=env)
    ready.tell(json.dumps([str(folder), argv[argv.index("build") :]]))
    return ready


def waiting(folder: Path) -> Running:
    """A generator that has loaded itself, in `folder`, and waits to be told what to build: half of a short run is its start."""
    env = mkdocs_command("")[1]
    return start("mkdocs", [sys.executable, "-P", "-c", _WAITING], cwd=folder, env=env, told=True)


def _failed(language: str, said: str) -> TocsinError:
    warnings = [" ".join(each["text"].split()) for each in WARNING.finditer(said)]
    dead = [each for each in warnings if "Doc file" in each or "link" in each or "anchor" in each]
    if dead:
        return SiteError(
            _listed(f"dead links in the site ({language})", dead), help="the old site stays as it was"
        )
    tail = "\n  ".join(said.strip().splitlines()[-12:])
    return MachineError(f"mkdocs could not build the site ({language}):\n  {tail}")


def _listed(what: str, rows: list[str], limit: int = 30) -> str:
    shown = [f"  {each}" for each in rows[:limit]]
    if len(rows) > limit:
        shown.append(f"  ... and {len(rows) - limit} more")
    return "\n".join((f"{what}:", *shown))


def write_tree(plan: Plan, top: Path) -> bool:
    """Makes the tree equal to the plan and leaves files alone that already are: the generator's preview goes by their times. Whether it changed
    anything.
    """
    wanted = {path: data for path, data in plan.files.items() if not path.startswith(_STATIC)}
    changed = False
    for path in tree_files(top):
        if path not in wanted:
            (top / path).unlink()
            changed = True
    made: set[str] = set()
    for path, data in wanted.items():
        target = f"{top}/{path}"
        try:
            with open(target, "rb") as file:
                if file.read() == data:
                    continue
        except FileNotFoundError:
            pass
        _put(target, data, made)
        changed = True
    return changed


def _write_static(plan: Plan, top: Path, finish: Finish) -> Iterator[str]:
    shutil.rmtree(top, ignore_errors=True)
    made: set[str] = set()
    for path, data in plan.files.items():
        if not path.startswith(_STATIC):
            continue
        name = path[len(_STATIC) :]
        if name.endswith(".html"):
            html, problems = finish(data.decode("utf-8"), name, "")
            data = html.encode("utf-8")
            yield from problems
        _put(f"{top}/{name}", data, made)


def _put(target: str, data: bytes, made: set[str]) -> None:
    folder = target.rpartition("/")[0]
    if folder not in made:
        Path(folder).mkdir(parents=True, exist_ok=True)
        made.add(folder)
    with open(target, "wb") as file:
        file.write(data)


def _finish(top: Path, finish: Finish, done: set[str], *, last: bool = False) -> Iterator[str]:
    """The last pass over every page of one language that is not in `done`. Before the generator's end (`last`) a page is taken only where its
    end is there: pages are written from front to back, one after the other, and never again.
    """
    theme_page = top / "404.html"
    theme = theme_page.read_text(encoding="utf-8") if theme_page.is_file() else ""
    if not last and not theme.rstrip().endswith(_END):
        return
    for path in sorted(tree_files(top)):
        if not path.endswith(".html") or path in done or (path == theme_page.name and not last):
            continue
        target = f"{top}/{path}"
        with open(target, "rb") as file:
            data = file.read()
        if not last and not data.rstrip().endswith(_END.encode()):
            continue
        done.add(path)
        before = data.decode("utf-8")
        after, problems = finish(before, path, theme)
        yield from problems
        with open(target, "wb") as file:
            file.write(after.encode("utf-8"))


def _tidy(top: Path, tidy: Tidy) -> None:
    """What is no page: a sitemap without days, and no files that nobody's browser loads."""
    sitemap = top / "sitemap.xml"
    if sitemap.is_file():
        sitemap.write_text(tidy(sitemap.read_text(encoding="utf-8")), encoding="utf-8")
    (top / "sitemap.xml.gz").unlink(missing_ok=True)
    # Only who debugs the theme asks for its source maps, and they are a megabyte.
    for each in (top / "assets").rglob("*.map"):
        each.unlink()
    # Word lists for the search of languages that no site here has.
    for name in ("wordcut.js", "tinyseg.js"):
        (top / "assets" / "javascripts" / "lunr" / name).unlink(missing_ok=True)


def _join(plan: Plan, built: Path) -> None:
    """One folder of the languages and the static files."""
    whole = built / plan.root
    for language in plan.languages:
        if language != plan.root:
            shutil.rmtree(whole / language, ignore_errors=True)
            (built / language).rename(whole / language)
    _merge(built / "static", whole)
    shutil.rmtree(built / "static", ignore_errors=True)


def _merge(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    for each in sorted(source.iterdir()):
        there = target / each.name
        if each.is_dir() and there.is_dir():
            _merge(each, there)
        else:
            each.replace(there)


def _sign(plan: Plan, top: Path) -> None:
    mark = top / MARK
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_bytes(b"")
    mark.write_text(json.dumps({"files": _count(top), "tree": plan.digest}) + "\n", encoding="utf-8")


def _swap(new: Path, target: Path, aside: Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    try:
        new.rename(target)
    except BaseException:
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _recover(work: Path, target: Path) -> None:
    """A run that was killed between the two renames left the old site aside."""
    aside = work / "old"
    if aside.is_dir() and not target.exists():
        aside.rename(target)


def _admit(out: Path, name: str) -> None:
    target = out / name
    work = out / WORK / name if "/" in name else out / WORK
    for path in (out, out / WORK, work.parent, work, work / "site", work / "built", target.parent, target):
        if path.is_symlink():
            raise MachineError(
                f"{path} is a symbolic link", help="remove it: the output folder holds plain folders only"
            )
        if path.exists() and not path.is_dir():
            raise MachineError(f"{path} is not a folder", help="move it away")
    if target.is_dir() and _mark(target) is None and any(target.iterdir()):
        raise MachineError(
            f"{target} holds something that tocsin did not build",
            help="move it away; what a team adds to the site belongs into `site/`",
        )


def _mark(site: Path) -> Mapping[str, object] | None:
    try:
        said = json.loads((site / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _count(top: Path) -> int:
    return sum(1 for _ in tree_files(top))


def tree_files(top: Path) -> list[str]:
    """Every file below `top`, relative, links never followed."""
    found: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(f"{top}/{folder}"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            path = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{path}/")
            else:
                found.append(path)
    return found


def _versions() -> tuple[str, ...]:
    found = []
    for name in _PROGRAMS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            raise MachineError(
                f"the site needs {name}, which is not installed",
                help="pip install 'tocsin[site]', or leave the site out with --no-site",
            ) from None
    return tuple(found)


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """Holds the working folder; MachineError where somebody else does. Two builds of one folder would write into each other's pages."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise _refused(error, work) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MachineError(
                f"another tocsin is building in {work.parent}", help="wait for its end"
            ) from None
        yield
    finally:
        os.close(handle)


def _refused(error: OSError, where: Path) -> MachineError:
    return MachineError(
        f"cannot write {error.filename or where}: {os.strerror(error.errno or 0).lower()}",
        help="check the disk's space and the folder's permissions",
    )
