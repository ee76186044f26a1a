"""A line of JSON in, a line out: what PyJWT reads in an assertion, or the name of its error."""

import json
import sys

import jwt


def told(value):
    """Texts marked as such and numbers as texts, so that no reader of JSON in between changes them."""
    match value:
        case bool() | None:
            return value
        case str():
            return "$" + value
        case int() | float():
            return "#" + repr(value)
        case list():
            return [told(item) for item in value]
        case dict():
            return {name: told(item) for name, item in value.items()}


for line in sys.stdin.buffer:
    ask = json.loads(line)
    try:
        claims = jwt.decode(
            ask["jwt"],
            ask["key"],
            algorithms=[ask["alg"]],
            issuer=ask["iss"],
            audience=ask["aud"],
            options={"require": ask["require"]},
        )
        header = jwt.get_unverified_header(ask["jwt"])
        answer = {"header": told(header), "claims": told(claims)}
    except jwt.exceptions.PyJWTError as error:
        answer = {"error": type(error).__name__}
    print(json.dumps(answer))
