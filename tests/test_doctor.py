"""The data doctor: what the known datasets hold, what is planted in clean ones, and silence about what is right.

What the datasets hold was worked out from the files with pandas alone (`facts`), before the checks were written.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, filtfilt

import backsight
from backsight.cli.main import main
from backsight.errors import ColumnError, DataError, DatasetUnavailable, SettingError
from backsight.series.catalogue import CATALOGUE, local_file
from backsight.series.doctor.diagnosis import audit
from backsight.series.doctor.order import groups
from backsight.series.doctor.quantities import possible, quantity
from backsight.series.doctor.repeats import copied_blocks, still_rows
from backsight.series.doctor.sunshine import day_length, fit_latitude
from backsight.series.doctor.target import known_of_the_future, made_of_the_future
from backsight.series.doctor.values import far_off, sentinels
from backsight.series.generated import autoregressive, lagged_copy, random_walk, sine, white_noise


def frame_of(name: str) -> pd.DataFrame:
    """The published file by pandas alone."""
    try:
        path = local_file(CATALOGUE[name])
    except DatasetUnavailable as error:
        pytest.fail(str(error))
    if path is None:
        pytest.skip(f"the data of {name} is not on this machine: `backsight data {name}` fetches it")
    frame = pd.read_csv(path)
    return frame.set_index(pd.to_datetime(frame.pop("DATE").astype(str)))


def dates(frame: pd.DataFrame, bad: pd.Series) -> set[str]:
    return set(frame.index[bad].strftime("%Y-%m-%d"))


def found_dates(diagnosis, check: str, column: str) -> set[str]:
    """The dates of a column's cells that a check found."""
    return {
        time.strftime("%Y-%m-%d")
        for finding in diagnosis.findings
        if finding.check == check
        for cells in finding.cells
        if cells.column == column
        for time in cells.times
    }


def known_to_be_there(name: str, frame: pd.DataFrame) -> list[tuple[str, str, set[str]]]:
    """Check, column and dates of what an audit of a dataset must find."""
    heathrow = frame["HEATHROW_temp_min"] > frame["HEATHROW_temp_max"]
    assert heathrow.sum() == 40
    known = [
        ("impossible", "TOURS_pressure", {"2008-12-30"}),
        ("min, mean, max", "HEATHROW_temp_min", dates(frame, heathrow)),
    ]
    if name == "europe":
        dark, oslo = frame["STOCKHOLM_sunshine"] < 0, frame["OSLO_sunshine"]
        # The longest day of Oslo (59.9° north) has 18.8 h, its November at most 9.5.
        assert dark.sum() == 29
        too_long = (oslo > 18.9) | ((oslo > 10) & (frame.index.month == 11))
        known += [
            ("sentinel", "STOCKHOLM_cloud_cover", {"2008-07-24", "2009-06-25"}),
            ("sentinel", "STOCKHOLM_pressure", dates(frame, frame["STOCKHOLM_pressure"] < 0.9)),
            ("impossible", "STOCKHOLM_sunshine", dates(frame, dark)),
            ("longer than the day", "OSLO_sunshine", dates(frame, too_long)),
        ]
    return known


@pytest.mark.parametrize("name", ["basel", "europe"])
def test_what_the_datasets_are_known_to_hold(name):
    frame = frame_of(name)
    diagnosis = audit(name, "BASEL_sunshine")
    known = known_to_be_there(name, frame)
    for check, column, days in known:
        found = found_dates(diagnosis, check, column)
        # Oslo has more days of that kind than this crude bound sees; the next test looks at all of them.
        assert days <= found if check == "longer than the day" else days == found
    expected = {(check, column) for check, column, _ in known}
    others = [f for f in diagnosis.findings if not any((f.check, column) in expected for column in f.columns)]
    assert len(others) <= 5
    assert diagnosis.wrong


