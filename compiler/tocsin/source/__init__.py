"""Text in, located data out: YAML, Markdown and the schemas of the formats. Nothing here knows what an alert
is.
"""
