"""One ftp connection: `ftplib` with sockets that can be cut, TLS from either side, and what servers do in practice.

A data connection takes up the TLS session of the control connection: many servers refuse it otherwise (vsftpd,
FileZilla Server). A peer that ends TLS without a word is no failure: sizes and the final reply tell whether all came
through.
"""

from __future__ import annotations

import contextlib
import ftplib
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from .blocking import Cut
from .locations import Location
from .partial import Limits

CHUNK = 64 * 1024
REFUSED = (ftplib.error_perm, ftplib.error_temp)
MAX_LINES = 1000
"""Of one reply; `ftplib` reads them as long as they come."""
GOODBYE = 5.0
"""Seconds a peer has to end TLS politely."""


class Session(ftplib.FTP_TLS):
    """Errors of all methods: `ftplib.Error`, `OSError`, `EOFError`, `ValueError` for a name with a line break."""

    def __init__(self, limits: Limits, cut: Cut) -> None:
        super().__init__(context=limits.tls(), timeout=limits.connect)
        self._limits = limits
        self._cut = cut

    def begin(self, place: Location) -> None:
        """Connect and log in."""
        implicit = place.scheme == "ftps"
        self.host = place.host
        line = self._dial(place.host, place.port or (990 if implicit else 21))
        self._take(self._encrypt(line) if implicit else line)
        self.welcome = self.getresp()
        encrypted = implicit or self._offers_tls()
        self.login(place.user or "anonymous", place.password or "", secure=False)
        if encrypted:
            self._encrypt_data(needed=implicit)
        self.voidcmd("TYPE I")
        if self.sock is not None:
            self.sock.settimeout(self._limits.idle)

    def getmultiline(self) -> str:
        """One reply of the server. Errors: also `ftplib.error_proto` for one without an end."""
        said = [self.getline()]
        code = said[0][:3]
        while said[0][3:4] == "-" and said[-1][:4].rstrip() != code:
            if len(said) >= MAX_LINES:
                raise ftplib.error_proto(f"a reply of more than {MAX_LINES} lines")
            said.append(self.getline())
        return "\n".join(said)

    def _take(self, line: socket.socket) -> None:
        self.sock = line
        self.af = line.family
        self.file = line.makefile("r", encoding=self.encoding)

    def _dial(self, host: str, port: int) -> socket.socket:
        """A connected socket, which `Cut` can end from the beginning on."""
        failure: OSError = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            line = socket.socket(family, kind, protocol)
            try:
                line.settimeout(self._limits.connect)
                self._cut.hold(line)
                line.connect(address)
            except OSError as error:
                line.close()
                failure = error
            except BaseException:
                line.close()
                raise
            else:
                return line
        raise failure

    def _encrypt(self, line: socket.socket, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        wrapped = self.context.wrap_socket(
            line, server_hostname=self.host, do_handshake_on_connect=False, session=session
        )
        try:
            self._cut.hold(wrapped)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped

    def _offers_tls(self) -> bool:
        try:
            self.voidcmd("AUTH TLS")
        except REFUSED:
            return False
        assert self.sock is not None
        self._take(self._encrypt(self.sock))
        return True

    def _encrypt_data(self, *, needed: bool) -> None:
        """PROT P; a server may refuse it where TLS is a matter of taste."""
        try:
            self.prot_p()
        except REFUSED:
            if needed:
                raise

    # ------------------------------------------------------------------------------------------------- data

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, Any]:
        """Passive; the size is asked for elsewhere."""
        line = self._dial(*self.makepasv())
        try:
            if rest:
                self.sendcmd(f"REST {rest}")
            reply = self.sendcmd(cmd)
            if reply.startswith("2"):
                reply = self.getresp()  # some servers tell of the connection first
            if not reply.startswith("1"):
                raise ftplib.error_reply(reply)
            if self._prot_p:  # type: ignore[attr-defined]
                line = self._encrypt(line, self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None)
            line.settimeout(self._limits.idle)
        except BaseException:
            line.close()
            raise
        return line, None

    def fetch(self, path: str, begin: int, write: Callable[[bytes], None]) -> None:
        """RETR from the byte `begin` on."""
        with self.transfercmd(f"RETR {path}", begin or None) as line:
            while chunk := line.recv(CHUNK):
                write(chunk)
            _part(line)
        self.voidresp()

    def store(self, line: socket.socket, blocks: Iterable[bytes]) -> None:
        """Send over the data connection and hear whether it arrived."""
        with line:
            for block in blocks:
                line.sendall(block)
            _part(line)
        self.voidresp()

    # ------------------------------------------------------------------------------------------------- questions

    def tells(self, path: str) -> int | None:
        """The size of a file; None where there is none, and where the server cannot tell."""
        try:
            return self.size(path)
        except REFUSED:
            return None

    def modified(self, path: str) -> str | None:
        """When it was written, in the server's words."""
        try:
            return self.voidcmd(f"MDTM {path}")
        except REFUSED:
            return None


def _part(line: socket.socket) -> None:
    if isinstance(line, ssl.SSLSocket):
        line.settimeout(GOODBYE)
        with contextlib.suppress(OSError, ValueError):
            line.unwrap()
