"""By voice: sentences in six languages, the intents behind them, and the tools of language models."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components.conversation import async_converse
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import intent, llm
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.intent import COMMANDS
from custom_components.sip_ua.sentences import parse, understand
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError, SipError
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy, Party
from custom_components.sip_ua.sip.party import ANONYMOUS
from custom_components.sip_ua.voice_language import load_languages

from .conftest import OTHER_TYPED, contact, make_entry
from .phone import GRANDMA, FakePhone, Phones

LANGUAGES = load_languages()
NUMBERS_ALLOWED = {"calls": {"numbers_by_voice": True}}
PHONE_BOOK = (
    contact("Grandma", "+49301234", aliases=["Oma", "Mamie", "Abuela", "Nonna"], exposed=True),
    contact("Anna Schmidt", "700", exposed=True),
    contact("Anna Meyer", "701", exposed=True),
    contact("Boss", "612"),
    contact("Pest", "666", on_call="block", exposed=True),
    contact("Help", "112", exposed=True),
)

CALLS = {
    "en": ["Call Grandma", "Please call up my grandma.", "give Grandma a call please", "Can you phone my grandma?"],
    "de": ["Ruf Oma an", "Rufe bitte die Oma an.", "Telefoniere mit der Oma", "Oma anrufen", "Ruf mal bitte Oma an"],
    "fr": ["Appelle mamie", "Téléphone à ma mamie, s'il te plaît", "passe un appel à mamie"],
    "es": ["Llama a la abuela", "llama abuela por favor", "Haz una llamada a mi abuela"],
    "nl": ["Bel oma", "Bel mijn oma even op", "telefoneer met oma alsjeblieft"],
    "it": ["Chiama la nonna", "Telefona alla nonna per favore", "fai una telefonata a nonna", "Telefona ad Abuela"],
}
NUMBERS = {
    "en": ["Call the number 030 1234567", "dial 0301234567"],
    "de": ["Wähle die Nummer 030 1234567", "ruf 0301234567 an"],
    "fr": ["Compose le numéro 030 1234567", "appelle le 0301234567"],
    "es": ["Marca el número 030 1234567", "llama al 0301234567"],
    "nl": ["Bel het nummer 030 1234567", "bel 0301234567"],
    "it": ["Componi il numero 030 1234567", "chiama lo 0301234567"],
}
PLUSES = {
    "en": "Call plus 49 30 765432",
    "de": "Ruf Plus 49 30 765432 an",
    "fr": "Appelle le plus 49 30 76 54 32",
    "es": "Llama al más 49 30 765432",
    "nl": "Bel plus49 30 765432",
    "it": "Chiama il più 49 30 765432",
}
OTHERS = {
    "SipUaAnswer": {
        "en": ["Answer the phone", "pick up the call, please", "answer"],
        "de": ["Nimm den Anruf an", "Geh bitte ans Telefon", "nimm ab", "Geh ran"],
        "fr": ["Réponds au téléphone", "décroche", "Prends l'appel"],
        "es": ["Contesta el teléfono", "responde a la llamada", "descuelga el teléfono"],
        "nl": ["Neem de telefoon op", "neem op", "Beantwoord de oproep"],
        "it": ["Rispondi al telefono", "rispondi", "Accetta la chiamata"],
    },
    "SipUaHangUp": {
        "en": ["Hang up", "hang up the phone", "End the call, please"],
        "de": ["Leg auf", "Auflegen", "Beende das Gespräch"],
        "fr": ["Raccroche", "raccrochez le téléphone", "Termine l'appel"],
        "es": ["Cuelga", "cuelga el teléfono", "Termina la llamada"],
        "nl": ["Hang op", "ophangen", "Beëindig het gesprek"],
        "it": ["Riaggancia", "riattacca il telefono", "Termina la chiamata"],
    },
    "SipUaWhoCalled": {
        "en": ["Who called?", "who's calling", "Did anybody call?"],
        "de": ["Wer hat angerufen?", "Wer ruft an?", "Hat jemand angerufen?"],
        "fr": ["Qui a appelé ?", "qui m'a téléphoné", "Qui appelle ?"],
        "es": ["¿Quién ha llamado?", "quién me llamó", "¿Quién está llamando?"],
        "nl": ["Wie heeft er gebeld?", "wie belt er", "Heeft er iemand gebeld?"],
        "it": ["Chi ha chiamato?", "chi mi ha telefonato", "Chi sta chiamando?"],
    },
    "SipUaRedial": {
        "en": ["Redial", "call the last number again", "Dial again, please"],
        "de": ["Wahlwiederholung", "Ruf die letzte Nummer noch mal an", "Ruf nochmal an", "die letzte Nummer anrufen"],
        "fr": ["Rappelle le dernier numéro", "recompose le numéro", "Appelle de nouveau le dernier numéro", "rappelle"],
        "es": ["Vuelve a llamar", "llama al último número otra vez", "Rellamada"],
        "nl": ["Bel het laatste nummer opnieuw", "nummerherhaling", "Bel nog een keer"],
        "it": ["Richiama l'ultimo numero", "chiama di nuovo", "Ripeti l'ultima chiamata"],
    },
}


def cases(by_language: dict[str, Any]) -> list[tuple[str, str]]:
    return [(language, sentence) for language, sentences in by_language.items() for sentence in sentences]


@pytest.fixture(name="entry")
def entry_fixture(request: pytest.FixtureRequest) -> MockConfigEntry:
    """Return an account with a phone book, and options where the test has some."""
    return make_entry(subentries=PHONE_BOOK, options=getattr(request, "param", None))


@pytest.fixture(name="assist")
async def assist_fixture(hass: HomeAssistant, phone: FakePhone) -> FakePhone:
    """Return the telephone in a house that has Assist."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    await hass.async_block_till_done()
    return phone


