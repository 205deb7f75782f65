"""The site while it is being written: the generator's pages in a working folder, renewed page by page, never published.

dist/.work/preview/site/LANG/     the tree, only changed files written
dist/.work/preview/built/LANG/    what the generator makes of it; with `--dirty` only the pages whose Markdown is newer
dist/.work/preview/search/LANG    the search index of the last whole run: a `--dirty` run writes an empty one
"""

# ruff: noqa: PTH123
from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tocsin.disk.process import Running
from tocsin.disk.site import WARNING, Plan, mkdocs_command, tree_files, waiting, write_tree

_LIMIT = 600.0
_DIRTY = "dirty"


class Preview:
    """The working folder of one preview."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._languages: tuple[str, ...] = ()
        self._ready: dict[str, Running] = {}

    def update(self, plan: Plan) -> tuple[str, ...]:
        """Brings the pages up to date with the plan's tree; answers what the generator warned of. MachineError where it fails."""
        tree = self._work / "site"
        before = {each: _bytes(tree / each / "mkdocs.yml") for each in plan.languages}
        changed = write_tree(plan, tree)
        self._languages = plan.languages
        whole = {
            each
            for each in plan.languages
            if before[each] != _bytes(tree / each / "mkdocs.yml")
            or not (self._work / "search" / each).is_file()
        }
        if not changed and not whole:
            return ()
        for language in plan.languages:
            if language not in whole:
                self._drop_stale(plan, language, self._work / "built" / language)
        return self._run(plan.languages, whole)

    def pages(self, pages: Mapping[str, bytes]) -> tuple[str, ...]:
        """These pages of a tree that `update` has built, and no others: `LANG/docs/**.md` -> Markdown. Answers as `update` does."""
        for path, data in pages.items():
            (self._work / "site" / path).write_bytes(data)
        return self._run(tuple({path.partition("/")[0] for path in pages}), set())

    def close(self) -> None:
        """Ends the programs that wait for the next change."""
        for each in self._ready.values():
            each.__exit__()
        self._ready.clear()

    def _run(self, languages: Sequence[str], whole: set[str]) -> tuple[str, ...]:
        said: list[str] = []
        with ExitStack() as stack:
            runs = []
            for language in languages:
                ready = self._ready.pop(language) if language in self._ready else self._start(language)
                run = stack.enter_context(ready)
                argv = mkdocs_command(language, strict=False)[0]
                argv = argv[argv.index("build") :] + ([] if language in whole else ["--dirty"])
                run.tell(json.dumps([str(self._work / "site" / language), argv]))
                runs.append((language, run))
            for language, run in runs:
                done = run.wait(_LIMIT)
                warnings = (" ".join(each["text"].split()) for each in WARNING.finditer(done.out))
                said.extend(each for each in warnings if _DIRTY not in each)
                if done.code != 0:
                    said.append(done.out.strip()[-500:])
                elif language in whole:
                    self._keep_search(language)
        for language in languages:
            self._ready[language] = self._start(language)
        return tuple(said)

    def _start(self, language: str) -> Running:
        """A generator that has loaded itself and waits to be told what to build: half of a short run is its start."""
        return waiting(self._work / "site" / language)

    def read(self, path: str) -> bytes | None:
        """The file at an address below the site's root (`sop/X/index.html`); None where there is none."""
        language, rest = self._languages[0], path
        first, _, below = path.partition("/")
        if first in self._languages[1:]:
            language, rest = first, below
        if rest == "search/search_index.json":
            return _bytes(self._work / "search" / language)
        return _bytes(self._work / "built" / language / rest)

    def _keep_search(self, language: str) -> None:
        source = self._work / "built" / language / "search" / "search_index.json"
        if source.is_file():
            (self._work / "search").mkdir(exist_ok=True)
            shutil.copyfile(source, self._work / "search" / language)

    def _drop_stale(self, plan: Plan, language: str, built: Path) -> None:
        """Pages whose Markdown is gone: a `--dirty` run leaves them."""
        docs = f"{language}/docs/"
        wanted = {path[len(docs) :] for path in plan.files if path.startswith(docs)}
        for path in tree_files(built):
            if path.endswith("/index.html") and path.count("/") > 1:
                page = path.removesuffix("/index.html")
                if not wanted & {f"{page}.md", f"{page}/index.md"}:
                    (built / path).unlink()


def _bytes(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
