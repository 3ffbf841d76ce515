"""The options of an account: what may change at any time without a new login, and the rules that they keep."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from homeassistant.exceptions import ServiceValidationError

from .answering_rules import ANSWER_MESSAGE_LENGTH_MAX, AnsweredBy, AnsweringRules, ways_of
from .const import (
    CONF_ALLOWED_CALLERS,
    CONF_ALLOWED_NUMBERS,
    CONF_ANSWER_MENU,
    CONF_ANSWER_MESSAGE,
    CONF_AUTO_ANSWER_DELAY,
    CONF_BLOCKED_NUMBERS,
    CONF_CALL_WAITING,
    CONF_CALL_WAITING_TIMEOUT,
    CONF_CODECS,
    CONF_CONTACT_ANSWERS,
    CONF_DIAL_PLAN,
    CONF_DISPLAY_NAME,
    CONF_DTMF,
    CONF_EARLY_MEDIA,
    CONF_FORWARD_AFTER,
    CONF_FORWARD_ALWAYS,
    CONF_FORWARD_BUSY,
    CONF_FORWARD_NO_ANSWER,
    CONF_KEEP_DAYS,
    CONF_KEEP_RECORDINGS,
    CONF_LISTENING_VOLUME,
    CONF_MWI,
    CONF_MWI_EXPIRATION,
    CONF_NUMBERS_BY_VOICE,
    CONF_RECORD_CALLS,
    CONF_RECORDING_CHANNELS,
    CONF_RECORDING_FORMAT,
    CONF_RECORDING_TONE,
    CONF_REFER_POLICY,
    CONF_RELIABLE_PROVISIONAL,
    CONF_RTP_DSCP,
    CONF_SEND_CALLER_ID,
    CONF_SERVER_ONLY,
    CONF_SIP_DSCP,
    CONF_SPEAKING_VOLUME,
    CONF_TRACE,
    CONF_USER_AGENT,
    CONF_VOICE_ACTIVITY_DETECTION,
    OPTIONS_ANSWERING,
    OPTIONS_CALLS,
    OPTIONS_EXPERT,
    OPTIONS_INCOMING,
    OPTIONS_RECORDING,
    OPTIONS_VOICE,
    RecordCalls,
)
from .contacts import ContactBook
from .dial_plan import MAX_RULES, DialPlan, faulty_rule, split_rules
from .incoming_rules import CALL_WAITING_TIMEOUT, FORWARD_AFTER, FORWARDS, IncomingRules
from .net.phone import check_target
from .net.recording_order import RecordedSides, RecordingFormat, RecordingTone
from .settings import NumberField, account_of, plain_target
from .sip.account import RTP_DSCP, SIP_DSCP, Account, DtmfMethod, ReferPolicy, ReliableProvisional
from .sip.errors import LocalProtocolError
from .validation import Rule

DISPLAY_NAME_LENGTH_MAX: Final = 64
ALLOWED_NUMBERS_MAX: Final = 64
AUTO_ANSWER_DELAY: Final = NumberField(default=2, minimum=0, maximum=30, unit="s")
MWI_EXPIRATION: Final = NumberField(default=3600, minimum=120, maximum=86400, unit="s")
VOLUME: Final = NumberField(default=0, minimum=-12, maximum=12, unit="dB")
SIP_MARK: Final = NumberField(default=SIP_DSCP, minimum=0, maximum=63)
RTP_MARK: Final = NumberField(default=RTP_DSCP, minimum=0, maximum=63)
EARLY_MEDIA_LENGTH_MAX: Final = 1024
KEEP_DAYS: Final = NumberField(default=0, minimum=0, maximum=3650, unit="d")
KEEP_RECORDINGS: Final = NumberField(default=0, minimum=0, maximum=10_000)

_ACCOUNT: Final = Account(number="", domain="")
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    OPTIONS_CALLS: {
        CONF_SEND_CALLER_ID: _ACCOUNT.send_caller_id,
        CONF_DISPLAY_NAME: _ACCOUNT.display_name,
        CONF_REFER_POLICY: _ACCOUNT.refer_policy.value,
        CONF_ALLOWED_NUMBERS: list(_ACCOUNT.allowed_numbers),
        CONF_AUTO_ANSWER_DELAY: AUTO_ANSWER_DELAY.default,
        CONF_NUMBERS_BY_VOICE: False,
        CONF_MWI: _ACCOUNT.mwi,
        CONF_MWI_EXPIRATION: MWI_EXPIRATION.default,
    },
    OPTIONS_VOICE: {
        CONF_CODECS: [name.lower() for name in _ACCOUNT.codecs],
        CONF_DTMF: _ACCOUNT.dtmf.value,
        CONF_VOICE_ACTIVITY_DETECTION: _ACCOUNT.voice_activity_detection,
        CONF_SPEAKING_VOLUME: VOLUME.default,
        CONF_LISTENING_VOLUME: VOLUME.default,
        CONF_EARLY_MEDIA: "",
    },
    OPTIONS_ANSWERING: asdict(AnsweringRules()) | {CONF_CONTACT_ANSWERS: []},
    OPTIONS_INCOMING: asdict(IncomingRules()) | {CONF_BLOCKED_NUMBERS: [], CONF_ALLOWED_CALLERS: []},
    OPTIONS_RECORDING: {
        CONF_RECORD_CALLS: RecordCalls.NONE.value,
        CONF_RECORDING_FORMAT: RecordingFormat.WAV.value,
        CONF_RECORDING_CHANNELS: RecordedSides.MIXED.value,
        CONF_RECORDING_TONE: RecordingTone.NONE.value,
        CONF_KEEP_DAYS: KEEP_DAYS.default,
        CONF_KEEP_RECORDINGS: KEEP_RECORDINGS.default,
    },
    OPTIONS_EXPERT: {
        CONF_RELIABLE_PROVISIONAL: _ACCOUNT.reliable_provisional.value,
        CONF_SIP_DSCP: SIP_MARK.default,
        CONF_RTP_DSCP: RTP_MARK.default,
        CONF_USER_AGENT: _ACCOUNT.user_agent,
        CONF_TRACE: _ACCOUNT.trace,
        CONF_DIAL_PLAN: [],
    },
}

# The characters of a user part, and the two wildcards.
_PATTERN = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,?#%]{1,127}")
_CALLER = re.compile(r"(?=.{1,127}$)[A-Za-z0-9\-_.!~*'()&=+$,?#%]*(@([A-Za-z0-9\-_.*?]+|\[[0-9A-Fa-f:.*?]+\]))?")
_NUMBERS = re.compile(r"\+?[0-9*?#]+")
_SEPARATORS = re.compile(r"[ \-./()\N{NO-BREAK SPACE}]")
# Visible ASCII and single spaces: products and comments (RFC 3261 section 20.41).
_USER_AGENT = re.compile(r"(?=.{1,64}$)[!-~]+( [!-~]+)*")


def options_of(stored: Mapping[str, Any], step: str, *, direct: bool = False) -> dict[str, Any]:
    """Return the options of one step, defaults where nothing was ever chosen.

    What an account that is `direct` cannot have, as one that once had a server could, is at its default.
    """
    options = dict(_DEFAULTS[step]) | dict(stored.get(step, {}))
    if direct and options.get(CONF_REFER_POLICY) == ReferPolicy.SERVER:
        options |= {key: _DEFAULTS[step][key] for key in (CONF_REFER_POLICY, CONF_ALLOWED_NUMBERS)}
    return options


def normalize_options(step: str, user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a step as they are stored: trimmed, numbers whole, defaults filled in."""
    values = options_of({step: user_input}, step)
    for key, value in values.items():
        if isinstance(value, str):
            values[key] = value.strip()
        elif isinstance(value, float):
            values[key] = int(value)
    for key in (CONF_ALLOWED_NUMBERS, CONF_ALLOWED_CALLERS, CONF_BLOCKED_NUMBERS):
        if key in values:
            values[key] = _patterns(values[key])
    if CONF_DIAL_PLAN in values:
        values[CONF_DIAL_PLAN] = split_rules(values[CONF_DIAL_PLAN])
    for key in FORWARDS:
        if key in values:
            values[key] = plain_target(values[key])
    if CONF_CODECS in values:
        values[CONF_CODECS] = list(dict.fromkeys(values[CONF_CODECS]))
    if CONF_USER_AGENT in values:
        values[CONF_USER_AGENT] = values[CONF_USER_AGENT] or _ACCOUNT.user_agent
    return values


