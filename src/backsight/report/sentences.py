"""What the tables say, in sentences a person can repeat. Computed from records, never written ahead.

Differences are claimed only where a paired test on the test days stands behind them (see
`evaluation.significance`); what was chosen was chosen on validation.
"""

from collections import Counter
from collections.abc import Iterable
from statistics import fmean
from typing import Any

from backsight.report.intervals import exam_intervals, interval_sentences
from backsight.report.leads import leads_sentences
from backsight.report.series import series_sentences

Record = dict[str, Any]

#: More names than this are not read.
MOST_NAMES = 8

#: How near a reproduced row should come to the published number, in the target's unit.
NEAR = 0.10


def lesson_sentences(record: Record) -> list[str]:
    """What the reproduced rows and the exam say, in order of importance."""
    return [*_reproduction(record), *exam_sentences(record["exam"])]


def exam_sentences(exam: Record) -> list[str]:
    """What a leaderboard says."""
    entries = [e for e in exam["entries"] if _mean(e, "val_rmse") is not None]
    if not entries:
        return ["Every entry failed: no forecast of any of them was a number on all days."]
    unit = f" {exam['unit']}" if exam["unit"] else ""
    failed = [e["name"] for e in exam["entries"] if e not in entries]
    return [
        f"All {len(exam['entries'])} entries were examined on the same {show_days(exam)}; they were ranked on "
        f"{show_validation(exam)}. {show_openings(exam)}",
        *inputs_sentences(exam),
        *series_sentences(exam),
        *_tied_for_best(exam, entries, unit),
        *picks_sentences(exam["picks"], unit),
        *(pair_sentence(pair, unit) for pair in exam["pairs"]),
        *_verdicts(exam, entries, unit),
        *leads_sentences(exam, unit),
        *interval_sentences(exam_intervals(exam), exam["recommended"], unit),
        *_lookbacks(exam, unit),
        *_parrots(entries, unit),
        *_descents(exam["entries"], unit),
        *([f"Failed, with a forecast that is no number: {', '.join(failed)}."] if failed else []),
        *lost_sentences(exam["lost"]),
    ]


def inputs_sentences(exam: Record) -> list[str]:
    """That the target's own past is not read, if it is not: features were named, and it was not among them.

    >>> print(*inputs_sentences({"target": "units", "inputs": ["price"]}))
    The own past of units is not among the inputs: models with a window read only price. Add it with --features
    price,units (in Python, features=).
    >>> inputs_sentences({"target": "units", "inputs": ["price", "units"]})
    []
    """
    target, inputs = exam["target"], exam.get("inputs")
    if not inputs or target in inputs:
        return []
    named = f"--features {','.join([*inputs, target])}" if len(inputs) <= MOST_NAMES else f"{target} among --features"
    return [
        f"The own past of {target} is not among the inputs: models with a window read only {_list(inputs)}. Add it "
        f"with {named} (in Python, features=)."
    ]


def lost_sentences(lost: list[Record]) -> list[str]:
    """What was given up since it killed its workers, if anything was."""
    if not lost:
        return []
    fits = "; ".join(fit["fit"] for fit in lost[:5])
    more = f"; and {len(lost) - 5} more" if len(lost) > 5 else ""
    return [f"Given up, since their workers died each time: {fits}{more} ({lost[0]['why']}). They sat no exam."]


def show_days(exam: Record) -> str:
    """The target rows that entries were examined on, and in which folds."""
    days = f"{exam['days']} target rows, {exam['first']} to {exam['last']}"
    folds = exam["folds"]
    if not folds:
        return days
    fewest, most = (pick(fold["train_rows"] for fold in folds) for pick in (min, max))
    rows = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return f"{days}, in {len(folds)} folds, fitted anew for each on {rows} earlier rows"


def show_validation(exam: Record) -> str:
    """The target rows that entries were chosen by."""
    days = exam["validation"]["days"]
    if not exam["folds"]:
        return f"the {days} before them"
    return f"the {days} before each fold's, of which {exam['tested_before']} are test rows of an earlier fold"


