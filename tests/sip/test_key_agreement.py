"""Keys in offers and answers of one dialog (RFC 4568, RFC 8643), between two of ours and against others."""

from base64 import b64encode
from dataclasses import replace
from random import Random

import pytest

from custom_components.sip_ua.sip.account import Srtp
from custom_components.sip_ua.sip.errors import NegotiationError
from custom_components.sip_ua.sip.key_rules import KeyRules
from custom_components.sip_ua.sip.offer_answer import LocalMedia, MediaDirection, OfferAnswer, codecs_named
from custom_components.sip_ua.sip.offer_choice import check_offer
from custom_components.sip_ua.sip.sdes import SUITES, parse_crypto
from custom_components.sip_ua.sip.sdp import MediaDescription, parse_sdp

HERE = LocalMedia("192.0.2.1", 51000, codecs_named(["PCMA", "PCMU"]))
THERE = LocalMedia("192.0.2.2", 52000, codecs_named(["PCMU", "PCMA"]))
CM80, CM32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"
KEY = b64encode(bytes(range(30))).decode()
OTHER_KEY = b64encode(bytes(range(1, 31))).decode()


def rules(srtp: Srtp, *suites: str, allowed: bool = True, seed: int = 1) -> KeyRules:
    return KeyRules(srtp, allowed, suites or tuple(SUITES), Random(seed).randbytes)


OFF, OPTIONAL, REQUIRED = (rules(srtp) for srtp in (Srtp.OFF, Srtp.OPTIONAL, Srtp.REQUIRED))


def pair(ours: Srtp, theirs: Srtp) -> tuple[OfferAnswer, OfferAnswer]:
    return OfferAnswer(HERE, 1, rules(ours, seed=1)), OfferAnswer(THERE, 2, rules(theirs, seed=2))


def exchange(offerer: OfferAnswer, answerer: OfferAnswer) -> tuple[bytes, bytes]:
    offer = offerer.create_offer()
    answer, _ = answerer.receive_offer(offer)
    offerer.receive_answer(answer)
    return offer, answer


def line(body: bytes) -> MediaDescription:
    return parse_sdp(body).media[0]


def keys(body: bytes) -> list[str]:
    return list(line(body).values("crypto"))


def describe(*media: str) -> bytes:
    head = ["v=0", "o=x 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0"]
    return "\r\n".join([*head, *media, ""]).encode()


def matching(ours: OfferAnswer, theirs: OfferAnswer) -> bool:
    """Whether each side decrypts with the key with which the other one encrypts."""
    here = None if ours.current is None else ours.current.security
    there = None if theirs.current is None else theirs.current.security
    return (
        here is not None
        and there is not None
        and (here.suite, here.local_key, here.remote_key) == (there.suite, there.remote_key, there.local_key)
        and here.local_key != here.remote_key
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "profile", "encrypted"),
    [
        (Srtp.OFF, Srtp.OFF, "RTP/AVP", False),
        (Srtp.OFF, Srtp.OPTIONAL, "RTP/AVP", False),
        (Srtp.OPTIONAL, Srtp.OFF, "RTP/AVP", False),
        (Srtp.OPTIONAL, Srtp.OPTIONAL, "RTP/AVP", True),
        (Srtp.OPTIONAL, Srtp.REQUIRED, "RTP/AVP", True),
        (Srtp.REQUIRED, Srtp.OPTIONAL, "RTP/SAVP", True),
        (Srtp.REQUIRED, Srtp.REQUIRED, "RTP/SAVP", True),
    ],
)
def test_two_sides_agree_on_what_both_want(ours: Srtp, theirs: Srtp, profile: str, encrypted: bool) -> None:
    offerer, answerer = pair(ours, theirs)
    offer, answer = exchange(offerer, answerer)
    assert line(offer).protocol == line(answer).protocol == profile
    assert [value.split()[1] for value in keys(offer)] == ([] if ours is Srtp.OFF else list(SUITES))
    assert len(keys(answer)) == encrypted
    assert matching(offerer, answerer) is encrypted
    assert offerer.current is not None
    assert (offerer.current.security is not None) is encrypted


