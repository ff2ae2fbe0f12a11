"""The memory map: which word of the shared segment means what, and who writes it.

Two blocks of 64-bit words describe a running engine:

* The **header** lies in the shared segment; audio thread, control threads and inference process all see it. Words that
  different threads write stand on cache lines of their own (8 words), so that they do not slow each other down.
* The **context** is private to the process with the audio thread: addresses of arrays and C functions, which mean nothing
  elsewhere.

Rings are indexed by absolute frame number modulo a power of two and are never FIFOs: input frame t lies at `t & (capacity -
1)`, and so does the separated frame t. A late hop is a hole at its own place; it never shifts anything.

Each hop of stems is published by a tag, `epoch << 40 | hop + 1`. The epoch counts starts of the inference process, so a
result of a process that was replaced is recognised and not played.
"""

from rtsep.stems import STEMS

CHANNELS = 2
SLOTS = len(STEMS)
OUTPUTS = CHANNELS * (1 + SLOTS)
"""Output channels: mix left and right, then left and right of each stem."""

MAGIC = 0x72747365_70303031
VERSION = 1

# --- header words -----------------------------------------------------------------------------------------------------------
HEADER_WORDS = 512

IN_W = 0  # audio thread: input frames written so far
OUT_POS = 8  # audio thread: frames played so far (equals IN_W live, runs behind it when playing a song)
CYCLES = 9  # audio thread: callbacks so far
LATE_HOPS = 10  # audio thread: hops that were not there when their first frame was due
DRY_FRAMES = 11  # audio thread: frames heard dry, wholly or in part
SEPARATED = 12  # audio thread: 1 while stems are heard, 0 while the dry mix is
BAD_INPUT = 13  # audio thread: input samples that were NaN or infinite and played as 0
MIDI_EVENTS = 14  # audio thread or MIDI thread: messages that moved a parameter
STARVED = 15  # audio thread: frames for which a song's feeder had nothing

NEXT_HOP = 16  # inference: next hop to be computed
BEAT = 17  # inference: counts up at least ten times a second
READY = 18  # inference: the epoch that is loaded, warm and computing; 0 before
HOPS = 19  # inference: hops computed
BAD_HOPS = 20  # inference: hops with NaN or infinity in them, not published
RESYNCS = 21  # inference: times it was so late that it jumped forward
HOP_NS_MAX = 22  # inference: longest computation of a hop
RESIDENT_KB = 23  # inference: resident memory
HOP_NS_SUM = 24  # inference: time spent on all hops
FIRST_HOP = 25  # inference: the first hop this process owes; earlier ones are nobody's fault and not counted as late

MAGIC_WORD = 32  # from here: control, written before anything starts unless said otherwise
VERSION_WORD = 33
RATE = 34
HOP = 35
MODEL_LATENCY = 36  # frames by which a step's output lags behind its input
LATENCY = 37  # frames from input to output; may change when the host changes its block
CAPACITY = 38  # frames in each ring, a power of two
EPOCH = 39  # supervisor: number of the current inference process
FREEWHEEL = 40  # host: 1 while it renders faster or slower than real time and wants no holes
STOP = 41  # control: everybody shall end
PLAYING = 42  # 1: a feeder writes the input ring ahead of OUT_POS; 0: the device does
STEM_MASK = 43  # bit s: the model fills slot s
END = 44  # feeder: frame after the last of the song, -1 while unknown
XRUNS = 45  # host notifications: cycles the host says were missed
LONGEST_BLOCK = 46  # audio thread: frames of the longest callback so far
CLIPPED = 47  # audio thread: bit c set once output c has reached full scale; control clears it
GIVEN_UP = 48  # supervisor: 1 if there is no model and none will come, so that nobody waits for one
BLOCK = 49  # control or host notifications: longest block that LATENCY allows for
STARTS = 50  # control or host notifications: counts up when the device goes on after it stood still

WAKE = 64  # sem_t: a hop of input is complete
HISTOGRAM = 72  # 160 bins of hop computation time

# From here: the talk between a DAW plug-in and `rtsep bridge`; an engine that owns its segment leaves these words 0.
HOST_PID = 256  # plug-in: process id of the DAW
HOST_REQUEST = 257  # plug-in: counts up whenever RATE, HOST_BLOCK, HOST_TIER or HOST_MODEL says something new
HOST_BLOCK = 258  # plug-in: longest block it expects
HOST_TIER = 259  # plug-in: 0 the bridge's choice, else 1 + index among the model's live tiers
ORIGIN = 260  # plug-in, or the device's keeper: frame at which this playback began; what lies before is silence
RESET_HOP = 261  # plug-in, or the device's keeper: hop at which the model starts from silence

