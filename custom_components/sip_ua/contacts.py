"""The phone book of an account: who is meant by a name, a speed dial or a number, and what the owner said of them.

Contacts are config subentries. `ContactBook` is the one place that answers questions about them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry

from .action_errors import validation_error
from .const import (
    CONF_ALIASES,
    CONF_ANSWERED_BY,
    CONF_DOOR_CODE,
    CONF_DOOR_STATION,
    CONF_EXPOSED,
    CONF_MORE_NUMBERS,
    CONF_NUMBER,
    CONF_ON_CALL,
    CONF_SPEED_DIAL,
    CONF_WATCHED,
    CONF_WAY,
    SECTION_DOOR,
    SUBENTRY_CONTACT,
)
from .dial_plan import DialPlan
from .numbering import NumberPlan, is_keys
from .settings import plain_target
from .sip.account import Account
from .sip.events import CallDirection, CallSnapshot, Party

MAX_CONTACTS: Final = 200
SPEED_DIALS: Final = range(1, 100)
LOOKUPS_KEPT: Final = 64

_SCHEMES: Final = ("sip:", "sips:", "tel:")
_speed_dial = re.compile(r"#([0-9]{2})").fullmatch
_words = re.compile(r"\w+").findall


class OnCall(StrEnum):
    """What happens when a contact calls.

    `ALWAYS_RING` rings in spite of "do not disturb"; `AUTO_ANSWER` is answered by itself while the switch is on.
    """

    RING = "ring"
    ALWAYS_RING = "always_ring"
    AUTO_ANSWER = "auto_answer"
    BLOCK = "block"


class Way(StrEnum):
    """How a contact is called: through the account's server, or straight at the address of its own device."""

    SERVER = "server"
    DIRECT = "direct"