async def say(hass: HomeAssistant, text: str, language: str = "en") -> str:
    """Say something to Assist, and return what it says."""
    result = await async_converse(hass, text, None, Context(), language)
    return str(result.response.speech["plain"]["speech"])


def dialed(phone: FakePhone) -> list[str]:
    return [target for what, target, *_ in phone.did if what == "dial"]


def ring_and_miss(phone: FakePhone, party: Party) -> None:
    phone.end(phone.ring(party), CallOutcome.MISSED, code=487)


# Every sentence of every language


@pytest.mark.parametrize("language", CALLS)
async def test_a_contact_is_called_in_every_language(hass: HomeAssistant, assist: FakePhone, language: str) -> None:
    for sentence in CALLS[language]:
        assert "Grandma" in await say(hass, sentence, language)
    assert dialed(assist) == ["+49301234"] * len(CALLS[language])


@pytest.mark.parametrize("entry", [NUMBERS_ALLOWED], indirect=True)
@pytest.mark.parametrize("language", NUMBERS)
async def test_a_number_is_called_in_every_language(hass: HomeAssistant, assist: FakePhone, language: str) -> None:
    for sentence in NUMBERS[language]:
        assert "0 3 0 1 2 3 4 5 6 7" in await say(hass, sentence, language)
    assert dialed(assist) == ["0301234567"] * len(NUMBERS[language])


@pytest.mark.parametrize("entry", [NUMBERS_ALLOWED], indirect=True)
@pytest.mark.parametrize("language", PLUSES)
async def test_a_plus_is_heard_as_a_word_in_every_language(
    hass: HomeAssistant, assist: FakePhone, language: str
) -> None:
    await say(hass, PLUSES[language], language)
    assert dialed(assist) == ["+4930765432"]


@pytest.mark.parametrize("entry", [NUMBERS_ALLOWED], indirect=True)
@pytest.mark.parametrize("spoken", ["minus 4930765432", "plus 49 30", "plus something 4930765432"])
async def test_other_words_before_a_number_are_no_plus(hass: HomeAssistant, assist: FakePhone, spoken: str) -> None:
    await say(hass, f"call {spoken}")
    assert dialed(assist) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_call_is_answered_in_every_language(hass: HomeAssistant, assist: FakePhone, language: str) -> None:
    for sentence in OTHERS["SipUaAnswer"][language]:
        call_id = assist.ring(GRANDMA)
        assert "Grandma" in await say(hass, sentence, language)
        assert assist.calls[call_id].state is CallState.TALKING


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_call_is_ended_in_every_language(hass: HomeAssistant, assist: FakePhone, language: str) -> None:
    for sentence in OTHERS["SipUaHangUp"][language]:
        assist.enter(assist.ring(GRANDMA), CallState.TALKING)
        assert await say(hass, sentence, language) == LANGUAGES[language].say("hung_up")
        assert assist.calls == {}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_who_called_is_told_in_every_language(hass: HomeAssistant, assist: FakePhone, language: str) -> None:
    ring_and_miss(assist, GRANDMA)
    own = LANGUAGES[language]
    told = own.say("missed", name="Grandma", when=own.word("just_now"))
    for sentence in OTHERS["SipUaWhoCalled"][language]:
        assert await say(hass, sentence, language) == told


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_last_contact_is_called_again_in_every_language(
    hass: HomeAssistant, assist: FakePhone, language: str
) -> None:
    sentences = OTHERS["SipUaRedial"][language]
    assist.end(assist.place(GRANDMA))
    for sentence in sentences:
        assert "Grandma" in await say(hass, sentence, language)
    assert dialed(assist) == ["+49301234"] * len(sentences)


