"""Agreement on what is sent in silence (RFC 3389 section 4, RFC 7587 section 6.1)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.offer_answer import LocalMedia, NegotiatedMedia, OfferAnswer, codecs_named
from custom_components.sip_ua.sip.sdp import MediaDescription, parse_sdp

LOUD = LocalMedia("192.0.2.1", 51000, codecs_named(["G722", "PCMA"]))
QUIET = replace(LOUD, discontinuous=True)
THERE = LocalMedia("192.0.2.2", 52000, codecs_named(["PCMA", "G722"]), discontinuous=True)


def far_end(*formats: str, maps: tuple[str, ...] = ()) -> bytes:
    """Describe a far end with these payload types."""
    lines = ["v=0", "o=x 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0"]
    lines.append(f"m=audio 40000 RTP/AVP {' '.join(formats)}")
    return "\r\n".join([*lines, *maps, ""]).encode()


def line_of(body: bytes) -> MediaDescription:
    (line,) = parse_sdp(body).media
    return line


def answered(body: bytes, local: LocalMedia = QUIET) -> NegotiatedMedia:
    ours = OfferAnswer(local, 1)
    ours.create_offer()
    return ours.receive_answer(body)


def test_noise_is_offered_and_answered_where_both_want_that() -> None:
    ours, theirs = OfferAnswer(QUIET, 1), OfferAnswer(THERE, 2)
    offer = ours.create_offer()
    assert line_of(offer).formats == ("9", "8", "101", "13")
    assert "13 CN/8000" in line_of(offer).values("rtpmap")
    answer, heard = theirs.receive_offer(offer)
    assert line_of(answer).formats == ("8", "101", "13")
    media = ours.receive_answer(answer)
    assert (media.comfort_noise_send, media.comfort_noise_receive) == (13, 13)
    assert (heard.comfort_noise_send, heard.comfort_noise_receive) == (13, 13)
    assert media.dtmf_send == 101
    assert media.receive == ((8, media.codec),)


def test_where_one_side_does_not_want_it_nothing_is_agreed_and_nothing_is_written_of_it() -> None:
    for caller, called in ((QUIET, LOUD), (LOUD, THERE), (LOUD, LOUD)):
        ours, theirs = OfferAnswer(caller, 1), OfferAnswer(replace(called, address="192.0.2.2"), 2)
        offer = ours.create_offer()
        assert ("13" in line_of(offer).formats) is caller.discontinuous
        answer, heard = theirs.receive_offer(offer)
        assert "13" not in line_of(answer).formats
        assert heard.comfort_noise_send is None
        assert ours.receive_answer(answer).comfort_noise_send is None


def test_noise_of_a_far_end_has_the_number_that_it_gave() -> None:
    offer = far_end("8", "97", maps=("a=rtpmap:97 CN/8000",))
    body, media = OfferAnswer(QUIET, 1).receive_offer(offer)
    assert line_of(body).formats == ("8", "97")
    assert (media.comfort_noise_send, media.comfort_noise_receive) == (97, 97)


def test_a_far_end_may_renumber_noise_in_its_answer() -> None:
    media = answered(far_end("8", "98", maps=("a=rtpmap:98 CN/8000",)))
    assert (media.comfort_noise_send, media.comfort_noise_receive) == (98, 13)


def test_noise_of_another_clock_rate_is_none_of_ours() -> None:
    assert answered(far_end("8", "98", maps=("a=rtpmap:98 CN/16000",))).comfort_noise_send is None
    body, media = OfferAnswer(QUIET, 1).receive_offer(far_end("8", "98", maps=("a=rtpmap:98 CN/16000",)))
    assert line_of(body).formats == ("8",)
    assert media.comfort_noise_send is None


def test_g722_takes_noise_by_the_clock_that_its_packets_have() -> None:
    assert answered(far_end("9", "13")).comfort_noise_send == 13


def test_noise_stays_agreed_on_over_a_hold() -> None:
    ours, theirs = OfferAnswer(QUIET, 1), OfferAnswer(THERE, 2)
    ours.receive_answer(theirs.receive_offer(ours.create_offer())[0])
    again, _ = ours.receive_offer(theirs.create_offer())
    assert theirs.receive_answer(again).comfort_noise_send == 13


def test_opus_alone_has_no_noise_for_its_clock_is_another() -> None:
    opus = replace(QUIET, codecs=codecs_named(["OPUS"]))
    assert line_of(OfferAnswer(opus, 1).create_offer()).formats == ("111", "101")
    mixed = replace(QUIET, codecs=codecs_named(["OPUS", "PCMA"]))
    media = answered(far_end("111", "13", maps=("a=rtpmap:111 opus/48000/2",)), mixed)
    assert media.codec.name == "opus"
    assert media.comfort_noise_send is None


@pytest.mark.parametrize(
    ("fmtp", "local", "discontinuous"),
    [
        ("a=fmtp:111 useinbandfec=1; usedtx=1", True, True),
        ("a=fmtp:111 usedtx=1", False, False),
        ("a=fmtp:111 usedtx=0", True, False),
        ("a=ptime:20", True, False),
    ],
)
def test_opus_does_without_silence_where_the_far_end_would_rather_have_none(
    fmtp: str, *, local: bool, discontinuous: bool
) -> None:
    ours = LocalMedia("192.0.2.1", 51000, codecs_named(["OPUS"]), discontinuous=local)
    media = answered(far_end("111", maps=("a=rtpmap:111 opus/48000/2", fmtp)), ours)
    assert media.discontinuous is discontinuous
