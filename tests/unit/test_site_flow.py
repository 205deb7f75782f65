"""A flowchart in words: every way through it is told, and what is no flowchart is left alone."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import markdown
import pytest

from tocsin.emit.site.flow import beside_flows, flow_block, flow_text

ROOT = Path(__file__).resolve().parents[2]
FLOWS = [
    pytest.param(found[1], id=f"{path.name}-{number}")
    for path in sorted((ROOT / "sops").glob("*/*.md"))
    for number, found in enumerate(
        re.finditer(r"^```mermaid\n(.*?)^```", path.read_text(encoding="utf-8"), re.S | re.M)
    )
]


def told(source: str, language: str = "en") -> str | None:
    text = flow_text(source, language)
    return text if text is None else re.sub(r"&#([0-9]+);", lambda match: chr(int(match[1])), text)


def test_decisions_become_numbered_steps() -> None:
    source = """\
flowchart TD
  start[Lag is real] --> members{Members in the group?}
  members -- none --> restart[Restart the consumer]
  members -- some --> state{State of the group}
  state -- rebalancing --> poll[Raise the poll budget]
  state -- stable --> restart
"""
    assert told(source) == (
        "1. Lag is real → Members in the group?\n"
        "    - **none**: Restart the consumer\n"
        "    - **some**: State of the group (go to step 2)\n"
        "2. State of the group\n"
        "    - **rebalancing**: Raise the poll budget\n"
        "    - **stable**: Restart the consumer"
    )
    assert "State of the group（转到第 2 步）" in (told(source, "zh") or "")


@pytest.mark.parametrize("source", FLOWS)
def test_our_own_flows_lose_no_box_and_no_answer(source: str) -> None:
    text = told(source)
    assert text is not None
    for label in re.findall(r"[\[{]([^\]}]+)[\]}]", source):
        assert label in text
    # The answers as the source gives them, one by one.
    for answer in re.findall(r"-- (.+?) -->", source):
        assert f"**{answer}**" in text
    assert text.count("    - ") == source.count("-->") - text.count(" → ")


def test_there_are_flows_to_read() -> None:
    assert len(FLOWS) >= 6


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("graph LR; A-->B; B---C", "1. A → B → C"),
        ("graph TD\nA -->|yes| B", "1. A\n    - **yes**: B"),
        ("graph TD\nA -- yes --> B", "1. A\n    - **yes**: B"),
        ("graph TD\nA --yes---> B", "1. A\n    - **yes**: B"),
        ("graph TD\nA -. maybe .-> B", "1. A\n    - **maybe**: B"),
        ("graph TD\nA == sure ==> B", "1. A\n    - **sure**: B"),
        ('graph TD\nA -- "x --> y" --> B', "1. A\n    - **x --> y**: B"),
        ("graph TD\nA -- well-known --> B", "1. A\n    - **well-known**: B"),
        ("graph TD\nA & B --> C & D", "1. A\n    - C\n    - D\n2. B\n    - C\n    - D"),
        ("graph TD\nA --> B\nB -- again --> A", "1. A → B\n    - **again**: A (go to step 1)"),
        ("graph TD\nA --> A", "1. A\n    - A (go to step 1)"),
        ('flowchart TD\na["x (1) [y]"] ==> b([z])', "1. x (1) [y] → z"),
        (
            "graph TD\na((one)) --> b[(two)] --> c[[three]] --> d{{four}} --> e>five]",
            "1. one → two → three → four → five",
        ),
        ("graph TD\na[/one/] --> b[\\two\\] --> c[/three\\] --> d(((four)))", "1. one → two → three → four"),
        ('graph TD\nA@{ shape: rect, label: "first" } --> B', "1. first → B"),
        ("graph TD\nA[one<br/>two] --> B[#quot;x#quot; #35;]", '1. one two → "x" #'),
        ("graph TD\nA-->\n  B", "1. A → B"),
        ("graph TD\nsubgraph s [Group]\ndirection LR\nA-->B\nend\nB-->s", "1. A → B → Group"),
        ("graph TD\nA~~~B\nA-->C", "1. A → C"),
        (
            "graph TD\nA:::big --> B\nclassDef big fill:#f00\nclass A big\nstyle B fill:#0f0\nlinkStyle 0 stroke:red",
            "1. A → B",
        ),
        ("%%{init: {}}%%\n%% words\ngraph TD\nA --> B\n%% more", "1. A → B"),
        ("---\ntitle: x\n---\nflowchart TD\nA --> B", "1. A → B"),
        ("flowchart TD\n开始[积压] -- 是 --> 结束", "1. 积压\n    - **是**: 结束"),
    ],
)
def test_the_grammar(source: str, expected: str) -> None:
    assert told(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "",
        "sequenceDiagram\n A->>B: x",
        "flowchart TD",
        "flowchart TD\nA",
        "flowchart TD\nA[no end --> B",
        "flowchart TD\nA --> --> B",
        "flowchart TD\nA -->",
        "flowchart TD\nA -- no end B",
        "flowchart TD\nA --> <script>",
        "flowcharts TD\nA --> B",
        "flowchart TD\nA --> B\n?",
    ],
)
def test_what_cannot_be_read_is_not_guessed(source: str) -> None:
    assert flow_text(source, "en") is None
    block = flow_block(source, "en")
    assert "\n    This diagram has no text form" in block


def test_words_stand_below_their_picture_and_nowhere_else() -> None:
    body = """\