@pytest.mark.parametrize("name", ["basel", "europe"])
def test_minima_means_and_maxima_are_those_of_pandas(name):
    frame, diagnosis = frame_of(name), audit(name)
    for place in {c.removesuffix("_temp_mean") for c in frame if c.endswith("_temp_mean")}:
        low, middle, high = (frame.get(f"{place}_temp_{kind}") for kind in ("min", "mean", "max"))
        pairs = [(a, b) for a, b in ((low, middle), (middle, high), (low, high)) if a is not None and b is not None]
        for column in (low, middle, high):
            if column is not None:
                bad = sum((a > b) for a, b in pairs if column is a or column is b) > 0
                assert found_dates(diagnosis, "min, mean, max", column.name) == dates(frame, bad)


@pytest.mark.parametrize("name", ["basel", "europe"])
def test_filled_and_copied_stretches_are_so(name):
    frame = frame_of(name)
    for finding in audit(name).findings:
        for cells in finding.cells:
            column = frame[cells.column]
            stretch = column[list(cells.times)]
            if finding.check == "filled with the mean":
                assert (np.abs(stretch - column.mean()) < 0.1 * column.std()).all()
                same = (column == column.shift()) | (column == column.shift(-1))
                assert same[list(cells.times)].all()
            if finding.check == "copied":
                earlier = {"BUDAPEST_global_radiation": -3, "SONNBLICK_temp_min": 0, "SONNBLICK_temp_max": 0}
                months = 0 if earlier[cells.column] else -1
                there = [t + pd.DateOffset(years=earlier[cells.column], months=months) for t in cells.times]
                assert (column[there].to_numpy() == stretch.to_numpy()).all()


#: Degrees north of the stations, from an atlas.
LATITUDES = {
    "BASEL": 47.6, "BUDAPEST": 47.5, "DE_BILT": 52.1, "DRESDEN": 51.1, "DUSSELDORF": 51.3, "HEATHROW": 51.5,
    "KASSEL": 51.3, "LJUBLJANA": 46.1, "MAASTRICHT": 50.9, "MUENCHEN": 48.2, "OSLO": 59.9, "ROMA": 41.8,
    "SONNBLICK": 47.1, "STOCKHOLM": 59.4,
}  # fmt: skip


def length_of_day(day_of_year: np.ndarray, latitude: float) -> np.ndarray:
    """Another formula than the package's: Forsythe et al. 1995, Ecological Modelling 80, 87-95."""
    theta = 0.2163108 + 2 * np.arctan(0.9671396 * np.tan(0.0086 * (day_of_year - 186)))
    phi, north = np.arcsin(0.39795 * np.cos(theta)), np.radians(latitude)
    cosine = (np.sin(np.radians(0.8333)) + np.sin(north) * np.sin(phi)) / (np.cos(north) * np.cos(phi))
    return 24 - 24 / np.pi * np.arccos(np.clip(cosine, -1, 1))


def test_length_of_day_agrees_with_another_formula():
    days = np.arange(1.0, 366.0)
    for latitude in (-60.0, -30.0, 0.0, 42.0, 60.0):
        assert np.abs(day_length(days, latitude) - length_of_day(days, latitude)).max() < 0.4


def test_sunshine_shows_where_it_was_measured_and_what_no_day_can_have():
    frame = frame_of("europe")
    days = frame.index.day_of_year.to_numpy().astype(float)
    for place, latitude in LATITUDES.items():
        hours = frame[f"{place}_sunshine"].to_numpy(float)
        assert fit_latitude(hours, frame.index) == pytest.approx(latitude, abs=4)
        above = hours - length_of_day(days, latitude)
        found = found_dates(audit(frame[[f"{place}_sunshine"]]), "longer than the day", f"{place}_sunshine")
        assert found <= dates(frame, pd.Series(above > 0, frame.index))
        assert found >= dates(frame, pd.Series((above > 3) & (hours <= 24), frame.index))
        assert bool(found) == (place == "OSLO")


def test_nothing_is_found_where_all_is_right():
    assert audit("seattle", "temp_max").findings == ()
    for seed in range(5):
        for generate in (autoregressive, random_walk, white_noise, sine):
            assert audit(generate(1500, seed), "y").findings == ()
        assert audit(lagged_copy(1500, seed, lag=3)).findings == ()


