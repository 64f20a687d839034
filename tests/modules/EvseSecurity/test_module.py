"""The evse_security contract over the bus; what the commands do is tested with the library (station 6)."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import evse_security as engine
from everest.contracts.types import evse_security as bus
from everest.runtime import StartupError
from everest.runtime.testing import ModuleBench
from evse_security import types
from evse_security.x509 import hash_data
from modules.EvseSecurity.evse_security_module import base_of
from tests.evse_security.pki import YEAR, Pki, issue

MODULE = Path(__file__).parents[3] / "modules/EvseSecurity"


@pytest.fixture(scope="module")
def pki() -> Pki:
    """Certificates that are valid on the machine's clock."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    root = issue("root", start=now - YEAR, end=now + YEAR)
    sub = issue("sub", root, start=now - YEAR, end=now + YEAR, ocsp="http://ocsp.example/sub")
    leaf = issue("leaf", sub, ca=False, start=now - YEAR, end=now + YEAR, ocsp="http://ocsp.example/leaf")
    return Pki(root, sub, sub, leaf)


def bench(base: Path, **config: Any) -> ModuleBench:
    return ModuleBench(MODULE, module_id="evse_security", config={"base_dir": str(base), **config})


async def call(security: ModuleBench, command: str, **arguments: Any) -> Any:
    return await security.call("main", command, arguments)


async def test_a_ca_certificate_is_installed_announced_and_deleted(tmp_path: Path, pki: Pki) -> None:
    async with bench(tmp_path) as security:
        assert await call(security, "is_ca_certificate_installed", certificate_type="CSMS") is False
        install = {"certificate": pki.root.pem, "certificate_type": "CSMS"}
        assert await call(security, "install_ca_certificate", **install) == "Accepted"
        assert await security.next("main", "certificate_store_update") == {
            "operation": "Installed",
            "ca_certificate_type": "CSMS",
        }
        assert await call(security, "is_ca_certificate_installed", certificate_type="CSMS") is True
        path = str(tmp_path / "ca/csms/CSMS_ROOT_CA.pem")
        assert await call(security, "get_verify_file", certificate_type="CSMS") == path
        assert await call(security, "get_verify_location", certificate_type="CSMS") == path
        listed = await call(security, "get_installed_certificates", certificate_types=["CSMSRootCertificate"])
        [chain] = listed["certificate_hash_data_chain"]
        data = chain["certificate_hash_data"]
        assert data == msgspec.to_builtins(hash_data(pki.root.certificate, pki.root.certificate))
        assert await call(security, "delete_certificate", certificate_hash_data=data) == "Accepted"
        assert await security.next("main", "certificate_store_update") == {
            "operation": "Deleted",
            "ca_certificate_type": "CSMS",
        }
        assert await call(security, "delete_certificate", certificate_hash_data=data) == "NotFound"
        assert len(security.published("main", "certificate_store_update")) == 2


async def test_a_refused_installation_is_not_announced(tmp_path: Path) -> None:
    async with bench(tmp_path) as security:
        install = {"certificate": "nonsense", "certificate_type": "V2G"}
        assert await call(security, "install_ca_certificate", **install) == "InvalidFormat"
        assert security.published("main", "certificate_store_update") == []


