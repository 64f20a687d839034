"""The module: every command in a worker thread, types of the library to types of the bus (station 6.1, 6.2).

Lives here: the implementation, the variable certificate_store_update, garbage collection every 20 minutes. What the
commands do is in the package `evse_security`, whose docstrings hold for the methods here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import evse_security as engine
from everest.contracts.interfaces.evse_security import EvseSecurityImplementation
from everest.contracts.types.evse_security import (
    CaCertificateType,
    CertificateHashData,
    CertificateStoreUpdate,
    CertificateStoreUpdateOperation,
    CertificateType,
    CertificateValidationResult,
    DeleteCertificateResult,
    EncodingFormat,
    GetCertificateFullInfoResult,
    GetCertificateInfoResult,
    GetCertificateSignRequestResult,
    GetInstalledCertificatesResult,
    InstallCertificateResult,
    LeafCertificateType,
    OCSPRequestDataList,
)
from everest.runtime import Module, ModuleContext, StartupError

GARBAGE_INTERVAL = 20 * 60.0
PATHS = [field for field in engine.Directories.__dataclass_fields__ if field != "base"]
_T = TypeVar("_T")


def base_of(configured: str, etc: Path) -> Path:
    """Where relative paths begin: `base_dir`, itself relative to the working directory; empty means `<etc>/certs`."""
    return Path(configured).absolute() if configured else etc / "certs"


async def _run(call: Callable[..., _T], *arguments: Any) -> _T:
    """Run a command of the engine in a worker thread."""
    return await asyncio.to_thread(call, *arguments)


async def _convert(type: type[_T], call: Callable[..., Any], *arguments: Any) -> _T:
    """The same, with the result as the bus's `type`, whose names are equal."""
    return msgspec.convert(msgspec.to_builtins(await _run(call, *arguments)), type)


def _ca(type: CaCertificateType) -> engine.CaCertificateType:
    return engine.CaCertificateType(type.value)


def _leaf(type: LeafCertificateType) -> engine.LeafCertificateType:
    return engine.LeafCertificateType(type.value)


def _hash(data: CertificateHashData) -> engine.CertificateHashData:
    return msgspec.convert(msgspec.to_builtins(data), engine.CertificateHashData)


