"""TLS for signalling: contexts built off the event loop, and who was not trusted (RFC 3261 section 26, RFC 5922)."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final, override

from .certificate import describe, identities, is_for

HANDSHAKE_TIMEOUT: Final = 10.0
SHUTDOWN_TIMEOUT: Final = 1.0
MAX_NAMES_IN_TEXT: Final = 4


class UntrustedCertificateError(ssl.SSLError):
    """A certificate that is not trusted or speaks for somebody else; the text names it and its issuer."""


class _Connection(ssl.SSLObject):
    """Says in its error whose certificate it refused, which the plain error does not."""

    @override
    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            chain = self.get_unverified_chain()
            names = describe(chain[0] if chain else b"")
            raise UntrustedCertificateError(
                f"the certificate of {names.subject or 'the server'}, issued by {names.issuer or 'nobody named'}, "
                f"is not trusted: {error.verify_message}"
            ) from None


class TlsContexts:
    """The two contexts, with and without a check of certificates, each built once."""

    def __init__(self, cafile: str | None = None) -> None:
        """Trust what the system trusts, or the certificates of `cafile` alone."""
        self._cafile = cafile
        self._contexts: dict[bool, ssl.SSLContext] = {}

    async def get(self, *, verify: bool) -> ssl.SSLContext:
        """Return a client context; the trusted certificates are read from disk by another thread."""
        if verify not in self._contexts:
            built = await asyncio.get_running_loop().run_in_executor(None, self._build, verify)
            self._contexts.setdefault(verify, built)
        return self._contexts[verify]

    def _build(self, verify: bool) -> ssl.SSLContext:  # noqa: FBT001 - run_in_executor passes by position
        context = ssl.create_default_context(cafile=self._cafile)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Whom it speaks for is checked by `check_peer`: OpenSSL does not know the identities of SIP domains.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        # Certificate authorities made at home seldom carry every extension that the strict profile asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.sslobject_class = _Connection
        return context


def check_peer(connection: ssl.SSLObject, expected: Iterable[str]) -> None:
    """Check that a verified peer speaks for one of the expected names; raises UntrustedCertificateError."""
    certificate = connection.getpeercert() or {}
    expected = tuple(expected)
    if is_for(certificate, expected):
        return
    held = identities(certificate)[:MAX_NAMES_IN_TEXT]
    names = describe(connection.getpeercert(binary_form=True) or b"")
    raise UntrustedCertificateError(
        f"the certificate, issued by {names.issuer or 'nobody named'}, is for {', '.join(held) or 'nobody'} "
        f"and not for {' or '.join(expected)}"
    )
