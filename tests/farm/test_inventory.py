"""The inventory file: what it gives, and that what is wrong is said by line and field."""

import inspect
import json
import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pynq_async import Address, BoardFarm, Limits, RemoteDevice, Timeouts, Tls
from pynq_async.errors import InvalidArgument, InventoryError
from pynq_async.farm import INVENTORY_SCHEMA, BoardSpec, load_inventory
from pynq_async.farm.toml_file import TomlFile
from pynq_async.sim import Link, SimBoard, serve

from ..boards import assert_no_tasks_left
from ..certificates import Certificates

SCHEMA = json.loads(INVENTORY_SCHEMA.read_text())
EXAMPLE = Path(__file__).parents[2] / "examples" / "inventory.toml"

LAB = """\
[defaults]
tags = ["lab-2"]
timeouts = { connect = 3, call = 2.5 }
tls = { ca = "lab-ca.pem", server_name = "boards.lab" }

[[board]]
name = "bench-left"
address = "192.168.2.99"
tags = ["camera", "zcu104"]
timeouts = { connect = 1.0 }
limits = { streams = 2 }
tls = { server_name = "bench-left.lab", certificate = "keys/me.pem", key = "/etc/me.key" }

[[board]]
name = "shelf"
address = "shelf.lab:7968"
tags = ["zcu104"]
tls = false
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return written(tmp_path, LAB)


def written(folder: Path, text: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(text)
    return path


def test_an_inventory_gives_boards_with_what_they_and_the_defaults_say(lab: Path) -> None:
    folder = lab.parent
    left, shelf = load_inventory(lab)
    assert left == BoardSpec(
        "bench-left",
        Address("192.168.2.99"),
        tags=frozenset({"lab-2", "camera", "zcu104"}),
        tls=Tls(
            ca=folder / "lab-ca.pem",
            certificate=folder / "keys" / "me.pem",
            key=Path("/etc/me.key"),
            server_name="bench-left.lab",
        ),
        timeouts=Timeouts(connect=1.0, call=2.5),
        limits=Limits(streams=2),
    )
    assert shelf == BoardSpec(
        "shelf", Address("shelf.lab", 7968), frozenset({"lab-2", "zcu104"}), timeouts=Timeouts(connect=3, call=2.5)
    )


def test_paths_are_relative_to_the_inventory_wherever_it_is_read_from(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.parent)
    (left, _) = load_inventory("lab.toml")
    assert left.tls is not None and left.tls.ca == lab.parent / "lab-ca.pem"


def test_boards_behind_one_terminator_have_one_address_and_names_of_their_own(tmp_path: Path) -> None:
    boards = [
        f'[[board]]\nname = "{name}"\naddress = "shelf.lab:8443"\ntls = {{ server_name = "{name}.lab" }}\n'
        for name in ("a", "b")
    ]
    a, b = load_inventory(written(tmp_path, "".join(boards)))
    assert a.address == b.address and a.tls != b.tls


def test_a_file_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_bytes(b"\xef\xbb\xbf" + LAB.replace("\n", "\r\n").encode())
    assert [board.name for board in load_inventory(path)] == ["bench-left", "shelf"]


def test_boards_are_chosen_by_name_and_tag(lab: Path) -> None:
    def chosen(**options: Any) -> list[str]:
        return [board.name for board in load_inventory(lab, **options)]

    assert chosen(names=["shelf", "bench-left", "shelf"]) == ["shelf", "bench-left"]
    assert chosen(names="shelf") == chosen(names=["shelf"], tags="lab-2") == ["shelf"]
    assert chosen(tags=["zcu104", "camera"]) == ["bench-left"]
    assert list(BoardFarm.from_inventory(lab, tags="camera")) == ["bench-left"]

    with pytest.raises(InvalidArgument, match=r"lab.toml: there is no board called 'shelff'; did you mean 'shelf'\?"):
        chosen(names=["shelff"])

    with pytest.raises(InvalidArgument, match=r"no board has the tag 'gpu'; there are camera, lab-2, zcu104"):
        chosen(tags=["zcu104", "gpu"])

    with pytest.raises(InvalidArgument, match="no board of those has the tags camera"):
        chosen(names=["shelf"], tags="camera")


HEAD = '[[board]]\nname = "a"\naddress = "10.0.0.1"\n'

# What is wrong, the line and the field that are named, and words of the message.
BAD = [
    (HEAD + 'tag = ["x"]', 4, "board 'a', tag", "there is no such key; did you mean 'tags'?"),
    (HEAD + "colour = 1", 4, "board 'a', colour", "no such key; there are address, limits, name, tags, timeouts, tls"),
    (HEAD + 'tags = "camera"', 4, "board 'a', tags", "'camera' is not a list of texts"),
    (HEAD + 'tags = [\n  "x",\n  3,\n]', 4, "board 'a', tags", "a list is not a list of texts"),
    (HEAD + 'tags = [""]', 4, "board 'a', tags", "a list of texts"),
    (HEAD + "timeouts = { connect = 0 }", 4, "board 'a', timeouts.connect", "0 is not a number above 0"),
    (HEAD + 'timeouts.call = "5 s"', 4, "board 'a', timeouts.call", "'5 s' is not a number above 0"),
    (HEAD + "[board.timeouts]\ncall = 1\nstall = true", 6, "board 'a', timeouts.stall", "true is not a number above 0"),
    (HEAD + "timeouts = 5", 4, "board 'a', timeouts", "5 is not a table"),
    (HEAD + "[board.limits]\n\nstreams = 2.5", 6, "board 'a', limits.streams", "2.5 is not a whole number above 0"),
    (HEAD + "limits = { streems = 2 }", 4, "board 'a', limits.streems", "did you mean 'streams'?"),
    (HEAD + "tls = true", 4, "board 'a', tls", "true is not a table"),
    (HEAD + 'tls = { ca = "" }', 4, "board 'a', tls.ca", "'' is not a text with something in it"),
    (HEAD + "[board.tls]\nca = 1", 5, "board 'a', tls.ca", "1 is not a text"),
    (HEAD + '[board.tls]\nca = "a.pem"\ncertificate = "c.pem"', 4, "board 'a', tls", "needs its key"),
    (HEAD + '[board.tls]\nca = "a.pem"\nserver_name = "a b"', 6, "board 'a', tls.server_name", "is no server name"),
    (HEAD + '[[board]]\n\nname = "b"', 4, "board 'b'", "has no address"),
    (HEAD + '[[board]]\naddress = "10.0.0.2"', 4, "board number 2", "has no name"),
    (HEAD + '[[board]]\naddress = "10.0.0.2"\nname = 3', 6, "board number 2, name", "3 is not a text"),
    (HEAD.replace("10.0.0.1", "a b"), 3, "board 'a', address", "'a b' is no host name"),
    (HEAD + "[defaults]\ntimeout = 3", 5, "defaults.timeout", "did you mean 'timeouts'?"),
    (HEAD + "[defaults]\nname = 'x'", 5, "defaults.name", "there is no such key"),
    (HEAD + "[defaults]\nlimits = { calls = -1 }", 5, "defaults.limits.calls", "-1 is not a whole number above 0"),
    ("defaults = 1\n" + HEAD, 1, "defaults", "1 is not a table"),
    (HEAD + "[boards]", 4, "boards", "there is no such key; did you mean 'board'?"),
    ('# lab\n[board]\nname = "a"', 2, "board", "write [[board]], with two brackets"),
    ("board = [\n  1,\n]", 1, "board number 1", "1 is not a table"),
    ("[defaults]", 1, "board", "the inventory names no board"),
    ("", 1, "board", "the inventory names no board"),
]

# What only the parser can say.
BEYOND_SCHEMA = [
    (
        HEAD + '\n[[board]]\naddress = "10.0.0.2"\nname = "a"\n',
        7,
        "board 'a', name",
        "the board in line 2 is called 'a' too",
    ),
    (
        HEAD + '[[board]]\nname = "b"\naddress = "10.0.0.1:7967"\n',
        6,
        "board 'b', address",
        "the board in line 3 is at 10.0.0.1 too",
    ),
    (HEAD.replace("10.0.0.1", "10.0.0.1:99999"), 3, "board 'a', address", "port 99999 is not between 1 and 65535"),
    (HEAD + "limits = { calls = 4.0 }", 4, "board 'a', limits.calls", "4.0 is not a whole number"),
    (HEAD + "timeouts = { call = nan }", 4, "board 'a', timeouts.call", "nan is not a number above 0"),
    (HEAD + 'name = "b"', 4, "", "Cannot overwrite a value"),
    (HEAD + "tags = [", 4, "", ""),
    (HEAD + "x = " + "[" * 5000, 4, "", ""),
    (HEAD + "x = " + "1" * 5000, 4, "", "digit"),
]


@pytest.mark.parametrize(
    ("text", "line", "field", "words"), BAD + BEYOND_SCHEMA, ids=range(len(BAD) + len(BEYOND_SCHEMA))
)
def test_what_is_wrong_is_said_by_line_and_field(tmp_path: Path, text: str, line: int, field: str, words: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(InventoryError) as caught:
        load_inventory(path)

    assert (caught.value.line, caught.value.field) == (line, field)
    assert str(caught.value).startswith(f"{path}:{line}: {field}")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="missing.toml: cannot be read: No such file") as caught:
        load_inventory(tmp_path / "missing.toml")

    assert caught.value.line is None
    (tmp_path / "latin.toml").write_bytes(b'name = "M\xfcnchen"')

    with pytest.raises(InventoryError, match="latin.toml: is no UTF-8 text"):
        load_inventory(tmp_path / "latin.toml")


def test_a_statement_is_found_however_it_is_written(tmp_path: Path) -> None:
    text = '''\
# line 1
defaults.timeouts."connect" = 3
defaults.tags = [  # 3
  "a # no comment",
  "]",
]

[[ board ]]  # 8
name = """
[[board]]
name = 'x'
"""  # 9 to 12
address = 'b'

[ board.limits ]

calls = 3
[[board]]  # 18
address = "c"
timeouts = { connect = 1, "call" = 2 }
'''
    file = TomlFile.read(written(tmp_path, text))
    lines = {
        ("defaults",): 2,
        ("defaults", "timeouts", "connect"): 2,
        ("defaults", "tags"): 3,
        ("defaults", "tags", 1): 3,
        ("board",): 8,
        ("board", 0): 8,
        ("board", 0, "name"): 9,
        ("board", 0, "address"): 13,
        ("board", 0, "limits"): 15,
        ("board", 0, "limits", "calls"): 17,
        ("board", 0, "limits", "missing"): 15,
        ("board", 1): 18,
        ("board", 1, "name"): 18,
        ("board", 1, "timeouts"): 20,
        ("board", 1, "timeouts", "call"): 20,
        ("elsewhere",): 1,
    }
    assert {keys: file.line(keys) for keys in lines} == lines


def test_the_schema_takes_what_the_parser_takes() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)

    for text in (LAB, HEAD, EXAMPLE.read_text()):
        jsonschema.validate(tomllib.loads(text), SCHEMA)

    assert load_inventory(EXAMPLE)


@pytest.mark.parametrize("text", [text for text, *_ in BAD], ids=range(len(BAD)))
def test_the_schema_refuses_what_the_parser_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), SCHEMA)


@pytest.mark.parametrize(("kind", "section"), [(Tls, "tls"), (Timeouts, "timeouts"), (Limits, "limits")])
def test_the_schema_says_what_the_classes_say(kind: type[Any], section: str) -> None:
    table = SCHEMA["definitions"][section]
    properties = (table["anyOf"][1] if "anyOf" in table else table)["properties"]
    assert list(properties) == [field.name for field in fields(kind)]
    _, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:")
    described = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE))
    types: dict[Any, str] = {float: "number", int: "integer"}

    for field in fields(kind):
        shown = properties[field.name]
        assert shown["description"].startswith(" ".join(described[field.name].split()))
        assert shown["type"] == types.get(field.type, "string")
        assert shown.get("default") == (None if field.default is MISSING else field.default)


def test_the_schema_knows_the_keys_of_a_board() -> None:
    board, defaults = SCHEMA["definitions"]["board"]["properties"], SCHEMA["properties"]["defaults"]["properties"]
    assert set(board) == {field.name for field in fields(BoardSpec)} - {"locked"}
    assert set(defaults) == set(board) - {"name", "address"}


async def test_a_farm_opens_from_an_inventory(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)

    async with (
        serve(SimBoard()) as plain,
        serve(SimBoard(seed=1)) as behind,
        Link(behind, tls=certificates.terminator("board.lab", clients=True)) as secured,
    ):
        path = written(
            tmp_path,
            f"""
            defaults.tls = {{ ca = "ca.pem", certificate = "client.pem", key = "client.key" }}

            [[board]]
            name = "plain"
            address = "{plain}"
            tls = false
            timeouts = {{ call = 2 }}

            [[board]]
            name = "secured"
            address = "{secured}"
            tls = {{ server_name = "board.lab" }}
            """,
        )

        async with BoardFarm.from_inventory(path) as farm:
            assert dict(await farm.run(_model)) == {"plain": "Pynq-Z2", "secured": "Pynq-Z2"}
            assert farm["plain"].timeouts == Timeouts(call=2)

        async with BoardFarm.from_inventory(path, names=["plain"]) as farm:
            assert list(farm) == ["plain"]

    assert_no_tasks_left()


async def _model(board: RemoteDevice) -> str:
    return board.model
