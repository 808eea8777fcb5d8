"""What two of Python's readers find in forms: a JSON line {"type", "body" (Base64)} in; {"holds", "parts"} out.

The standard library's `email`, and `python_multipart` (Starlette's and FastAPI's). `holds` says whether a name, a file's name,
or a content that either of them finds is or contains the planted value; `parts` is what `python_multipart` finds.
"""
import base64
import email.policy
import json
import sys
import urllib.parse
from email.parser import BytesParser

from python_multipart import parse_form

PLANTED = sys.argv[1]


def decoded(text):
    yield text
    yield urllib.parse.unquote(text)
    for line in text.splitlines():
        try:
            yield json.dumps(json.loads(line))
        except (ValueError, RecursionError):
            pass


def of_email(content_type, body):
    head = f"content-type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    for part in message.walk():
        for name, value in part.items():
            yield name
            yield str(value)
        yield str(part.get_filename() or "")
        if not part.is_multipart():
            yield (part.get_payload(decode=True) or b"").decode("utf-8", "replace")


def of_multipart(content_type, body):
    found = []

    def text(raw):
        return (raw or b"").decode("utf-8", "replace")

    def field(field):
        found.append([text(field.field_name), None, text(field.value)])

    def file(file):
        file.file_object.seek(0)
        found.append([text(file.field_name), text(file.file_name), text(file.file_object.read())])

    import io

    headers = {"Content-Type": content_type.encode(), "Content-Length": str(len(body)).encode()}
    parse_form(headers, io.BytesIO(body), field, file)
    return found


for line in sys.stdin:
    case = json.loads(line)
    body = base64.b64decode(case["body"])
    try:
        parts = of_multipart(case["type"], body)
    except Exception as error:  # whatever it refuses by
        parts = [["", None, type(error).__name__]]
    texts = list(of_email(case["type"], body)) + [text for part in parts for text in part if text]
    holds = any(PLANTED in form for text in texts for form in decoded(text))
    print(json.dumps({"holds": holds, "parts": parts}))
