"""Digest logins: vectors of the standards, choice of challenges, nonces, refusals, and no secret in any text."""

import hashlib
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip import digest_values
from custom_components.sip_ua.sip.digest import MAX_SPACES, Credentials, DigestClient
from custom_components.sip_ua.sip.digest_server import MAX_NONCES, NONCE_LIFETIME, DigestServer, Login
from custom_components.sip_ua.sip.digest_values import (
    ALGORITHMS,
    DigestInput,
    Qop,
    digest_key,
    digest_response,
    parse_auth_values,
    quoted,
)
from custom_components.sip_ua.sip.errors import AuthenticationError, AuthenticationFailure
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request, Response, parse_message

SECRET = "Circle of Life"
LOGIN = Credentials("Mufasa", SECRET)


def entropy(size: int) -> bytes:
    return Random(4).randbytes(size)


def request(method: str = "REGISTER", *, cseq: int = 1, host: str = "example.com", call: str = "call-1") -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", f"<sip:12@{host}>;tag=1"),
            ("To", f"<sip:12@{host}>"),
            ("Call-ID", call),
            ("CSeq", f"{cseq} {method}"),
        ]
    )
    return Request(method, f"sip:{host}", headers)


def challenge(asked: Request, *values: str, status: int = 401, proxy: tuple[str, ...] = ()) -> Response:
    response = asked.create_response(status)
    for value in values:
        response.headers.add("WWW-Authenticate", value)
    for value in proxy:
        response.headers.add("Proxy-Authenticate", value)
    return response


def digest(nonce: str = "n1", extra: str = ', qop="auth"', realm: str = "home") -> str:
    return f'Digest realm="{realm}", nonce="{nonce}"{extra}'


def login_of(sent: Request, name: str = "Authorization") -> dict[str, str]:
    (value,) = sent.headers.get_all(name)
    (parsed,) = parse_auth_values(value)
    assert parsed.scheme == "digest"
    return {key: param.text for key, param in parsed.params.items()}


def authorized(client: DigestClient, sent: Request) -> Request:
    client.authorize(sent)
    return sent


RFC_2617 = DigestInput(
    algorithm=ALGORITHMS["md5"],
    method="GET",
    uri="/dir/index.html",
    nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
    qop=Qop.AUTH,
    cnonce="0a4f113b",
    count=1,
)
RFC_7616 = replace(
    RFC_2617,
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
)
RFC_7616_USERHASH = replace(
    RFC_2617,
    algorithm=ALGORITHMS["sha-512-256"],
    uri="/doe.json",
    nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
    cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
)


@pytest.mark.parametrize(
    ("values", "user", "realm", "password", "expected"),
    [
        (RFC_2617, "Mufasa", "testrealm@host.com", "Circle Of Life", "6629fae49393a05397450978507c4ef1"),
        (
            replace(RFC_2617, qop=None),
            "Mufasa",
            "testrealm@host.com",
            "CircleOfLife",
            "1949323746fe6a43ef61f9606e7febea",
        ),
        (RFC_7616, "Mufasa", "http-auth@example.org", SECRET, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            replace(RFC_7616, algorithm=ALGORITHMS["sha-256"]),
            "Mufasa",
            "http-auth@example.org",
            SECRET,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        # RFC 7616 as corrected by erratum 4897.
        (
            RFC_7616_USERHASH,
            "J\u00e4s\u00f8n Doe",
            "api@example.org",
            "Secret, or not?",
            "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
        ),
    ],
    ids=["RFC 2617", "RFC 2069 form", "RFC 7616 MD5", "RFC 7616 SHA-256", "RFC 7616 SHA-512-256"],
)
def test_the_vectors_of_the_standards(values: DigestInput, user: str, realm: str, password: str, expected: str) -> None:
    assert digest_response(digest_key(values.algorithm, user, realm, password), values) == expected


@pytest.mark.parametrize("name", ["md5", "sha-256", "sha-512-256"])
def test_session_variants_bind_the_key_to_both_nonces(name: str) -> None:
    def h(text: str) -> str:
        return hashlib.new(ALGORITHMS[name].hash_name, text.encode()).hexdigest()

    values = replace(RFC_2617, algorithm=ALGORITHMS[f"{name}-sess"])
    key = digest_key(values.algorithm, "u", "r", "p")
    a1 = h(f"{h('u:r:p')}:{values.nonce}:{values.cnonce}")
    expected = h(f"{a1}:{values.nonce}:00000001:{values.cnonce}:auth:{h('GET:/dir/index.html')}")
    assert digest_response(key, values) == expected


def test_the_user_name_is_hashed_only_where_that_is_asked_for() -> None:
    client = DigestClient(Credentials("J\u00e4s\u00f8n Doe", "Secret, or not?"), entropy)
    asked = request()
    value = digest(extra=', qop="auth", algorithm=SHA-512-256, userhash=true', realm="api@example.org")
    client.challenged(challenge(asked, value))
    sent = login_of(authorized(client, request(cseq=2)))
    assert sent["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert sent["userhash"] == "true"
    client.challenged(challenge(asked, digest("n2", realm="api@example.org")))
    sent = login_of(authorized(client, request(cseq=3)))
    assert sent["username"] == "J\u00e4s\u00f8n Doe"
    assert "userhash" not in sent


def test_a_challenge_is_answered_in_full() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest(extra=', qop="auth,auth-int", opaque="a\\"b,c", algorithm=MD5')))
    sent = authorized(client, request(cseq=2))
    assert sent.headers.get("Authorization") == (
        'Digest username="Mufasa", realm="home", nonce="n1", uri="sip:example.com", '
        f'response="{login_of(sent)["response"]}", algorithm=MD5, cnonce="{entropy(16).hex()}", '
        'opaque="a\\"b,c", qop=auth, nc=00000001'
    )


