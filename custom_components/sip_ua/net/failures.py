"""What an error of the network means to a person."""

import errno
import os
import ssl
from typing import Final

from ..sip.core import Failure
from ..sip.events import RegistrationFailure
from .tls import UntrustedCertificateError

_BY_NUMBER: Final[dict[int, Failure]] = {
    errno.ECONNREFUSED: Failure(RegistrationFailure.CONNECTION_REFUSED, "nothing listens on this port"),
    errno.ECONNRESET: Failure(RegistrationFailure.CONNECTION_REFUSED, "the other side dropped the connection"),
    errno.EPIPE: Failure(RegistrationFailure.CONNECTION_REFUSED, "the other side closed the connection"),
    errno.EHOSTUNREACH: Failure(RegistrationFailure.NO_ANSWER, "the host cannot be reached"),
    errno.ENETUNREACH: Failure(RegistrationFailure.NO_ANSWER, "the network cannot be reached"),
    errno.ETIMEDOUT: Failure(RegistrationFailure.NO_ANSWER, "no answer"),
}
_OLD_TLS: Final = Failure(RegistrationFailure.TLS_VERSION, "no TLS connection: the server has no TLS 1.2 or newer")
_NO_TLS: Final = Failure(
    RegistrationFailure.CONNECTION_REFUSED, "no TLS connection: what listens there does not speak TLS"
)
_NO_CIPHER: Final = Failure(RegistrationFailure.TLS_VERSION, "no TLS connection: no cipher that both sides accept")
_REFUSED: Final = Failure(
    RegistrationFailure.TLS_VERSION,
    "no TLS connection: the server accepts none of our ciphers, or demands a certificate of this phone",
)
_BY_SSL_REASON: Final[dict[str, Failure]] = {
    "UNSUPPORTED_PROTOCOL": _OLD_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD_TLS,
    "WRONG_SSL_VERSION": _OLD_TLS,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "NO_SHARED_CIPHER": _NO_CIPHER,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _REFUSED,
    "DH_KEY_TOO_SMALL": _NO_CIPHER,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": Failure(
        RegistrationFailure.TLS_VERSION,
        "no TLS connection: the server demands a certificate of this phone, which has none",
    ),
}


def explain(error: BaseException | None) -> Failure:
    """Return the kind of failure and its cause in words; None is a connection that the other side closed."""
    if error is None:
        return _BY_NUMBER[errno.EPIPE]
    if isinstance(error, UntrustedCertificateError):
        return Failure(error.failure, str(error.args[0]), certificate=error.certificate)
    if isinstance(error, ssl.SSLError):
        if (known := _BY_SSL_REASON.get(error.reason or "")) is not None:
            return known
        reason = (error.reason or "handshake failed").replace("_", " ").lower()
        return Failure(RegistrationFailure.CONNECTION_REFUSED, f"no TLS connection: {reason}")
    if isinstance(error, ConnectionError) and error.errno is None:
        # So asyncio says that the other side hung up on a handshake.
        text = "no TLS connection: the other side closed the connection during the handshake"
        return Failure(RegistrationFailure.CONNECTION_REFUSED, text)
    if isinstance(error, TimeoutError) and error.errno is None:
        return Failure(RegistrationFailure.NO_ANSWER, str(error) or "no answer")
    if isinstance(error, OSError) and error.errno is not None:
        return explain_number(error.errno)
    return Failure(RegistrationFailure.NO_ANSWER, str(error) or type(error).__name__)


def explain_number(number: int) -> Failure:
    """Return the same for an error number of the system."""
    return _BY_NUMBER.get(number) or Failure(RegistrationFailure.NO_ANSWER, os.strerror(number).lower())
