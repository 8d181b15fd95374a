"""Streams that stop before a small compressed file, or one endless line, fills the memory."""

import io
from typing import Any
from zipfile import ZipFile

MOST_TIMES = 200  # larger than its compressed data; dense tables of sparse counts reach 100
MOST_OF_OBJECTS = 1000  # the same for bzip2 and xz, which compress zeros better
MOST_OF_LISTS = 50  # the same for lists, each line of which takes memory; names compress 5 times
FREE = 2**24  # bytes that any file may decompress to
FREE_OF_LISTS = 2**22  # the same for lists
LONGEST_LINE = 2**25  # bytes; the names of a million cells take 20 MB
BLOCK = 2**18


class Bounded(io.RawIOBase):
    """A stream of bytes with limits on its rate of compression and on the length of its lines.

    Parameters
    ----------
    stream
        What is read: a file, or its decompressed content.
    packed
        The compressed file that `stream` decompresses, whose position says how much of it has been
        used; None if it is not compressed.
    lines
        Whether it is text, whose lines have limits.
    most, free
        How many times larger than the compressed data the content may be, beyond `free` bytes.

    Raises
    ------
    ValueError
        While it is read, at the first block beyond a limit.
    """

    def __init__(
        self,
        stream: Any,
        *,
        packed: Any = None,
        lines: bool = True,
        most: int = MOST_TIMES,
        free: int = FREE,
    ) -> None:
        """Wrap a stream; it is closed with this one."""
        self.stream = stream
        self.packed = packed
        self.lines = lines
        self.most = most
        self.free = free
        self.n_read = 0
        self.n_in_line = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        view = memoryview(buffer)
        n: int = self.stream.readinto(view) or 0
        self.n_read += n
        if self.packed is not None and self.n_read > self.free + self.most * self.packed.tell():
            raise ValueError(
                f"decompresses to over {self.most} times its size, as no real data do; if you "
                "trust it, decompress it yourself and give the result"
            )
        if self.lines:
            block = bytes(view[:n])
            last = max(block.rfind(b"\n"), block.rfind(b"\r"))
            self.n_in_line = n - 1 - last if last >= 0 else self.n_in_line + n
            if self.n_in_line > LONGEST_LINE:
                raise ValueError(
                    f"has a line of over {LONGEST_LINE // 2**20} MB: not a table or list; give "
                    "the text file of the pipeline, or the matrix as .h5 or .mtx"
                )
        return n

    def close(self) -> None:
        """Close the stream, and the compressed file below it."""
        if not self.closed:
            self.stream.close()
            if self.packed is not None:
                self.packed.close()
        super().close()


def check_zip(packed: ZipFile, *, size: int, most: int) -> None:
    """Refuse a zip file whose content is far larger than it, or larger than `most`.

    Parameters
    ----------
    packed
        The open zip file.
    size
        Its bytes.
    most
        The bytes that its parts may have together.

    Raises
    ------
    ValueError
        The sizes and the remedy.
    """
    total = sum(part.file_size for part in packed.infolist())
    if total > min(most, FREE + MOST_TIMES * size):
        raise ValueError(
            f"a zip file of {size:,} bytes that unpacks to {total:,}, as no real data do; unpack "
            "it yourself if you trust it, and give the content"
        )


def buffered(stream: Bounded) -> io.BufferedReader:
    """Read a bounded stream in blocks."""
    return io.BufferedReader(stream, BLOCK)
