"""Content codings: a bounded, piecewise look into encoded bodies.

Rules of this room: what comes out is counted before it is kept, piece by piece, so no input, however
small, makes more than `limit` bytes (a 16 KB zstd body became 512 MB in a peer: headroom #3284).
Nothing is ever encoded here: an untouched body travels in the bytes it came in.
It must not know HTTP beyond the name of a coding.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

from proxy.errors import DialectError

PIECE = 64 * 1024
"""The most that is inflated before it is counted."""

GZIP = 16 + zlib.MAX_WBITS


class Decoder(Protocol):
    """Decodes one stream. Raises DialectError on damage."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What this input gives, in pieces of at most PIECE bytes."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the input so far ends where a stream may end."""
        ...


class Inflate:
    """gzip (several members in a row are one body) and zlib."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner = zlib.decompressobj(wbits)
        self._begun = False

    @property
    def complete(self) -> bool:
        return self._inner.eof or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._inner.eof:
                    self._inner = zlib.decompressobj(self._wbits)
                self._begun = True
                yield self._inner.decompress(data, PIECE)
                data = self._inner.unconsumed_tail or self._inner.unused_data
            # a full piece may leave output behind although all input is taken
            while not self._inner.eof and (piece := self._inner.decompress(b"", PIECE)):
                yield piece
        except zlib.error as error:
            raise DialectError("undecodable_body", str(error)) from error


class Brotli:
    def __init__(self) -> None:
        import brotlicffi  # type: ignore[import-untyped]

        self._inner = brotlicffi.Decompressor()
        self._error: type[Exception] = brotlicffi.error
        self._begun = False

    @property
    def complete(self) -> bool:
        return bool(self._inner.is_finished()) or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = True
        try:
            # by pieces, for it copies all input that is left with every piece of output
            for start in range(0, len(data), PIECE):
                yield self._inner.process(data[start : start + PIECE], output_buffer_limit=PIECE)
                # it says that it takes more input while it still holds output, so ask until nothing comes
                while piece := self._inner.process(b"", output_buffer_limit=PIECE):
                    yield piece
        except self._error as error:
            raise DialectError("undecodable_body", str(error)) from error


class Zstandard:
    """Several frames in a row are one body."""

    def __init__(self) -> None:
        from backports import zstd

        self._zstd = zstd
        self._inner = zstd.ZstdDecompressor()
        self._begun = False

    @property
    def complete(self) -> bool:
        return self._inner.eof or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data or not (self._inner.eof or self._inner.needs_input):
                if self._inner.eof:
                    self._inner = self._zstd.ZstdDecompressor()
                self._begun = True
                piece = self._inner.decompress(data, PIECE)
                data = self._inner.unused_data if self._inner.eof else b""
                yield piece
        except self._zstd.ZstdError as error:
            raise DialectError("undecodable_body", str(error)) from error


class Identity:
    complete = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data


def decoder(coding: bytes) -> Decoder:
    """For one `Content-Encoding` value. Raises DialectError where it names something else, or several."""
    match coding.strip().lower():
        case b"" | b"identity":
            return Identity()
        case b"gzip" | b"x-gzip":
            return Inflate(GZIP)
        case b"deflate":
            return Inflate(zlib.MAX_WBITS)
        case b"br":
            return Brotli()
        case b"zstd":
            return Zstandard()
        case other:
            raise DialectError("unknown_encoding", f"content coding `{other.decode('latin-1')}` is not known")


class Bounded:
    """A decoder that gives at most `limit` bytes in all, then raises DialectError."""

    def __init__(self, coding: bytes, limit: int) -> None:
        self._inner = decoder(coding)
        self._left = limit

    @property
    def complete(self) -> bool:
        return self._inner.complete

    def feed(self, data: bytes) -> Iterator[bytes]:
        for piece in self._inner.feed(data):
            self._left -= len(piece)
            if self._left < 0:
                raise DialectError("decoded_too_large", "the decoded body is larger than allowed")
            yield piece


def decode(body: bytes, coding: bytes, limit: int) -> bytes:
    """A whole body. Raises DialectError where it is damaged, cut short, unknown or too large."""
    bounded = Bounded(coding, limit)
    decoded = b"".join(bounded.feed(body))
    if not bounded.complete:
        raise DialectError("undecodable_body", "the encoded body is cut short")
    return decoded
