"""The front desk of the exchange: logins and registrations, without a socket."""

from random import Random

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.digest import Credentials, DigestClient
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from scripts.exchange.registrar import Registrar

SOURCE = Address(Transport.UDP, "127.0.0.1", 5062)
PASSWORD = "telephone-1001"
CONTACT = "<sip:1001@127.0.0.1:5062>"


class Telephone:
    """Makes requests of a user, with or without a login."""

    def __init__(self, number: str = "1001", password: str = PASSWORD) -> None:
        self._number = number
        self._random = Random(number)
        self._cseq = 0
        self.login = DigestClient(Credentials(number, password), self._random.randbytes)

    def request(
        self, method: str = "REGISTER", *, contact: str = CONTACT, to: str | None = None, expires: int | None = None
    ) -> Request:
        """Return a request as it arrives: with a branch of its own, and the login where one was asked for."""
        self._cseq += 1
        headers = Headers(
            [
                ("Via", f"SIP/2.0/UDP 127.0.0.1:5062;rport;branch=z9hG4bK{self._random.randbytes(8).hex()}"),
                ("From", f"<sip:{self._number}@exchange.test>;tag=1"),
                ("To", f"<sip:{to or self._number}@exchange.test>"),
                ("Call-ID", "one"),
                ("CSeq", f"{self._cseq} {method}"),
                ("Max-Forwards", "70"),
            ]
        )
        if contact:
            headers.add("Contact", contact)
        if expires is not None:
            headers.add("Expires", str(expires))
        target = "sip:exchange.test" if method == "REGISTER" else f"sip:{to}@exchange.test"
        request = Request(method, target, headers)
        self.login.authorize(request)
        arrived = parse_message(request.to_bytes())
        assert isinstance(arrived, Request)
        return arrived


@pytest.fixture
def registrar() -> Registrar:
    return Registrar("exchange", {"1001": PASSWORD, "1002": "other"}, Random(1).randbytes)


def answer(registrar: Registrar, request: Request, now: float = 0.0) -> Response:
    response = registrar.admit(request, SOURCE, now)
    assert response is not None
    return response


def logged_in(registrar: Registrar, now: float = 0.0) -> Telephone:
    """Return a telephone that has met the challenge."""
    telephone = Telephone()
    telephone.login.challenged(answer(registrar, telephone.request(), now))
    return telephone


def test_the_challenge_offers_the_better_algorithm_first(registrar: Registrar) -> None:
    response = answer(registrar, Telephone().request())

    assert response.status == 401
    offered = response.headers.get_all("WWW-Authenticate")
    assert [("algorithm=SHA-256" in value, "algorithm=MD5" in value) for value in offered] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("SHA-256",), ("MD5",)])
def test_a_login_registers(algorithms: tuple[str, ...]) -> None:
    registrar = Registrar("exchange", {"1001": PASSWORD}, Random(1).randbytes, algorithms=algorithms)
    telephone = logged_in(registrar)

    response = answer(registrar, telephone.request(expires=600))

    assert response.status == 200
    assert response.headers.get_all("Contact") == ["<sip:1001@127.0.0.1:5062>;expires=600"]
    (binding,) = registrar.bindings("1001", 0.0)
    assert (str(binding.contact), binding.source) == ("sip:1001@127.0.0.1:5062", SOURCE)


def test_a_client_that_knows_md5_only_registers_too(registrar: Registrar) -> None:
    telephone = Telephone()
    challenge = answer(registrar, telephone.request())
    weaker = [value for value in challenge.headers.get_all("WWW-Authenticate") if "MD5" in value]
    challenge.headers.remove("WWW-Authenticate")
    challenge.headers.add("WWW-Authenticate", weaker[0])
    telephone.login.challenged(challenge)

    assert answer(registrar, telephone.request()).status == 200


def test_a_wrong_password_is_refused(registrar: Registrar) -> None:
    telephone = Telephone(password="guessed")
    telephone.login.challenged(answer(registrar, telephone.request()))

    assert answer(registrar, telephone.request()).status == 403
    assert registrar.bindings("1001", 0.0) == []


