"""Names shared by the Home Assistant layer: configuration keys, attributes, events and actions."""

from enum import StrEnum
from typing import Final

DOMAIN: Final = "sip_ua"

CONF_AUTH_USER: Final = "auth_user"
CONF_NUMBER: Final = "number"
CONF_SERVER: Final = "server"
CONF_SIP_DOMAIN: Final = "sip_domain"
CONF_TEMPLATE: Final = "template"

SECTION_SERVERS: Final = "servers"
CONF_SERVER_PORT: Final = "server_port"
CONF_REGISTRAR: Final = "registrar"
CONF_REGISTRAR_PORT: Final = "registrar_port"
CONF_OUTBOUND_PROXY: Final = "outbound_proxy"
CONF_OUTBOUND_PROXY_PORT: Final = "outbound_proxy_port"
CONF_TRANSPORT: Final = "transport"
CONF_USE_SRV: Final = "use_srv"
CONF_URL_TYPE: Final = "url_type"

SECTION_NETWORK: Final = "network"
CONF_LOCAL_PORT: Final = "local_port"
CONF_RTP_PORT_START: Final = "rtp_port_start"
CONF_RTP_PORT_END: Final = "rtp_port_end"
CONF_NAT: Final = "nat"
CONF_STUN_SERVER: Final = "stun_server"
CONF_PUBLIC_ADDRESS: Final = "public_address"
CONF_KEEP_ALIVE: Final = "keep_alive"
CONF_BIND_ADDRESS: Final = "bind_address"

SECTION_SECURITY: Final = "security"
CONF_CERTIFICATE_CHECK: Final = "certificate_check"
CONF_CERTIFICATE_AUTHORITY: Final = "certificate_authority"
CONF_CERTIFICATE_FINGERPRINT: Final = "certificate_fingerprint"
CONF_SRTP: Final = "srtp"
CONF_SRTP_WITHOUT_TLS: Final = "srtp_without_tls"

SECTION_TIMERS: Final = "timers"
CONF_EXPIRATION: Final = "expiration"
CONF_RESEND: Final = "resend"
CONF_SESSION_EXPIRES: Final = "session_expires"
CONF_MIN_SE: Final = "min_se"
CONF_RING_TIMEOUT: Final = "ring_timeout"

SECTIONS: Final = (SECTION_SERVERS, SECTION_NETWORK, SECTION_SECURITY, SECTION_TIMERS)

OPTIONS_CALLS: Final = "calls"
CONF_ALLOWED_NUMBERS: Final = "allowed_numbers"
CONF_DISPLAY_NAME: Final = "display_name"
CONF_MWI: Final = "mwi"
CONF_MWI_EXPIRATION: Final = "mwi_expiration"
CONF_REFER_POLICY: Final = "refer_policy"

OPTIONS_EXPERT: Final = "expert"
CONF_RELIABLE_PROVISIONAL: Final = "reliable_provisional"
CONF_USER_AGENT: Final = "user_agent"

SUBENTRY_LINE: Final = "line"

TRANSPORT_AUTOMATIC: Final = "automatic"
BIND_ANY: Final = "any"

CONF_CALLER: Final = "caller"
CONF_DIRECTION: Final = "direction"
CONF_DTMF_CODE: Final = "code"
CONF_OUTCOME: Final = "outcome"

EVENT_CALL: Final = "sip_ua_call"
EVENT_LINE: Final = "sip_ua_line"
EVENT_MESSAGES: Final = "sip_ua_messages"
EVENT_REGISTRATION: Final = "sip_ua_registration"

STATE_IDLE: Final = "idle"
PROBLEM_NONE: Final = "none"

SERVICE_ANSWER: Final = "answer"
SERVICE_DIAL: Final = "dial"
SERVICE_HANGUP: Final = "hangup"
SERVICE_HOLD: Final = "hold"
SERVICE_PLAY: Final = "play"
SERVICE_RESUME: Final = "resume"
SERVICE_SEND_DTMF: Final = "send_dtmf"
SERVICE_TRANSFER: Final = "transfer"

ATTR_CALL_ID: Final = "call_id"
ATTR_CODE: Final = "code"
ATTR_DIGITS: Final = "digits"
ATTR_DURATION: Final = "duration"
ATTR_GAP: Final = "gap"
ATTR_HANGUP_AFTER: Final = "hangup_after"
ATTR_LOOP: Final = "loop"
ATTR_MEDIA: Final = "media"
ATTR_MESSAGE: Final = "message"
ATTR_NUMBER: Final = "number"
ATTR_PLAYBACK_ERROR: Final = "playback_error"
ATTR_RING_TIMEOUT: Final = "ring_timeout"
ATTR_TO_CALL_ID: Final = "to_call_id"
ATTR_TRANSFER: Final = "transfer"
ATTR_TTS_ENGINE: Final = "tts_engine"
ATTR_TTS_LANGUAGE: Final = "tts_language"
ATTR_TTS_OPTIONS: Final = "tts_options"
ATTR_VOLUME: Final = "volume"
ATTR_WAIT: Final = "wait"


class CallEventType(StrEnum):
    """What the event entity and the bus event tell of a call."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    RINGING = "ringing"
    EARLY_MEDIA = "early_media"
    ANSWERED = "answered"
    HELD = "held"
    REMOTE_HELD = "remote_held"
    RESUMED = "resumed"
    REPLACED = "replaced"
    TRANSFER_REQUESTED = "transfer_requested"
    TRANSFER_REFUSED = "transfer_refused"
    TRANSFER_ACCEPTED = "transfer_accepted"
    TRANSFER_PROGRESS = "transfer_progress"
    TRANSFER_SUCCEEDED = "transfer_succeeded"
    TRANSFER_FAILED = "transfer_failed"
    TRANSFER_UNKNOWN = "transfer_unknown"
    DTMF = "dtmf"
    PLAYBACK_FINISHED = "playback_finished"
    MEDIA_TIMEOUT = "media_timeout"
    MISSED = "missed"
    ENDED = "ended"


CALL_STEP: Final = "step"
CALL_MEDIA: Final = "media"
CALL_STATISTICS: Final = "statistics"
"""Types that only the bus event has: a step of the call progression, what the voice is, its figures after the end."""

KEY_MESSAGES_WAITING: Final = "messages_waiting"
KEY_VOICE_MAIL: Final = "voice_mail"
"""Keys of the entities that are there only where the voice mail box is asked."""

NEW_MESSAGE: Final = "new_message"
MESSAGES_CHANGED: Final = "changed"
"""Types of what the voice mail box tells: the event entity has the first only."""


class WaitFor(StrEnum):
    """Until when `dial` waits."""

    NO = "no"
    ANSWERED = "answered"
    ENDED = "ended"
