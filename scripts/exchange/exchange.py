"""The exchange: its socket, its front desk, and the extensions behind them."""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping

from custom_components.sip_ua.net.ports import PortPool
from custom_components.sip_ua.sip.address import Address, HostPort
from custom_components.sip_ua.sip.errors import LocalProtocolError, MessageError, SipError
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.transaction_matching import response_destination
from custom_components.sip_ua.sip.uri import SipUri, TelUri

from .endpoint import Endpoint
from .extension import EXTENSIONS, CallReport, Extension, Manner, Switchboard
from .registrar import ALGORITHMS, EXPIRES_MIN, Binding, Registrar

HOST = "127.0.0.1"
REALM = "sip-phone-exchange"
MAX_DIALOGS = 1024
GOODBYE_SECONDS = 1.0
CALL_BACK_AFTER = 0.5

_LOGGER = logging.getLogger(__name__)


class Exchange:
    """A registrar with a few extensions, for one event loop. Passwords are given by number."""

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        extensions: tuple[Manner, ...] = EXTENSIONS,
        algorithms: tuple[str, ...] = ALGORITHMS,
        expires_min: int = EXPIRES_MIN,
        on_ended: Callable[[CallReport], None] | None = None,
    ) -> None:
        """Make the exchange; nothing is bound before `start`."""
        self._registrar = Registrar(REALM, users, os.urandom, algorithms=algorithms, expires_min=expires_min)
        self._manners = extensions
        self._on_ended = on_ended
        self._endpoint = Endpoint(HOST, self._receive)
        self._extensions: dict[str, Extension] = {}
        self._dialogs: OrderedDict[str, Extension] = OrderedDict()
        self._flows: OrderedDict[Address, Address] = OrderedDict()
        self._plans: set[asyncio.TimerHandle] = set()

    async def start(self, port: int = 0) -> None:
        """Listen on a port of loopback, any free one by default; raises OSError where it is taken."""
        await self._endpoint.start(port)
        board = Switchboard(
            local=HostPort(HOST, self._endpoint.port),
            ports=PortPool(),
            send=self._endpoint.send,
            locate=lambda address: self._flows.get(address, address),
            call_back=self._call_back,
            ended=self._ended,
        )
        self._extensions = {manner.number: Extension(manner, board) for manner in self._manners}

    async def stop(self) -> None:
        """Hang up, wait a moment for the answers, and free every port and task."""
        for plan in self._plans:
            plan.cancel()
        for extension in self._extensions.values():
            extension.hang_up()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await asyncio.gather(*(extension.settled() for extension in self._extensions.values()))
        except TimeoutError:
            _LOGGER.debug("not every call was hung up in time")
        for extension in self._extensions.values():
            extension.close()
        await self._endpoint.stop()

    @property
    def port(self) -> int:
        """The port for SIP over UDP and TCP."""
        return self._endpoint.port

    def bindings(self, number: str) -> list[Binding]:
        """Return where a number is registered now, the latest first."""
        return self._registrar.bindings(number, self._now)

    def call(self, number: str, caller: str) -> str:
        """Let an extension call a registered number, and return the Call-ID.

        Raises LocalProtocolError where the number is not registered, NoPortError where no port is free.
        """
        reachable = [binding for binding in self.bindings(number) if self._endpoint.connected(binding.source)]
        if not reachable:
            raise LocalProtocolError(f"{number} is not registered")
        extension = self._extensions[caller]
        binding = reachable[0]
        self._follow(binding.contact, binding.source)
        sip_call_id = extension.call(str(binding.contact))
        self._remember(sip_call_id, extension)
        return sip_call_id

    # Messages

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _receive(self, data: bytes, source: Address) -> None:
        """Take a message to whom it belongs; what cannot be read is dropped."""
        try:
            message = parse_message(data)
        except MessageError as error:
            _LOGGER.debug("unreadable message from %s: %s", source, error)
            return
        if isinstance(message, Request):
            for contact in message.contacts:
                self._follow(contact.uri, source)
            answer = self._registrar.admit(message, source, self._now)
            if answer is not None:
                self._endpoint.send(response_destination(message, source), answer.to_bytes())
                return
        extension = self._dialogs.get(message.call_id) or self._called(message)
        if extension is not None:
            self._remember(message.call_id, extension)
            extension.receive(data, source)
        elif isinstance(message, Request) and message.method != "ACK":
            answer = message.create_response(404, to_tag=os.urandom(8).hex())
            self._endpoint.send(response_destination(message, source), answer.to_bytes())

    def _called(self, message: Request | Response) -> Extension | None:
        """Return the extension that a request outside a dialog is for."""
        if isinstance(message, Response):
            return None
        match message.request_uri:
            case SipUri(user=str(number)):
                return self._extensions.get(number)
            case TelUri() as uri:
                return self._extensions.get(uri.digits)
            case _:
                return next(iter(self._extensions.values())) if message.method == "OPTIONS" else None

    def _follow(self, contact: object, source: Address) -> None:
        """Send what is for a contact back the way its messages come, whatever it says (RFC 5626 section 5.3)."""
        if not isinstance(contact, SipUri):
            return
        transport = source.transport
        named = Address(transport, contact.host, contact.port or transport.default_port)
        self._flows[named] = source
        self._flows.move_to_end(named)
        if len(self._flows) > MAX_DIALOGS:
            self._flows.popitem(last=False)

    def _remember(self, sip_call_id: str, extension: Extension) -> None:
        self._dialogs[sip_call_id] = extension
        self._dialogs.move_to_end(sip_call_id)
        if len(self._dialogs) > MAX_DIALOGS:
            self._dialogs.popitem(last=False)

    # What extensions ask for

    def _call_back(self, number: str, caller: str) -> None:
        """Let another extension call a number in a moment."""

        def ring() -> None:
            self._plans.discard(plan)
            try:
                self.call(number, caller)
            except SipError as error:
                _LOGGER.warning("cannot call %s back: %s", number, error)

        plan = asyncio.get_running_loop().call_later(CALL_BACK_AFTER, ring)
        self._plans.add(plan)

    def _ended(self, report: CallReport) -> None:
        if self._on_ended is not None:
            self._on_ended(report)
