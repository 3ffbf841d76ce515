"""The steps of a SIPp scenario as functions, so that a flow of messages reads as a list."""

import re
from xml.sax.saxutils import quoteattr

VIA = "SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
CALLED = "<sip:[service]@[remote_ip]:[remote_port]>"
CALLER = '"SIPp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]from[call_number]'
CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"
OUR_TAG = "[pid]to[call_number]"
MEDIA = "v=0\no=sipp {version} {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
AUDIO = (
    "m=audio [media_port] RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n"
    "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n"
)
KINDS = {"v=0": "application/sdp", "SIP/2.0": "message/sipfrag", "Signal": "application/dtmf-relay"}
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    401: "Unauthorized",
    407: "Proxy Authentication Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    486: "Busy Here",
    487: "Request Terminated",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
}


def sdp(version: int = 1, extra: str = "", audio: str = AUDIO) -> str:
    """Return a description of SIPp's voice."""
    return MEDIA.format(version=version) + audio + extra


def _send(lines: list[str], body: str) -> str:
    kind = next((kind for start, kind in KINDS.items() if body.startswith(start)), "")
    head = [*lines, *([f"Content-Type: {kind}"] if kind else []), "Content-Length: [len]", "", body]
    return "<send><![CDATA[\n" + "\n".join(head) + "\n]]></send>"


def request(
    method: str,
    *headers: str,
    uri: str = "sip:[service]@[remote_ip]:[remote_port]",
    sequence: int = 1,
    to: str = CALLED,
    from_: str = CALLER,
    via: str = VIA,
    call_id: str = "[call_id]",
    forwards: int = 70,
    body: str = "",
) -> str:
    """Send a request outside of a dialog."""
    start = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via}",
        f"Max-Forwards: {forwards}",
        f"From: {from_}",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {sequence} {method}",
        CONTACT,
    ]
    return _send([*start, *headers], body)


def invite(*headers: str, body: str | None = None, via: str = VIA, forwards: int = 70, sequence: int = 1) -> str:
    """Call us, with an offer unless there is another `body`."""
    body = sdp() if body is None else body
    return request("INVITE", *headers, body=body, via=via, forwards=forwards, sequence=sequence)


def branch(name: str) -> str:
    """Return a Via of its own, for messages that belong to one transaction."""
    return f"SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-{name}-[pid]-[call_number]"


def inside(
    method: str,
    sequence: int,
    *headers: str,
    body: str = "",
    via: str = VIA,
    tag: str = "",
    call_id: str = "[call_id]",
) -> str:
    """Send a request within the dialog that SIPp began; `tag` is the far end's, where not the one that came last."""
    to = CALLED + (f";tag={tag}" if tag else "[peer_tag_param]")
    return request(method, *headers, uri="[next_url]", sequence=sequence, to=to, body=body, via=via, call_id=call_id)


def refused(via: str, sequence: int = 1) -> str:
    """Acknowledge the refusal of an INVITE, in its transaction."""
    return request("ACK", sequence=sequence, to=CALLED + "[peer_tag_param]", via=via)


def cancel(via: str) -> str:
    """Cancel an INVITE."""
    return request("CANCEL", via=via)


def inside_ours(method: str, sequence: int, *headers: str, body: str = "", via: str = VIA) -> str:
    """Send a request within the dialog that the phone began."""
    from_ = f"<sip:sipp@[local_ip]:[local_port]>;tag={OUR_TAG}"
    return request(
        method, *headers, uri="[next_url]", sequence=sequence, to="[$caller]", from_=from_, body=body, via=via
    )


SAVED = {"Via": "via", "From": "from", "CSeq": "cseq", "To": "to"}


def respond(status: int, *headers: str, tag: str = OUR_TAG, body: str = "", to: str = "") -> str:
    """Answer the request that came last, or the one that was saved under the name `to`.

    Within a dialog the request has the tag already, and `tag` is empty.
    """
    fields = [f"{name}: [${to}_{key}]" if to else f"[last_{name}:]" for name, key in SAVED.items()]
    fields[-1] += f";tag={tag}" if tag else ""
    contact = () if status == 302 else (CONTACT,)
    return _send([f"SIP/2.0 {status} {REASONS[status]}", *fields, "Call-ID: [call_id]", *contact, *headers], body)


def expect(
    what: int | str,
    *checks: tuple[str, str],
    optional: bool = False,
    save: str = "",
    remember: tuple[str, str, str] | None = None,
) -> str:
    """Wait for an answer or a request; each of `checks` is a header field and what it is like.

    `save` keeps what is needed to answer a request later; `remember` (header field, pattern, name) its first group.
    """
    actions = [_keep(name, pattern, "checked", check=True) for name, pattern in checks]
    if save:
        actions += [_keep(name, ".*", f"{save}_{key}") for name, key in SAVED.items()]
    if what == "INVITE":
        actions.append(_keep("From", ".*", "caller"))
    if remember is not None:
        name, pattern, variable = remember
        actions.append(_keep(name, pattern, f"whole,{variable}"))
    kind = "response" if isinstance(what, int) else "request"
    flags = (' optional="true"' if optional else "") + (' rrs="true"' if what in {180, 200, "INVITE"} else "")
    return f'<recv {kind}="{what}"{flags}><action>{"".join(actions)}</action></recv>'


def _keep(header: str, pattern: str, variables: str, *, check: bool = False) -> str:
    checked = ' check_it="true"' if check else ""
    return f'<ereg regexp={quoteattr(pattern)} search_in="hdr" header="{header}:"{checked} assign_to="{variables}"/>'


def pause(milliseconds: int) -> str:
    """Wait."""
    return f'<pause milliseconds="{milliseconds}"/>'


def scenario(name: str, *steps: str) -> str:
    """Return the scenario's file."""
    text = "\n".join(steps)
    names = sorted({name for names in re.findall(r'assign_to="([^"]+)"', text) for name in names.split(",")})
    # SIPp takes a variable that nobody reads for a mistake.
    known = f'<Reference variables="{",".join(names)}"/>' if names else ""
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n{text}\n{known}\n</scenario>\n'
