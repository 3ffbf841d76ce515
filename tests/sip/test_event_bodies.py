"""Bodies of NOTIFY: message summaries, dialog-info and presence, and XML that means harm (RFC 3842, 4235, 3863)."""

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.dialog_info import (
    Applied,
    DialogInfo,
    LineCall,
    LineCalls,
    LineState,
    parse_dialog_info,
)
from custom_components.sip_ua.sip.errors import EventBodyError
from custom_components.sip_ua.sip.events import WatchedState
from custom_components.sip_ua.sip.message_summary import MESSAGE_CLASSES, MessageCounts, parse_message_summary
from custom_components.sip_ua.sip.presence import parse_presence
from custom_components.sip_ua.sip.safe_xml import MAX_DEPTH, MAX_DOCUMENT, MAX_ELEMENTS, parse_xml

from .notifier import dialog_info, presence
from .wire import LINEAR, growth

# Message summaries


def test_a_summary_tells_new_old_and_urgent_messages() -> None:
    summary = parse_message_summary(
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example\r\nVoice-Message: 2/8 (0/2)\r\n"
        b"Fax-Message: 1/0\r\n"
    )
    assert summary.waiting
    assert summary.account == "sip:alice@vmail.example"
    assert summary.voice == MessageCounts(2, 8, 0, 2)
    assert summary.counts["fax-message"] == MessageCounts(1, 0)


def test_a_summary_may_hold_no_counts() -> None:
    summary = parse_message_summary(b"Messages-Waiting: no\r\n")
    assert not summary.waiting
    assert summary.voice is None


def test_names_of_a_summary_have_no_case_and_may_have_space_before_the_colon() -> None:
    assert parse_message_summary(b"messages-waiting : YES\nVOICE-MESSAGE :3 / 4\n").voice == MessageCounts(3, 4)


def test_header_fields_of_single_messages_are_no_counts() -> None:
    body = b"Messages-Waiting: yes\r\nVoice-Message: 1/0\r\n\r\nTo: <alice@atlanta.example>\r\nFax-Message: x\r\n\r\n"
    assert list(parse_message_summary(body).counts) == ["voice-message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Voice-Message: 1/0\r\n",
        b"Messages-Waiting: perhaps\r\n",
        b"Messages-Waiting: yes\r\nVoice-Message: many\r\n",
        b"Messages-Waiting: yes\r\nVoice-Message: 1\r\n",
        b"Messages-Waiting: yes\r\nVoice-Message: -1/0\r\n",
        b"Messages-Waiting: yes\r\nVoice-Message: 1/0 (1/0\r\n",
        b"Messages-Waiting: yes\r\nVoice-Message: 99999999999999999999/0\r\n",
        b"Messages-Waiting: yes\r\n" + b"X: y\r\n" * 2000,
    ],
)
def test_what_is_no_summary_is_refused(body: bytes) -> None:
    with pytest.raises(EventBodyError):
        parse_message_summary(body)


counts = st.integers(0, 2**32 - 1)
message_counts = st.builds(MessageCounts, counts, counts, counts, counts)


@given(st.booleans(), st.dictionaries(st.sampled_from(MESSAGE_CLASSES), message_counts))
def test_a_summary_is_read_as_it_was_meant(waiting: bool, wanted: dict[str, MessageCounts]) -> None:
    lines = [f"Messages-Waiting: {'yes' if waiting else 'no'}"]
    lines += [f"{name.title()}: {c.new}/{c.old} ({c.new_urgent}/{c.old_urgent})" for name, c in wanted.items()]
    summary = parse_message_summary("\r\n".join(lines).encode())
    assert summary.waiting is waiting
    assert dict(summary.counts) == wanted


# XML


