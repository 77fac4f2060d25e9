# SPDX-License-Identifier: Apache-2.0
"""What tidy reads out of C++ text: includes, string literals, error reasons, log events, scopes. Pure.

This is no parser of C++. It knows comments, string literals and balanced brackets, which is enough for the forms that
the house style allows.
"""
import re

TOKEN = re.compile(
    r'R"(?P<delimiter>[^\s()\\]{0,16})\((?P<raw>.*?)\)(?P=delimiter)"|'
    r'"(?P<text>(?:[^"\\\n]|\\.)*)"|'
    r"'(?:[^'\\\n]|\\.)'|"
    r"(?P<line>//[^\n]*)|"
    r"(?P<block>/\*.*?\*/)", re.DOTALL)
REASON = re.compile(r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_comments(text):
    """Comments become blanks, and the content of literals too; line numbers stay."""
    def blank(match):
        if match.group("line") is not None or match.group("block") is not None:
            return re.sub(r"[^\n]", " ", match.group(0))
        return '"' + re.sub(r"[^\n]", " ", match.group(0)[1:-1]) + '"'
    return TOKEN.sub(blank, text)


def comments_blanked(text):
    """Comments become blanks, literals stay; line numbers and offsets stay."""
    def blank(match):
        if match.group("line") is not None or match.group("block") is not None:
            return re.sub(r"[^\n]", " ", match.group(0))
        return match.group(0)
    return TOKEN.sub(blank, text)


def includes(text, quoted):
    for match in INCLUDE.finditer(text):
        target = match.group(1) if quoted else match.group(2)
        if target:
            yield line_of(text, match.start()), target


def literals(text):
    return {match.group("text") for match in TOKEN.finditer(text) if match.group("text") is not None}


def arguments(text, start):
    """The comma-separated pieces between the bracket at `start` and its partner, with their offsets."""
    pieces, depth, begin, at = [], 0, start + 1, start
    while at < len(text):
        token = TOKEN.match(text, at)
        if token:
            at = token.end()
            continue
        byte = text[at]
        if byte in "([{":
            depth += 1
        elif byte in ")]}":
            depth -= 1
            if depth == 0:
                pieces.append((begin, text[begin:at]))
                return pieces
        elif byte == "," and depth == 1:
            pieces.append((begin, text[begin:at]))
            begin = at + 1
        at += 1
    return []


def reasons_in(piece):
    return [match.group("text") for match in TOKEN.finditer(piece)
            if match.group("text") is not None and REASON.match(match.group("text"))]


def error_reasons(text):
    """(line, reason) of every error that is made: Error{code, detail, "reason"}, reject(…, …, "reason"), and
    `reason = "…"` as an assignment, a default or a designated initialiser."""
    bare, text = without_comments(text), comments_blanked(text)  # of equal length
    for match in re.finditer(r"\bError\s*([{(])", bare):
        pieces = arguments(text, match.end() - 1)
        if len(pieces) >= 3:
            offset, piece = pieces[2]
            for name in reasons_in(piece):
                yield line_of(text, offset + len(piece) - len(piece.lstrip())), name
    for match in re.finditer(r"[.>]reject\s*\(", bare):
        pieces = arguments(text, match.end() - 1)
        if len(pieces) >= 3:
            for name in reasons_in(pieces[2][1]):
                yield line_of(text, pieces[2][0]), name
    for match in re.finditer(r"\breason\s*=\s*\"([a-z0-9_]+)\"", text):
        if REASON.match(match.group(1)):
            yield line_of(text, match.start()), match.group(1)


def log_events(text):
    text = comments_blanked(text)
    call = r"\blog::(?:info|notice|warning|failure|debug|write)\s*\(\s*(?:[\w:]*Level::\w+\s*,\s*)?\"([A-Z][A-Z0-9_]*)\""
    for match in re.finditer(call + r"|\bEvent\s*[({]\s*\"([A-Z][A-Z0-9_]*)\"|\bEvent\s+\w+\s*[({=]\s*\"([A-Z][A-Z0-9_]*)\"", text):
        yield line_of(text, match.start()), next(group for group in match.groups() if group)


def scopes(text):
    text = comments_blanked(text)
    for match in re.finditer(r"\bScope\b(?:\s+\w+)?\s*[({]\s*\"([a-z]+:[a-z]+)\"", text):
        yield line_of(text, match.start()), match.group(1)