class ContactAnswer(StrEnum):
    """What answers a contact's call that nobody takes; `ACCOUNT` is what answers those of the account."""

    ACCOUNT = "account"
    NOBODY = "nobody"
    ASSIST = "assist"
    MESSAGE = "message"
    MENU = "menu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody in the phone book.

    `id` is that of the subentry; `number` is what is dialled, `more_numbers` are only recognised. `door_code` are the
    keys that open the door of a door station. `exposed` contacts may be called by voice assistants.
    """

    id: str
    name: str
    number: str
    way: Way = Way.SERVER
    more_numbers: tuple[str, ...] = ()
    speed_dial: int | None = None
    aliases: tuple[str, ...] = ()
    on_call: OnCall = OnCall.RING
    answered_by: ContactAnswer = ContactAnswer.ACCOUNT
    watched: bool = False
    exposed: bool = False
    is_door_station: bool = False
    door_code: str = field(default="", repr=False)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return every number of the contact, the one to dial first."""
        return (self.number, *self.more_numbers)

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name of the contact."""
        return (self.name, *self.aliases)


def contact_of(subentry: ConfigSubentry) -> Contact:
    """Return the contact that a subentry describes."""
    data = subentry.data
    door = data.get(SECTION_DOOR, {})
    return Contact(
        id=subentry.subentry_id,
        name=subentry.title,
        number=data[CONF_NUMBER],
        way=Way(data.get(CONF_WAY, Way.SERVER)),
        more_numbers=tuple(data.get(CONF_MORE_NUMBERS, ())),
        speed_dial=data.get(CONF_SPEED_DIAL),
        aliases=tuple(data.get(CONF_ALIASES, ())),
        on_call=OnCall(data.get(CONF_ON_CALL, OnCall.RING)),
        answered_by=ContactAnswer(data.get(CONF_ANSWERED_BY, ContactAnswer.ACCOUNT)),
        watched=data.get(CONF_WATCHED, False),
        exposed=data.get(CONF_EXPOSED, False),
        is_door_station=door.get(CONF_DOOR_STATION, False),
        door_code=door.get(CONF_DOOR_CODE, ""),
    )


def contacts_of(entry: ConfigEntry) -> tuple[Contact, ...]:
    """Return the contacts of an entry, by name."""
    contacts = (
        contact_of(subentry) for subentry in entry.subentries.values() if subentry.subentry_type == SUBENTRY_CONTACT
    )
    return tuple(sorted(contacts, key=lambda contact: fold(contact.name)))


def direct_hosts(contacts: Iterable[Contact]) -> frozenset[str]:
    """Return the hosts of the contacts that are called past the server, and may call past it."""
    hosts = (device_host(contact.number) for contact in contacts if contact.way is Way.DIRECT)
    return frozenset(host for host in hosts if host)


def device_host(number: str) -> str:
    """Return the numeric host of a SIP address, as SIP writes it; "" for a number, and for a name of a host."""
    host = split_address(number)[1]
    try:
        return host if str(ip_address(host)) == host else ""
    except ValueError:
        return ""


def fold(name: str) -> str:
    """Return what tells names apart: neither case nor spaces do."""
    return " ".join(name.casefold().split())


class ContactBook:
    """Finds contacts by what people type or say, and by who calls."""

    def __init__(
        self, contacts: Iterable[Contact], account: Account, plan: NumberPlan, dial_plan: DialPlan | None = None
    ) -> None:
        """Take the contacts; `plan` tells how numbers of the country are written, `dial_plan` what goes out for one."""
        self.contacts = tuple(contacts)
        self._account = account
        self._plan = plan
        self._hosts = {host.lower() for host in _own_hosts(account)}
        self._by_number: dict[str, Contact] = {}
        self._by_dialed: dict[str, Contact] = {}
        self._by_speed_dial: dict[int, Contact] = {}
        # Every event of a call asks who that is.
        self._look_up = lru_cache(maxsize=LOOKUPS_KEPT)(self._search)
        for contact in self.contacts:
            if contact.speed_dial is not None:
                self._by_speed_dial.setdefault(contact.speed_dial, contact)
            for number in contact.numbers:
                self._by_number.setdefault(self.key(number), contact)
                if dial_plan is not None and (dialed := dial_plan.apply(plain_target(number))).rule:
                    self._by_dialed.setdefault(dialed.number, contact)

    def __iter__(self) -> Iterator[Contact]:
        """Go through the contacts by name."""
        return iter(self.contacts)

    def __len__(self) -> int:
        """Return how many contacts there are."""
        return len(self.contacts)

    # By what people type or say

    def find(self, name: str, *, exposed_only: bool = False) -> tuple[Contact, ...]:
        """Return the contacts that a name means: those called so, else those with all of its words in a name."""
        contacts = [contact for contact in self.contacts if contact.exposed or not exposed_only]
        wanted = fold(name)
        if exact := tuple(contact for contact in contacts if wanted in map(fold, contact.names)):
            return exact
        words = set(_words(wanted))
        return tuple(
            contact
            for contact in contacts
            if words and any(words.issubset(_words(fold(known))) for known in contact.names)
        )

    def by_speed_dial(self, text: str) -> Contact | None:
        """Return the contact of a speed dial, which is written as `#01` to `#99`."""
        match = _speed_dial(text.strip())
        return self._by_speed_dial.get(int(match[1])) if match else None

    def knows(self, text: str) -> bool:
        """Return whether a text is the speed dial or a name of contacts, and nothing else that could be dialed."""
        if self.by_speed_dial(text) is not None:
            return True
        return not is_dialable(text) and bool(self.find(text))

    def target(self, text: str) -> str:
        """Return the number or address to dial for a contact's name, a speed dial, a number or an address.

        Whatever keys can dial goes out unchanged, unless it is a speed dial of this phone book. Raises a translated
        error for a name of several contacts, and for one that is none and cannot be somebody at the server either.
        """
        text = text.strip()
        if (contact := self.by_speed_dial(text)) is not None:
            return contact.number
        if not text or is_dialable(text):
            return plain_target(text)
        found = self.find(text)
        if len(found) > 1:
            raise validation_error(
                "contact_ambiguous",
                name=text,
                contacts=", ".join(f"{contact.name} ({contact.number})" for contact in found[:10]),
            )
        if found:
            return found[0].number
        if " " in text or not text.isascii():
            raise validation_error("contact_unknown", name=text)
        return plain_target(text)

    # By who calls

    def by_number(self, number: str, uri: str = "") -> Contact | None:
        """Return the contact of a number in whatever form it is written, or of a SIP address."""
        return self._look_up(number, uri) if self._by_number else None

    def _search(self, number: str, uri: str) -> Contact | None:
        known = (self._by_number.get(key) for key in self._keys(number, uri))
        return next((contact for contact in known if contact is not None), None)

    def by_party(self, party: Party) -> Contact | None:
        """Return the contact that the other side of a call is."""
        return self.by_number(party.number, party.uri)

    def by_call(self, party: Party, direction: str | None) -> Contact | None:
        """Return the contact that the other side of a call is, also where the dial plan has changed its number."""
        dialed = self._by_dialed.get(party.number) if direction == CallDirection.OUTGOING else None
        return dialed or self.by_party(party)

    def name_party(self, party: Party, direction: str | None = None) -> Party:
        """Return the other side under the name of the phone book, as it calls itself where it is not in it."""
        contact = self.by_call(party, direction)
        return party if contact is None or contact.name == party.name else replace(party, name=contact.name)

    def name_call(self, call: CallSnapshot) -> CallSnapshot:
        """Return a call whose other side has the name of the phone book."""
        remote = self.name_party(call.remote, call.direction)
        return call if remote is call.remote else replace(call, remote=remote)

    # What tells numbers apart

    def key(self, number: str) -> str:
        """Return what is the same for every way to write a number or an address."""
        user, host = split_address(number)
        return self._plan.canonical(user) if self._is_own(host) else f"{user}@{host}"

    def is_at_server(self, address: str) -> bool:
        """Return whether an address is one at our server, or names no host at all."""
        return self._is_own(split_address(address)[1])

    def _keys(self, number: str, uri: str) -> Iterator[str]:
        """Yield what the other side may stand under: its address, its number, its host."""
        user, host = split_address(uri) if uri else ("", "")
        if host:
            yield f"{user}@{host}"
        if number and (self._account.registers or not host):
            # Whoever calls by our server is one of its numbers, whatever host the server writes behind that.
            yield self.key(number)
        if host:
            yield f"@{host}"

    def _is_own(self, host: str) -> bool:
        """Return whether a host is that of our server, as it is where none is named."""
        return not host or host in self._hosts


def _own_hosts(account: Account) -> Iterator[str]:
    """Yield the names under which an account's numbers are known."""
    yield account.domain
    for server in (account.server, account.registrar):
        if server is not None:
            yield server.host


def is_address(text: str) -> bool:
    """Return whether a text is an address, and no number or name."""
    return "@" in text or text.lower().startswith(_SCHEMES)


def is_dialable(text: str) -> bool:
    """Return whether a text is a number, a code or an address, and no name."""
    return is_keys(text) or is_address(text)


def split_address(address: str) -> tuple[str, str]:
    """Return user and host of an address as they are compared, without port and parameters; "" where not named."""
    text = address.strip()
    scheme = next((scheme for scheme in _SCHEMES if text.lower().startswith(scheme)), "")
    text = text[len(scheme) :].partition("?")[0]
    user, at, host = text.rpartition("@")
    if not at:
        user, host = ("", text) if scheme.startswith("sip") else (text, "")
    host = host.partition(";")[0].lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return user.partition(";")[0].partition(":")[0], host
