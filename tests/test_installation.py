"""What an installation makes of this source tree, where there is a compiler and where there is none."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("scikit_build_core") is None, reason="scikit-build-core builds it"),
    pytest.mark.skipif(not (ROOT / "CMakeLists.txt").is_file(), reason="this is no source tree"),
]

#: What pip asks of a build backend; its files stay out of the tree.
BUILD = """
import sys
from scikit_build_core.build import build_wheel
build_wheel(sys.argv[1], {"build-dir": sys.argv[2]})
"""

#: Without `site` there is no editable installation of this tree, only the wheel and what it depends on.
USE = """
import sys
sys.path[:0] = [sys.argv[1]]
sys.path += sys.argv[2:]
import json, warnings
warnings.simplefilter("error")
import backsight
from backsight.recurrence.library import kernels
print(json.dumps([backsight.__file__, kernels().loaded, kernels().vectors, kernels().why_not]))
"""


def wheel(folder, **environment):
    """The one wheel that a build of the tree gives."""
    run = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder / "wheels"), str(folder / "build")],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (made,) = (folder / "wheels").glob("*.whl")
    return made


def in_use(made, folder):
    """File of the package, whether its kernels are loaded, which, and why not, as the wheel's own code says."""
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder)
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    command = [sys.executable, "-I", "-S", "-c", USE, str(folder), *libraries]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    file, *rest = json.loads(run.stdout)
    assert Path(file) == folder / "backsight/__init__.py"
    return rest


def tree():
    """Whatever a build could leave behind, but for caches of Python."""
    return {p for p in [*ROOT.iterdir(), *(ROOT / "build").glob("*"), *(ROOT / "src").rglob("*")] if p.suffix != ".pyc"}


def test_without_a_compiler_the_package_is_there_and_says_what_is_missing(tmp_path):
    before = tree()
    made = wheel(tmp_path, CXX="/bin/false")
    assert tree() == before
    assert made.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(made).namelist()
    assert {"backsight/recurrence/library.py", "backsight/lesson/00-start-here.md"} <= set(names)
    assert [n for n in names if "_kernels" in n or "/kernels/" in n or n.startswith("tests")] == []
    loaded, vectors, why_not = in_use(made, tmp_path / "installed")
    assert (loaded, vectors) == (False, None)
    assert "not built" in why_not
    assert "Install a C++ compiler" in why_not
    assert "pip install --force-reinstall" in why_not


@pytest.mark.skipif(not shutil.which(os.environ.get("CXX") or "c++"), reason="no C++ compiler on this machine")
def test_with_a_compiler_one_wheel_is_for_every_python(tmp_path):
    """All copies of the kernels are compiled, as in an installation, but not optimised: that takes half a minute."""
    made = wheel(tmp_path, SKBUILD_CMAKE_BUILD_TYPE="Debug")
    assert "-py3-none-" in made.name
    assert not made.name.endswith("-any.whl")
    names = zipfile.ZipFile(made).namelist()
    assert [n for n in names if "_kernels" in n or "/kernels/" in n] == ["backsight/recurrence/_kernels.so"]
    loaded, vectors, why_not = in_use(made, tmp_path / "installed")
    assert loaded
    assert vectors in {"avx512", "avx2", "plain"}
    assert why_not == ""
