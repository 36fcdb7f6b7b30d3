"""What is a URL, what it names, and how it may be shown: without the secrets that a signed URL carries."""

from __future__ import annotations

import enum
import os
import re
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from scanner.errors import UsageError

REDACTED = "REDACTED"

INSTALL = "pip install 'dfscan[remote]'"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://", re.ASCII)
"""One letter is a drive of Windows."""
_WEB_URLS = re.compile(r"""https?://[^\s'"<>]+""", re.ASCII | re.IGNORECASE)
_USER = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@?#]*@", re.ASCII)
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|::1)", re.ASCII | re.IGNORECASE)

_SIGNED = re.compile(r"(^|[&;])(x-amz-|x-goog-|signature=|sig=|policy=|key-pair-id=)", re.IGNORECASE)
"""A query that signs the request: every part of it then helps to forge or to use the signature."""
_SECRET_NAME = re.compile(r"sig|token|key|secret|auth|cred|pass|jwt|hmac|sess|policy|code|ticket", re.IGNORECASE)
_TOKEN = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}|(hmac|sig|signature|token)=", re.ASCII)
"""Letters and digits mixed, too many for a word or a number."""


class Scheme(enum.StrEnum):
    """The kinds of URL that can be scanned."""

    S3 = "s3"
    GS = "gs"
    AZ = "az"
    HTTPS = "https"
    HTTP = "http"  # of this machine alone
    FILE = "file"
    MEMORY = "memory"  # fsspec's own, of this process; for tests

    @property
    def is_web(self) -> bool:
        """Whether it names single pictures, which nobody can list."""
        return self in (Scheme.HTTPS, Scheme.HTTP)


def is_url(path: str) -> bool:
    """Whether a path is a URL, of whatever kind; a folder of such a name is `./s3:/...`."""
    return "://" in path and _URL.match(path) is not None


def is_remote(path: str) -> bool:
    """Whether a path is a URL whose bytes have to be fetched: any but `file://`."""
    return is_url(path) and path[:7].lower() != "file://"


def scheme_of(url: str) -> Scheme:
    """The kind of a URL; raises UsageError for one that cannot be scanned."""
    name = url.partition("://")[0].lower()
    try:
        scheme = Scheme(name)
    except ValueError:
        raise UsageError(f"{name}:// cannot be scanned; what can: s3, gs, az, https, file") from None
    try:
        url.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{redact(url)}: a URL is UTF-8") from None
    if "@" in url.partition("://")[2].split("/")[0] and scheme is not Scheme.FILE:
        raise UsageError(f"{redact(url)}: credentials do not belong into a URL; put them where {name}'s own tools look")
    if scheme is Scheme.HTTP and not _LOOPBACK.fullmatch(urlsplit(url).hostname or ""):
        raise UsageError(f"{redact(url)}: http:// is read from this machine alone; use https://")
    return scheme


def redact(url: str) -> str:
    """A URL as it may be shown and kept: without user, password, fragment, and values of its query that are secret.

    In URLs of stores a `?` or `#` is a part of the object's name.
    """
    url = _USER.sub(rf"\1{REDACTED}@", url)
    if not url[:8].lower().startswith(("http://", "https://")):
        return url
    head, has_query, query = url.partition("#")[0].partition("?")
    if not has_query:
        return head
    every = _SIGNED.search(unquote(query)) is not None
    return f"{head}?{'&'.join(_redact_part(part, every) for part in query.split('&'))}"


def redact_text(text: str) -> str:
    """A message with every URL in it redacted."""
    if "://" not in text:
        return text
    return _WEB_URLS.sub(lambda match: redact(match[0]), _USER.sub(rf"\1{REDACTED}@", text))


def _redact_part(part: str, every: bool) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return REDACTED if part and (every or _TOKEN.search(unquote(part))) else part
    if every or _SECRET_NAME.search(unquote(name)) or _TOKEN.search(unquote(value)):
        return f"{name}={REDACTED}"
    return part


def split_store(url: str) -> tuple[str, str]:
    """Bucket (or container) and key of a store's URL; the key is exact: nothing in it is decoded or collapsed.

    Raises UsageError where the bucket is missing.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise UsageError(f"{url}: name a bucket, as in {scheme}://bucket/folder")
    return bucket, key


def local_path(path: str) -> str:
    """The path that a `file://` URL names (RFC 8089, percent-decoded to bytes); any other path as it is.

    Raises UsageError for a file of another machine.
    """
    if path[:7].lower() != "file://":
        return path
    host, slash, rest = path[7:].partition("/")
    if host.lower() not in ("", "localhost"):
        raise UsageError(f"{path}: a file of another machine; its path has three slashes: file:///folder")
    if os.name == "nt":
        from urllib.request import url2pathname

        return url2pathname(slash + rest)
    return os.fsdecode(unquote_to_bytes(os.fsencode(slash + rest)))


def file_url(path: str) -> str:
    """The `file://` URL of an absolute path; the same for `local_path` of it."""
    if os.name == "nt":
        from urllib.request import pathname2url

        return "file:" + pathname2url(path)
    return "file://" + quote(os.fsencode(path), safe="/:@!$&'()*+,;=~-._")