def test_without_qop_the_old_form_is_spoken() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest(extra="")))
    sent = login_of(authorized(client, request(cseq=2)))
    key = digest_key(ALGORITHMS["md5"], "Mufasa", "home", SECRET)
    values = DigestInput(algorithm=ALGORITHMS["md5"], method="REGISTER", uri="sip:example.com", nonce="n1")
    assert sent["response"] == digest_response(key, values)
    assert not {"qop", "nc", "cnonce", "opaque", "algorithm"} & set(sent)


def test_the_body_is_protected_where_nothing_less_is_offered() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest(extra=', qop="auth-int"')))
    responses = set()
    for body in (b"one", b"two"):
        sent = request(cseq=2)
        sent.body = body
        client.authorize(sent)
        assert login_of(sent)["qop"] == "auth-int"
        responses.add(login_of(sent)["response"])
    assert len(responses) == 2


@pytest.mark.parametrize(
    "user",
    ['quo"te', "back\\slash", "M\u00fcller", "\u96fb\u8a71", "comma, equals=", "space d", '\\"'],
)
def test_any_user_name_and_password_log_in(user: str) -> None:
    server, client = DigestServer("home", "SHA-256", entropy), DigestClient(Credentials(user, user[::-1]), entropy)
    client.challenged(server.challenge(request(), 0))
    sent = parse_message(authorized(client, request(cseq=2)).to_bytes())
    assert isinstance(sent, Request)
    verdict = server.verify(sent, {user: user[::-1]}.get, 1)
    assert (verdict.login, verdict.username) == (Login.ACCEPTED, user)


@pytest.mark.parametrize(
    "values",
    [
        (
            digest("weak", ", algorithm=MD5"),
            digest("strong", ", algorithm=SHA-512-256"),
            digest("middle", ", algorithm=sha-256"),
        ),
        (", ".join([digest("weak", ", algorithm=MD5"), digest("strong", ", algorithm=SHA-512-256")]),),
        (digest("odd", ", algorithm=SHA3-999"), 'Basic realm="home"', digest("strong", ", algorithm=SHA-256")),
        (digest("odd", ', qop="auth-conf"'), digest("strong", "")),
        ('Basic realm="x", ' + digest("strong"), digest("later")),
    ],
    ids=["three headers", "one header", "unknown algorithm first", "unknown qop first", "another scheme first"],
)
def test_the_strongest_challenge_that_is_understood_is_answered(values: tuple[str, ...]) -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), *values))
    assert login_of(authorized(client, request(cseq=2)))["nonce"] == "strong"


def test_server_and_proxy_may_ask_at_once() -> None:
    client = DigestClient(LOGIN, entropy)
    asked = challenge(
        request(), digest("server"), status=407, proxy=(digest("proxy"), digest("other", realm="upstream"))
    )
    client.challenged(asked)
    sent = authorized(client, request(cseq=2))
    assert login_of(sent)["nonce"] == "server"
    logins = [parse_auth_values(value)[0].get("nonce") for value in sent.headers.get_all("Proxy-Authorization")]
    assert logins == ["proxy", "other"]


