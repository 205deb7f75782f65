"""Commands: what is copied is what a shell should get, and what fills a command can do nothing in it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.chromium import PHONE, visiting

SOP = "sop/SOP-KAFKA-007/"
EVIL = "sop/SOP-EVIL-001/"
CATCH = "navigator.clipboard.writeText = async (text) => { window.copied = text; };"


@pytest.fixture
def page(chromium: Browser, hostile: str) -> Iterator[Page]:
    with visiting(chromium, hostile + EVIL, before=CATCH) as visit:
        yield visit.page


def copied(page: Page, within: str) -> str:
    """What the button of the first block that holds `within` copies."""
    block = page.locator("div.highlight", has_text=within).first
    block.locator(".tocsin-copy").click()
    return str(page.evaluate("window.copied"))


def test_a_session_loses_prompts_and_output(page: Page) -> None:
    assert copied(page, "kubectl get pods") == 'kubectl get pods \\\n  -o wide\nkubectl logs "${POD}"'


def shown_as(page: Page, language: str, text: str) -> str:
    """What would be copied of a block with this text."""
    return str(
        page.evaluate(
            """([language, text]) => {
                const box = document.querySelector('div.highlight:has(.tocsin-copy)');
                box.className = `highlight tocsin-has-bar language-${language}`;
                box.querySelector('code').textContent = text;
                box.querySelector('.tocsin-copy').click();
                return window.copied;
            }""",
            [language, text],
        )
    )


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        pytest.param("bash", "# look first\nls -l\n", "# look first\nls -l", id="a comment is no prompt"),
        pytest.param("bash", "$ ls\na  b\n$ pwd\n/tmp", "ls\npwd", id="dollar"),
        pytest.param("zsh", "% ls\na", "ls", id="percent"),
        pytest.param("console", "# systemctl restart x\nok", "systemctl restart x", id="root"),
        pytest.param("console", "root@db-1:~# df -h\n/dev/sda1 99%", "df -h", id="root with a host"),
        pytest.param("bash", "[me@web ~]$ id\nuid=0", "id", id="a bracketed prompt"),
        pytest.param(
            "bash",
            "kubectl get po\n\nNAMESPACE   NAME   READY\nx   y   1/1",
            "kubectl get po",
            id="a printed table",
        ),
        pytest.param(
            "sh",
            "cat <<EOF\nA  B  C\nEOF\nls",
            "cat <<EOF\nA  B  C\nEOF\nls",
            id="a table in a here-document",
        ),
        pytest.param("bash", "sh-5.1$ rados df\nPOOL  USED", "rados df", id="a shell alone"),
        pytest.param("console", "bash-5.1# id\nuid=0", "id", id="a shell alone, as root"),
        pytest.param("bash", "  $ oc get nodes\n  NAME", "oc get nodes", id="an indented prompt"),
        pytest.param("sh", "me@web /var/log $ tail x\ny", "tail x", id="a path after a space"),
        pytest.param("bash", "[root@db ~]#df -h\n/dev", "df -h", id="nothing after a bracketed prompt"),
        pytest.param("bash", "(venv) me@web:~$ id\nuid=0", "id", id="inside an environment"),
        pytest.param("console", "mysql> select 1\n    -> from t;\n+---+", "select 1\nfrom t;", id="a client"),
        pytest.param("sql", "shop=# select 1;\n 1\nshop=# \\q", "select 1;\n\\q", id="another client"),
        pytest.param("console", "127.0.0.1:6379> INFO\n# Server", "INFO", id="a client with an address"),
        pytest.param("powershell", "PS C:\\x> Get-Item y\nMode", "Get-Item y", id="the other shell"),
        pytest.param("sql", "select 1\nwhere a -> b", "select 1\nwhere a -> b", id="a client's text alone"),
        pytest.param("bash", "git clone git@h:x/y $DIR # z", "git clone git@h:x/y $DIR # z", id="an address"),
        pytest.param(
            "console",
            "$ cat <<EOF\n> $ not a prompt\n> EOF\nout",
            "cat <<EOF\n$ not a prompt\nEOF",
            id="here-document",
        ),
        pytest.param("console", "$ echo 'a\n> b'\na\nb", "echo 'a\nb'", id="an open quote"),
        pytest.param(
            "console", "$ diff a b\n> only in b", "diff a b", id="output that looks like a continuation"
        ),
        pytest.param("console", "$ a |\n> b\nc", "a |\nb", id="a pipe goes on"),
        pytest.param("yaml", "$ a: 1\n# b", "$ a: 1\n# b", id="no shell, nothing stripped"),
        pytest.param("promql", "sum(x)\n  / 2 > 0", "sum(x)\n  / 2 > 0", id="promql"),
        pytest.param("bash", "cat <<EOF\n$HOME\nEOF", "cat <<EOF\n$HOME\nEOF", id="no prompt, verbatim"),
    ],
)
def test_what_is_copied(page: Page, language: str, text: str, expected: str) -> None:
    assert shown_as(page, language, text) == expected


def test_the_real_clipboard_gets_it(chromium: Browser, starter: str) -> None:
    permissions = ("clipboard-read", "clipboard-write")
    with visiting(chromium, starter + SOP + "?consumergroup=billing", permissions=permissions) as visit:
        block = visit.page.locator("div.highlight", has_text="tee").first
        # The button says so for a second and a half: it is watched, not looked at.
        visit.page.evaluate(
            """() => { window.said = new Promise((done) => new MutationObserver(() => done(document.querySelector('.tocsin-copy').textContent))
                .observe(document.querySelector('.tocsin-copy'), {childList: true, characterData: true, subtree: true})); }"""
        )
        block.locator(".tocsin-copy").click()
        assert visit.page.evaluate("window.said") == "Copied"
        text = visit.page.evaluate("navigator.clipboard.readText()")
    assert text == (
        'kafka-consumer-groups.sh --bootstrap-server "$BOOTSTRAP" --describe --group "billing" \\\n'
        '  | tee "lag-billing-$(date -u +%Y%m%dT%H%M%SZ).txt"'
    )


def test_output_has_no_button(page: Page) -> None:
    assert page.locator(".tocsin-output .tocsin-copy").count() == 0
    assert page.locator(".tocsin-copy").count() > 0


def test_the_button_is_there_without_hovering(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + SOP, size=PHONE) as visit:
        button = visit.page.locator(".tocsin-copy").first
        assert button.is_visible()
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44


def test_long_lines_wrap_on_demand_and_stay_so(chromium: Browser, starter: str) -> None:
    wide = "[...document.querySelectorAll('.highlight pre > code')].some((each) => each.scrollWidth > each.clientWidth + 1)"
    with visiting(chromium, starter + SOP, size=PHONE) as visit:
        assert visit.page.evaluate(wide)
        visit.page.locator(".tocsin-wrap-button:visible").first.click()
        assert not visit.page.evaluate(wide)
        visit.page.reload()
        assert not visit.page.evaluate(wide)


# ---- placeholders ----


def commands(page: Page) -> str:
    return "\n".join(page.locator("div.highlight:not(.tocsin-output) code").all_inner_texts())


def test_placeholders_fill_from_the_address(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + EVIL + "?pod=web-7d4b.1&zone=eu%2Fa") as visit:
        text = commands(visit.page)
        assert 'kubectl delete pod "web-7d4b.1" --zone eu/a' in text
        assert 'kubectl logs "web-7d4b.1"' in text
        assert visit.page.locator("mark.tocsin-filled").first.get_attribute("title") in ("$POD", "<ZONE>")
        assert "POD = web-7d4b.1" in visit.page.locator(".tocsin-fill-notice").inner_text()


def test_case_does_not_matter_and_the_first_value_counts(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + EVIL + "?Pod=one&pod=two") as visit:
        assert 'delete pod "one"' in commands(visit.page)


@pytest.mark.parametrize(
    "value",
    [
        "$(reboot)",
        "`reboot`",
        "a;reboot",
        "a b",
        "a\nreboot",
        "-rf",
        "a|b",
        "a&b",
        "a>b",
        "<script>alert(1)</script>",
        '"',
        "'",
        "a\\b",
        "../x",
        "a*",
        "a{b,c}",
        "~root",
        "x" * 201,
        "a\u202eb",
        "名",
        "a!b",
        "#a",
        "a\tb",
    ],
)
def test_a_value_that_a_shell_would_obey_is_not_filled(chromium: Browser, hostile: str, value: str) -> None:
    with visiting(chromium, f"{hostile}{EVIL}?pod={quote(value, safe='')}&zone=ok") as visit:
        assert 'delete pod "$POD" --zone ok' in commands(visit.page)
        notice = visit.page.locator(".tocsin-fill-notice")
        assert "Not filled: pod" in notice.inner_text()
        assert visit.dialogs == []
        assert visit.page.locator(".tocsin-fill script").count() == 0


def test_values_can_be_typed(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + EVIL) as visit:
        page = visit.page
        before = commands(page)
        page.locator(".tocsin-fill input[name=POD]").fill("web-2")
        assert 'delete pod "web-2"' in commands(page)
        page.locator(".tocsin-fill input[name=POD]").fill("web-2; reboot")
        assert 'delete pod "$POD"' in commands(page)
        assert page.locator(".tocsin-fill input[name=POD]").get_attribute("aria-invalid") == "true"
        page.locator(".tocsin-fill input[name=POD]").fill("")
        assert commands(page) == before


def test_a_name_equal_to_a_label_needs_no_declaration(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + SOP + "?namespace=orders&deployment=api&home=x&path=y") as visit:
        text = commands(visit.page)
        assert 'kubectl -n "orders" rollout history "deployment/api"' in text


def test_the_alert_in_the_address_is_shown(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + SOP + "?alert=kafkaconsumerlagpage") as visit:
        here = visit.page.locator(".tocsin-here")
        assert here.count() == 1
        assert "KafkaConsumerLagPage" in here.inner_text()


def test_a_review_that_is_past_says_so(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + "sop/SOP-WEB-001/") as visit:
        assert "overdue" in visit.page.locator("time.tocsin-due.tocsin-overdue").first.inner_text()
    with visiting(chromium, hostile + "zh/sop/SOP-WEB-001/") as visit:
        assert "已逾期" in visit.page.locator("time.tocsin-due.tocsin-overdue").first.inner_text()
