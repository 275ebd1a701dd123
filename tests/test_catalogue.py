"""Datasets: looked for in the right order, checked byte for byte, and missed with a sentence that helps."""

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from backsight.cli.main import main
from backsight.errors import DataError, DatasetUnavailable
from backsight.series import catalogue
from backsight.series.catalogue import CATALOGUE, Dataset, fetch, load

CONTENT = b"DATE,MONTH,y_sunshine\r\n20200101,1,3\r\n20200102,1,4\r\n20200103,1,5\r\n"
LITTLE = Dataset(
    name="little", summary="", target="y_sunshine", file="little.csv", url="https://example.invalid/little.csv",
    sha256=sha256(CONTENT).hexdigest(), source="", units={"sunshine": "h"}, drop=("MONTH",),
)  # fmt: skip


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A data folder, a cache, and a network that answers nothing."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    cache.mkdir()
    monkeypatch.setenv("BACKSIGHT_DATA", str(data))
    monkeypatch.setattr(catalogue, "cache_folder", lambda: cache)

    def unreachable(*_, **__):
        raise requests.ConnectionError("no network in tests")

    monkeypatch.setattr(requests, "get", unreachable)
    return data, cache


def test_the_data_folder_comes_first(places):
    data, cache = places
    (data / "little.csv").write_bytes(CONTENT)
    (cache / "little.csv").write_bytes(CONTENT)
    assert fetch(LITTLE) == data / "little.csv"


def test_then_the_cache(places):
    _, cache = places
    (cache / "little.csv").write_bytes(CONTENT)
    assert fetch(LITTLE) == cache / "little.csv"


def test_then_a_download_whose_bytes_are_checked(places, monkeypatch):
    def serve(content):
        class Response:
            def __init__(self):
                self.headers = {}

            def raise_for_status(self):
                pass

            def iter_content(self, chunk_size):
                yield content

            def close(self):
                pass

        monkeypatch.setattr(requests, "get", lambda *_, **__: Response())

    _, cache = places
    serve(CONTENT + b"x")
    with pytest.raises(DatasetUnavailable, match="not the published ones"):
        fetch(LITTLE)
    assert not list(cache.iterdir())
    serve(CONTENT)
    assert fetch(LITTLE).read_bytes() == CONTENT


def test_without_any_of_them_the_error_says_what_to_do(places):
    with pytest.raises(DatasetUnavailable, match=r"could not be downloaded \(no connection\).*BACKSIGHT_DATA"):
        fetch(LITTLE)


def test_other_line_ends_are_another_file(places):
    data, _ = places
    (data / "little.csv").write_bytes(CONTENT.replace(b"\r\n", b"\n"))
    with pytest.raises(DatasetUnavailable, match="SHA-256 differs"):
        fetch(LITTLE)


def test_loading_drops_what_is_no_observation(places, monkeypatch):
    data, _ = places
    (data / "little.csv").write_bytes(CONTENT)
    monkeypatch.setattr(catalogue, "CATALOGUE", {"little": LITTLE})
    series = load("little")
    assert series.columns == ("y_sunshine",)
    assert series.units == {"y_sunshine": "h"}
    assert series.name == "little"


def test_basel_is_what_the_lesson_says(basel):
    assert basel.values.shape == (3654, 89)
    assert len(basel.select(["BASEL_*"]).columns) == 9
    assert [str(basel.times[i].date()) for i in (0, -1)] == ["2000-01-01", "2010-01-01"]


def test_seattle_needs_no_network(places):
    series = load("seattle")
    assert len(series) == 1461
    assert series.left_out == ("weather",)


def test_the_lesson_says_so_and_runs_on_seattle(places, capsys):
    """Only where nobody asked for basel."""
    from backsight.cli import lesson as command

    series, notice = command._choose_data(None)
    assert series.name == "seattle"
    assert "basel" in notice
    assert "\n" not in notice
    assert main(["lesson", "--data", "basel"]) == 2
    assert "BACKSIGHT_DATA" in capsys.readouterr().err


def test_data_lists_and_fetches(places, capsys):
    assert main(["data"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in CATALOGUE)
    assert main(["data", "seattle"]) == 0
    path = Path(capsys.readouterr().out.split("seattle: ")[1].strip().replace("\n", ""))
    assert path.is_file()
    assert main(["data", "basel"]) == 2
    assert "could not be downloaded" in capsys.readouterr().err


def test_a_read_only_cache_is_told(places, monkeypatch):
    _, cache = places
    shutil.rmtree(cache)
    cache.write_text("a file where the folder should be")
    with pytest.raises(DatasetUnavailable):
        fetch(LITTLE)


def test_text_in_a_column_that_is_declared_to_hold_numbers(places, monkeypatch):
    data, _ = places
    (data / "little.csv").write_bytes(CONTENT)
    monkeypatch.setattr(catalogue, "CATALOGUE", {"little": replace(LITTLE, text=("y_sunshine",))})
    with pytest.raises(DataError, match="hold text"):
        load("little")
