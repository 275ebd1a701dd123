"""A kernel library that does not fit: one warning, and Keras's own loop."""

import json
import os
import shutil
import subprocess
import sys

import jax
import pytest

COMPILER = next((found for name in (os.environ.get("CXX"), "c++") if name and (found := shutil.which(name))), None)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler on this machine")

#: Functions under the names of the kernels that fail when they are called.
HANDLERS = """
#include "xla/ffi/api/ffi.h"
static xla::ffi::Error run() { return xla::ffi::Error::Internal("called"); }
XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_forward, run, xla::ffi::Ffi::Bind());
XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_backward, run, xla::ffi::Ffi::Bind());
XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_input_gradient, run, xla::ffi::Ffi::Bind());
XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_adam, run, xla::ffi::Ffi::Bind());
"""
OTHERS = """
extern "C" const char* backsight_vectors() { return "plain"; }
extern "C" const long* backsight_rows(long) { static const long rows[6] = {}; return rows; }
extern "C" void backsight_count_trainings(long) {}
"""

#: What a process sees whose package came with the library of the first argument; it asks for the kernels
#: first of all, or later, when JAX has computed something. XLA looks at the version at different moments then.
SCRIPT = """
import json, sys, warnings
from pathlib import Path
import numpy as np
from backsight.engine import keras_on_jax
keras = keras_on_jax()
import jax
if sys.argv[2] == "later":
    jax.devices()
from backsight.recurrence import layers, library
library.library_path = lambda: Path(sys.argv[1])
inputs = np.random.default_rng(0).standard_normal((3, 5, 2)).astype("float32")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    if sys.argv[2] == "first":
        library.kernels()
    outputs = []
    for home in (layers, layers, keras.layers):
        layer = home.GRU(4, kernel_initializer=keras.initializers.GlorotUniform(seed=1),
                         recurrent_initializer=keras.initializers.Orthogonal(seed=1))
        outputs.append(np.asarray(layer(inputs)).tolist())
print(json.dumps({
    "vectors": library.kernels().vectors, "rows": library.kernels().rows, "why_not": library.kernels().why_not,
    "warnings": [[w.category.__name__, str(w.message)] for w in caught if "__array__" not in str(w.message)],
    "same": outputs[0] == outputs[1] == outputs[2],
}))
"""


def compiled(folder, text, api=None):
    """A shared library; `api` is another major version of XLA's interface than this JAX has."""
    include = folder / "include"
    shutil.copytree(jax.ffi.include_dir(), include)
    if api is not None:
        header = include / "xla/ffi/api/c_api.h"
        before = header.read_text()
        changed = "".join(
            f"#define XLA_FFI_API_MAJOR {api}\n" if line.startswith("#define XLA_FFI_API_MAJOR ") else line
            for line in before.splitlines(keepends=True)
        )
        assert changed != before
        header.write_text(changed)
    source = folder / "other.cpp"
    source.write_text(text)
    library = folder / "_kernels.so"
    options = ["-std=c++17", "-O0", "-shared", "-fPIC", "-isystem", str(include)]
    subprocess.run([COMPILER, *options, str(source), "-o", str(library)], check=True)
    return library


def other_version(folder):
    return compiled(folder, HANDLERS + OTHERS, api=99)


def no_library(folder):
    path = folder / "_kernels.so"
    path.write_text("This is a text.\n" * 100)
    return path


def no_functions(folder):
    return compiled(folder, "int nothing;")


def no_rows(folder):
    """A library for this very XLA, whose functions could be registered before something is missed."""
    return compiled(folder, HANDLERS)


@pytest.mark.parametrize(
    ("make", "reason", "start"),
    [
        pytest.param(other_version, "99", "first", marks=needs_compiler),
        pytest.param(other_version, "99", "later", marks=needs_compiler),
        (no_library, "_kernels.so", "first"),
        pytest.param(no_functions, "backsight_forward", "first", marks=needs_compiler),
        pytest.param(no_rows, "backsight_vectors", "first", marks=needs_compiler),
    ],
)
def test_a_library_that_does_not_fit_is_one_warning(make, reason, start, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(make(tmp_path)), start], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["vectors"] is None
    assert found["rows"] == []
    ((category, text),) = found["warnings"]
    assert category == "RuntimeWarning"
    assert found["why_not"] in text
    for part in ("not in use", "_kernels.so does not fit", reason, jax.__version__, "Install a C++ compiler"):
        assert part in text
    assert found["same"]


@needs_compiler
def test_the_same_functions_for_this_xla_are_taken(tmp_path):
    """So the version alone was the reason: planted above, and not something else about that library."""
    path = compiled(tmp_path, HANDLERS + OTHERS)
    script = "import sys; from pathlib import Path; from backsight.recurrence.library import load; "
    script += "print(load(Path(sys.argv[1])).vectors)"
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["plain"]