Text.

````text
```mermaid
graph TD
A --> B
```
````

- item

    ```mermaid
    graph TD
    C --> D
    ```

End."""
    made = beside_flows(body, "en")
    assert made.count("??? note") == 1 and "A → B" not in made
    assert "    ```\n\n    ??? note" in made and "        1. C → D" in made
    assert made.endswith("\n\nEnd.")
    assert beside_flows("no diagram", "en") == "no diagram"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, list[tuple[str, str | None]]] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).extend(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "label",
    [
        "<img src=x onerror=alert(1)>",
        "</code></pre><script>alert(1)</script>",
        "[x](javascript:alert(1)) {: onclick=x }",
        "``` {: .x } ~~~",
        "**bold** | `code` &lt;b&gt;",
    ],
)
def test_words_and_source_are_shown_and_not_obeyed(label: str) -> None:
    source = f'flowchart TD\na["{label}"] -->|{label.replace("|", "")}| b["{label}"]\nclick a "javascript:alert(1)"'
    block = flow_block(source, "en")
    assert "\n    1. " in block
    reader = _Tags()
    extensions = ["tables", "attr_list", "admonition", "pymdownx.details", "pymdownx.superfences"]
    reader.feed(markdown.markdown(block, extensions=extensions))
    assert set(reader.tags) <= {
        "ol",
        "ul",
        "li",
        "strong",
        "details",
        "summary",
        "div",
        "pre",
        "code",
        "span",
        "p",
    }
    given = {name for pairs in reader.tags.values() for name, _ in pairs}
    assert given <= {"class"}
    assert reader.text.count(label) >= 3


@pytest.mark.parametrize(
    "body",
    [
        "A" * 19_000,
        "[" * 19_000,
        "A" + "-" * 19_000,
        "A-- " + "-." * 9_000,
        'A["' + '"' * 18_000,
        "A-" * 9_000,
        "A" + " " * 19_000 + "!",
        "style " * 3_000,
        "%%" * 9_000,
        "A & " * 4_000 + "A",
        "A[x\n" * 4_000,
        "&".join(["A"] * 900) + " --> " + "&".join(["B"] * 900),
        "A@{" * 6_000,
        "class" * 3_500,
    ],
)
def test_no_source_takes_long(body: str) -> None:
    started = time.process_time()
    flow_text(f"graph TD\n{body}", "en")
    flow_text(f"---\n{body}", "en")
    assert time.process_time() - started < 1
