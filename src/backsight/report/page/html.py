"""HTML from functions: text is escaped unless it was made here."""

import json
import re
from collections.abc import Iterable
from html import escape

#: Characters of a name or a cell that a page shows.
LONGEST = 120

#: Of a name that is not broken into lines.
SHORT = 32

_NAME = re.compile(r"[a-z][a-zA-Z0-9-]*")

#: Not allowed in HTML, or not in UTF-8: control characters but tab and line break, and halves of characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

#: Elements that have no end.
_VOID = frozenset({"meta", "br", "hr", "line", "rect", "circle", "path", "use"})

_SVG = frozenset({"line", "rect", "circle", "path", "use"})


class Html(str):
    """Text that is HTML already. Whatever else is a string is escaped where it is put into a page."""

    __slots__ = ()


Child = str | None
Attribute = str | float | bool | None


def text(value: object) -> Html:
    r"""Any value as text of a page: nothing in it is taken for HTML.

    >>> text('a < b & "c"')
    'a &lt; b &amp; &quot;c&quot;'
    >>> text("bell\x07")
    'bell�'
    """
    return value if isinstance(value, Html) else Html(escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value))))


def tag(element: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. Children that are no `Html` are escaped, and so are attributes; None is left out.

    A "_" in an attribute's name stands for "-", one at its end for nothing.

    >>> tag("p", "1 < 2", tag("b", "so"), class_="note", hidden=True, title=None)
    '<p class="note" hidden>1 &lt; 2<b>so</b></p>'
    >>> tag("line", x1=0, stroke_width=1.5)
    '<line x1="0" stroke-width="1.5"/>'
    """
    assert _NAME.fullmatch(element), element
    opened = f"<{element}{''.join(_attribute(key, value) for key, value in attributes.items())}"
    if element in _VOID:
        return Html(f"{opened}/>" if element in _SVG else f"{opened}>")
    return Html(f"{opened}>{join(children)}</{element}>")


def join(parts: Iterable[Child]) -> Html:
    """Parts one after the other; None is left out."""
    return Html("".join(text(part) for part in parts if part is not None))


def name(value: object, most: int = LONGEST) -> Html:
    """The name of an entry or a column: kept apart from the direction of writing around it, and cut if it is long.

    >>> name("abc", most=2)
    '<bdi class="short">a…</bdi>'
    """
    shown = shorten(str(value), most)
    return tag("bdi", shown, class_="short" if len(shown) <= SHORT else None)


def shorten(value: str, most: int = LONGEST) -> str:
    """At most so many characters.

    >>> shorten("abcdef", 4)
    'abc…'
    """
    return value if len(value) <= most else f"{value[: most - 1]}…"


def data(value: object, **attributes: Attribute) -> Html:
    r"""Values for a script to read, as an element that no browser runs.

    >>> data({"n": "</script>"}, class_="told")
    '<script type="application/json" class="told">{"n":"\\u003c/script\\u003e"}</script>'
    """
    plain = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return tag("script", Html(plain), type="application/json", **attributes)


def table(
    head: Iterable[Child], rows: Iterable[Iterable[Child]], label: str, classes: Iterable[str | None] | None = None
) -> Html:
    """A table that scrolls inside itself where it is too wide.

    Args:
        head: what stands above the columns.
        rows: cells by row; a cell that is a number to the eye is set to the right.
        label: what it is, for whoever does not see it.
        classes: of the rows.
    """
    lines = [list(row) for row in rows]
    kinds = list(classes) if classes is not None else [None] * len(lines)
    body = (
        tag("tr", *(tag("td", cell, class_=_kind(cell)) for cell in line), class_=kind)
        for line, kind in zip(lines, kinds, strict=True)
    )
    heads = (
        tag("th", cell, scope="col", class_="n" if lines and all(_is_number(line[k]) for line in lines) else None)
        for k, cell in enumerate(head)
    )
    whole = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=label)


_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?( s| %)?(\s?(±|\.\.)\s?[-+]?[\d.]+)?")


def _is_number(cell: Child) -> bool:
    return not cell or (not isinstance(cell, Html) and _NUMBER.fullmatch(cell) is not None)


def _kind(cell: Child) -> str | None:
    """Numbers stand to the right, and a word or two are not broken into lines."""
    if _is_number(cell):
        return "n"
    return "w" if cell is not None and not isinstance(cell, Html) and len(cell) <= 16 else None


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    attribute = key.rstrip("_").replace("_", "-")
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9-]*", attribute), key
    return f" {attribute}" if value is True else f' {attribute}="{text(value)}"'