@pytest.mark.parametrize(
    ("ours", "theirs", "warning"), [(Srtp.OFF, Srtp.REQUIRED, 302), (Srtp.REQUIRED, Srtp.OFF, 302)]
)
def test_an_offer_that_cannot_be_agreed_on_is_refused(ours: Srtp, theirs: Srtp, warning: int) -> None:
    offerer, answerer = pair(ours, theirs)
    offer = offerer.create_offer()
    for attempt in (
        lambda: answerer.receive_offer(offer),
        lambda: check_offer(offer, THERE.codecs, THERE.address, rules(theirs)),
    ):
        with pytest.raises(NegotiationError) as refused:
            attempt()
        assert (refused.value.status, refused.value.warning) == (488, warning)
    assert answerer.current is None


def test_each_offered_key_is_another_one_under_a_tag_of_its_own() -> None:
    read = [parse_crypto(value) for value in keys(OfferAnswer(HERE, 1, OPTIONAL).create_offer())]
    assert [(crypto.tag, crypto.suite) for crypto in read if crypto] == list(enumerate(SUITES, 1))
    assert len({crypto.key for crypto in read if crypto}) == len(SUITES)


def test_the_best_suite_of_the_offerer_is_answered_under_its_tag_with_a_key_of_ours() -> None:
    ours = OfferAnswer(HERE, 1, REQUIRED)
    offer = describe(
        "m=audio 6000 RTP/SAVP 8",
        "a=crypto:7 F8_128_HMAC_SHA1_80 inline:" + KEY,
        f"a=crypto:9 {CM32} inline:{KEY}|2^20|1:4 UNENCRYPTED_SRTCP",
        f"a=crypto:3 {CM32} inline:{KEY}|2^20|1:4",
        f"a=crypto:1 {CM80} inline:{OTHER_KEY}",
    )
    answer, media = ours.receive_offer(offer)
    (value,) = keys(answer)
    crypto = parse_crypto(value)
    assert crypto is not None
    assert (crypto.tag, crypto.suite) == (3, CM32)
    security = media.security
    assert security is not None
    assert (security.suite, security.local_key, security.remote_key) == (CM32, crypto.key, bytes(range(30)))
    assert security.remote_mki == b"\0\0\0\1"


def test_suites_that_the_account_does_not_want_are_neither_offered_nor_taken() -> None:
    ours = OfferAnswer(HERE, 1, rules(Srtp.REQUIRED, GCM))
    assert [value.split()[1] for value in keys(ours.create_offer())] == [GCM]
    with pytest.raises(NegotiationError) as refused:
        OfferAnswer(HERE, 1, rules(Srtp.REQUIRED, GCM)).receive_offer(
            describe("m=audio 6000 RTP/SAVP 8", f"a=crypto:1 {CM80} inline:{KEY}")
        )
    assert refused.value.warning == 306


@pytest.mark.parametrize("crypto", [(), ("a=crypto:1 F8_128_HMAC_SHA1_80 inline:" + KEY,)])
@pytest.mark.parametrize("srtp", [Srtp.OPTIONAL, Srtp.REQUIRED])
def test_a_secure_line_without_a_key_that_we_can_use_is_refused(srtp: Srtp, crypto: tuple[str, ...]) -> None:
    with pytest.raises(NegotiationError):
        OfferAnswer(HERE, 1, rules(srtp)).receive_offer(describe("m=audio 6000 RTP/SAVP 8", *crypto))


