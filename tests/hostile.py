"""Model files by people who mean harm: each row attacks one thing, and all checksums that it can set are right.

`build(folder)` writes them; run as a program, it loads each of them and tells what happened.
"""

import io
import json
import os
import pickle
import struct
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np

from backsight.runs.compare import compare
from backsight.runs.model_file import CALIBRATION, CARD, load_model, write_model
from backsight.runs.stored_zip import write_zip
from backsight.runs.strict_json import canonical_json
from backsight.runs.tensors import write_tensors
from conftest import make_toy

SEED = "seed-0.safetensors"
#: Written by whatever code of a file is run.
LOOT = "loot"
BIG = 300_000_000


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return (open, (LOOT, "w"))


PICKLE = pickle.dumps(Evil())


def parts_of(recipe):
    """An honest file of this recipe: its card's values and its other members."""
    found = compare(make_toy(), "y", models=[recipe], lookback=[2], seeds=1, baselines=False)
    with zipfile.ZipFile(io.BytesIO(write_model(found.model()))) as file:
        members = {name: file.read(name) for name in file.namelist()}
    return json.loads(members.pop(CARD)), members


def sealed(card, members, listed=None):
    """A card with the checksums of these members, and of itself."""
    values = {k: v for k, v in card.items() if k != "sha256"}
    known = members if listed is None else listed
    values["members"] = {n: {"size": len(b), "sha256": sha256(b).hexdigest()} for n, b in known.items()}
    return canonical_json(values | {"sha256": sha256(canonical_json(values)).hexdigest()})


def whole(card, members, listed=None):
    """The zip of a card and members, with all checksums right."""
    return write_zip({CARD: sealed(card, members, listed), **members})


def own_text(card, members, old, new):
    """A card whose text was changed, and sealed again as far as a text that is no JSON can be."""
    text = sealed(card, members)
    assert old in text
    return write_zip({CARD: text.replace(old, new, 1), **members})


def blob_of(data):
    """Note and arrays of a blob."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    note = json.loads(header["__metadata__"]["backsight"])
    import safetensors.numpy

    return note, dict(safetensors.numpy.load(data))


def headed(header, numbers=b""):
    """A blob with this header, right or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


