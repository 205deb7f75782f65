"""The sentences of the index, report and stub pages, in English and Chinese; `words` has the words of a SOP page.

The key is the English sentence itself, so that a page reads well in its source. A test asks that every sentence asked for has its Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CHINESE: Mapping[str, str] = MappingProxyType({})


def tr(language: str, sentence: str, **values: str | int) -> str:
    """`sentence` in `language`, its `{names}` filled with `values` as they are; English for a language without a table."""
    text = CHINESE.get(sentence, sentence) if language == "zh" else sentence
    return text.format(**values) if values else text
