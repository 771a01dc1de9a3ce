#!/usr/bin/env python3
"""Keeps a fuzzer's corpus as text, an input a line, escaped as in a byte string.

usage: corpus.py unpack FILE FOLDER    write each line of FILE as an input into FOLDER
       corpus.py pack FOLDER FILE MAX  write the inputs of FOLDER of at most MAX bytes to FILE
"""

import pathlib
import sys

ESCAPES = {ord("\n"): r"\n", ord("\r"): r"\r", ord("\t"): r"\t", ord("\\"): r"\\"}


def escaped(data: bytes) -> str:
    return "".join(ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data)


def unescaped(line: str) -> bytes:
    return line.encode("ascii").decode("unicode_escape").encode("latin-1")


def unpack(file: pathlib.Path, folder: pathlib.Path) -> None:
    for number, line in enumerate(file.read_text().splitlines()):
        (folder / f"kept-{number}").write_bytes(unescaped(line))


def pack(folder: pathlib.Path, file: pathlib.Path, most: int) -> None:
    inputs = [path.read_bytes() for path in folder.iterdir()]
    lines = sorted({escaped(data) for data in inputs if len(data) <= most})
    file.write_text("".join(line + "\n" for line in lines))


def main(arguments: list[str]) -> None:
    match arguments:
        case ["unpack", file, folder]:
            unpack(pathlib.Path(file), pathlib.Path(folder))
        case ["pack", folder, file, most]:
            pack(pathlib.Path(folder), pathlib.Path(file), int(most))
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