def test_a_key_that_we_cannot_use_leaves_an_optional_call_plain() -> None:
    offer = describe("m=audio 6000 RTP/AVP 8", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:" + KEY)
    answer, media = OfferAnswer(HERE, 1, OPTIONAL).receive_offer(offer)
    assert media.security is None
    assert keys(answer) == []


def test_where_keys_may_not_be_named_none_is_offered_or_taken() -> None:
    silent = rules(Srtp.OPTIONAL, allowed=False)
    assert keys(OfferAnswer(HERE, 1, silent).create_offer()) == []
    answer, media = OfferAnswer(HERE, 1, silent).receive_offer(OfferAnswer(THERE, 2, OPTIONAL).create_offer())
    assert media.security is None
    assert keys(answer) == []
    required = rules(Srtp.REQUIRED, allowed=False)
    for peer in (OFF, OPTIONAL, REQUIRED):
        with pytest.raises(NegotiationError, match="needs TLS"):
            OfferAnswer(HERE, 1, required).receive_offer(OfferAnswer(THERE, 2, peer).create_offer())


def test_of_a_secure_and_a_plain_line_the_secure_one_is_answered() -> None:
    offer = describe(
        "m=audio 6000 RTP/AVP 8", "m=audio 6002 RTP/SAVP 8", f"a=crypto:1 {CM80} inline:{KEY}", "m=video 0 RTP/AVP 99"
    )
    answer, media = OfferAnswer(HERE, 1, OPTIONAL).receive_offer(offer)
    assert [(item.port, item.protocol) for item in parse_sdp(answer).media] == [
        (0, "RTP/AVP"),
        (51000, "RTP/SAVP"),
        (0, "RTP/AVP"),
    ]
    assert media.remote_port == 6002
    answer, media = OfferAnswer(HERE, 1, OFF).receive_offer(offer)
    assert media.remote_port == 6000


@pytest.mark.parametrize(
    "answer",
    [
        ("RTP/AVP", f"4 {CM80} inline:{KEY}"),
        ("RTP/AVP", f"1 {CM32} inline:{KEY}"),
        ("RTP/AVP", f"1 {CM80} inline:short"),
        ("RTP/AVP", f"1 {CM80} inline:{KEY} UNENCRYPTED_SRTP"),
        ("RTP/SAVP", "nothing"),
        ("RTP/SAVPF", f"1 {CM80} inline:{KEY}"),
        ("UDP/TLS/RTP/SAVP", f"1 {CM80} inline:{KEY}"),
    ],
)
def test_an_answer_whose_key_fits_none_of_ours_is_no_answer(answer: tuple[str, str]) -> None:
    ours = OfferAnswer(HERE, 1, OPTIONAL)
    ours.create_offer()
    with pytest.raises(NegotiationError):
        ours.receive_answer(describe(f"m=audio 6000 {answer[0]} 8", f"a=crypto:{answer[1]}"))
    assert ours.current is None


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/SAVP"])
@pytest.mark.parametrize("srtp", [Srtp.OPTIONAL, Srtp.REQUIRED])
def test_an_answer_with_a_key_is_taken_under_either_profile(srtp: Srtp, profile: str) -> None:
    ours = OfferAnswer(HERE, 1, rules(srtp))
    offered = {value.split()[0]: parse_crypto(value) for value in keys(ours.create_offer())}
    media = ours.receive_answer(describe(f"m=audio 6000 {profile} 8", f"a=crypto:1 {CM80} inline:{KEY}"))
    mine = offered["1"]
    assert mine is not None
    assert media.security is not None
    assert media.security.local_key == mine.key


def test_a_plain_answer_is_taken_only_where_encryption_is_not_required() -> None:
    plain = describe("m=audio 6000 RTP/AVP 8")
    optional = OfferAnswer(HERE, 1, OPTIONAL)
    optional.create_offer()
    assert optional.receive_answer(plain).security is None
    required = OfferAnswer(HERE, 1, REQUIRED)
    required.create_offer()
    with pytest.raises(NegotiationError, match="encrypted"):
        required.receive_answer(plain)


def test_an_answer_cannot_encrypt_what_was_offered_plain() -> None:
    ours = OfferAnswer(HERE, 1, OFF)
    ours.create_offer()
    assert ours.receive_answer(describe("m=audio 6000 RTP/AVP 8", f"a=crypto:1 {CM80} inline:{KEY}")).security is None
    ours.create_offer()
    with pytest.raises(NegotiationError):
        ours.receive_answer(describe("m=audio 6000 RTP/SAVP 8", f"a=crypto:1 {CM80} inline:{KEY}"))


# Later exchanges of the dialog


def test_hold_and_resume_keep_both_keys_whoever_asks() -> None:
    ours, theirs = pair(Srtp.REQUIRED, Srtp.OPTIONAL)
    offer, answer = exchange(ours, theirs)
    assert ours.current is not None
    before = ours.current.security
    for holder, other in ((ours, theirs), (theirs, ours)):
        for direction in (MediaDirection.SENDONLY, MediaDirection.SENDRECV):
            offer = holder.create_offer(direction)
            answer, _ = other.receive_offer(offer)
            holder.receive_answer(answer)
            assert line(offer).protocol == line(answer).protocol == "RTP/SAVP"
            assert ours.current.security == before
            assert matching(ours, theirs)


def test_an_offer_that_says_the_same_again_is_the_same() -> None:
    ours, theirs = pair(Srtp.OPTIONAL, Srtp.OPTIONAL)
    first, _ = exchange(ours, theirs)
    again = ours.create_offer()
    assert again == first
    ours.rollback()
    assert ours.create_offer() == first


def test_a_new_address_or_port_of_ours_brings_a_new_key_in_offer_and_answer() -> None:
    ours, theirs = pair(Srtp.OPTIONAL, Srtp.OPTIONAL)
    exchange(ours, theirs)
    seen = set()
    for step in range(4):
        assert ours.current is not None
        assert ours.current.security is not None
        seen.add(ours.current.security.local_key)
        ours.replace_local(replace(HERE, port=51002 + 2 * step))
        exchange(*((ours, theirs) if step % 2 else (theirs, ours)))
        assert matching(ours, theirs)
    assert len(seen) == 4


def test_a_new_key_of_theirs_leaves_ours_as_it_is() -> None:
    ours = OfferAnswer(HERE, 1, OPTIONAL)
    used = []
    for key in (KEY, OTHER_KEY):
        _, media = ours.receive_offer(describe("m=audio 6000 RTP/SAVP 8", f"a=crypto:1 {CM80} inline:{key}"))
        assert media.security is not None
        used.append((media.security.local_key, b64encode(media.security.remote_key).decode()))
    assert used[0][0] == used[1][0]
    assert [key for _, key in used] == [KEY, OTHER_KEY]


def test_a_key_that_was_given_up_is_never_used_again() -> None:
    ours = OfferAnswer(HERE, 1, OPTIONAL)
    gcm_key = b64encode(bytes(28)).decode()
    seen = []
    for value in (f"1 {CM80} inline:{KEY}", f"1 {GCM} inline:{gcm_key}", None, f"1 {CM80} inline:{KEY}", None):
        crypto = () if value is None else (f"a=crypto:{value}",)
        _, media = ours.receive_offer(describe("m=audio 6000 RTP/AVP 8", *crypto))
        seen += [] if media.security is None else [media.security.local_key]
    offered = [parse_crypto(value) for value in keys(ours.create_offer())]
    seen += [crypto.key for crypto in offered if crypto is not None]
    assert len(set(seen)) == len(seen) == 3 + len(SUITES)


def test_a_refused_change_leaves_the_keys_in_use() -> None:
    ours, theirs = pair(Srtp.REQUIRED, Srtp.REQUIRED)
    exchange(ours, theirs)
    assert ours.current is not None
    before = ours.current.security
    with pytest.raises(NegotiationError):
        ours.receive_offer(describe("m=audio 6000 RTP/AVP 8"))
    assert ours.current.security == before
    exchange(ours, theirs)
    assert ours.current.security == before
    assert matching(ours, theirs)


def test_the_phones_that_ring_for_one_offer_have_keys_of_their_own() -> None:
    ours = OfferAnswer(HERE, 1, OPTIONAL)
    offer = ours.create_offer()
    forks = []
    for seed in (2, 3):
        theirs = OfferAnswer(THERE, 2, rules(Srtp.OPTIONAL, seed=seed))
        answer, _ = theirs.receive_offer(offer)
        fork = ours.fork()
        fork.receive_answer(answer)
        assert matching(fork, theirs)
        forks.append((fork, theirs))
    plain = ours.fork()
    assert plain.receive_answer(describe("m=audio 6000 RTP/AVP 8")).security is None
    for fork, theirs in forks:
        exchange(fork, theirs)
        assert matching(fork, theirs)