def ordinary(seed: int = 0, rows: int = 1500) -> pd.DataFrame:
    """Columns of many kinds in which nothing is wrong, some of which repeat, stay, jump or have long tails."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2015-01-01", periods=rows, name="day")
    season = np.sin(2 * np.pi * (days.day_of_year.to_numpy() - 100) / 365)
    slow = np.array(pd.Series(rng.standard_normal(rows)).ewm(alpha=0.05).mean()) * 6
    temp = np.round(10 + 8 * season + slow, 1)
    return pd.DataFrame(
        {
            "units": np.round(50 + 20 * (days.day_of_week < 5) + rng.normal(0, 5, rows)),
            "sales": rng.lognormal(3, 1.2, rows).round(2),
            "visitors": rng.poisson(2, rows),
            "holiday": (rng.random(rows) < 0.03) * 1,
            "month": days.month,
            "price": (100 + np.cumsum(rng.standard_normal(rows))).round(2),
            "tariff": np.repeat(rng.choice([1.2, 1.5, 1.9], rows // 100 + 1), 100)[:rows],
            "returns": 0.01 * rng.standard_t(3, rows),
            "rain": np.where(rng.random(rows) < 0.6, 0, rng.gamma(0.5, 8, rows)).round(1),
            "temp_min": (temp - rng.gamma(2, 2, rows)).round(1),
            "temp_mean": temp,
            "temp_max": (temp + rng.gamma(2, 2, rows)).round(1),
            "humidity": np.clip(np.round(75 - 3 * slow + rng.normal(0, 8, rows)), 10, 100),
            "cloud_cover": np.clip(np.round(rng.normal(5, 3, rows)), 0, 8),
            "counter": np.cumsum(rng.poisson(3, rows)),
            "constant": 5.0,
        },
        index=days,
    )


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_found_in_ordinary_columns(seed):
    assert [(f.check, f.columns, f.seen) for f in audit(ordinary(seed), "units").findings] == []


@settings(max_examples=30, deadline=None)
@given(
    code=st.sampled_from([-99.0, -999.0, 9999.0, -9999.0, 99999.0, -32768.0]),
    scale=st.sampled_from([1.0, 0.1, 0.01]),
    rows=st.sets(st.integers(0, 299), min_size=1, max_size=5),
)
def test_planted_sentinels_are_found_and_no_others(code, scale, rows):
    values = np.random.default_rng(0).normal(0, 0.05, 300)
    values[list(rows)] = code * scale if abs(code) != 32768 else code
    assert set(np.flatnonzero(sentinels(values))) == rows


def test_a_code_among_other_values_is_a_value():
    temperatures = np.array([-12.0, -9.9, -9.0, 0.99, 9.9, 21.0, 25.0] * 20)
    assert not sentinels(temperatures).any()
    assert not sentinels(np.array([0.0, 8.0, 9.0, 4.0] * 20)).any()  # okta 9: a sky that can't be seen
    frame = pd.DataFrame({"cloud_cover": [0, 8, 9, 4, 6] * 20}, index=pd.date_range("2020-01-01", periods=100))
    assert audit(frame).findings == ()


#: name: (column, good values, planted bad ones)
IMPOSSIBLE = {
    "humidity above 1": ("humidity", [0.4, 0.9, 1.0], [1.3]),
    "humidity above 100 %": ("rel_humidity", [40, 90, 100], [130]),
    "negative humidity": ("humidity", [40, 90, 100], [-3]),
    "10 oktas": ("cloud_cover", [0, 4, 8], [10]),
    "cloud above 100 %": ("cloudCover", [0, 40, 100], [101]),
    "pressure in another unit": ("pressure", [1013.0, 990.0, 1030.0], [760.0]),
    "no pressure": ("sea_level_pressure", [1.01, 0.99, 1.03], [0.0003]),
    "negative rain": ("rainfall", [0, 0, 12.5], [-0.2]),
    "negative wind": ("wind_speed", [0, 3.2, 12.5], [-1.1]),
    "negative radiation": ("global_radiation", [0, 320, 800], [-150]),
    "more sunshine than day": ("sunshine", [0, 3.3, 9.1], [24.5]),
    "too hot": ("temp_max", [12.0, 25.0, 31.0], [250.0]),
}


@pytest.mark.parametrize(("column", "good", "bad"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_values(column, good, bad):
    values = [*(good * 40), *bad, *good]
    frame = pd.DataFrame({column: values}, index=pd.date_range("2020-01-01", periods=len(values)), dtype=float)
    (finding,) = audit(frame).findings
    assert (finding.check, finding.severity, finding.count) == ("impossible", "wrong", 1)
    assert finding.when == "2020-04-30"
    clean = frame.drop(frame.index[120])
    assert [f.check for f in audit(clean).findings] == ["gap"]


def test_what_names_say():
    assert quantity("wind_direction") is None
    assert quantity("pressure_change") is None
    assert quantity("Brainstorm_count") is None
    assert possible("tyre_pressure", "", np.array([2.0, 2.1])) is None
    assert possible("pressure", "", np.array([4.0, 5.0])) is None  # of a pipe, maybe
    assert possible("net_radiation", "", np.array([-40.0, 5.0])) is None
    assert groups(["tmin", "a_max_b", "a_min_b", "maximal"]) == [groups(["a_max_b", "a_min_b"])[0]]


def test_far_off():
    rng = np.random.default_rng(0)
    slipped = np.append(rng.normal(20, 3, 300), 2010.0)
    assert np.flatnonzero(far_off(slipped)).tolist() == [300]
    assert np.flatnonzero(far_off(np.append(rng.normal(20, 1, 300), 0.02))).tolist() == [300]
    for tail in (rng.pareto(1.5, 2000), rng.lognormal(0, 2, 2000), rng.standard_cauchy(2000), rng.standard_normal(50)):
        assert not far_off(tail).any()


def test_still_and_filled_stretches():
    values = np.random.default_rng(0).normal(10, 3, 800).round(1)
    assert not np.any(still_rows(values))
    stuck, filled = values.copy(), values.copy()
    stuck[100:112], filled[300:312] = 14.2, values.mean().round(1)
    assert [np.flatnonzero(rows).tolist() for rows in still_rows(stuck)] == [[], list(range(100, 112))]
    assert [np.flatnonzero(rows).tolist() for rows in still_rows(filled)] == [list(range(300, 312)), []]
    dry = np.where(np.random.default_rng(1).random(800) < 0.7, 0.0, values)
    dry[200:240] = 0.0
    assert not np.any(still_rows(dry))


def test_copied_blocks():
    values = np.random.default_rng(0).normal(10, 3, 800).round(1)
    assert copied_blocks(values) == []
    values[600:620] = values[100:120]
    assert (100, 600, 20) in copied_blocks(values)
    week = np.tile([1.0, 4.0, 2.0, 8.0, 5.0, 7.0, 3.0], 100)
    assert copied_blocks(week) == []  # periodic by nature


def leading(y: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that know later values of `y`."""
    series = pd.Series(y)
    return {
        "tomorrow": np.roll(y, -1),
        "tomorrow in another unit": 32 + 1.8 * np.roll(y, -1),
        "centred": series.rolling(3, center=True, min_periods=1).mean().to_numpy(),
        "month": series.rolling(31, center=True, min_periods=1).mean().to_numpy(),
        "backwards": series[::-1].ewm(alpha=0.4).mean()[::-1].to_numpy(),
        "filtered to and fro": filtfilt(*butter(2, 0.2), y),
        "change to come": np.roll(y, -1) - y,
    }


