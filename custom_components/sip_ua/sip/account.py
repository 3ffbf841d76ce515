"""What a person typed about one SIP account, and what follows from it.

Fields, defaults and ranges are those of the router's "SIP Account Setup" page; every field here is honoured
by the agent or by the network layer.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from .sdes import SUITES


class Transport(StrEnum):
    """A transport of SIP messages (RFC 3261 section 18)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def reliable(self) -> bool:
        """Whether the transport itself repeats what is lost."""
        return self is not Transport.UDP

    @property
    def default_port(self) -> int:
        """The port that applies where a URI names none."""
        return 5061 if self is Transport.TLS else 5060

    @property
    def via(self) -> str:
        """The transport as a Via header names it."""
        return self.value.upper()


class UriType(StrEnum):
    """The scheme of the request URI of an outgoing call."""

    SIP = "sip"
    TEL = "tel"
    SIPS = "sips"


class NatMode(StrEnum):
    """How the address that others reach us at is found."""

    NONE = "none"
    AUTOMATIC = "automatic"
    STUN = "stun"
    MANUAL = "manual"


class ReliableProvisional(StrEnum):
    """Whether provisional answers are acknowledged (RFC 3262): never, where the far end demands it, or always."""

    OFF = "off"
    SUPPORTED = "supported"
    REQUIRED = "required"


class Srtp(StrEnum):
    """Whether voice is encrypted (RFC 3711): never, where the far end can (RFC 8643), or always."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class DtmfMethod(StrEnum):
    """How keys are pressed: as the far end can take them, or always as events, as messages, or as tones."""

    AUTO = "auto"
    RFC4733 = "rfc4733"
    INFO = "info"
    INBAND = "inband"


class ReferPolicy(StrEnum):
    """Where a far end may transfer us to (RFC 3515): nowhere, inside our own domain, or anywhere."""

    OFF = "off"
    SERVER = "server"
    ANYWHERE = "anywhere"


class CertificateCheck(StrEnum):
    """How the certificate of a TLS server is checked (RFC 5922, RFC 9525).

    Its name and an authority: one that this machine trusts, or the person's own. A fingerprint alone pins one
    certificate, whatever names, issuer and dates it has.
    """

    TRUSTED = "trusted"
    AUTHORITY = "authority"
    FINGERPRINT = "fingerprint"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A host as a person typed it; `port` None means "by RFC 3263 or the transport's default"."""

    host: str
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Timers of one account, in seconds.

    `keep_alive` is also how often a registration is confirmed that the registrar may have forgotten; 0 means neither.
    """

    expiration: int = 3600
    resend: int = 180
    session_expires: int = 1800
    min_se: int = 90
    ring_timeout: int = 60
    keep_alive: int = 30


SIP_DSCP = 40
"""Class selector 5, the class of telephone signalling (RFC 4594 section 4.2)."""

RTP_DSCP = 46
"""Expedited forwarding, the class of telephone voice (RFC 4594 section 4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Local addresses and the way out through a NAT.

    `local_port` 0 means any free port. RTP ports are inclusive bounds, `rtp_port_min` even.
    `bind_address` "" means any. `public_address` applies with `NatMode.MANUAL`, `stun_server` with `NatMode.STUN`.
    `sip_dscp` and `rtp_dscp` are the marks of what we send, 0 to 63.
    """

    local_port: int = 0
    bind_address: str = ""
    rtp_port_min: int = 51000
    rtp_port_max: int = 51098
    nat: NatMode = NatMode.AUTOMATIC
    public_address: str = ""
    stun_server: ServerAddress | None = None
    sip_dscp: int = SIP_DSCP
    rtp_dscp: int = RTP_DSCP


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Whom we believe to be the server, over TLS.

    `authority` applies with `CertificateCheck.AUTHORITY`: certificates in PEM, trusted in place of this machine's.
    `fingerprint` applies with `CertificateCheck.FINGERPRINT`: SHA-256 of the server's certificate, like "AB:CD:...".
    """

    check: CertificateCheck = CertificateCheck.TRUSTED
    authority: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One SIP account; `server` None means peer to peer, with no server at all.

    `transport` None means automatic (RFC 3263). `direct_hosts` are numeric hosts that are called past the server, and
    may call us past it, as the owner has listed them; `allow_direct_calls` lets anybody else call us so, too. `mwi`
    asks for the messages waiting in the voice mail box (RFC 3842), for `mwi_expiration` seconds at a time. With
    `voice_activity_detection` silence is not sent where the far end agrees (RFC 3389); the volumes are in dB, of all
    that we send and of all that we hear. `srtp` names keys over TLS only, unless `srtp_without_tls` lets everybody on
    the way read them; `srtp_suites` are the crypto suites, best first. `allowed_numbers` are patterns: where
    `refer_policy` lets a far end transfer us at all, it may do so to numbers that one of them means. `send_caller_id`
    lets those whom we call know who calls; each call may say otherwise.
    """

    number: str
    domain: str
    password: str = field(default="", repr=False)
    auth_user: str = ""
    display_name: str = ""
    server: ServerAddress | None = None
    registrar: ServerAddress | None = None
    outbound_proxy: ServerAddress | None = None
    transport: Transport | None = Transport.UDP
    use_srv: bool = False
    uri_type: UriType = UriType.SIP
    user_agent: str = "SIP Phone"
    send_caller_id: bool = True
    allow_direct_calls: bool = False
    direct_hosts: frozenset[str] = frozenset()
    codecs: tuple[str, ...] = ("G722", "PCMA", "PCMU")
    dtmf: DtmfMethod = DtmfMethod.AUTO
    voice_activity_detection: bool = False
    speaking_volume: int = 0
    listening_volume: int = 0
    mwi: bool = False
    mwi_expiration: int = 3600
    reliable_provisional: ReliableProvisional = ReliableProvisional.SUPPORTED
    srtp: Srtp = Srtp.OFF
    srtp_without_tls: bool = False
    srtp_suites: tuple[str, ...] = tuple(SUITES)
    refer_policy: ReferPolicy = ReferPolicy.OFF
    allowed_numbers: tuple[str, ...] = ("*",)
    trace: bool = True
    timing: Timing = field(default_factory=Timing)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)

    @property
    def accepts_connections(self) -> bool:
        """Whether others may connect to us by TCP, beside the connections that we make ourselves."""
        return self.transport in {None, Transport.TCP} or not self.registers

    def allows_keys(self, transport: Transport | None) -> bool:
        """Whether keys may be named in messages over a transport; None is one that is not known yet."""
        return transport is Transport.TLS or self.srtp_without_tls

    @property
    def login(self) -> str:
        """The user name of the digest login."""
        return self.auth_user or self.number

    @property
    def registers(self) -> bool:
        """Whether the account has a registrar to keep up a registration with."""
        return self.server is not None or self.registrar is not None
