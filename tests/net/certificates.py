"""A certificate authority of its own for each test that wants one."""

import datetime as dt
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) if text else x509.Name([])


class CertificateAuthority:
    """Issues certificates for servers into a folder."""

    def __init__(self, folder: Path, name: str = "Home Root") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(name, self._key, days=10)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.cafile = str(folder / f"{name.replace(' ', '-')}.pem")
        Path(self.cafile).write_text(self.pem)

    def _builder(self, subject: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + days * DAY)
        )

    def der(self, *names: x509.GeneralName, subject: str = "") -> bytes:
        """Return the octets of a new certificate."""
        return self._issue(names, subject, 10)[0].public_bytes(serialization.Encoding.DER)

    def file(self, *names: x509.GeneralName, subject: str = "", days: int = 10) -> Path:
        """Return the path of a new certificate with its key; its last day is over where `days` is negative."""
        certificate, key = self._issue(names, subject, days)
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def context(self, *names: x509.GeneralName, subject: str = "", days: int = 10) -> ssl.SSLContext:
        """Return the context of a server with a new certificate."""
        return server_context(self.file(*names, subject=subject, days=days))

    def _issue(
        self, names: tuple[x509.GeneralName, ...], subject: str, days: int
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject, key, days)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256()), key


def server_context(path: Path) -> ssl.SSLContext:
    """Return the context of a server with the certificate and key of a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def fingerprint_of(path: Path) -> str:
    """Return the SHA-256 fingerprint of the first certificate of a file, as openssl prints it."""
    return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()
