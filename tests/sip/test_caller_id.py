"""Calls that do not show who calls (RFC 3323, RFC 3325): nothing of us leaves but what the own server needs."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account, ReferPolicy, ServerAddress, UriType
from custom_components.sip_ua.sip.events import CallState, IncomingCall
from custom_components.sip_ua.sip.headers import NameAddr
from custom_components.sip_ua.sip.message import Message, Request, Response, parse_message
from custom_components.sip_ua.sip.party import ANONYMOUS
from custom_components.sip_ua.sip.uri import SipUri

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .homes import Home, account
from .link import Link
from .proxy import PASSWORD, Proxy
from .registrar import NAME, SERVER
from .responder import SDP, Responder, answer
from .test_reliable import ok_to_all
from .test_replaces import Taker
from .trio import CAROL, Trio, answering, following

NUMBER = "4930777000"
SECRETS = (NUMBER, "Millers", "millerlogin")
ONLY_FOR_THE_SERVER = ("P-Preferred-Identity", "Proxy-Authorization", "Authorization")
ACCOUNT = Account(
    number=NUMBER,
    domain=NAME,
    password=PASSWORD,
    auth_user="millerlogin",
    display_name="The Millers",
    server=ServerAddress(NAME),
    send_caller_id=False,
    refer_policy=ReferPolicy.ANYWHERE,
)
BOB_URI, CAROL_URI = f"sip:bob@{NAME}", f"sip:carol@{NAME}"


class House:
    """Alice, who does not show who she is, behind a server that asks for a login; Bob and Carol answer at once."""

    def __init__(self, **changes: object) -> None:
        self.link = Link()
        self.proxy = Proxy(
            self.link,
            NAME,
            SERVER,
            {NAME: SERVER},
            {BOB_URI: f"sip:bob@{BOB.host}", CAROL_URI: f"sip:carol@{CAROL.host}"},
            realm=NAME,
        )
        self.alice = join(self.link, replace(ACCOUNT, **changes), ALICE, 1, following)  # type: ignore[arg-type]
        accepting = {"refer_policy": ReferPolicy.ANYWHERE}
        self.bob = join(self.link, direct_account("bob", **accepting), BOB, 2, answering)
        self.carol = join(self.link, direct_account("carol"), CAROL, 3, answering)
        for end in (self.alice, self.bob, self.carol):
            end.names[NAME] = [SERVER]

    def talk(self, target: str = BOB_URI, **options: object) -> str:
        """Let Alice talk to somebody."""
        call_id = self.alice.dial(target, **options)
        self.link.run_for(2)
        assert self.alice.agent.calls[call_id].state is CallState.TALKING
        return call_id

    def sent(self, *methods: str) -> list[Message]:
        """Return what Alice sent: requests of these methods, or everything."""
        messages = [parse_message(one.data) for one in self.link.transcript if one.source == ALICE]
        return [one for one in messages if not methods or (isinstance(one, Request) and one.method in methods)]

    def leaks(self) -> list[str]:
        """Return every line of Alice that tells who she is, besides those for her server alone."""
        lines = (line for one in self.sent() for line in one.to_bytes().decode().split("\r\n"))
        return [
            line
            for line in lines
            if not line.startswith(ONLY_FOR_THE_SERVER) and any(secret in line for secret in SECRETS)
        ]


def test_a_call_tells_who_calls_to_the_own_server_alone() -> None:
    house = House()
    call_id = house.talk()
    challenged, invite = house.sent("INVITE")
    for request in (challenged, invite):
        assert str(request.from_).startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
        assert request.headers.get_all("Privacy") == ["id"]
        assert request.headers.get_all("P-Preferred-Identity") == [f"<sip:{NUMBER}@{NAME}>"]
        assert str(request.contacts[0].uri) == f"sip:anonymous@{ALICE.host}:{ALICE.port}"
    assert 'username="millerlogin"' in (invite.headers.get("Proxy-Authorization") or "")
    assert house.bob.incoming.remote == ANONYMOUS
    house.alice.command("hangup", call_id)
    house.link.run_for(1)
    assert house.leaks() == []
    assert not house.bob.agent.calls


def test_nothing_within_the_call_tells_it_either() -> None:
    house = House()
    call_id = house.talk()
    for command, arguments in (
        ("hold", ()),
        ("resume", ()),
        ("send_digits", ("12", 100, 100)),
        ("network_changed", None),
    ):
        house.alice.command(command, *(() if arguments is None else (call_id, *arguments)))
        house.link.run_for(2)
    (theirs,) = house.bob.agent.calls
    house.bob.command("hold", theirs)
    house.link.run_for(1)
    house.alice.command("fail", call_id, 500, "no voice")
    house.link.run_for(1)
    assert {one.method for one in house.sent() if isinstance(one, Request)} >= {"INVITE", "ACK", "INFO", "BYE"}
    assert any(isinstance(one, Response) and one.cseq.method == "INVITE" for one in house.sent())
    within = [one for one in house.sent("INVITE", "INFO", "UPDATE", "BYE") if isinstance(one, Request) and one.to.tag]
    for one in within:
        assert (one.headers.get("Privacy"), one.headers.get("P-Preferred-Identity")) == ("id", None)
    assert len(within) >= 5
    assert house.leaks() == []


def test_a_call_that_is_cancelled_or_refused_tells_nothing() -> None:
    house = House()
    house.bob.on_event = None
    call_id = house.alice.dial(BOB_URI)
    house.link.run_for(1)
    house.alice.command("hangup", call_id)
    house.link.run_for(1)
    house.alice.dial(f"sip:nobody@{NAME}")
    house.link.run_for(1)
    assert house.sent("CANCEL")
    assert len(house.sent("ACK")) == 3
    assert house.leaks() == []


def test_a_transfer_of_ours_names_nobody() -> None:
    house = House()
    call_id = house.talk()
    house.alice.command("transfer", call_id, f"sip:carol@{CAROL.host}")
    house.link.run_for(3)
    (refer,) = house.sent("REFER")
    assert refer.headers.get("Referred-By") is None
    assert house.carol.incoming.remote.uri == "sip:bob@bob.example"
    assert house.leaks() == []


@pytest.mark.parametrize("hidden", ["first", "second"])
def test_two_calls_that_are_joined_name_nobody_where_one_of_them_hides_it(hidden: str) -> None:
    house = House()
    first = house.talk(BOB_URI, caller_id=hidden != "first")
    second = house.talk(CAROL_URI, caller_id=hidden != "second")
    house.alice.command("transfer_to_call", first, second)
    house.link.run_for(3)
    (refer,) = house.sent("REFER")
    assert refer.headers.get("Referred-By") is None
    assert not any(secret in (refer.headers.get("Refer-To") or "") for secret in SECRETS)


def test_whom_we_are_transferred_to_learns_as_little() -> None:
    house = House(send_caller_id=True)
    house.talk(caller_id=False)
    (theirs,) = house.bob.agent.calls
    house.bob.command("transfer", theirs, CAROL_URI)
    house.link.run_for(3)
    assert house.carol.incoming.remote == ANONYMOUS
    assert house.leaks() == []


def test_who_takes_the_call_over_learns_as_little() -> None:
    house = House()
    house.talk()
    invite = house.sent("INVITE")[-1]
    (theirs,) = house.bob.agent.calls
    answered = house.bob.agent.calls[theirs]
    tag = next(one for one in house.sent("ACK") if one.call_id == answered.sip_call_id and one.cseq.number == 2).to.tag
    carol = Taker.__new__(Taker)
    carol.link, carol.at, carol.far = house.link, "alice", Responder(house.link, SERVER, ok_to_all)
    carol.send(
        "INVITE", f"Replaces: {invite.call_id};to-tag={invite.from_.tag};from-tag={tag}", body=SDP.format(port=1)
    )
    response = next(one for one in house.sent() if isinstance(one, Response) and one.status == 200)
    assert str(response.contacts[0].uri).startswith("sip:anonymous@")
    assert response.headers.get("Privacy") == "id"
    house.link.run_for(1)
    assert house.leaks() == []


@pytest.mark.parametrize("number", ["112", "110", f"911@{NAME}", f"sip:112@{NAME}", "0112"])
@pytest.mark.parametrize("caller_id", [None, False])
def test_who_is_called_for_help_always_sees_who_calls(number: str, caller_id: bool | None) -> None:
    house = House()
    house.alice.dial(number, caller_id=caller_id)
    house.link.run_for(1)
    invite = house.sent("INVITE")[-1]
    assert str(invite.from_).startswith(f'"The Millers" <sip:{NUMBER}@{NAME}>;tag=')
    assert (invite.headers.get("Privacy"), invite.headers.get("P-Preferred-Identity")) == (None, None)
    assert NUMBER in str(invite.contacts[0].uri)


@pytest.mark.parametrize(("account", "call", "shown"), [(True, None, True), (True, False, False), (False, True, True)])
def test_one_call_may_say_otherwise_than_the_account(*, account: bool, call: bool | None, shown: bool) -> None:
    house = House(send_caller_id=account)
    house.talk(caller_id=call)
    assert (house.bob.incoming.remote != ANONYMOUS) is shown
    assert bool(house.leaks()) is shown


def test_a_call_to_a_telephone_number_hides_it_as_well() -> None:
    house = House(uri_type=UriType.TEL)
    house.proxy.locations[f"tel:0301234;phone-context={NAME}"] = f"sip:bob@{BOB.host}"
    house.talk("0301234")
    assert house.bob.incoming.remote == ANONYMOUS
    assert house.leaks() == []


def test_without_a_server_nobody_is_told_who_calls() -> None:
    trio = Trio()
    trio.alice.dial(f"sip:bob@{BOB.host}", caller_id=False)
    trio.link.run_for(2)
    (invite,) = [parse_message(one.data) for one in trio.link.sent("INVITE", ALICE)]
    assert (invite.headers.get("Privacy"), invite.headers.get("P-Preferred-Identity")) == ("id", None)
    assert "alice" not in "".join(one.data.decode() for one in trio.link.transcript if one.source == ALICE)
    assert [event.call.remote for event in trio.bob.events(IncomingCall)] == [ANONYMOUS]


@pytest.mark.parametrize("shown", [True, False])
def test_a_login_that_proxies_pass_on_is_given_to_who_asks_only(*, shown: bool) -> None:
    home = Home(account(send_caller_id=shown, auth_user="millerlogin"))
    home.start()
    home.alice.dial("bob")
    home.link.run_for(0.1)
    first = parse_message(home.link.sent("INVITE", ALICE)[0].data)
    assert ("Authorization" in first.headers) is shown


def test_a_server_that_asks_within_the_call_gets_its_login() -> None:
    link = Link()
    alice = join(link, ACCOUNT, ALICE)
    alice.names[NAME] = [SERVER]
    asked: list[Request] = []

    def script(request: Request) -> list[bytes]:
        asked.append(request)
        if "Authorization" not in request.headers and request.method != "ACK":
            return [answer(request, 401, "x", WWW_Authenticate=f'Digest realm="{NAME}", nonce="n", qop="auth"')]
        if request.method == "INVITE":
            return [answer(request, 200, "x", port=4000, Record_Route=f"<sip:{SERVER.host};lr>")]
        return ok_to_all(request)

    Responder(link, SERVER, script)
    call_id = alice.dial(BOB_URI)
    link.run_for(1)
    assert alice.agent.calls[call_id].state is CallState.TALKING
    alice.command("hold", call_id)
    link.run_for(1)
    alice.command("hangup", call_id)
    link.run_for(1)
    assert [one.method for one in asked if one.method != "ACK"] == [
        "INVITE",
        "INVITE",
        "INVITE",
        "INVITE",
        "BYE",
        "BYE",
    ]
    assert not alice.agent.calls


def test_a_device_that_is_called_past_the_server_is_not_told_what_is_for_that() -> None:
    house = House(direct_hosts=frozenset({BOB.host}))
    house.talk(f"sip:bob@{BOB.host}")
    (invite,) = house.sent("INVITE")
    assert (invite.headers.get("Privacy"), invite.headers.get("P-Preferred-Identity")) == ("id", None)
    assert house.leaks() == []
    assert not house.proxy.asked


def test_a_server_that_writes_another_from_into_its_answer_does_not_change_ours() -> None:
    house = House()
    rewritten = NameAddr("", SipUri("sip", NUMBER, None, NAME))

    def names_us(data: bytes) -> bytes:
        lines = data.decode().split("\r\n")
        return "\r\n".join(
            f"From: {rewritten};tag={line.split('tag=')[1]}" if line.startswith("From:") else line for line in lines
        ).encode()

    deliver: AgentEnd = house.alice
    plain = deliver.agent.receive
    deliver.agent.receive = lambda data, hop, now, **more: plain(  # type: ignore[method-assign]
        names_us(data) if data.startswith(b"SIP/2.0") else data, hop, now, **more
    )
    call_id = house.talk()
    house.alice.command("hangup", call_id)
    house.link.run_for(1)
    assert house.leaks() == []
