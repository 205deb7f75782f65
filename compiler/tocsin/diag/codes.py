"""Every code, once. A code is never reused; a retired one stays in `RETIRED`.

The hundreds digit is the phase: 1 syntax, 2 schema and project, 3 identity, 4 PromQL, 5 labels, annotations and templates, 6 SOPs and links,
7 a target cannot express this, 8 tests, adoption, canary and release, 9 sync. `explain/TOCnnn.md` says why and shows a bad and a good example, which the
suite executes. `fixed` codes cannot be turned down: output would be impossible or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SeverityName = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Code:
    """One row: a slug for people, the severity unless the project says otherwise, and whether the project may say otherwise."""

    slug: str
    severity: SeverityName = "error"
    fixed: bool = True


def _may(slug: str, severity: SeverityName) -> Code:
    return Code(slug, severity, fixed=False)


CODES: dict[str, Code] = {
    # 1: the file itself
    "TOC101": Code("yaml-syntax"),
    "TOC102": Code("yaml-tab"),
    "TOC103": Code("yaml-key"),
    "TOC104": Code("yaml-duplicate-key"),
    "TOC105": Code("yaml-too-large"),
    "TOC106": Code("yaml-tag"),
    "TOC107": _may("yaml-trap", "warning"),
    "TOC108": Code("yaml-second-document"),
    "TOC109": Code("empty-file"),
    "TOC110": Code("not-utf8"),
    "TOC111": _may("byte-order-mark", "warning"),
    "TOC112": _may("carriage-returns", "note"),
    "TOC113": Code("not-a-file"),
    "TOC114": Code("outside-repository"),
    "TOC115": Code("file-too-large"),
    "TOC116": Code("front-matter"),
    "TOC117": _may("stray-file", "warning"),
    "TOC118": Code("bad-file-name"),
    "TOC119": Code("site-file"),
    "TOC120": Code("site-address"),
    "TOC121": Code("site-image"),
    # 2: the shape of the data, and the project file
    "TOC201": Code("unknown-key"),
    "TOC202": Code("missing-key"),
    "TOC203": Code("wrong-type"),
    "TOC204": Code("bad-value"),
    "TOC205": Code("bad-duration"),
    "TOC206": Code("format-version"),
    "TOC207": Code("no-project"),
    "TOC208": Code("unknown-environment"),
    "TOC209": Code("unknown-evaluator"),
    "TOC210": Code("unknown-datasource"),
    "TOC211": Code("fixed-severity"),
    "TOC212": Code("unknown-code"),
    "TOC213": Code("not-written-for-this"),
    "TOC220": _may("ignore-unused", "warning"),
    "TOC221": _may("ignore-expired", "error"),
    "TOC222": _may("ignore-malformed", "error"),
    # 3: identity
    "TOC301": Code("duplicate-id"),
    "TOC302": Code("id-case"),
    "TOC303": Code("duplicate-group"),
    "TOC304": Code("service-folder"),
    "TOC305": Code("uid-collision"),
    "TOC306": Code("duplicate-record"),
    "TOC307": _may("duplicate-rule", "warning"),
    # 4: PromQL, parameters, levels
    "TOC401": Code("promql-syntax"),
    "TOC402": Code("promql-hostile"),
    "TOC403": Code("promql-type"),
    "TOC404": Code("unknown-parameter"),
    "TOC405": _may("unused-parameter", "warning"),
    "TOC406": Code("reserved-parameter"),
    "TOC407": _may("levels-out-of-order", "error"),
    "TOC408": _may("keep-firing-order", "error"),
    "TOC409": Code("override-misses"),
    "TOC410": Code("override-conflict"),
    "TOC411": Code("override-where"),
    "TOC412": Code("override-path"),
    "TOC413": _may("record-too-late", "error"),
    "TOC414": _may("record-other-group", "note"),
    "TOC415": _may("experimental-promql", "warning"),
    "TOC418": _may("for-shorter-than-interval", "note"),
    # 5: labels, annotations, templates
    "TOC501": Code("template-syntax"),
    "TOC502": _may("template-label", "error"),
    "TOC503": Code("identity-label"),
    "TOC504": Code("injected-label"),
    "TOC505": Code("unknown-severity"),
    "TOC506": Code("missing-severity"),
    "TOC507": _may("missing-owner", "error"),
    "TOC508": Code("unknown-owner"),
    "TOC509": _may("missing-summary", "warning"),
    "TOC511": _may("missing-test", "error"),
    "TOC512": _may("missing-identity", "warning"),
    "TOC513": Code("label-overwrites"),
    "TOC514": Code("severity-label"),
    # 6: SOPs and links
    "TOC601": Code("missing-sop"),
    "TOC602": Code("missing-section"),
    "TOC603": _may("sop-required", "error"),
    "TOC604": _may("sop-unreferenced", "warning"),
    "TOC605": _may("sop-deprecated", "warning"),
    "TOC606": Code("sop-duplicate"),
    "TOC607": Code("sop-file-name"),
    "TOC608": Code("translation"),
    "TOC609": _may("sop-section-required", "error"),
    "TOC610": _may("sop-review-overdue", "warning"),
    "TOC611": _may("sop-stub", "warning"),
    "TOC612": _may("sop-promql", "error"),
    "TOC613": Code("sop-replaced-by"),
    "TOC614": _may("sop-flow-required", "error"),
    "TOC615": _may("sop-link", "error"),
    "TOC616": _may("bad-log-pattern", "error"),
    "TOC617": Code("incident-reference"),
    "TOC618": Code("incident-times"),
    "TOC619": _may("command-unmarked", "note"),
    "TOC620": _may("no-site-url", "warning"),
    "TOC621": _may("link-placeholder", "warning"),
    "TOC622": _may("link-shared", "warning"),
    "TOC623": _may("link-template", "warning"),
    "TOC624": _may("change-without-undo", "warning"),
    "TOC625": _may("change-without-check", "warning"),
    "TOC626": _may("block-with-prompt", "warning"),
    "TOC627": _may("block-without-language", "warning"),
    "TOC628": _may("unfinished-text", "warning"),
    "TOC629": _may("passing-name", "note"),
    "TOC630": _may("quoted-number", "note"),
    "TOC631": _may("impact-wording", "note"),
    "TOC632": _may("never-exercised", "note"),
    "TOC633": _may("rule-changed-since-review", "warning"),
    "TOC634": _may("address-gone", "error"),
    "TOC635": _may("translation-stale", "warning"),
    "TOC636": Code("alias"),
    "TOC637": _may("block-syntax", "warning"),
    "TOC638": _may("link-elsewhere", "warning"),
    "TOC639": _may("translation-anchors", "warning"),
    # 7: what a target cannot express
    "TOC701": Code("version-lacks"),
    "TOC702": Code("grafana-interval"),
    "TOC703": Code("grafana-template"),
    "TOC704": Code("grafana-title"),
    "TOC705": Code("grafana-group-name"),
    "TOC706": Code("mimir-limit"),
    "TOC707": Code("no-record-evaluator"),
    "TOC708": _may("cannot-inhibit", "note"),
    "TOC709": _may("grafana-difference", "note"),
    "TOC710": Code("no-datasource"),
    "TOC711": Code("grafana-limit"),
    "TOC712": Code("mirror-target"),
    "TOC713": Code("grafana-split"),
    "TOC714": _may("grafana-group-size", "warning"),
    "TOC715": Code("grafana-reserved"),
    "TOC716": Code("grafana-scalar"),
    "TOC717": Code("levels-alike"),
    "TOC718": _may("kubernetes-size", "error"),
    # 8: tests, adoption, canary
    "TOC801": Code("test-alert"),
    "TOC802": Code("test-level"),
    "TOC803": Code("test-series"),
    "TOC804": Code("test-failed"),
    "TOC805": Code("test-environment"),
    "TOC811": Code("adopt-dialect"),
    "TOC812": Code("adopt-template"),
    "TOC813": Code("adopt-mistake"),
    "TOC814": _may("adopt-changed", "note"),
    "TOC815": _may("adopt-test-kept", "note"),
    "TOC816": Code("adopt-unreadable"),
    # 9: servers
    "TOC901": Code("route-missed"),
    "TOC902": _may("route-depends", "note"),
    "TOC821": _may("waiver-expired", "error"),
    "TOC822": _may("waiver-unused", "warning"),
    "TOC823": Code("canary-stages"),
    "TOC831": _may("change-without-reason", "error"),
    "TOC832": _may("change-without-ticket", "error"),
}

RETIRED: frozenset[str] = frozenset()
"""Codes that once had a meaning; they are never given another."""
