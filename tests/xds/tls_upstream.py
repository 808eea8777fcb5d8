"""An HTTPS upstream whose certificate comes from an authority of its own (PyPI: cryptography).

    tls_upstream.py CA_FILE NAME-OR-ADDRESS...

Writes the authority to CA_FILE, prints the port, and tells every client which server name it asked for.
"""

import datetime
import http.server
import ipaddress
import json
import ssl
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


def certificate(name, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=12))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def main():
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    is_authority = x509.BasicConstraints(ca=True, path_length=None)
    authority = certificate("tests' authority", authority_key, "tests' authority", authority_key, [is_authority])
    names = x509.SubjectAlternativeName([alternative(name) for name in sys.argv[2:]])
    leaf = certificate("upstream", key, "tests' authority", authority_key, [names])
    with open(sys.argv[1], "wb") as file:
        file.write(authority.public_bytes(PEM))

    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with tempfile.NamedTemporaryFile() as file:
        plain = serialization.NoEncryption()
        file.write(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain) + leaf.public_bytes(PEM))
        file.flush()
        context.load_cert_chain(file.name)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"sni": asked[-1], "host": self.headers["host"]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
