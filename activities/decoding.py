"""What a stranger's bytes cost: an answer is decoded as it comes, and counted decoded.

A kilobyte can be packed into a few bytes, and what is packed three times over into next to nothing, so whoever decodes
first and counts afterwards has spent the memory already. At most one coding is undone, a piece at a time, never beyond
the limit; and text is read in a charset of a short list, because Python knows codecs that take minutes for a megabyte.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable
from typing import Final

ACCEPTED: Final = "gzip, deflate"
"""What we say that we understand."""

CHARSETS: Final = frozenset(
    {
        *("utf-8", "us-ascii", "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15"),
        *("windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1256"),
        *("utf-16", "utf-16le", "utf-16be", "koi8-r", "shift_jis", "euc-jp", "euc-kr", "gbk", "gb18030", "big5"),
    }
)
"""Those whose decoder takes time in proportion to the text; all others are read as UTF-8."""

_PLAIN: Final = frozenset({"", "identity"})
_CODINGS: Final = _PLAIN | {"gzip", "x-gzip", "deflate"}
_GZIP: Final = 16 + zlib.MAX_WBITS
_HEADER_OF_ZLIB: Final = 0x08


class UndecodableError(ValueError):
    """The bytes are not what their coding says."""


class TooLargeError(ValueError):
    """There is more than was allowed."""


async def read(pieces: AsyncIterable[bytes], coding: str, limit: int) -> bytes:
    """Return the decoded body.

    Args:
        pieces: The body as it comes.
        coding: The value of `Content-Encoding`.
        limit: Most bytes, decoded.

    Raises:
        TooLargeError: There is more; it was not read to its end.
        UndecodableError: The coding is none that we accept, there are several, or the bytes are wrong.
    """
    inflating = _Inflating(coding, limit)
    async for piece in pieces:
        inflating.add(piece)
    return inflating.end()


def charset_of(content_type: str) -> str:
    """Return the charset that a `Content-Type` names, if it is one of `CHARSETS`; else `utf-8`."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            named = value.strip().strip("\"'").lower()
            return named if named in CHARSETS else "utf-8"
    return "utf-8"


class _Inflating:
    """A body in the making."""

    def __init__(self, coding: str, limit: int) -> None:
        self._coding, self._limit = coding.strip().lower(), limit
        if self._coding not in _CODINGS:
            raise UndecodableError(f"it is coded as {coding[:100]!r}, and {ACCEPTED} were accepted")
        self._body = bytearray()
        self._decoder = None if self._coding in _PLAIN else zlib.decompressobj(_GZIP)
        self._begun = False

    def add(self, piece: bytes) -> None:
        if self._decoder is None:
            self._body += piece
        elif piece:
            self._inflate(piece)
        if len(self._body) > self._limit:
            raise TooLargeError

    def end(self) -> bytes:
        if self._decoder is not None and self._begun and not self._decoder.eof:
            raise UndecodableError("it ends in the middle of what is packed")
        return bytes(self._body)

    def _inflate(self, piece: bytes) -> None:
        if not self._begun and self._coding == "deflate":
            self._decoder = zlib.decompressobj(_window_of_deflate(piece))
        assert self._decoder is not None
        self._begun = True
        rest = piece
        try:
            while rest and len(self._body) <= self._limit:
                self._body += self._decoder.decompress(rest, self._limit - len(self._body) + 1)
                rest = self._decoder.unconsumed_tail
        except zlib.error as error:
            raise UndecodableError(f"its bytes are not what its coding says ({error})") from error


def _window_of_deflate(first: bytes) -> int:
    """Return the size of the window, which says the format too: some call raw deflate `deflate`."""
    return zlib.MAX_WBITS if first[0] & 0x0F == _HEADER_OF_ZLIB else -zlib.MAX_WBITS
