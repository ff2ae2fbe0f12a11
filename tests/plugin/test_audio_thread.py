"""Nothing on the plug-in's audio thread allocates, locks or opens a file: with an engine, without one, and while all changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.plugin.conftest import Bridge

CLAP_HEADERS = Path("/usr/share/dpf/distrho/src")


@pytest.fixture(scope="module")
def probe(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("probe") / "probe"
    source = Path(__file__).with_name("audio_thread_probe.cpp")
    subprocess.run(["g++", "-std=gnu++17", "-O1", "-rdynamic", "-I", CLAP_HEADERS, source, "-o", built, "-ldl"], check=True)
    return built


def counted(probe: Path, plugin: Path, blocks: int = 600) -> list[int]:
    done = subprocess.run([probe, plugin, str(blocks), "256"], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_the_audio_thread_is_clean_without_an_engine(probe: Path, plugins: Path, place: Path) -> None:
    assert counted(probe, plugins / "rtsep-stems.clap") == [0, 0, 0]


def test_the_audio_thread_is_clean_while_an_engine_works_and_every_parameter_moves(
    probe: Path, plugins: Path, bridge: Bridge
) -> None:
    assert counted(probe, plugins / "rtsep-stems.clap") == [0, 0, 0]


def test_the_probe_sees_an_allocation_a_lock_and_a_file(probe: Path, tmp_path: Path) -> None:
    """A plug-in that does all three, so that the zeros above mean something."""
    source = tmp_path / "bad.cpp"
    source.write_text(
        """
        #include <clap/entry.h>
        #include <clap/plugin-factory.h>
        #include <cstdlib>
        #include <fcntl.h>
        #include <pthread.h>
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        static clap_process_status run(const clap_plugin *, const clap_process *) {
            void *volatile memory = malloc(8);
            free(memory);
            pthread_mutex_lock(&mutex);
            pthread_mutex_unlock(&mutex);
            open("/dev/null", O_RDONLY);
            return CLAP_PROCESS_CONTINUE;
        }
        static const clap_plugin plugin = {
            nullptr, nullptr, [](const clap_plugin *) { return true; }, [](const clap_plugin *) {},
            [](const clap_plugin *, double, uint32_t, uint32_t) { return true; }, [](const clap_plugin *) {},
            [](const clap_plugin *) { return true; }, [](const clap_plugin *) {}, [](const clap_plugin *) {},
            run, nullptr, nullptr};
        static const clap_plugin_descriptor description = {CLAP_VERSION, "bad", "bad"};
        static const clap_plugin_factory factory = {[](const clap_plugin_factory *) -> uint32_t { return 1; },
            [](const clap_plugin_factory *, uint32_t) -> const clap_plugin_descriptor * { return &description; },
            [](const clap_plugin_factory *, const clap_host *, const char *) -> const clap_plugin * { return &plugin; }};
        extern "C" const clap_plugin_entry clap_entry = {CLAP_VERSION, [](const char *) { return true; }, [] {},
            [](const char *) -> const void * { return &factory; }};
        """
    )
    library = tmp_path / "bad.clap"
    subprocess.run(["g++", "-std=gnu++17", "-shared", "-fPIC", "-I", CLAP_HEADERS, source, "-o", library], check=True)
    assert counted(probe, library, blocks=3) == [6, 3, 3]