BRIDGE_VERSION = 264  # bridge: the VERSION it speaks, written even when it refuses the segment
BRIDGE_PID = 265  # bridge: its process id
BRIDGE_BEAT = 266  # bridge: counts up ten times a second
LAYOUT_COUNT = 267  # bridge: odd while it rewrites HOP, MODEL_LATENCY, LATENCY and STEM_MASK
LAYOUT_FOR = 268  # bridge: the HOST_REQUEST that the layout answers
BRIDGE_STATE = 269  # bridge: one of the BRIDGE_… conditions below

FX_RUNNING = 280  # inference: epoch << 8 | number of the effect whose foreign code runs now, 0 outside; control: 0 after SIGKILL
FX_BANNED = 281  # inference: bit n - 1: effect n has brought a process down
FX_LOADED = 282  # inference: the last epoch that had plug-ins in its process
FX_DEATHS = 283  # inference: processes with plug-ins that died in a row without one to blame
FX_STATES = 284  # control: counts up when states of plug-ins lie ready in the mailbox
FX_ASKED = 285  # control: counts up to ask for the states of the plug-ins
FX_ANSWERED = 286  # inference: the FX_ASKED that has been answered

HOST_MODEL = 272  # plug-in: name of the model, UTF-8, ends with 0; empty for the bridge's choice
HOST_MODEL_WORDS = 8
MESSAGE = 288  # bridge: a sentence for the user, UTF-8, ends with 0
MESSAGE_WORDS = 64

BRIDGE_ABSENT = 0
BRIDGE_LOADING = 1
BRIDGE_RUNNING = 2
BRIDGE_FAILED = 3
BRIDGE_REFUSED = 4

PLUGIN_CAPACITY = 1 << 18
"""Frames in each ring of a plug-in, which makes its segment before a model is chosen: half a second of latency at 96 kHz fits."""

HISTOGRAM_BINS = 160
HISTOGRAM_FIRST_NS = 20_000
HISTOGRAM_RATIO = 1.08  # the last bin begins at 4.2 s

TAGS = 4096
"""Hops whose publication is remembered; more than any ring holds."""

# --- parameters: float32, one atomic store each ------------------------------------------------------------------------------
PARAMS = 128
GAIN = 0  # + slot, linear
MUTE = 4  # + slot, 0 or 1
SOLO = 8  # + slot, 0 or 1
MASTER = 12  # linear
GROUP = 13  # + slot: 0 none, 1 and 2 the group whose fader and mute also hold for this stem
PAN = 17  # + slot, -1 left … 1 right; balance of a stereo stem
WIDTH = 21  # + slot, 0 mono, 1 as it is, 2 sides doubled
BLEND = 25  # share of the stems in the mix, 0 … 1; the rest is the aligned input
KARAOKE = 26  # 0 … 1: vocals go, the rest is lifted to keep the loudness
LIMITER = 27  # 0 or 1
GROUP_GAIN = 28  # + group, linear
GROUP_MUTE = 30  # + group, 0 or 1
MORPH = 32  # 0 … 1 between the two snapshots that a rig names
LAYER = 33  # bank or shift layer of MIDI controllers, 0 … 7
RECORD = 34  # 0 or 1: whether a control thread shall record
FX = 64  # from here: knobs of the effects on stems, in their own units

GROUPS = 2

METERS = 16
"""Peaks since they were last taken: the outputs in order, then the two inputs; then words of their own:"""
LIMITER_GAIN = 12  # gain of the limiter now, 1 while it does nothing

PLAYED = 1 << 16
"""Frames in the ring of what was played: for meters, spectra and recording, which read it outside the audio thread."""

# --- context words ----------------------------------------------------------------------------------------------------------
CONTEXT_WORDS = 128

A_HEADER = 0
A_TAGS = 1
A_PARAMS = 2
A_METERS = 3
A_INPUT = 4
A_STEMS = 5
A_MIXER = 6  # float32 state of the mixer
A_COUNTS = 7  # int64 state of the mixer
A_MIDI_MAP = 8
A_BINDINGS = 9
A_CURVES = 10
A_SCRATCH = 11
F_SEM_POST = 12
F_USLEEP = 13
F_PORT_BUFFER = 14
F_MIDI_COUNT = 15
F_MIDI_GET = 16
P_MIDI = 17
A_PLAYED = 20
A_MIDI_STATE = 21
A_MIDI_REGISTERS = 22
A_SIGNALS = 23
A_MIDI_LOG = 64
F_PORT_CONNECTED = 80
F_GET_LATENCY = 81
F_SET_LATENCY = 82
A_LATENCY_RANGE = 83  # 8 bytes to talk to JACK about latencies
A_WIRES = 84  # count of connections made and cut, then the last `WIRES` of them: source, sink, 1 made or 0 cut