def test_every_language_has_sentences_for_every_intent_and_the_same_answers() -> None:
    assert set(LANGUAGES) == {"de", "en", "es", "fr", "it", "nl"}
    english = LANGUAGES["en"]
    for language in LANGUAGES.values():
        assert set(language.sentences) == {command.intent_type for command in COMMANDS}
        assert set(language.responses) == set(english.responses)
        assert language.pluses


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_no_sentence_of_a_language_means_something_else_in_another(spoken: str) -> None:
    recognizers = parse(LANGUAGES)
    everything: dict[str, Any] = {"SipUaCall": CALLS, **OTHERS}
    for intent_type, by_language in everything.items():
        for language, sentence in cases(by_language):
            meaning = understand(recognizers, sentence, spoken)
            assert meaning is not None
            assert (meaning[0], meaning[1]) == (language, intent_type)


# Who may be called


async def test_a_contact_that_is_not_exposed_is_not_called(hass: HomeAssistant, assist: FakePhone) -> None:
    assert await say(hass, "call boss") == "I know nobody called boss whom I may call."
    assert dialed(assist) == []


async def test_somebody_unknown_is_not_called_and_the_near_names_are_told(
    hass: HomeAssistant, assist: FakePhone
) -> None:
    assert await say(hass, "call grandpa") == ("I know nobody called grandpa whom I may call. Did you mean Grandma?")
    assert dialed(assist) == []


async def test_a_name_of_several_contacts_is_asked_back(hass: HomeAssistant, assist: FakePhone) -> None:
    assert await say(hass, "call Anna") == (
        "Anna could be several contacts: Anna Meyer or Anna Schmidt. Whom do you mean?"
    )
    assert dialed(assist) == []
    assert await say(hass, "call Anna Meyer") == "Calling Anna Meyer."
    assert dialed(assist) == ["701"]


async def test_numbers_are_called_only_where_the_owner_allows_them(hass: HomeAssistant, assist: FakePhone) -> None:
    assert "no numbers" in await say(hass, "call 030 1234567")
    assert dialed(assist) == []


async def test_the_number_of_an_exposed_contact_may_be_called(hass: HomeAssistant, assist: FakePhone) -> None:
    assert await say(hass, "call +49 30 1234") == "Calling Grandma."
    assert dialed(assist) == ["+49301234"]


@pytest.mark.parametrize("entry", [NUMBERS_ALLOWED], indirect=True)
@pytest.mark.parametrize(
    "number", ["110", "0112", "00112", "911", "9911", "0 1 1 2", "15", "1122", "*21*0301234#", "*100", "+112"]
)
async def test_short_numbers_emergency_numbers_and_codes_are_never_dialed(
    hass: HomeAssistant, assist: FakePhone, number: str
) -> None:
    assert "Please dial this one on a telephone" in await say(hass, f"call {number}")
    assert dialed(assist) == []


@pytest.mark.parametrize("sentence", ["call help", "call 112"])
async def test_an_emergency_number_is_dialed_where_its_contact_is_exposed(
    hass: HomeAssistant, assist: FakePhone, sentence: str
) -> None:
    assert await say(hass, sentence) == "Calling Help."
    assert dialed(assist) == ["112"]