def test_a_second_proxy_may_ask_after_the_first_was_content() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), status=407, proxy=(digest(realm="first"),)))
    client.authorize(request(cseq=2))
    client.challenged(challenge(request(cseq=2), status=407, proxy=(digest(realm="second"),)))
    sent = authorized(client, request(cseq=3))
    assert len(sent.headers.get_all("Proxy-Authorization")) == 2


def test_the_nonce_count_grows_with_each_use_of_a_nonce_and_begins_anew_with_the_next() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest("n1")))
    counts = [login_of(authorized(client, request(cseq=2 + index)))["nc"] for index in range(3)]
    client.challenged(challenge(request(cseq=4), digest("n2")))
    counts += [login_of(authorized(client, request(cseq=5 + index)))["nc"] for index in range(2)]
    assert counts == ["00000001", "00000002", "00000003", "00000001", "00000002"]


def test_a_nonce_asked_for_again_is_counted_on() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest("n1")))
    client.authorize(request(cseq=2))
    client.authorize(request(cseq=3))
    client.challenged(challenge(request(cseq=3), digest("n1")))
    assert login_of(authorized(client, request(cseq=4)))["nc"] == "00000003"


def test_authorizing_again_replaces_the_older_login() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest()))
    sent = authorized(client, authorized(client, request(cseq=2)))
    assert login_of(sent)["nc"] == "00000002"


def test_a_fresh_nonce_refused_is_a_login_refused() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest("n1")))
    client.authorize(request(cseq=2))
    with pytest.raises(AuthenticationError) as caught:
        client.challenged(challenge(request(cseq=2), digest("n2")))
    assert caught.value.failure is AuthenticationFailure.REFUSED
    # The next attempt begins without a login.
    assert "Authorization" not in authorized(client, request(cseq=3)).headers


def test_a_stale_nonce_is_no_refusal() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest("n1")))
    client.authorize(request(cseq=2))
    client.challenged(challenge(request(cseq=2), digest("n2", ', qop="auth", stale=TRUE')))
    assert login_of(authorized(client, request(cseq=3)))["nonce"] == "n2"


def test_an_old_nonce_that_the_server_no_longer_takes_is_no_refusal_even_without_stale() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest("n1")))
    client.authorize(request(cseq=2))
    client.authorize(request(cseq=3))
    client.challenged(challenge(request(cseq=3), digest("n2")))
    assert login_of(authorized(client, request(cseq=4)))["nonce"] == "n2"
    with pytest.raises(AuthenticationError):
        client.challenged(challenge(request(cseq=4), digest("n3")))


def test_requests_challenged_at_the_same_time_do_not_refuse_each_other() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request("INVITE", call="a"), digest("n1")))
    client.authorize(request("INVITE", call="a", cseq=2))
    client.challenged(challenge(request("INVITE", call="b"), digest("n2")))
    assert login_of(authorized(client, request("INVITE", call="b", cseq=2)))["nonce"] == "n2"


def accepted(sent: Request, info: str, name: str = "Authentication-Info") -> Response:
    response = sent.create_response(200)
    response.headers.add(name, info)
    return response


def proof(sent: Request, body: bytes = b"", *, password: str = SECRET) -> str:
    """Return what shows that the server knows the password too (RFC 7616 section 3.5)."""
    login = login_of(sent)
    algorithm = ALGORITHMS[login.get("algorithm", "MD5").lower()]
    values = DigestInput(
        algorithm=algorithm,
        method="",
        uri=sent.uri,
        nonce=login["nonce"],
        qop=Qop(login["qop"]),
        cnonce=login["cnonce"],
        count=int(login["nc"], 16),
        body=body,
    )
    return digest_response(digest_key(algorithm, LOGIN.username, login["realm"], password), values)


def logged_in(*values: str, proxy: tuple[str, ...] = ()) -> tuple[DigestClient, Request]:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), *values, proxy=proxy))
    return client, authorized(client, request(cseq=2))


def test_the_next_nonce_is_taken_over_and_counted_from_one() -> None:
    client, sent = logged_in(digest("n1", ', qop="auth", opaque="o", algorithm=SHA-256'))
    client.succeeded(sent, accepted(sent, 'nextnonce="n2", qop=auth'))
    login = login_of(authorized(client, request(cseq=3)))
    assert (login["nonce"], login["nc"], login["opaque"], login["algorithm"]) == ("n2", "00000001", "o", "SHA-256")
    assert login_of(authorized(client, request(cseq=4)))["nc"] == "00000002"


