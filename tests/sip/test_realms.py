"""Who may ask for our login through our server (RFC 3261 sections 22.1 and 22.3)."""

import pytest

from custom_components.sip_ua.sip.account import ServerAddress
from custom_components.sip_ua.sip.events import CallOutcome, CallState, IncomingCall
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.realms import MAX_REALMS, Realms

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .homes import account
from .link import Link
from .registrar import NAME, SERVER
from .responder import Responder, answer
from .test_strangers import offering

REGISTRAR, PROXY = "home", "proxy zone"
LOGINS = ("Authorization", "Proxy-Authorization")
SERVERS = {
    "server": ServerAddress("pbx.corp.example"),
    "registrar": ServerAddress("192.0.2.77"),
    "outbound_proxy": ServerAddress("Edge.Provider.Example"),
}


def request(method: str, to_tag: str = "") -> Request:
    headers = Headers()
    headers.add("To", f"<sip:bob@sip.example>{to_tag}")
    return Request(method, "sip:bob@sip.example", headers)


@pytest.mark.parametrize("proxy", [False, True])
@pytest.mark.parametrize("rang", [False, True])
@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize(
    ("realm", "ours"),
    [
        ("home", True),
        ("HOME", True),
        ("sip.example", True),
        ("SIP.Example", True),
        ("proxy.sip.example", True),
        ("corp.example", True),
        ("edge.provider.example", True),
        ("provider.example", True),
        ("192.0.2.77", True),
        ("example", False),
        ("2.77", False),
        ("mysip.example", False),
        ("sip.example.attacker.example", False),
        ("", False),
        ("somewhere else", False),
    ],
)
def test_a_realm_is_ours_that_the_registrar_named_or_that_is_named_like_a_server(
    realm: str, ours: bool, method: str, *, rang: bool, proxy: bool
) -> None:
    realms = Realms(account(**SERVERS))
    assert realms.may_ask("home", request("REGISTER"), proxy=False, rang=False)
    assert realms.may_ask(realm, request(method, ";tag=x"), proxy=proxy, rang=rang) is ours
    first = not rang and proxy
    assert realms.may_ask(realm, request(method), proxy=proxy, rang=rang) is (ours or first)


def test_where_the_registrar_asks_for_nothing_a_server_may_for_the_first_time_at_a_call() -> None:
    realms = Realms(account())
    assert realms.may_ask("pbx", request("INVITE"), proxy=False, rang=False)
    assert not realms.may_ask("pbx", request("INVITE"), proxy=False, rang=True)
    assert not realms.may_ask("pbx", request("BYE", ";tag=x"), proxy=False, rang=False)


def test_without_a_server_whom_a_person_calls_may_ask_for_any_realm() -> None:
    assert Realms(direct_account("alice")).may_ask("any", request("BYE", ";tag=x"), proxy=False, rang=True)


def test_few_realms_are_remembered() -> None:
    realms = Realms(account())
    for number in range(MAX_REALMS + 1):
        realms.may_ask(f"realm {number}", request("REGISTER"), proxy=False, rang=False)
    assert not realms.may_ask("realm 0", request("BYE", ";tag=x"), proxy=True, rang=False)
    assert realms.may_ask("realm 1", request("BYE", ";tag=x"), proxy=True, rang=False)