@given(st.binary(max_size=400) | st.text(alphabet="<>/&;![]CDATA\"'= axmlns:?-", max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for parse in (parse_xml, parse_dialog_info, parse_presence, parse_message_summary):
        try:
            parse(data)
        except EventBodyError as error:
            assert error.status in {400, 413}  # noqa: PT017


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "http://192.0.2.1/">]><a>&b;</a>',
        '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
        "<a>&b;</a>",
        '<?xml version="1.0" encoding="rot13"?><a',
        "<a><b></a>",
        "<a/><a/>",
        "",
        "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1),
        "<a>" + "<b/>" * MAX_ELEMENTS + "</a>",
        "<a>" + " " * MAX_DOCUMENT + "</a>",
        f'<a xmlns="{"u" * 30_000}">{"<b/>" * 4000}</a>',
        f"<a {' '.join(f'xmlns:b{number}="u"' for number in range(1000))}/>",
    ],
)
def test_xml_that_means_harm_is_refused(document: str) -> None:
    with pytest.raises(EventBodyError):
        parse_xml(document.encode())


def test_the_encoding_that_a_document_names_is_not_looked_for() -> None:
    root = parse_xml('<?xml version="1.0" encoding="x-none"?><a b="ü">ä</a>'.encode())
    assert (root.name, root.text, root.attributes) == ("a", "ä", {"b": "ü"})


