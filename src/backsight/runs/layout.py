"""Names of the files in a run's folder that more than one floor reads."""

#: What a command found, as plain values: what `--json` writes.
RESULT_FILE = "result.json"
#: How it was made: command, versions, the data doctor's findings, the models' sources; see `runs.made`.
MADE_FILE = "made.json"
#: What the model that was saved forecasts for the steps after the data; see `runs.outlook_record.next_record`.
NEXT_FILE = "next.json"
#: Forecasts of many series, and intervals of one of their entries.
MANY_FILE, MANY_INTERVALS_FILE = "forecasts.parquet", "intervals.parquet"
#: Files of results that every comparison writes: a folder of such a name is in their way.
RESULTS = (RESULT_FILE, MADE_FILE, NEXT_FILE, "leaderboard.csv", "lookback.csv", "forecasts.csv", "report.html")
