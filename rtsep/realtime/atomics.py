"""What Numba lacks for an audio thread: atomic words, pointers from addresses, C functions by address, flush-to-zero.

Loads with acquire and stores with release order pair up: whoever sees a published word also sees everything written before it
(C11 memory model; on x86 both are plain moves). C functions are called through an address held in the context rather than through
ctypes, because ctypes objects would make the compiled code uncacheable.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

# Numba calls these code generators with its own, untyped objects.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(arrayobj.make_array(array_type)(context, builder, array).data, [index])


def _atomic_load(order: str) -> Any:
    @intrinsic
    def load(typing_context, array, index):
        def generate(context, builder, signature, args):
            pointer = _element(context, builder, signature.args[0], args[0], args[1])
            value_type = context.get_value_type(signature.return_type)
            return builder.load_atomic(pointer, order, array.dtype.bitwidth // 8, typ=value_type)

        return array.dtype(array, types.intp), generate

    return load


def _atomic_store(order: str) -> Any:
    @intrinsic
    def store(typing_context, array, index, value):
        def generate(context, builder, signature, args):
            pointer = _element(context, builder, signature.args[0], args[0], args[1])
            builder.store_atomic(args[2], pointer, order, array.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(array, types.intp, array.dtype), generate

    return store


load_acquire = _atomic_load("acquire")
load_relaxed = _atomic_load("monotonic")
store_release = _atomic_store("release")
store_relaxed = _atomic_store("monotonic")


def _pointer_to(element: Any) -> Any:
    @intrinsic
    def from_address(typing_context, address):
        signature = types.CPointer(element)(address)

        def generate(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return signature, generate

    return from_address


as_float32 = _pointer_to(types.float32)
as_float64 = _pointer_to(types.float64)
as_int64 = _pointer_to(types.int64)
as_int32 = _pointer_to(types.int32)
as_uint32 = _pointer_to(types.uint32)
as_uint8 = _pointer_to(types.uint8)


def _indirect_call(result: Any, *arguments: Any) -> tuple[Any, Any]:
    signature = result(types.int64, *arguments)

    def generate(context, builder, signature, args):
        function_type = ir.FunctionType(context.get_value_type(result), [context.get_value_type(a) for a in arguments])
        return builder.call(builder.inttoptr(args[0], function_type.as_pointer()), args[1:])

    return signature, generate


@intrinsic
def call_i32_of_i64(typing_context, function, a):
    """`int f(void *)`, such as sem_post."""
    return _indirect_call(types.int32, types.int64)


@intrinsic
def call_i32_of_u32(typing_context, function, a):
    """`int f(unsigned)`, such as usleep."""
    return _indirect_call(types.int32, types.uint32)


@intrinsic
def call_i64_of_i64_u32(typing_context, function, a, b):
    """`void *f(void *, uint32_t)`, such as jack_port_get_buffer."""
    return _indirect_call(types.int64, types.int64, types.uint32)


@intrinsic
def call_u32_of_i64(typing_context, function, a):
    """`uint32_t f(void *)`, such as jack_midi_get_event_count."""
    return _indirect_call(types.uint32, types.int64)


@intrinsic
def call_i32_of_i64_i64_u32(typing_context, function, a, b, c):
    """`int f(void *, void *, uint32_t)`, such as jack_midi_event_get."""
    return _indirect_call(types.int32, types.int64, types.int64, types.uint32)


@intrinsic
def call_i32_of_i64_i32_i64(typing_context, function, a, b, c):
    """`int f(void *, int, void *)`, such as jack_port_get_latency_range, which returns nothing: ignore the result."""
    return _indirect_call(types.int32, types.int64, types.int32, types.int64)


if platform.machine() in ("x86_64", "AMD64"):

    @intrinsic
    def _read_mxcsr(typing_context):
        def generate(context, builder, signature, args):
            slot = cgutils.alloca_once(builder, ir.IntType(32))
            function_type = ir.FunctionType(ir.VoidType(), [slot.type])
            builder.call(cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.sse.stmxcsr"), [slot])
            return builder.load(slot, typ=ir.IntType(32))

        return types.uint32(), generate

    @intrinsic
    def _write_mxcsr(typing_context, value):
        def generate(context, builder, signature, args):
            slot = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(args[0], slot)
            function_type = ir.FunctionType(ir.VoidType(), [slot.type])
            builder.call(cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.sse.ldmxcsr"), [slot])
            return context.get_dummy_value()

        return types.void(types.uint32), generate

    _FLUSH = 0x8040  # flush to zero and denormals are zero

    def _flush_to_zero():
        """Switch denormals off; returns what to give back to `restore_float_mode`."""
        saved = _read_mxcsr()
        _write_mxcsr(saved | _FLUSH)
        return saved

    def _restore_float_mode(saved):
        """Undo `flush_to_zero`."""
        _write_mxcsr(saved)

else:

    def _flush_to_zero():
        """Denormals cost nothing to speak of on ARM cores; nothing to switch."""
        return 0

    def _restore_float_mode(saved):
        """Nothing to undo."""


def _compiled(function: Any) -> Any:
    from numba import njit

    return njit(nogil=True, error_model="numpy", cache=True)(function)


flush_to_zero = _compiled(_flush_to_zero)
restore_float_mode = _compiled(_restore_float_mode)


def function_address(name: str, library: ctypes.CDLL | None = None) -> int:
    """Address of a C function of `library`, by default of the running process (libc)."""
    function = getattr(library or ctypes.CDLL(None), name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0