def _patterns(typed: Sequence[str]) -> list[str]:
    """Return number patterns without visual separators, none empty and none twice."""
    return [pattern for pattern in dict.fromkeys(_plain(text.strip()) for text in typed) if pattern]


def _plain(pattern: str) -> str:
    digits = _SEPARATORS.sub("", pattern)
    return digits if _NUMBERS.fullmatch(digits) else pattern


def with_options(account: Account, stored: Mapping[str, Any]) -> Account:
    """Return the account with the options that are stored of it."""
    direct = not account.registers
    calls, incoming, voice, expert = (
        options_of(stored, step, direct=direct)
        for step in (OPTIONS_CALLS, OPTIONS_INCOMING, OPTIONS_VOICE, OPTIONS_EXPERT)
    )
    return replace(
        account,
        allow_direct_calls=account.allow_direct_calls or not incoming[CONF_SERVER_ONLY],
        send_caller_id=calls[CONF_SEND_CALLER_ID],
        display_name=calls[CONF_DISPLAY_NAME],
        refer_policy=ReferPolicy(calls[CONF_REFER_POLICY]),
        allowed_numbers=tuple(calls[CONF_ALLOWED_NUMBERS]),
        mwi=calls[CONF_MWI],
        mwi_expiration=calls[CONF_MWI_EXPIRATION],
        codecs=tuple(name.upper() for name in voice[CONF_CODECS]),
        dtmf=DtmfMethod(voice[CONF_DTMF]),
        voice_activity_detection=voice[CONF_VOICE_ACTIVITY_DETECTION],
        speaking_volume=voice[CONF_SPEAKING_VOLUME],
        listening_volume=voice[CONF_LISTENING_VOLUME],
        reliable_provisional=ReliableProvisional(expert[CONF_RELIABLE_PROVISIONAL]),
        user_agent=expert[CONF_USER_AGENT],
        trace=expert[CONF_TRACE],
        network=replace(account.network, sip_dscp=expert[CONF_SIP_DSCP], rtp_dscp=expert[CONF_RTP_DSCP]),
    )


