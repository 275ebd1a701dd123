"""The course runs: every chapter from top to bottom, as a notebook too, and lands on a learner's disk whole."""

import json
import re
from pathlib import Path

import matplotlib as mpl
import pytest

from backsight.cli.main import main
from backsight.errors import DataError, SettingError
from backsight.lesson.cells import SOLUTIONS, cut_cells
from backsight.lesson.data import CHOICES, VARIABLE, choose_data
from backsight.lesson.notebook import Chapter, as_notebook, chapters
from chapter_runner import run_chapter

CHAPTERS = chapters()
COURSE = CHAPTERS[1:]  # without the page that leads through it

#: What the chapters must speak of, in this order.
TOPICS = (
    "sequences", "baseline", "dense", "lags", "recurrence", "stacking", "vanishing", "gates", "windows", "dropout",
    "sealed", "real", "how far back", "tuning", "convolution", "attention", "simple models", "second descent",
)  # fmt: skip


@pytest.fixture
def data(request, monkeypatch):
    """The series of the chapters; a test that asks for Basel can't run where that is not at hand."""
    if request.param == "basel":
        request.getfixturevalue("basel")
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.fixture
def quiet():
    """Pictures that no screen shows."""
    import matplotlib.pyplot as plt

    backend = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


@pytest.mark.parametrize("data", CHOICES, indirect=True)
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_a_chapter_runs_from_top_to_bottom(chapter, data, quiet):
    assert sum(1 for _ in run_chapter(chapter)) == sum(cell.kind == "code" for cell in chapter.cells)


def test_a_wrong_claim_in_a_chapter_is_seen():
    with pytest.raises(AssertionError):
        list(run_chapter(Chapter("x", "# X\n\n```python\nx = 1\n```\n\nMore.\n\n```python\nassert x == 2\n```\n")))


def test_every_topic_has_a_chapter():
    assert len(COURSE) == len(TOPICS)
    for number, (chapter, topic) in enumerate(zip(COURSE, TOPICS, strict=True), start=1):
        assert chapter.title.startswith(f"{number}. ") and chapter.name.startswith(f"{number:02}-")
        assert topic in chapter.title.lower(), chapter.title


