"""What a reader of the first screen must know: which entries are best, how far back, whether a network is worth it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from backsight.report.page.html import Html, shorten, tag
from backsight.report.stored import Stored

Record = dict[str, Any]

#: Names that a sentence holds.
MOST_NAMES = 4


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a word or two, and a sentence or two behind it."""

    question: str
    answer: str
    because: str


def answers(stored: Stored) -> list[Answer]:
    """The answers that these values give."""
    found = (_best(stored), _lookback(stored), _networks(stored), _tomorrow(stored))
    return [answer for answer in found if answer is not None]


def answer_cards(found: Sequence[Answer]) -> Html | None:
    """Answers side by side where there is room."""
    cards = (
        tag(
            "article",
            tag("h2", one.question),
            tag("p", tag("bdi", shorten(one.answer, 60)), class_="big"),
            tag("p", one.because),
            class_="answer",
        )
        for one in found
    )
    return tag("section", *cards, class_="answers", id="answer", aria_label="The answer") if found else None


def _best(stored: Stored) -> Answer | None:
    """Which entries are tied for best, and which of them to take."""
    entries = [e for e in stored.entries if None not in e["val_rmse"]]
    question = "Which to take?"
    if not entries:
        failed = "No forecast of any entry was a number on all days."
        return Answer(question, "Every entry failed", failed) if stored.entries else _best_of_lookbacks(stored)
    tied = [e["name"] for e in entries if e["group"] == 1]
    taken = next((e for e in entries if e["name"] == stored.exam["recommended"]), entries[0])
    test = f"test RMSE {_error(taken['test_rmse'], stored.unit)}"
    if len(tied) == 1:
        alone = f"Best on validation, and tied with none of {len(entries) - 1} others; {test}."
        return Answer(question, taken["name"], f"{alone}{_judged(taken, stored)}")
    because = (
        f"{len(tied)} of {len(stored.entries)} entries are tied for best on validation: {_list(tied)}. This is the "
        f"simplest that is as good; {test}.{_judged(taken, stored)}"
    )
    return Answer(question, taken["name"], because)


def _judged(taken: Record, stored: Stored) -> str:
    """What must not be kept back of what is recommended: that test days speak against it, or not for it."""
    if taken.get("verdict") == "no better":
        return f" On the test days it is not shown to be better than {shorten(str(stored.exam.get('floor')), 60)}."
    if taken.get("verdict") == "behind":
        return f" On the test days it is behind {shorten(str(stored.exam.get('baseline')), 60)}."
    return ""


def _best_of_lookbacks(stored: Stored) -> Answer | None:
    """Of lookback curves: the model of the shortest lookback that is tied with the best of all."""
    choice = stored.record.get("overall")
    if not choice or not choice["enough"]:
        return None
    tied = [str(name) for name in choice["tied"]]
    if len(tied) == 1:
        return Answer("Which to take?", str(choice["entry"]), "Lowest on validation, and tied with none.")
    because = (
        f"{len(tied)} entries are tied for best on validation: {_list(tied)}. The shortest lookback of these is taken."
    )
    return Answer("Which to take?", str(choice["entry"]), because)


def _lookback(stored: Stored) -> Answer | None:
    """How far back is worth looking."""
    question = "How far back is worth looking?"
    choice, found = stored.record.get("overall"), stored.exam.get("lookback")
    if choice:
        if not choice["enough"]:
            return Answer(question, "Not to be told", "There are too few validation windows to tell lookbacks apart.")
        because = "the lowest validation error of all."
        if choice["entry"] != choice["best"]:
            best = shorten(str(choice["best"]), 60)
            because = f"the shortest lookback of any model that is tied with the best of all, {best}."
        return Answer(question, _steps(choice["lookback"]), f"With {shorten(str(choice['model']), 60)}: {because}")
    if not found:
        return None
    tried = [point["lookback"] for point in found["points"]]
    longer = [steps for steps in tried if steps > found["shortest"]]
    worth = f"; {_list([str(n) for n in longer])} brought nothing that can be told from chance" if longer else ""
    because = (
        f"The shortest lookback of {shorten(str(found['model']), 60)} that is tied with its best, of "
        f"{_list([str(n) for n in tried])}{worth}.{_why_longer(stored, found)}"
    )
    return Answer(question, _steps(found["shortest"]), because)


def _why_longer(stored: Stored, found: Record) -> str:
    """Why an entry is taken that looks further back than is shown to be worth it."""
    taken = next((e for e in stored.entries if e["name"] == stored.exam["recommended"]), None)
    if taken is None or taken["recipe"] != found["model"] or taken["lookback"] <= found["shortest"]:
        return ""
    errors = {point["lookback"]: point["val_rmse"] for point in found["points"]}
    if not {taken["lookback"], found["shortest"]} <= set(errors):
        return ""
    short, long = (_error([errors[n]], stored.unit) for n in (found["shortest"], taken["lookback"]))
    return (
        f" {shorten(taken['name'], 60)} is taken all the same: {long} against {short} on validation may be chance, and "
        f"may not."
    )


