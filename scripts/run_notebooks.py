"""Run the course's chapters as real notebooks, each in a kernel of its own, and say how long each takes.

    python scripts/run_notebooks.py                          # all chapters, on seattle and, where it is at hand, basel
    python scripts/run_notebooks.py --data basel 07 08       # some of them
    python scripts/run_notebooks.py --out executed           # keep the notebooks with their outputs

The tests run the chapters in one process, which is several times quicker; this is what a learner's Jupyter does.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from time import perf_counter

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from backsight.lesson.data import CHOICES, VARIABLE
from backsight.lesson.notebook import as_notebook, chapters
from backsight.series.catalogue import CATALOGUE, local_file


def main() -> int:
    """Exit code 1 if a chapter fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("chapters", nargs="*", help="numbers, as in 07; all of them without")
    parser.add_argument("--data", choices=list(CHOICES), action="append", help="may be given twice")
    parser.add_argument("--out", type=Path, help="a folder for the notebooks with their outputs")
    asked = parser.parse_args()
    at_hand = [name for name in CHOICES if local_file(CATALOGUE[name]) is not None]
    failed = 0
    for data in asked.data or at_hand:
        os.environ[VARIABLE] = data
        print(data, flush=True)
        total = 0.0
        for chapter in chapters():
            if asked.chapters and chapter.name[:2] not in asked.chapters:
                continue
            notebook = nbformat.reads(json.dumps(as_notebook(chapter)), as_version=4)
            began = perf_counter()
            try:
                NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
                said = ""
            except CellExecutionError as error:
                failed, said = failed + 1, f"FAILED: {str(error).strip().splitlines()[-1]}"
            seconds = perf_counter() - began
            total += seconds
            pictures = sum(
                "image/png" in output.get("data", {})
                for cell in notebook.cells
                if cell.cell_type == "code"
                for output in cell.outputs
            )
            print(f"  {chapter.name:24} {seconds:6.1f} s  {pictures} pictures  {said}", flush=True)
            if asked.out:
                folder = asked.out / data
                folder.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, folder / f"{chapter.name}.ipynb")
        print(f"  {'all':24} {total:6.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