def pair_sentence(pair: Record, unit: str = "") -> str:
    """A paired test: what differs, by how much, how sure; and what the exam could have shown.

    >>> pair = {"first": "gru_7", "second": "ridge_7", "difference": -0.2, "low": -0.3, "high": -0.1, "p": 0.0004,
    ...         "windows": 365, "effective": 300.2, "smallest": 0.12, "enough": True, "differ": True,
    ...         "seeds_undo": False}
    >>> print(pair_sentence(pair, " h"))
    gru_7 is better than ridge_7 on the test days, by 0.200 h of RMSE (95 % interval 0.100 to 0.300, p < 0.001;
    365 windows, worth 300 independent ones).
    """
    first, second = pair["first"], pair["second"]
    if pair["difference"] > 0:
        first, second = second, first
    if pair["low"] is None:
        return f"{first} and {second} differ by the same amount in every test window: there is nothing to test."
    if pair["low"] == pair["high"] == 0:
        return f"{first} and {second} make the same forecasts on the test days."
    if not pair["enough"]:
        return (
            f"There are too few test windows to tell {first} from {second}: {pair['windows']}, worth "
            f"{pair['effective']:.0f} independent ones."
        )
    size, ends = (
        abs(pair["difference"]),
        sorted(pair[end] * (1 if pair["difference"] > 0 else -1) for end in ("low", "high")),
    )
    folds = ""
    if won := pair.get("folds_won"):
        lower = won["of"] - won["first"] if pair["difference"] > 0 else won["first"]
        folds = f"; lower in {lower} of {won['of']} folds"
    facts = (
        f"95 % interval {ends[0]:.3f} to {ends[1]:.3f}, {show_p(pair['p'])}; {pair['windows']} windows, worth "
        f"{pair['effective']:.0f} independent ones{folds}"
    )
    if pair["seeds_undo"]:
        return (
            f"{first} is ahead of {second} on the test days, by {size:.3f}{unit}; other seeds could undo it ({facts})."
        )
    if pair["differ"]:
        return f"{first} is better than {second} on the test days, by {size:.3f}{unit} of RMSE ({facts})."
    return (
        f"{first} and {second} can't be told apart on the test days: RMSE {size:.3f}{unit} lower for the first "
        f"({facts}). A difference of {pair['smallest']:.2f}{unit} would have shown, four times in five."
    )