def test_a_next_nonce_that_no_longer_holds_is_no_refusal() -> None:
    client, sent = logged_in(digest("n1"))
    client.succeeded(sent, accepted(sent, 'nextnonce="n2"'))
    later = authorized(client, request(cseq=3))
    client.challenged(challenge(later, digest("n3")))
    assert login_of(authorized(client, request(cseq=4)))["nonce"] == "n3"


def test_a_next_nonce_that_is_the_present_one_is_counted_on() -> None:
    client, sent = logged_in(digest("n1"))
    client.succeeded(sent, accepted(sent, 'nextnonce="n1"'))
    assert login_of(authorized(client, request(cseq=3)))["nc"] == "00000002"


def test_an_answer_that_came_late_does_not_bring_an_older_nonce_back() -> None:
    client, sent = logged_in(digest("n1"))
    at_the_same_time = authorized(client, request(cseq=3))
    client.succeeded(at_the_same_time, accepted(at_the_same_time, 'nextnonce="n3"'))
    client.succeeded(sent, accepted(sent, 'nextnonce="n2"'))
    assert login_of(authorized(client, request(cseq=4)))["nonce"] == "n3"


def test_proxy_and_server_name_their_next_nonces_apart() -> None:
    client, sent = logged_in(digest("n1"), proxy=(digest("p1", realm="p"),))
    client.succeeded(sent, accepted(sent, 'nextnonce="p2"', "Proxy-Authentication-Info"))
    later = authorized(client, request(cseq=3))
    assert login_of(later)["nonce"] == "n1"
    assert login_of(later, "Proxy-Authorization")["nonce"] == "p2"


def test_a_next_nonce_for_one_of_two_logins_is_told_by_its_client_nonce() -> None:
    rolled = Random(5)
    client = DigestClient(LOGIN, rolled.randbytes)
    client.challenged(challenge(request(), digest("a1", realm="a"), digest("b1", realm="b")))
    sent = authorized(client, request(cseq=2))
    second = parse_auth_values(sent.headers.get_all("Authorization")[1])[0]
    client.succeeded(sent, accepted(sent, 'nextnonce="x"'))
    client.succeeded(sent, accepted(sent, f'nextnonce="b2", cnonce="{second.get("cnonce")}"'))
    later = authorized(client, request(cseq=3)).headers.get_all("Authorization")
    assert [parse_auth_values(value)[0].get("nonce") for value in later] == ["a1", "b2"]


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_server_that_proves_the_password_is_believed(qop: str) -> None:
    client, sent = logged_in(digest("n1", f', qop="{qop}"'))
    response = accepted(sent, f'rspauth="{proof(sent, b"v=0").upper()}", nextnonce="n2"')
    response.body = b"v=0"
    client.succeeded(sent, response)
    assert login_of(authorized(client, request(cseq=3)))["nonce"] == "n2"


def test_a_server_that_does_not_know_the_password_names_no_nonce() -> None:
    client, sent = logged_in(digest("n1"))
    wrong = proof(sent, password="guessed")
    client.succeeded(sent, accepted(sent, f'rspauth="{wrong}", nextnonce="n2"'))
    assert login_of(authorized(client, request(cseq=3)))["nonce"] == "n1"


def test_a_session_is_bound_to_its_first_nonce() -> None:
    client, sent = logged_in(digest("n1", ', qop="auth", algorithm=MD5-sess'))
    client.succeeded(sent, accepted(sent, 'nextnonce="n2"'))
    assert login_of(authorized(client, request(cseq=3)))["nonce"] == "n1"


@pytest.mark.parametrize(
    "info", ["", "nextnonce", 'nextnonce="', "nextnonce=", 'nextnonce=""', "=,=", 'x nextnonce="n"']
)
def test_a_next_nonce_that_cannot_be_read_is_none(info: str) -> None:
    client, sent = logged_in(digest("n1"))
    client.succeeded(sent, accepted(sent, info))
    assert login_of(authorized(client, request(cseq=3)))["nonce"] == "n1"


@given(
    info=st.text(st.characters(exclude_categories=["C"]), max_size=60)
    | st.text(alphabet='nextnonce="\\, rspauth', max_size=40)
)
def test_whatever_stands_beside_a_success_does_no_harm(info: str) -> None:
    client, sent = logged_in(digest("n1"))
    client.succeeded(sent, accepted(sent, info))
    assert login_of(authorized(client, request(cseq=3)))["realm"] == "home"


