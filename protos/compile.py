"""Compile the .proto files of this folder into what the package ships.

Writes `descriptors.binpb` (a FileDescriptorSet) and `messages.pyi` (the types of the classes made from it) into
`pynq_async/wire/`. With `--check` nothing is written and the exit code says whether the two files are up to date.
Needs grpcio-tools; run it with `nox -s protos`.
"""

import argparse
import pathlib
import sys
import tempfile

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

PROTOS = pathlib.Path(__file__).parent
WIRE = PROTOS.parent / "pynq_async" / "wire"

SCALARS = {
    FieldDescriptorProto.TYPE_STRING: "str",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_UINT32: "int",
    FieldDescriptorProto.TYPE_UINT64: "int",
    FieldDescriptorProto.TYPE_ENUM: "int",
}


def descriptor_set() -> FileDescriptorSet:
    """Run protoc over every .proto file here, in the order of their names."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "descriptors.binpb")
        sources = sorted(str(path) for path in PROTOS.glob("*.proto"))
        code = protoc.main(["protoc", f"-I{PROTOS}", f"--descriptor_set_out={out}", *sources])

        if code:
            raise SystemExit(f"protoc failed with exit code {code}")

        return FileDescriptorSet.FromString(out.read_bytes())


def field_type(field: FieldDescriptorProto) -> str:
    """The Python type of a field, as its getter returns it."""
    kind = field.type_name.rsplit(".", 1)[-1] if field.type == field.TYPE_MESSAGE else SCALARS[field.type]
    return f"MutableSequence[{kind}]" if field.label == field.LABEL_REPEATED else kind


def stub_class(message: DescriptorProto) -> list[str]:
    """One message as lines of a stub: attributes, enum values and a keyword-only constructor."""
    lines = [f"class {message.name}(Message):"]
    lines += [f"    {value.name}: int" for enum in message.enum_type for value in enum.value]
    lines += [f"    {field.name}: {field_type(field)}" for field in message.field]
    keywords = "".join(
        f", {field.name}: {field_type(field).replace('MutableSequence', 'Iterable')} | None = ..."
        for field in message.field
    )
    lines.append(f"    def __init__(self{', *' + keywords if keywords else ''}) -> None: ...")
    return [*lines, ""]


def stub(files: FileDescriptorSet) -> str:
    """The text of messages.pyi."""
    lines = [
        "# Written by protos/compile.py from the .proto files; run `nox -s protos` to write it again.",
        "from collections.abc import Iterable, MutableSequence",
        "from google.protobuf.descriptor_pool import DescriptorPool",
        "from google.protobuf.message import Message",
        "",
        "POOL: DescriptorPool",
        "FILE_NAMES: tuple[str, ...]",
        "",
    ]

    for file in files.file:
        for message in file.message_type:
            lines += stub_class(message)

    return "\n".join(lines)


def main() -> int:
    """Write both files, or compare them with `--check`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare with what is there")
    check: bool = parser.parse_args().check
    files = descriptor_set()
    binary, text = WIRE / "descriptors.binpb", WIRE / "messages.pyi"

    if check:
        fresh = FileDescriptorSet.FromString(binary.read_bytes()) == files and text.read_text() == stub(files)
        sys.stderr.write("" if fresh else "the compiled protos are out of date: run `nox -s protos`\n")
        return 0 if fresh else 1

    binary.write_bytes(files.SerializeToString())
    text.write_text(stub(files))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