def show_p(p: float) -> str:
    """How sure: with as many digits as mean something.

    >>> show_p(0.0004), show_p(0.0212), show_p(0.338)
    ('p < 0.001', 'p = 0.021', 'p = 0.34')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def show_openings(exam: Record) -> str:
    """What test days did not do, and how often they have been opened."""
    openings = exam["openings"]
    sealed = "Nothing was fitted to test rows of its own fold" if exam["tested_before"] else "Test days chose nothing"
    if openings is None or openings["times"] == 1:
        return f"{sealed}."
    others = openings["studies"] - 1
    again = f", by {openings['studies']} different studies" if others else ", always by this very study"
    warning = " Whoever chooses by what earlier ones said there has used them up a little." if others else ""
    return f"{sealed}; these test days have been opened {openings['times']} times{again}.{warning}"


def _tied_for_best(exam: Record, entries: list[Record], unit: str) -> list[str]:
    tied = [e for e in entries if e["group"] == 1]
    best, taken = tied[0], next(e for e in entries if e["name"] == exam["recommended"])
    if len(tied) == 1:
        return [f"Best on validation, and tied with none: {best['name']} (test RMSE {_test(best)}{unit})."]
    sure = sum(e["in_set"] for e in entries)
    said = (
        f"{len(tied)} entries can't be told from the best on validation, {best['name']} ({_val(best):.3f}{unit}); with "
        f"95 % confidence the best is {f'one of {sure}' if sure > 1 else 'that one'} (Model Confidence Set). The "
        f"simplest of those within a standard error of it is {taken['name']} (test RMSE {_test(taken)}{unit}): take it."
    )
    networks = [e["name"] for e in tied if e["network"]]
    entered = any(e["network"] for e in entries)
    return [f"{said} No network is tied with it." if entered and not networks else said]


def picks_sentences(picks: Record | None, unit: str) -> list[str]:
    """What choosing anew in each fold of a backtest is worth, and how steady the choice is; nothing without folds."""
    if picks is None or picks["test_rmse"] is None:
        return []
    of_entry = Counter[str](picks["entries"])
    counts = ", ".join(f"{name} in {count}" for name, count in of_entry.most_common())
    return [
        f"Whoever had chosen anew in each fold, by the validation days before it, would have had a test RMSE of "
        f"{picks['test_rmse']:.2f}{unit} ({counts})."
    ]


def _verdicts(exam: Record, entries: list[Record], unit: str) -> list[str]:
    """What the networks are worth, by their verdicts."""
    by_name = {e["name"]: e for e in entries}
    networks = [e for e in entries if e["network"] and not e["ensemble"] and e["verdict"]]
    if not networks or exam["baseline"] not in by_name:
        return []
    baseline, floor = by_name[exam["baseline"]], by_name.get(exam["floor"] or "")
    phrases = {
        "better": f"better than the best simple model, {baseline['name']} (test {_test(baseline)}{unit})",
        "tied": f"tied with {baseline['name']} (test {_test(baseline)}{unit})",
        "behind": f"behind {baseline['name']} (test {_test(baseline)}{unit})",
        "no better": f"not shown to be better than {floor['name']} (test {_test(floor)}{unit})" if floor else "",
        "too few windows": "not to be judged: too few test windows",
    }
    parts = []
    for label, phrase in phrases.items():
        named = [e["name"] for e in networks if e["verdict"] == label]
        if named:
            parts.append(f"{_list(named)} {'is' if len(named) == 1 else 'are'} {phrase}")
    return [f"On the test days {'; '.join(parts)}."]


def _list(names: list[str]) -> str:
    """Names, the first few where there are many.

    >>> _list(["a", "b"]), _list(list("abcdefghi"))
    ('a, b', 'a, b, c, d, e, f and 3 more')
    """
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{', '.join(names[:6])} and {len(names) - 6} more"


def _parrots(entries: list[Record], unit: str) -> list[str]:
    found = [e for e in entries if e["parrot"] and e["parrot"]["repeats"] and e["reads_window"] and not e["ensemble"]]
    if not found:
        return []
    return [
        "Warning: on the test days these forecasts follow the last known value more closely than what they forecast "
        "(correlations), and no paired test finds them better than that value itself: "
        f"{_list([_show_parrot(e, unit) for e in found])}. Nothing shows that they know more than what they last saw."
    ]


def _show_parrot(entry: Record, unit: str) -> str:
    parrot = entry["parrot"]
    gain = parrot.get("difference")
    beside = "" if gain is None else f"; RMSE {gain:+.3f}{unit} beside it, {show_p(parrot['p'])}"
    return f"{entry['name']} ({parrot['yesterday']:.2f} against {parrot['today']:.2f}{beside})"


def _reproduction(record: Record) -> list[str]:
    rows = [r for r in record["rows"] if r["published_rmse"] is not None and r["breakdown"] and r["test_rmse"]]
    rows = [r for r in rows if None not in r["test_rmse"]]
    if not rows:
        return []
    off = {r["name"]: fmean(r["test_rmse"]) - r["published_rmse"] for r in rows}
    near = sum(abs(d) <= NEAR for d in off.values())
    furthest = max(off, key=lambda name: abs(off[name]))
    said = [
        f"{near} of the lesson's {len(rows)} networks come within {NEAR:.2f} of their published test RMSE, by mean "
        f"over seeds; furthest off is {furthest}, by {off[furthest]:+.3f}."
    ]
    spreads = {r["name"]: max(r["test_rmse"]) - min(r["test_rmse"]) for r in rows if len(r["test_rmse"]) > 1}
    if spreads:
        widest = max(spreads, key=lambda name: spreads[name])
        recurrent = [r["published_rmse"] for r in rows if "rnn" in r["recipe"] or "lstm" in r["recipe"]]
        said.append(
            f"The seed alone moves a row by up to {spreads[widest]:.2f} ({widest}); the lesson's recurrent rows differ "
            f"by {max(recurrent) - min(recurrent):.2f} in all, from one seed each and on test days that differ from "
            f"row to row. Its order among them is not a finding."
        )
    return said


def _lookbacks(exam: Record, unit: str) -> list[str]:
    """For the best model that was tried at several lookbacks."""
    found = exam["lookback"]
    if found is None:
        return []
    shown = ", ".join(f"{point['lookback']}: {point['val_rmse']:.3f}" for point in found["points"])
    return [
        f"How far back: the shortest lookback of {found['model']} that is tied with its best is {found['shortest']} "
        f"(validation RMSE by lookback: {shown}{unit})."
    ]


def _descents(entries: Iterable[Record], unit: str) -> list[str]:
    found = [(d, e) for e in entries for d in e["second_descents"]]
    if not found:
        return []
    descent, entry = max(found, key=lambda pair: pair[0]["gain"])
    worth = (
        f"worth {descent['gain']:.3f}{unit}"
        if descent["gain"] > 0
        else f"worth nothing: its bottom lies {-descent['gain']:.3f}{unit} above the first valley"
    )
    trainings = f"{len(found)} training{'s' if len(found) > 1 else ''}"
    return [
        f"Second descent: in {trainings} the validation error fell again after it had risen. The best of them was "
        f"{entry['name']}, seed {descent['seed']}: valley {descent['valley_rmse']:.3f} at epoch {descent['valley']}, "
        f"peak {descent['peak_rmse']:.3f} at {descent['peak']}, bottom {descent['bottom_rmse']:.3f} at "
        f"{descent['bottom']}; {worth} on validation."
    ]


def _mean(entry: Record, what: str) -> float | None:
    return None if None in entry[what] else fmean(entry[what])


def _val(entry: Record) -> float:
    return fmean(entry["val_rmse"])


def _test(entry: Record) -> str:
    mean = _mean(entry, "test_rmse")
    return "failed" if mean is None else f"{mean:.2f}"