@pytest.mark.parametrize(
    ("number", "said"),
    [("0309999", "I may not call the last number."), ("612", "I may not call the last number.")],
)
async def test_what_may_not_be_called_is_not_called_again(
    hass: HomeAssistant, assist: FakePhone, number: str, said: str
) -> None:
    assert await say(hass, "redial") == "There is no number to redial."
    assist.end(assist.place(Party("", number, f"sip:{number}@fritz.box")))
    assert await say(hass, "redial") == said
    assert dialed(assist) == []


@pytest.mark.parametrize("entry", [NUMBERS_ALLOWED], indirect=True)
async def test_a_number_that_may_be_called_is_called_again(hass: HomeAssistant, assist: FakePhone) -> None:
    assist.end(assist.place(Party("", "0309999", "sip:0309999@fritz.box")))
    assert await say(hass, "redial") == "Calling 0 3 0 9 9 9 9."
    assert dialed(assist) == ["0309999"]


async def test_who_is_being_called_is_called_again(hass: HomeAssistant, assist: FakePhone) -> None:
    assist.end(assist.place(Party("", "0309999", "sip:0309999@fritz.box")))
    assist.place(GRANDMA)
    assert await say(hass, "redial") == "Calling Grandma."
    assert dialed(assist) == ["+49301234"]


# Which account, which call


async def test_a_contact_is_called_by_an_account_that_is_registered(
    hass: HomeAssistant, assist: FakePhone, phones: Phones
) -> None:
    other = make_entry(OTHER_TYPED, [contact("grandma", "77", exposed=True)])
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    phones[-1].register()
    assert await say(hass, "call grandma") == "Calling Grandma."
    assert dialed(assist) == ["+49301234"]
    assist.change(state=assist.registration.state.UNREGISTERED)
    assert await say(hass, "call grandma") == "Calling grandma."
    assert dialed(phones[-1]) == ["77"]


async def test_a_telephone_that_is_not_registered_says_so(hass: HomeAssistant, assist: FakePhone) -> None:
    assist.change(state=assist.registration.state.UNREGISTERED)
    assert "not connected" in await say(hass, "call grandma")
    assert dialed(assist) == []


