"""Whom TLS trusts, and what people are told when it does not (RFC 3261 section 26.3, RFC 5922)."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, IPAddress, RFC822Name, UniformResourceIdentifier
from hypothesis import given, strategies as st

from custom_components.sip_ua.net.certificate import CertificateNames, describe, identities, is_for
from custom_components.sip_ua.net.connections import Admission
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.tls import TlsContexts
from custom_components.sip_ua.net.transport import TransportHandlers, Transports
from custom_components.sip_ua.sip.account import Account, NetworkSettings, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address, Hop, Lookup
from custom_components.sip_ua.sip.events import RegistrationFailure

from .certificates import CertificateAuthority

HOME = "127.0.0.1"
MESSAGE = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"
REPLY = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
ACCOUNT = Account(
    number="12",
    domain="example.com",
    server=ServerAddress("localhost"),
    transport=Transport.TLS,
    network=NetworkSettings(bind_address=HOME),
)

type Outcome = bytes | tuple[RegistrationFailure, str]


class Server:
    """Answers the first octets of each connection, and keeps the names that it was asked for."""

    def __init__(self) -> None:
        self.asked_for: list[str | None] = []
        self.port = 0

    def _asked(self, _connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.asked_for.append(name)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(len(MESSAGE))
        writer.write(REPLY)
        await reader.read()
        writer.close()

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext | None) -> AsyncIterator[Server]:
        if context is not None:
            context.sni_callback = self._asked
        async with await asyncio.start_server(self._serve, HOME, 0, ssl=context) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


async def talk(
    resolver: Resolver, port: int, *, cafile: str | None, account: Account = ACCOUNT, host: str = "localhost"
) -> Outcome:
    """Send a message to a TLS server found under `host`, return the answer or why there is none."""
    told: asyncio.Queue[Outcome] = asyncio.Queue()

    def message(data: bytes, hop: Hop) -> None:
        assert hop.remote == Address(Transport.TLS, HOME, port)
        told.put_nowait(data)

    def nobody(_host: str) -> bool:
        return False

    def failed(address: Address, failure: RegistrationFailure, text: str) -> None:
        assert address == Address(Transport.TLS, HOME, port)
        told.put_nowait((failure, text))

    transports = Transports(
        account,
        resolver,
        TransportHandlers(message, failed, lambda: None, Admission(nobody, nobody)),
        tls=TlsContexts(cafile),
    )
    await transports.start()
    try:
        hops = await transports.locate(Lookup(1, host, port, Transport.TLS))
        transports.send(hops[0].remote, MESSAGE)
        return await asyncio.wait_for(told.get(), 5)
    finally:
        await transports.close()


@pytest.mark.parametrize(
    "name",
    [
        DNSName("localhost"),
        DNSName("LocalHost"),
        DNSName("example.com"),
        UniformResourceIdentifier("sip:example.com"),
        UniformResourceIdentifier("sip:localhost;transport=tls"),
    ],
    ids=["the server's name", "in other case", "the domain", "the domain as a URI", "the server as a URI"],
)
async def test_a_server_with_the_right_name_is_trusted(
    resolver: Resolver,
    authority: CertificateAuthority,
    name: DNSName | UniformResourceIdentifier,
) -> None:
    async with Server().running(authority.context(name)) as server:
        assert await talk(resolver, server.port, cafile=authority.cafile) == REPLY
        assert server.asked_for == ["localhost"]


async def test_a_numeric_server_is_trusted_by_its_address(resolver: Resolver, authority: CertificateAuthority) -> None:
    async with Server().running(authority.context(IPAddress(ip_address(HOME)))) as server:
        assert await talk(resolver, server.port, cafile=authority.cafile, host=HOME) == REPLY


async def test_a_certificate_for_somebody_else_is_told_with_all_names(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    context = authority.context(DNSName("pbx.example.net"), DNSName("other.example.net"))
    async with Server().running(context) as server:
        assert await talk(resolver, server.port, cafile=authority.cafile) == (
            RegistrationFailure.CERTIFICATE,
            (
                "the certificate, issued by Home Root, is for pbx.example.net, other.example.net "
                "and not for localhost or example.com"
            ),
        )


async def test_an_authority_that_nobody_trusts_is_told_by_its_name(
    resolver: Resolver, authority: CertificateAuthority, tmp_path: Path
) -> None:
    other = CertificateAuthority(tmp_path, "Other Root")
    async with Server().running(authority.context(DNSName("localhost"), subject="pbx")) as server:
        failure, text = await talk(resolver, server.port, cafile=other.cafile)
        assert failure is RegistrationFailure.CERTIFICATE
        assert isinstance(text, str)
        assert text.startswith("the certificate of pbx, issued by Home Root, is not trusted: ")


async def test_a_certificate_that_is_over_is_not_trusted(resolver: Resolver, authority: CertificateAuthority) -> None:
    async with Server().running(authority.context(DNSName("localhost"), subject="pbx", days=-1)) as server:
        assert await talk(resolver, server.port, cafile=authority.cafile) == (
            RegistrationFailure.CERTIFICATE,
            "the certificate of pbx, issued by Home Root, is not trusted: certificate has expired",
        )


async def test_the_owner_may_do_without_the_check(resolver: Resolver, authority: CertificateAuthority) -> None:
    account = replace(ACCOUNT, network=replace(ACCOUNT.network, verify_tls=False))
    async with Server().running(authority.context(DNSName("pbx.example.net"), days=-1)) as server:
        assert await talk(resolver, server.port, cafile=None, account=account) == REPLY


async def test_a_server_without_tls_is_told(resolver: Resolver) -> None:
    async with Server().running(None) as server:
        failure, text = await talk(resolver, server.port, cafile=None)
        assert failure is RegistrationFailure.CONNECTION_REFUSED
        assert text == "no TLS connection: wrong version number"


async def test_contexts_are_built_once_and_not_in_the_event_loop(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    build = TlsContexts._build  # noqa: SLF001 - where the disk is read

    def spy(contexts: TlsContexts, verify: bool) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return build(contexts, verify)

    monkeypatch.setattr(TlsContexts, "_build", spy)
    contexts = TlsContexts(authority.cafile)
    checked = await contexts.get(verify=True)
    assert await contexts.get(verify=True) is checked
    unchecked = await contexts.get(verify=False)
    assert [thread is threading.main_thread() for thread in threads] == [False, False]
    assert checked.minimum_version is unchecked.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (checked.verify_mode, unchecked.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)


def alternative(*names: tuple[str, str]) -> dict[str, object]:
    return {"subject": ((("commonName", "cn.example.com"),),), "subjectAltName": names}


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (alternative(("DNS", "A.example.com"), ("IP Address", "192.0.2.1")), ["a.example.com", "192.0.2.1"]),
        (alternative(("URI", "SIP:Example.com:5061;x=y")), ["example.com"]),
        (alternative(("URI", "sip:bob@example.com"), ("URI", "https://example.com")), ["cn.example.com"]),
        (alternative(("email", "bob@example.com")), ["cn.example.com"]),
        ({}, []),
    ],
)
def test_identities_are_those_of_the_standard(certificate: dict[str, object], expected: list[str]) -> None:
    assert identities(certificate) == expected


@pytest.mark.parametrize(
    ("identity", "name", "trusted"),
    [
        ("pbx.example.com", "PBX.example.com.", True),
        ("pbx.example.com", "example.com", False),
        ("*.example.com", "pbx.example.com", True),
        ("*.example.com", "a.pbx.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.com", "example.com", False),
        ("p*.example.com", "pbx.example.com", False),
        ("*", "localhost", False),
    ],
)
def test_a_wildcard_stands_for_one_label(identity: str, name: str, trusted: bool) -> None:
    assert is_for(alternative(("DNS", identity)), [name]) is trusted


def test_a_refused_certificate_is_described(authority: CertificateAuthority) -> None:
    assert describe(authority.der(subject="B\u00fcro\n\u200b")) == CertificateNames("B\u00fcro", "Home Root")
    assert describe(authority.der(RFC822Name("bob@example.com"))) == CertificateNames("", "Home Root")


SAMPLE = bytes.fromhex(
    "308201413081e8a00302010202146a90c517f9ae23f1302862fd0baf192bb6da778f300a06082a8648ce3d04030230143112"
    "301006035504030c09486f6d6520526f6f74301e170d3236313032333132303735375a170d3236313230323132303735375a"
    "300e310c300a06035504030c037062783059301306072a8648ce3d020106082a8648ce3d03010703420004bc3774acea762e"
    "d15882eeadcff1cd7a3a93161c970d315ba925adea2bbf11d0546f057f5e067b6d30bd4d37cb0de55ed1d96bff940dbff670"
    "655269b89ad678a31e301c301a0603551d1104133011820f7062782e6578616d706c652e636f6d300a06082a8648ce3d0403"
    "020348003045022100d358dc259a8e4e5eef09f3bc16595527c37ffe3beb9e0b114cfcd0bc0eda5be3022059db88cc8f0352"
    "787be824bb8abe42bfd28fff2f41f8f01a90df062b3fccaadb"
)


def test_the_sample_is_a_certificate() -> None:
    assert describe(SAMPLE) == CertificateNames("pbx", "Home Root")


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 255))
def test_any_octets_are_described_or_not(noise: bytes, position: int, octet: int) -> None:
    damaged = bytearray(SAMPLE)
    damaged[position % len(damaged)] = octet
    for data in (noise, SAMPLE[:position] + noise, bytes(damaged)):
        names = describe(data)
        assert len(names.subject) <= 64
        assert len(names.issuer) <= 64
