"""The exam of a search that has gone on and chosen something else: fits of entries that stay are not done again."""

import json
from pathlib import Path

from backsight.runs.durable import write_durably
from backsight.runs.folder import LEDGER, PIECES, UNFINISHED
from backsight.runs.identity import as_read
from backsight.runs.ledger import replace_records, settle
from backsight.runs.locks import work_in
from backsight.runs.saved import STUDY_FILE, identity, read_run_record, run_record
from backsight.runs.study import Study


def renew_exam(folder: Path, study: Study) -> None:
    """Let the exam in a folder be that of what its search has chosen meanwhile.

    The ledger keeps the fits of entries that are as they were; a kill in between leaves an exam that lacks some, and is
    renewed once more. An exam that differs in anything but its entries stays as it is, for `open_run` to refuse.

    Args:
        folder: of the search; without an exam nothing is done.
        study: the exam that is to be sat.

    Raises:
        SettingError: another process works in the folder, it is damaged, or can't be written.
    """
    if not (folder / STUDY_FILE).exists():
        return
    with work_in(folder, PIECES, UNFINISHED):
        before, now = read_run_record(folder), as_read(run_record("tune", study, None))
        of_entries = ("entries", "pieces")
        rest = [{k: v for k, v in identity(record).items() if k not in of_entries} for record in (before, now)]
        if before["entries"] == now["entries"] or rest[0] != rest[1]:
            return
        staying = {entry["name"] for entry in now["entries"] if entry in before["entries"]}
        records = [r for r in settle(folder / LEDGER) if r["what"] == "finished" and r["entry"] in staying]
        replace_records(folder / LEDGER, records)
        renewed = {**before, **{name: now[name] for name in of_entries}}
        write_durably(folder / STUDY_FILE, (json.dumps(renewed, indent=1) + "\n").encode())