@pytest.mark.parametrize("generate", [autoregressive, random_walk, white_noise, sine])
def test_columns_that_know_the_future(generate):
    series = generate(1200, 0)
    y = series.column("y")
    for name, values in leading(y).items():
        frame = pd.DataFrame({"y": y, name: values}, index=series.times)
        finding = next(f for f in audit(frame, "y").findings if f.check == "knows the future")
        assert (finding.severity, finding.columns) == ("wrong", (name,)), name
    past = pd.Series(y)
    for values in (np.roll(y, 1), past.rolling(7, min_periods=1).mean(), past.ewm(alpha=0.3).mean(), past.diff()):
        column = np.asarray(values, dtype=float)
        assert known_of_the_future(column, y) < 0.2
        assert not made_of_the_future(column, y)


def test_a_proxy_of_the_targets_day_is_suspect_and_the_day_before_is_not(basel):
    frame = pd.DataFrame(basel.values, index=basel.times, columns=list(basel.columns))
    for column in ("BASEL_global_radiation", "BASEL_cloud_cover"):
        shifted = frame[["BASEL_sunshine"]].assign(proxy=frame[column].shift(-1), honest=frame[column])
        found = [f for f in audit(shifted, "BASEL_sunshine").findings if f.check == "knows the future"]
        assert [(f.columns, f.severity) for f in found] == [(("proxy",), "suspect")]