def test_a_success_without_a_login_names_no_nonce() -> None:
    client = DigestClient(LOGIN, entropy)
    sent = authorized(client, request())
    client.succeeded(sent, accepted(sent, 'nextnonce="n2"'))
    assert not authorized(client, request(cseq=2)).headers.get_all("Authorization")


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_cannot_be_challenged_gets_no_login(method: str) -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest()))
    assert "Authorization" not in authorized(client, request(method, cseq=2)).headers


def test_a_login_goes_only_to_hosts_that_asked_for_it() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest()))
    assert "Authorization" in authorized(client, request("INVITE", cseq=2, call="x")).headers
    assert "Authorization" not in authorized(client, request("INVITE", cseq=2, host="192.0.2.66")).headers


def test_realms_are_bounded() -> None:
    client = DigestClient(LOGIN, entropy)
    for number in range(MAX_SPACES + 5):
        client.challenged(challenge(request(), digest(realm=f"realm {number}")))
    sent = authorized(client, request(cseq=2)).headers.get_all("Authorization")
    assert len(sent) == MAX_SPACES
    assert 'realm="realm 12"' in sent[-1]


@pytest.mark.parametrize(
    ("values", "failure"),
    [
        ((), AuthenticationFailure.MALFORMED),
        (("",), AuthenticationFailure.MALFORMED),
        (("Digest",), AuthenticationFailure.MALFORMED),
        (('Digest realm="x"',), AuthenticationFailure.MALFORMED),
        (('Digest realm="x", nonce="unfinished',), AuthenticationFailure.MALFORMED),
        (('Basic realm="x"',), AuthenticationFailure.UNSUPPORTED_ALGORITHM),
        ((digest(extra=", algorithm=AKAv1-MD5"),), AuthenticationFailure.UNSUPPORTED_ALGORITHM),
        ((digest(extra=', qop="auth-conf"'),), AuthenticationFailure.UNSUPPORTED_ALGORITHM),
    ],
)
def test_a_challenge_that_cannot_be_answered_says_why(values: tuple[str, ...], failure: AuthenticationFailure) -> None:
    with pytest.raises(AuthenticationError) as caught:
        DigestClient(LOGIN, entropy).challenged(challenge(request(), *values))
    assert caught.value.failure is failure


@pytest.mark.parametrize("login", [Credentials("", SECRET), Credentials("Mufasa", "")])
def test_without_a_login_nothing_is_answered(login: Credentials) -> None:
    with pytest.raises(AuthenticationError) as caught:
        DigestClient(login, entropy).challenged(challenge(request(), digest()))
    assert caught.value.failure is AuthenticationFailure.NO_CREDENTIALS


def test_an_algorithm_that_this_build_lacks_is_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not digest_values._usable("sha999")  # noqa: SLF001 - the reason why an algorithm may be missing
    monkeypatch.delitem(ALGORITHMS, "sha-512-256")
    client = DigestClient(LOGIN, entropy)
    client.challenged(
        challenge(request(), digest("n1", ", algorithm=SHA-512-256"), digest("n2", ", algorithm=SHA-256"))
    )
    assert login_of(authorized(client, request(cseq=2)))["nonce"] == "n2"


def test_no_text_holds_the_secret() -> None:
    client = DigestClient(LOGIN, entropy)
    client.challenged(challenge(request(), digest("n1")))
    client.authorize(request(cseq=2))
    texts = [repr(LOGIN), str(LOGIN), repr(client), repr(client._spaces)]  # noqa: SLF001 - as a debugger shows it
    with pytest.raises(AuthenticationError) as caught:
        client.challenged(challenge(request(cseq=2), digest("n2")))
    texts += [str(caught.value), repr(caught.value)]
    key = digest_key(ALGORITHMS["md5"], "Mufasa", "home", SECRET)
    assert not [text for text in texts if SECRET in text or key in text]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    raw = b'Digest realm="\xff\xfe", nonce="\x80"'
    data = challenge(request(), digest()).to_bytes().replace(digest(extra="").encode(), raw)
    response = parse_message(data)
    assert isinstance(response, Response)
    client = DigestClient(LOGIN, entropy)
    client.challenged(response)
    assert b'realm="\xff\xfe", nonce="\x80"' in authorized(client, request(cseq=2)).to_bytes()


