"""A .pt2 file that would run something when torch opens it is refused before torch sees it."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.load import open_network
from netdissect.networks.sources.exported.screen import is_arithmetic, is_plain_tree, screened

MODEL, INPUTS = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"


def records(path):
    reader = torch._C.PyTorchFileReader(io.BytesIO(path.read_bytes()))
    return {name: reader.get_record(name) for name in reader.get_all_records() if not name.startswith(".data")}


def packed(found):
    out = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(out)
    for name, data in found.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return out.getvalue()


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


def saved(thing):
    out = io.BytesIO()
    torch.save(thing, out)
    return out.getvalue()


def edited(found, name, edit):
    tree = json.loads(found[name])
    edit(tree)
    found[name] = json.dumps(tree).encode()


def program(edit):
    return lambda found, _mark: edited(found, MODEL, edit)


def nodes(tree):
    return tree["graph_module"]["graph"]["nodes"]


def code(mark):
    return f"__import__('pathlib').Path({str(mark)!r}).touch()"


def in_expression(found, mark):
    def edit(tree):
        values = tree["graph_module"]["graph"]["tensor_values"]
        size = next(size for value in values.values() for size in value["sizes"] if "as_expr" in size)
        size["as_expr"]["expr_str"] = code(mark)

    edited(found, MODEL, edit)


def in_a_name(found, mark):
    name = f"x={code(mark)}"
    text = found[MODEL].decode().replace('"name": "x"', json.dumps({"name": name})[1:-1])
    found[MODEL] = text.encode()


def in_a_module(found, mark):
    def edit(tree):
        stack = f'L__self__,,A;L__stem,stem"\n{code(mark)}\n#,B'
        nodes(tree)[0]["metadata"]["nn_module_stack"] = stack

    edited(found, MODEL, edit)


def in_sample_inputs(found, mark):
    found[INPUTS] = saved(((Evil(mark),), {}))


def in_weights(found, mark):
    def edit(tree):
        entry = next(iter(tree["config"].values()))
        entry["use_pickle"] = True
        found[f"data/weights/{entry['path_name']}"] = saved(Evil(mark))

    edited(found, WEIGHTS, edit)


def in_legacy_weights(found, mark):
    found["data/weights/model.pt"] = saved({"a": Evil(mark)})


def constant(prefix):
    def change(found, mark):
        found[f"data/constants/{prefix}0"] = pickle.dumps(Evil(mark))
        entry = {"path_name": f"{prefix}0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        edited(found, CONSTANTS, lambda tree: tree["config"].update(c=entry))

    return change


def in_an_enumeration(found, mark):
    del mark
    context = json.dumps([{"__enum__": True, "fqn": "antigravity:A", "name": "B"}])
    spec = json.dumps([1, {"type": "builtins.dict", "context": context, "children_spec": []}])

    def edit(tree):
        tree["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = spec

    edited(found, MODEL, edit)


def compiled(found, mark):
    del mark
    found["data/aotinductor/model/model.so"] = b"\x7fELF"


ATTACKS = {
    "an expression": (in_expression, "its expression .* is none that torch writes: refused"),
    "a name": (in_a_name, "its name .* is none that torch writes: refused"),
    "the name of a module": (in_a_module, "its module .* is none that torch writes: refused"),
    "sample inputs": (in_sample_inputs, "holds more than tensors, and opening it would run its code: refused"),
    "weights": (in_weights, "holds more than tensors, and opening it would run its code: refused"),
    "weights of an older file": (in_legacy_weights, "holds more than tensors"),
    "an opaque object": (constant("opaque_obj_"), "holds an object 'c' .*: refused"),
    "a custom object": (constant("custom_obj_"), "holds an object 'c' .*: refused"),
    "an enumeration": (in_an_enumeration, "its structure .* is none that torch writes: refused"),
    "compiled code": (compiled, "holds compiled code"),
    "a function": (
        program(lambda tree: nodes(tree)[0].update(target="torch.hub.load")),
        "calls 'torch.hub.load', which is none of torch's own operators that compute: refused",
    ),
    "a function behind another library": (
        program(lambda tree: nodes(tree)[0].update(target="torch.serialization.os.system")), "calls .*: refused",
    ),
    "a file": (
        program(lambda tree: nodes(tree)[0].update(target="torch.ops.aten.from_file.default")), "calls .*: refused",
    ),
    "an argument": (
        program(lambda tree: nodes(tree)[0]["inputs"][0].update(arg={"as_operator": "torch.os.system"})),
        "calls .*: refused",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_in_a_file_is_refused_and_does_not_run(exported, tmp_path, attack):
    change, sentence = ATTACKS[attack]
    found, mark = records(exported), tmp_path / "ran"
    change(found, mark)
    path = tmp_path / "evil.pt2"
    path.write_bytes(packed(found))
    with pytest.raises(ModelFileError, match=sentence):
        open_network(str(path))
    assert not mark.exists()


def test_the_attacks_would_run_if_nothing_stopped_them(exported, tmp_path):
    found, mark = records(exported), tmp_path / "ran"
    in_sample_inputs(found, mark)
    with pytest.raises(Exception):  # noqa: B017 - what torch makes of it afterwards does not matter
        torch.export.load(io.BytesIO(packed(found)))
    assert mark.exists()


def test_a_file_packed_anew_is_still_the_network(exported):
    screened("same.pt2", packed(records(exported)))


def test_a_file_cut_off_or_changed_anywhere_is_one_sentence_or_still_a_network(exported, tmp_path):
    data = exported.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(data[: rng.integers(len(data))] if rng.random() < 0.5 else data)
        for _ in range(rng.integers(1, 6) if damaged else 0):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            screened("damaged.pt2", bytes(damaged))
        except ModelFileError:
            refused += 1
    assert refused > 15


def test_other_archives_are_told(tmp_path):
    path = tmp_path / "net.pt2"
    for content, sentence in (
        (b"", "damaged or of another kind"),
        (b"PK\x03\x04 no zip", "got an archive whose directory is damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=sentence):
            open_network(str(path))
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="got another kind of archive"):
        open_network(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("version", "8.2")
    with pytest.raises(ModelFileError, match="got an older one: export the network again"):
        open_network(str(path))
    with pytest.raises(ModelNotFoundError, match="got none"):
        open_network(str(tmp_path / "other.pt2"))


@pytest.mark.parametrize(
    "text",
    ["s0", "2*s0 + 1", "Symbol('s77', positive=True, integer=True)", "Mul(Integer(2), Symbol('s0'))", "-s0//2",
     "Max(1, s3)", "Eq(s0, 4)", "FloorDiv(Add(Symbol('u1'), Integer(-3)), Integer(2))"],
)  # fmt: skip
def test_sizes_are_arithmetic(text):
    assert is_arithmetic(text)


@pytest.mark.parametrize(
    "text",
    ["open('x')", "().__class__", "s0.__init__", "[s for s in s0]", "lambda: s0", "Symbol('x y; import os')", "x:=1",
     "f'{s0}'", "s0 if s0 else s0", "s0[0]", "Max", "eval", "*s0", "", "Symbol.__base__", "("],
)  # fmt: skip
def test_anything_else_is_not(text):
    assert not is_arithmetic(text)


def test_nested_arguments_may_not_import_anything():
    def spec(context):
        inner = {"type": "builtins.dict", "context": json.dumps(context), "children_spec": []}
        return json.dumps([1, {"type": "builtins.tuple", "context": "null", "children_spec": [inner]}])

    assert is_plain_tree(spec(["a", "b"]))
    assert not is_plain_tree(spec({"default_factory_module": "os", "default_factory_name": "system"}))
    assert not is_plain_tree(spec([{"a": [{"__enum__": True}]}]))
    assert not is_plain_tree("[1, 2, 3]")


def test_a_program_that_unpacks_to_a_thousand_times_its_size_is_refused_before(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/archive_format", "pt2")
        archive.writestr("bomb/models/model.json", bytes(2**26))
    with pytest.raises(ModelFileError, match=r"bomb\.pt2: its [\d,]+ bytes would unpack to 67,108,867, and at most"):
        open_network(str(tmp_path / "bomb.pt2"))


def test_a_program_nested_without_end_is_one_sentence(exported):
    found = records(exported)
    found[MODEL] = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(
        ModelFileError, match="its program is damaged .its lists and objects are nested deeper than 100"
    ):
        screened("net.pt2", packed(found))


def test_a_program_that_is_no_regular_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "net.pt2")
    with pytest.raises(
        ModelFileError, match=r"net\.pt2 cannot be read .* expected a regular file, and it is a named pipe"
    ):
        open_network(str(tmp_path / "net.pt2"))


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "Pow(Integer(9), Integer(99999999))", "LShift(1, 99999999)", "(s0**64)**65", "1+" * 20_000 + "1"],
)
def test_arithmetic_that_would_never_end_is_refused(text):
    assert not is_arithmetic(text)


def test_a_part_that_unpacks_to_a_thousand_times_its_size_is_refused_before(exported):
    found = records(exported)
    plain, out = zipfile.ZipFile(io.BytesIO(saved({"x": torch.zeros(2**25)}))), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as inner:
        for entry in plain.infolist():
            inner.writestr(entry.filename, plain.read(entry))
    found[INPUTS] = out.getvalue()
    with pytest.raises(
        ModelFileError, match=r"its part 'data/sample_inputs/model\.pt': its [\d,]+ bytes would unpack to 134,"
    ):
        screened("net.pt2", packed(found))
