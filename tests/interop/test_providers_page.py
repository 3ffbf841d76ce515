"""What the provider guides tell to type into an exchange is what it takes."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import override

import pytest

from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.events import CallState
from tests.documents import section_of, text_of

from .agent import Agent, account_at
from .conftest import Peers
from .peers import Asterisk
from .peers.asterisk import User
from .tone import measure, read_wav, sine, wav_seconds, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]

OUR_HZ, OUR_DBFS, RATE = 700.0, -15.0, 16_000
HEARD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WrittenUser(User):
    """A telephone's account as somebody wrote it."""

    text: str = ""

    @property
    @override
    def sections(self) -> str:
        return self.text


async def test_the_extension_of_the_page_registers_at_asterisk_hears_the_echo_and_is_called(
    peers: Peers, tmp_path: Path
) -> None:
    page = section_of(text_of("providers.md"), "Asterisk and FreePBX")
    extension, dialplan = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    (password,) = re.findall(r"^password = (.+)$", extension, re.MULTILINE)
    written = WrittenUser("620", password, text=extension)
    asterisk = await peers.start(Asterisk(peers.own(), further=(written,), dialplan=dialplan))
    async with Agent(account_at(asterisk, "620", password=password)) as ours:
        assert (await ours.until_registered()).code == 200
        assert len(await asterisk.contacts("620")) == 1

        call_id = await ours.phone.dial("600")
        await ours.until_state(call_id, CallState.TALKING)
        recording = ours.record(call_id, tmp_path)
        tone = write_wav(tmp_path / "ours.wav", sine(OUR_HZ, 8.0, RATE, OUR_DBFS), RATE)
        ours.phone.play(call_id, FileSource(tone))
        await ours.until(lambda: wav_seconds(recording, RATE) >= HEARD_SECONDS, "we hear ourselves")
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)
        heard = measure(*read_wav(recording))
        assert abs(heard.frequency_hz - OUR_HZ) < 0.5

        await asterisk.originate_at("620", "silent", "from-internal")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        await ours.until_state(call.id, CallState.TALKING)
