"""A laboratory's certificates, made anew for each run of the tests."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from pynq_async import Tls


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority, files made with it and by another one, and contexts for terminators."""

    authority: trustme.CA
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        """An authority in ca.pem, a client in client.pem and client.key, the like of another one in other_*."""
        for prefix in ("other_", ""):
            authority = trustme.CA()
            authority.cert_pem.write_to_path(folder / f"{prefix}ca.pem")
            client = authority.issue_cert("operator@lab")
            client.private_key_pem.write_to_path(folder / f"{prefix}client.key")

            for number, part in enumerate(client.cert_chain_pems):
                part.write_to_path(folder / f"{prefix}client.pem", append=number > 0)

        return cls(authority, folder)

    def terminator(self, *names: str, clients: bool = False, expired: bool = False) -> ssl.SSLContext:
        """A terminator's context, with a certificate for `names`; with `clients` it wants one from them too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        end = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        self.authority.issue_cert(*names, not_before=end - timedelta(days=5), not_after=end).configure_cert(context)

        if clients:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED

        return context

    def tls(self, *, ca: str = "ca.pem", client: str | None = None, server_name: str | None = None) -> Tls:
        """What a client is told; `client` is `client` or `other_client`."""
        return Tls(
            ca=self.folder / ca,
            certificate=self.folder / f"{client}.pem" if client else None,
            key=self.folder / f"{client}.key" if client else None,
            server_name=server_name,
        )
