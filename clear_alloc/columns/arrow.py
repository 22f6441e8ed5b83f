"""Numbers of Arrow columns, by the Arrow C data interface: whoever speaks it is read, and no library is needed."""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.errors import InvalidArgument
from clear_alloc.support.types import Array

__all__ = ["NUMERIC", "format_of", "numbers"]

_DTYPES = {
    b"c": "i1", b"s": "i2", b"i": "i4", b"l": "i8", b"C": "u1", b"S": "u2", b"I": "u4", b"L": "u8",
    b"e": "f2", b"f": "f4", b"g": "f8",
}  # fmt: skip
_BOOLEAN, _NULLS = b"b", b"n"
NUMERIC = frozenset(kind.decode() for kind in (*_DTYPES, _BOOLEAN, _NULLS))  # what `numbers` reads
_LENDERS = ("__arrow_c_array__", "__arrow_c_stream__")

_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Get = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_Tell = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)
_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class _Schema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_void_p),
        ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64), ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p), ("release", _Release), ("private_data", ctypes.c_void_p),
    )  # fmt: skip


class _Chunk(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p), ("release", _Release),
        ("private_data", ctypes.c_void_p),
    )  # fmt: skip


class _Stream(ctypes.Structure):
    _fields_ = (
        ("get_schema", _Get), ("get_next", _Get), ("get_last_error", _Tell), ("release", _Release),
        ("private_data", ctypes.c_void_p),
    )  # fmt: skip


def numbers(argument: str, values: object, null: float | None = None) -> Array | None:
    """A copy of an Arrow column, float64 (n,), as numpy would round it; booleans are 0 and 1. None: it is not Arrow.

    null : what nulls are read as; where it is None, InvalidArgument names the row of the first.
    Raises InvalidArgument too for a column of anything but integers, floats or booleans: decimals, dictionaries,
    text, dates, lists and tables. ValueError if a stream breaks off. O(n), no object per row.
    """
    if not _is_arrow(values):
        return None
    parts: list[Array] = []
    with suppress(ImportError), _lent(values) as (schema, chunks):
        _check_type(argument, values, schema)
        start = 0
        for chunk in chunks:
            parts.append(_numbers_of(argument, schema.format, chunk, start, null))
            start += chunk.length
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0)])
    return None


def format_of(values: object) -> str | None:
    """The type of a column in the letters of the C data interface: `u` is text, `l` int64. None: it is not Arrow."""
    if not _is_arrow(values):
        return None
    with suppress(ImportError), _lent(values) as (schema, _):
        return "dictionary" if schema.dictionary else str(schema.format.decode())
    return None


def _is_arrow(values: object) -> bool:
    # A column that pandas keeps with numpy is numpy's; its other types pandas lends through pyarrow, if it's there.
    of_numpy = isinstance(getattr(values, "dtype", None), np.dtype)
    return not of_numpy and any(hasattr(values, lender) for lender in _LENDERS)


def _check_type(argument: str, values: object, schema: _Schema) -> None:
    if schema.dictionary or schema.format not in {*_DTYPES, _BOOLEAN, _NULLS}:
        kind = getattr(values, "type", getattr(values, "dtype", type(values).__name__))
        allowed, remedy = "a column of integers or floats", "cast the column, or pass one column of the table"
        raise InvalidArgument(argument, f"of type {kind}", allowed, remedy)


@contextmanager
def _lent(values: Any) -> Iterator[tuple[_Schema, Iterator[_Chunk]]]:
    """The type of a column and its chunks, each valid until the next is asked for and the block ends."""
    # The capsules give back what they hold when they are collected, so they must outlive the reading.
    if hasattr(values, _LENDERS[0]):
        of_schema, of_chunk = values.__arrow_c_array__()
        schema = _Schema.from_address(_pointer_of(of_schema, b"arrow_schema"))
        yield schema, iter([_Chunk.from_address(_pointer_of(of_chunk, b"arrow_array"))])
        return
    capsule = values.__arrow_c_stream__()
    stream, schema = _Stream.from_address(_pointer_of(capsule, b"arrow_array_stream")), _Schema()
    _get(stream, stream.get_schema, schema)
    chunks = _streamed(stream)
    try:
        yield schema, chunks
    finally:
        chunks.close()
        schema.release(ctypes.addressof(schema))


def _streamed(stream: _Stream) -> Generator[_Chunk, None, None]:
    while True:
        chunk = _Chunk()
        _get(stream, stream.get_next, chunk)
        if not chunk.release:  # the mark of the end
            return
        try:
            yield chunk
        finally:
            chunk.release(ctypes.addressof(chunk))


def _get(stream: _Stream, ask: Any, answer: ctypes.Structure) -> None:
    if ask(ctypes.addressof(stream), ctypes.addressof(answer)):
        told = stream.get_last_error(ctypes.addressof(stream)) or b"no reason given"
        raise ValueError(f"the Arrow stream broke off: {told.decode(errors='replace')}")


def _numbers_of(argument: str, kind: bytes, chunk: _Chunk, start: int, null: float | None) -> Array:
    n, offset = chunk.length, chunk.offset
    if n == 0:
        return np.empty(0)
    valid = np.zeros(n, dtype=np.uint8) if kind == _NULLS else None
    if valid is None and chunk.null_count and chunk.buffers[0]:  # a count of -1 means that nobody has counted
        valid = _bits(chunk.buffers[0], offset, n)
    if null is None and valid is not None and not valid.all():
        raise _null(argument, start + int(np.argmin(valid)))
    if kind == _NULLS:
        values: Array = np.zeros(n)
    elif kind == _BOOLEAN:
        values = _bits(chunk.buffers[1], offset, n).astype(np.float64)
    else:
        dtype = np.dtype(_DTYPES[kind])
        memory = _memory(chunk.buffers[1] or 0, (offset + n) * dtype.itemsize)
        values = memory.view(dtype)[offset:].astype(np.float64)
    if valid is not None and null is not None:
        values[valid == 0] = null
    return values


def _null(argument: str, row: int) -> InvalidArgument:
    return InvalidArgument(argument, None, "a number", "fill the null or drop the query", row)


def _bits(address: int | None, offset: int, n: int) -> npt.NDArray[np.uint8]:
    packed = _memory(address or 0, (offset + n + 7) // 8)
    return np.unpackbits(packed, count=offset + n, bitorder="little")[offset:]


def _memory(address: int, size: int) -> npt.NDArray[np.uint8]:
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
