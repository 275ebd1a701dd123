"""Run as a program: appends records to a ledger, and says of each that it is acknowledged.

The disk takes a few bytes at a time, as a full one may, so that a kill in the middle leaves half a record.
"""

import os
import sys
from pathlib import Path

from backsight.runs import durable
from backsight.runs.ledger import append_record


class Morsels:
    """Stands for `os` in the module that writes."""

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, handle, data):
        return os.write(handle, data[:10])


if __name__ == "__main__":
    durable.os = Morsels()
    ledger, name, records = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for number in range(records):
        append_record(ledger, {"by": name, "number": number})
        os.write(1, f"{number}\n".encode())