class Files:
    """Makes the files, by name of the attack."""

    def __init__(self):
        self.ridge = parts_of("ridge")
        self.trees = parts_of("trees(trees=3,leaves=3)")
        card, members = self.ridge
        self.card, self.members, self.blob = card, members, members[SEED]
        self.honest = whole(card, members)

    def said(self, **changes):
        """The honest file but for some values of its card."""
        return whole({**self.card, **changes}, self.members)

    def held(self, blob, card=None):
        """The honest file but for its seed."""
        return whole(card or self.card, {**self.members, SEED: blob})

    def arrays(self, parts=None, note=None, **changes):
        """A file of other arrays."""
        card, members = parts or self.ridge
        values, arrays = blob_of(members[SEED])
        changed = {("forecaster/" if "/" not in n else "") + n: a for n, a in changes.items()}
        kept = {n: a for n, a in {**arrays, **changed}.items() if a is not None}
        return whole(card, {**members, SEED: write_tensors(kept, {**values, **(note or {})})})

    def calibrated(self, note=None, **changes):
        values, arrays = blob_of(self.members[CALIBRATION])
        blob = write_tensors({**arrays, **changes}, {**values, **(note or {})})
        return whole(self.card, {**self.members, CALIBRATION: blob})

    def header(self, change):
        """A file whose seed has a header that was changed."""
        length = int.from_bytes(self.blob[:8], "little")
        header = json.loads(self.blob[8 : 8 + length])
        return self.held(headed(change(header), self.blob[8 + length :]))

    def zipped(self, change=None, **options):
        """A file that Python's zipfile writes; `change` is given each entry."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", **options) as file:
            for name, data in {CARD: sealed(self.card, self.members), **self.members}.items():
                entry = zipfile.ZipInfo(name)
                entry.compress_type = options.get("compression", zipfile.ZIP_STORED)
                (change or (lambda *_: None))(entry, file)
                file.writestr(entry, data)
        return buffer.getvalue()

    def bomb(self, bombed):
        """A member that is small in the zip and large outside."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in {CARD: sealed(self.card, self.members), **self.members}.items():
                if name != bombed:
                    file.writestr(name, data)
                    continue
                with file.open(name, "w", force_zip64=False) as inside:
                    for _ in range(BIG // 10**6):
                        inside.write(bytes(10**6))
        return buffer.getvalue()

    def patched(self, place, data, of=None):
        file = bytearray(self.honest if of is None else of)
        file[place : place + len(data)] = data
        return bytes(file)

    def streamed(self):
        """Sizes behind the members, as a zip has them that was written into a pipe."""

        class Pipe(io.RawIOBase):
            def __init__(self):
                self.data = b""

            def writable(self):
                return True

            def write(self, data):
                self.data += bytes(data)
                return len(data)

        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w") as file:
            for name, data in {CARD: sealed(self.card, self.members), **self.members}.items():
                file.writestr(name, data)
        return pipe.data

    def overlapping(self):
        """All lines of the directory but the first lead to the first member."""
        file = bytearray(self.honest)
        place = file.index(b"PK\x01\x02") + 46 + len(CARD)
        file[place + 42 : place + 46] = bytes(4)
        return bytes(file)

    def twice(self):
        buffer = io.BytesIO(self.honest)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(buffer, "a") as file:
                file.writestr(SEED, PICKLE)
        return buffer.getvalue()

    def nested(self, depth):
        return b"[" * depth + b"]" * depth

    def tree(self, **changes):
        _, arrays = blob_of(self.trees[1][SEED])
        made = {}
        for name, change in changes.items():
            made[name] = arrays[f"forecaster/{name}"].copy()
            change(made[name])
        return self.arrays(self.trees, **made)


def set_at(place, value):
    def change(array):
        array[place] = value

    return change


#: Each attack: how its file is made, and what the refusal must say.
ATTACKS = {
    # What is no model file at all.
    "nothing": (lambda f: b"", "model.json: The zip is cut off"),
    "text": (lambda f: b"hello " * 99, "model.json: Here stands no member"),
    "a pickle": (lambda f: PICKLE * 9, "model.json: Here stands no member"),
    "a keras file": (lambda f: write_zip({"config.json": b"{}", "model.weights.h5": b""}), "model.json: The next"),
    "another zip": (lambda f: write_zip({"evil.py": b"open('loot', 'w')"}), "model.json: .* begins with .evil"),
    # Tricks of zip files.
    "compressed": (lambda f: f.zipped(compression=zipfile.ZIP_DEFLATED), "model.json: It is compressed"),
    "a bomb for a card": (lambda f: f.bomb(CARD), "model.json: "),
    "a bomb for a seed": (lambda f: f.bomb(SEED), "model.json: It is compressed"),
    "encrypted": (lambda f: f.patched(6, b"\x01"), "model.json: It is encrypted"),
    "sizes behind members": (lambda f: f.streamed(), "model.json: Its size stands behind it"),
    "a comment": (lambda f: f.patched(len(f.honest) - 2, b"\x04\x00") + b"evil", "end of the zip's directory"),
    "something before": (lambda f: b"#!/bin/sh\n" + f.honest, "model.json: Here stands no member"),
    "something behind": (lambda f: f.honest + b"evil", "Something follows"),
    "a second zip behind": (lambda f: f.honest + f.honest, "Something follows"),
    "a zip64": (lambda f: f.patched(18, b"\xff" * 8), "model.json: Its size takes a zip64"),
    "extra fields": (
        lambda f: f.zipped(lambda entry, _: setattr(entry, "extra", struct.pack("<HH4s", 0x7075, 4, b"evil"))),
        "model.json: It has extra fields",
    ),
    "a member twice": (lambda f: f.twice(), "A member follows that it doesn't list; it begins with 'seed"),
    "a member more": (
        lambda f: write_zip({CARD: sealed(f.card, f.members), **f.members, "evil.py": b"1"}),
        "A member follows that it doesn't list; it begins with 'evil.py",
    ),
    "a member less": (
        lambda f: write_zip({CARD: sealed(f.card, f.members), CALIBRATION: f.members[CALIBRATION]}),
        "seed-0.safetensors: The next member begins with 'calibration",
    ),
    "a path for a name": (
        lambda f: write_zip({CARD: sealed(f.card, f.members), "../../" + SEED: f.blob}),
        "seed-0.safetensors: The next member begins with '../../",
    ),
    "a link inside": (
        lambda f: f.zipped(lambda entry, _: setattr(entry, "external_attr", 0o120777 << 16)),
        "model.json: its line in the zip's directory",
    ),
    "members that overlap": (lambda f: f.overlapping(), "seed-0.safetensors: its line in the zip's directory"),
    "a size that lies": (lambda f: f.patched(18, struct.pack("<II", BIG, BIG)), "model.json: It may have 1,000,000"),
    "another order": (
        lambda f: write_zip({CARD: sealed(f.card, f.members), **dict(reversed(f.members.items()))}),
        "seed-0.safetensors: The next member begins with 'calibration",
    ),
    # The card's text.
    "a pickle for a card": (lambda f: write_zip({CARD: PICKLE, **f.members}), "model.json: It is no JSON"),
    "a card of 50 MB": (lambda f: write_zip({CARD: b" " * 50_000_000, **f.members}), "model.json: It may have"),
    "a deep card": (lambda f: write_zip({CARD: f.nested(400_000), **f.members}), "model.json: It is nested"),
    "a deep value": (
        lambda f: own_text(f.card, f.members, b'"recipe":{', b'"recipe":{"a":' + f.nested(9999) + b","),
        "model.json: It is nested",
    ),
    "a key twice": (
        lambda f: own_text(f.card, f.members, b'"lookback":2', b'"lookback":2,"lookback":9'),
        "model.json: .*'lookback' is there twice",
    ),
    "NaN in the card": (
        lambda f: own_text(f.card, f.members, b'"lookback":2', b'"lookback":NaN'), "model.json: .*NaN is no number"
    ),
    "infinity in the card": (
        lambda f: own_text(f.card, f.members, b'"lookback":2', b'"lookback":1e999'), "model.json: .*1e999 is too large"
    ),
    "a number of 9999 digits": (
        lambda f: own_text(f.card, f.members, b'"lookback":2', b'"lookback":' + b"9" * 9999),
        "model.json: It holds a number that is too long",
    ),
    "no UTF-8": (lambda f: own_text(f.card, f.members, b"toy", b"\xff\xfe"), "model.json: It is no JSON"),
    "half a character": (
        lambda f: own_text(f.card, f.members, b"toy", b"\\ud800"), "model.json: It is not written as we write it"
    ),
    "another way to write it": (
        lambda f: own_text(f.card, f.members, b'"lookback":2', b'"lookback": 2'), "model.json: It is not written"
    ),
    "a list": (lambda f: write_zip({CARD: b"[]", **f.members}), "model.json: It must hold an object; it holds list"),
    "a card that was changed": (
        lambda f: own_text(f.card, f.members, b'"lookback":2', b'"lookback":3'), "model.json: .*its SHA-256 differs"
    ),
    # The card's values, all checksums right.
    "a later format": (lambda f: f.said(format=3), "model.json: It is of format 3"),
    "many series without any": (lambda f: f.said(format=2), "model.json: .*models of many series, and no others"),
    "many series": (
        lambda f: f.said(format=2, many={"id": "shop", "series": 3}), "members must all be of the 3 series"
    ),
    "a billion series": (
        lambda f: f.said(format=2, many={"id": "shop", "series": 10**9}), "members must all be of the 1000000000 series"
    ),
    "a key more": (lambda f: f.said(code="open('loot', 'w')"), "model.json: .*code: Extra inputs"),
    "a key less": (
        lambda f: whole({k: v for k, v in f.card.items() if k != "step"}, f.members), "model.json: .*step: Field"
    ),
    "text for a number": (lambda f: f.said(lookback="2"), "model.json: .*lookback: Input should be a valid integer"),
    "truth for a number": (lambda f: f.said(lookback=True), "model.json: .*lookback"),
    "a lookback of 10^12": (lambda f: f.said(lookback=10**12), "model.json: .*lookback"),
    "an unknown recipe": (lambda f: f.said(recipe={"family": "evil"}), "model.json: There is no family 'evil'"),
    "a function of mine": (
        lambda f: f.said(recipe={"family": "own", "function": "os:system", "name": "x"}), "no family 'own'"
    ),
    "a list for a family": (lambda f: f.said(recipe={"family": ["ridge"]}), "model.json: .*its recipe has no family"),
    "a setting more": (
        lambda f: f.said(recipe={**f.card["recipe"], "hook": "os.system"}), "model.json: Family ridge: hook"
    ),
    "a setting out of range": (lambda f: f.said(recipe={"family": "recurrent", "units": 10**9}), "model.json: .*units"),
    "a plan of other settings": (lambda f: f.said(plan={"callback": "os.system"}), "model.json: .*callback"),
    "seeds without number": (lambda f: f.said(seeds=list(range(1001))), "model.json: .*seeds"),
    "a seed below 0": (lambda f: f.said(seeds=[-1]), "model.json: .*seeds"),
    "a seed twice": (lambda f: f.said(seeds=[0, 0]), "model.json: .*each once"),
    "a column twice": (lambda f: f.said(features=f.card["features"] + f.card["features"][:1]), "each once"),
    "members elsewhere": (
        lambda f: whole(f.card, f.members, {"/etc/passwd": b"x", CALIBRATION: f.members[CALIBRATION]}),
        "model.json: It must list the members",
    ),
    "a seed that is not there": (lambda f: f.said(seeds=[1]), "model.json: It must list the members seed-1"),
    # The blobs, all checksums right.
    "a pickle for a seed": (lambda f: f.held(PICKLE), "seed-0.safetensors: It is no safetensors"),
    "a header of 2^63 bytes": (lambda f: f.held(struct.pack("<Q", 2**63) + f.blob[8:]), "seed-0.safetensors: It is no"),
    "a header beyond the end": (lambda f: f.held(struct.pack("<Q", 9**5) + f.blob[8:]), "seed-0.safetensors: It is no"),
    "a deep header": (
        lambda f: f.held(headed(b'{"a":' + f.nested(300_000) + b"}")), "seed-0.safetensors: The header is nested"
    ),
    "a deep note": (
        lambda f: f.header(lambda h: {**h, "__metadata__": {"backsight": f.nested(99_999).decode()}}),
        "seed-0.safetensors: The note is nested",
    ),
    "no note": (lambda f: f.header(lambda h: {**h, "__metadata__": {}}), "seed-0.safetensors: Its metadata"),
    "another note": (lambda f: f.arrays(note={"code": "evil"}), "seed-0.safetensors: Its note .*code"),
    "another view": (lambda f: f.arrays(note={"view": {"target": "y"}}), "seed-0.safetensors: Its note"),
    "another family": (lambda f: f.arrays(note={"family": "trees"}), "seed-0.safetensors: It holds a model 'trees'"),
    "another seed": (lambda f: f.arrays(note={"seed": 7}), "seed-0.safetensors: Its seed must be 0"),
    "another shape": (lambda f: f.arrays(weights=np.zeros((7, 1))), "seed-0.safetensors: Array 'forecaster/weights'"),
    "another type": (lambda f: f.arrays(intercept=np.zeros(1, np.float32)), "seed-0.safetensors: .*must be float64"),
    "an array more": (lambda f: f.arrays(evil=np.zeros(1)), "seed-0.safetensors: .*belongs to nothing"),
    "an array less": (lambda f: f.arrays(intercept=None), "seed-0.safetensors: .*is missing"),
    "NaN for a weight": (lambda f: f.arrays(intercept=np.array([np.nan])), "seed-0.safetensors: .*not finite"),
    "a scale of 0": (lambda f: f.arrays(**{"scaler/scale": np.zeros(3)}), "seed-0.safetensors: .*scales above 0"),
    "an infinite mean": (lambda f: f.arrays(**{"scaler/mean": np.full(3, np.inf)}), "seed-0.safetensors: .*finite"),
    "arrays that overlap": (
        lambda f: f.header(
            lambda h: {**h, "scaler/mean": {**h["scaler/mean"], "data_offsets": h["scaler/scale"]["data_offsets"]}}
        ),
        "seed-0.safetensors: .*not where it must be",
    ),
    "an array before the first": (
        lambda f: f.header(lambda h: {**h, "scaler/mean": {**h["scaler/mean"], "data_offsets": [-24, 0]}}),
        "seed-0.safetensors: .*no type, shape or place",
    ),
    "a shape of 10^18": (
        lambda f: f.header(lambda h: {**h, "scaler/mean": {**h["scaler/mean"], "shape": [10**9, 10**9]}}),
        "seed-0.safetensors: Array 'scaler/mean' must be",
    ),
    "a type of nobody's": (
        lambda f: f.header(lambda h: {**h, "scaler/mean": {**h["scaler/mean"], "dtype": "OBJECT"}}),
        "seed-0.safetensors: .*no type, shape or place",
    ),
    "a network of 10^11 weights": (
        lambda f: f.said(recipe={"family": "recurrent", "layer": "LSTM", "units": 4096, "layers": 64}),
        "seed-0.safetensors: It holds a model 'ridge'",
    ),
    "numbers for 10^11 weights": (
        lambda f: f.held(
            headed({"__metadata__": {"backsight": json.dumps({**blob_of(f.blob)[0], "family": "recurrent",
                                                             "settings": {"epochs": 2**31 - 1, "kept_epoch": 1}})}}),
            {**f.card, "recipe": {"family": "recurrent", "layer": "LSTM", "units": 4096, "layers": 64}},
        ),
        "seed-0.safetensors: Array 'scaler/mean' is missing",
    ),
    "numbers without end": (
        lambda f: f.held(f.blob + bytes(BIG // 10)), "seed-0.safetensors: Its arrays take"
    ),
    "a tree that is a ring": (
        lambda f: f.tree(left=set_at(0, 0), right=set_at(0, 0)), "seed-0.safetensors: Its trees can't be"
    ),
    "a tree that leads outside": (lambda f: f.tree(right=set_at(0, 9999)), "seed-0.safetensors: Its trees can't be"),
    "a tree of other lags": (lambda f: f.tree(feature=set_at(0, 2**30)), "seed-0.safetensors: .* be: feature"),
    "a tree of no nodes": (lambda f: f.tree(root=set_at(1, 0)), "seed-0.safetensors: Its trees can't be: root"),
    "2^31 trees": (
        lambda f: f.arrays(f.trees, note={"settings": {"trees": 2**31 - 1, "nodes": 2**31 - 1}}),
        "seed-0.safetensors: Array 'forecaster/feature'|seed-0.safetensors: Array 'forecaster/root'",
    ),
    "NaN for what came": (
        lambda f: f.calibrated(actual=np.full((15, 1), np.nan)), "calibration.safetensors: .*not finite"
    ),
    "times of no calendar": (
        lambda f: f.calibrated(origin=np.arange(15) + 2**62), "calibration.safetensors: Its times"
    ),
    "more windows than there are": (lambda f: f.calibrated({"windows": 10**9}), "calibration.safetensors: Array"),
}  # fmt: skip


def in_folder(make):
    """An attack on the folder form: it is given the folder, in which an honest one lies."""

    def build(files, path):
        path.mkdir()
        for name, data in {CARD: sealed(files.card, files.members), **files.members}.items():
            (path / name).write_bytes(data)
        make(path)

    return build


def link(path, name, to):
    (path / name).unlink()
    (path / name).symlink_to(to)


def pipe(path, name):
    (path / name).unlink()
    os.mkfifo(path / name)


def sparse(path, size):
    with path.open("ab") as file:
        file.truncate(size)


def bare(make):
    return lambda files, path: make(path, files)


#: Attacks that need more than bytes.
PLACES = {
    "a link to a member": (
        in_folder(lambda p: link(p, SEED, Path("/etc/passwd"))), "seed-0.safetensors: It is no plain file"
    ),
    "a link to the same bytes": (
        in_folder(lambda p: ((p / SEED).rename(p.parent / "aside"), (p / SEED).symlink_to(p.parent / "aside"))),
        "seed-0.safetensors: It is no plain file",
    ),
    "a link to a card": (in_folder(lambda p: link(p, CARD, Path("/etc/passwd"))), "model.json: It is no plain file"),
    "a link to nowhere": (in_folder(lambda p: link(p, CARD, Path("gone"))), "model.json: It is no plain file"),
    "a pipe for a member": (in_folder(lambda p: pipe(p, SEED)), "seed-0.safetensors: It is no plain file"),
    "a folder for a member": (
        in_folder(lambda p: ((p / SEED).unlink(), (p / SEED).mkdir())), "seed-0.safetensors: It is no plain file"
    ),
    "something in the folder": (
        in_folder(lambda p: (p / "sitecustomize.py").write_text("open('loot', 'w')")), "'sitecustomize.py' does not"
    ),
    "a member that is gone": (in_folder(lambda p: (p / SEED).unlink()), "seed-0.safetensors: It can't be read"),
    "a member of 10 GB": (in_folder(lambda p: sparse(p / SEED, 10**10)), "seed-0.safetensors: It must have"),
    "a card of 10 GB": (in_folder(lambda p: sparse(p / CARD, 10**10)), "model.json: It may have 1,000,000 bytes"),
    "a file of 10 GB": (
        bare(lambda p, f: (p.write_bytes(f.honest), sparse(p, 10**10))), "Something follows the end of the zip"
    ),
    "a pipe": (bare(lambda p, f: os.mkfifo(p)), "It is neither a plain file nor a folder"),
    "a device": (bare(lambda p, f: p.symlink_to("/dev/zero")), "It is neither a plain file nor a folder"),
    "an empty folder": (bare(lambda p, f: p.mkdir()), "model.json: It can't be read: No such file"),
}  # fmt: skip


def build(folder):
    """Write every file; returns its path by name of the attack. The honest one is `honest`."""
    files = Files()
    (folder / "honest").write_bytes(files.honest)
    for name, (make, _) in ATTACKS.items():
        (folder / name).write_bytes(make(files))
    for name, (make, _) in PLACES.items():
        make(files, folder / name)


#: What nobody does who only reads.
FORBIDDEN = {
    "exec", "compile", "import", "pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen",
    "os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate", "os.chmod",
    "socket.connect",    "ctypes.dlopen", "shutil.unpack_archive",
}  # fmt: skip


def most_kilobytes():
    """The most memory that this process has had so far."""
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` says begins with what the parent had
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def main(folder):
    """Load each; prints what was raised, what was done beside reading, and the memory it took."""
    from backsight.errors import ModelFileError

    load_model(folder / "honest")  # whatever is imported on the way has been now
    done, found = [], {}

    def watch(event, arguments):
        if event in FORBIDDEN or (event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE):
            done.append(f"{event} {arguments}"[:200])

    sys.addaudithook(watch)
    before = most_kilobytes()
    for path in sorted(folder.iterdir()):
        if path.name in (*ATTACKS, *PLACES):
            try:
                load_model(path)
                found[path.name] = "loaded"
            except ModelFileError as error:
                found[path.name] = str(error).removeprefix(f"{path}: ")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                found[path.name] = f"{type(error).__name__}: {error}"
    result = {"found": found, "done": done, "kilobytes": most_kilobytes() - before, "jax": "jax" in sys.modules}
    sys.__stdout__.write(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
