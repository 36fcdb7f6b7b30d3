"""Signs pictures with certificates made on the spot: no key is ever committed, nothing is fetched."""

from __future__ import annotations

import datetime
import functools
import io
import json
from dataclasses import dataclass
from typing import Any

import pytest

c2pa = pytest.importorskip("c2pa", reason="needs the extra [c2pa]")
from cryptography import x509  # noqa: E402 - comes with c2pa-python
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True)
class Authority:
    """A root certificate (PEM), and a signer's chain and key under it."""

    root: str
    chain: str
    key: str


@functools.cache
def authority() -> Authority:
    """A root and a signer under it, made once."""
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, leaf_name = (
        x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "ZZ"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Works"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        for name in ("Test Root", "Test Signer")
    )
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(leaf_name, root_name, leaf_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    root_pem = root.public_bytes(pem).decode()
    return Authority(root_pem, leaf.public_bytes(pem).decode() + root_pem, key.decode())


def _certificate(subject: Any, issuer: Any, public: Any) -> Any:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )


def _usage(*, sign: bool) -> Any:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only")
    rest = dict.fromkeys((*names, "decipher_only"), False)
    return x509.KeyUsage(digital_signature=sign, key_cert_sign=not sign, crl_sign=not sign, **rest)


def created(term: str, agent: str = "Test Painter") -> dict[str, Any]:
    """A creating action of this digital source type."""
    return {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE + term, "softwareAgent": {"name": agent}}


def sign(
    data: bytes,
    mime: str,
    actions: list[dict[str, Any]],
    *,
    by: Authority,
    parent: bytes | None = None,
    relationship: str = "parentOf",
) -> bytes:
    """The picture with a signed manifest of these actions; `parent` is the picture it was made from."""
    manifest = {
        "claim_generator_info": [{"name": "Test Camera", "version": "1"}],
        "format": mime,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    info = c2pa.C2paSignerInfo(b"es256", by.chain.encode(), by.key.encode(), None)
    settings = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False}}
    out = io.BytesIO()
    context = c2pa.Context.from_dict(settings)
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest), context=context) as builder:
        if parent is not None:
            about = {"title": "parent", "relationship": relationship}
            builder.add_ingredient(json.dumps(about), mime, io.BytesIO(parent))
        builder.sign(signer, mime, io.BytesIO(data), out)
    return out.getvalue()