def test_the_target_under_another_name_is_a_note():
    frame = ordinary()
    frame["fahrenheit"] = 32 + 1.8 * frame["temp_max"]
    (finding,) = audit(frame, "temp_max").findings
    assert (finding.check, finding.severity, finding.columns) == ("target's double", "note", ("fahrenheit",))


def hourly(zone: str, freq: str, written: str) -> pd.DataFrame:
    """A year of a place's clock, as its files write it."""
    times = pd.date_range("2021-01-01", "2021-12-31", freq=freq, tz=zone)
    values = np.random.default_rng(0).normal(100, 5, len(times))
    return pd.DataFrame({"load": values}, index=times.tz_localize(None) if written == "local" else times)


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Europe/Berlin", ["2021-03-28", "2021-10-31"]),
        ("US/Pacific", ["2021-03-14", "2021-11-07"]),
    ],
)
@pytest.mark.parametrize("freq", ["h", "30min"])
def test_daylight_saving_is_one_finding_with_its_dates(zone, changes, freq, tmp_path):
    frame = hourly(zone, freq, "local")
    frame.to_csv(tmp_path / "local.csv", index_label="time")
    for source in (frame, tmp_path / "local.csv"):
        (finding,) = audit(source).findings
        assert (finding.check, finding.severity) == ("daylight saving", "wrong")
        assert sorted({time.strftime("%Y-%m-%d") for time in finding.times}) == changes
    hourly(zone, freq, "zoned").to_csv(tmp_path / "zoned.csv", index_label="time")
    assert audit(tmp_path / "zoned.csv").findings == ()


def rotten_csv() -> tuple[str, dict[str, list[str]]]:
    """A daily file with all that a strict reader refuses, and the dates of each."""
    lines = [
        f"{day:%Y-%m-%d},{i % 7 + 0.01 * i:.2f},{i % 5}"
        for i, day in enumerate(pd.date_range("2020-01-01", periods=60))
    ]
    lines[5] = "2020-01-06 06:00,1,2"
    lines[10] = "soon,1,2"
    lines[20] = lines[19]
    lines[30], lines[31] = lines[31], lines[30]
    lines[40], lines[41] = "2020-02-10,much,2", "2020-02-11,,inf"
    lines[52] = "2020-02-22,1,1e40"
    del lines[50:52]
    planted = {
        "no time": [],
        "out of order": ["2020-01-31"],
        "repeated time": ["2020-01-20"],
        "uneven steps": ["2020-01-06 06:00"],
        "gap": ["2020-01-06", "2020-01-11", "2020-01-21", "2020-02-20", "2020-02-21"],
        "no number": ["2020-02-10"],
        "not finite": ["2020-02-11", "2020-02-22"],
        "empty": ["2020-02-11"],
    }
    return "\n".join(["day,y,x", *lines]) + "\n", planted


def test_all_that_a_strict_reader_refuses_is_reported_at_once(tmp_path):
    text, planted = rotten_csv()
    path = tmp_path / "rotten.csv"
    path.write_text(text)
    with pytest.raises(DataError):
        backsight.read_series(path)
    record = audit(path, "y", time="day").record()
    found = {f["check"]: [t for times in f["times"].values() for t in times if t] for f in record["findings"]}
    assert found == planted
    assert next(f["seen"] for f in record["findings"] if f["check"] == "no time").endswith("first at line 12")


