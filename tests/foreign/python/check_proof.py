"""Checks a .tlog-proof with aics-tlog, a verifier of C2SP transparency logs no one here wrote.

Usage: check_proof.py FILE --vkey KEY [--print-entry]

KEY is the ledger's public key as `name+id+base64`. Prints OK and exits 0 if the entry that the
proof carries is in the ledger whose key that is; otherwise prints the reason and exits 1.
Needs: aics-tlog 0.2 (Python 3.12 or later).

The split of the file into its parts follows https://c2sp.org/tlog-proof; signature, checkpoint
and inclusion are aics-tlog's.
"""

import argparse
import base64
import binascii
import sys

import aics_tlog

HEADER = "c2sp.org/tlog-proof@v1"


def decode(text):
    data = base64.b64decode(text, validate=True)
    # Python lets the unused bits of the last character be anything.
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 in another spelling")
    return data


def split(proof):
    """The proof's leaf, index, inclusion path and checkpoint note."""
    head, empty, note = proof.partition("\n\n")
    if not empty:
        raise ValueError("no empty line before the checkpoint")
    lines = head.split("\n")
    if lines.pop(0) != HEADER:
        raise ValueError(f"the first line is not {HEADER}")
    if not lines or not lines[0].startswith("extra "):
        raise ValueError("the proof does not carry its entry")
    leaf = decode(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise ValueError("no index")
    digits = lines.pop(0).removeprefix("index ")
    if not digits.isdecimal() or str(int(digits)) != digits:
        raise ValueError("the index is not a decimal number")
    return leaf, int(digits), [decode(line) for line in lines], note


def check(proof, vkey):
    """The leaf, its index and the checkpoint's size; ValueError if anything does not hold."""
    leaf, index, path, note = split(proof)
    key = aics_tlog.parse_vkey(vkey)
    signed = aics_tlog.verify_checkpoint(
        aics_tlog.parse_note(note), key, expected_origin=key.name
    )
    if not signed.ok:
        raise ValueError(f"the checkpoint: {signed.error}")
    if not aics_tlog.verify_leaf_inclusion(leaf, index, signed.size, path, signed.root):
        raise ValueError("the inclusion proof does not lead to the checkpoint's root")
    return leaf, index, signed.size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--vkey", required=True, metavar="KEY")
    parser.add_argument("--print-entry", action="store_true")
    args = parser.parse_args()
    try:
        # newline="": line ends are part of the format and must not be translated.
        with open(args.file, encoding="utf-8", newline="") as file:
            leaf, index, size = check(file.read(), args.vkey)
    except (OSError, ValueError, binascii.Error) as problem:
        print(f"{args.file}: {problem}")
        return 1
    print(f"OK entry {index} of {size}")
    if args.print_entry:
        print(leaf.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
