"""Every text that the integration shows exists, in every language, and none is there that it does not show."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.components.assist_pipeline import OPTION_PREFERRED, VadSensitivity
from homeassistant.data_entry_flow import section
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util.yaml import load_yaml_dict

from custom_components.sip_ua import (
    action_errors,
    announcement,
    answering_form,
    conference_actions,
    config_flow,
    contact_flow,
    dtmf_input,
    escalation,
    failure_words,
    form,
    history_access,
    issues,
    line_flow,
    menu,
    menu_flow,
    menu_mistakes,
    options,
    options_flow,
    playing,
    recording_actions,
    redirecting,
    repairs,
    services,
    trace_access,
    validation,
)
from custom_components.sip_ua.assist_satellite import ASSIST, WITHOUT_STT, WITHOUT_TTS
from custom_components.sip_ua.audio_quality import AUDIO_QUALITY
from custom_components.sip_ua.binary_sensor import LINE, RECORDING
from custom_components.sip_ua.button import BUTTONS, CALL_CONTACT, DIAL, OPEN_THE_DOOR
from custom_components.sip_ua.condition import CALL_STATES, CONDITIONS
from custom_components.sip_ua.conflicts import CONFLICT_KEYS
from custom_components.sip_ua.const import SECTION_TIMERS, SUBENTRY_CONTACT, Enqueue, WaitFor
from custom_components.sip_ua.event import CALL, DOORBELL, VOICE_MAIL
from custom_components.sip_ua.logbook_lines import CAUSE_OTHER, CAUSES, LINES
from custom_components.sip_ua.media_player import PLAYER
from custom_components.sip_ua.net.av_codecs import working_codecs
from custom_components.sip_ua.notify import SPEAK_MESSAGE
from custom_components.sip_ua.select import SELECTS
from custom_components.sip_ua.sensor import CALL_STATE, MAIL_BOX_SENSORS, REGISTRATION_SENSORS, SENSORS
from custom_components.sip_ua.sip.events import (
    CallDirection,
    CallOutcome,
    RegistrationFailure,
    TransferState,
    WatchedState,
)
from custom_components.sip_ua.switch import SWITCHES
from custom_components.sip_ua.templates import FACTS
from custom_components.sip_ua.text import ASSIST_NUMBER, NUMBER_TO_DIAL
from custom_components.sip_ua.trigger import TRIGGERS

ROOT = Path(__file__).parents[1] / "custom_components" / "sip_ua"
LANGUAGES = sorted(path.stem for path in (ROOT / "translations").glob("*.json"))
ENTITIES: dict[str, tuple[EntityDescription, ...]] = {
    "assist_satellite": (ASSIST,),
    "binary_sensor": (RECORDING, LINE),
    "button": (*BUTTONS, DIAL, CALL_CONTACT, OPEN_THE_DOOR),
    "event": (CALL, VOICE_MAIL, DOORBELL),
    "media_player": (PLAYER,),
    "notify": (SPEAK_MESSAGE,),
    "select": SELECTS,
    "sensor": (CALL_STATE, *SENSORS, *REGISTRATION_SENSORS, *MAIL_BOX_SENSORS, AUDIO_QUALITY),
    "switch": SWITCHES,
    "text": (NUMBER_TO_DIAL, ASSIST_NUMBER),
}
OPTION_FORMS = {
    "calls": options_flow.calls_schema(),
    "incoming": options_flow.incoming_schema(direct=False),
    "answering": vol.Schema({**answering_form.WHO_SCHEMA.schema, **answering_form.how_schema(()).schema}),
    "voice": options_flow.voice_schema(working_codecs()),
    "recording": options_flow.recording_schema(working_codecs()),
    "expert": options_flow.EXPERT_SCHEMA,
}
SECOND_PAGES = {"answering": "answering_how"}
ERRORS = {"BrowseError", "ConfigEntryNotReady", "HomeAssistantError", "ServiceValidationError", "Unresolvable"}


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return content


def texts_of_options(step: str) -> dict[str, Any]:
    """Return the texts of a form of the options, those of its second page among them."""
    steps: dict[str, dict[str, Any]] = read("translations/en.json")["options"]["step"]
    first, second = steps[step], steps.get(SECOND_PAGES.get(step, ""), {})
    return first | {key: first[key] | second.get(key, {}) for key in ("data", "data_description")}


def described_actions() -> dict[str, Any]:
    return load_yaml_dict(str(ROOT / "services.yaml"))


@pytest.fixture(name="english")
def english_fixture() -> dict[str, Any]:
    return read("translations/en.json")


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def raised_keys() -> set[str]:
    """Return the translation keys of the errors that the code raises."""
    keys: set[str] = {key for faults in action_errors.FAULT_KEYS.values() for key in faults.values()}
    keys |= set(menu_mistakes.MENU_FAULT_KEYS.values())
    keys |= {*announcement.NOT_REACHED_KEYS.values(), failure_words.QUOTED, WITHOUT_STT, WITHOUT_TTS}
    for path in ROOT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in {"validation_error", "AssistFailedError"} and isinstance(node.args[0], ast.Constant):
                keys.add(str(node.args[0].value))
            if name == "find_call" and isinstance(node.args[-1], ast.Constant):
                keys.add(str(node.args[-1].value))
            if name in ERRORS:
                keys |= {
                    str(keyword.value.value)
                    for keyword in node.keywords
                    if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Constant)
                }
    return keys


def test_the_integration_speaks_six_languages() -> None:
    assert LANGUAGES == ["de", "en", "es", "fr", "it", "nl"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_with_the_same_placeholders(language: str, english: dict[str, Any]) -> None:
    wanted = dict(leaves(english))
    texts = dict(leaves(read(f"translations/{language}.json")))
    assert set(texts) == set(wanted)
    assert all(text.strip() == text != "" for text in texts.values())
    different = {key for key, text in texts.items() if placeholders(text) != placeholders(wanted[key])}
    assert different == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_address_in_a_description_becomes_a_link_to_write_mail(language: str) -> None:
    # What stands below a field, and above all of them, is Markdown, in which an address is a link unless it is code.
    texts = leaves(read(f"translations/{language}.json"))
    plain = {
        key: re.sub("`[^`]*`", "", text)
        for key, text in texts
        if ".data_description." in key or key.endswith(".description")
    }
    assert {key: text for key, text in plain.items() if re.search(r"[\w.+-]@\w|\{(account|identity)\}", text)} == {}


RECONFIGURE = {
    "de": "Neu konfigurieren",
    "en": "Reconfigure",
    "es": "Reconfigurar",
    "fr": "Reconfigurer",
    "it": "Riconfigura",
    "nl": "Opnieuw configureren",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_logs_in_again_reads_where_a_certificate_is_put_right(language: str) -> None:
    config = read(f"translations/{language}.json")["config"]
    assert config["step"]["reconfigure"]["sections"]["security"]["name"] in config["error"]["certificate"]
    assert RECONFIGURE[language] in config["step"]["reauth_confirm"]["description"]


def test_every_text_stands_where_home_assistant_looks_for_it(english: dict[str, Any]) -> None:
    forms = {"step", "error", "abort"}
    subentries = {"line", "contact", "menu"}
    assert set(english) == {
        *("config", "options", "config_subentries", "selector", "entity", "exceptions", "issues", "services"),
        *("triggers", "conditions", "common", "system_health"),
    }
    assert set(english["config"]) == forms | {"initiate_flow"}
    assert set(english["options"]) == forms - {"abort"}
    assert set(english["config_subentries"]) == subentries
    for kind in subentries:
        assert set(english["config_subentries"][kind]) == forms | {"initiate_flow", "entry_type"}
    assert set(english["entity"]) == set(ENTITIES)
    assert set(english["system_health"]) == {"info"}


def test_form_errors_are_those_that_the_flow_can_show(english: dict[str, Any]) -> None:
    rules = [*validation.FIELD_RULES, *(rule for rules in validation.SECTION_RULES.values() for rule in rules)]
    shown = {key for key, _, _ in rules} | {
        "bind_address_unknown",
        config_flow.LOCAL_PORT_NEEDED.key,
        config_flow.UNKNOWN,
    }
    shown |= CONFLICT_KEYS[SECTION_TIMERS]
    shown |= {key for facts in FACTS.values() for key in facts.texts.values()}
    assert set(english["config"]["error"]) == shown | {failure.value for failure in RegistrationFailure}


def test_every_reason_that_ends_a_flow_has_a_text(english: dict[str, Any]) -> None:
    # Given by the base class: by async_set_unique_id, _abort_if_unique_id_configured, async_update_and_abort.
    reasons = {"already_configured", "already_in_progress", "reauth_successful", "reconfigure_successful"}
    source = (ROOT / "config_flow.py").read_text(encoding="utf-8")
    assert set(english["config"]["abort"]) == reasons | set(re.findall(r'async_abort\(reason="(\w+)"\)', source))


def test_error_texts_name_only_what_the_flow_gives(english: dict[str, Any]) -> None:
    given = {"identity", "number", "server", "local_port", "answer", "place"}
    given |= {"names", "issuer", "until", "fingerprint"}
    for text in english["config"]["error"].values():
        assert placeholders(text) <= given


@pytest.mark.parametrize(
    ("step", "schema"),
    [
        ("user", form.account_schema({})),
        ("reconfigure", form.reconfigure_schema({})),
        ("reauth_confirm", form.REAUTH_SCHEMA),
    ],
)
def test_every_field_of_a_form_has_a_name_and_a_description(step: str, schema: Any, english: dict[str, Any]) -> None:
    texts = english["config"]["step"][step]
    fields = {str(marker): field for marker, field in schema.schema.items()}
    plain = {key for key, field in fields.items() if not isinstance(field, section)}
    assert set(texts["data"]) == set(texts["data_description"]) == plain
    sections = {key: field for key, field in fields.items() if isinstance(field, section)}
    assert set(texts.get("sections", {})) == set(sections)
    for key, field in sections.items():
        inner = {str(marker) for marker in field.schema.schema}
        assert set(texts["sections"][key]["data"]) == set(texts["sections"][key]["data_description"]) == inner


def test_every_option_has_a_name_a_description_and_a_place_in_the_menu(english: dict[str, Any]) -> None:
    steps = english["options"]["step"]
    assert set(steps) == {"init", *OPTION_FORMS, *SECOND_PAGES.values()}
    assert set(steps["init"]["menu_options"]) == set(steps["init"]["menu_option_descriptions"]) == set(OPTION_FORMS)
    for step, schema in OPTION_FORMS.items():
        fields = {str(marker) for marker in schema.schema}
        texts = texts_of_options(step)
        assert set(texts["data"]) == set(texts["data_description"]) == fields
        assert set(options.options_of({}, step)) == fields


def test_every_mistake_in_the_options_has_a_text(english: dict[str, Any]) -> None:
    keys = {key for rules in options.OPTION_RULES.values() for key, _, _ in rules}
    keys |= {key for form, texts in CONFLICT_KEYS.items() if form in OPTION_FORMS for key in texts}
    forwarding = {f"forward_{what}" for what in ("invalid", "contact_ambiguous", "contact_unknown", "number_blocked")}
    assert set(english["options"]["error"]) == keys | forwarding | {"direct_calls_need_port", "early_media_not_found"}


def test_a_watched_line_has_its_texts(english: dict[str, Any]) -> None:
    line = english["config_subentries"]["line"]
    assert set(line["initiate_flow"]) == set(line["step"]) == {"user", "reconfigure"}
    for step in line["step"].values():
        fields = {str(marker) for marker in line_flow.LINE_SCHEMA.schema}
        assert set(step["data"]) == set(step["data_description"]) == fields
    assert set(line["error"]) == {"line_known", "line_invalid", "line_name_too_long"}
    assert set(line["abort"]) == {"reconfigure_successful"}
    states = english["entity"]["binary_sensor"]["line"]["state_attributes"]["line_state"]["state"]
    assert set(states) == {state.value for state in WatchedState}


def test_a_contact_has_its_texts(english: dict[str, Any]) -> None:
    contact = english["config_subentries"]["contact"]
    assert set(contact["initiate_flow"]) == set(contact["step"]) == {"user", "reconfigure"}
    fields = {str(marker): field for marker, field in contact_flow.CONTACT_SCHEMA.schema.items()}
    sections = {key: field for key, field in fields.items() if isinstance(field, section)}
    for step in contact["step"].values():
        assert set(step["data"]) == set(step["data_description"]) == fields.keys() - sections.keys()
        assert set(step["sections"]) == set(sections)
        for key, field in sections.items():
            inner = {str(marker) for marker in field.schema.schema}
            assert set(step["sections"][key]["data"]) == set(step["sections"][key]["data_description"]) == inner
    assert set(contact["error"]) == {key for key, _, _ in contact_flow.RULES} | CONFLICT_KEYS[SUBENTRY_CONTACT]
    assert set(contact["abort"]) == {"reconfigure_successful", "phone_book_full"}


def test_a_saved_menu_has_its_texts(english: dict[str, Any]) -> None:
    saved = english["config_subentries"]["menu"]
    assert set(saved["initiate_flow"]) == set(saved["step"]) == {"user", "reconfigure"}
    fields = {str(marker) for marker in menu_flow.MENU_FORM.schema}
    for step in saved["step"].values():
        assert set(step["data"]) == set(step["data_description"]) == fields
    # The mistakes in a menu are told as actions tell them.
    mistakes = {"menu_unknown", "menu_twice", *menu_mistakes.MENU_FAULT_KEYS.values()}
    assert set(saved["error"]) == {"menu_name_invalid", "menu_name_known"} | mistakes
    for language in LANGUAGES:
        texts = read(f"translations/{language}.json")
        told = texts["config_subentries"]["menu"]["error"]
        assert all(told[key] == texts["exceptions"][key]["message"] for key in mistakes)
    assert set(saved["abort"]) == {"reconfigure_successful", "too_many_menus"}


def test_every_choice_of_a_form_or_action_has_a_text(english: dict[str, Any]) -> None:
    wanted: dict[str, set[str]] = {
        "wait": set(WaitFor),
        "enqueue": set(Enqueue),
        "call_state": set(CALL_STATES),
        "direction": set(CallDirection),
        "outcome": set(CallOutcome),
        "mode": set(escalation.Mode),
        "confirm": {escalation.CONFIRM_ANY, escalation.CONFIRM_NONE},
    }
    schemas = [form.account_schema({}), contact_flow.CONTACT_SCHEMA, *OPTION_FORMS.values()]
    fields = [field for schema in schemas for field in schema.schema.values()]
    fields += [inner for field in fields if isinstance(field, section) for inner in field.schema.schema.values()]
    for field in fields:
        if (config := getattr(field, "config", {})) and "translation_key" in config:
            options = [option["value"] if isinstance(option, dict) else option for option in config["options"]]
            wanted[config["translation_key"]] = set(options)
    assert {key: set(texts["options"]) for key, texts in english["selector"].items()} == wanted


def test_every_entity_has_its_texts_and_an_icon(english: dict[str, Any]) -> None:
    icons = read("icons.json")["entity"]
    for platform, descriptions in ENTITIES.items():
        keys = {str(description.translation_key) for description in descriptions}
        assert set(english["entity"][platform]) == keys
        assert set(icons[platform]) == keys
    for description in ENTITIES["sensor"]:
        texts = english["entity"]["sensor"][description.key]
        assert set(texts.get("state", {})) == set(getattr(description, "options", None) or ())
        states = icons["sensor"][description.key].get("state", {})
        assert set(states) <= set(texts.get("state", {}))
    states = english["entity"]["select"]
    assert set(states["pipeline"]["state"]) == {OPTION_PREFERRED}
    assert set(states["vad_sensitivity"]["state"]) == set(VadSensitivity)
    for description in ENTITIES["event"]:
        event_types = english["entity"]["event"][description.key]["state_attributes"]["event_type"]["state"]
        assert set(event_types) == set(getattr(description, "event_types", None) or ())


def test_every_other_text_is_a_line_of_the_logbook_or_names_a_folder(english: dict[str, Any]) -> None:
    assert set(english["common"]) == {"older_recordings"} | LINES | {*CAUSES.values(), CAUSE_OTHER}


def test_every_state_of_a_transfer_is_a_type_of_event() -> None:
    assert {f"transfer_{state.value}" for state in TransferState} <= set(CALL.event_types or ())


def test_every_error_that_is_raised_has_a_text(english: dict[str, Any]) -> None:
    assert set(english["exceptions"]) == raised_keys()


def test_every_issue_that_is_shown_in_repairs_has_a_text(english: dict[str, Any]) -> None:
    assert set(english["issues"]) == set(issues.KINDS)
    assert {key for key, kind in issues.KINDS.items() if kind.fixable} == set(repairs.REMEDIES)
    for key, kind in issues.KINDS.items():
        texts = english["issues"][key]
        assert set(texts) == {"title", "fix_flow" if kind.fixable else "description"}
        if kind.fixable:
            fixed = {repairs.STEP_FIXED_PORT} if key == issues.LOCAL_PORT_IN_USE else set()
            assert set(texts["fix_flow"]["step"]) == {repairs.STEP} | fixed
            assert set(texts["fix_flow"]["abort"]) == {"account_gone"}
    step = english["issues"][issues.ONE_WAY_AUDIO]["fix_flow"]["step"][repairs.STEP]
    fields = {str(marker) for marker in repairs.STUN_SCHEMA.schema}
    assert set(step["data"]) == set(step["data_description"]) == fields


def test_every_issue_leads_to_its_place_in_the_documentation() -> None:
    text = (ROOT.parents[1] / "docs" / "repairs.md").read_text(encoding="utf-8")
    assert all(f'<a id="{key.replace("_", "-")}"></a>' in text for key in issues.KINDS)


def test_what_the_health_page_shows_has_its_texts(english: dict[str, Any]) -> None:
    shown = {
        str(key.value)
        for node in ast.walk(ast.parse((ROOT / "system_health.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    }
    assert set(english["system_health"]["info"]) == shown


def test_every_action_and_field_has_its_texts_and_an_icon(english: dict[str, Any]) -> None:
    actions = described_actions()
    icons = read("icons.json")["services"]
    assert set(actions) == set(english["services"]) == set(icons)
    for name, action in actions.items():
        fields: set[str] = set()
        sections: set[str] = set()
        for key, field in action["fields"].items():
            if "fields" in field:
                sections.add(key)
                fields |= set(field["fields"])
            else:
                fields.add(key)
        texts = english["services"][name]
        assert set(texts["fields"]) == fields
        assert set(texts.get("sections", {})) == set(icons[name].get("sections", {})) == sections
        assert all(set(text) == {"name", "description"} for text in texts["fields"].values())


@pytest.mark.parametrize(("kind", "known"), [("trigger", TRIGGERS), ("condition", CONDITIONS)])
def test_triggers_and_conditions_are_described_as_they_are(
    kind: str, known: Mapping[str, Any], english: dict[str, Any]
) -> None:
    described = load_yaml_dict(str(ROOT / f"{kind}s.yaml"))
    described = {key: value for key, value in described.items() if not key.startswith(".")}
    texts, icons = english[f"{kind}s"], read("icons.json")[f"{kind}s"]
    assert set(described) == set(texts) == set(icons) == set(known)
    selectors: dict[str, Any] = {"call_state": CALL_STATES, "direction": CallDirection, "outcome": CallOutcome}
    for name, handler in known.items():
        fields = described[name]["fields"]
        assert set(fields) == set(texts[name]["fields"]) == {str(marker) for marker in handler.fields}
        assert all(set(text) == {"name", "description"} for text in texts[name]["fields"].values())
        for field in fields.values():
            if "select" in field["selector"]:
                select = field["selector"]["select"]
                assert set(select["options"]) == set(selectors[select["translation_key"]])


def test_the_actions_are_those_that_are_described() -> None:
    actions = described_actions()
    schemas = {
        "dial": services.DIAL_SCHEMA,
        "answer": services.ANSWER_SCHEMA,
        "hangup": services.HANGUP_SCHEMA,
        "redirect": redirecting.REDIRECT_SCHEMA,
        "hold": services.HOLD_SCHEMA,
        "resume": services.HOLD_SCHEMA,
        "swap": conference_actions.SWAP_SCHEMA,
        "conference": conference_actions.CONFERENCE_SCHEMA,
        "bridge": conference_actions.BRIDGE_SCHEMA,
        "split": conference_actions.SPLIT_SCHEMA,
        "transfer": services.TRANSFER_SCHEMA.validators[0],
        "send_dtmf": services.SEND_DTMF_SCHEMA,
        "speak": playing.SPEAK_SCHEMA,
        "play": playing.PLAY_SCHEMA.validators[0],
        "stop": playing.STOP_SCHEMA,
        "start_recording": recording_actions.START_RECORDING_SCHEMA,
        "stop_recording": recording_actions.STOP_RECORDING_SCHEMA,
        "wait_for_dtmf": dtmf_input.WAIT_FOR_DTMF_SCHEMA,
        "call_out": escalation.CALL_OUT_SCHEMA,
        "menu": menu.MENU_SCHEMA,
        "get_call_history": history_access.CALL_HISTORY_SCHEMA,
        "get_sip_trace": trace_access.SIP_TRACE_SCHEMA,
    }
    assert set(actions) == set(schemas)
    for name, schema in schemas.items():
        assert actions[name]["target"] == {"entity": [{"integration": "sip_ua"}], "device": [{"integration": "sip_ua"}]}
        described: set[str] = set(map(str, cv.ENTITY_SERVICE_FIELDS))
        for key, field in actions[name]["fields"].items():
            described |= set(field["fields"]) if "fields" in field else {key}
        assert {str(marker) for marker in schema.schema} == described