class ServerScript:
    """Registers us for a login, and answers everything else as a test says; what it brings may be a far end's."""

    def __init__(self) -> None:
        self.link = Link()
        self.alice: AgentEnd = join(self.link, account(), ALICE)
        self.alice.names[NAME] = [SERVER]
        self.challenges: dict[str, list[tuple[int, str]]] = {}
        self.rings = False
        self.server = Responder(self.link, SERVER, self._answer)
        self.alice.command("register")
        self.link.run_for(1)

    def _answer(self, request: Request) -> list[bytes]:
        if request.method == "ACK":
            return []
        if request.method == "REGISTER":
            if "Authorization" not in request.headers:
                return [answer(request, 401, "s", WWW_Authenticate=challenge(REGISTRAR))]
            return [answer(request, 200, "s", Contact=f"{request.headers.get('Contact')};expires=3600")]
        ringing = [answer(request, 180, "s")] if self.rings and request.method == "INVITE" else []
        if waiting := self.challenges.get(request.method):
            status, realm = waiting.pop(0)
            asks = challenge(realm, len(waiting))
            proxy = answer(request, status, "s", Proxy_Authenticate=asks)
            return [*ringing, proxy if status == 407 else answer(request, status, "s", WWW_Authenticate=asks)]
        route = f"<sip:{SERVER.host};lr>"
        return [*ringing, answer(request, 200, "s", port=4001 if request.method == "INVITE" else 0, Record_Route=route)]

    def logins(self, method: str) -> list[list[str]]:
        """Return the realms of the logins in each request, repetitions left aside."""
        asked = {request.cseq.number: request for request in self.server.asked if request.method == method}
        return [
            [value.partition('realm="')[2].partition('"')[0] for name in LOGINS for value in one.headers.get_all(name)]
            for one in asked.values()
        ]

    def talk(self) -> str:
        call_id = self.alice.dial(f"sip:bob@{NAME}")
        self.link.run_for(2)
        return call_id


def challenge(realm: str, number: int = 0) -> str:
    return f'Digest realm="{realm}", nonce="{realm}{number}", algorithm=SHA-256, qop="auth"'


def test_a_proxy_with_a_realm_of_its_own_gets_its_login() -> None:
    home = ServerScript()
    home.challenges = {"INVITE": [(407, PROXY)], "BYE": [(407, PROXY)]}
    call_id = home.talk()
    assert home.alice.agent.calls[call_id].state is CallState.TALKING
    home.alice.command("hangup", call_id)
    home.link.run_for(2)
    assert home.logins("INVITE") == [[REGISTRAR], [REGISTRAR, PROXY]]
    assert home.logins("BYE") == [[REGISTRAR, PROXY], [REGISTRAR, PROXY]], "it took our login before"


@pytest.mark.parametrize(
    ("status", "rings"), [(401, False), (407, True), (401, True)], ids=["no proxy", "it rang", "it rang, no proxy"]
)
def test_whom_we_call_gets_no_login_where_it_is_told_from_our_server(status: int, *, rings: bool) -> None:
    home = ServerScript()
    home.rings = rings
    home.challenges = {"INVITE": [(status, "attacker")]}
    home.talk()
    assert home.logins("INVITE") == [[REGISTRAR]], "as it is sent to our server at once, with a nonce of its"
    assert home.alice.ended.outcome is CallOutcome.FAILED
    assert home.alice.ended.code == status
    assert home.alice.ended.reason == "somebody else than our server asks for a login, for realm 'attacker'"


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(("realm", "logins"), [("attacker", [[]]), (REGISTRAR, [[], [REGISTRAR]])])
def test_who_calls_us_gets_no_login_when_we_hang_up(status: int, realm: str, logins: list[list[str]]) -> None:
    """The trick is known as digest leak: a caller answers our BYE by a challenge, and our server passes that on."""
    home = ServerScript()
    home.challenges = {"BYE": [(status, realm)]}
    home.server.send(ALICE, offering(1, source=SERVER).replace(BOB.host.encode(), ALICE.host.encode()))
    home.link.run_for(0.5)
    (event,) = home.alice.events(IncomingCall)
    home.alice.command("answer", event.call.id, home.alice.media)
    home.link.run_for(40)
    assert home.logins("BYE") == logins


def test_of_two_challenges_that_of_our_server_is_answered() -> None:
    home = ServerScript()
    home.rings = True

    def both(request: Request) -> list[bytes]:
        if request.method != "INVITE" or len(home.logins("INVITE")) > 1:
            return ServerScript._answer(home, request)  # noqa: SLF001 - it is the same script
        two = f"{challenge('attacker')}, {challenge(REGISTRAR)}"
        return [answer(request, 180, "s"), answer(request, 401, "s", WWW_Authenticate=two)]

    home.server.script = both
    call_id = home.talk()
    assert home.logins("INVITE") == [[REGISTRAR], [REGISTRAR]]
    assert home.alice.agent.calls[call_id].state is CallState.TALKING
