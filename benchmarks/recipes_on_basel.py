"""Every recipe on Basel's sunshine, at four lookbacks and over five seeds: with Basel's nine columns, and with all 89.

    python benchmarks/recipes_on_basel.py [--keep FOLDER]

Prints, as Markdown, a table of each exam (validation and test RMSE, mean and standard deviation over seeds, and those
of the seeds' ensemble) and the sentences of the leaderboard. The exam is the lesson's: test days 2009-01-04 to
2010-01-01. With --keep, results that are in the folder already are shown again, and others stay there.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from backsight.models.registry import RECIPES
from backsight.report.sentences import exam_sentences
from backsight.report.tables import show_mean

Record = dict[str, Any]

LOOKBACKS = (1, 3, 7, 30)
FLOORS = ("persistence", "seasonal", "climatology")
MODELS = [name for name in RECIPES if name not in FLOORS] + ["lstm(dropout=0.3)", "gru(dropout=0.3)"]
EXAMS = {"nine": ["--features", "BASEL_*"], "all": []}
TITLES = {"nine": "Basel's nine columns", "all": "All 89 columns of eleven places"}


def run(features: list[str], to: Path) -> None:
    """One comparison, by the command line."""
    command = [
        *(sys.executable, "-m", "backsight.cli.main", "compare", "basel", *features),
        *("--lookback", ",".join(map(str, LOOKBACKS)), "--models", ",".join(MODELS), "--seeds", "5", "--calendar"),
        *("--validation-from", "2008-01-08", "--test-from", "2009-01-04", "--json", str(to)),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def print_exam(title: str, record: Record) -> None:
    """The table of an exam, and what it says."""
    exam = record["exam"]
    entries = {entry["name"]: entry for entry in exam["entries"]}
    print(f"\n### {title}\n\n{len(entries)} entries, {record['seconds']:.0f} s.\n")
    print("| validation, test RMSE (h) | " + " | ".join(f"lookback {n}" for n in LOOKBACKS) + " |")
    print("|---|" + "---|" * len(LOOKBACKS))
    for model in MODELS:
        cells = [_cell(entries, f"{model}_{lookback}") for lookback in LOOKBACKS]
        print(f"| {model} | {' | '.join(cells)} |")
    for floor in FLOORS:
        print(f"| {floor} | {_cell(entries, floor)} | | | |")
    by_validation = sorted(exam["entries"], key=lambda entry: fmean(entry["val_rmse"]))
    recurrent = (entry for entry in by_validation if (entry["settings"] or {}).get("family") == "recurrent")
    single = (entry for entry in by_validation if not entry["ensemble"])
    print()
    chosen = {"Best": by_validation[0], "Best without ensembles": next(single), "Best recurrent": next(recurrent)}
    for what, entry in chosen.items():
        errors = f"validation {fmean(entry['val_rmse']):.3f}, test {fmean(entry['test_rmse']):.3f} h"
        print(f"- {what} on validation: {entry['name']}: {errors}.")
    print("\nWhat the leaderboard says:\n")
    for sentence in exam_sentences(exam):
        print(f"> {sentence}\n>")


def _cell(entries: dict[str, Record], name: str) -> str:
    """Validation, test, and in brackets both of the ensemble."""
    shown = f"{show_mean(entries[name]['val_rmse'])}, {show_mean(entries[name]['test_rmse'])}"
    ensemble = entries.get(f"{name} ensemble")
    if ensemble is None:
        return shown
    return f"{shown} ({show_mean(ensemble['val_rmse'])}, {show_mean(ensemble['test_rmse'])})"


def main() -> None:
    """Two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--keep", type=Path, help="folder for the results")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        kept = given.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        for name, features in EXAMS.items():
            to = kept / f"{name}.json"
            if not to.exists():
                run(features, to)
            print_exam(TITLES[name], json.loads(to.read_text()))


if __name__ == "__main__":
    main()
