"""A small OpenID provider for tests: code flow, RS256, and people whose claims a test chooses."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "resvae", "made-for-the-test"


@dataclass
class Provider:
    """An OpenID provider that signs in whoever is `next_person`, without asking.

    Parameters
    ----------
    address
        Its issuer.
    next_person
        Claims of the identity token of the next sign-in.
    """

    address: str
    next_person: dict[str, object] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "test"}))
    codes: dict[str, dict[str, object]] = field(default_factory=dict)

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser goes next, with a code for the application."""
        assert query["client_id"] == CLIENT_ID
        code = secrets.token_urlsafe()
        self.codes[code] = {**self.next_person, "nonce": query["nonce"]}
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str]) -> dict[str, object]:
        """Return a signed identity token for a code, which counts once."""
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300}
        token = jwt.encode(
            {"alg": "RS256", "kid": "test"}, {**claims, **self.codes.pop(form["code"])}, self.key
        )
        return {"access_token": "none", "token_type": "Bearer", "id_token": token}

    def documents(self) -> dict[str, dict[str, object]]:
        """Return what is at fixed addresses: the metadata and the public key."""
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/keys": {"keys": [{**self.key.as_dict(private=False), "use": "sig", "alg": "RS256"}]},
        }


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Serve a provider on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    server.provider = provider  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    @property
    def provider(self) -> Provider:
        return self.server.provider  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.end_headers()
        else:
            self._send(self.provider.documents()[address.path])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._send(self.provider.token(form))

    def _send(self, document: dict[str, object]) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass
