"""The checks of one SOP: each fault planted, and the same page with the fault mended, on which the check is silent.

What every page of `diag/explain` shows is run by `test_codes`; here are the edges: what counts as a way back, what is a prompt, what is a guess.
"""

from __future__ import annotations

import subprocess
import time
from datetime import date

import pytest
from tests import builders

from tocsin.check import PageView, run_page
from tocsin.check.shell import typed, unclosed
from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.load.sops import load_sop

PATH = "sops/kafka/SOP-KAFKA-002.md"


def found(body: str, code: str, extra: str = "", path: str = PATH) -> list[Diagnostic]:
    """The findings of `code` on an active page with that prose."""
    front = "id: SOP-KAFKA-002\ntitle: T\nstatus: active\nservices: [kafka]\nowner: team-streaming\nmanual: true\n"
    for line in extra.split("\n"):
        key = line.partition(":")[0]
        front = "".join(
            f"{row}\n" for row in front.splitlines() if key == "" or not row.startswith(f"{key}:")
        )
    sop, said = load_sop(SourceFile(path=path, text=f"---\n{front}{extra}\n---\n{body}"))
    assert sop is not None, said
    view = PageView(sop=sop, incident=None, project=builders.project(), today=date(2026, 11, 21))
    return [each for each in run_page(view) if each.code == code]


def command(
    undo: str = "",
    kind: str = "change",
    text: str = "kubectl scale deployment x --replicas=3",
    word: str = "bash",
) -> str:
    mark = f"<!-- tocsin: {kind}{' undo=' + undo if undo else ''} -->\n" if kind else ""
    return f"{mark}```{word}\n{text}\n```\n"


VERIFY = "\n## Verify\nThe lag falls.\n"


# TOC624, TOC625: commands that change something


def test_what_changes_something_is_what_is_underlined() -> None:
    """And not the comment or the harmless command that stands above it."""
    text = "# how many there are\nkubectl get deployment x\nkubectl scale deployment x --replicas=3"
    for kind in ("change", ""):
        for code in ("TOC624", "TOC625"):
            (said,) = found(f"## Mitigate\n{command(kind=kind, text=text)}", code)
            assert said.span.line == (15 if kind else 14), (kind, code)
    (said,) = found(
        f"## Mitigate\n{command(text='# the unknown tool of ours' + chr(10) + 'fixit now')}", "TOC624"
    )
    assert said.span.line == 14


@pytest.mark.parametrize(
    ("body", "silent"),
    [
        (f"## Mitigate\n{command()}", False),
        (f"## Mitigate\n{command(kind='destructive')}", False),
        (f"## Mitigate\n{command(kind='read')}", True),
        (f"## Mitigate\n{command()}\n## Rollback\nScale back.\n", True),
        (f"## 缓解\n{command()}\n## 回滚\n缩回去。\n", True),
        (f"## Mitigate\n{command()}\n### Undo the scaling\nScale back.\n", True),
        (f"## Mitigate\n{command()}\nUndo by scaling back.\n", False),
        (f"## Mitigate\n{command('#back')}", False),
        (f"## Mitigate\n{command('#back')}\n## Rollback\nNot it.\n", False),
        (f"## Mitigate\n{command('#back')}\n## Way back {{#back}}\nIt.\n", True),
        (f"## Mitigate\n{command('none')}", False),
        (f"## Mitigate\n{command('none')}\n## Next\nThere is nothing to undo: offsets stay.\n", False),
        (f"## Mitigate\n{command('none')}\nThere is nothing to undo: offsets stay.\n", True),
        (f"## Mitigate\nNothing to undo: offsets stay where they are.\n\n{command('none')}", True),
        (f"## Rollback\n{command()}", True),
        (f"## Rollback\n### Step\n{command()}", True),
        (f"## Rollback\nx\n## Mitigate\n{command('#gone')}", False),
    ],
)
def test_a_change_says_how_it_is_undone(body: str, silent: bool) -> None:
    assert (found(body + VERIFY, "TOC624") == []) is silent


@pytest.mark.parametrize(
    ("heading", "silent"),
    [
        ("Background", False), ("Verify", True), ("Verification", True), ("恢复验证", True),
        ("How to tell it worked", True), ("Check that it recovered", True), ("Check the disk", False),
    ],
)  # fmt: skip
def test_a_change_says_how_to_tell_that_it_worked(heading: str, silent: bool) -> None:
    body = f"## Mitigate\n{command('#rollback')}\n## Rollback\nBack.\n\n## {heading}\nx\n"
    assert (found(body, "TOC625") == []) is silent
    assert found(f"## Mitigate\n{command(kind='read')}\n## {heading}\nx\n", "TOC625") == []


def test_one_page_is_told_once() -> None:
    assert len(found(f"## Mitigate\n{command()}\n{command()}\n{command()}", "TOC624")) == 1
    assert len(found(f"## Mitigate\n{command('#a')}\n{command('#b')}", "TOC624")) == 2, (
        "each names its own place"
    )


@pytest.mark.parametrize(
    ("text", "word", "changes"),
    [
        ("kubectl -n x delete pod y", "bash", True),
        ("$ oc adm drain node-1", "console", True),
        ("sudo systemctl restart kafka", "sh", True),
        ("curl -s -X POST http://127.0.0.1:9093/api/v2/silences", "bash", True),
        ("echo x | kubectl apply -f -", "", True),
        ("kubectl get pods", "bash", False),
        ("kubectl apply -f x.yaml --dry-run=server", "bash", False),
        ("systemctl status kafka", "bash", False),
        ("kubectl delete pod x", "text", False),
        ("$ kubectl get pods\nkubectl delete failed for pod x", "console", False),
        ("2026-05-02 10:11:12 INFO | mkfs-osd0 started | rm -rf x", "bash", False),
    ],
)
def test_an_unmarked_command_is_a_guess_and_so_a_note(text: str, word: str, changes: bool) -> None:
    said = found(f"## Mitigate\n{command(kind='', text=text, word=word)}", "TOC624")
    assert [each.severity for each in said] == [Severity.note] * changes


# TOC626, TOC627: blocks to paste


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("$ ls\n", "bash", "prompt"),
        ("$ ls\na.txt\n", "bash", "output"),
        ("$ ls \\\n  -l\n", "bash", "prompt"),
        ("root@host:~# ls\n", "sh", "prompt"),
        ("[me@host tmp]$ ls\n", "shell", "prompt"),
        ("mysql> select 1;\n", "bash", "prompt"),
        ("kubectl get pods\nNAME   READY   STATUS\nx      1/1     Running\n", "bash", "output"),
        ("$ ls\na.txt\n", "console", ""),
        ("# list them\nls\n", "bash", ""),
        ("psql -c 'select 1'\n", "bash", ""),
        ("echo $HOME\n", "bash", ""),
        ("cat <<EOF\nNAME: x\nEOF\n", "bash", ""),
        ("awk '$3 > 5 { print }' x\n", "bash", ""),
        ("$ ls\n", "text", ""),
    ],
)
def test_prompts_and_output_do_not_stand_in_a_block_to_paste(text: str, word: str, message: str) -> None:
    said = found(f"## Confirm\n```{word}\n{text}```\n", "TOC626")
    assert [message in each.message for each in said] == [True] * bool(message)


def test_the_place_of_output_is_its_line() -> None:
    [said] = found("## Confirm\n\n```bash\n$ ls\na.txt\n```\n", "TOC626")
    assert (said.span.line, said.span.col) == (14, 1)


def test_a_block_says_what_it_holds() -> None:
    assert len(found("## Confirm\n```\nx\n```\n\n~~~\ny\n~~~\n", "TOC627")) == 2
    assert found("## Confirm\n```text\nx\n```\n\n~~~bash\ny\n~~~\n\n    indented\n", "TOC627") == []


# TOC637: blocks that parse


@pytest.mark.parametrize(
    ("word", "good", "bad"),
    [
        ("yaml", "a: [1, 2]\n", "a: [1, 2\n"),
        ("yaml", "a: 1\n...\nb: {\n", "a: 1\nb: {\n"),
        ("yaml", "a: {{ .Values.x }\n", "a: { .Values.x }}\n"),
        ("yaml", "---\na: 1\n---\nb: 2\n", "a:\n\tb: 2\n"),
        ("json", '{"a": 1}\n', '{"a": 1,}\n'),
        ("json", '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2\n'),
        ("json", '{"a": ...}\n', '{"a": }\n'),
        ("bash", 'echo "it\'s"\n', "echo it's\n"),
        ("bash", "cat <<EOF\n'\nEOF\n", "cat <<EOF\n'\n"),
        ("sh", "x=$(ls | wc -l)\n", "x=$(ls | wc -l\n"),
    ],
)
def test_blocks_parse(word: str, good: str, bad: str) -> None:
    assert found(f"## Confirm\n```{word}\n{good}```\n", "TOC637") == []
    assert len(found(f"## Confirm\n```{word}\n{bad}```\n", "TOC637")) == 1


WHOLE = [
    "echo 'a' \"b $(c \"d)\" e)\" `x`", "case x in a) y;; esac", "x=$((1<<2)); y=$((1<<n))", "# don't\nls", "echo $'it\\'s'",
    "cat <<-X\n\tfoo '\n\tX\n", "cat <<A <<'B'\n(\nA\n\"\nB\n", 'grep "$x" <<< "a"', "echo ${#x} it\\'s", "f() { ls; }", "a=(1 2)",
    "awk '{print $1}' | grep \"a\\\"b\"", "psql -c \"select ')'\"", "echo \\\"", "if [ -f x ]; then (cd y && ls); fi",
]  # fmt: skip
OPEN = [
    "echo 'a", 'echo "a $(b', "cat <<EOF\nx", "(ls", "ls )", "echo `x", "don't", "cat << 'X'\nX y\n", 'echo "a', "x=$(ls", "cat <<A\n A\n",
]  # fmt: skip


@pytest.mark.parametrize("text", WHOLE)
def test_what_is_whole_passes_and_the_shell_agrees(text: str) -> None:
    assert unclosed(text) is None
    assert (
        subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False).returncode
        == 0
    )


@pytest.mark.parametrize("text", OPEN)
def test_what_stays_open_is_said_and_the_shell_agrees(text: str) -> None:
    assert unclosed(text) is not None
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode != 0 or "here-document" in done.stderr


def test_only_what_somebody_typed_is_looked_at() -> None:
    assert typed("$ a \\\n  b\nout\n$ c") == {0, 1, 3}
    assert typed("a\nNAME  READY  AGE\nx  y  z") == {0}
    assert typed("a\nb") == {0, 1}


# TOC628, TOC629, TOC631: prose


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("TODO", False), ("TBD.", False), ("# FIXME: command needed", False), ("<insert the command here>", False),
        ("[Fill in the channel]", False), ("Lorem ipsum dolor", False), ("待补充", False),
        ("`TODO` is a word", True), ("<!-- TODO: a picture -->", True), ("The todo list", True), ("`$TODO`", True), ("TODO_LIST", True),
        ("kubectl -n <namespace> get pods", True), ("[insert](x.md)", True), ("Insert a disk", True), ("待定的分区", True),
    ],
)  # fmt: skip
def test_unfinished_text(text: str, silent: bool) -> None:
    assert (found(f"## Confirm\n{text}\n", "TOC628") == []) is silent
    assert found(f"## Confirm\n{text}\n", "TOC628", "status: draft") == []
    assert found(f"## Confirm\n{text}\n", "TOC628", "stub: true") == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("kubectl logs billing-7d4b9c6f5d-x2x8q", "a pod"),
        ("Log in to 10.3.4.5.", "an address"),
        ("Log in to db7.prod.internal first", "a host"),
        ("Ask Priya for the key.", "a person"),
        ("Write to priya.rao@acme.test", "a person"),
        ("kubectl logs deployment/billing", ""),
        ("The network 10.0.0.0/8 is ours", ""),
        ("Version 10.3.4.5-rc1 has it", ""),
        ("A pod such as billing-7d4b9c6f5d-x2x8q", ""),
        ("Ask Streaming for the key.", ""),
        ("Call Support if it stays.", ""),
        ("curl http://127.0.0.1:9090", ""),
        ("svc.cluster.local", ""),
        ("Ask the owner", ""),
    ],
)
def test_names_that_pass(text: str, what: str) -> None:
    said = found(f"## Confirm\n{text}\n", "TOC629")
    assert [what in each.message for each in said] == [True] * bool(what)
    assert {each.severity for each in said} <= {Severity.note}
    assert found(f"## Confirm\n```text\n{text}\n```\n", "TOC629") == [], "output is somebody's example"


@pytest.mark.parametrize(
    ("severity", "text", "silent"),
    [
        ("P1", "There is no user impact.", False),
        ("P1", "Cosmetic: the colour is wrong.", False),
        ("P1", "There is no user impact yet.", True),
        ("P1", "Orders stop. It can wait until morning only if the queue is empty.", True),
        ("P1", "Orders stop.", True),
        ("P2", "Complete outage of the shop.", False),
        ("P2", "A complete outage may follow.", True),
        ("P2", "No user impact.", True),
        ("P1", "对用户无影响。", False),
    ],
)
def test_impact_and_severity_agree(severity: str, text: str, silent: bool) -> None:
    extra = f"severity: {severity}"
    assert (found(f"## Impact\n{text}\n\n## Confirm\nx\n", "TOC631", extra) == []) is silent
    assert found(f"## Confirm\n{text}\n", "TOC631", extra) == [], "only the section on impact speaks of it"


# TOC621, TOC623, TOC632: links, drills


@pytest.mark.parametrize(
    "target",
    [
        "TODO",
        "https://example.com/x",
        "https://wiki.your-company.com/x",
        "#",
        "http://runbooks.acme.test/TBD/",
    ],
)
def test_placeholder_links(target: str) -> None:
    assert len(found(f"## Confirm\n[x]({target})\n", "TOC621")) == 1


@pytest.mark.parametrize(
    "target",
    ["https://kafka.apache.org/", "#confirm", "https://runbooks.example.org/sop/SOP-KAFKA-001/", "https://docs.acme.test/d/1/edit#", "https://x.test/todo-app"],
)  # fmt: skip
def test_real_links(target: str) -> None:
    assert found(f"## Confirm\n[x]({target})\n", "TOC621") == []


def test_a_template_in_a_link() -> None:
    assert len(found("## Confirm\n[x](<https://x.test/{{ $labels.a }}>)\n", "TOC623")) == 1
    assert found("## Confirm\n[x](https://x.test/a)\n", "TOC623") == []


@pytest.mark.parametrize(
    ("extra", "silent"),
    [
        ("severity: P1", False), ("severity: P2", True), ("", True), ("severity: P1\nstatus: draft", True),
        ('severity: P1\nexercised: {last: "2026-01-02"}', True), ("severity: P1\nexercised: {result: fail}", False),
    ],
)  # fmt: skip
def test_who_is_woken_follows_a_page_somebody_tried(extra: str, silent: bool) -> None:
    assert (found("## Confirm\nx\n", "TOC632", extra) == []) is silent


HOSTILE = {
    "words": "TODO <insert x> 10.1.2.3 Ask Ann. " * 9_000,
    "lines": "alert fires above 5 for 5m\n" * 10_000,
    "comments": "TODO " + "<!--" * 70_000,
    "impact": "## Impact\n\n" + "no impact " * 30_000,
    "changes": "<!-- tocsin: change undo=none -->\n```bash\nrm x\n```\n\n" * 5_000,
    "sections": "## Undo a\n\n<!-- tocsin: change -->\n```bash\nrm -f x\n```\n\n" * 5_000,
    "nested": "```bash\n" + '"$(' * 100_000 + "\n```\n",
    "quotes": "```bash\n" + "'" * 300_001 + "\n```\n",
    "documents": "```bash\n" + "<<A " * 70_000 + "\n```\n",
    "options": "```bash\nkubectl " + "-a " * 100_000 + "\n```\n",
    "columns": "```bash\nx\n" + "A  " * 100_000 + "a\n```\n",
    "brackets": "```json\n" + "[" * 300_000 + "\n```\n",
    "breaks": "```yaml\n" + "\n" * 300_000 + "...x\n```\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_of_nothing_else_ends_soon(name: str) -> None:
    start = time.process_time()
    found(HOSTILE[name], "TOC628")
    assert time.process_time() - start < 5
