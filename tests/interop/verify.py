"""Reads lines of JSON. For each it prints what PyJWT reads in the assertion, or the name of its error."""

import json
import sys

import jwt


def tagged(value):
    """Marks strings and turns numbers into strings, so that no JSON reader changes them."""
    match value:
        case bool() | None:
            return value
        case str():
            return "$" + value
        case int() | float():
            return "#" + repr(value)
        case list():
            return [tagged(item) for item in value]
        case dict():
            return {name: tagged(item) for name, item in value.items()}


for line in sys.stdin.buffer:
    query = json.loads(line)
    try:
        claims = jwt.decode(
            query["jwt"],
            query["key"],
            algorithms=[query["alg"]],
            issuer=query["iss"],
            audience=query["aud"],
            options={"require": query["require"]},
        )
        header = jwt.get_unverified_header(query["jwt"])
        result = {"header": tagged(header), "claims": tagged(claims)}
    except jwt.exceptions.PyJWTError as error:
        result = {"error": type(error).__name__}
    print(json.dumps(result))
