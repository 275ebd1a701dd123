"""Audits for a terminal, from records (see `Diagnosis.record`, `LeakAudit.record`, `Claim.record`)."""

from typing import Any

from rich.markup import escape
from rich.table import Table

Record = dict[str, Any]

_COLOUR = {"wrong": "red", "suspect": "yellow", "note": "cyan"}


def findings_table(record: Record) -> Table:
    """One line a finding: how sure, what, where, when, and what stands there."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name in ("", "check", "column", "rows", "when", "what was seen"):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=name in ("", "check"))
    for finding in record["findings"]:
        severity = finding["severity"]
        table.add_row(
            f"[{_COLOUR[severity]}]{severity}[/]",
            finding["check"],
            escape(_names(finding["columns"])),
            f"{finding['count']:,}",
            finding["when"],
            escape(finding["seen"]),
        )
    return table


def findings_sentences(record: Record) -> list[str]:
    """How many findings of what kind, then the rule behind each kind and what to do."""
    found = record["findings"]
    looked = f"{record['rows']:,} rows and {len(record['columns'])} columns of {record['data']}"
    about_target = f", target {record['target']}" if record["target"] else ""
    if not found:
        return [f"Nothing was found in {looked}{about_target}."]
    counts = {s: sum(f["severity"] == s for f in found) for s in ("wrong", "suspect", "note")}
    number = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    said = ", ".join(f"{n} {severity}" for severity, n in counts.items() if n)
    sentences = [f"{number} in {looked}{about_target}: {said}. Nothing was changed."]
    for check in dict.fromkeys(f["check"] for f in found):
        rules = list(dict.fromkeys(f["rule"] for f in found if f["check"] == check))
        advice = next(f["advice"] for f in found if f["check"] == check)
        more = f" (and {len(rules) - 2} more)" if len(rules) > 2 else ""
        sentences.append(f"{check}: {'; '.join(rules[:2])}{more}. {advice[0].upper()}{advice[1:]}.")
    return sentences


def mask_sentences(mask: Record, written: str | None) -> list[str]:
    """What a mask empties or would empty, and how to read its file."""
    cells = mask["cells"]
    if not cells:
        return ["There is no value to mask."] if written else []
    total = sum(cells.values())
    which = "that are wrong or suspect" if mask["suspect"] else "that are wrong"
    counted = f"{total:,} cell{'' if total == 1 else 's'} {which}"
    if not written:
        return [f"--mask FILE writes a copy in which the {counted} are empty."]
    begin = f" --from {mask['read_from']}" if mask["read_from"] else ""
    listed = ", ".join(f"{n:,} of {column}" for column, n in cells.items())
    return [
        f"Masked {counted}: {listed}.",
        f"Written to {written}; the source is as it was. Read it with --on-missing ffill{begin}: empty cells get the "
        f"last value before them, and no window with an empty target is scored.",
    ]


def leak_sentences(record: Record) -> list[str]:
    """What was tried, law by law, and what leaked."""
    sentences = []
    for trial in record["trials"]:
        verdict = f"LEAK: {trial['leak']}" if trial["leak"] else "Held."
        sentences.append(f"{trial['law']}: {trial['tried']} {verdict}")
    leaks, tried = record["leaks"], len(record["trials"])
    if leaks:
        sentences.append(f"{record['model']} leaks: {leaks} of {tried} trials saw a difference.")
    else:
        sentences.append(
            f"{record['model']} read nothing it must not: no difference in {tried} trials, to the last bit."
        )
    return sentences


def _names(columns: list[str]) -> str:
    shown = ", ".join(columns[:3])
    return f"{shown} and {len(columns) - 3} more" if len(columns) > 3 else shown
