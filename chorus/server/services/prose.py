"""Instructions as people see them: Markdown to HTML that runs and loads nothing of other sites."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

OURS = ("/api/projects/", "/api/drafts/")
"""Pictures of instructions lie below; those of other sites are links."""

# html=False: raw HTML is shown as text, never run; javascript: and data: links stay text.
_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")


def _link(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    tokens[at].attrSet("target", "_blank")
    tokens[at].attrSet("rel", "noopener noreferrer")
    return str(self.renderToken(tokens, at, options, env))


def _picture(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    source = str(token.attrGet("src") or "")
    words = self.renderInlineAsText(token.children or [], options, env)
    if source.startswith(OURS):
        return f'<img src="{escape(source)}" alt="{escape(words)}" loading="lazy">'
    # A page of ours asks no other site for anything.
    return (
        f'<a href="{escape(source)}" target="_blank" rel="noopener noreferrer">'
        f"{escape(words or source)}</a>"
    )


_markdown.add_render_rule("link_open", _link)
_markdown.add_render_rule("image", _picture)


def to_html(markdown: str) -> str:
    return str(_markdown.render(markdown))
