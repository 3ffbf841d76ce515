"""What takes long to load is loaded when it is needed, by those who wait for it anyway."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[2]
START = """
import sys, types
package = types.ModuleType("custom_components.sip_ua")
package.__path__ = ["custom_components/sip_ua"]
sys.modules[package.__name__] = package
import custom_components.sip_ua.net.media
"""
RACE = """
import importlib, threading
from custom_components.sip_ua.net.av_codecs import working_codecs
from custom_components.sip_ua.net.resample import pcm_resampler
sys.setswitchinterval(1e-5)
def load(what):
    start.wait()
    what()
decoder = "custom_components.sip_ua.net.audio_decoder"
works = [working_codecs, lambda: importlib.import_module(decoder), lambda: pcm_resampler(8000)]
start = threading.Barrier(len(works))
threads = [threading.Thread(target=load, args=(work,)) for work in works]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(working_codecs()))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + program], cwd=REPO, capture_output=True, text=True, check=True, timeout=60
    )


def test_the_media_engine_does_not_load_pyav() -> None:
    assert run('print("av" in sys.modules)').stdout.strip() == "False"


def test_threads_may_load_pyav_at_the_same_time() -> None:
    loaded = run(RACE)
    assert loaded.stderr == ""
    assert loaded.stdout.strip() == "['G722', 'OPUS', 'PCMA', 'PCMU']"
