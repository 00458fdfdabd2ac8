"""docs/runbook.md in the console: from an alarm it is one click to what to do."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

CODE = re.compile(r"(`[^`]+`)")
BOLD = re.compile(r"\*\*(.+?)\*\*")
LINK = re.compile(r"\[([^\]]+)\]\((#[\w-]+|/[^\s)]*|https://[^\s)]+)\)")
HEADING = re.compile(r"(#{1,3}) (.+)")
ITEM = re.compile(r"(?:[-*]|\d+\.) (.+)")


def runbook(request: HttpRequest) -> HttpResponse:
    """Show the runbook; ``#`` and an entry's name lead to it."""
    context = {**admin.site.each_context(request), "title": "Runbook", "text": _page()}
    return TemplateResponse(request, "admin/console/runbook.html", context)


def path() -> Path:
    """Return where it lies."""
    return Path(settings.BASE_DIR) / "docs" / "runbook.md"


def rendered(text: str) -> SafeString:
    """Return Markdown as HTML: headings with anchors, paragraphs, lists, code. Everything else is text."""
    blocks = "\n".join(_block(block) for block in _blocks(text.splitlines()))
    return mark_safe(blocks)  # noqa: S308 - made of escaped text


@cache
def _page() -> SafeString:
    return rendered(path().read_text())


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Cut at empty lines, outside of code."""
    block: list[str] = []
    code = False
    for line in lines:
        fence = line.startswith("```")
        code = code != fence
        if line.strip() or (code and not fence):
            if HEADING.fullmatch(line) and not code and block:
                yield block
                block = []
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _block(lines: list[str]) -> str:
    if lines[0].startswith("```"):
        return format_html('<pre class="console-code">{}</pre>', "\n".join(lines[1:-1]))
    if (heading := HEADING.fullmatch(lines[0])) and len(lines) == 1:
        level, words = len(heading[1]), heading[2]
        return format_html('<h{0} id="{1}">{2}</h{0}>', level, slugify(words), _inline(words))
    if ITEM.match(lines[0]):
        return _list(lines)
    return format_html("<p>{}</p>", _inline(" ".join(lines)))


def _list(lines: list[str]) -> str:
    """Return a list; a line that begins no item goes on with the last."""
    items: list[str] = []
    for line in lines:
        if found := ITEM.fullmatch(line):
            items.append(found[1])
        else:
            items[-1] += f" {line.strip()}"
    tag = "ol" if lines[0][0].isdecimal() else "ul"
    inner = mark_safe("".join(format_html("<li>{}</li>", _inline(item)) for item in items))  # noqa: S308 - as above
    return format_html('<{0} class="console-list">{1}</{0}>', tag, inner)


def _inline(text: str) -> SafeString:
    parts = [
        format_html("<code>{}</code>", part[1:-1]) if CODE.fullmatch(part) else _words(part)
        for part in CODE.split(text)
    ]
    return mark_safe("".join(parts))  # noqa: S308 - as above


def _words(text: str) -> str:
    bold = BOLD.sub(r"<strong>\1</strong>", escape(text))
    return LINK.sub(r'<a class="console-link" href="\2">\1</a>', bold)
