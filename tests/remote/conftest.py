"""Stores on loopback and the environment that leads to them; everything here needs the extra [remote]."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.remote import retry
from scanner.remote.stores import forget_stores
from tests.remote.servers import AzureHandler, GcsHandler, Objects, S3Handler, WebHandler, serving


@pytest.fixture(autouse=True)
def _extra() -> None:
    pytest.importorskip("fsspec", reason="needs the extra [remote]")
    pytest.importorskip("s3fs", reason="needs the extra [remote]")


def fsspec_settings() -> dict[str, Any]:
    """What fsspec has read from the environment when it was imported."""
    import fsspec

    settings: dict[str, Any] = fsspec.config.conf
    return settings


def s3_environment(url: str, folder: Path) -> dict[str, str]:
    """What leads the AWS libraries to a server, and to nobody's real credentials."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
        "AWS_SECRET_ACCESS_KEY": "a-very-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Objects]:
    """An exact S3 server, to which this process and those that it starts are led: `s3://pics/...`."""
    with serving(S3Handler) as server:
        for name, value in s3_environment(server.url, tmp_path).items():
            monkeypatch.setenv(name, value)
        forget_stores()
        yield server
    forget_stores()


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A server of Google's JSON API: `gs://pics/...`."""
    pytest.importorskip("gcsfs", reason="needs the extra [remote]")
    with serving(GcsHandler) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setenv("FSSPEC_GS_TOKEN", "anon")
        monkeypatch.setitem(fsspec_settings(), "gs", {"token": "anon"})
        forget_stores()
        yield server
    forget_stores()


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A server of Azure's Blob service: `az://pics/...`."""
    pytest.importorskip("adlfs", reason="needs the extra [remote]")
    with serving(AzureHandler) as server:
        monkeypatch.setenv(
            "AZURE_STORAGE_CONNECTION_STRING",
            f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey=c2VjcmV0LWtleQ==;"
            f"BlobEndpoint={server.url}/account;",
        )
        forget_stores()
        yield server
    forget_stores()


@pytest.fixture
def web() -> Iterator[Objects]:
    """A web server of this machine: `{web.url}/...`."""
    with serving(WebHandler) as server:
        forget_stores()
        yield server
    forget_stores()


@pytest.fixture
def secure_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A web server with TLS whose certificate the environment trusts: `https://localhost:PORT/...`."""
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(WebHandler, context) as server:
        forget_stores()
        yield server
    forget_stores()


def _certificate(folder: Path) -> Path:
    pytest.importorskip("cryptography", reason="makes the certificate of the test's server")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(retry.Patience, "__init__", _impatient(retry.Patience.__init__))


def _impatient(init: Any) -> Any:
    def impatient(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **{"first_wait": 0.01, "longest_wait": 0.02, **options})

    return impatient