@settings(max_examples=25, deadline=None)
@given(
    gone=st.sets(st.integers(1, 78), max_size=6),
    twice=st.sets(st.integers(0, 79), max_size=6),
)
def test_gaps_and_repeats_are_those_planted(gone, twice):
    days = pd.date_range("2020-01-01", periods=80)
    kept = [i for i in range(80) if i not in gone]
    rows = sorted([*kept, *(i for i in twice if i in kept)])
    frame = pd.DataFrame({"y": np.random.default_rng(0).normal(size=len(rows))}, index=days[rows])
    found = {f.check: set(f.times) for f in audit(frame).findings}
    assert found.get("gap", set()) == set(days[sorted(gone)])
    assert found.get("repeated time", set()) == {days[i] for i in twice if i in kept}


def spoilt_csv(folder: Path) -> Path:
    frame = ordinary(rows=400)[["units", "temp_min", "temp_mean", "temp_max", "humidity"]]
    frame.loc["2015-03-03", "humidity"] = -99
    frame.loc["2015-12-24", "units"] = 99999
    frame.loc["2015-04-04", "temp_min"] = frame.loc["2015-04-04", "temp_max"] + 5
    frame["note"] = "a, b"
    path = folder / "spoilt.csv"
    frame.to_csv(path, sep=";")
    return path


