"""Code that fits the width of a terminal, and still runs when it is pasted."""

import contextlib
import io
import tokenize
from collections.abc import Iterator

STEP = " " * 4


def folded(code: str, width: int) -> list[str]:
    """The lines of code, long ones broken where Python allows it.

    A comment behind code moves before it, a long comment becomes several, and a line
    breaks behind a comma within brackets. What cannot be broken stays long.

    Args:
        code: String, Python or words.
        width: Integer, columns.

    Returns:
        List of strings.

    Examples:
        >>> folded("fit(x, batch_size=8)  # was 4", 16)
        ['# was 4', 'fit(x,', '    batch_size=8)']
    """
    if any(token in code for token in ('"""', "'''")):
        return code.splitlines()  # a break could change a string
    return [part for line in code.splitlines() for part in _fitted(line, width)]


def _fitted(line: str, width: int) -> Iterator[str]:
    if len(line) <= width:
        yield line
        return
    text, comment = _split(line)
    indent = line[: len(line) - len(line.lstrip())]
    if comment:
        yield from _comment(comment, indent, width)
    if text.strip():
        yield from _broken(text.rstrip(), indent, width)


def _comment(comment: str, indent: str, width: int) -> Iterator[str]:
    line = f"{indent}#"
    for word in comment.lstrip("# ").split():
        if len(line) + 1 + len(word) > width and not line.endswith("#"):
            yield line
            line = f"{indent}#"
        line += f" {word}"
    yield line


def _broken(text: str, indent: str, width: int) -> Iterator[str]:
    """The line, broken behind the last comma within brackets that fits."""
    commas, begin, more = _commas(text), 0, ""
    while len(more) + len(text) - begin > width:
        last = width + begin - len(more)
        places = [place for place in commas if begin < place <= last]
        if not places or not text[places[-1] :].strip():
            break
        yield more + text[begin : places[-1]]
        begin, more = places[-1], indent + STEP
        begin += text[begin:].startswith(" ")
    yield more + text[begin:]


def _split(line: str) -> tuple[str, str]:
    """The code of a line, and its comment."""
    for token in _tokens(line):
        if token.type == tokenize.COMMENT:
            return line[: token.start[1]], token.string
    return line, ""


def _commas(line: str) -> list[int]:
    """The places behind commas within brackets."""
    depth, places = 0, []
    for token in _tokens(line):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == "," and depth > 0:
                places.append(token.end[1])
    return places


def _tokens(line: str) -> list[tokenize.TokenInfo]:
    tokens: list[tokenize.TokenInfo] = []
    # An error is a bracket that a later line closes: the tokens before it count.
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        tokens.extend(tokenize.generate_tokens(io.StringIO(line.lstrip()).readline))
    shift = len(line) - len(line.lstrip())
    return [
        t._replace(
            start=(t.start[0], t.start[1] + shift), end=(t.end[0], t.end[1] + shift)
        )
        for t in tokens
    ]