def test_nobody_registers_the_number_of_somebody_else(registrar: Registrar) -> None:
    telephone = logged_in(registrar)

    assert answer(registrar, telephone.request(to="1002")).status == 403
    assert registrar.bindings("1002", 0.0) == []


def test_a_registration_expires(registrar: Registrar) -> None:
    answer(registrar, logged_in(registrar).request(expires=60))

    assert len(registrar.bindings("1001", 59.0)) == 1
    assert registrar.bindings("1001", 61.0) == []


def test_a_refresh_replaces_the_binding(registrar: Registrar) -> None:
    telephone = logged_in(registrar)
    answer(registrar, telephone.request(expires=60))
    answer(registrar, telephone.request(expires=60), now=50.0)

    assert len(registrar.bindings("1001", 100.0)) == 1


@pytest.mark.parametrize("contact", [CONTACT, "*"])
def test_a_telephone_unregisters(registrar: Registrar, contact: str) -> None:
    telephone = logged_in(registrar)
    answer(registrar, telephone.request(expires=60))

    response = answer(registrar, telephone.request(contact=contact, expires=0))

    assert (response.status, response.headers.get_all("Contact")) == (200, [])
    assert registrar.bindings("1001", 0.0) == []


def test_a_query_tells_the_bindings_and_changes_nothing(registrar: Registrar) -> None:
    telephone = logged_in(registrar)
    answer(registrar, telephone.request(expires=60))

    response = answer(registrar, telephone.request(contact=""))

    assert response.headers.get_all("Contact") == ["<sip:1001@127.0.0.1:5062>;expires=60"]


def test_too_brief_an_interval_names_the_shortest(registrar: Registrar) -> None:
    response = answer(registrar, logged_in(registrar).request(expires=59))

    assert (response.status, response.headers.get("Min-Expires")) == (423, "60")
    assert registrar.bindings("1001", 0.0) == []


def test_a_repeated_request_gets_its_first_answer_again(registrar: Registrar) -> None:
    telephone = logged_in(registrar)
    request = telephone.request(expires=600)

    assert answer(registrar, request).to_bytes() == answer(registrar, request, now=1.0).to_bytes()


def test_a_login_is_accepted_once(registrar: Registrar) -> None:
    telephone = logged_in(registrar)
    first = telephone.request()
    again = telephone.request()
    again.headers.set("Authorization", first.headers.get("Authorization") or "")

    assert answer(registrar, first).status == 200
    stale = answer(registrar, again)
    assert stale.status == 401
    assert "stale=true" in (stale.headers.get("WWW-Authenticate") or "")


def test_a_caller_has_to_log_in(registrar: Registrar) -> None:
    telephone = Telephone()

    challenge = answer(registrar, telephone.request("INVITE", to="600"))

    assert challenge.status == 407
    telephone.login.challenged(challenge)
    assert registrar.admit(telephone.request("INVITE", to="600"), SOURCE, 0.0) is None


def test_a_repeated_invite_passes_again(registrar: Registrar) -> None:
    telephone = Telephone()
    telephone.login.challenged(answer(registrar, telephone.request("INVITE", to="600")))
    request = telephone.request("INVITE", to="600")

    assert registrar.admit(request, SOURCE, 0.0) is None
    assert registrar.admit(request, SOURCE, 0.5) is None


def test_a_stranger_cannot_call(registrar: Registrar) -> None:
    telephone = Telephone("1003", "none")
    telephone.login.challenged(answer(registrar, telephone.request("INVITE", to="600")))

    assert answer(registrar, telephone.request("INVITE", to="600")).status == 403


def test_requests_inside_a_dialog_pass(registrar: Registrar) -> None:
    request = Telephone().request("INVITE", to="600")
    request.headers.set("To", "<sip:600@exchange.test>;tag=2")

    assert registrar.admit(request, SOURCE, 0.0) is None
    assert registrar.admit(Telephone().request("OPTIONS", to="600"), SOURCE, 0.0) is None
