"""Servers on loopback that speak a store's language exactly, byte for byte of a key, and fail when they are told to."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

MODIFIED = "Tue, 03 Feb 2026 04:05:06 GMT"
MODIFIED_ISO = "2026-02-03T04:05:06.000Z"


@dataclass(frozen=True)
class Fault:
    """What becomes of one request for an object's bytes."""

    status: int | None = None
    """Answer with this status."""
    sent: int | None = None
    """Send only so many bytes of the body, then close the connection."""
    stall: float = 0.0
    """Seconds to wait before the body."""
    headers: dict[str, str] = field(default_factory=dict)


class Objects(ThreadingHTTPServer):
    """Objects by key; `faults` of a key are used up one a request, `requests` notes (method, key, range)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.objects: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.page_size = 1000
        self.ranges = True
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self, key: str) -> list[tuple[str, str | None]]:
        """Method and range of each request for a key."""
        return [(method, wanted) for method, asked, wanted in self.requests if asked == key]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none."""


class Handler(BaseHTTPRequestHandler):
    """Answers for objects; a language says how a request names one, and how it lists."""

    protocol_version = "HTTP/1.1"
    server: Objects
    etag_header: ClassVar[str] = "ETag"

    def named(self) -> str | None:
        """The key that the request names; None where it has been answered."""
        raise NotImplementedError

    def error_body(self, status: int) -> bytes:
        return b""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        key = self.named()
        if key is None:
            return
        wanted = self.headers.get("Range") or self.headers.get("x-ms-range")
        with self.server.lock:
            self.server.requests.append((self.command, key, wanted))
            left = self.server.faults.get(key)
            fault = left.pop(0) if left and self.command == "GET" else Fault()
        if fault.status is not None:
            self.answer(fault.status, self.error_body(fault.status), fault.headers)
        elif key not in self.server.objects:
            self.answer(404, self.error_body(404), {})
        else:
            self._send_object(self.server.objects[key], wanted, fault)

    def _send_object(self, data: bytes, wanted: str | None, fault: Fault) -> None:
        headers = {"Last-Modified": MODIFIED, self.etag_header: tag(data), "Accept-Ranges": "bytes", **fault.headers}
        status, body = 200, data
        if wanted and self.server.ranges:
            if not data:
                self.answer(416, self.error_body(416), {})
                return
            first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
            body = data[first : last + 1]
            status = 206
            headers["Content-Range"] = f"bytes {first}-{first + len(body) - 1}/{len(data)}"
        self.answer(status, body, headers, fault)

    def answer(self, status: int, body: bytes, headers: dict[str, str], fault: Fault | None = None) -> None:
        fault = fault or Fault()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.flush()
        time.sleep(fault.stall)
        if self.command != "HEAD":
            self.wfile.write(body[: fault.sent])
        if fault.sent is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


class WebHandler(Handler):
    """A web server: the key is path and query as sent."""

    def named(self) -> str | None:
        return self.path


class S3Handler(Handler):
    """One bucket `pics`, addressed by path."""

    def named(self) -> str | None:
        parts = urlsplit(self.path)
        bucket, _, key = parts.path[1:].partition("/")
        if bucket != "pics":
            self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>", {})
        elif not key and "list-type" in parts.query:
            self._list({name: values[0] for name, values in parse_qs(parts.query).items()})
        else:
            return unquote(key)
        return None

    def error_body(self, status: int) -> bytes:
        codes = {404: "NoSuchKey", 403: "AccessDenied", 503: "SlowDown", 416: "InvalidRange"}
        code = codes.get(status, "InternalError")
        return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    def _list(self, query: dict[str, str]) -> None:
        prefix = query.get("prefix", "")
        token = query.get("continuation-token", "")
        after = bytes.fromhex(token).decode() or query.get("start-after", "")
        self.server.requests.append(("LIST", prefix, after or None))
        keys = sorted(key for key in self.server.objects if key.startswith(prefix))
        keys = [key for key in sorted(keys, key=str.encode) if key.encode() > after.encode()]
        page = keys[: self.server.page_size]
        entries = "".join(
            f"<Contents><Key>{escape(quote(key))}</Key><LastModified>{MODIFIED_ISO}</LastModified>"
            f"<ETag>{escape(tag(self.server.objects[key]))}</ETag><Size>{len(self.server.objects[key])}</Size></Contents>"
            for key in page
        )
        more = len(keys) > len(page)
        token = f"<NextContinuationToken>{page[-1].encode().hex()}</NextContinuationToken>" if more else ""
        body = (
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>pics</Name>'
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
            "</ListBucketResult>"
        )
        self.answer(200, body.encode(), {"Content-Type": "application/xml"})