class Security(EvseSecurityImplementation):
    """Implementation `main`."""

    def __init__(self, security: engine.EvseSecurity) -> None:
        super().__init__()
        self._engine = security

    def _installed(
        self, result: InstallCertificateResult, ca: CaCertificateType | None, leaf: LeafCertificateType | None
    ) -> InstallCertificateResult:
        if result == InstallCertificateResult.Accepted:
            operation = CertificateStoreUpdateOperation.Installed
            self._update(operation, ca, leaf)
        return result

    def _update(
        self,
        operation: CertificateStoreUpdateOperation,
        ca: CaCertificateType | None,
        leaf: LeafCertificateType | None,
    ) -> None:
        update = CertificateStoreUpdate(operation=operation, ca_certificate_type=ca, leaf_certificate_type=leaf)
        self.publish_certificate_store_update(update)

    async def install_ca_certificate(
        self, certificate: str, certificate_type: CaCertificateType
    ) -> InstallCertificateResult:
        call = self._engine.install_ca_certificate
        result = await _convert(InstallCertificateResult, call, certificate, _ca(certificate_type))
        return self._installed(result, certificate_type, None)

    async def delete_certificate(self, certificate_hash_data: CertificateHashData) -> DeleteCertificateResult:
        result, cas, leaves = await _run(self._engine.delete_certificate, _hash(certificate_hash_data))
        for ca in cas:
            self._update(CertificateStoreUpdateOperation.Deleted, CaCertificateType(ca.value), None)
        for leaf in leaves:
            self._update(CertificateStoreUpdateOperation.Deleted, None, LeafCertificateType(leaf.value))
        return DeleteCertificateResult(result.value)

    async def update_leaf_certificate(
        self, certificate_chain: str, certificate_type: LeafCertificateType
    ) -> InstallCertificateResult:
        call = self._engine.update_leaf_certificate
        result = await _convert(InstallCertificateResult, call, certificate_chain, _leaf(certificate_type))
        return self._installed(result, None, certificate_type)

    async def verify_certificate(
        self, certificate_chain: str, certificate_types: list[LeafCertificateType]
    ) -> CertificateValidationResult:
        types = [_leaf(type) for type in certificate_types]
        call = self._engine.verify_certificate
        return await _convert(CertificateValidationResult, call, certificate_chain, types)

    async def get_installed_certificates(
        self, certificate_types: list[CertificateType]
    ) -> GetInstalledCertificatesResult:
        types = [engine.CertificateType(type.value) for type in certificate_types]
        call = self._engine.get_installed_certificates
        return await _convert(GetInstalledCertificatesResult, call, types)

    async def get_v2g_ocsp_request_data(self) -> OCSPRequestDataList:
        return await _convert(OCSPRequestDataList, self._engine.get_v2g_ocsp_request_data)

    async def get_mo_ocsp_request_data(self, certificate_chain: str) -> OCSPRequestDataList:
        call = self._engine.get_mo_ocsp_request_data
        return await _convert(OCSPRequestDataList, call, certificate_chain)

    async def update_ocsp_cache(self, certificate_hash_data: CertificateHashData, ocsp_response: str) -> None:
        await _run(self._engine.update_ocsp_cache, _hash(certificate_hash_data), ocsp_response)

    async def is_ca_certificate_installed(self, certificate_type: CaCertificateType) -> bool:
        return await _run(self._engine.is_ca_certificate_installed, _ca(certificate_type))

    async def generate_certificate_signing_request(
        self, certificate_type: LeafCertificateType, country: str, organization: str, common: str, use_tpm: bool
    ) -> GetCertificateSignRequestResult:
        call = self._engine.generate_certificate_signing_request
        arguments = (_leaf(certificate_type), country, organization, common, use_tpm)
        return await _convert(GetCertificateSignRequestResult, call, *arguments)

    async def get_leaf_certificate_info(
        self, certificate_type: LeafCertificateType, encoding: EncodingFormat, include_ocsp: bool
    ) -> GetCertificateInfoResult:
        arguments = (_leaf(certificate_type), engine.EncodingFormat(encoding.value), include_ocsp)
        call = self._engine.get_leaf_certificate_info
        return await _convert(GetCertificateInfoResult, call, *arguments)

    async def get_all_valid_certificates_info(
        self, certificate_type: LeafCertificateType, encoding: EncodingFormat, include_ocsp: bool
    ) -> GetCertificateFullInfoResult:
        arguments = (_leaf(certificate_type), engine.EncodingFormat(encoding.value), include_ocsp)
        call = self._engine.get_all_valid_certificates_info
        return await _convert(GetCertificateFullInfoResult, call, *arguments)

    async def get_verify_file(self, certificate_type: CaCertificateType) -> str:
        return await _run(self._engine.get_verify_file, _ca(certificate_type))

    async def get_verify_location(self, certificate_type: CaCertificateType) -> str:
        return await _run(self._engine.get_verify_location, _ca(certificate_type))

    async def get_leaf_expiry_days_count(self, certificate_type: LeafCertificateType) -> int:
        return await _run(self._engine.get_leaf_expiry_days_count, _leaf(certificate_type))

    async def verify_file_signature(self, file_path: str, signing_certificate: str, signature: str) -> bool:
        call = self._engine.verify_file_signature
        return await _run(call, file_path, signing_certificate, signature)


class EvseSecurityModule(Module):
    """Composition; a wrong directory ends the start with one line."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        base = base_of(str(self.config["base_dir"]), self.info.paths.etc)
        directories = engine.Directories(base, **{key: str(self.config[key]) for key in PATHS})
        password = str(self.config["private_key_password"]) or None
        try:
            self._engine = engine.EvseSecurity(directories, private_key_password=password, now=self.clock.now)
        except engine.ConfigurationError as error:
            raise StartupError(f"module {self.info.id}: {error}") from error
        self.provide("main", Security(self._engine))

    async def ready(self) -> None:
        """Collect garbage now and then, as long as the module lives."""
        self.spawn(self._collect_garbage(), name="garbage collection")

    async def _collect_garbage(self) -> None:
        while True:
            await asyncio.sleep(GARBAGE_INTERVAL)
            await _run(self._engine.collect_garbage)
