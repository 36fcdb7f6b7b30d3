"""Azure Blob Storage through adlfs: its credentials and client, requests one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scanner.records import Reason
from scanner.remote.store import Check, Fetched, FetchError, Listed, Page, Unwanted, gather, ns, within

_PAGE = 1000
_FIRST_BYTES = 4 * 1024 * 1024
_ONCE = {"retry_total": 0}  # scanner.remote.retry tries again


class AzureStore:
    """Blobs; the container stands where a bucket does."""

    def __init__(self, *, idle: float, connections: int) -> None:
        """See S3Store."""
        import fsspec

        self._idle = idle
        try:
            self._fs = fsspec.filesystem("az", use_listings_cache=False, skip_instance_cache=True)
        except ValueError:  # its message may hold the connection string
            from scanner.errors import UsageError

            raise UsageError(
                "az:// needs an account that can be used: AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_CONNECTION_STRING"
            ) from None
        # The SDK reads the first part of a blob before it answers, 32 MB unless told otherwise: too much for `idle`.
        self._fs.service_client._config.max_single_get_size = _FIRST_BYTES

    async def stat(self, bucket: str, key: str) -> Listed:
        """Get Blob Properties."""
        client = self._fs.service_client.get_blob_client(bucket, key)
        return _listed(await self._awaited(client.get_blob_properties(**_ONCE)), key)

    async def page(self, bucket: str, prefix: str, mark: str | None) -> Page:
        """List Blobs, a thousand names a request."""
        client = self._fs.service_client.get_container_client(bucket)
        pages = client.list_blobs(name_starts_with=prefix, results_per_page=_PAGE, **_ONCE).by_page(mark)
        blobs = await self._awaited(_all(pages))
        return Page([_listed(blob, blob.name) for blob in blobs if not _is_folder(blob)], pages.continuation_token)

    def mark_after(self, key: str) -> str | None:
        """It has none."""
        return None

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        """Get Blob."""
        client = self._fs.service_client.get_blob_client(bucket, key)
        wanted: dict[str, Any] = {"offset": 0, "length": first} if first is not None else {}
        download = await self._awaited(client.download_blob(read_timeout=self._idle, **wanted, **_ONCE))
        told = _listed(download.properties, key)
        if first is not None:
            told = replace(told, size=_whole(download.properties.content_range, told.size))
        try:
            data = await gather(download.chunks(), told, check, self._idle, whole=first is None)
        except Exception as error:
            raise _translated(error) from None
        return Fetched(data, told)

    async def _awaited(self, answer: Any) -> Any:
        try:
            return await within(self._idle, answer)
        except Exception as error:
            raise _translated(error) from None


def _whole(content_range: str | None, size: int | None) -> int | None:
    """The size of a blob of which a range was asked for."""
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdecimal() else size


async def _all(pages: Any) -> list[Any]:
    """The blobs of the next page."""
    return [blob async for blob in await anext(pages)]


def _is_folder(blob: Any) -> bool:
    """Whether a blob only stands for a folder, in accounts with a hierarchical namespace."""
    return (blob.metadata or {}).get("hdi_isfolder") == "true"


def _listed(blob: Any, key: str) -> Listed:
    return Listed(key, blob.size, ns(blob.last_modified), _quoted(blob.etag))


def _quoted(etag: str | None) -> str | None:
    """An ETag as a condition needs it: the listing leaves the quotes out."""
    return etag if etag is None or etag.startswith('"') else f'"{etag}"'


def _translated(error: Exception) -> Exception:
    """An error of the Azure libraries' as ours; their messages can hold URLs with signatures and are not repeated."""
    from azure.core import exceptions

    if isinstance(error, FetchError | Unwanted):
        return error
    if isinstance(error, exceptions.ClientAuthenticationError):
        return FetchError(Reason.UNREADABLE, "access denied, or no Azure credentials were found")
    if isinstance(error, exceptions.HttpResponseError) and error.status_code is not None:
        return _answered(error.status_code, str(getattr(error, "error_code", "") or ""))
    if isinstance(error, exceptions.IncompleteReadError):
        return FetchError(Reason.TRUNCATED, "the connection ended amid the object", again=True)
    if isinstance(error, exceptions.ServiceResponseTimeoutError | exceptions.ServiceRequestTimeoutError | TimeoutError):
        return FetchError(Reason.TIMEOUT, "the server does not answer", again=True)
    if isinstance(error, exceptions.AzureError | OSError):
        return FetchError(Reason.UNREADABLE, f"no connection ({type(error).__name__})", again=True)
    return error


def _answered(status: int, code: str) -> FetchError:
    if code == "ContainerNotFound":
        return FetchError(Reason.VANISHED, "no such container")
    if status == 404:
        return FetchError(Reason.VANISHED, "no such object")
    if code == "BlobArchived":
        return FetchError(Reason.UNREADABLE, "archived: it has to be restored before it can be read")
    if status in (401, 403):
        return FetchError(Reason.UNREADABLE, f"access denied ({code or status})")
    again = status in (408, 429) or status >= 500
    return FetchError(Reason.UNREADABLE, f"the server answers {status} {code}".rstrip(), again=again)