async def test_an_account_that_is_not_loaded_is_told_and_a_removed_one_is_not_known(
    hass: HomeAssistant, assist: FakePhone, entry: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await say(hass, "call grandma") == "No telephone account is ready."
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    await hass.async_block_till_done()
    assert "couldn't understand" in await say(hass, "call grandma")
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    await hass.async_block_till_done()
    assert "not connected" in await say(hass, "call grandma")
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert "couldn't understand" in await say(hass, "call grandma")


async def test_nothing_is_answered_or_ended_where_there_is_no_call(hass: HomeAssistant, assist: FakePhone) -> None:
    assert await say(hass, "answer the phone") == "No call is ringing."
    assert await say(hass, "hang up") == "There is no call."
    assert await say(hass, "who called") == "Nobody has called lately."
    assert assist.did == []


async def test_the_newest_call_is_answered_and_the_one_that_talks_is_ended(
    hass: HomeAssistant, assist: FakePhone, other_phone: FakePhone
) -> None:
    first = assist.ring(GRANDMA)
    other_phone.now += 5
    second = other_phone.ring(Party("Somebody", "0305555", "sip:0305555@pbx.example"))
    assert await say(hass, "answer the call") == "I answered the call from 0 3 0 5 5 5 5."
    assert other_phone.calls[second].state is CallState.TALKING
    assert assist.calls[first].state is CallState.RINGING
    assert await say(hass, "hang up") == "I hung up."
    assert set(assist.calls) == {first}
    assert await say(hass, "hang up") == "I declined the call from Grandma."
    assert assist.calls == {}


async def test_the_talk_of_one_account_is_ended_before_what_rings_at_another(
    hass: HomeAssistant, assist: FakePhone, other_phone: FakePhone
) -> None:
    talk = assist.ring(GRANDMA)
    assist.enter(talk, CallState.TALKING)
    other_phone.now += 5
    ringing = other_phone.ring(Party("Somebody", "0305555", "sip:0305555@pbx.example"))
    assert await say(hass, "hang up") == "I hung up."
    assert (assist.calls, set(other_phone.calls)) == ({}, {ringing})


# Who called


async def test_who_rings_comes_before_who_talks_and_before_who_called(hass: HomeAssistant, assist: FakePhone) -> None:
    ring_and_miss(assist, Party("", "0305555", "sip:0305555@fritz.box"))
    assert await say(hass, "who called") == "0 3 0 5 5 5 5 called just now. Nobody answered."
    call_id = assist.ring(GRANDMA)
    assert await say(hass, "who is calling") == "Grandma is calling right now."
    assist.enter(call_id, CallState.TALKING)
    assert await say(hass, "who is on the phone") == "Grandma is on the line."
    assist.end(call_id, by=EndedBy.REMOTE)
    assert await say(hass, "who called") == "Grandma called just now."


async def test_who_called_is_known_after_a_restart(
    hass: HomeAssistant, assist: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    ring_and_miss(assist, GRANDMA)
    assist.end(assist.place(GRANDMA))
    assert await hass.config_entries.async_reload(entry.entry_id)
    phones[-1].register()
    assert await say(hass, "who called") == "Grandma called just now. Nobody answered."
    assert await say(hass, "redial") == "Calling Grandma."
    assert dialed(phones[-1]) == ["+49301234"]


async def test_what_callers_call_themselves_is_never_said(hass: HomeAssistant, assist: FakePhone) -> None:
    ring_and_miss(assist, Party("Open the door", "open-the-door", "sip:open-the-door@elsewhere.example"))
    assert await say(hass, "who called") == "An unknown caller called just now. Nobody answered."


async def test_a_contact_that_is_not_exposed_is_not_named(hass: HomeAssistant, assist: FakePhone) -> None:
    ring_and_miss(assist, Party("Boss", "612", "sip:612@fritz.box"))
    assert await say(hass, "who called") == "A contact that I may not name called just now. Nobody answered."


async def test_a_blocked_caller_is_not_told(hass: HomeAssistant, assist: FakePhone) -> None:
    assist.ring(Party("", "666", "sip:666@fritz.box"))
    assert await say(hass, "who called") == "Nobody has called lately."


@pytest.mark.parametrize("rules", [{"blocked_numbers": ["0900*"]}, {"block_anonymous": True}])
async def test_who_is_turned_away_by_a_rule_has_not_called(
    hass: HomeAssistant, assist: FakePhone, phones: Phones, entry: MockConfigEntry, rules: dict[str, Any]
) -> None:
    hass.config_entries.async_update_entry(entry, options={"incoming": rules})
    await hass.async_block_till_done()
    phones[-1].register()
    phones[-1].ring(Party("", "0900123456", "sip:0900123456@fritz.box") if "blocked_numbers" in rules else ANONYMOUS)
    assert phones[-1].calls == {}
    assert await say(hass, "who called") == "Nobody has called lately."


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (30, "just now"),
        (61, "a minute ago"),
        (600, "10 minutes ago"),
        (3700, "an hour ago"),
        (8000, "2 hours ago"),
        (100000, "a day ago"),
        (200000, "2 days ago"),
    ],
)
async def test_the_time_of_a_call_is_spoken(
    hass: HomeAssistant, assist: FakePhone, freezer: Any, seconds: int, said: str
) -> None:
    ring_and_miss(assist, GRANDMA)
    freezer.tick(seconds)
    assert await say(hass, "who called") == f"Grandma called {said}. Nobody answered."


# What else can be


async def test_an_error_of_the_telephone_is_friendly(hass: HomeAssistant, assist: FakePhone) -> None:
    assist.error = SipError("408 in the transaction layer")
    assert await say(hass, "call grandma") == "Sorry, that did not work."


@pytest.mark.parametrize(
    ("sentence", "language", "answer"),
    [
        ("call grandma", "en", "+49301234567 is a telephone number, and this account calls without a server."),
        ("ruf Oma an", "de", "+49301234567 ist eine Telefonnummer, und dieses Konto ruft ohne Server an."),
    ],
)
async def test_what_somebody_can_mend_is_said_as_actions_say_it(
    hass: HomeAssistant, assist: FakePhone, sentence: str, language: str, answer: str
) -> None:
    assist.error = LocalProtocolError("no", LocalFault.NEEDS_SERVER, number="+49301234567")
    assert (await say(hass, sentence, language)).startswith(answer)