@pytest.mark.parametrize(
    "make",
    [
        lambda size: "<a>" + "x" * size + "</a>",
        lambda size: "<a>" + "\n" * size + "</a>",
        lambda size: "<a>" + "&amp;" * (size // 5) + "</a>",
        lambda size: "<a>" + "<![CDATA[x]]>" * (size // 13) + "</a>",
        lambda size: '<a b="' + "&lt;" * (size // 4) + '"/>',
        lambda size: "<a " + " ".join(f'b{number}=""' for number in range(size // 10)) + "/>",
        lambda size: "<a>" + "<b/>" * (size // 10) + "</a>",
        lambda size: "<a" * (size // 2),
    ],
)
def test_reading_xml_takes_time_in_proportion_to_its_size(make: object) -> None:
    assert callable(make)

    def work(text: str) -> None:
        with suppress(EventBodyError):
            parse_xml(text.encode())

    assert growth(work, make) < LINEAR


# dialog-info


def call(identifier: str, state: str, initiator: bool | None = None) -> LineCall:
    return LineCall(identifier, LineState(state), initiator)


def test_a_dialog_info_document_tells_the_calls_of_a_line() -> None:
    info = parse_dialog_info(dialog_info(3, "partial", ("a", "early", "recipient"), ("b", "confirmed", "initiator")))
    assert info == DialogInfo(
        3, False, "sip:bob@sip.example", (call("a", "early", False), call("b", "confirmed", True))
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<presence/>",
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" state="full"/>',
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="-1" state="full"/>',
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1"/>',
        b'<dialog-info version="1" state="full"/>',
        dialog_info(1, "full", ("", "early", "")),
        dialog_info(1, "full", ("a", "asleep", "")),
        dialog_info(1, "full", *[(f"{number}", "early", "") for number in range(257)]),
    ],
)
def test_what_is_no_dialog_info_is_refused(body: bytes) -> None:
    with pytest.raises(EventBodyError):
        parse_dialog_info(body)


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ((), WatchedState.IDLE),
        ((call("a", "terminated"),), WatchedState.IDLE),
        ((call("a", "trying", True),), WatchedState.TALKING),
        ((call("a", "early", True),), WatchedState.TALKING),
        ((call("a", "early", False),), WatchedState.RINGING),
        ((call("a", "early"),), WatchedState.RINGING),
        ((call("a", "confirmed", False),), WatchedState.TALKING),
        ((call("a", "confirmed"), call("b", "early")), WatchedState.RINGING),
    ],
)
def test_a_line_shows_what_its_calls_do(calls: tuple[LineCall, ...], state: WatchedState) -> None:
    line = LineCalls()
    assert line.state is WatchedState.UNKNOWN
    assert line.apply(DialogInfo(0, True, "", calls)) is Applied.TAKEN
    assert line.state is state


def test_partial_documents_change_the_calls_they_name_and_no_other() -> None:
    line = LineCalls()
    line.apply(DialogInfo(5, True, "", (call("a", "confirmed"), call("b", "early"))))
    states = []
    for version, name in ((6, "b"), (7, "a")):
        assert line.apply(DialogInfo(version, False, "", (call(name, "terminated"),))) is Applied.TAKEN
        states.append(line.state)
    assert states == [WatchedState.TALKING, WatchedState.IDLE]


def test_a_partial_document_that_leaves_one_out_wants_the_full_state() -> None:
    line = LineCalls()
    assert line.apply(DialogInfo(0, False, "", ())) is Applied.GAP
    line.apply(DialogInfo(0, True, "", ()))
    assert line.apply(DialogInfo(2, False, "", (call("a", "early"),))) is Applied.GAP
    assert line.state is WatchedState.IDLE


def test_a_partial_document_that_is_known_changes_nothing() -> None:
    line = LineCalls()
    line.apply(DialogInfo(4, True, "", ()))
    assert line.apply(DialogInfo(4, False, "", (call("a", "early"),))) is Applied.STALE
    assert line.state is WatchedState.IDLE


def test_full_documents_of_a_notifier_that_never_counts_are_taken() -> None:
    line = LineCalls()
    line.apply(DialogInfo(0, True, "", (call("a", "early"),)))
    assert line.apply(DialogInfo(0, True, "", ())) is Applied.TAKEN
    assert line.state is WatchedState.IDLE


changes = st.lists(
    st.builds(LineCall, st.sampled_from("abcd"), st.sampled_from(LineState), st.sampled_from([None, True, False])),
    max_size=3,
    unique_by=lambda change: change.id,
)


@given(st.lists(changes, max_size=8))
def test_partial_documents_come_to_what_a_full_one_would_say(documents: list[list[LineCall]]) -> None:
    line, whole = LineCalls(), {}
    line.apply(DialogInfo(0, True, "", ()))
    for version, calls in enumerate(documents, 1):
        assert line.apply(DialogInfo(version, False, "", tuple(calls))) is Applied.TAKEN
        whole.update({change.id: change for change in calls})
    full = LineCalls()
    full.apply(DialogInfo(len(documents), True, "", tuple(whole.values())))
    assert line.state is full.state


# Presence


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (presence("open"), WatchedState.IDLE),
        (presence("closed"), WatchedState.UNKNOWN),
        (presence(""), WatchedState.UNKNOWN),
        (presence("open", activity="on-the-phone"), WatchedState.TALKING),
        (presence("open", note="Ready"), WatchedState.IDLE),
        (presence("open", activity="busy", note="Ringing"), WatchedState.RINGING),
        (presence("open", activity="busy", note="On the phone"), WatchedState.TALKING),
        (presence("open", activity="away"), WatchedState.IDLE),
    ],
)
def test_presence_shows_the_state_of_a_line(body: bytes, state: WatchedState) -> None:
    found = parse_presence(body)
    assert found.state is state
    assert found.entity == "sip:bob@sip.example"


def test_presence_as_asterisk_writes_it_is_understood() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
<presence entity="sip:2000@192.0.2.9:5060" xmlns="urn:ietf:params:xml:ns:pidf"
 xmlns:pp="urn:ietf:params:xml:ns:pidf:person" xmlns:es="urn:ietf:params:xml:ns:pidf:rpid:status:rpid-status"
 xmlns:ep="urn:ietf:params:xml:ns:pidf:rpid:rpid-person">
 <note>On the phone</note>
 <tuple id="2000"><status><basic>open</basic></status><contact priority="1">sip:2000@192.0.2.9</contact></tuple>
 <pp:person><status><ep:activities><ep:busy/></ep:activities></status></pp:person>
</presence>"""
    found = parse_presence(body)
    assert found.activities == {"busy"}
    assert found.notes == ("On the phone",)
    assert found.state is WatchedState.TALKING


@pytest.mark.parametrize("body", [b"<a/>", b"", b'<presence xmlns="urn:example"/>'])
def test_what_is_no_presence_is_refused(body: bytes) -> None:
    with pytest.raises(EventBodyError):
        parse_presence(body)
