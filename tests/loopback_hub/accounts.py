"""Who may do what: two tokens of one user, who owns the namespaces "founder" and "org"."""

from __future__ import annotations

from starlette.requests import Request

from .answers import HubError

USER = "founder"
NAMESPACES = (USER, "org")
WRITE_TOKEN = "hf_loopback_write"
READ_TOKEN = "hf_loopback_read"
ROLES = {WRITE_TOKEN: "write", READ_TOKEN: "read"}


def role_of(request: Request) -> str | None:
    """Give "write", "read" or None for nobody; a token that nobody has is an error, as on the Hub."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token and token not in ROLES:
        raise HubError(401, "Invalid credentials in Authorization header")
    return ROLES.get(token)


def demand_write(request: Request, namespace: str) -> None:
    role = role_of(request)
    if role is None:
        raise HubError(401, "Invalid username or password.")
    if role != "write":
        raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
    if namespace not in NAMESPACES:
        raise HubError(403, f'You don\'t have the rights to write under the namespace "{namespace}"')


def whoami(request: Request) -> dict[str, object]:
    role = role_of(request)
    if role is None:
        raise HubError(401, "Invalid username or password.")
    return {
        "type": "user",
        "name": USER,
        "orgs": [{"name": name} for name in NAMESPACES if name != USER],
        "auth": {"type": "access_token", "accessToken": {"displayName": "loopback", "role": role}},
    }