def dial_plan_of(stored: Mapping[str, Any]) -> DialPlan:
    """Return what the options of an account say of numbers that are dialled."""
    return DialPlan(options_of(stored, OPTIONS_EXPERT)[CONF_DIAL_PLAN])


def find_incoming_mistakes(
    data: Mapping[str, Any], rules: Mapping[str, Any], book: ContactBook, dial_plan: DialPlan
) -> dict[str, str]:
    """Return the error text's key of what the account with these settings cannot do with calls that come in."""
    account = account_of(data)
    mistakes: dict[str, str] = {}
    if account.registers and not rules[CONF_SERVER_ONLY] and not account.network.local_port:
        mistakes[CONF_SERVER_ONLY] = "direct_calls_need_port"
    for key in FORWARDS:
        try:
            if rules[key]:
                dialed = dial_plan.apply(book.target(rules[key]))
                check_target(account, dialed.number)
                if dialed.blocked:
                    mistakes[key] = "forward_number_blocked"
        except ServiceValidationError as error:
            mistakes[key] = f"forward_{error.translation_key}"
        except LocalProtocolError:
            mistakes[key] = "forward_invalid"
    return mistakes


def _allows_transfers(calls: Mapping[str, Any]) -> bool:
    return bool(calls[CONF_REFER_POLICY] != ReferPolicy.OFF)


def _pattern_rules(name: str, key: str, pattern: re.Pattern[str]) -> tuple[Rule, Rule]:
    """Return the rules of a list of number patterns: there may be so many, and each has to be one."""
    return (
        (f"{name}s_too_many", key, lambda values, _: len(values[key]) > ALLOWED_NUMBERS_MAX),
        (f"{name}_invalid", key, lambda values, _: not all(pattern.fullmatch(text) for text in values[key])),
    )