def test_mask_empties_what_is_wrong_and_nothing_else(tmp_path, capsys):
    path, copy = spoilt_csv(tmp_path), tmp_path / "masked.csv"
    before = path.read_bytes()
    assert main(["audit", str(path), "--target", "units", "--mask", str(copy)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "Masked 5 cells that are wrong: 1 of units, 1 of temp_min, 1 of temp_mean, 1 of temp_max, 1 of humidity."
        in said
    )
    assert path.read_bytes() == before
    old, new = (pd.read_csv(p, sep=";", index_col="day") for p in (path, copy))
    assert list(old.columns) == list(new.columns)
    emptied = {(day, column) for day, column in zip(*np.where(new.isna()), strict=True)}
    assert {(new.index[r], new.columns[c]) for r, c in emptied} == {
        ("2015-03-03", "humidity"), ("2015-12-24", "units"), ("2015-04-04", "temp_min"), ("2015-04-04", "temp_mean"),
        ("2015-04-04", "temp_max"),
    }  # fmt: skip
    assert new.fillna(0).where(new.notna(), old).equals(old)
    assert backsight.audit(path, "units").masked.isna().sum().sum() == 5
    # The copy is clean, and what was the target there is not scored.
    assert main(["audit", str(copy), "--target", "units"]) == 0
    series = backsight.read_series(copy, time="day", on_missing="ffill")
    assert [str(series.times[row].date()) for row in series.filled_rows("units")] == ["2015-12-24"]


def test_a_masked_file_goes_into_a_comparison(tmp_path, capsys):
    path, copy, out = spoilt_csv(tmp_path), tmp_path / "masked.csv", tmp_path / "out.json"
    main(["audit", str(path), "--target", "units", "--mask", str(copy)])
    asked = ["compare", str(copy), "--target", "units", "--models", "ridge", "--lookback", "3", "--seeds", "1"]
    assert main([*asked, "--json", str(out)]) == 2  # empty cells are refused unless asked for
    assert main([*asked, "--on-missing", "ffill", "--no-baselines", "--json", str(out)]) == 0
    capsys.readouterr()
    assert json.loads(out.read_text())["exam"]["entries"][0]["name"] == "ridge_3"


def test_a_mask_of_the_first_row_says_where_to_begin(tmp_path, capsys):
    frame = ordinary(rows=200)[["units", "humidity"]]
    frame.iloc[0, 1] = -99
    frame.to_csv(tmp_path / "x.csv")
    assert main(["audit", str(tmp_path / "x.csv"), "--mask", str(tmp_path / "y.csv")]) == 1
    assert "--on-missing ffill --from 2015-01-02" in " ".join(capsys.readouterr().out.split())
    series = backsight.read_series(tmp_path / "y.csv", on_missing="ffill", first="2015-01-02")
    assert len(series) == 199


def test_suspect_cells_are_masked_only_on_request():
    frame = ordinary(rows=600)[["units", "price"]]
    frame.iloc[100:120, 1] = 123.45
    diagnosis = audit(frame)
    assert [f.check for f in diagnosis.findings] == ["stands still"]
    assert not diagnosis.wrong
    assert diagnosis.masked.isna().sum().sum() == 0
    assert diagnosis.mask(suspect=True)["price"].isna().sum() == 20


def test_json_holds_every_date(tmp_path, capsys):
    path = spoilt_csv(tmp_path)
    assert main(["audit", str(path), "--target", "units", "--json", "-"]) == 1
    record = json.loads(capsys.readouterr().out)
    by_check = {f["check"]: f for f in record["findings"] if f["columns"] == ["humidity"]}
    assert by_check["sentinel"]["times"] == {"humidity": ["2015-03-03"]}
    assert record["mask"]["cells"]["units"] == 1


def test_series_frame_and_file_are_audited_alike(tmp_path):
    frame = ordinary(rows=400)
    frame.loc["2015-03-03", "humidity"] = -99
    frame.to_csv(tmp_path / "x.csv")
    frame.to_parquet(tmp_path / "x.parquet")
    sources = (frame, frame.reset_index(), backsight.from_frame(frame), tmp_path / "x.csv", tmp_path / "x.parquet")
    options: tuple[dict, ...] = ({}, {"time": "day"}, {}, {}, {})
    found = [audit(s, "units", **o).record()["findings"] for s, o in zip(sources, options, strict=True)]
    assert all(f == found[0] for f in found)
    assert found[0][0]["times"] == {"humidity": ["2015-03-03"]}


def test_what_was_carried_forward_counts_as_empty():
    frame = ordinary(rows=400)[["units"]]
    frame.iloc[7] = np.nan
    (finding,) = audit(backsight.from_frame(frame, on_missing="ffill")).findings
    assert (finding.check, finding.when) == ("empty", "2015-01-08")


#: name: (arguments, what the message must say); FILE is a good file.
BAD = {
    "three words": (["a", "b", "c"], "takes DATA, or MODEL and DATA"),
    "no file": (["nothing.csv"], "There is no file"),
    "no target": (["FILE", "--target", "unit"], "Did you mean units"),
    "mask over the data": (["FILE", "--mask", "FILE"], "would overwrite the data itself"),
    "mask without a folder": (["FILE", "--mask", "no/where.csv"], "no folder"),
    "mask as parquet": (["FILE", "--mask", "x.parquet"], "writes a CSV"),
    "suspect without mask": (["FILE", "--mask-suspect"], "name that file"),
    "lookback without a model": (["FILE", "--lookback", "3"], "are for a model"),
    "features without a model": (["FILE", "--features", "units"], "looks at the whole file"),
    "mask with a model": (["ridge", "FILE", "--mask", "x.csv"], "leave the model out"),
    "no model": (["rigde", "FILE", "--target", "units"], "rigde"),
    "no lookback": (["ridge", "FILE", "--target", "units", "--lookback", "0"], "1 or more"),
    "options of a dataset": (["seattle", "--encoding", "latin-1"], "as it is published"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_errors_are_one_line_and_write_nothing(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ordinary(rows=100).to_csv("good.csv")
    before = sorted(p.name for p in tmp_path.iterdir())
    assert main(["audit", *(a.replace("FILE", "good.csv") for a in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_errors_in_python():
    with pytest.raises(ColumnError):
        audit(ordinary(rows=50), "unit")
    with pytest.raises(DataError):
        audit(pd.DataFrame({"a": ["x", "y"]}, index=pd.date_range("2020-01-01", periods=2)))
    with pytest.raises(DataError):
        audit(ordinary(rows=50).iloc[:0])
    with pytest.raises(SettingError):
        audit("seattle", encoding="latin-1")
