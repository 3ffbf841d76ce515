"""The flows of RFC 3665 section 2 message for message; our agent is Bob, at the registrar of Biloxi."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Timing
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationFailure, RegistrationState
from custom_components.sip_ua.sip.message import Request

from .agents import BOB, join
from .link import Link
from .registrar import NAME, SERVER, Registrar

BOB_CONTACT = f"sip:bob@{BOB.host}:5060"
ANOTHER = "sip:bob@office.biloxi.example"


class Home:
    """Bob's telephone and his registrar."""

    def __init__(self, **changes: object) -> None:
        account = Account(
            number="bob",
            domain=NAME,
            display_name="Bob",
            password="secret",
            server=ServerAddress(NAME),
            timing=Timing(keep_alive=0),
        )
        self.link = Link()
        self.server = Registrar(self.link)
        self.bob = join(self.link, replace(account, **changes), BOB)  # type: ignore[arg-type]
        self.bob.names[NAME] = [SERVER]

    def register(self) -> None:
        self.bob.command("register")
        self.link.run_for(5)

    def flow(self) -> list[str]:
        """Return the messages since the last call of this: `>` Bob's, `<` the registrar's."""
        lines = [f"{'>' if p.source == BOB else '<'} {p.label}" for p in self.link.transcript]
        self.link.transcript.clear()
        return lines

    @property
    def requests(self) -> list[Request]:
        return [request for _, request in self.server.registers()]

    @property
    def states(self) -> list[RegistrationState]:
        return [event.state for event in self.bob.events(RegistrationChanged)]


def test_2_1_successful_new_registration() -> None:
    home = Home()
    home.register()
    assert home.flow() == ["> REGISTER", "< 401", "> REGISTER", "< 200"]
    first, second = home.requests
    assert first.uri == second.uri == f"sip:{NAME}"
    assert (str(first.to.uri), str(first.from_.uri)) == (f"sip:bob@{NAME}", f"sip:bob@{NAME}")
    assert first.to.tag is None
    assert second.to.tag is None
    assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
    assert second.cseq.number == first.cseq.number + 1
    assert second.via.branch != first.via.branch
    assert first.headers.get("Authorization") is None
    assert f'realm="{NAME}"' in (second.headers.get("Authorization") or "")
    assert [str(contact.uri) for contact in second.contacts] == [BOB_CONTACT]
    assert home.states == [RegistrationState.REGISTERING, RegistrationState.REGISTERED]
    assert home.bob.agent.registration.code == 200


def test_2_2_update_of_the_contact_list() -> None:
    home = Home()
    home.register()
    home.flow()
    # Another telephone of Bob's stands in the list, with a time of its own.
    home.server.bindings[ANOTHER] = home.link.now + 1_000_000
    home.bob.command("network_changed")
    home.link.run_for(5)
    assert home.flow() == ["> REGISTER", "< 200"]
    before, update = home.requests[-2:]
    assert update.cseq.number == before.cseq.number + 1
    assert update.call_id == before.call_id
    assert "nc=00000002" in (update.headers.get("Authorization") or ""), "the login is given before it is asked for"
    status = home.bob.agent.registration
    assert status.state is RegistrationState.REGISTERED
    assert status.expires_at == pytest.approx(status.at + 3600, abs=1), "the time of our own contact counts"
    assert home.states.count(RegistrationState.REGISTERING) == 1


def test_2_3_the_current_contact_list_is_in_every_answer_and_never_asked_for() -> None:
    home = Home()
    home.server.bindings[ANOTHER] = home.link.now + 1_000_000
    home.register()
    answer = home.link.sent("200", SERVER)[-1].data.decode()
    assert f"<{ANOTHER}>" in answer
    assert f"<{BOB_CONTACT}>" in answer
    assert all(request.contacts for request in home.requests), "a REGISTER without Contact would be the question"


def test_2_4_cancellation_of_registration() -> None:
    home = Home()
    home.server.bindings[ANOTHER] = home.link.now + 1_000_000
    home.register()
    home.flow()
    home.bob.command("unregister")
    home.link.run_for(5)
    assert home.flow() == ["> REGISTER", "< 200"]
    request = home.requests[-1]
    assert request.expires == 0
    # The RFC's "*" would unregister Bob's other telephones as well.
    assert not request.contact_star
    assert [(str(contact.uri), contact.expires) for contact in request.contacts] == [(BOB_CONTACT, 0)]
    assert list(home.server.bindings) == [ANOTHER]
    assert home.states[-2:] == [RegistrationState.UNREGISTERING, RegistrationState.UNREGISTERED]
    home.link.run_until_quiet()


def test_2_5_unsuccessful_registration() -> None:
    home = Home(password="wrong")
    home.register()
    home.link.run_for(7200)
    assert home.flow() == ["> REGISTER", "< 401", "> REGISTER", "< 401"]
    assert home.states == [RegistrationState.REGISTERING, RegistrationState.REFUSED]
    status = home.bob.agent.registration
    assert (status.failure, status.code) == (RegistrationFailure.LOGIN_REFUSED, 401)
    assert status.next_attempt_at is None
    assert not home.server.bindings
