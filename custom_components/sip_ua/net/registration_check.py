"""A trial registration: whether an account works, told before it is kept (RFC 3261 section 10)."""

import asyncio

from ..sip.account import Account
from ..sip.events import RegistrationChanged, RegistrationFailure, RegistrationState
from ..sip.transaction import Timers
from .errors import LocalPortInUseError
from .media import MediaEngine
from .phone import Phone
from .phone_events import PhoneEvent

# A person waits for the answer: requests are given up after 64*T1 = 12.8 s instead of 32.
TRIAL_TIMERS = Timers(t1=0.2)
TRIAL_TIMEOUT = 40.0
_DECIDED = frozenset({RegistrationState.REGISTERED, RegistrationState.REFUSED, RegistrationState.FAILED})


async def check_registration(account: Account) -> RegistrationChanged:
    """Register once, unregister, free everything, and return how it went.

    An account without a registrar only has its port tried: it stays unregistered, without a failure.
    Raises LocalAddressError.
    """
    loop = asyncio.get_running_loop()
    decided: asyncio.Future[RegistrationChanged] = loop.create_future()

    def listen(event: PhoneEvent) -> None:
        if isinstance(event, RegistrationChanged) and event.state in _DECIDED and not decided.done():
            decided.set_result(event)

    media = MediaEngine()
    phone = Phone(account, media, listen, timers=TRIAL_TIMERS)
    try:
        await phone.start()
        if not account.registers:
            return phone.registration
        async with asyncio.timeout(TRIAL_TIMEOUT):
            return await decided
    except LocalPortInUseError as error:
        return _failed(loop.time(), RegistrationFailure.LOCAL_PORT_IN_USE, str(error), "")
    except TimeoutError:
        last = phone.registration
        return _failed(loop.time(), RegistrationFailure.NO_ANSWER, last.detail, last.place)
    finally:
        await phone.stop()
        await media.stop()


def _failed(now: float, failure: RegistrationFailure, detail: str, place: str) -> RegistrationChanged:
    state = RegistrationState.FAILED
    return RegistrationChanged(at=now, state=state, failure=failure, failures=1, detail=detail, place=place)
