"""Sensors of an account: its registration, the call that a person wants to see, and the voice mail box."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .audio_quality import AudioQualitySensor
from .call_view import call_data, messages_data, outcome_data, person_data
from .const import (
    ATTR_CONFERENCE_WITH,
    ATTR_RECORDING,
    KEY_CALL_STATE,
    KEY_MESSAGES_WAITING,
    KEY_REGISTRATION_PROBLEM,
    PROBLEM_NONE,
    STATE_IDLE,
)
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaStateEntity
from .sip.events import (
    CallDirection,
    CallOutcome,
    CallSnapshot,
    CallState,
    MessagesWaiting,
    RegistrationChanged,
    RegistrationFailure,
    RegistrationState,
)

PARALLEL_UPDATES = 0

type Value = StateType | datetime


def _nothing(_coordinator: SipUaCoordinator) -> dict[str, Any]:
    """Return no attributes."""
    return {}


@dataclass(frozen=True, kw_only=True)
class SipUaSensorDescription(SensorEntityDescription):
    """A sensor: what it is made of, its value and its attributes.

    `source` is compared to find out whether there is news; `always` keeps the sensor available without registration.
    """

    source: Callable[[SipUaCoordinator], object]
    value: Callable[[SipUaCoordinator], Value]
    attributes: Callable[[SipUaCoordinator], dict[str, Any]] = _nothing
    always: bool = False


def _registration(coordinator: SipUaCoordinator) -> RegistrationChanged:
    return coordinator.registration


def _registration_state(coordinator: SipUaCoordinator) -> str:
    """Return the registration's state; a repeated attempt after a failure is still a failure."""
    status = coordinator.registration
    if status.state is RegistrationState.REGISTERING and status.failures:
        return RegistrationState.FAILED.value
    return status.state.value


def _expires(coordinator: SipUaCoordinator) -> datetime | None:
    return coordinator.registered_until


def _last_answer(coordinator: SipUaCoordinator) -> str | None:
    status = coordinator.registration
    return f"{status.code} {status.reason}".strip() if status.code else None


def _problem(coordinator: SipUaCoordinator) -> str:
    failure = coordinator.registration.failure
    return failure.value if failure else PROBLEM_NONE


def _problem_attributes(coordinator: SipUaCoordinator) -> dict[str, Any]:
    status = coordinator.registration
    last, at = coordinator.last_problem or (None, None)
    return {
        "detail": status.detail,
        "failures": status.failures,
        "next_attempt_at": coordinator.next_attempt,
        "last_problem": last.failure.value if last and last.failure else None,
        "last_problem_answer": f"{last.code} {last.reason}".strip() if last and last.code else None,
        "last_problem_at": at,
    }


def _shown(coordinator: SipUaCoordinator) -> CallSnapshot | None:
    return coordinator.calls.shown


def _last_call(coordinator: SipUaCoordinator) -> CallSnapshot | None:
    return coordinator.calls.last


def _last_call_outcome(coordinator: SipUaCoordinator) -> str | None:
    call = coordinator.calls.last
    return call.outcome.value if call and call.outcome else None


def _last_call_attributes(coordinator: SipUaCoordinator) -> dict[str, Any]:
    if (call := coordinator.calls.last) is None:
        return {}
    data = call_data(call) | outcome_data(call)
    kept = ("direction", "name", "number", "code", "reason", "ended_by", "ring_duration", "talk_duration", "encrypted")
    return {key: data[key] for key in kept}


def _last_number(direction: CallDirection, key: str) -> SipUaSensorDescription:
    """Return the sensor of the other side's number in the last call of a direction."""

    def call(coordinator: SipUaCoordinator) -> CallSnapshot | None:
        return coordinator.calls.last_of(direction)

    def attributes(coordinator: SipUaCoordinator) -> dict[str, Any]:
        if (last := call(coordinator)) is None:
            return {}
        return {"name": last.remote.name, "uri": last.remote.uri, "outcome": str(last.outcome)}

    def value(coordinator: SipUaCoordinator) -> str | None:
        last = call(coordinator)
        return (last.remote.number or None) if last is not None else None

    return SipUaSensorDescription(
        key=key, translation_key=key, source=call, value=value, attributes=attributes, always=True
    )


def _codec(coordinator: SipUaCoordinator) -> str | None:
    voice = coordinator.calls.voice
    return voice.codec if voice is not None else None


def _codec_attributes(coordinator: SipUaCoordinator) -> dict[str, Any]:
    """Return how the voice is sampled, and where it goes."""
    if (voice := coordinator.calls.voice) is None:
        return {}
    return {"clock_rate": voice.clock_rate, "peer": voice.peer}


def _messages(coordinator: SipUaCoordinator) -> MessagesWaiting | None:
    return coordinator.messages


def _messages_waiting(coordinator: SipUaCoordinator) -> int | None:
    """Return how many new messages wait; a mail box that does not count has one or none."""
    if (messages := coordinator.messages) is None:
        return None
    return int(messages.waiting) if messages.new is None else messages.new


def _messages_attributes(coordinator: SipUaCoordinator) -> dict[str, Any]:
    return {} if coordinator.messages is None else messages_data(coordinator.messages)


def _last_call_duration(coordinator: SipUaCoordinator) -> float | None:
    """Return the seconds that the last call was answered; one that was not took none."""
    if (call := coordinator.calls.last) is None:
        return None
    return cast("float", outcome_data(call)["talk_duration"] or 0.0)


CALL_STATE = SensorEntityDescription(
    key=KEY_CALL_STATE,
    translation_key=KEY_CALL_STATE,
    device_class=SensorDeviceClass.ENUM,
    options=[STATE_IDLE, *(state.value for state in CallState if state is not CallState.ENDED)],
)

