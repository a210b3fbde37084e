import pytest

from pynq_async import Address, RemoteDevice
from pynq_async.errors import InvalidArgument
from pynq_async.sim import SimBoard


@pytest.mark.parametrize(
    ("text", "host", "port", "shown", "target"),
    [
        ("192.168.2.99", "192.168.2.99", 7967, "192.168.2.99", "192.168.2.99:7967"),
        (" board.lab:1234 ", "board.lab", 1234, "board.lab:1234", "board.lab:1234"),
        ("fe80::1", "fe80::1", 7967, "fe80::1", "[fe80::1]:7967"),
        ("[fe80::1]:99", "fe80::1", 99, "[fe80::1]:99", "[fe80::1]:99"),
        ("[::1]", "::1", 7967, "::1", "[::1]:7967"),
    ],
)
def test_addresses_are_read_and_shown(text: str, host: str, port: int, shown: str, target: str) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, str(address), address.target) == (host, port, shown, target)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", ":7967", "host:", "host:0", "host:99999", "host:port", "a b", "[::1", "[x]:1", "a:1:2", "http://x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Address.parse(text)


async def test_boards_come_from_the_environment(sim: SimBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_REMOTE_DEVICES", f"10.0.0.1, {sim.address} ,")
    assert RemoteDevice.from_env().name == "10.0.0.1"

    async with RemoteDevice.from_env(1) as board:
        assert board.name == sim.address

    with pytest.raises(InvalidArgument, match="names 2 boards: there is no number"):
        RemoteDevice.from_env(2)


@pytest.mark.parametrize("value", ["", " , ", None])
def test_an_empty_environment_says_what_to_set(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_REMOTE_DEVICES", raising=False)

    if value is not None:
        monkeypatch.setenv("PYNQ_REMOTE_DEVICES", value)

    with pytest.raises(InvalidArgument, match="PYNQ_REMOTE_DEVICES names no board"):
        RemoteDevice.from_env()