def _networks(stored: Stored) -> Answer | None:
    """Whether any network beats the best simple model on the test days.

    "No" needs as much proof as "Yes": that not one of them gains 1 % of its error (see `Judge.no_gain`). What the
    exam was too short to tell is not shown.
    """
    networks, baseline = _networks_and_baseline(stored)
    if not networks or baseline is None:
        return None
    by_verdict = {
        # An ensemble of seeds is named only where it does what its members don't.
        verdict: [
            e["name"] for e in networks if e["verdict"] == verdict and (not e.get("ensemble") or verdict == "better")
        ]
        for verdict in ("better", "tied", "behind", "no better", "too few windows")
    }
    error = _error(baseline["test_rmse"], stored.unit)
    simple = f"{shorten(baseline['name'], 60)}, the best simple model (test RMSE {error})"
    question = "Is any network worth it?"
    if by_verdict["better"]:
        names = by_verdict["better"]
        return Answer(question, "Yes", f"Better on the test days than {simple}: {_list(names)}.")
    if by_verdict["too few windows"]:
        return Answer(question, "Not to be told", f"There are too few test windows to tell networks from {simple}.")
    floor = shorten(str(stored.exam.get("floor")), 60)
    phrases = {"tied": "tied with it", "behind": "behind it", "no better": f"not shown to be better than {floor}"}
    parts = [f"{phrase}: {_list(by_verdict[verdict])}" for verdict, phrase in phrases.items() if by_verdict[verdict]]
    if all(e.get("no_gain") for e in networks):
        return Answer(question, "No", f"The test days show that none gains 1 % over {simple}; {'; '.join(parts)}.")
    because = f"On the test days none is shown to beat {simple}; {'; '.join(parts)}.{_would_show(stored)}"
    return Answer(question, "Not shown", because)


def _networks_and_baseline(stored: Stored) -> tuple[list[Record], Record | None]:
    """The networks that have a verdict, and the best simple model; of lookback curves, every point of a network's."""
    name = stored.exam.get("baseline")
    curves = stored.record.get("curves") or []
    points = [{**p, "name": p["entry"]} for curve in curves if curve.get("network") for p in curve["points"]]
    networks = [e for e in (*(e for e in stored.entries if e["network"]), *points) if e.get("verdict")]
    lines = [{**errors, "name": line} for line, errors in (stored.record.get("lines") or {}).items()]
    return networks, next((e for e in (*stored.entries, *lines) if e["name"] == name), None)


def _would_show(stored: Stored) -> str:
    """The gain of the best network that the exam would have shown."""
    pairs = stored.exam.get("pairs") or stored.record.get("pairs") or []
    test = next((pair for pair in pairs if pair["asked"] == "network" and pair["enough"]), None)
    if test is None or test["smallest"] is None:
        return ""
    unit = f" {stored.unit}" if stored.unit else ""
    return f" A gain of {_number(test['smallest'])}{unit} would have shown, four times in five."


def _tomorrow(stored: Stored) -> Answer | None:
    """What comes next, if a model was saved; see `runs.outlook_record.next_record`."""
    found = stored.next
    if not found or not found.get("rows"):
        return None
    if "series" in found["rows"][0]:
        return _next_of_many(found)
    unit = f" {stored.unit}" if stored.unit else ""
    first, last = found["rows"][0], found["rows"][-1]
    said = [_interval(first, found.get("level"), unit)]
    if len(found["rows"]) > 1:
        said.append(
            f"{last['time']}: {_number(last['predicted'])}{unit}{_interval(last, found.get('level'), unit, ' (', ')')}."
        )
    said.append(f"Forecast of {shorten(str(found['entry']), 60)} after the last row of the data.")
    answer = f"{_number(first['predicted'])}{unit}"
    return Answer(f"What comes next, {first['time']}?", answer, " ".join(part for part in said if part))


def _next_of_many(found: Record) -> Answer:
    """The first steps of the first few of many series."""
    first_of = {row["series"]: row for row in reversed(found["rows"])}
    shown = [
        f"{shorten(name, 30)}: {_number(row['predicted'])}{_interval(row, None, '', ' (', ')')}"
        for name, row in [*reversed(first_of.items())][:MOST_NAMES]
    ]
    level = f", with {found['level']:.0%} intervals" if found.get("level") is not None else ""
    said = (
        f"{'; '.join(shown)}. By {shorten(str(found['entry']), 60)} after the last row of each{level}; all of them are "
        f"in next.json."
    )
    return Answer("What comes next?", f"{len(first_of):,} series", said)


def _interval(row: Record, level: float | None, unit: str, begin: str = "", end: str = ".") -> str:
    if row.get("lower") is None or row.get("upper") is None:
        return ""
    share = f"{100 * level:g} % interval " if level is not None else ""
    return f"{begin}{share}{_number(row['lower'])} to {_number(row['upper'])}{unit}{end}"


def _list(names: Sequence[str]) -> str:
    """Names in a row, the first few of many.

    >>> _list(["a"]), _list(["a", "b"]), _list(list("abcdef"))
    ('a', 'a and b', 'a, b, c and 3 more')
    """
    shown = [shorten(name, 60) for name in names]
    if len(shown) > MOST_NAMES:
        return f"{', '.join(shown[: MOST_NAMES - 1])} and {len(shown) - MOST_NAMES + 1} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _steps(lookback: int) -> str:
    return f"{lookback} step{'s' if lookback > 1 else ''}"


def _error(errors: Sequence[float | None], unit: str) -> str:
    if None in errors or not errors:
        return "failed"
    return f"{_number(fmean(e for e in errors if e is not None))}{f' {unit}' if unit else ''}"


def _number(value: float) -> str:
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.1 else f"{value:.3g}"
