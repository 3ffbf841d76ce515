"""The peers among themselves: what the other tests stand on, measured before it is relied on."""

import pytest

from .conftest import Peers
from .peers import PeerError, require_program
from .peers.baresip import TONE_DBFS

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip", "sipp")]

ENOUGH_SECONDS = 1.5
ALL_DIGITS = "0123456789*#ABCD"


async def test_two_baresips_hear_each_other_through_kamailio(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    alice = await peers.baresip(kamailio, "alice", tone_hz=440.0)
    bob = await peers.baresip(kamailio, "bob", tone_hz=1000.0, answer=False)

    await alice.dial(f"sip:bob@{kamailio.address}")
    await bob.until_event("CALL_INCOMING")
    await bob.accept()
    for listener, frequency in ((alice, 1000.0), (bob, 440.0)):
        tone = await listener.until_heard(ENOUGH_SECONDS)
        assert tone.frequency_hz == pytest.approx(frequency, abs=0.5)
        assert tone.level_dbfs == pytest.approx(TONE_DBFS, abs=0.3)
        assert tone.snr_db > 30

    await alice.send_digits(ALL_DIGITS)
    await bob.until(lambda: len(bob.digits) >= len(ALL_DIGITS), "every digit has come")
    assert bob.digits == ALL_DIGITS

    await alice.hangup()
    await bob.until_event("CALL_CLOSED")
    invites = kamailio.requests("INVITE", caller="alice")
    assert [invite.authenticated for invite in invites] == [False, True]
    assert all("lr" in bye.route for bye in kamailio.requests("BYE"))


@pytest.mark.parametrize(
    ("caller", "called"),
    [
        ("uac_hangs_up", "uas_answers"),
        ("uac_is_hung_up", "uas_answers_and_hangs_up"),
        ("uac_expects_486", "uas_busy"),
        ("uac_expects_603", "uas_declines"),
        ("uac_cancels", "uas_rings_until_cancelled"),
    ],
)
async def test_a_sipp_caller_scenario_fits_its_called_one(peers: Peers, caller: str, called: str) -> None:
    callee = await peers.sipp(called)
    await (await peers.sipp(caller, callee.address)).require_success()
    await callee.require_success()


async def test_kamailio_forgets_what_it_is_told_to_forget(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    assert [contact.uri.endswith(str(bob.sip_port)) for contact in kamailio.contacts("bob")] == [True]
    kamailio.remove_contacts("bob")
    assert kamailio.contacts("bob") == []


def test_an_absent_peer_fails() -> None:
    with pytest.raises(PeerError, match="not installed"):
        require_program("no-such-telephone")