@pytest.mark.parametrize(
    "broken",
    [{"understand": {"return_value": None}}, {"intent.async_handle": {"side_effect": intent.IntentHandleError}}],
)
async def test_what_cannot_be_done_with_a_sentence_is_said(
    hass: HomeAssistant, assist: FakePhone, broken: dict[str, dict[str, Any]]
) -> None:
    for name, behaviour in broken.items():
        with patch(f"custom_components.sip_ua.sentences.{name}", **behaviour):
            assert await say(hass, "call grandma") == "Sorry, that did not work."
    assert dialed(assist) == []


@pytest.mark.parametrize("sentence", ["appelle l'abuela", "téléphone à l\N{RIGHT SINGLE QUOTATION MARK}abuela"])
async def test_an_article_that_is_part_of_the_word_is_left_out(
    hass: HomeAssistant, assist: FakePhone, sentence: str
) -> None:
    assert await say(hass, sentence, "fr") == "J'appelle Grandma."


async def test_the_answer_is_in_the_language_of_the_speaker(hass: HomeAssistant, assist: FakePhone) -> None:
    assert await say(hass, "call Grandma", "de-CH") == "Ich rufe Grandma an."
    assert await say(hass, "ruf Oma an", "sv") == "Ich rufe Grandma an."


async def test_other_sentences_are_left_to_assist(hass: HomeAssistant, assist: FakePhone) -> None:
    assert "couldn't understand" in await say(hass, "paint the fence")
    assert assist.did == []


async def test_the_intents_are_there_for_sentences_of_the_owner(hass: HomeAssistant, assist: FakePhone) -> None:
    response = await intent.async_handle(hass, "test", "SipUaCall", {"contact": {"value": "Oma"}})
    assert response.speech["plain"]["speech"] == "Calling Grandma."
    refused = await intent.async_handle(hass, "test", "SipUaCall", {"contact": {"value": "Boss"}})
    assert refused.error_code is intent.IntentResponseErrorCode.NO_VALID_TARGETS


# Language models


@pytest.fixture(name="context")
def context_fixture() -> llm.LLMContext:
    return llm.LLMContext(platform="test", context=Context(), language="en", assistant="conversation", device_id=None)


async def test_language_models_have_the_intents_as_tools(
    hass: HomeAssistant, assist: FakePhone, context: llm.LLMContext
) -> None:
    api = await llm.async_get_api(hass, DOMAIN, context)
    assert [tool.name for tool in api.tools] == [f"sip_ua__{command.intent_type}" for command in COMMANDS]
    assert all(tool.integration == DOMAIN and tool.title and tool.description for tool in api.tools)
    result = await api.async_call_tool(llm.ToolInput("sip_ua__SipUaCall", {"contact": "Grandma"}))
    assert "Calling Grandma." in str(result.data["speech"])
    assert dialed(assist) == ["+49301234"]
    result = await api.async_call_tool(llm.ToolInput("sip_ua__SipUaCall", {"contact": "Boss"}))
    assert result.data["response_type"] == "error"
    assert dialed(assist) == ["+49301234"]


async def test_the_prompt_lists_exposed_contacts_only(
    hass: HomeAssistant, assist: FakePhone, context: llm.LLMContext, entry: MockConfigEntry
) -> None:
    prompt = (await llm.async_get_api(hass, DOMAIN, context)).api_prompt
    assert "Contacts that may be called: Anna Meyer; Anna Schmidt; Grandma or Oma or Mamie" in prompt
    assert "Boss" not in prompt
    assert "+49301234" not in prompt
    assert "numbers may not be called" in prompt
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert "no account" in (await llm.async_get_api(hass, DOMAIN, context)).api_prompt


@pytest.mark.parametrize(
    ("subentries", "told"),
    [
        ([], "No contact may be called"),
        ([contact(f"Number {n:03}", f"7{n:03}", exposed=True) for n in range(120)], "; and 20 more"),
    ],
)
async def test_the_prompt_is_bounded(
    hass: HomeAssistant, phones: Phones, context: llm.LLMContext, subentries: list[Any], told: str
) -> None:
    entry = make_entry(subentries=subentries, options=NUMBERS_ALLOWED)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    prompt = (await llm.async_get_api(hass, DOMAIN, context)).api_prompt
    assert told in prompt
    assert "numbers that the user says may be called" in prompt
    assert len(prompt) < 2500
