"""The page: what stands around the sections."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from backsight.report.figures import Charts
from backsight.report.page.answer import answer_cards, answers
from backsight.report.page.html import Html, shorten, tag
from backsight.report.page.sections import Section, sections
from backsight.report.sentences import show_days, show_validation
from backsight.report.stored import Stored


def page(stored: Stored, charts: Charts) -> str:
    """The whole report as one HTML document, which asks nothing of any network.

    Args:
        stored: the values of the run.
        charts: its charts; see `figures.charts_of`.
    """
    found = sections(stored, charts)
    main = tag("main", answer_cards(answers(stored)), _notice(stored), *(_show(section) for section in found))
    body = tag("body", _top(stored), _navigation(found), main, _foot(), tag("script", _asset("script.js")))
    return f"<!DOCTYPE html>\n{tag('html', _head(stored), body, lang='en')}\n"


def _head(stored: Stored) -> Html:
    """What the browser must know; it may run this script and no other, and load nothing at all."""
    policy = (
        f"default-src 'none'; script-src '{_hash('script.js')}'; style-src '{_hash('style.css')}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{_title(stored)} · backsight"),
        tag("style", _asset("style.css")),
    )


def _title(stored: Stored) -> str:
    target = stored.exam.get("target") or stored.record.get("search", {}).get("target") or "results"
    return f"{shorten(str(target), 80)} of {shorten(str(stored.record.get('data', 'a series')), 80)}"


def _top(stored: Stored) -> Html:
    toggle = tag("button", "light / dark", type="button", class_="toggle", hidden=True)
    exam = stored.exam
    entries = f"{len(stored.entries)} entries, " if stored.entries else ""
    lead = f"{entries}examined on {show_days(exam)}; ranked on {show_validation(exam)}." if "days" in exam else None
    return tag(
        "header",
        tag("div", tag("span", "backsight", class_="brand"), toggle, class_="bar-top"),
        tag("h1", tag("bdi", _title(stored))),
        tag("p", lead, class_="lead") if lead else None,
        class_="top",
    )


def _notice(stored: Stored) -> Html | None:
    """What must not be overlooked: a run that was stopped, and data that can't be so."""
    words = []
    if stored.record.get("interrupted"):
        words.append("This run was stopped by Ctrl-C: only what was finished is shown.")
    wrong = [f for f in (stored.made.get("doctor") or {}).get("findings", ()) if f["severity"] == "wrong"]
    if wrong:
        words.append(f"The data doctor found {len(wrong)} thing{'s' if len(wrong) > 1 else ''} wrong with the data.")
    if not words:
        return None
    link = tag("a", "See there.", href="#data") if wrong else None
    return tag("p", " ".join(words), " ", link, class_="notice")


def _navigation(found: list[Section]) -> Html | None:
    links = (tag("li", tag("a", section.title, href=f"#{section.key}")) for section in found)
    return tag("nav", tag("ul", *links), aria_label="Sections") if found else None


def _show(section: Section) -> Html:
    lead = tag("p", section.lead, class_="lead") if section.lead else None
    return tag("section", tag("h2", section.title), lead, section.body, id=section.key, aria_label=section.title)


def _foot() -> Html:
    return tag(
        "footer",
        "Made by backsight from stored results. The page asks nothing of any network; the figures are also in the "
        "folder figures as PNG and SVG.",
    )


@cache
def _asset(name: str) -> Html:
    """A file of this package that goes into the page as it is."""
    return Html(files(__package__).joinpath(name).read_text(encoding="utf-8"))


@cache
def _hash(name: str) -> str:
    return f"sha256-{b64encode(sha256(_asset(name).encode()).digest()).decode()}"
