"""The worst inputs that we can think of, in any size: what makes careless readers slow."""

from collections.abc import Iterator

MESSAGE_HEAD = (
    b"OPTIONS sip:bob@pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:alice@pbx.example>;tag=a1\r\nTo: <sip:bob@pbx.example>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
)
MESSAGE_PATTERNS = (
    *(b"Contact: <sip:a@b>\r\n", b"a:\r\n", b"Via: SIP/2.0/UDP h;branch=z9hG4bK\r\n", b" \r\n", b"\r\n", b"\n", b":"),
    *(b"X: a\r\n b\r\n\tc\r\n", b"Route: <sip:a;lr>,<sip:b;lr>\r\n", b"m: *\r\n", b"Content-Length: 0\r\n"),
)
VALUE_PATTERNS = (
    *(
        b"<",
        b">",
        b",",
        b'"',
        b"\\",
        b";",
        b'\\"',
        b"(",
        b"=",
        b"%",
        b"%0",
        b"@",
        b":",
        b"[",
        b" ",
        b"\t",
        b"0",
        b"\xff",
    ),
    *(b"<sip:a@b>,", b'"a" <sip:b>,', b";a=b", b';a="', b"a,", b"a=b,", b"?a=b&", b"SIP/2.0/UDP h,", b"sip:", b"<<>>"),
)
VALUE_FIELDS = (b"Contact: ", b"Via: ", b"Route: ", b"From: ", b"To: ", b"CSeq: ", b"Call-ID: ", b"Supported: ")
SDP_HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n"
SDP_PATTERNS = (
    *(
        b"a=x\r\n",
        b"a=rtpmap:8 PCMA/8000\r\n",
        b"m=audio 1 RTP/AVP 8\r\n",
        b"c=IN IP4 1.2.3.4\r\n",
        b"b=AS:1\r\n",
        b"a=:",
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40 + b"|2^20|1:4 WSH=64\r\n",
        b"|1:",
        b"inline:",
    ),
    *(b"\r\n", b"\n", b"=", b" ", b"8 ", b"/", b"m=", b"a=fmtp:8 a=b;\r\n", b"t=0 0\r\n", b"\xff"),
)
DIGEST_PATTERNS = (
    *(b"a=b,", b'a="', b'a="b",', b",", b"=", b" ", b'"', b"\\", b'\\"', b"Digest ", b'Digest realm="a",nonce="b",'),
    *(b'qop="auth,auth-int",', b"algorithm=MD5,", b"Basic a,", b"a"),
)


EVENT_BODIES = (
    b"Messages-Waiting: yes\r\nMessage-Account: sip:a@b\r\nVoice-Message: 2/8 (0/2)\r\n",
    (
        b'<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" '
        b'entity="sip:a@b"><dialog id="x" direction="initiator"><state>confirmed</state></dialog></dialog-info>'
    ),
    (
        b'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><tuple id="t"><status>'
        b"<basic>open</basic></status></tuple></presence>"
    ),
)
XML_PATTERNS = (
    *(
        b"<a>",
        b"<",
        b">",
        b"&amp;",
        b"&",
        b"&#1;",
        b'<a b="c">',
        b"<a/>",
        b"</a>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"<?",
    ),
    *(b'a="b" ', b' xmlns:a="b"', b"]]>", b"<!DOCTYPE a [", b'<!ENTITY a "&a;">', b"a:", b" ", b"\xc3", b"\0"),
)


def filled(head: bytes, pattern: bytes, tail: bytes, size: int) -> bytes:
    """Return head, as many repetitions of the pattern as fit into `size` octets, and tail."""
    room = max(size - len(head) - len(tail), 0)
    return head + (pattern * (room // len(pattern) + 1))[:room] + tail


def messages(size: int) -> Iterator[bytes]:
    """Return messages, whole ones with a long head or one long value, and those that never become one."""
    end = b"\r\n\r\n"
    for pattern in (*MESSAGE_PATTERNS, *VALUE_PATTERNS):
        yield filled(MESSAGE_HEAD, pattern, end, size)
        yield filled(b"", pattern, b"", size)
        yield filled(MESSAGE_HEAD + b"\r\n", pattern, b"", size)
    for field in VALUE_FIELDS:
        for pattern in VALUE_PATTERNS:
            yield filled(MESSAGE_HEAD + field, pattern, end, size)
            # A value that keeps below every cap on one line, many times over.
            line = filled(field, pattern, b"\r\n", 1000)
            yield filled(MESSAGE_HEAD, line, end, size)


def descriptions(size: int) -> Iterator[bytes]:
    """Return session descriptions."""
    for pattern in SDP_PATTERNS:
        yield filled(SDP_HEAD, pattern, b"", size)
        yield filled(SDP_HEAD + b"a=", pattern, b"\r\n", size)
        yield filled(SDP_HEAD + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", pattern, b"\r\n", size)
        yield filled(b"", pattern, b"", size)


def documents(size: int) -> Iterator[bytes]:
    """Return bodies of notifications."""
    for pattern in XML_PATTERNS:
        for head in (b"", b"<a", b"<a>", EVENT_BODIES[0], EVENT_BODIES[1][:60], EVENT_BODIES[1][:150]):
            yield filled(head, pattern, b"", size)
        yield filled(b"<a>", pattern, b"</a>", size)


def challenges(size: int) -> Iterator[bytes]:
    """Return values of WWW-Authenticate and the like."""
    for pattern in DIGEST_PATTERNS:
        yield filled(b'Digest realm="home", nonce="n", ', pattern, b"", size)
        yield filled(b"Digest ", pattern, b"", size)


def binaries(size: int, *heads: bytes) -> Iterator[bytes]:
    """Return packets that begin as real ones and go on with the shortest parts that their format knows."""
    for head in heads:
        for pattern in (b"\0", b"\xff", b"\x80\0\0\0", b"\x81\xcb\0\1\0\0\0\0", b"\x80\xc9\0\1\0\0\0\0", b"\0\x20\0\0"):
            yield filled(head, pattern, b"", size)
