"""What is known of the exchanges and providers that people choose as a template, and what follows for the form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .sip.events import RegistrationFailure


class Template(StrEnum):
    """The exchanges and providers of which something is known, any other server, and no server at all."""

    GENERIC = "generic"
    FRITZBOX = "fritzbox"
    ASTERISK = "asterisk"
    THREE_CX = "3cx"
    UNIFI_TALK = "unifi_talk"
    SIPGATE = "sipgate"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFacts:
    """What holds for every account of a template.

    `server` fills the empty field; `texts` are the keys of the error texts that know the template better.
    """

    server: str = ""
    needs_password: bool = False
    needs_auth_user: bool = False
    texts: Mapping[RegistrationFailure, str] = field(default_factory=dict)


FACTS: Mapping[Template, TemplateFacts] = {
    Template.GENERIC: TemplateFacts(),
    Template.DIRECT: TemplateFacts(),
    Template.FRITZBOX: TemplateFacts(
        server="fritz.box",
        needs_password=True,
        texts={
            RegistrationFailure.NAME_NOT_FOUND: "name_not_found_fritzbox",
            RegistrationFailure.LOGIN_REFUSED: "login_refused_fritzbox",
        },
    ),
    # An unknown extension is refused like a wrong password, and FreePBX has two SIP drivers on two ports.
    Template.ASTERISK: TemplateFacts(
        texts={
            RegistrationFailure.LOGIN_REFUSED: "login_refused_asterisk",
            RegistrationFailure.NO_ANSWER: "no_answer_asterisk",
            RegistrationFailure.CONNECTION_REFUSED: "no_answer_asterisk",
        },
    ),
    # The login is an authentication ID made of random characters, never the extension's number.
    Template.THREE_CX: TemplateFacts(
        needs_password=True,
        needs_auth_user=True,
        texts={RegistrationFailure.LOGIN_REFUSED: "login_refused_3cx"},
    ),
    Template.UNIFI_TALK: TemplateFacts(
        needs_password=True,
        texts={RegistrationFailure.LOGIN_REFUSED: "login_refused_unifi_talk"},
    ),
    Template.SIPGATE: TemplateFacts(
        server="sipgate.de",
        needs_password=True,
        texts={RegistrationFailure.LOGIN_REFUSED: "login_refused_sipgate"},
    ),
}


def facts_of(template: str) -> TemplateFacts:
    """Return what is known of the template that an account was made from."""
    return FACTS[Template(template)]
