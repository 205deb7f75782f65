"""Every word the site says by itself, in English and Chinese.

Page modules ask `say(language, key, **values)`; what an author wrote never goes through here. Values are put in as they are, so they are Markdown
already (`markup.plain`). Words hold no character that Markdown, an attribute list or a quoted admonition title would read: they are safe in all
three. A language without a column gets English, as a page that cannot be read is worse than a page in the wrong language.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LANGUAGES = ("en", "zh")
"""The languages of the table, in the order of its columns."""

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # A page's kinds and parts.
        "sop": ("Procedure", "处置手册"),
        "sops": ("Procedures", "处置手册"),
        "alert": ("Alert", "告警"),
        "alerts": ("Alerts", "告警"),
        "service": ("Service", "服务"),
        "services": ("Services", "服务"),
        "team": ("Team", "团队"),
        "teams": ("Teams", "团队"),
        "error": ("Error code", "错误码"),
        "errors": ("Error codes", "错误码"),
        "incident": ("Incident", "故障"),
        "incidents": ("Incidents", "故障"),
        "levels": ("Response levels", "响应级别"),
        "coverage": ("Coverage", "覆盖情况"),
        "freshness": ("Freshness", "时效情况"),
        "languages": ("Languages", "语言"),
        "releases": ("Releases", "发布记录"),
        "lookup": ("Lookup", "速查"),
        "home": ("Start here", "从这里开始"),
        "none": ("none", "无"),
        "yes": ("yes", "是"),
        "no": ("no", "否"),
        "name": ("Name", "名称"),
        "title": ("Title", "标题"),
        "what": ("What", "项目"),
        "value": ("Value", "内容"),
        "reason": ("Reason", "原因"),
        "until": ("Until", "截止"),
        "colon": (": ", "："),
        "comma": (", ", "，"),
        # Facts.
        "severity": ("Severity", "级别"),
        "no_severity": ("no severity", "未定级"),
        "respond_within": ("Respond within", "响应时限"),
        "respond_in": ("respond within {time}", "{time} 内响应"),
        "rto": ("Service back within", "恢复时限"),
        "restore_in": ("service back within {time}", "{time} 内恢复服务"),
        "budget": ("Time budget", "时间预算"),
        "budget_mitigate": ("mitigate in {time}", "{time} 内止损"),
        "budget_recover": ("recover in {time}", "{time} 内恢复"),
        "trigger": ("When", "触发条件"),
        "who": ("Who answers", "由谁响应"),
        "status": ("Status", "状态"),
        "status_draft": ("draft", "草稿"),
        "status_active": ("active", "生效"),
        "status_deprecated": ("deprecated", "已弃用"),
        "status_retired": ("retired", "已停用"),
        "owner": ("Owner", "负责团队"),
        "chat": ("Chat", "聊天群"),
        "email": ("Mail", "邮箱"),
        "rota": ("On call", "值班表"),
        "escalation": ("Escalation", "升级"),
        "review": ("Review", "评审"),
        "review_last": ("last on {day}", "上次评审 {day}"),
        "review_every": ("every {time}", "每 {time} 一次"),
        "review_by": ("by {who}", "评审人 {who}"),
        "review_due": ("due on {day}", "下次评审 {day}"),
        "never_reviewed": ("never reviewed", "从未评审"),
        "exercised": ("Drill", "演练"),
        "never_exercised": ("never exercised", "从未演练"),
        "exercised_on": ("on {day}", "{day}"),
        "exercised_took": ("took {time}", "用时 {time}"),
        "result_pass": ("passed", "通过"),
        "result_partial": ("passed in part", "部分通过"),
        "result_fail": ("failed", "未通过"),
        "drill": ("drill {name}", "演练 {name}"),
        "permissions": ("You need", "所需权限"),
        "applies_to": ("Applies to", "适用版本"),
        "version": ("Version", "版本"),
        "unreleased": ("unreleased", "未发布"),
        "translations": ("In other languages", "其他语言"),
        "language_en": ("English", "英文"),
        "language_zh": ("Chinese", "中文"),
        # The jump list of a SOP.
        "jump": ("Jump to", "跳转"),
        "jump_confirm": ("Is it real?", "是真的吗"),
        "jump_mitigate": ("Stop the damage", "先止损"),
        "jump_verify": ("Did it work?", "验证恢复"),
        "jump_rollback": ("Roll back", "回滚"),
        "jump_escalate": ("Escalate", "升级"),
        "jump_alerts": ("Alerts", "告警"),
        # Symptoms and first checks.
        "symptoms": ("What people notice", "故障现象"),
        "log_lines": ("Log lines that lead here", "相关日志"),
        "quick_checks": ("Quick checks", "快速排查"),
        "symptom": ("What you see", "现象"),
        "log_pattern": ("Log pattern", "日志特征"),
        "first_check": ("First check", "首先检查"),
        "blind_spots": ("What no alert sees", "告警盲区"),
        # Flows.
        "flow": ("This diagram in words", "流程图的文字说明"),
        "flow_step": ("{target} (go to step {number})", "{target}（转到第 {number} 步）"),
        "flow_unread": (
            "This diagram has no text form; its source says what it shows.",
            "此图无法转成文字，请看源码。",
        ),
        # Alerts that lead here.
        "alerts_here": ("Alerts that lead here", "指向本手册的告警"),
        "no_alerts": ("No alert leads here.", "没有告警指向本手册。"),
        "manual": (
            "No alert leads here, and none is expected to: this procedure is started by hand.",
            "本手册由人工触发，不需要告警指向它。",
        ),
        "summary": ("Says", "摘要"),
        "address": ("Short address", "短地址"),
        "step": ("Begin at", "从此处开始"),
        "top_of_page": ("the top of this page", "本页开头"),
        "source": ("Source", "源文件"),
        "where": ("Where", "环境与级别"),
        "thresholds": ("Fires", "触发条件"),
        "for": ("for {time}", "持续 {time}"),
        "at_once": ("at once", "立即触发"),
        "keeps": ("keeps firing {time}", "恢复后保持 {time}"),
        "evaluator": ("Evaluated by", "评估方"),
        "override": ("override {name}", "例外 {name}"),
        "paused": ("paused", "已暂停"),
        "expression": ("Expression", "表达式"),
        "expression_of": ("Expression in {where}", "{where} 的表达式"),
        "open_in": ("Open in", "打开"),
        "open_prometheus": ("Prometheus, {where}", "Prometheus（{where}）"),
        "open_grafana": ("Grafana, {where}", "Grafana（{where}）"),
        "not_deployed": (
            "Deployed in no environment: this is what its source says.",
            "未部署到任何环境：以下为源文件内容。",
        ),
        "changed_title": ("The rule is newer than this text", "规则比本文新"),
        "changed_since": (
            "The rule changed on {day} ({commit}, {subject}), after this procedure was last reviewed on {review}.",
            "该规则于 {day} 修改（{commit}，{subject}），晚于本手册的上次评审（{review}）。",
        ),
        "changed_unreviewed": (
            "The rule changed on {day} ({commit}, {subject}), and this procedure was never reviewed.",
            "该规则于 {day} 修改（{commit}，{subject}），而本手册从未评审。",
        ),
        # Queries, relations, history.
        "context": ("Queries", "查询"),
        "query": ("Query", "查询语句"),
        "related": ("Related", "相关内容"),
        "escalate_after": ("After", "时间"),
        "escalate_to": ("Tell", "通知谁"),
        "escalate_send": ("What to say", "说明什么"),
        "history": ("About this page", "关于本页"),
        "last_change": ("Last change", "最近修改"),
        "change": ("{day} ({commit}) {subject}", "{day}（{commit}）{subject}"),
        "change_shallow": (
            "unknown: the site was built from a shallow clone",
            "未知：本站由浅克隆构建",
        ),
        "change_unknown": ("unknown to Git", "Git 中没有记录"),
        "change_no_git": (
            "unknown: the site was built outside a Git repository",
            "未知：构建时不在 Git 仓库中",
        ),
        "edit": ("Edit this page", "编辑本页"),
        "aliases": ("Formerly", "曾用名"),
        # Banners.
        "banner_draft": ("Draft", "草稿"),
        "banner_draft_text": (
            "Nobody has approved this procedure yet. Check every step before you run it.",
            "本手册尚未批准，执行每一步之前请先核对。",
        ),
        "banner_deprecated": ("Deprecated", "已弃用"),
        "banner_deprecated_text": ("Do not begin here.", "请不要使用本手册。"),
        "banner_retired": ("Retired", "已停用"),
        "banner_retired_text": (
            "This procedure is no longer used. It stays so that old links lead somewhere.",
            "本手册已停用，保留此页只为旧链接仍可打开。",
        ),
        "banner_replaced": ("Use {link} instead.", "请改用 {link}。"),
        "banner_stub": ("Not written yet", "尚未编写"),
        "banner_stub_text": (
            "This page is a placeholder and no answer. Call the owner.",
            "本页只是占位，没有处置方法，请联系负责团队。",
        ),
        "banner_internal": ("Internal", "内部"),
        "banner_internal_text": (
            "For this organisation alone; it is left out of a public site.",
            "仅限内部使用，公开站点不含此页。",
        ),
        "banner_untranslated": ("Not translated yet", "尚未翻译"),
        "banner_untranslated_text": (
            "The text is shown in {language}.",
            "以下正文为{language}。",
        ),
        "banner_stale": ("The translation is older than the original", "译文落后于原文"),
        "banner_stale_text": (
            "The original changed after it was translated. In doubt follow {link}.",
            "原文在翻译之后有改动，如有出入以 {link} 为准。",
        ),
        "the_original": ("the original", "原文"),
        "banner_frozen": ("The rules have mistakes", "规则有错误"),
        "banner_frozen_text": (
            "The sources of {services} do not compile. What runs is what was last deployed, and not what stands here.",
            "{services} 的规则无法编译，线上仍是上次部署的版本，与本页内容可能不同。",
        ),
    }
)


def say(language: str, key: str, /, **values: str | int) -> str:
    """The words for `key`, its `{names}` filled with `values` as they are. `KeyError` for a key or value that does not exist."""
    column = LANGUAGES.index(language) if language in LANGUAGES else 0
    return _WORDS[key][column].format(**values)


def language_name(language: str, shown: str) -> str:
    """What the readers of `language` call the language `shown`; its code where the table has no name."""
    key = f"language_{shown}"
    return say(language, key) if key in _WORDS else shown
