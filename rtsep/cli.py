"""The command line: find the command, let it parse its own options, print its errors as sentences.

One module per command under `rtsep.commands`, each with `add_arguments(parser)` and `run(args) -> int`; only the module that is
asked for is imported, so `rtsep --help` stays instant and never loads torch. Stdout is data, stderr is talk.
Exit codes: 0 done, 1 failed at run time, 2 asked for something that does not exist, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from rtsep import __version__
from rtsep.errors import RtsepError, UsageError, nearest

COMMANDS: dict[str, str] = {
    "demo": "send the packaged song through the default model: played if there is a device, else to files",
    "run": "separate live: device or JACK/DAW ports in, mix and stems out, faders by MIDI",
    "play": "play a song with live faders, looking ahead for quality",
    "separate": "songs in, one file per stem out",
    "latency": "explain the delay from input to output, and measure it",
    "devices": "list audio devices, JACK and MIDI ports",
    "ctl": "move faders and recall snapshots of a running engine",
    "midi": "list and watch MIDI ports, learn controls by moving them",
    "config": "check a rig, show it in full, export its schema",
    "models": "list models and tiers, pull and verify weights",
    "doctor": "check this machine: libraries, ports, priorities, and which tier it holds",
    "bench": "measure hops, memory and missed cycles",
    "eval": "score models on songs whose true stems are known",
    "train": "train a causal model from a recipe",
    "bridge": "work for the rtsep plug-ins in DAWs",
    "plugins": "list, describe and test VST3 effects for stems",
    "export": "turn a training checkpoint into packaged weights",
}


def _usage() -> str:
    rows = "\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
    return (
        f"rtsep {__version__}: stem separation while the music plays\n\nusage: rtsep COMMAND [options]\n\n{rows}\n\n"
        "`rtsep COMMAND --help` tells more. New here? Type: rtsep demo"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `rtsep`; the process's own by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        print(f"rtsep {__version__}")
        return 0
    try:
        return _run_command(words[0], words[1:])
    except RtsepError as error:
        print(f"rtsep: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `rtsep models | head` is not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run_command(name: str, words: list[str]) -> int:
    if name not in COMMANDS:
        raise UsageError(f'There is no command "{name}".{nearest(name, COMMANDS)} Commands: {", ".join(COMMANDS)}.')
    module = importlib.import_module(f"rtsep.commands.{name}")
    parser = argparse.ArgumentParser(
        prog=f"rtsep {name}", description=module.__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(words))
    return code


if __name__ == "__main__":
    sys.exit(main())