class GcsHandler(Handler):
    """One bucket `pics` of Google's JSON API."""

    def named(self) -> str | None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        place = parts.path.removeprefix("/storage/v1/")
        bucket, _, key = place.removeprefix("b/").partition("/o")
        if bucket != "pics":
            self.answer(404, b'{"error": {"code": 404}}', {})
        elif not key:
            self._list(query)
        elif query.get("alt") == "media":
            return unquote(key[1:])
        else:
            name = unquote(key[1:])
            self.server.requests.append(("HEAD", name, None))
            found = name in self.server.objects
            self.answer(200 if found else 404, json.dumps(self._item(name)).encode() if found else b"{}", {})
        return None

    etag_header = "X-Goog-Generation"

    def _item(self, name: str) -> dict[str, str]:
        data = self.server.objects[name]
        return {"name": name, "size": str(len(data)), "updated": MODIFIED_ISO, "generation": tag(data)}

    def _list(self, query: dict[str, str]) -> None:
        prefix = query.get("prefix", "")
        after = query.get("pageToken", "")
        self.server.requests.append(("LIST", prefix, after or query.get("startOffset")))
        keys = [key for key in self.server.objects if key.startswith(prefix) and key.encode() > after.encode()]
        keys = sorted((key for key in keys if key >= query.get("startOffset", "")), key=str.encode)
        page = keys[: self.server.page_size]
        told: dict[str, Any] = {"items": [self._item(key) for key in page]} if page else {}
        if len(keys) > len(page):
            told["nextPageToken"] = page[-1]
        self.answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})


class AzureHandler(Handler):
    """One container `pics` of the account `account`."""

    def named(self) -> str | None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        container, _, key = parts.path.removeprefix("/account/").partition("/")
        if container != "pics":
            headers = {"x-ms-error-code": "ContainerNotFound", "Content-Type": "application/xml"}
            self.answer(404, b"<Error><Code>ContainerNotFound</Code><Message>no</Message></Error>", headers)
        elif query.get("comp") == "list":
            self._list(query)
        else:
            return unquote(key)
        return None

    def _send_object(self, data: bytes, wanted: str | None, fault: Fault) -> None:
        fault = Fault(fault.status, fault.sent, fault.stall, {"x-ms-blob-type": "BlockBlob", **fault.headers})
        super()._send_object(data, wanted, fault)

    def _list(self, query: dict[str, str]) -> None:
        prefix = query.get("prefix", "")
        after = query.get("marker", "")
        self.server.requests.append(("LIST", prefix, after or None))
        keys = sorted(key for key in self.server.objects if key.startswith(prefix) and key > after)
        page = keys[: self.server.page_size]
        blobs = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>"
            f"<Etag>{escape(tag(self.server.objects[key])[1:-1])}</Etag>"
            f"<Content-Length>{len(self.server.objects[key])}</Content-Length>"
            "<BlobType>BlockBlob</BlobType></Properties></Blob>"
            for key in page
        )
        marker = escape(page[-1]) if len(keys) > len(page) else ""
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="pics">'
            f"<Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
        )
        self.answer(200, body.encode(), {"Content-Type": "application/xml"})


@contextmanager
def serving(handler: type[Handler], context: Any = None) -> Iterator[Objects]:
    """A server while the context lasts; with a TLS `context` it speaks https."""
    server = Objects(handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
