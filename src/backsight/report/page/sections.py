"""The sections of the report: each a pure function from stored values, absent where its values are."""

from collections.abc import Callable
from dataclasses import dataclass

from backsight.report.audit import findings_sentences
from backsight.report.figures import Charts
from backsight.report.lookback import lookback_sentences
from backsight.report.memory_text import memory_sentences
from backsight.report.page.html import Html, join, shorten, tag
from backsight.report.page.repeat import memory_command, repeat_facts
from backsight.report.page.svg import figure, panels
from backsight.report.page.tables import (
    findings_table,
    leaderboard_table,
    lesson_table,
    lookback_table,
    series_table,
    sources_table,
    tuning_table,
)
from backsight.report.sentences import exam_sentences, lesson_sentences
from backsight.report.series import extremes
from backsight.report.stored import Stored
from backsight.report.tuning import tuning_sentences

#: Characters of a sentence that a page shows: a name may be as long as a book.
LONGEST_SENTENCE = 1500


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: its place in the address.
        title: what it is about.
        lead: how to read it, in a sentence.
        body: the rest.
    """

    key: str
    title: str
    lead: str
    body: Html


def sections(stored: Stored, charts: Charts) -> list[Section]:
    """The sections that there are values for, in their order."""
    found = (make(stored, charts) for make in _SECTIONS)
    return [section for section in found if section is not None]


def _lesson(stored: Stored, _: Charts) -> Section | None:
    rows = stored.record.get("rows")
    if not rows:
        return None
    lead = "Test RMSE of the lesson's rows, each with its own split, unscaled inputs and last weights, as published."
    return Section("lesson", "As in the lesson", lead, lesson_table(rows))


def _leaderboard(stored: Stored, charts: Charts) -> Section | None:
    if not stored.entries:
        return None
    lead = (
        "Entries in the same shade can't be told apart on validation, which ranks them; test days only judge. Lines run"
        " from the lowest to the highest seed. Errors far beyond the others are told, not drawn. Verdicts are of test "
        'days; "no better" is not shown to be better than the best model that reads no window.'
    )
    drawn = [figure(chart, title=False) for chart in charts.get("leaderboard", ())]
    return Section("leaderboard", "Leaderboard", lead, join((*drawn, leaderboard_table(stored.exam))))


def _series(stored: Stored, _: Charts) -> Section | None:
    if not extremes(stored.exam):
        return None
    lead = (
        "Test RMSE in the unit of each series, on those that gain and lose most by the model beside the best one that "
        "reads no window. All of them are in series.csv."
    )
    return Section("series", "Series by series", lead, series_table(stored.exam))


def _lookback(stored: Stored, charts: Charts) -> Section | None:
    curves, drawn = stored.record.get("curves"), charts.get("lookback")
    if not drawn and not curves:
        return None
    lead = (
        "Error against the number of steps that a model sees. Bands run from the lowest to the highest seed; a ring "
        "marks the shortest lookback tied with the model's best, a cross that best. Both are chosen on validation."
    )
    body = (panels(drawn) if drawn else None, lookback_table(curves) if curves else None)
    return Section("lookback", "How far back", lead, join(body))


def _tuning(stored: Stored, _: Charts) -> Section | None:
    models = stored.record.get("models")
    if not models:
        return None
    lead = "What the search found on earlier days than the test part."
    body = join((tuning_table(models), said(tuning_sentences(stored.record))))
    return Section("tuning", "Search for settings", lead, body)


def _training(stored: Stored, charts: Charts) -> Section | None:
    drawn = charts.get("training_curves")
    if not drawn:
        return None
    total = 0 if stored.histories is None else stored.histories["entry"].nunique()
    more = f" The first {len(drawn)} of {total} networks." if total > len(drawn) else ""
    lead = f"A line a seed; a dot marks the epoch whose weights were kept.{more}"
    return Section("training", "Training curves", lead, panels(drawn))


def _forecast(_: Stored, charts: Charts) -> Section | None:
    drawn = charts.get("forecast")
    if not drawn:
        return None
    lead = (
        "Test days, means over seeds. Mark a stretch with the mouse to look closer (on a phone: the buttons, and a "
        "finger to move along); press a name to show or hide its line."
    )
    return Section("forecast", "Forecast and what came", lead, join(figure(chart, title=False) for chart in drawn))


def _errors(_: Stored, charts: Charts) -> Section | None:
    names = ("errors_by_month", "errors_by_lead", "errors_by_size", "residuals")
    drawn = [chart for name in names for chart in charts.get(name, ())]
    if not drawn:
        return None
    lead = (
        "Test errors, means over seeds. A mean error that falls with the size is a forecast that keeps to the middle; "
        "autocorrelation beyond the band is something left to learn."
    )
    return Section("errors", "Where errors come from", lead, panels(drawn))


def _memory(stored: Stored, charts: Charts) -> Section | None:
    drawn, command = charts.get("memory"), memory_command(stored)
    if not drawn or stored.memory is None:
        if command is None:
            return None
        words = (
            "How far back its models really look, and what they attend to, has not been measured. This adds it here: "
        )
        return Section("memory", "Memory", "", tag("p", words, tag("code", command)))
    lead = "Steps of validation windows replaced by those of other windows: what the error rises by, they were worth."
    parts = [panels(drawn), said(memory_sentences(stored.memory))]
    if slopes := charts.get("slopes"):
        words = "Slopes: how much a forecast moves with an input, by lag; of each entry the inputs that move it most."
        parts += [tag("p", words, class_="lead"), panels(slopes)]
    return Section("memory", "Memory", lead, join(parts))


def _layers(_: Stored, charts: Charts) -> Section | None:
    drawn = [*charts.get("states", ()), *charts.get("gates", ())]
    if not drawn:
        return None
    lead = (
        "What recurrent layers do over validation windows, means over seeds: what is left of a change of their state "
        "so many steps later, and how far their gates stand open. Bands and thin lines: 10th and 90th percentile."
    )
    return Section("layers", "Inside layers", lead, panels(drawn))


def _attention(_: Stored, charts: Charts) -> Section | None:
    drawn = charts.get("attention")
    if not drawn:
        return None
    lead = "The weight that the last step gives to each step of the window; the dotted line is the same for all."
    return Section("attention", "Attention", lead, panels(drawn))


def _said(stored: Stored, _: Charts) -> Section | None:
    if stored.record.get("rows") and stored.entries:
        sentences = lesson_sentences(stored.record)
    elif stored.record.get("curves"):
        sentences = lookback_sentences(stored.record)
    elif stored.entries:
        sentences = exam_sentences(stored.exam)
    else:
        return None
    return Section("said", "All of it in sentences", "", said(sentences))


def _doctor(stored: Stored, _: Charts) -> Section | None:
    found = stored.made.get("doctor")
    if not found:
        return None
    table = findings_table(found["findings"]) if found["findings"] else None
    lead = "What the data doctor found in the columns of this run."
    return Section("data", "The data", lead, join((table, said(findings_sentences(found)))))


def _repeat(stored: Stored, _: Charts) -> Section | None:
    facts = repeat_facts(stored)
    return Section("repeat", "How to repeat it", "The same bytes come out again.", facts) if facts else None


def _sources(stored: Stored, _: Charts) -> Section | None:
    sources = stored.made.get("sources")
    return Section("sources", "Sources", "Where the models come from.", sources_table(sources)) if sources else None


def said(sentences: list[str]) -> Html:
    """Sentences, one under the other."""
    return tag("ul", *(tag("li", shorten(sentence, LONGEST_SENTENCE)) for sentence in sentences), class_="said")


_SECTIONS: tuple[Callable[[Stored, Charts], Section | None], ...] = (
    _lesson,
    _leaderboard,
    _series,
    _lookback,
    _tuning,
    _training,
    _forecast,
    _errors,
    _memory,
    _layers,
    _attention,
    _doctor,
    _said,
    _repeat,
    _sources,
)
