"""Home Assistant's own API, spoken as its frontend speaks it: onboarding, login, HTTP and WebSocket."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType

from .terminal import DevelopError

USER = "developer"
PASSWORD = "sip-phone"  # noqa: S105 - of an instance on loopback that holds nothing
START_SECONDS = 300.0
COMMAND_SECONDS = 60.0

type OnEvent = Callable[[dict[str, Any]], None]


class Client:
    """One person logged in. Every error of the API becomes a DevelopError that names what was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client_id = f"{url}/"
        self.tokens: dict[str, Any] = {}
        self._session = ClientSession(base_url=url)
        self._socket: ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._listeners: dict[int, OnEvent] = {}
        self._number = 0

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._session.close()

    # Coming in

    async def wait_until_served(self, check: Callable[[], None]) -> bool:
        """Wait for the web server and return whether nobody has been onboarded yet; `check` raises to give up."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                check()
                with contextlib.suppress(ClientError, TimeoutError):
                    async with self._session.get("/api/onboarding") as response:
                        if response.status == 404:
                            return False
                        if response.status == 200:
                            return not all(step["done"] for step in await response.json())
                await asyncio.sleep(0.2)

    async def onboard(self) -> None:
        """Go through the onboarding as its pages do."""
        answer = await self._post(
            "/api/onboarding/users",
            {
                "name": "Developer",
                "username": USER,
                "password": PASSWORD,
                "client_id": self.client_id,
                "language": "en",
            },
        )
        await self._take_token(answer["auth_code"])
        await self.request("POST", "/api/onboarding/core_config")
        await self.request("POST", "/api/onboarding/analytics")
        body = {"client_id": self.client_id, "redirect_uri": f"{self.client_id}?auth_callback=1"}
        answer = await self.request("POST", "/api/onboarding/integration", body)
        await self._take_token(answer["auth_code"])

    async def log_in(self) -> None:
        """Log in as the login page does."""
        body = {"client_id": self.client_id, "handler": ["homeassistant", None], "redirect_uri": self.client_id}
        flow = await self._post("/auth/login_flow", body)
        login = {"client_id": self.client_id, "username": USER, "password": PASSWORD}
        answer = await self._post(f"/auth/login_flow/{flow['flow_id']}", login)
        if answer.get("type") != "create_entry":
            raise DevelopError(f"cannot log in as {USER}: start with --fresh, which begins with an empty folder")
        await self._take_token(answer["result"])

    async def _take_token(self, code: str) -> None:
        form = {"grant_type": "authorization_code", "code": code, "client_id": self.client_id}
        async with self._session.post("/auth/token", data=form) as response:
            if response.status != 200:
                raise DevelopError(f"Home Assistant gives no token: {response.status} {await response.text()}")
            self.tokens = await response.json()

    # HTTP

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        return await self._read(path, "POST", body, {})

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask with the person's token and return what the answer's JSON holds."""
        return await self._read(path, method, body, {"Authorization": f"Bearer {self.tokens['access_token']}"})

    async def _read(self, path: str, method: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        try:
            async with self._session.request(method, path, json=body, headers=headers) as response:
                if response.status >= 400:
                    raise DevelopError(f"{method} {path}: {response.status} {await response.text()}")
                return await response.json()
        except ClientError as error:
            raise DevelopError(f"{method} {path}: {error}") from error

    # WebSocket

    async def connect(self) -> None:
        """Open the WebSocket and log in there."""
        self._socket = await self._session.ws_connect("/api/websocket", max_msg_size=0)
        await self._socket.receive_json()
        await self._socket.send_json({"type": "auth", "access_token": self.tokens["access_token"]})
        answer = await self._socket.receive_json()
        if answer["type"] != "auth_ok":
            raise DevelopError(f"the WebSocket refuses the login: {answer}")
        self._reader = asyncio.create_task(self._read_socket(self._socket), name="websocket")

    async def _read_socket(self, socket: ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            content = frame.json()
            for message in content if isinstance(content, list) else [content]:
                self._receive(message)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(DevelopError("Home Assistant closed the connection"))

    def _receive(self, message: dict[str, Any]) -> None:
        number = message["id"]
        if message["type"] == "event":
            if (listener := self._listeners.get(number)) is not None:
                listener(message["event"])
        elif (answer := self._answers.get(number)) is not None and not answer.done():
            if message.get("success", True):
                answer.set_result(message.get("result"))
            else:
                answer.set_exception(DevelopError(message["error"].get("message") or str(message["error"])))

    async def command(self, kind: str, **fields: Any) -> Any:
        """Send a command and return its result."""
        return await self._command(kind, fields, None)

    async def listen(self, event_type: str, listener: OnEvent) -> None:
        """Call `listener` with the data of every bus event of a type."""
        fields = {"event_type": event_type}
        await self._command("subscribe_events", fields, lambda event: listener(event["data"]))

    async def _command(self, kind: str, fields: dict[str, Any], listener: OnEvent | None) -> Any:
        if self._socket is None:
            raise DevelopError("the WebSocket is not open")
        self._number += 1
        number = self._number
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        if listener is not None:
            self._listeners[number] = listener
        try:
            await self._socket.send_json({"id": number, "type": kind, **fields})
            async with asyncio.timeout(COMMAND_SECONDS):
                return await answer
        except (TimeoutError, ClientError) as error:
            raise DevelopError(f"{kind}: no answer") from error
        except DevelopError as error:
            raise DevelopError(f"{kind}: {error}") from error
        finally:
            del self._answers[number]

    async def perform(self, action: str, *, answer: bool = False, **data: Any) -> dict[str, Any]:
        """Perform an action, e.g. `sip_ua.dial`, and return its response where one is wanted."""
        domain, _, name = action.partition(".")
        try:
            result = await self.command(
                "call_service", domain=domain, service=name, service_data=data, return_response=answer
            )
        except DevelopError as error:
            raise DevelopError(f"{action}: {error}") from error
        response: dict[str, Any] = result.get("response") or {}
        return response
