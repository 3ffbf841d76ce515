"""Kamailio as a home's registrar and record-routing proxy."""

import contextlib
import json
import os
import socket
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, override

from .ports import LOOPBACK, free_ports
from .process import PeerError, PeerProcess

REALM = "sip.test"
TEMPLATE = Path(__file__).with_name("kamailio.cfg")
RPC_SECONDS = 5.0
RPC_BYTES = 65_536
STATIC_SECONDS = 3600
REQUEST_FIELDS = 11
ANSWER_FIELDS = 7


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that reached Kamailio, retransmissions included."""

    method: str
    source: str
    """`transport:address:port` of the sender."""
    caller: str
    cseq: int
    call_id: str
    expires: str
    authenticated: bool
    """Whether it carried credentials, right or wrong."""
    route: str
    uri: str


@dataclass(frozen=True, slots=True)
class SeenAnswer:
    """A response that Kamailio gave by itself (`local`) or relayed."""

    local: bool
    method: str
    code: int
    caller: str
    cseq: int
    call_id: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A binding in Kamailio's location table."""

    uri: str
    expires_seconds: int
    user_agent: str
    path: str


class Kamailio(PeerProcess):
    """Registrar and proxy on one free port of `host`, UDP and TCP, and on another one TLS with a `certificate`.

    `users` maps names to passwords. A REGISTER for less than `min_expires` seconds is refused with
    423; one for more than `max_expires` seconds is granted that long. A nonce is good for
    `nonce_seconds`, then the next request gets stale=true. `algorithm` is the digest's, "MD5" or "SHA-256".
    A connection on which nothing comes for `idle_seconds` is closed. `certificate` is a file with its key, which may
    be changed between two starts; `tls_method` is a version of TLS as Kamailio names it. With a `service_user` it
    stands in its own Service-Route under that name, and puts a Path before each registration.
    """

    program = "kamailio"
    # It passes this one on to its workers.
    orphan_signal = "TERM"

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str],
        *,
        min_expires: int = 0,
        max_expires: int = 3600,
        nonce_seconds: int = 120,
        algorithm: str = "MD5",
        host: str = LOOPBACK,
        certificate: Path | None = None,
        tls_method: str = "TLSv1.2+",
        idle_seconds: int = 600,
        service_user: str = "",
    ) -> None:
        """Choose the ports and write the configuration."""
        super().__init__("kamailio", folder)
        self.users = dict(users)
        self.host = host
        self.port = free_ports(2)
        self.tls_port = self.port + 1
        self.certificate = certificate
        self._tls_method = tls_method
        self._idle_seconds = idle_seconds
        self._min_expires = min_expires
        self._max_expires = max_expires
        self._nonce_seconds = nonce_seconds
        self._algorithm = algorithm
        self._service_user = service_user
        self._rpc_id = 0

    @property
    def service_route(self) -> str:
        """Return the way that it tells telephones which register."""
        return f"<sip:{self._service_user}@{self.address};lr>"

    @property
    def address(self) -> str:
        """Return `host:port` as it goes into a URI."""
        return f"{self._uri_host}:{self.port}"

    @property
    def tls_address(self) -> str:
        """Return `host:port` of TLS as it goes into a URI."""
        return f"{self._uri_host}:{self.tls_port}"

    @property
    def _uri_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def _tls(self) -> dict[str, str]:
        if self.certificate is None:
            return {"LISTEN_TLS": "", "MODULE_TLS": ""}
        # The oldest versions are allowed on the lowest security level only.
        parameters = f"""
            loadmodule "tls.so"
            modparam("tls", "tls_method", "{self._tls_method}")
            modparam("tls", "cipher_list", "ALL:@SECLEVEL=0")
            modparam("tls", "certificate", "{self.certificate}")
            modparam("tls", "private_key", "{self.certificate}")
            modparam("tls", "connection_timeout", {self._idle_seconds})
        """
        return {
            "LISTEN_TLS": f'enable_tls=yes\nlisten=tls:{self.tls_address}\nalias="{self.tls_address}"',
            "MODULE_TLS": textwrap.dedent(parameters).strip(),
        }

    def _configuration(self) -> str:
        text = TEMPLATE.read_text()
        for name, value in {
            **self._tls(),
            "HOST": self._uri_host,
            "PORT": str(self.port),
            "IDLE_SECONDS": str(self._idle_seconds),
            "REALM": REALM,
            "FOLDER": str(self.folder),
            "MIN_EXPIRES": str(self._min_expires),
            "MAX_EXPIRES": str(self._max_expires),
            "ALGORITHM": self._algorithm,
            "ROUTES": self._routes() if self._service_user else "",
            "NONCE_SECONDS": str(self._nonce_seconds),
            "USERS": "\n".join(f'    $sht(users=>{user}) = "{password}";' for user, password in self.users.items()),
        }.items():
            text = text.replace(f"@{name}@", value)
        return text

    def _routes(self) -> str:
        return (
            f'    append_hf("Path: <sip:edge@{self.address};lr>\\r\\n", "Max-Forwards");\n'
            "    msg_apply_changes();\n"
            f'    append_to_reply("Service-Route: {self.service_route}\\r\\n");'
        )

    @override
    async def start(self) -> None:
        """Start, or start again on the same port with an empty location table."""
        path = self.folder / "kamailio.cfg"
        path.write_text(self._configuration())
        (self.folder / "rpc.sock").unlink(missing_ok=True)
        self.launch(
            *("-f", str(path), "-Y", str(self.folder), "-w", str(self.folder)),
            *("-DD", "-E", "-m", "32", "-M", "8"),
        )
        await self.until(self._answers, "Kamailio answers on its control socket")

    def _answers(self) -> bool:
        try:
            self.rpc("core.version")
        except OSError:
            return False
        return True

    def rpc(self, method: str, *parameters: object) -> Any:
        """Call a JSON-RPC method of Kamailio's and return its result."""
        self._rpc_id += 1
        own = self.folder / f"rpc-{os.getpid()}-{self._rpc_id}.sock"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control:
                control.settimeout(RPC_SECONDS)
                control.bind(str(own))
                request = {
                    "jsonrpc": "2.0",
                    "id": self._rpc_id,
                    "method": method,
                    "params": list(parameters),
                }
                control.sendto(json.dumps(request).encode(), str(self.folder / "rpc.sock"))
                answer = json.loads(control.recv(RPC_BYTES))
        finally:
            with contextlib.suppress(FileNotFoundError):
                own.unlink()
        if "error" in answer:
            raise PeerError(f"{method}: {answer['error']}")
        return answer.get("result")

    def contacts(self, user: str) -> list[Contact]:
        """Return the bindings of `user` that have not expired."""
        try:
            record = self.rpc("ul.lookup", "location", user)
        except PeerError:
            return []
        return [
            Contact(
                uri=entry["Contact"]["Address"],
                expires_seconds=entry["Contact"]["Expires"],
                user_agent=entry["Contact"]["User-Agent"],
                path=entry["Contact"]["Path"],
            )
            for entry in record["Contacts"]
            if isinstance(entry["Contact"]["Expires"], int)
        ]

    def add_contact(self, user: str, uri: str) -> None:
        """Bind `uri` to `user` for `STATIC_SECONDS`, for a peer that does not register by itself."""
        self.rpc("ul.add", "location", user, uri, STATIC_SECONDS, 1.0, "", 0, 0, 0)

    def remove_contacts(self, user: str) -> None:
        """Forget every binding of `user`, as a registrar that lost its table does."""
        self.rpc("ul.rm", "location", user)

    def requests(self, method: str | None = None, *, caller: str | None = None) -> list[SeenRequest]:
        """Return the requests that reached Kamailio, in their order."""
        seen: list[SeenRequest] = []
        for fields in self._tap("request", REQUEST_FIELDS):
            _, verb, source, user, cseq, call_id, expires, login, route, uri = fields[1:]
            if method in (None, verb) and caller in (None, user):
                seen.append(
                    SeenRequest(
                        method=verb,
                        source=source,
                        caller=user,
                        cseq=int(cseq),
                        call_id=call_id,
                        expires="" if expires == "<null>" else expires,
                        authenticated=login != "<null>",
                        route="" if route == "<null>" else route,
                        uri=uri,
                    )
                )
        return seen

    def answers(self, method: str | None = None, *, caller: str | None = None) -> list[SeenAnswer]:
        """Return the responses that Kamailio gave or relayed, in their order."""
        seen: list[SeenAnswer] = []
        for kind in ("answer", "relayed"):
            for fields in self._tap(kind, ANSWER_FIELDS):
                verb, code, user, cseq, call_id = fields[2:7]
                if method in (None, verb) and caller in (None, user):
                    seen.append(
                        SeenAnswer(
                            local=kind == "answer",
                            method=verb,
                            code=int(code),
                            caller=user,
                            cseq=int(cseq),
                            call_id=call_id,
                        )
                    )
        return seen

    def _tap(self, kind: str, count: int) -> list[list[str]]:
        return [
            fields
            for line in self.log.splitlines()
            if f"TAP|{kind}|" in line and len(fields := line[line.index("TAP|") :].split("|")) >= count
        ]


def assert_record_routed(kamailio: Kamailio) -> None:
    """Check that every request inside the dialog went over the recorded route."""
    inside = [request for request in kamailio.requests() if request.method in ("ACK", "BYE") and ";lr" in request.route]
    assert {request.method for request in inside} == {"ACK", "BYE"}
    assert not [answer for answer in kamailio.answers() if answer.code in (404, 481, 483)]