OPTION_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    OPTIONS_CALLS: (
        (
            "display_name_invalid",
            CONF_DISPLAY_NAME,
            lambda calls, _: (
                len(calls[CONF_DISPLAY_NAME]) > DISPLAY_NAME_LENGTH_MAX or not calls[CONF_DISPLAY_NAME].isprintable()
            ),
        ),
        (
            "allowed_numbers_required",
            CONF_ALLOWED_NUMBERS,
            lambda calls, _: _allows_transfers(calls) and not calls[CONF_ALLOWED_NUMBERS],
        ),
        (
            "allowed_numbers_not_used",
            CONF_ALLOWED_NUMBERS,
            lambda calls, _: not _allows_transfers(calls) and calls[CONF_ALLOWED_NUMBERS] not in ([], ["*"]),
        ),
        *_pattern_rules("allowed_number", CONF_ALLOWED_NUMBERS, _PATTERN),
        (
            "mwi_expiration_not_used",
            CONF_MWI_EXPIRATION,
            lambda calls, _: not calls[CONF_MWI] and calls[CONF_MWI_EXPIRATION] != MWI_EXPIRATION.default,
        ),
    ),
    OPTIONS_INCOMING: (
        *_pattern_rules("blocked_number", CONF_BLOCKED_NUMBERS, _CALLER),
        *_pattern_rules("allowed_caller", CONF_ALLOWED_CALLERS, _CALLER),
        (
            "forward_overridden",
            CONF_FORWARD_ALWAYS,
            lambda rules, _: (
                bool(rules[CONF_FORWARD_ALWAYS])
                and (bool(rules[CONF_FORWARD_BUSY]) or bool(rules[CONF_FORWARD_NO_ANSWER]))
            ),
        ),
        (
            "forward_busy_not_used",
            CONF_FORWARD_BUSY,
            lambda rules, _: rules[CONF_CALL_WAITING] and bool(rules[CONF_FORWARD_BUSY]),
        ),
        (
            "forward_after_not_used",
            CONF_FORWARD_AFTER,
            lambda rules, _: not rules[CONF_FORWARD_NO_ANSWER] and rules[CONF_FORWARD_AFTER] != FORWARD_AFTER.default,
        ),
        (
            "call_waiting_timeout_not_used",
            CONF_CALL_WAITING_TIMEOUT,
            lambda rules, _: (
                not rules[CONF_CALL_WAITING] and rules[CONF_CALL_WAITING_TIMEOUT] != CALL_WAITING_TIMEOUT.default
            ),
        ),
    ),
    OPTIONS_ANSWERING: (
        (
            "answer_message_required",
            CONF_ANSWER_MESSAGE,
            lambda answering, _: AnsweredBy.MESSAGE in ways_of(answering) and not answering[CONF_ANSWER_MESSAGE],
        ),
        (
            "answer_message_too_long",
            CONF_ANSWER_MESSAGE,
            lambda answering, _: len(answering[CONF_ANSWER_MESSAGE]) > ANSWER_MESSAGE_LENGTH_MAX,
        ),
        (
            "answer_menu_required",
            CONF_ANSWER_MENU,
            lambda answering, _: AnsweredBy.MENU in ways_of(answering) and not answering[CONF_ANSWER_MENU],
        ),
    ),
    OPTIONS_VOICE: (
        ("codecs_required", CONF_CODECS, lambda voice, _: not voice[CONF_CODECS]),
        (
            "early_media_too_long",
            CONF_EARLY_MEDIA,
            lambda voice, _: len(voice[CONF_EARLY_MEDIA]) > EARLY_MEDIA_LENGTH_MAX,
        ),
    ),
    OPTIONS_RECORDING: (),
    OPTIONS_EXPERT: (
        (
            "user_agent_invalid",
            CONF_USER_AGENT,
            lambda expert, _: not _USER_AGENT.fullmatch(expert[CONF_USER_AGENT]),
        ),
        ("dial_plan_too_long", CONF_DIAL_PLAN, lambda expert, _: len(expert[CONF_DIAL_PLAN]) > MAX_RULES),
        ("dial_rule_invalid", CONF_DIAL_PLAN, lambda expert, _: faulty_rule(expert[CONF_DIAL_PLAN]) is not None),
    ),
}


def find_option_mistakes(step: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the error text's key of every field of a step whose rules are broken, the first for each field."""
    mistakes: dict[str, str] = {}
    for key, field, broken in OPTION_RULES[step]:
        if field not in mistakes and broken(options, options):
            mistakes[field] = key
    return mistakes


def named_in_mistakes(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what the error texts of a step name: the first rule of the dial plan that cannot be read, and where."""
    fault = faulty_rule(options.get(CONF_DIAL_PLAN, ()))
    return {} if fault is None else {"rule": fault.rule, "rest": fault.rest}
