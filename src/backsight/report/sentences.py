"""What the tables say, in sentences a person can repeat. Computed from records, never written ahead.

No paired test stands behind these sentences, so they claim no more than the numbers show: where two means
lie within the spread over seeds, they say that seeds alone move the error that far.
"""

from collections.abc import Iterable
from statistics import fmean, stdev
from typing import Any

Record = dict[str, Any]

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
    best = entries[0]
    said = [
        f"All {len(exam['entries'])} entries were examined on the same {exam['days']} target rows, {exam['first']} to "
        f"{exam['last']}; they were ranked on the {exam['validation']['days']} before them."
    ]
    said.append(f"Best on validation is {best['name']}: test RMSE {_test(best)}{unit}. Test days chose nothing.")
    said += _network_against_simple(entries, unit)
    said += _lookbacks(entries, unit)
    said += _baseline_floor(entries, unit)
    said += _descents(exam["entries"], unit)
    failed = [e["name"] for e in exam["entries"] if e not in entries]
    if failed:
        said.append(f"Failed, with a forecast that is no number: {', '.join(failed)}.")
    return said


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


def _network_against_simple(entries: list[Record], unit: str) -> list[str]:
    network = next((e for e in entries if e["network"]), None)
    simple = next((e for e in entries if not e["network"]), None)
    if network is None or simple is None:
        return []
    gain = _val(simple) - _val(network)
    spread = max(_spread(network), _spread(simple))
    network_test, simple_test = _mean(network, "test_rmse"), _mean(simple, "test_rmse")
    if gain > spread and network_test is not None and simple_test is not None and network_test > simple_test:
        unit += " (on the test days it is the other way round)"
    names = f"The best network, {network['name']} (test {_test(network)})"
    other = f"the best simple model, {simple['name']} (test {_test(simple)})"
    if gain > spread:
        verdict = f"is ahead of {other} on validation by {gain:.3f}{unit}, which is more than the spread over seeds"
    elif gain < -spread:
        verdict = f"is behind {other} on validation by {-gain:.3f}{unit}: no network is worth its trouble here"
    else:
        verdict = (
            f"and {other}, differ on validation by {abs(gain):.3f}{unit}, no more than seeds do: take the simple one"
        )
    return [f"{names}, {verdict}." if verdict.startswith("and") else f"{names} {verdict}."]


def _lookbacks(entries: list[Record], unit: str) -> list[str]:
    """For the best recipe that was tried at several lookbacks on the same features."""
    for entry in entries:
        same = [
            e
            for e in entries
            if (e["recipe"], e["features"]) == (entry["recipe"], entry["features"]) and e["reads_window"]
        ]
        if len(same) < 2:
            continue
        best = min(same, key=_val)
        shortest = min(
            (e for e in same if _val(e) <= _val(best) + max(_spread(best), _spread(e))), key=lambda e: e["lookback"]
        )
        shown = ", ".join(f"{e['lookback']}: {_val(e):.3f}" for e in sorted(same, key=lambda e: e["lookback"]))
        return [
            f"How far back: the shortest lookback of {entry['recipe']} that comes within the spread over seeds of its "
            f"best is {shortest['lookback']} (validation RMSE by lookback: {shown}{unit})."
        ]
    return []


def _baseline_floor(entries: list[Record], unit: str) -> list[str]:
    by_name = {e["name"]: e for e in entries}
    floors = [by_name[n] for n in ("persistence", "climatology") if n in by_name]
    if not floors:
        return []
    floor = min(floors, key=_val)
    under = [e["name"] for e in entries if e["network"] and _val(e) >= _val(floor)]
    said = f"The floor is {floor['name']} (test {_test(floor)}{unit})"
    if under:
        return [f"{said}; {', '.join(under)} {'does' if len(under) == 1 else 'do'} not get below it on validation."]
    return [f"{said}; every network gets below it." if any(e["network"] for e in entries) else f"{said}."]


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


def _spread(entry: Record) -> float:
    return stdev(entry["val_rmse"]) if len(entry["val_rmse"]) > 1 else 0.0