async def test_a_leaf_goes_from_request_to_information(tmp_path: Path, pki: Pki) -> None:
    async with bench(tmp_path, private_key_password="123456") as security:
        asked = {"country": "DE", "organization": "Operator", "common": "CP001", "use_tpm": False}
        made = await call(security, "generate_certificate_signing_request", certificate_type="V2G", **asked)
        assert made["status"] == "Accepted"
        assert made["csr"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
        refused = await call(security, "generate_certificate_signing_request", certificate_type="MO", **asked)
        assert refused == {"status": "InvalidRequestedType"}

        update = {"certificate_chain": pki.leaf.chain, "certificate_type": "V2G"}
        assert await call(security, "update_leaf_certificate", **update) == "NoRootCertificateInstalled"
        await call(security, "install_ca_certificate", certificate=pki.root.pem, certificate_type="V2G")
        assert await call(security, "update_leaf_certificate", **update) == "WriteError"
        (tmp_path / "client/cso/own.key").write_bytes(pki.leaf.key_pem("123456"))
        assert await call(security, "update_leaf_certificate", **update) == "Accepted"
        updates = security.published("main", "certificate_store_update")
        assert updates[-1] == {"operation": "Installed", "leaf_certificate_type": "V2G"}

        verify = {"certificate_chain": pki.leaf.chain, "certificate_types": ["V2G"]}
        assert await call(security, "verify_certificate", **verify) == "Valid"
        about = {"certificate_type": "V2G", "encoding": "PEM"}
        answer = await call(security, "get_leaf_certificate_info", **about, include_ocsp=False)
        assert answer["status"] == "Accepted"
        assert answer["info"]["key"] == str(tmp_path / "client/cso/own.key")
        assert answer["info"]["password"] == "123456"
        assert "ocsp" not in answer["info"]
        every = await call(security, "get_all_valid_certificates_info", **about, include_ocsp=False)
        assert [info["certificate_root"] for info in every["info"]] == [pki.root.pem]
        assert await call(security, "get_leaf_expiry_days_count", certificate_type="V2G") == 364
        data = msgspec.to_builtins(hash_data(pki.leaf.certificate, pki.sub1.certificate))
        assert await call(security, "delete_certificate", certificate_hash_data=data) == "Accepted"
        updates = security.published("main", "certificate_store_update")
        assert updates[-1] == {"operation": "Deleted", "leaf_certificate_type": "V2G"}


@pytest.mark.parametrize(("password", "head"), [("", "BEGIN PRIVATE KEY"), ("123456", "BEGIN ENCRYPTED PRIVATE KEY")])
async def test_a_new_key_is_encrypted_where_a_password_is_set(tmp_path: Path, password: str, head: str) -> None:
    """Station 6.6."""
    async with bench(tmp_path, private_key_password=password) as security:
        asked = {"country": "DE", "organization": "Operator", "common": "CP001", "use_tpm": False}
        made = await call(security, "generate_certificate_signing_request", certificate_type="CSMS", **asked)
        assert made["status"] == "Accepted"
        [key] = (tmp_path / "client/csms").glob("*.key")
        assert head in key.read_text()


async def test_ocsp_goes_round(tmp_path: Path, pki: Pki) -> None:
    async with bench(tmp_path) as security:
        await call(security, "install_ca_certificate", certificate=pki.root.pem, certificate_type="V2G")
        (tmp_path / "client/cso/leaf.pem").write_text(pki.leaf.pem + pki.sub1.pem)
        (tmp_path / "client/cso/leaf.key").write_bytes(pki.leaf.key_pem())
        asked = (await call(security, "get_v2g_ocsp_request_data"))["ocsp_request_data_list"]
        assert [entry["responder_url"] for entry in asked] == ["http://ocsp.example/leaf", "http://ocsp.example/sub"]
        same = await call(security, "get_mo_ocsp_request_data", certificate_chain=pki.leaf.pem + pki.sub1.pem)
        assert same["ocsp_request_data_list"] == asked
        for entry in asked:
            response = {"certificate_hash_data": entry["certificate_hash_data"], "ocsp_response": "cmVzcG9uc2U="}
            assert await call(security, "update_ocsp_cache", **response) is None
        about = {"certificate_type": "V2G", "encoding": "PEM", "include_ocsp": True}
        info = (await call(security, "get_leaf_certificate_info", **about))["info"]
        assert [Path(entry["ocsp_path"]).read_text() for entry in info["ocsp"]] == ["cmVzcG9uc2U="] * 2


async def test_a_file_signature_is_verified(tmp_path: Path, pki: Pki) -> None:
    (tmp_path / "firmware").write_bytes(b"firmware")
    assert isinstance(pki.leaf.key, ec.EllipticCurvePrivateKey)
    signature = base64.b64encode(pki.leaf.key.sign(b"firmware", ec.ECDSA(hashes.SHA256()))).decode()
    async with bench(tmp_path / "certs") as security:
        about = {"file_path": str(tmp_path / "firmware"), "signing_certificate": pki.leaf.pem}
        assert await call(security, "verify_file_signature", **about, signature=signature) is True
        assert await call(security, "verify_file_signature", **about, signature="AAAA") is False


@pytest.mark.looptime
async def test_garbage_is_collected_every_20_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Station 6.8."""
    loop = asyncio.get_running_loop()
    start, seen = loop.time(), list[int]()
    monkeypatch.setattr(engine.EvseSecurity, "collect_garbage", lambda self: seen.append(round(loop.time() - start)))
    async with bench(tmp_path):
        await asyncio.sleep(3700)
    assert seen == [1200, 2400, 3600]


async def test_a_wrong_directory_ends_the_start_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match=r"module evse_security: .*file: leaf directory of CSMS is a file"):
        async with bench(tmp_path, csms_leaf_cert_directory="file"):
            pass


def test_paths_begin_at_base_dir_or_at_the_prefix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert base_of("certs", Path("/prefix/etc/everest")) == tmp_path / "certs"
    assert base_of("/var/certs", Path("/prefix/etc/everest")) == Path("/var/certs")
    assert base_of("", Path("/prefix/etc/everest")) == Path("/prefix/etc/everest/certs")
    assert engine.Directories(tmp_path, csms_ca_bundle="/etc/ca.pem").path("csms_ca_bundle") == Path("/etc/ca.pem")


@pytest.mark.parametrize("name", [name for name in engine.__all__ if hasattr(bus, name)])
def test_the_library_s_shapes_are_those_of_the_bus(name: str) -> None:
    ours, theirs = getattr(types, name), getattr(bus, name)
    if issubclass(ours, msgspec.Struct):
        wanted = {(field.encode_name, field.required) for field in msgspec.structs.fields(theirs)}
        assert {(field.encode_name, field.required) for field in msgspec.structs.fields(ours)} == wanted
    else:
        assert [member.value for member in ours] == [member.value for member in theirs]