WIRES = 256

CAPTURE, PLAYBACK = 0, 1
"""`jack_latency_callback_mode_t`: how old is what arrives here; how long until what leaves here is heard."""
IN_CHANNELS = 18
OUT_CHANNELS = 19
IN_PORTS = 24
OUT_PORTS = 32
IN_BUFFERS = 48
OUT_BUFFERS = 56
A_BRIDGE = 72  # words of the bridge between two device clocks, 0 without one
IN_MAP = 88  # + channel: which input of the device it is
OUT_MAP = 96  # + output: which output of the device it is played on, -1 for none

# --- the mixer's own state ---------------------------------------------------------------------------------------------------
MIXER_FLOATS = 128
M_LAST = 16  # + slot * 2 + channel: last output sample
M_OFFSET = 24  # + slot * 2 + channel: jump that is being smoothed out
M_WET = 32  # 1: stems, 0: dry
M_BUS_LAST = 34  # + channel: last sample of the blended input
M_BUS_OFFSET = 36  # + channel: jump of the blended input that is being smoothed out
M_REDUCTION = 38  # 1 - gain of the limiter
M_VALUE = 64  # + coefficient at this frame
M_STEP = 84  # + coefficient: change per frame while ramping
M_GOAL = 104  # + coefficient

SAME = 0  # coefficient + slot * 2 + channel: from this channel of the stem
CROSS = 8  # coefficient + slot * 2 + channel: from its other channel
BLEND_WET = 16  # coefficient: stems in the mix
BLEND_DRY = 17  # coefficient: aligned input in the mix
COEFFICIENTS = 18

MIXER_COUNTS = 16
C_RAMP = 0  # + slot: frames left of the ramp of its coefficients
C_OFFSET = 4  # frames left of the smoothing
C_HOLD = 5  # frames left before stems may come back
C_LATENCY = 6  # the latency that the last frame was played with
C_LATE_HOP = 7  # last hop counted as late
C_STARTED = 8  # 1 after the first frame
C_BLEND_RAMP = 9  # frames left of the ramp of the blend
C_STARTS = 10  # the STARTS that has been noticed
C_ORIGIN = 11  # the input frame that was heard first since then

FADE = 1024
"""Frames of a fade or of smoothing a jump: a full-scale step becomes steps of -60 dBFS."""

RISE_MS = 10
"""Duration of the fade from silence after the device stood still."""

RAMP_MS = 5
"""Duration of a gain ramp."""

HOLD_MS = 200
"""Stems must be there this long before they are heard again, so that a struggling model does not flutter."""

MAX_BLOCK = 8192
"""Longest block that is processed in one piece."""

MIDI_KINDS = 7
KIND_CC, KIND_NOTE_ON, KIND_NOTE_OFF, KIND_CC14, KIND_NRPN, KIND_BEND, KIND_PROGRAM = range(MIDI_KINDS)
BINDINGS = 256
BINDING_WORDS = 6
B_PARAM, B_ACTION, B_NEXT, B_NUMBER, B_TAKEOVER, B_LAYER = range(BINDING_WORDS)
"""Parameter word (or number of a signal); what to do; next of the chain or -1; full number; take-over; layer or -1 for any."""
ACT_SET, ACT_TOGGLE, ACT_HOLD, ACT_TWOS, ACT_OFFSET, ACT_SIGN, ACT_ALONE, ACT_SIGNAL = range(8)
"""What a message does: set by the curve; flip; hold while down; three relative encodings; solo alone; tell a control thread."""
TAKE_JUMP, TAKE_PICKUP, TAKE_SCALE = range(3)
STATE_WORDS = 4
S_POSITION, S_WRITTEN, S_HOOKED, S_STEP = range(STATE_WORDS)
"""Of each binding: last position received or -1; raw value it last wrote; 1 once together under `scale`; positions per tick."""
REGISTERS = 40
R_NRPN = 0  # of each channel: the NRPN that is chosen, -1 none
R_COARSE = 8  # + controller below 32: its coarse half
SIGNALS = 64
MIDI_LOG = 256
"""Entries of the rings in which control threads read signals, and messages as `status << 16 | second << 8 | third`."""


def tag(epoch: int, hop: int) -> int:
    """Published mark of a hop."""
    return epoch << 40 | hop + 1


def capacity_for(latency: int, hop: int) -> int:
    """Frames a ring needs: twice the reach of the longest look back, as a power of two."""
    reach = 2 * (latency + 4 * hop + 2 * MAX_BLOCK)
    return max(1 << 16, 1 << (reach - 1).bit_length())
