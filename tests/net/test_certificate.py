"""Whom certificates name, and what people are told of them (RFC 5922 section 7, RFC 9525 section 6)."""

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import DNSName, IPAddress, RFC822Name, UniformResourceIdentifier
from hypothesis import given, strategies as st

from custom_components.sip_ua.net.certificate import describe, fingerprint, identities, is_for
from custom_components.sip_ua.sip.events import CertificateFacts

from .certificates import CertificateAuthority


def alternative(*names: tuple[str, str]) -> dict[str, object]:
    return {"subject": ((("commonName", "cn.example.com"),),), "subjectAltName": names}


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (alternative(("DNS", "A.example.com"), ("IP Address", "192.0.2.1")), ["a.example.com", "192.0.2.1"]),
        (alternative(("URI", "SIP:Example.com:5061;x=y")), ["example.com"]),
        (alternative(("URI", "sip:bob@example.com"), ("URI", "https://example.com")), []),
        (alternative(("URI", "sip:*.example.com"), ("email", "bob@example.com")), []),
        (alternative(("IP Address", "2001:DB8:0:0:0:0:0:1")), ["2001:db8::1"]),
        ({"subject": ((("commonName", "CN.example.com"),),)}, ["cn.example.com"]),
        ({"subject": ((("commonName", "*.example.com"),),)}, []),
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
def test_a_wildcard_of_a_host_name_stands_for_one_label(identity: str, name: str, trusted: bool) -> None:
    assert is_for(alternative(("DNS", identity)), [name]) is trusted


@pytest.mark.parametrize("name", ["::1", "0:0:0:0:0:0:0:1", "0::0:1"])
def test_an_ipv6_address_is_trusted_however_it_is_written(name: str) -> None:
    assert is_for(alternative(("IP Address", "0:0:0:0:0:0:0:1")), [name])
    assert not is_for(alternative(("IP Address", "0:0:0:0:0:0:0:2")), [name])


def test_a_refused_certificate_is_described(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    der = authority.der(
        DNSName("pbx.example.com"),
        UniformResourceIdentifier("sip:example.com"),
        IPAddress(ip_address("2001:db8::1")),
        RFC822Name("bob@example.com"),
        subject="B\u00fcro\n\u200b",
    )
    assert describe(der) == CertificateFacts(
        subject="B\u00fcro",
        issuer="Home Root",
        names=("pbx.example.com", "sip:example.com", "2001:db8::1"),
        not_before=str((dt.datetime.now(dt.UTC) - dt.timedelta(days=30)).date()),
        not_after=str((dt.datetime.now(dt.UTC) + dt.timedelta(days=10)).date()),
        fingerprint=x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex(":").upper(),
    )
    assert describe(authority.der(RFC822Name("bob@example.com"))).names == ()


def test_of_many_names_a_few_are_told(tmp_path: Path) -> None:
    der = CertificateAuthority(tmp_path).der(*(DNSName(f"{number}.example.com") for number in range(50)))
    assert describe(der).names == ("0.example.com", "1.example.com", "2.example.com", "3.example.com")


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
    assert describe(SAMPLE) == CertificateFacts(
        subject="pbx",
        issuer="Home Root",
        names=("pbx.example.com",),
        not_before="2026-10-23",
        not_after="2026-12-02",
        fingerprint=fingerprint(SAMPLE),
    )


def test_certificates_of_this_and_the_last_century_are_told_apart() -> None:
    assert describe(SAMPLE.replace(b"261202120757Z", b"501202120757Z")).not_after == "1950-12-02"
    assert describe(SAMPLE.replace(b"261202120757Z", b"491202120757Z")).not_after == "2049-12-02"


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 255))
def test_any_octets_are_described_or_not(noise: bytes, position: int, octet: int) -> None:
    damaged = bytearray(SAMPLE)
    damaged[position % len(damaged)] = octet
    for data in (noise, SAMPLE[:position] + noise, bytes(damaged)):
        facts = describe(data)
        assert len(facts.names) <= 4
        assert max(len(text) for text in (facts.subject, facts.issuer, *facts.names)) <= 64
        assert len(facts.not_after) in (0, 10)
