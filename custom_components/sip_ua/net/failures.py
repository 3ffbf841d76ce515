"""What an error of the network means to a person."""

import errno
import os
import ssl
from typing import Final

from ..sip.events import RegistrationFailure
from .tls import UntrustedCertificateError

type Explanation = tuple[RegistrationFailure, str]

_BY_NUMBER: Final[dict[int, Explanation]] = {
    errno.ECONNREFUSED: (RegistrationFailure.CONNECTION_REFUSED, "nothing listens on this port"),
    errno.ECONNRESET: (RegistrationFailure.CONNECTION_REFUSED, "the other side dropped the connection"),
    errno.EPIPE: (RegistrationFailure.CONNECTION_REFUSED, "the other side closed the connection"),
    errno.EHOSTUNREACH: (RegistrationFailure.NO_ANSWER, "the host cannot be reached"),
    errno.ENETUNREACH: (RegistrationFailure.NO_ANSWER, "the network cannot be reached"),
    errno.ETIMEDOUT: (RegistrationFailure.NO_ANSWER, "no answer"),
}


def explain(error: BaseException | None) -> Explanation:
    """Return the kind of failure and its cause in words; None is a connection that the other side closed."""
    if error is None:
        return _BY_NUMBER[errno.EPIPE]
    if isinstance(error, UntrustedCertificateError):
        return RegistrationFailure.CERTIFICATE, str(error.args[0])
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "handshake failed").replace("_", " ").lower()
        return RegistrationFailure.CONNECTION_REFUSED, f"no TLS connection: {reason}"
    if isinstance(error, TimeoutError) and error.errno is None:
        return RegistrationFailure.NO_ANSWER, str(error) or "no answer"
    if isinstance(error, OSError) and error.errno is not None:
        return explain_number(error.errno)
    return RegistrationFailure.NO_ANSWER, str(error) or type(error).__name__


def explain_number(number: int) -> Explanation:
    """Return the same for an error number of the system."""
    return _BY_NUMBER.get(number, (RegistrationFailure.NO_ANSWER, os.strerror(number).lower()))
