"""A run to report on, and what strangers might call their columns."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pandas as pd

from backsight.cli.main import main
from backsight.report.stored import Stored, read_stored

COMMAND = (
    "compare seattle --rows 900 --lookback 2,4 --models ridge,gru(units=3),attention --horizon 2 --epochs 4 --seeds 2"
)


def make_run(folder: Path) -> Path:
    """A comparison and a memory profile by the command line, both in one folder, and an interval and a forecast."""
    assert main([*shlex.split(COMMAND), "--out", str(folder)]) == 0
    assert main(["memory", str(folder), "--entries", "gru(units=3)_4,attention_4", "--out", str(folder)]) == 0
    return folder


def everything(folder: Path) -> Stored:
    """The stored values of that run, with those that no command stores yet."""
    stored = read_stored(folder)
    assert stored.forecasts is not None
    tomorrow = {"entry": "ridge_4", "level": 0.9, "rows": [
        {"time": "2014-06-19", "lead": 1, "predicted": 20.5, "lower": 16.0, "upper": 25.1},
        {"time": "2014-06-20", "lead": 2, "predicted": 20.9, "lower": 15.0, "upper": 26.1},
    ]}  # fmt: skip
    findings = [{
        "check": "sentinel", "severity": severity, "columns": ["wind"], "first": "2012-01-01", "last": "2012-01-02",
        "count": 2, "when": "2012-01-01, 2012-01-02", "seen": "-99 (2 times)", "rule": "no wind below 0",
        "advice": "mask it",
    } for severity in ("wrong", "suspect", "note")]  # fmt: skip
    made = {**stored.made, "doctor": {**stored.made["doctor"], "findings": findings}}
    return replace(
        stored,
        next=tomorrow,
        made=made,
        intervals=intervals_of(stored.forecasts),
    )


def intervals_of(forecasts: pd.DataFrame) -> pd.DataFrame:
    """An interval of the same width around every test forecast."""
    rows = forecasts[(forecasts["part"] == "test") & (forecasts["seed"] == 0)]
    return pd.DataFrame(
        {"entry": rows["entry"], "lead": rows["lead"], "time": rows["time"], "level": 0.9,
         "lower": rows["predicted"] - 3, "upper": rows["predicted"] + 3}
    )  # fmt: skip


def renamed(stored: Stored, parts: Sequence[str]) -> Stored:
    """The same run, with a part put before every name and text that a stranger could have chosen.

    Entries take the parts in turn; so do the other names.
    """
    entries = [entry["name"] for entry in stored.entries]
    names = dict(zip([*entries, "seattle", "temp_max", "degC", "wind", "days", "gru"], cycle(parts), strict=False))
    free = {"command", "seen", "rule", "advice", "when", "source", "recipe", "model"}
    turns = cycle(parts)

    def of(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {names[k] + k if k == "gru" else k: of(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [of(v, key) for v in value]
        if isinstance(value, str) and (value in names or key in free):
            return f"{names.get(value) or next(turns)}{value}"
        return value

    def table(values: pd.DataFrame | None) -> pd.DataFrame | None:
        return None if values is None else values.assign(entry=[names[name] + name for name in values["entry"]])

    tables = ("board", "histories", "forecasts", "intervals")
    return replace(
        stored,
        record=of(stored.record),
        study=of(stored.study),
        memory=of(stored.memory),
        **{name: table(getattr(stored, name)) for name in tables},
    )


HOSTILE = (
    "<script>", "</script>", "<script>alert(1)</script>", "<ScRiPt src=//x>", "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>", "<svg/onload=alert(1)//", "</svg>", "</style>", "<style>*{display:none}</style>",
    "</title>", "</head>", "</body></html>", "</table>", "</td><td>", "<!--", "-->", "<![CDATA[", "]]>",
    "<?xml version='1.0'?>", "<!DOCTYPE html>", "<base href='http://x/'>", "<meta http-equiv=refresh content=0>",
    "<iframe src=x>", "<a href=x>", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>",
    '" onmouseover="alert(1)', "' onclick='x", "`onload=x`", '"', "'", "''\"\"", "&", "&lt;script&gt;",
    "&#60;script&#62;", "&amp;amp;", "\\u003cscript\\u003e", "\\", '\\"', "{{7*7}}", "${7*7}", "{% raw %}",
    "%3Cscript%3E", "$x^2$", "$", "_", "__init__", "*", "[link](x)", "\n<script>\n", "\t", "\r\n", "\x00<b>",
    "\x07\x1b[31m", "\u202e<b>evil", "\u2066\u2067\u200f", "\u05d0\u05d1\u05d2", "\U0001f600\U0001f1e8\U0001f1ed",
    "日本語の列", "e\u0301\u0301\u0301", "\ufeff", "\ufffe", "\x85", "NaN", "inf", "None", "1e999", "0", "=1+1",
    "a" * 10_000, "<b>" * 4_000, '"' * 3_000, " " * 50, "x\u2028y\u2029z",
)  # fmt: skip