SENSORS: tuple[SipUaSensorDescription, ...] = (
    SipUaSensorDescription(
        key="remote_name",
        translation_key="remote_name",
        source=_shown,
        value=lambda coordinator: (coordinator.calls.shown.remote.name or None) if coordinator.calls.shown else None,
    ),
    SipUaSensorDescription(
        key="remote_number",
        translation_key="remote_number",
        source=_shown,
        value=lambda coordinator: (coordinator.calls.shown.remote.number or None) if coordinator.calls.shown else None,
    ),
    SipUaSensorDescription(
        key="call_direction",
        translation_key="call_direction",
        device_class=SensorDeviceClass.ENUM,
        options=[direction.value for direction in CallDirection],
        source=_shown,
        value=lambda coordinator: coordinator.calls.shown.direction.value if coordinator.calls.shown else None,
    ),
    SipUaSensorDescription(
        key="calls_active",
        translation_key="calls_active",
        state_class=SensorStateClass.MEASUREMENT,
        source=lambda coordinator: len(coordinator.calls),
        value=lambda coordinator: len(coordinator.calls),
    ),
    SipUaSensorDescription(
        key="talking_since",
        translation_key="talking_since",
        device_class=SensorDeviceClass.TIMESTAMP,
        source=lambda coordinator: coordinator.calls.talking_since,
        value=lambda coordinator: coordinator.calls.talking_since,
    ),
    SipUaSensorDescription(
        key="last_call",
        translation_key="last_call",
        device_class=SensorDeviceClass.ENUM,
        options=[outcome.value for outcome in CallOutcome],
        source=_last_call,
        value=_last_call_outcome,
        attributes=_last_call_attributes,
        always=True,
    ),
    SipUaSensorDescription(
        key="last_call_duration",
        translation_key="last_call_duration",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
        source=_last_call,
        value=_last_call_duration,
        always=True,
    ),
    _last_number(CallDirection.INCOMING, "last_incoming_number"),
    _last_number(CallDirection.OUTGOING, "last_outgoing_number"),
    SipUaSensorDescription(
        key="codec",
        translation_key="codec",
        entity_category=EntityCategory.DIAGNOSTIC,
        source=lambda coordinator: coordinator.calls.voice,
        value=_codec,
        attributes=_codec_attributes,
    ),
)

REGISTRATION_SENSORS: tuple[SipUaSensorDescription, ...] = (
    SipUaSensorDescription(
        key="registration",
        translation_key="registration",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[state.value for state in RegistrationState],
        source=_registration,
        value=_registration_state,
        always=True,
    ),
    SipUaSensorDescription(
        key="registration_expires",
        translation_key="registration_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        source=_registration,
        value=_expires,
        always=True,
    ),
    SipUaSensorDescription(
        key="last_answer",
        translation_key="last_answer",
        entity_category=EntityCategory.DIAGNOSTIC,
        source=_registration,
        value=_last_answer,
        always=True,
    ),
    SipUaSensorDescription(
        key=KEY_REGISTRATION_PROBLEM,
        translation_key=KEY_REGISTRATION_PROBLEM,
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[PROBLEM_NONE, *(failure.value for failure in RegistrationFailure)],
        source=_registration,
        value=_problem,
        attributes=_problem_attributes,
        always=True,
    ),
)


MAIL_BOX_SENSORS: tuple[SipUaSensorDescription, ...] = (
    SipUaSensorDescription(
        key=KEY_MESSAGES_WAITING,
        translation_key=KEY_MESSAGES_WAITING,
        state_class=SensorStateClass.MEASUREMENT,
        source=_messages,
        value=_messages_waiting,
        attributes=_messages_attributes,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of an account; one without a server has no registration to show."""
    coordinator = entry.runtime_data
    descriptions = SENSORS
    if coordinator.account.registers:
        descriptions += REGISTRATION_SENSORS
    if coordinator.has_mail_box:
        descriptions += MAIL_BOX_SENSORS
    async_add_entities([CallStateSensor(coordinator)])
    async_add_entities(SipUaSensor(coordinator, description) for description in descriptions)
    async_add_entities([AudioQualitySensor(coordinator)])


class CallStateSensor(SipUaStateEntity, SensorEntity):
    """What the call does that a person wants to see, and with whom it is; written before anything else."""

    _first = True

    def __init__(self, coordinator: SipUaCoordinator) -> None:
        """Begin with what there is."""
        super().__init__(coordinator, CALL_STATE)
        self._shown: tuple[bool, str, dict[str, Any]] = self._showing()

    @property
    @override
    def native_value(self) -> str:
        """Return the state of the call."""
        return self._shown[1]

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return what is to be known of the call."""
        return self._shown[2]

    @override
    def _showing(self) -> tuple[bool, str, dict[str, Any]]:
        coordinator = self.coordinator
        call = coordinator.calls.shown
        if call is None:
            return coordinator.available, STATE_IDLE, {}
        noted = {
            ATTR_RECORDING: coordinator.recordings.is_running(call.id),
            ATTR_CONFERENCE_WITH: [*coordinator.calls.joined_with(call.id)],
        }
        return coordinator.available, str(call.state), person_data(call) | noted


class SipUaSensor(SipUaStateEntity, SensorEntity):
    """A sensor of an account."""

    entity_description: SipUaSensorDescription

    @property
    @override
    def available(self) -> bool:
        """Return whether the sensor has something to show."""
        return self.entity_description.always or self.coordinator.available

    @property
    @override
    def native_value(self) -> Value:
        """Return what the sensor shows."""
        return self.entity_description.value(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        """Return what belongs to it."""
        return self.entity_description.attributes(self.coordinator)

    @override
    def _showing(self) -> object:
        """Return what the sensor is made of."""
        return self.available, self.entity_description.source(self.coordinator)
