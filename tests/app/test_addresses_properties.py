"""Addresses that people give and names that clients call a server by: only what is one is taken for one."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.client.address import Address
from decalage.app.server.door import Door, names_of
from decalage.errors import UsageError
from tests.properties import raised

PARTS = st.lists(
    st.sampled_from(
        [
            "http",
            "wss",
            "://",
            ":",
            "/",
            "[::1]",
            "localhost",
            "127.0.0.1",
            "8765",
            "/v1/",
            "@",
            "?to=pt",
            "#",
        ]
    )
    | st.sampled_from(["talks.example", ".", "é", "℀", " ", "\n", "[", "]", "%2F", "\\", "\u202e", "\ud800"]),
    max_size=8,
).map("".join)
DOOR = Door(token="let me in", hosts=names_of("talks.example", ["[::1]"]))  # noqa: S106 - opens nothing
NAMES = {"talks.example", "localhost", "127.0.0.1", "::1"}


@given(PARTS | st.text(max_size=30))
def test_any_text_is_the_address_of_one_server_or_bad_usage(given: str) -> None:
    if raised(UsageError, lambda: Address.parsed(given)) is not None:
        return
    found = Address.parsed(given)
    again = Address.parsed(str(found))
    assert (again.secure, urlsplit(again.stream).netloc) == (found.secure, urlsplit(found.stream).netloc)
    assert str(found).isprintable()
    assert " " not in str(found)


@pytest.mark.parametrize(
    "given",
    [
        "http://[",
        "http://[::1",
        "http://℀.example",
        "http://a b",
        "http://a\\b",
        "h\u202eost",
        "host:x",
        "a@b",
    ],
)
def test_what_no_request_could_hold_is_no_address(given: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a server"):
        Address.parsed(given)


@given(PARTS | st.text(max_size=20))
def test_a_host_is_known_by_its_whole_name_alone(host: str) -> None:
    if DOOR.knows_host(host):
        name, _, port = host.rpartition(":")
        alone = host if host in ("::1", "[::1]") or ":" not in host else name
        assert alone.strip("[]").lower().removesuffix(".") in NAMES
        assert alone == host or port.isdecimal() or not port


@pytest.mark.parametrize(
    "host",
    [
        "localhost/evil.example",
        "evil.example@localhost",
        "localhost?evil.example",
        "localhost#evil.example",
        "localhost\\evil.example",
        "localhost::",
        "localhost:80:80",
        "[::1]evil.example",
        "localhost:8٨",
        " localhost",
        "",
    ],
)
def test_a_name_with_more_around_it_is_not_known(host: str) -> None:
    assert not DOOR.knows_host(host)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8765", "talks.example.:443", "[::1]:80", "::1", "127.0.0.1:"]
)
def test_a_name_with_a_port_or_a_dot_is_known(host: str) -> None:
    assert DOOR.knows_host(host)


@given(PARTS, PARTS)
def test_a_page_is_the_servers_own_only_from_its_very_host(origin: str, host: str) -> None:
    known = DOOR.knows_origin(origin, host)
    assert known == (bool(host) and origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower()))


def test_where_nothing_is_called_nothing_is_its_own() -> None:
    for origin in ("http", "http://", "", "null"):
        assert not DOOR.knows_origin(origin, "")
        assert not DOOR.knows_origin(origin, None)


@given(st.none() | st.text(st.characters(), max_size=12))
def test_only_the_token_itself_opens(token: str | None) -> None:
    assert not DOOR.admits(token)
    assert DOOR.admits("let me in")
