"""The options: a menu of what may change at any time; it applies when the last call has ended."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)

from .answering_form import WHO_SCHEMA, needed_schema, with_used_answers
from .conflicts import find_conflicts
from .const import (
    CONF_ALLOWED_CALLERS,
    CONF_ALLOWED_NUMBERS,
    CONF_AUTO_ANSWER_DELAY,
    CONF_BLOCK_ANONYMOUS,
    CONF_BLOCKED_NUMBERS,
    CONF_CALL_WAITING,
    CONF_CALL_WAITING_TIMEOUT,
    CONF_CODECS,
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
from .contacts import ContactBook, contacts_of
from .early_media import async_is_playable
from .form import TEXT, choice, number
from .incoming_rules import CALL_WAITING_TIMEOUT, FORWARD_AFTER
from .menu_book import menu_names
from .net.av_codecs import working_codecs
from .net.recording_order import RecordedSides, RecordingFormat, RecordingTone
from .numbering import plan_of
from .options import (
    AUTO_ANSWER_DELAY,
    KEEP_DAYS,
    KEEP_RECORDINGS,
    MWI_EXPIRATION,
    RTP_MARK,
    SIP_MARK,
    VOLUME,
    dial_plan_of,
    find_incoming_mistakes,
    find_option_mistakes,
    named_in_mistakes,
    normalize_options,
    options_of,
)
from .settings import account_of, is_direct
from .sip.account import DtmfMethod, ReferPolicy, ReliableProvisional

_MWI: dict[vol.Marker, Any] = {
    vol.Required(CONF_MWI): BooleanSelector(),
    vol.Required(CONF_MWI_EXPIRATION): number(MWI_EXPIRATION),
}


def calls_schema(*, direct: bool = False) -> vol.Schema:
    """Return the form about calls; an account without a server has neither a voice mail box nor a domain."""
    policies = [policy for policy in ReferPolicy if not (direct and policy is ReferPolicy.SERVER)]
    return vol.Schema(
        {
            vol.Required(CONF_SEND_CALLER_ID, default=True): BooleanSelector(),
            vol.Optional(CONF_DISPLAY_NAME): TEXT,
            vol.Required(CONF_REFER_POLICY): choice(CONF_REFER_POLICY, policies),
            vol.Optional(CONF_ALLOWED_NUMBERS, default=[]): TextSelector(TextSelectorConfig(multiple=True)),
            vol.Required(CONF_AUTO_ANSWER_DELAY, default=AUTO_ANSWER_DELAY.default): number(AUTO_ANSWER_DELAY),
            vol.Required(CONF_NUMBERS_BY_VOICE, default=False): BooleanSelector(),
            **({} if direct else _MWI),
        }
    )


_EARLY_MEDIA: dict[vol.Marker, Any] = {vol.Optional(CONF_EARLY_MEDIA): TEXT}


def voice_schema(working: Collection[str], *, direct: bool = False) -> vol.Schema:
    """Return the form about voice, with the codecs that work on this machine; the order chosen is the priority.

    Callers of an account without a server hear nothing before the answer.
    """
    codecs = SelectSelectorConfig(
        options=[name.lower() for name in sorted(working)],
        multiple=True,
        translation_key=CONF_CODECS,
        mode=SelectSelectorMode.DROPDOWN,
    )
    return vol.Schema(
        {
            vol.Required(CONF_CODECS, default=[]): SelectSelector(codecs),
            vol.Required(CONF_DTMF): choice(CONF_DTMF, DtmfMethod),
            vol.Required(CONF_VOICE_ACTIVITY_DETECTION, default=False): BooleanSelector(),
            vol.Required(CONF_SPEAKING_VOLUME, default=VOLUME.default): number(VOLUME),
            vol.Required(CONF_LISTENING_VOLUME, default=VOLUME.default): number(VOLUME),
            **({} if direct else _EARLY_MEDIA),
        }
    )


def recording_schema(working: Collection[str]) -> vol.Schema:
    """Return the form about recordings, with the formats that this machine can write."""
    formats = [kind for kind in RecordingFormat if kind is RecordingFormat.WAV or kind.value.upper() in working]
    return vol.Schema(
        {
            vol.Required(CONF_RECORD_CALLS): choice(CONF_RECORD_CALLS, RecordCalls),
            vol.Required(CONF_RECORDING_FORMAT): choice(CONF_RECORDING_FORMAT, formats),
            vol.Required(CONF_RECORDING_CHANNELS): choice(
                CONF_RECORDING_CHANNELS, (RecordedSides.MIXED, RecordedSides.STEREO)
            ),
            vol.Required(CONF_RECORDING_TONE): choice(CONF_RECORDING_TONE, RecordingTone),
            vol.Required(CONF_KEEP_DAYS): number(KEEP_DAYS),
            vol.Required(CONF_KEEP_RECORDINGS): number(KEEP_RECORDINGS),
        }
    )


_SERVER_ONLY: dict[vol.Marker, Any] = {vol.Required(CONF_SERVER_ONLY, default=True): BooleanSelector()}
_INCOMING: dict[vol.Marker, Any] = {
    vol.Required(CONF_CALL_WAITING): BooleanSelector(),
    vol.Required(CONF_CALL_WAITING_TIMEOUT): number(CALL_WAITING_TIMEOUT),
    vol.Required(CONF_BLOCK_ANONYMOUS): BooleanSelector(),
    vol.Optional(CONF_ALLOWED_CALLERS, default=[]): TextSelector(TextSelectorConfig(multiple=True)),
    vol.Optional(CONF_BLOCKED_NUMBERS, default=[]): TextSelector(TextSelectorConfig(multiple=True)),
    vol.Optional(CONF_FORWARD_ALWAYS): TEXT,
    vol.Optional(CONF_FORWARD_BUSY): TEXT,
    vol.Optional(CONF_FORWARD_NO_ANSWER): TEXT,
    vol.Required(CONF_FORWARD_AFTER): number(FORWARD_AFTER),
}


def incoming_schema(*, direct: bool) -> vol.Schema:
    """Return the form about incoming calls; an account without a server takes calls from anybody in any case."""
    return vol.Schema(_INCOMING if direct else _SERVER_ONLY | _INCOMING)


EXPERT_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_RELIABLE_PROVISIONAL): choice(CONF_RELIABLE_PROVISIONAL, ReliableProvisional),
        vol.Required(CONF_SIP_DSCP, default=SIP_MARK.default): number(SIP_MARK),
        vol.Required(CONF_RTP_DSCP, default=RTP_MARK.default): number(RTP_MARK),
        vol.Optional(CONF_USER_AGENT): TEXT,
        vol.Required(CONF_TRACE, default=True): BooleanSelector(),
        vol.Optional(CONF_DIAL_PLAN, default=[]): TextSelector(TextSelectorConfig(multiple=True)),
    }
)


class SipUaOptionsFlow(OptionsFlow):
    """Handle the options of an account."""

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._chosen: dict[str, Any] = {}

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the menu."""
        return self.async_show_menu(
            step_id="init",
            menu_options=[
                OPTIONS_CALLS,
                OPTIONS_INCOMING,
                OPTIONS_ANSWERING,
                OPTIONS_VOICE,
                OPTIONS_RECORDING,
                OPTIONS_EXPERT,
            ],
        )

    async def async_step_calls(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change what others see of us, who may transfer us where, and the voice mail box."""
        return self._take(OPTIONS_CALLS, calls_schema(direct=is_direct(self.config_entry.data)), user_input)

    async def async_step_incoming(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change who is turned away, when a second call rings, and where calls go instead."""
        schema = incoming_schema(direct=is_direct(self.config_entry.data))
        return self._take(OPTIONS_INCOMING, schema, user_input)

    async def async_step_answering(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose who answers a call that nobody takes, and what may answer single contacts."""
        contacts = contacts_of(self.config_entry)
        if user_input is not None:
            self._chosen = with_used_answers(user_input, contacts)
            return await self.async_step_answering_how()
        stored = with_used_answers(options_of(self.config_entry.options, OPTIONS_ANSWERING), contacts)
        return self.async_show_form(
            step_id=OPTIONS_ANSWERING,
            data_schema=self.add_suggested_values_to_schema(WHO_SCHEMA, stored),
            last_step=False,
        )

    async def async_step_answering_how(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change how it is answered; what is not asked for stays as it was."""
        entry = self.config_entry
        schema = needed_schema(self._chosen, contacts_of(entry), menu_names(self.hass, entry))
        stored = options_of(entry.options, OPTIONS_ANSWERING)
        kept = {key: value for key, value in stored.items() if key not in schema.schema} | self._chosen
        typed = None if user_input is None else kept | user_input
        return self._take(OPTIONS_ANSWERING, schema, typed, page="answering_how")

    async def async_step_voice(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change how voice is coded, how loud it is, and what callers hear while it rings."""
        working = await self.hass.async_add_executor_job(working_codecs)
        media = "" if user_input is None else user_input.get(CONF_EARLY_MEDIA, "")
        playable = await async_is_playable(self.hass, media)
        mistakes = {} if playable else {CONF_EARLY_MEDIA: "early_media_not_found"}
        return self._take(
            OPTIONS_VOICE, voice_schema(working, direct=is_direct(self.config_entry.data)), user_input, mistakes
        )

    async def async_step_recording(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change which calls are recorded, how, and for how long that is kept."""
        working = await self.hass.async_add_executor_job(working_codecs)
        return self._take(OPTIONS_RECORDING, recording_schema(working), user_input)

    async def async_step_expert(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change what only an administrator of an exchange knows."""
        return self._take(OPTIONS_EXPERT, EXPERT_SCHEMA, user_input)

    def _phone_book(self) -> ContactBook:
        """Return the phone book of the account, which names of contacts and speed dials are looked up in."""
        entry = self.config_entry
        return ContactBook(contacts_of(entry), account_of(entry.data), plan_of(self.hass.config.country))

    def _take(
        self,
        step: str,
        schema: vol.Schema,
        user_input: dict[str, Any] | None,
        mistakes: Mapping[str, str] = MappingProxyType({}),
        page: str | None = None,
    ) -> ConfigFlowResult:
        """Keep the options of a step, or show its form, which is the last `page` where it has several.

        `mistakes` are those that are known already.
        """
        errors: dict[str, str] = {}
        shown = options_of(self.config_entry.options, step, direct=is_direct(self.config_entry.data))
        if user_input is not None:
            shown = normalize_options(step, user_input)
            errors = {**mistakes, **find_option_mistakes(step, shown)}
            if step == OPTIONS_INCOMING:
                dial_plan = dial_plan_of(self.config_entry.options)
                errors = find_incoming_mistakes(self.config_entry.data, shown, self._phone_book(), dial_plan) | errors
            answers = [contact.answered_by for contact in contacts_of(self.config_entry)]
            options = {**self.config_entry.options, step: shown}
            conflicts = find_conflicts(self.config_entry.data, options, step, answers)
            errors = {mistake.place: mistake.key for mistake in conflicts} | errors
            if not errors:
                return self.async_create_entry(data={**self.config_entry.options, step: shown})
        # What is empty is not suggested: no entity and no menu has an empty name.
        suggested = {key: value for key, value in shown.items() if value != ""}
        return self.async_show_form(
            step_id=page or step,
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            errors=errors,
            description_placeholders=named_in_mistakes(shown) if errors else None,
        )
