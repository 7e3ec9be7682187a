"""Whose request it is, however it came and whatever it claims."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.guard import network

PROXIES = network.networks("10.0.0.0/8 fd00::/8")
CLIENT = "198.51.100.7"
addresses = st.ip_addresses().map(str)
proxies = st.ip_addresses(network="10.0.0.0/8").map(str) | st.ip_addresses(network="fd00::/8").map(str)
strangers = addresses.filter(lambda text: not network.within(network.address(text), PROXIES))


def forwarded(*hops: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", ", ".join(hops).encode("latin-1", "replace"))]


def client(peer: str | None, headers: list[tuple[bytes, bytes]]) -> str:
    return str(network.client(peer, headers, trusted=PROXIES))


class TestNetworks:
    @pytest.mark.parametrize(
        ("text", "inside", "outside"),
        [
            ("10.0.0.0/8", "10.1.2.3", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7/24", "192.0.2.99", "192.0.3.1"),
            ("2001:db8::/32", "2001:db8::1", "2001:db9::1"),
            ("10.0.0.0/8,\t2001:db8::/32", "2001:db8::1", "192.0.2.1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("0.0.0.0/0", "::ffff:192.0.2.1", "2001:db8::1"),
        ],
    )
    def test_an_address_lies_in_its_network(self, text: str, inside: str, outside: str) -> None:
        assert network.within(network.address(inside), network.networks(text))
        assert not network.within(network.address(outside), network.networks(text))

    @pytest.mark.parametrize("text", ["here", "10.0.0.0/33", "10.0.0", "10.0.0.0/8/8", "::1/129"])
    def test_what_is_no_network_is_named(self, text: str) -> None:
        with pytest.raises(ValueError, match=text):
            network.networks(f"10.0.0.0/8, {text}")

    def test_no_limit_lets_all_in_and_none_lets_nobody(self) -> None:
        assert network.within(None, None)
        assert network.within(ip_address(CLIENT), None)
        assert not network.within(None, PROXIES)
        assert not network.within(ip_address(CLIENT), ())


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("192.0.2.7", "192.0.2.7"),
            (" 192.0.2.7 ", "192.0.2.7"),
            ("192.0.2.7:443", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
        ],
    )
    def test_it_is_read_as_proxies_write_it(self, text: str, read: str) -> None:
        assert str(network.address(text)) == read

    @pytest.mark.parametrize("text", ["", "unknown", "_hidden", "192.0.2", "192.0.2.256", "1" * 10_000, "[", "]", ":"])
    def test_what_is_none_is_none(self, text: str) -> None:
        assert network.address(text) is None

    @given(st.text())
    def test_no_text_breaks_it(self, text: str) -> None:
        network.address(text)

    @given(addresses)
    def test_every_address_is_read(self, text: str) -> None:
        found = network.address(text)
        assert found is not None
        assert found == getattr(ip_address(text), "ipv4_mapped", None) or found == ip_address(text)


class TestClient:
    def test_who_calls_directly_is_the_client(self) -> None:
        assert client(CLIENT, []) == CLIENT

    def test_a_trusted_proxy_says_who_called_it(self) -> None:
        assert client("10.0.0.1", forwarded(CLIENT)) == CLIENT
        assert client("::ffff:10.0.0.1", forwarded(CLIENT)) == CLIENT
        assert client("10.0.0.1", forwarded(CLIENT, "10.0.0.2", "10.0.0.3")) == CLIENT

    def test_several_headers_are_one_list(self) -> None:
        assert client("10.0.0.1", [*forwarded("1.1.1.1"), *forwarded(CLIENT, "10.0.0.2")]) == CLIENT

    def test_without_trusted_proxies_nothing_is_believed(self) -> None:
        assert str(network.client("127.0.0.1", forwarded(CLIENT))) == "127.0.0.1"

    def test_where_all_are_ours_it_is_the_first(self) -> None:
        assert client("10.0.0.1", forwarded("10.0.0.3", "10.0.0.2")) == "10.0.0.3"

    @pytest.mark.parametrize("spoilt", ["unknown", "", "1.1.1.1, ,", "10.0.0.2, x", "\x00"])
    def test_what_can_t_be_read_is_the_proxy_s(self, spoilt: str) -> None:
        assert client("10.0.0.1", forwarded(spoilt)) == "10.0.0.1"

    def test_a_socket_of_the_file_system_has_no_address(self) -> None:
        assert network.client(None, forwarded(CLIENT), trusted=PROXIES) is None
        assert network.client("", [], trusted=PROXIES) is None

    @given(strangers, st.lists(st.text() | addresses))
    def test_a_stranger_can_t_claim_another_address(self, peer: str, claims: list[str]) -> None:
        assert client(peer, forwarded(*claims)) == str(network.address(peer))

    @given(strangers, proxies, st.lists(proxies, max_size=5), st.lists(st.text() | addresses, max_size=40))
    def test_nor_through_our_proxies(self, stranger: str, peer: str, hops: list[str], claims: list[str]) -> None:
        assert client(peer, forwarded(*claims, stranger, *hops)) == str(network.address(stranger))

    @given(st.text() | st.none(), st.lists(st.tuples(st.just(b"x-forwarded-for"), st.binary())))
    def test_no_header_breaks_it(self, peer: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        network.client(peer, headers, trusted=PROXIES)

    def test_a_list_without_end_is_read_from_its_end(self) -> None:
        assert client("10.0.0.1", forwarded(*["9.9.9.9"] * 100_000, CLIENT, "10.0.0.2")) == CLIENT

    def test_only_the_named_header_is_read(self) -> None:
        both = [*forwarded("203.0.113.1"), (b"cf-connecting-ip", CLIENT.encode())]
        cloudflare = network.client("10.0.0.1", both, trusted=PROXIES, header="cf-connecting-ip")
        assert str(cloudflare) == CLIENT
        assert client("10.0.0.1", both) == "203.0.113.1"

    def test_a_single_address_that_comes_twice_is_none(self) -> None:
        twice = [(b"cf-connecting-ip", CLIENT.encode())] * 2
        assert str(network.client("10.0.0.1", twice, trusted=PROXIES, header="cf-connecting-ip")) == "10.0.0.1"


class TestIsLocal:
    @pytest.mark.parametrize(
        ("peer", "headers"),
        [
            ("127.0.0.1", []),
            ("::1", []),
            ("::ffff:127.0.0.1", []),
            ("127.0.0.1", [(b"host", b"127.0.0.1:8787")]),
            ("127.0.0.1", [(b"host", b"localhost")]),
            ("::1", [(b"host", b"[::1]:8787")]),
            ("127.0.0.1", [(b"origin", b"http://localhost:5173")]),
            ("127.0.0.1", [(b"host", b"shop.localhost:1"), (b"origin", b"http://127.0.0.1:8787")]),
        ],
    )
    def test_who_calls_from_here_is(self, peer: str, headers: list[tuple[bytes, bytes]]) -> None:
        assert network.is_local(peer, headers)

    @pytest.mark.parametrize(
        ("peer", "headers"),
        [
            (None, []),
            ("192.0.2.1", []),
            ("nonsense", []),
            ("127.0.0.1", forwarded("127.0.0.1")),
            ("127.0.0.1", [(b"forwarded", b"for=127.0.0.1")]),
            ("127.0.0.1", [(b"cf-connecting-ip", b"127.0.0.1")]),
            ("127.0.0.1", [(b"host", b"rebound.example:8787")]),
            ("127.0.0.1", [(b"host", b"127.0.0.1.rebound.example")]),
            ("127.0.0.1", [(b"host", b"localhost@rebound.example")]),
            ("127.0.0.1", [(b"host", b"[")]),
            ("127.0.0.1", [(b"host", b"127.0.0.1"), (b"origin", b"https://elsewhere.example")]),
            ("127.0.0.1", [(b"origin", b"null")]),
        ],
    )
    def test_who_comes_by_a_proxy_or_a_page_of_others_isn_t(
        self, peer: str | None, headers: list[tuple[bytes, bytes]]
    ) -> None:
        assert not network.is_local(peer, headers)