@given(st.text('Digest realm=nonce,"\\ \tqop=auth;:/abc\u00e9', max_size=80))
def test_any_challenge_is_taken_or_refused_by_the_one_error(value: str) -> None:
    client = DigestClient(LOGIN, entropy)
    for text in (value, f"Digest {value}", f'Digest realm="x", nonce="y", {value}'):
        response = request().create_response(401)
        response.headers.add("WWW-Authenticate", text.strip())
        try:
            client.challenged(response)
        except AuthenticationError:
            continue
        authorized(client, request(cseq=2)).to_bytes()


@given(st.text(st.characters(exclude_categories=["C"]), max_size=40))
def test_a_quoted_string_reads_back_the_same(text: str) -> None:
    (value,) = parse_auth_values(f"Digest a={quoted(text)}, b=c")
    assert value.get("a") == text
    assert value.get("b") == "c"


# The asking side


def server_and_client() -> tuple[DigestServer, DigestClient]:
    server, client = DigestServer("home", "MD5", Random(5).randbytes), DigestClient(LOGIN, entropy)
    client.challenged(server.challenge(request(), 0))
    return server, client


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("proxy", [False, True])
def test_a_login_is_accepted_once_for_each_count(algorithm: str, proxy: bool) -> None:
    server, client = DigestServer("home", algorithm, entropy), DigestClient(LOGIN, entropy)
    asked = server.challenge(request(), 0, proxy=proxy)
    assert asked.status == (407 if proxy else 401)
    client.challenged(asked)
    for cseq in (2, 3):
        sent = authorized(client, request(cseq=cseq))
        assert server.verify(sent, {"Mufasa": SECRET}.get, 1, proxy=proxy).login is Login.ACCEPTED
        assert server.verify(sent, {"Mufasa": SECRET}.get, 1, proxy=proxy).login is Login.STALE
        assert server.verify(sent, {"Mufasa": SECRET}.get, 1, proxy=not proxy).login is Login.MISSING


def test_a_wrong_password_or_user_is_refused() -> None:
    server, client = server_and_client()
    sent = authorized(client, request(cseq=2))
    assert server.verify(sent, {"Mufasa": "other"}.get, 1).login is Login.REFUSED
    assert server.verify(sent, {"Simba": SECRET}.get, 1).login is Login.REFUSED
    assert server.verify(sent, {"Mufasa": SECRET}.get, 1).login is Login.ACCEPTED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=zz"),
        ("nc=00000001", "nc=00000002"),
        ("qop=auth", "qop=auth-int"),
        ('uri="sip:example.com"', 'uri="sip:example.org"'),
        ("algorithm=MD5", "algorithm=SHA-256"),
        ('response="', 'response="\u00e9'),
    ],
)
def test_a_login_that_was_tampered_with_is_refused(old: str, new: str) -> None:
    server, client = server_and_client()
    sent = authorized(client, request(cseq=2))
    value = sent.headers.get("Authorization")
    assert value is not None
    assert old in value
    sent.headers.set("Authorization", value.replace(old, new))
    assert server.verify(sent, {"Mufasa": SECRET}.get, 1).login is Login.REFUSED


def test_a_login_for_another_request_is_refused() -> None:
    server, client = server_and_client()
    value = authorized(client, request(cseq=2)).headers.get("Authorization")
    assert value is not None
    other = request("INVITE")
    other.headers.set("Authorization", value)
    assert server.verify(other, {"Mufasa": SECRET}.get, 1).login is Login.REFUSED


def test_nonces_grow_old_and_are_bounded() -> None:
    server, client = server_and_client()
    sent = authorized(client, request(cseq=2))
    assert server.verify(sent, {"Mufasa": SECRET}.get, NONCE_LIFETIME + 1).login is Login.STALE
    for _ in range(MAX_NONCES):
        server.challenge(request(), 2)
    assert server.verify(sent, {"Mufasa": SECRET}.get, 3).login is Login.STALE
    stale = server.challenge(request(), 3, stale=True).headers.get("WWW-Authenticate")
    assert stale is not None
    assert stale.endswith(", stale=true")


def test_a_login_for_another_realm_is_none() -> None:
    server, _client = server_and_client()
    other = DigestClient(LOGIN, entropy)
    other.challenged(challenge(request(), digest(realm="elsewhere")))
    assert server.verify(authorized(other, request(cseq=2)), {"Mufasa": SECRET}.get, 1).login is Login.MISSING
