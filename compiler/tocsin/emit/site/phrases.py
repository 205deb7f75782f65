"""The sentences of the index, report and stub pages, in English and Chinese; `words` has the words of a SOP page.

The key is the English sentence itself, so that a page reads well in its source. A test asks that every sentence asked for has its Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "Actions": "改进措施",
        "After the beginning": "距开始",
        "Alert, symptom, error code or log line": "告警、现象、错误码或日志行",
        "Alerts no procedure answers": "没有处置手册的告警",
        "Alerts that fired": "触发的告警",
        "Alerts that should have fired": "本应触发的告警",
        "At fault": "故障时",
        "Began": "开始",
        "Begin a new procedure with what you found": "用你的发现新建处置手册",
        "Built from commit": "构建自提交",
        "Call": "联系",
        "Call the team that owns the service:": "联系该服务的负责团队:",
        "Cause": "原因",
        "Change that caused it": "引发故障的变更",
        "Commit": "提交说明",
        "Done": "已完成",
        "Due": "到期",
        "For each service and golden signal: is somebody paged, is a ticket opened, or is nobody told?": "各服务的黄金信号:呼叫人员、开工单,还是无人知晓?",
        "Ended": "结束",
        "Errors": "错误",
        "For": "持续时间",
        "Found by": "由谁发现",
        "Git says nothing about these files.": "Git 中没有这些文件的记录。",
        "Label": "标签",
        "Labels": "标签",
        "Language": "语言",
        "Latency": "延迟",
        "Log lines no alert stands for": "没有告警覆盖的日志",
        "Meant so": "是否有意",
        "Mitigated": "止损",
        "Most urgent procedures": "最紧急的处置手册",
        "No alert watches this service.": "没有告警监控此服务。",
        "No commit is known for this copy: it was built outside a repository.": "此副本没有对应的提交:构建时不在代码仓库中。",
        "No procedure answers this alert.": "此告警没有处置手册。",
        "No signal named": "未标明信号",
        "Normally": "正常时",
        "Not translated": "尚未翻译",
        "Nothing matches?": "都不匹配?",
        "Noticed": "发现",
        "Pages somebody": "呼叫人员",
        "Procedures by the day their review is due; those never reviewed come first.": "按下次评审日期排列,从未评审的排在最前。",
        "Procedures no alert leads to": "没有告警指向的处置手册",
        "Reach it by": "联系方式",
        "Reviewed": "上次评审",
        "Rules changed since": "评审后改动的规则",
        "Saturation": "饱和度",
        "Scripts are off, so the box finds nothing. Look here:": "脚本已关闭,搜索框无法使用。请看这里:",
        "Several rules use this name. Choose by service or expression.": "多条规则使用此名称,请按服务或表达式选择。",
        "Share": "占比",
        "The history is cut short here, so older changes are missing.": "此处的历史不完整,缺少更早的改动。",
        "The procedure for this alert is not public.": "此告警的处置手册不公开。",
        "The project file says nothing about how to reach this team.": "项目文件没有写明如何联系该团队。",
        "Then write down what you found, in a new file:": "然后把你的发现写进新文件:",
        "This copy": "此副本",
        "This page is gone. Its address was given out once, so it says where to look instead.": "此页已不存在。这个地址曾经公布过,请从下面的入口查找。",
        "This page moved to": "此页已移至",
        "Timeline": "时间线",
        "Traffic": "流量",
        "Translations older than their original": "落后于原文的译文",
        "What changed last": "最近的改动",
        "What was measured": "测量数据",
        "When": "时间",
        "a colleague": "同事",
        "a customer": "客户",
        "an alert": "告警",
        "its rules have mistakes": "规则有错误",
        "no longer among the rules": "规则中已没有",
        "none": "无",
        "page": "呼叫",
        "rules of": "规则,服务",
        "started by hand": "人工触发",
        "{count} in all: see": "共 {count} 份,见",
        "ticket": "工单",
    }
)


def tr(language: str, sentence: str, **values: str | int) -> str:
    """`sentence` in `language`, its `{names}` filled with `values` as they are; English for a language without a table."""
    text = CHINESE.get(sentence, sentence) if language == "zh" else sentence
    return text.format(**values) if values else text
