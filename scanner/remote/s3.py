"""S3 and what speaks its language, through s3fs: its credentials and settings, its requests one by one."""

from __future__ import annotations

from typing import Any

from scanner.records import Reason
from scanner.remote.store import Check, Fetched, FetchError, Listed, Page, Unwanted, gather, ns, within

_CONNECT_SECONDS = 10
_BLOCK = 256 * 1024

_TOKEN, _AFTER = "+", ">"
"""What a mark begins with: a continuation token follows, or the key to start after."""

_GONE = frozenset({"NoSuchKey", "NotFound", "404"})
_NO_BUCKET = frozenset({"NoSuchBucket"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_AGAIN = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "InternalError", "BadDigest"})
_PUBLIC = "a public bucket: FSSPEC_S3_ANON=true"


class S3Store:
    """Objects of S3: keys are taken as they are, for s3fs's own paths would lose a leading or a trailing slash."""

    def __init__(self, *, idle: float, connections: int) -> None:
        """`idle`: seconds without an answer after which a request has failed; `connections`: requests at once."""
        import fsspec

        self._idle = idle
        wanted = fsspec.config.conf.get("s3", {}).get("config_kwargs")
        settings = {
            **(wanted if isinstance(wanted, dict) else {}),
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": idle,
            "max_pool_connections": connections,
            "retries": {"total_max_attempts": 1, "mode": "standard"},  # scanner.remote.retry tries again
        }
        self._fs = fsspec.filesystem("s3", config_kwargs=settings, use_listings_cache=False, skip_instance_cache=True)

    async def stat(self, bucket: str, key: str) -> Listed:
        """What HEAD tells."""
        return _told(key, await self._call("head_object", Bucket=bucket, Key=key))

    async def page(self, bucket: str, prefix: str, mark: str | None) -> Page:
        """ListObjectsV2, a thousand keys a request."""
        after = {} if mark is None else {"StartAfter" if mark[0] == _AFTER else "ContinuationToken": mark[1:]}
        answer = await self._call("list_objects_v2", Bucket=bucket, Prefix=prefix, **after)
        more = answer.get("IsTruncated")
        return Page(
            [_listed(entry) for entry in answer.get("Contents", ())],
            _TOKEN + answer["NextContinuationToken"] if more else None,
        )

    def mark_after(self, key: str) -> str | None:
        """StartAfter."""
        return _AFTER + key

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        """GetObject."""
        wanted: dict[str, str] = {"Bucket": bucket, "Key": key}
        if first is not None:
            wanted["Range"] = f"bytes=0-{first - 1}"
        answer = await self._call("get_object", **wanted)
        told = _told(key, answer)
        body = answer["Body"]
        try:
            data = await gather(body.iter_chunks(_BLOCK), told, check, self._idle, whole=first is None)
            await body.aclose()
        except BaseException as error:
            body.close()
            raise _translated(error) from None
        return Fetched(data, told)

    async def _call(self, name: str, **wanted: str) -> dict[str, Any]:
        try:
            await self._fs.set_session()
            method = getattr(await self._fs.get_s3(wanted["Bucket"]), name)
            answer: dict[str, Any] = await within(
                self._idle + _CONNECT_SECONDS, method(**self._fs._get_s3_method_kwargs(method, **wanted))
            )
        except Exception as error:
            raise _translated(error) from None
        return answer


def _listed(entry: dict[str, Any]) -> Listed:
    return Listed(entry["Key"], entry["Size"], ns(entry.get("LastModified")), entry.get("ETag"))


def _told(key: str, answer: dict[str, Any]) -> Listed:
    """What the headers of an answer tell; a range's header has the size of the whole."""
    size = answer.get("ContentLength")
    if "ContentRange" in answer:
        total = str(answer["ContentRange"]).rpartition("/")[2]
        size = int(total) if total.isdecimal() else None
    return Listed(key, size, ns(answer.get("LastModified")), answer.get("ETag"))


def _translated(error: BaseException) -> BaseException:
    """An error of botocore's as ours; its own messages can hold URLs and are not repeated."""
    import aiohttp
    from botocore import exceptions

    if isinstance(error, FetchError | Unwanted):
        return error
    if isinstance(error, exceptions.ClientError):
        return _answered(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return FetchError(Reason.UNREADABLE, f"no AWS credentials were found ({_PUBLIC})")
    if isinstance(error, exceptions.ParamValidationError):
        return FetchError(Reason.UNREADABLE, "no name that a bucket or an object can have")
    if isinstance(error, exceptions.ProfileNotFound | exceptions.NoRegionError):
        return FetchError(Reason.UNREADABLE, " ".join(str(error).split()))
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.ReadTimeoutError | TimeoutError):
        return FetchError(Reason.TIMEOUT, "the server does not answer", again=True)
    if isinstance(error, aiohttp.ClientPayloadError | exceptions.IncompleteReadError):
        return FetchError(Reason.TRUNCATED, "the connection ended amid the object", again=True)
    lost = (exceptions.HTTPClientError, exceptions.ConnectionError, aiohttp.ClientError, OSError)
    if isinstance(error, lost):
        return FetchError(Reason.UNREADABLE, f"no connection ({type(error).__name__})", again=True)
    if isinstance(error, exceptions.BotoCoreError):
        return FetchError(Reason.UNREADABLE, f"{type(error).__name__}: {' '.join(str(error).split())}")
    return error


def _answered(error: Any) -> FetchError:
    """An answer that is an error."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _NO_BUCKET:
        return FetchError(Reason.VANISHED, "no such bucket")
    if code in _GONE:
        return FetchError(Reason.VANISHED, "no such object")
    if status == 416:
        return FetchError(Reason.EMPTY, "the object is empty")
    if code == "InvalidObjectState":
        return FetchError(Reason.UNREADABLE, "archived: it has to be restored before it can be read")
    if code in _EXPIRED:
        return FetchError(Reason.UNREADABLE, f"the credentials have expired ({code})")
    if status in (401, 403):
        return FetchError(Reason.UNREADABLE, f"access denied ({code or status}; {_PUBLIC})")
    again = code in _AGAIN or status == 429 or status >= 500
    return FetchError(Reason.UNREADABLE, f"the server answers {status} {code}".rstrip(), again=again)
