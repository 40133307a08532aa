from __future__ import annotations

import re
from importlib import resources

import pytest
from google.protobuf import descriptor_pb2

from netdissect.networks.sources.caffe import messages

HERE = resources.files("netdissect.networks.sources.caffe")
LABELS = {1: "optional", 2: "required", 3: "repeated"}


def compiled():
    file = descriptor_pb2.FileDescriptorSet.FromString(HERE.joinpath("caffe.desc").read_bytes()).file
    assert len(file) == 1
    return file[0]


def fields_of_the_descriptor():
    kinds = {
        value.number: value.name
        for value in descriptor_pb2.FieldDescriptorProto.DESCRIPTOR.enum_types_by_name["Type"].values
    }
    for message in compiled().message_type:
        for field in message.field:
            kind = field.type_name.split(".")[-1] or kinds[field.type][5:].lower()
            yield (
                message.name,
                LABELS[field.label],
                kind,
                field.name,
                field.number,
                field.default_value,
                field.options.packed,
            )


def fields_of_the_text():
    text = re.sub(r"//.*", "", HERE.joinpath("caffe.proto").read_text())
    for name, body in re.findall(r"^message (\w+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        for found in re.finditer(r"(optional|repeated) (\w+) (\w+) = (\d+)(?: \[(.*?)\])?;", body):
            label, kind, field, number, options = found.groups()
            default = re.search(r"default = (\S+)", options or "")
            value = default[1] if default else ""
            yield (
                name,
                label,
                kind,
                field,
                int(number),
                value.replace("1e-5", "1e-05").strip('"'),
                "packed" in (options or ""),
            )


def test_the_compiled_descriptor_says_what_the_proto_says():
    assert sorted(fields_of_the_descriptor()) == sorted(fields_of_the_text())


def test_the_enumerations_say_what_the_proto_says():
    text = re.sub(r"//.*", "", HERE.joinpath("caffe.proto").read_text())
    told = {
        (name, value, int(number))
        for name, body in re.findall(r"enum (\w+) \{(.*?)\}", text, re.DOTALL)
        for value, number in re.findall(r"(\w+) = (\d+);", body)
    }
    file = compiled()
    enums = [*file.enum_type, *(enum for message in file.message_type for enum in message.enum_type)]
    assert {(enum.name, value.name, value.number) for enum in enums for value in enum.value} == told


def test_its_messages_are_not_in_the_process_wide_pool():
    from google.protobuf import descriptor_pool

    messages.make_message("NetParameter")
    with pytest.raises(KeyError, match="NetParameter"):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
