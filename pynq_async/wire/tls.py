"""TLS to a terminator in front of a board: what gRPC is given, and why a handshake fails.

gRPC shows a refused client certificate as a closed socket, and words the other causes anew from release to release. So
a handshake that failed is made once more with Python's `ssl`, which names them.
"""

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from ..concurrency import in_a_thread
from ..config import Address, Tls
from ..errors import TlsError

# Where gRPC's own words leave no doubt that it was TLS, should the second handshake go well.
_GRPC_SAYS_TLS = re.compile(
    r"handshake failed|certificate|Hostname Verification|ALPN|security handshaker|empty address list", re.IGNORECASE
)

_PATIENCE = 2.0  # seconds for the second handshake; meanwhile gRPC is not asked again

# OpenSSL's X509_V_ERR_ numbers (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_IP = 9, 10, 62, 64
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}

# Reasons of OpenSSL's for bytes that are no TLS at all.
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
# Alerts of the other end about the certificate that it was sent, or was not.
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE")
_REFUSES_CERTIFICATE = re.compile(r"ALERT_(UNKNOWN_CA|.*CERTIFICATE.*|DECRYPT_ERROR|ACCESS_DENIED|HANDSHAKE_FAILURE)")


@dataclass(frozen=True, slots=True)
class Security:
    """The content of the files that a `Tls` names, in the forms that gRPC and `ssl` take."""

    tls: Tls
    credentials: grpc.ChannelCredentials
    context: ssl.SSLContext

    @classmethod
    async def read(cls, board: str, tls: Tls) -> "Security":
        """Read and check the files, in a thread; raises `TlsError`."""
        return await in_a_thread(lambda: cls._read(board, tls))

    @classmethod
    def _read(cls, board: str, tls: Tls) -> "Security":
        ca, certificate, key = (_content(board, path) for path in (tls.ca, tls.certificate, tls.key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as gRPC: an intermediate may be the authority
        context.set_alpn_protocols(["h2"])

        if b"ENCRYPTED" in (key or b""):
            raise TlsError(board, f"the key in {tls.key} has a passphrase; gRPC needs one without")

        try:
            wrong = f"{tls.ca} is no PEM file of certificates"

            if tls.ca is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(tls.ca)

            wrong = f"{tls.certificate} and {tls.key} are no PEM files of a certificate and its key"

            if tls.certificate is not None:
                context.load_cert_chain(tls.certificate, tls.key, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                wrong = f"the key in {tls.key} is not that of {tls.certificate}"

            raise TlsError(board, wrong) from None

        return cls(tls, grpc.ssl_channel_credentials(ca, key, certificate), context)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """The channel options that go with the credentials."""
        return () if self.tls.server_name is None else (("grpc.ssl_target_name_override", self.tls.server_name),)

    async def cause(self, address: Address, said: str) -> str | None:
        """Why gRPC, which `said` so, gets no TLS connection; None when TLS is not to blame."""
        name = self.tls.server_name or address.host.partition("%")[0]

        try:
            spoken = await self._handshake(address, name)
        except ssl.SSLCertVerificationError as error:
            return await self._refused(address, name, error)
        except ssl.SSLError as error:
            return self._failed(error.reason or str(error))
        except (OSError, ValueError):
            return None

        if spoken is None:
            return "what answers there speaks TLS, but offers no HTTP/2 (ALPN h2), which gRPC needs"

        return f"gRPC says: {said}" if _GRPC_SAYS_TLS.search(said) else None

    def cause_of_status(self, said: str) -> str | None:
        """Why a terminator answers a call with an HTTP status, where that is about certificates."""
        # nginx with ssl_verify_client finishes the handshake, and then answers each request with 400.
        if "status: 400" not in said:
            return None

        wanted = (
            "wants a client certificate: give certificate and key"
            if self.tls.certificate is None
            else f"refuses the client certificate {self.tls.certificate}"
        )
        return f"it answers with HTTP status 400, as nginx does when it {wanted}"

    async def _handshake(self, address: Address, name: str, *, for_name: bool = True) -> dict[str, object] | None:
        """Shake hands and wait for what the other end says first; its certificate, or None without HTTP/2."""
        self.context.check_hostname = for_name

        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=self.context, server_hostname=name
            )

            try:
                connection: ssl.SSLObject = writer.get_extra_info("ssl_object")

                if connection.selected_alpn_protocol() != "h2":
                    return None

                if for_name:
                    # In TLS 1.3 a client certificate is refused after the client's part of the handshake is over.
                    await reader.read(1)

                return dict(connection.getpeercert() or {})
            finally:
                writer.transport.abort()

    async def _refused(self, address: Address, name: str, error: ssl.SSLCertVerificationError) -> str:
        """Why we refuse the other end's certificate."""
        if error.verify_code in (_OTHER_HOST, _OTHER_IP):
            return (
                f"the certificate there {await self._names(address, name)}, not for {name}: "
                "connect by a name that it has, or give that as server_name"
            )

        if error.verify_code in _UNKNOWN_ISSUER:
            authorities = self.tls.ca or "the public authorities; give the lab's as ca"
            return f"the certificate there was not signed by {authorities} ({error.verify_message})"

        if error.verify_code == _EXPIRED:
            return "the certificate there has expired"

        if error.verify_code == _NOT_YET_VALID:
            return "the certificate there is not valid yet; is this host's clock right?"

        return f"the certificate there is refused: {error.verify_message}"

    async def _names(self, address: Address, name: str) -> str:
        try:
            certificate = await self._handshake(address, name, for_name=False)
        except OSError:
            certificate = None

        alternatives = (certificate or {}).get("subjectAltName")
        names = [value for _, value in alternatives] if isinstance(alternatives, tuple) else []
        return f"is for {', '.join(names)}" if names else "names no host"

    def _failed(self, reason: str) -> str:
        """What OpenSSL's reason means."""
        if reason in _NO_TLS:
            return "what answers there speaks no TLS; give the terminator's port, or leave tls out for the board itself"

        alert = reason.rpartition("ALERT_")[2].replace("_", " ").lower()

        if self.tls.certificate is None and reason.endswith(_WANTS_CERTIFICATE):
            return f"it wants a client certificate: give certificate and key ({alert})"

        if self.tls.certificate is not None and _REFUSES_CERTIFICATE.search(reason):
            return f"it refuses the client certificate {self.tls.certificate} ({alert})"

        return f"the handshake failed ({alert})"


def _content(board: str, path: str | os.PathLike[str] | None) -> bytes | None:
    try:
        return None if path is None else Path(path).read_bytes()
    except OSError as error:
        raise TlsError(board, f"{path} cannot be read: {error.strerror or error}") from None
