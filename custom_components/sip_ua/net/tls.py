"""TLS for signalling: a context built off the event loop, and who is not trusted (RFC 3261 section 26, RFC 5922).

Whom a certificate must speak for is checked here and not by OpenSSL, which does not know the identities of SIP
domains. A pinned certificate is its own proof: names, issuer and dates are not looked at (RFC 7671 section 5.1 for the
same case in DANE).
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final, override

from ..sip.account import CertificateCheck, TlsSettings
from ..sip.events import CertificateFacts, RegistrationFailure
from .certificate import describe, fingerprint, is_for

HANDSHAKE_TIMEOUT: Final = 10.0
SHUTDOWN_TIMEOUT: Final = 1.0
MAX_DATES: Final = 32
_CHECKED_BY_OPENSSL: Final = frozenset({CertificateCheck.TRUSTED, CertificateCheck.AUTHORITY})
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED
_OUT_OF_DATE: Final = frozenset({9, 10})


class UntrustedCertificateError(ssl.SSLError):
    """A certificate that is not accepted; the text says why and what people can compare, `failure` which kind it is.

    `certificate` is what it says of itself.
    """

    def __init__(self, failure: RegistrationFailure, reason: str, held: CertificateFacts) -> None:
        """Name the reason, and what the certificate says of itself."""
        super().__init__(f"{reason} ({_facts(held)})")
        self.failure = failure
        self.certificate = held


class _Connection(ssl.SSLObject):
    """Says in its error whose certificate it refused, which the plain error does not."""

    @override
    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            chain = self.get_unverified_chain()
            dated = error.verify_code in _OUT_OF_DATE
            raise UntrustedCertificateError(
                RegistrationFailure.CERTIFICATE_EXPIRED if dated else RegistrationFailure.CERTIFICATE,
                f"{self.server_hostname or 'the server'}: {error.verify_message}",
                describe(chain[0] if chain else b""),
            ) from None


class TlsTrust:
    """Whom the connections of one account trust."""

    def __init__(self, settings: TlsSettings) -> None:
        """Prepare; no file is read before the first connection."""
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._dates: dict[str, tuple[str, str]] = {}

    async def context(self) -> ssl.SSLContext:
        """Return the client context; the trusted certificates are read from disk by another thread, once.

        Raises ssl.SSLError where the authority of the account is no certificate.
        """
        if self._context is None:
            self._context = await asyncio.get_running_loop().run_in_executor(None, self._build)
        return self._context

    def _build(self) -> ssl.SSLContext:
        settings = self._settings
        own = settings.check is CertificateCheck.AUTHORITY
        context = ssl.create_default_context(cadata=settings.authority if own else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if settings.check in _CHECKED_BY_OPENSSL else ssl.CERT_NONE
        # Certificate authorities made at home seldom carry every extension that the strict profile asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.sslobject_class = _Connection
        return context

    def check(self, connection: ssl.SSLObject, expected: Iterable[str]) -> None:
        """Check, before anything is sent, that the peer is one of the expected names, or the pinned certificate.

        Raises UntrustedCertificateError.
        """
        der = connection.getpeercert(binary_form=True) or b""
        expected = tuple(expected)
        if self._settings.check is CertificateCheck.FINGERPRINT:
            if fingerprint(der) != self._settings.fingerprint:
                raise UntrustedCertificateError(
                    RegistrationFailure.CERTIFICATE_CHANGED,
                    f"{expected[0]}: not the certificate with the fingerprint {self._settings.fingerprint}",
                    describe(der),
                )
        elif self._settings.check in _CHECKED_BY_OPENSSL:
            facts = describe(der)
            if not is_for(connection.getpeercert() or {}, expected):
                raise UntrustedCertificateError(
                    RegistrationFailure.CERTIFICATE_NAME, f"not for {' or '.join(expected)}", facts
                )
            self.note_dates(expected[0], facts)

    def note_dates(self, name: str, facts: CertificateFacts) -> None:
        """Remember the days of an accepted certificate under the name that it was asked for."""
        if facts.not_before and facts.not_after:
            self._dates.pop(name, None)
            self._dates[name] = (facts.not_before, facts.not_after)
            if len(self._dates) > MAX_DATES:
                del self._dates[next(iter(self._dates))]

    def dates(self, names: Iterable[str]) -> tuple[str, str] | None:
        """Return first and last day of the certificate, accepted for one of these names, that ends first.

        None where there is none, or where its dates do not matter.
        """
        known = [self._dates[name] for name in names if name in self._dates]
        return min(known, key=lambda days: days[1], default=None)


def _facts(held: CertificateFacts) -> str:
    """Return what people compare: whom a certificate is for, who issued it, until when, and its fingerprint."""
    parts = (
        ("for", ", ".join(held.names) or held.subject),
        ("issued by", held.issuer),
        ("valid until", held.not_after),
        ("SHA-256 fingerprint", held.fingerprint),
    )
    return "; ".join(f"{name} {value}" for name, value in parts if value) or "it says nothing of itself"
