"""Versions nobody types: what a release is called, what the ledger then says, what people read.

    RuleChange* + commits -> ReleasedChange*    entries: one change, its environments, its reason and ticket
                          -> version            versions: the class of a change says which number it raises
                          -> Ledger             ledger: a version for each compiled rule and SOP; its text
                          -> changelog          changelog: the section of this release in the file people keep

Pure: the day and the commits come in as values. A release is a function of the last release's ledger and of what the sources say now, so that
making it twice, or making it again after one more pull request, gives what making it once would have given.
"""