@pytest.mark.parametrize("chapter", COURSE, ids=lambda c: c.name)
def test_a_chapter_has_all_its_parts(chapter):
    sections = re.findall(r"^## (.+)$", chapter.text, re.MULTILINE)
    assert sections[:2] == ["Questions", "Objectives"]
    assert sections[-3:] == ["Exercises", "Key points", SOLUTIONS]
    asked, solved = (
        re.findall(r"^### (Exercise \d+)", part, re.MULTILINE)
        for part in chapter.text.split("\n## Exercises\n")[1].split(f"\n## {SOLUTIONS}\n")
    )
    assert asked == solved and len(asked) >= 2
    minutes = int(re.search(r"^\*About (\d+) minutes\.\*$", chapter.text, re.MULTILINE)[1])
    assert 10 <= minutes <= 25
    assert any(cell.kind == "code" and cell.solution for cell in chapter.cells)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_a_chapter_is_a_valid_notebook(chapter):
    import nbformat

    notebook = nbformat.reads(json.dumps(as_notebook(chapter)), as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    names = [cell.id for cell in notebook.cells]
    assert len(set(names)) == len(names)
    assert not re.search(r"\(\d\d-[a-z-]+\.md\)", json.dumps(notebook)), "links lead to notebooks"
    for target in re.findall(r"\]\((\d\d-[^)#]+)", chapter.text):
        assert target.removesuffix(".md") in [c.name for c in CHAPTERS], target


def test_a_chapter_runs_in_jupyter(monkeypatch, tmp_path):
    """One of them, by the client that Jupyter itself uses: cells, pictures and folded solutions arrive."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv(VARIABLE, "seattle")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (chapter,) = (c for c in CHAPTERS if c.name == "01-why-sequences")
    notebook = nbformat.reads(json.dumps(as_notebook(chapter)), as_version=4)
    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 3
    folded = [c for c in done.cells if c.metadata.get("jp-MarkdownHeadingCollapsed")]
    assert [c.source for c in folded] == ["### Exercise 1", "### Exercise 2", "### Exercise 3"]


def test_notebooks_are_put_on_disk_and_never_over_a_learners_work(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["lesson", "--notebooks", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"jupyter lab {folder}" in said and "19 notebooks" in said
    assert sorted(p.name for p in folder.iterdir()) == [f"{c.name}.ipynb" for c in CHAPTERS]
    mine, other = folder / "05-recurrence.ipynb", folder / "06-stacking.ipynb"
    fresh = mine.read_bytes()
    mine.write_text("mine")
    other.unlink()
    (folder / "notes.txt").write_text("keep")
    assert main(["lesson", "--notebooks", str(folder)]) == 2
    error = capsys.readouterr().err
    assert "05-recurrence.ipynb" in error and "--force" in error and error.count("\n") == 1
    assert mine.read_text() == "mine" and not other.exists(), "nothing is written where something is refused"
    assert main(["lesson", "--notebooks", str(folder), "--force"]) == 0
    assert "2 notebooks (17 were there already)" in capsys.readouterr().out
    assert mine.read_bytes() == fresh and (folder / "notes.txt").read_text() == "keep"


@pytest.mark.parametrize(
    "given",
    [
        "--seeds 2", "--seeds 5", "--workers 1", "--json -", "--json lesson.json", "--out results", "--data seattle",
    ],
)  # fmt: skip
def test_an_option_of_the_lessons_run_is_not_ignored_beside_notebooks(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", "--notebooks", "course", "--force", *given.split()]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"Error: --notebooks writes the chapters and runs nothing, so {given.split()[0]} ")
    assert said.err.count("\n") == 1 and not said.out and not any(tmp_path.iterdir())


def test_every_option_beside_notebooks_that_does_nothing_is_named(tmp_path, capsys):
    assert main(["lesson", "--seeds=1", "--notebooks", str(tmp_path / "course"), "--out", str(tmp_path / "x")]) == 2
    assert "--seeds, --out would do nothing" in capsys.readouterr().err
    assert main(["lesson", "--seeds", "1", "--force"]) == 2
    assert "--notebooks" in capsys.readouterr().err


def test_a_place_that_can_hold_no_notebooks(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["lesson", "--notebooks", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_cells_keep_their_names_when_another_section_grows():
    text = "# T\n\n## A\n\n```python\n1\n```\n\n## B\n\nSay.\n\n```python\n2\n```\n"
    before = {cell.source: cell.name for cell in cut_cells(text)}
    after = {cell.source: cell.name for cell in cut_cells(text.replace("## B", "```python\n0\n```\n\n## B"))}
    assert before.items() <= after.items()


def test_prose_keeps_fences_that_do_not_run():
    cells = cut_cells("# T\n\n```sh\n# no heading\n```\n\n```python\nx = 1\n```\n")
    assert [cell.kind for cell in cells] == ["markdown", "code"]
    assert "# no heading" in cells[0].source
    with pytest.raises(DataError, match="not closed"):
        cut_cells("# T\n\n```python\nx = 1\n")


def test_data_of_the_chapters(monkeypatch, basel):
    monkeypatch.setenv(VARIABLE, "basel")
    series, target = choose_data()
    assert (len(series.columns), target) == (9, "BASEL_sunshine")
    # What chapters 10 and 17 say of the whole table.
    assert (len(basel.columns), sum(c.endswith("_temp_mean") for c in basel.columns)) == (89, 11)
    assert choose_data("seattle")[0].name == "seattle"
    monkeypatch.setenv(VARIABLE, "moon")
    with pytest.raises(SettingError, match="seattle or basel"):
        choose_data()


def test_figures_of_the_ten_seeds_are_those_of_the_page():
    """Chapter 6 names two rows of docs/lesson.md, and what the page's exam says of their networks and of trees."""
    chapter = " ".join(next(c.text for c in CHAPTERS if c.name == "06-stacking").split())
    page = (Path(__file__).parent.parent / "docs" / "lesson.md").read_text()
    row = r"^(RNN\w*_30) .* ([\d.]+)  ([\d.]+ ± [\d.]+)  ([\d.]+) \.\. ([\d.]+)$"
    found = {m[1]: m.groups()[1:] for m in re.finditer(row, page, re.MULTILINE)}
    one, two = found["RNN_30"], found["RNN_stacked_30"]
    for published, here, *_ in (one, two):
        assert f"{published} h" in chapter and here in chapter
    assert float(two[-1]) > float(one[-2]), "the ranges of their seeds overlap"
    exam = {m[1]: float(m[2]) for m in re.finditer(r"^ [ \d]+ (\w+)  +.* ± [\d.]+  ([\d.]+) ± ", page, re.MULTILINE)}
    assert exam["trees_3"] < min(exam["rnn_relu_30"], exam["rnn_stacked_30"])
