"""Offers and answers of one dialog (RFC 3264), between two of ours and against descriptions of others."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.errors import LocalProtocolError, NegotiationError, SdpError
from custom_components.sip_ua.sip.offer_answer import (
    CODECS,
    Codec,
    LocalMedia,
    MediaDirection,
    NegotiatedMedia,
    OfferAnswer,
    codecs_named,
)
from custom_components.sip_ua.sip.offer_choice import check_offer
from custom_components.sip_ua.sip.sdp import SessionDescription, parse_sdp

HERE = LocalMedia("192.0.2.1", 51000, codecs_named(["G722", "PCMA", "PCMU"]))
THERE = LocalMedia("192.0.2.2", 52000, codecs_named(["PCMU", "PCMA"]))
OPUS = Codec("opus", 48000, 107, 2, "useinbandfec=1")


def describe(*media: str, session: str = "c=IN IP4 198.51.100.7") -> bytes:
    return "\r\n".join(["v=0", "o=x 1 1 IN IP4 198.51.100.7", "s=-", session, "t=0 0", *media, ""]).encode()


def answer_to(offer: bytes, local: LocalMedia = HERE) -> tuple[SessionDescription, NegotiatedMedia]:
    body, media = OfferAnswer(local, 1).receive_offer(offer)
    return parse_sdp(body), media


def directions(body: bytes) -> list[str]:
    return [item.name for item in parse_sdp(body).media[0].attributes if item.name in MediaDirection]


def version(body: bytes) -> int:
    origin = parse_sdp(body).origin
    assert origin is not None
    return int(origin.version)


def connected() -> tuple[OfferAnswer, OfferAnswer]:
    ours, theirs = OfferAnswer(HERE, 1), OfferAnswer(THERE, 2)
    answer, _media = theirs.receive_offer(ours.create_offer())
    ours.receive_answer(answer)
    return ours, theirs


def test_an_offer_names_all_codecs_in_order_and_the_digits() -> None:
    assert OfferAnswer(HERE, 4711).create_offer() == (
        b"v=0\r\no=- 4711 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=audio 51000 RTP/AVP 9 8 0 101\r\n"
        b"a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def test_an_rtcp_port_that_is_not_the_next_one_is_told_to_the_peer() -> None:
    theirs, ours = OfferAnswer(replace(THERE, rtcp_port=40001), 1), OfferAnswer(replace(HERE, rtcp_port=40009), 2)
    answer, heard = ours.receive_offer(theirs.create_offer())
    assert heard.remote_rtcp == ("192.0.2.2", 40001)
    assert theirs.receive_answer(answer).remote_rtcp == ("192.0.2.1", 40009)


def test_both_sides_agree_on_the_same_voice() -> None:
    ours, theirs = connected()
    assert ours.current is not None
    assert theirs.current is not None
    # The answerer's first choice counts.
    assert ours.current.codec == theirs.current.codec == CODECS["PCMU"]
    assert (ours.current.remote_address, ours.current.remote_port) == ("192.0.2.2", 52000)
    assert (theirs.current.remote_address, theirs.current.remote_port) == ("192.0.2.1", 51000)
    assert ours.current.remote_rtcp == ("192.0.2.2", 52001)
    assert ours.current.dtmf_send == ours.current.dtmf_receive == 101
    assert ours.current.direction is theirs.current.direction is MediaDirection.SENDRECV
    assert not ours.current.held


def test_the_answerers_priority_decides_but_every_common_codec_is_understood() -> None:
    answer, media = answer_to(describe("m=audio 6000 RTP/AVP 0 8 9"))
    assert answer.media[0].formats == ("9",)
    assert media.codec.name == "G722"
    assert dict(media.receive) == {9: CODECS["G722"], 8: CODECS["PCMA"], 0: CODECS["PCMU"]}


def test_an_answer_keeps_the_payload_types_of_the_offer() -> None:
    offer = describe(
        "m=audio 6000 RTP/AVP 111 96 97",
        "a=rtpmap:111 OPUS/48000/2",
        "a=fmtp:111 minptime=10",
        "a=rtpmap:96 telephone-event/48000",
        "a=rtpmap:97 telephone-event/8000",
    )
    answer, media = answer_to(offer, replace(HERE, codecs=(OPUS, *HERE.codecs)))
    assert answer.media[0].formats == ("111", "96")
    assert list(answer.media[0].values("rtpmap")) == ["111 opus/48000/2", "96 telephone-event/48000"]
    assert media.codec == Codec("opus", 48000, 111, 2, "minptime=10")
    assert media.receive == ((111, replace(OPUS, payload_type=111)),)
    assert (media.dtmf_send, media.dtmf_receive, media.dtmf_clock_rate) == (96, 96, 48000)


def test_digits_of_another_clock_rate_are_not_taken() -> None:
    offer = describe("m=audio 6000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/16000")
    answer, media = answer_to(offer)
    assert answer.media[0].formats == ("8",)
    assert media.dtmf_send is media.dtmf_receive is None


def test_digits_are_not_agreed_on_when_we_do_not_want_them() -> None:
    offer = OfferAnswer(THERE, 2).create_offer()
    answer, media = answer_to(offer, replace(HERE, dtmf=False))
    assert answer.media[0].formats == ("8",)
    assert media.dtmf_send is None


def test_one_kind_of_digits_is_offered_for_each_clock_rate() -> None:
    line = parse_sdp(OfferAnswer(replace(HERE, codecs=(OPUS, *HERE.codecs)), 1).create_offer()).media[0]
    assert line.formats == ("107", "9", "8", "0", "101", "96")
    assert "101 telephone-event/48000" in line.values("rtpmap")
    assert "96 telephone-event/8000" in line.values("rtpmap")


def test_an_answer_may_number_codecs_anew() -> None:
    ours = OfferAnswer(replace(HERE, codecs=(OPUS,)), 1)
    ours.create_offer()
    media = ours.receive_answer(
        describe(
            "m=audio 6000 RTP/AVP 120 121",
            "a=rtpmap:120 opus/48000/2",
            "a=rtpmap:121 telephone-event/48000",
        )
    )
    assert media.codec.payload_type == 120
    assert [number for number, _codec in media.receive] == [107, 120]
    assert (media.dtmf_send, media.dtmf_receive) == (121, 101)


def test_a_number_of_the_answer_that_meant_digits_to_us_still_means_digits() -> None:
    ours = OfferAnswer(replace(HERE, codecs=(OPUS,)), 1)
    ours.create_offer()
    media = ours.receive_answer(describe("m=audio 6000 RTP/AVP 101", "a=rtpmap:101 opus/48000/2"))
    assert media.codec.payload_type == 101
    assert [number for number, _codec in media.receive] == [107]


@pytest.mark.parametrize("rtpmap", ["9 G722/8000", "9 G722/16000", "9 g722/8000/1"])
def test_the_wide_band_codec_has_the_clock_of_the_standard_however_it_is_written(rtpmap: str) -> None:
    _answer, media = answer_to(describe("m=audio 6000 RTP/AVP 9", f"a=rtpmap:{rtpmap}"))
    assert media.codec == CODECS["G722"]


@pytest.mark.parametrize("attribute", ["a=rtpmap:8", "a=rtpmap:8 PCMA", "a=rtpmap:8 PCMA/x", "a=rtpmap:x PCMU/8000"])
def test_a_broken_rtpmap_of_a_fixed_number_does_not_matter(attribute: str) -> None:
    _answer, media = answer_to(describe("m=audio 6000 RTP/AVP 8", attribute))
    assert media.codec == CODECS["PCMA"]


@pytest.mark.parametrize(
    ("line", "wished", "sent"),
    [
        ("a=ptime:30", 20, 30),
        ("a=ptime:20.0", 30, 20),
        ("a=ptime:25", 20, 20),
        ("a=ptime:5", 20, 10),
        ("a=ptime:400", 20, 60),
        ("a=maxptime:10", 20, 10),
        ("a=maxptime:150", 40, 40),
        ("a=ptime:junk", 20, 20),
        ("a=ptime:0", 20, 20),
    ],
)
def test_the_packet_time_is_what_the_peer_prefers_within_bounds(line: str, wished: int, sent: int) -> None:
    answer, media = answer_to(describe("m=audio 6000 RTP/AVP 8", line), replace(HERE, ptime=wished))
    assert media.ptime == sent
    assert answer.media[0].get("ptime") == str(sent)


@pytest.mark.parametrize(
    ("attribute", "rtcp"),
    [
        ("a=rtcp:7000", ("198.51.100.7", 7000)),
        ("a=rtcp:7000 IN IP4 198.51.100.9", ("198.51.100.9", 7000)),
        ("a=rtcp:7000 IN IP4 224.0.0.1", ("198.51.100.7", 6001)),
        ("a=rtcp:0", ("198.51.100.7", 6001)),
        ("a=rtcp:x", ("198.51.100.7", 6001)),
        ("a=rtcp-mux", ("198.51.100.7", 6001)),
    ],
)
def test_rtcp_goes_where_the_peer_says(attribute: str, rtcp: tuple[str, int]) -> None:
    answer, media = answer_to(describe("m=audio 6000 RTP/AVP 8", attribute))
    assert media.remote_rtcp == rtcp
    assert not answer.media[0].has("rtcp-mux")


def test_the_address_of_the_line_goes_before_that_of_the_session() -> None:
    _answer, media = answer_to(describe("m=audio 6000 RTP/AVP 8", "c=IN IP4 203.0.113.5"))
    assert media.remote_address == "203.0.113.5"


def test_voice_goes_over_ip_version_6() -> None:
    local = replace(HERE, address="2001:db8::1")
    answer, media = answer_to(describe("m=audio 6000 RTP/AVP 8", session="c=IN IP6 2001:DB8:0::7"), local)
    assert media.remote_address == "2001:db8::7"
    assert str(answer.connection) == "IN IP6 2001:db8::1"
    assert str(answer.origin) == "- 1 1 IN IP6 2001:db8::1"


def test_other_lines_are_refused_in_their_place_and_own_words() -> None:
    offer = describe(
        "m=video 7000 RTP/AVP 96 97",
        "a=rtpmap:96 H264/90000",
        "m=audio 7002 RTP/SAVP 8",
        "m=audio 7004 RTP/AVP 8",
        "m=application 7006 TCP/MSRP *",
        "m=audio 7008 RTP/AVP 0",
    )
    answer, media = answer_to(offer)
    assert [line.line for line in answer.media] == [
        "video 0 RTP/AVP 96 97",
        "audio 0 RTP/SAVP 8",
        "audio 51000 RTP/AVP 8",
        "application 0 TCP/MSRP *",
        "audio 0 RTP/AVP 0",
    ]
    assert [line.attributes for line in answer.media if not line.port] == [()] * 4
    assert media.remote_port == 7004


def test_a_later_line_is_taken_when_the_first_has_no_codec_for_us() -> None:
    answer, _media = answer_to(describe("m=audio 7000 RTP/AVP 18", "m=audio 7002 RTP/AVP 8"))
    assert [line.port for line in answer.media] == [0, 51000]


def test_our_later_offers_keep_the_number_of_lines() -> None:
    side = OfferAnswer(HERE, 1)
    side.receive_offer(describe("m=video 7000 RTP/AVP 96", "m=audio 7002 RTP/AVP 8"))
    offer = side.create_offer()
    assert [line.line for line in parse_sdp(offer).media] == [
        "video 0 RTP/AVP 96",
        "audio 51000 RTP/AVP 9 8 0 101",
    ]
    media = side.receive_answer(describe("m=video 0 RTP/AVP 96", "m=audio 7002 RTP/AVP 9"))
    assert media.codec.name == "G722"


def test_far_ends_whose_events_always_count_at_8000_hz_can_press_keys_in_wide_band_calls() -> None:
    lines = ("a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000")
    answer, media = answer_to(describe("m=audio 6000 RTP/AVP 111 101", *lines), replace(HERE, codecs=(CODECS["OPUS"],)))
    assert (media.dtmf_send, media.dtmf_receive, media.dtmf_clock_rate) == (101, 101, 8000)
    assert "101 telephone-event/8000" in answer.media[0].values("rtpmap")


def test_opus_is_offered_with_two_channels_and_what_we_cannot_read() -> None:
    side = OfferAnswer(replace(HERE, codecs=(CODECS["OPUS"], CODECS["G722"])), 1)
    line = parse_sdp(side.create_offer()).media[0]
    assert list(line.values("rtpmap"))[:2] == ["111 opus/48000/2", "9 G722/8000"]
    assert "111 stereo=0;useinbandfec=0" in line.values("fmtp")
    answer = ("m=audio 7002 RTP/AVP 111", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 maxaveragebitrate=16000")
    media = side.receive_answer(describe(*answer))
    assert (media.codec.name, media.codec.fmtp) == ("opus", "maxaveragebitrate=16000")


@pytest.mark.parametrize(("wished", "sent"), [(10, 10), (30, 20), (40, 40), (50, 40), (60, 60), (120, 60)])
def test_opus_is_sent_in_packet_times_that_it_has(wished: int, sent: int) -> None:
    lines = ("a=rtpmap:111 opus/48000/2", f"a=ptime:{wished}")
    _, media = answer_to(describe("m=audio 6000 RTP/AVP 111", *lines), replace(HERE, codecs=(CODECS["OPUS"],)))
    assert media.ptime == sent


def test_a_number_once_used_by_the_peer_gets_no_other_meaning() -> None:
    side = OfferAnswer(replace(HERE, codecs=(CODECS["PCMA"], OPUS)), 1)
    side.receive_offer(
        describe("m=audio 7002 RTP/AVP 8 101 107", "a=rtpmap:101 iLBC/8000", "a=rtpmap:107 telephone-event/8000")
    )
    line = parse_sdp(side.create_offer()).media[0]
    assert list(line.values("rtpmap")) == [
        "8 PCMA/8000",
        "96 opus/48000/2",
        "107 telephone-event/8000",
        "97 telephone-event/48000",
    ]


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (("m=audio 6000 RTP/AVP 18",), 305),
        (("m=audio 6000 RTP/AVP 96",), 305),
        (("m=audio 6000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), 305),
        (("m=audio 6000 RTP/AVP 999 x",), 305),
        ((), 304),
        (("m=image 6000 udptl t38",), 304),
        (("m=audio 0 RTP/AVP 8",), 304),
        (("m=audio 6000 RTP/AVPF 8",), 302),
        (("m=audio 6000 RTP/SAVP 8",), 302),
        (("m=audio 6000 UDP/TLS/RTP/SAVPF 8",), 302),
        (("m=audio 6000 RTP/AVP 8", "c=IN IP4 phone.example.com"), 301),
        (("m=audio 6000 RTP/AVP 8", "c=IN IP6 2001:db8::1"), 301),
        (("m=audio 6000 RTP/AVP 8", "c=IN IP4 224.2.1.1/127"), 330),
        (("m=audio 6000 RTP/AVP 8", "c=IN IP6 ff15::101/3"), 330),
        (("m=audio 6000 RTP/AVP 8", "c=IN IP4 255.255.255.255"), 330),
    ],
)
def test_an_offer_that_does_not_fit_is_refused_with_a_warning_and_changes_nothing(
    lines: tuple[str, ...], warning: int
) -> None:
    side, _other = connected()
    before, refreshed = side.current, side.create_offer()
    side.rollback()
    with pytest.raises(NegotiationError) as caught:
        side.receive_offer(describe(*lines))
    assert (caught.value.status, caught.value.warning) == (488, warning)
    assert side.current is before
    assert side.create_offer() == refreshed


def test_an_offer_without_any_address_is_refused() -> None:
    with pytest.raises(NegotiationError):
        answer_to(b"v=0\r\nm=audio 6000 RTP/AVP 8\r\n")


def test_an_offer_is_checked_before_a_port_is_open() -> None:
    check_offer(describe("m=audio 6000 RTP/AVP 18", "m=audio 6002 RTP/AVP 8"), HERE.codecs, HERE.address)
    with pytest.raises(NegotiationError):
        check_offer(describe("m=audio 6000 RTP/AVP 18"), HERE.codecs, HERE.address)
    with pytest.raises(SdpError):
        check_offer(b"nonsense", HERE.codecs, HERE.address)


def test_an_attribute_that_only_mentions_a_codec_maps_nothing() -> None:
    offer = describe("m=audio 6000 RTP/AVP 8", "a=note:a=rtpmap:8 PCMA/8000", "a=rtpmap:8 L16/44100")
    with pytest.raises(NegotiationError):
        check_offer(offer, HERE.codecs, HERE.address)


LINES_OF_OFFERS = (
    *("c=IN IP4 198.51.100.7", "c=IN IP6 2001:db8::1", " c=IN IP6 2001:db8::1", "c=IN IP4 phone.example", "c=nonsense"),
    *("c=IN IP4 224.2.1.1/127", "c=IN IP4 255.255.255.255", "c=IN IP4 198.51.100", "c=IN IP4 0.0.0.0", "nonsense"),
    *("m=audio 6000 RTP/AVP 8", "m=audio 6000 RTP/AVP 18 0 8", "m=audio 70000 RTP/AVP 8", "m=audio 0 RTP/AVP 8"),
    *("m=video 6000 RTP/AVP 8", "m=audio 6000 RTP/SAVP 8", "m=audio 6000 RTP/AVP 97"),
    *("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 opus/48000", "a=rtpmap:08 opus/48000", "a=rtpmap :8 opus/48000/2"),
    *("a=rtpmap:0 pcmu/8000/1", "a=rtpmap:0 PCMU/16000", "a=rtpmap:97 PCMU/8000", "a=sendonly", "b=AS:64", "t=0 0"),
    *("a=note:a=rtpmap:8 PCMA/8000", "a=rtpmap:8 pcma/8000"),
)


def lines_that_begin(start: str) -> st.SearchStrategy[str]:
    return st.sampled_from([line for line in LINES_OF_OFFERS if line.startswith(start)])


@given(
    st.lists(st.sampled_from(LINES_OF_OFFERS), max_size=8)
    | st.builds(
        lambda connection, media, rest: [connection, media, *rest],
        lines_that_begin("c="),
        lines_that_begin("m=audio"),
        st.lists(lines_that_begin("a="), max_size=4),
    ),
    st.sampled_from(["192.0.2.1", "2001:db8::2"]),
)
def test_what_rings_can_be_answered(lines: list[str], address: str) -> None:
    offer = "\r\n".join(["v=0", *lines, ""]).encode()
    results = []
    for attempt in (
        lambda: check_offer(offer, HERE.codecs, address),
        lambda: OfferAnswer(replace(HERE, address=address), 1).receive_offer(offer),
    ):
        try:
            attempt()
        except NegotiationError, SdpError:
            results.append(False)
        else:
            results.append(True)
    assert results[0] is results[1]


@pytest.mark.parametrize(
    "lines",
    [
        ("c=IN IP6 2001:db8::1", "m=audio 6000 RTP/AVP 8"),
        ("t=0 0", "m=audio 6000 RTP/AVP 8"),
        ("c=IN IP4 1.2.3.4.5", "m=audio 6000 RTP/AVP 8"),
        ("c=IN IP4 phone.example", "m=audio 6000 RTP/AVP 8"),
        ("c=IN IP4 224.2.1.1/127", "m=audio 6000 RTP/AVP 8"),
        ("c=IN IP4 224.2.1.1", "m=audio 6000 RTP/AVP 8"),
        ("c=IN IP4 198.51.100.7", "m=audio 6000 RTP/AVP 8", "a=rtpmap:8 opus/48000"),
        ("c=IN IP4 198.51.100.7", "m=audio 6000 RTP/AVP 8", "c=IN IP6 2001:db8::1"),
        ("c=IN IP4 198.51.100.7", "m=audio 99999 RTP/AVP 8"),
    ],
)
def test_nobody_is_rung_for_what_cannot_be_answered(lines: tuple[str, ...]) -> None:
    offer = "\r\n".join(["v=0", *lines, ""]).encode()
    with pytest.raises((NegotiationError, SdpError)):
        check_offer(offer, HERE.codecs, HERE.address)


def test_the_audio_line_of_our_ip_version_is_answered() -> None:
    offer = describe("m=audio 6000 RTP/AVP 8", "c=IN IP6 2001:db8::1", "m=audio 6002 RTP/AVP 8")
    answer, media = answer_to(offer)
    assert [line.port for line in answer.media] == [0, HERE.port]
    assert media.remote_address == "198.51.100.7"


@pytest.mark.parametrize(
    ("session_line", "media_line", "ours", "held"),
    [
        ("a=sendrecv", "a=ptime:20", "sendrecv", False),
        ("a=x", "a=sendonly", "recvonly", True),
        ("a=x", "a=recvonly", "sendonly", False),
        ("a=x", "a=inactive", "inactive", True),
        ("a=sendonly", "a=ptime:20", "recvonly", True),
        ("a=inactive", "a=sendrecv", "sendrecv", False),
        ("a=x", "c=IN IP4 0.0.0.0", "recvonly", True),
        ("a=inactive", "c=IN IP4 0.0.0.0", "inactive", True),
        ("a=x", "c=IN IP4 held.invalid", "recvonly", True),
    ],
)
def test_an_answer_mirrors_the_direction_of_the_offer(
    session_line: str, media_line: str, ours: str, held: bool
) -> None:
    offer = describe("m=audio 6000 RTP/AVP 8", media_line, session=f"c=IN IP4 198.51.100.7\r\n{session_line}")
    body, media = OfferAnswer(HERE, 1).receive_offer(offer)
    assert directions(body) == [ours]
    assert (media.direction, media.held) == (ours, held)


def test_a_stream_without_an_address_gets_nothing_sent() -> None:
    _answer, media = answer_to(describe("m=audio 6000 RTP/AVP 8", "c=IN IP4 0.0.0.0"))
    assert media.remote_address == "0.0.0.0"
    assert not media.direction.sends


def test_hold_and_resume_by_us() -> None:
    ours, theirs = connected()
    answer, media = theirs.receive_offer(ours.create_offer(MediaDirection.SENDONLY))
    assert directions(answer) == ["recvonly"]
    assert media.held
    assert ours.receive_answer(answer).direction is MediaDirection.SENDONLY
    assert ours.direction is MediaDirection.SENDONLY
    answer, media = theirs.receive_offer(ours.create_offer(MediaDirection.SENDRECV))
    assert directions(answer) == ["sendrecv"]
    assert not media.held
    assert ours.receive_answer(answer).direction is MediaDirection.SENDRECV


def test_a_call_on_hold_by_us_stays_on_hold_when_the_peer_offers_anew() -> None:
    ours, theirs = connected()
    ours.receive_answer(theirs.receive_offer(ours.create_offer(MediaDirection.SENDONLY))[0])
    answer, media = ours.receive_offer(theirs.create_offer())
    assert directions(answer) == ["sendonly"]
    assert media.direction is MediaDirection.SENDONLY
    theirs.receive_answer(answer)
    answer, media = ours.receive_offer(theirs.create_offer(MediaDirection.SENDONLY))
    assert directions(answer) == ["inactive"]
    assert media.direction is MediaDirection.INACTIVE
    assert media.held


def test_a_hold_while_held_is_inactive_and_each_side_comes_back_for_itself() -> None:
    ours, theirs = connected()
    theirs.receive_answer(ours.receive_offer(theirs.create_offer(MediaDirection.SENDONLY))[0])
    offer = ours.create_offer(MediaDirection.SENDONLY)
    assert directions(offer) == ["inactive"]
    answer, media = theirs.receive_offer(offer)
    assert directions(answer) == ["inactive"]
    assert media.held
    media = ours.receive_answer(answer)
    assert (media.direction, media.held) == (MediaDirection.INACTIVE, True)
    assert {ours.direction, theirs.direction} == {MediaDirection.SENDONLY}
    offer = ours.create_offer(MediaDirection.SENDRECV)
    assert directions(offer) == ["recvonly"]
    answer, media = theirs.receive_offer(offer)
    assert directions(answer) == ["sendonly"]
    assert not media.held
    media = ours.receive_answer(answer)
    assert (media.direction, media.held) == (MediaDirection.RECVONLY, True)
    assert ours.direction is MediaDirection.SENDRECV
    answer, media = ours.receive_offer(theirs.create_offer(MediaDirection.SENDRECV))
    assert directions(answer) == ["sendrecv"]
    assert (media.direction, media.held) == (MediaDirection.SENDRECV, False)


def test_whoever_holds_us_and_asks_for_an_offer_gets_it_in_full() -> None:
    ours, theirs = connected()
    theirs.receive_answer(ours.receive_offer(theirs.create_offer(MediaDirection.SENDONLY))[0])
    assert directions(ours.create_offer()) == ["sendrecv"]


def test_an_answer_gives_no_more_than_was_offered_to_whoever_holds_us() -> None:
    ours, theirs = connected()
    theirs.receive_answer(ours.receive_offer(theirs.create_offer(MediaDirection.SENDONLY))[0])
    ours.create_offer(MediaDirection.SENDONLY)
    media = ours.receive_answer(describe("m=audio 6000 RTP/AVP 8", "a=sendrecv"))
    assert media.direction is MediaDirection.INACTIVE


def test_an_offer_without_a_direction_keeps_the_hold() -> None:
    ours, theirs = connected()
    ours.receive_answer(theirs.receive_offer(ours.create_offer(MediaDirection.SENDONLY))[0])
    assert directions(ours.create_offer()) == ["sendonly"]


def test_a_hold_that_was_refused_did_not_happen() -> None:
    ours, _theirs = connected()
    before = ours.current
    ours.create_offer(MediaDirection.SENDONLY)
    waiting = [ours.has_local_offer]
    ours.rollback()
    waiting.append(ours.has_local_offer)
    assert waiting == [True, False]
    assert ours.current is before
    assert ours.direction is MediaDirection.SENDRECV


def test_the_version_grows_by_one_only_when_something_changed() -> None:
    ours, _theirs = connected()
    versions = []
    for direction in (None, None, MediaDirection.SENDONLY, None):
        versions.append(version(ours.create_offer(direction)))
        ours.rollback()
    assert versions == [1, 1, 2, 3]
    ours.replace_local(replace(HERE, port=51002))
    assert version(ours.create_offer()) == 4


def test_an_offer_repeated_by_the_peer_gets_the_same_answer() -> None:
    side = OfferAnswer(HERE, 1)
    offer = describe("m=audio 6000 RTP/AVP 8")
    assert side.receive_offer(offer) == side.receive_offer(offer)


def test_the_offer_may_come_with_the_final_answer_and_its_answer_with_the_ack() -> None:
    called, caller = OfferAnswer(HERE, 1), OfferAnswer(THERE, 2)
    late_answer, _media = caller.receive_offer(called.create_offer())
    assert called.receive_answer(late_answer).codec == CODECS["PCMU"]


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        ((), 304),
        (("m=audio 0 RTP/AVP 8",), 304),
        (("m=video 6000 RTP/AVP 8",), 304),
        (("m=audio 6000 RTP/SAVP 8",), 302),
        (("m=audio 6000 RTP/AVP 18",), 305),
        (("m=audio 6000 RTP/AVP 8", "c=IN IP6 2001:db8::1"), 301),
    ],
)
def test_an_answer_that_does_not_fit_is_an_error_and_ends_the_offer(lines: tuple[str, ...], warning: int) -> None:
    side = OfferAnswer(HERE, 1)
    side.create_offer()
    with pytest.raises(NegotiationError) as caught:
        side.receive_answer(describe(*lines))
    assert caught.value.warning == warning
    assert not side.has_local_offer
    assert side.current is None


def test_offers_do_not_cross() -> None:
    side = OfferAnswer(HERE, 1)
    with pytest.raises(LocalProtocolError):
        side.receive_answer(describe("m=audio 6000 RTP/AVP 8"))
    side.create_offer()
    with pytest.raises(LocalProtocolError):
        side.create_offer()
    with pytest.raises(LocalProtocolError):
        side.receive_offer(describe("m=audio 6000 RTP/AVP 8"))


def test_two_phones_that_ring_at_once_each_answer_the_same_offer() -> None:
    first = OfferAnswer(HERE, 1)
    offer = first.create_offer()
    second = first.fork()
    assert first.receive_answer(OfferAnswer(THERE, 2).receive_offer(offer)[0]).remote_port == 52000
    other = OfferAnswer(replace(THERE, port=53000), 3)
    assert second.receive_answer(other.receive_offer(offer)[0]).remote_port == 53000
    assert first.current is not None
    assert first.current.remote_port == 52000


def test_codecs_are_named_in_order_and_once() -> None:
    assert [codec.name for codec in codecs_named(["pcmu", "G722", "PCMU"])] == ["PCMU", "G722"]
    with pytest.raises(LocalProtocolError):
        codecs_named(["MP3"])


LINES = st.sampled_from(
    [
        "m=audio 6000 RTP/AVP 0 8 9 96 97",
        "m=audio 0 RTP/AVP 0",
        "m=video 6002 RTP/AVP 99",
        "m=audio 6004 RTP/SAVP 8",
        "a=rtpmap:96 telephone-event/8000",
        "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:0 PCMA/8000",
        "a=rtpmap:8 /",
        "a=fmtp:97 x",
        "a=sendonly",
        "a=inactive",
        "a=ptime:0",
        "a=maxptime:3",
        "a=rtcp:9 IN IP6 ::1",
        "c=IN IP4 0.0.0.0",
        "c=IN IP4 203.0.113.1/127",
        "c=IN IP6 x.invalid",
        "c=IN IP6 ::",
    ]
)


@given(st.lists(st.lists(LINES, max_size=12), max_size=5))
def test_any_offers_are_answered_line_by_line_or_refused(offers: list[list[str]]) -> None:
    side = OfferAnswer(replace(HERE, codecs=(OPUS, *HERE.codecs)), 1)
    for lines in offers:
        offer = describe(*lines)
        try:
            answer, media = side.receive_offer(offer)
        except NegotiationError:
            continue
        offered, answered = parse_sdp(offer).media, parse_sdp(answer).media
        assert [line.media for line in answered] == [line.media for line in offered]
        assert [line.protocol for line in answered] == [line.protocol for line in offered]
        (ours,) = (line for line in answered if line.port)
        assert ours.port == HERE.port
        assert str(media.codec.payload_type) in ours.formats
        assert 10 <= media.ptime <= 60
        numbers = next(line.formats for line in parse_sdp(side.create_offer()).media if line.port)
        assert len(set(numbers)) == len(numbers)
        side.rollback()
