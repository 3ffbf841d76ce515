"""Messages, growth measurements and strategies for the tests of the wire room."""

import gc
from collections.abc import Callable
from time import thread_time

from hypothesis import strategies as st

from custom_components.sip_ua.sip.headers import CSeq, NameAddr, Via
from custom_components.sip_ua.sip.uri import Params, SipUri

OPTIONS = (
    "OPTIONS sip:bob@pbx.example SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
    "From: <sip:alice@pbx.example>;tag=a1",
    "To: <sip:bob@pbx.example>",
    "Call-ID: c1@192.0.2.1",
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
)


def raw(*lines: str, body: bytes = b"", end: str = "\r\n") -> bytes:
    """Return lines as a message."""
    return (end.join(lines) + end + end).encode("utf-8", "surrogateescape") + body


def options(*extra: str, without: str = "", body: bytes = b"") -> bytes:
    """Return an OPTIONS with more header lines, and without those that begin with `without`."""
    kept = [line for line in OPTIONS if not without or not line.startswith(without)]
    return raw(*kept, *extra, body=body)


LINEAR = 24
"""Bound for `growth`, between 8 for linear and 64 for quadratic work."""


def growth(work: Callable[[str], object], make: Callable[[int], str]) -> float:
    """Return how many times more processor time `work` takes for a text eight times as long.

    Tried again while the machine is too noisy to show that it is linear: quadratic work never looks so.
    """
    short, long = make(4_000), make(32_000)
    lowest = float("inf")
    gc.disable()
    try:
        for _ in range(10):
            base = min(_processor_time(work, short) for _ in range(3))
            lowest = min(lowest, min(_processor_time(work, long) for _ in range(2)) / base)
            if lowest < LINEAR:
                break
    finally:
        gc.enable()
    return lowest


def _processor_time(work: Callable[[str], object], text: str) -> float:
    begin = thread_time()
    work(text)
    return thread_time() - begin


# Texts that may stand in a header value: neither line breaks nor what no UTF-8 can say.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=40)
tokens = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
hosts = st.one_of(
    st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?(\.[a-z][a-z0-9]{0,8}){0,2}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
ports = st.none() | st.integers(1, 65535)
params = st.dictionaries(tokens.map(str.lower), st.none() | tokens, max_size=4).map(Params)
uri_params = st.dictionaries(
    st.text("abcxyz019-_.", min_size=1, max_size=8), st.none() | st.text("abcXYZ019-.%", min_size=1), max_size=4
).map(Params)
uris = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    st.none() | texts.filter(bool),
    st.none(),
    hosts,
    ports,
    uri_params,
    st.sampled_from(["", "Subject=hello%20you", "a=b&c=d"]),
)
name_addrs = st.builds(NameAddr, texts, uris, params)
vias = st.builds(Via, st.sampled_from(["UDP", "TCP", "TLS", "SCTP"]), hosts, ports, params)
cseqs = st.builds(CSeq, st.integers(0, 2**31 - 1), tokens)
