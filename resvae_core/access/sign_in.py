"""How it is known who somebody is, and which role follows: single user, sign-in, or proxy.

One of three ways holds for a whole installation, by what is configured:

1. **Single user** where nothing is configured: whoever opens the page is its steward.
2. **Sign-in** where an ``[auth]`` section names an OpenID provider. Roles follow from claims of the
   signed identity token.
3. **Proxy** where ``RESVAE_PROXY_SECRET`` is set: a reverse proxy that has signed people in names
   them in headers, which are believed only together with the secret.

Roles are in ``roles.toml`` of the state folder or in a section ``[roles]`` beside ``[auth]``, never
in both. ``RESVAE_ACCESS`` says which way must hold, so that a file that went missing closes an
installation and does not open it. What is configured by half is refused, never completed.
"""

from __future__ import annotations

import hmac
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from resvae_core.access.roles import ROLES, Actor, Role
from resvae_core.errors import AccessError, ConfigError

Way = Literal["single-user", "sign-in", "proxy"]

ROLES_FILE = "roles.toml"
WAY_VARIABLE = "RESVAE_ACCESS"
SECRET_VARIABLE = "RESVAE_PROXY_SECRET"
HEADER_VARIABLES = {
    "secret": ("RESVAE_PROXY_SECRET_HEADER", "X-Resvae-Proxy-Secret"),
    "user": ("RESVAE_PROXY_USER_HEADER", "X-Forwarded-User"),
    "groups": ("RESVAE_PROXY_GROUPS_HEADER", "X-Forwarded-Groups"),
}
"""Which variable names which header, and the usual name."""
PROVIDER_KEYS = (
    "redirect_uri",
    "cookie_secret",
    "client_id",
    "client_secret",
    "server_metadata_url",
)
MIN_SECRET = 32
"""Characters of a secret; 32 hexadecimal ones are 128 bits."""
LEEWAY_SECONDS = 300
"""How far the clock of a provider may be ahead."""
_ROLE_KEYS = ("default", "emails", "subjects", "groups", "groups_claim", "sign_in_hours")


@dataclass(frozen=True)
class RoleRules:
    """Which role follows from who somebody is; where several do, the one that may most.

    Parameters
    ----------
    default
        Role of people who are known and not named here; ``none`` lets them in nowhere.
    emails, subjects, groups
        E-mail address (verified ones count), subject (``sub`` claim, or a proxy's user), and
        group, each with its role.
    groups_claim
        Claim that holds the groups.
    sign_in_hours
        How long a sign-in holds.
    """

    default: Role = "viewer"
    emails: Mapping[str, Role] = field(default_factory=dict)
    subjects: Mapping[str, Role] = field(default_factory=dict)
    groups: Mapping[str, Role] = field(default_factory=dict)
    groups_claim: str = "groups"
    sign_in_hours: float = 12.0

    def role(self, *, email: str, subject: str, groups: Sequence[str]) -> Role:
        """Return the role that may most of all that follow; the default where none does."""
        found = [
            self.emails.get(email.casefold()),
            self.subjects.get(subject),
            *map(self.groups.get, groups),
        ]
        roles = [role for role in found if role is not None]
        return max(roles, key=ROLES.index) if roles else self.default


@dataclass(frozen=True)
class AccessRules:
    """What is configured.

    Parameters
    ----------
    way
        How it is known who somebody is.
    roles
        Which role follows.
    has_roles
        Whether somebody wrote these rules; without them everybody has the default role.
    secret
        Shared with the proxy.
    headers
        Names of the proxy's headers: ``secret``, ``user``, ``groups``.
    """

    way: Way
    roles: RoleRules = field(default_factory=RoleRules)
    has_roles: bool = False
    secret: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def read_rules(
    environment: Mapping[str, str],
    *,
    auth: Mapping[str, object] | None,
    roles: Mapping[str, object] | None,
    roles_file: Path,
) -> AccessRules:
    """Read how access is configured.

    Parameters
    ----------
    environment
        Environment variables.
    auth, roles
        The sections ``[auth]`` and ``[roles]`` of the secrets; None where there is none.
    roles_file
        Where ``roles.toml`` would be.

    Raises
    ------
    ConfigError
        If something is configured by half, twice, or in a way that is not understood.
    """
    way = _way(environment, has_provider=auth is not None)
    _require_way(environment, way)
    written = _written_roles(roles, roles_file)
    if way == "single-user":
        if written is not None:
            raise ConfigError(
                "Roles are configured, but nothing says how people sign in.",
                remedy="Configure [auth] in .streamlit/secrets.toml or RESVAE_PROXY_SECRET, or "
                "remove the roles.",
            )
        return AccessRules(way)
    rules = _read_roles(written or {})
    if way == "sign-in":
        _check_provider(auth or {})
        return AccessRules(way, rules, written is not None)
    headers = {
        part: environment.get(variable) or usual
        for part, (variable, usual) in HEADER_VARIABLES.items()
    }
    secret = environment[SECRET_VARIABLE]
    return AccessRules(way, rules, written is not None, secret, headers)


def actor_from_claims(
    claims: Mapping[str, object], rules: AccessRules, *, now: float | None = None
) -> Actor | None:
    """Return who signed in; None where nobody has, or it was too long ago.

    Who has no role here is returned with the role ``none``.

    Parameters
    ----------
    claims
        Of the identity token, whose signature was verified; ``is_logged_in`` among them.
    rules
        What is configured.
    now
        Seconds since 1970; the clock's where None.
    """
    if claims.get("is_logged_in") is not True:
        return None
    age = (time.time() if now is None else now) - _number(claims.get("iat"))
    if not -LEEWAY_SECONDS <= age < rules.roles.sign_in_hours * 3600:
        return None
    subject = str(claims.get("sub") or "")
    # anybody can enter anybody's address at many providers: it counts when it was verified
    email = str(claims.get("email") or "") if claims.get("email_verified") is True else ""
    groups = _texts(claims.get(rules.roles.groups_claim))
    role = rules.roles.role(email=email, subject=subject, groups=groups) if subject else "none"
    return Actor(email or subject or "no subject", role, "sign-in")


def actor_from_headers(get_all: Callable[[str], Sequence[str]], rules: AccessRules) -> Actor:
    """Return whom the proxy names.

    Parameters
    ----------
    get_all
        Gives all values of a header, none where it is absent.
    rules
        What is configured.

    Raises
    ------
    AccessError
        If the secret is missing or wrong, or nobody is named.
    """
    secret = _single(get_all(rules.headers["secret"]))
    if not hmac.compare_digest(secret.encode(), rules.secret.encode()):
        raise AccessError(
            "This page can only be reached through its proxy.",
            remedy="Open it at the address that your administrator gave you.",
        )
    user = _single(get_all(rules.headers["user"]))
    if not user:
        raise AccessError(
            "The proxy did not say who you are.",
            remedy="Sign in there again; if that does not help, tell your administrator.",
        )
    groups = _texts(_single(get_all(rules.headers["groups"])))
    return Actor(user, rules.roles.role(email=user, subject=user, groups=groups), "proxy")


def _way(environment: Mapping[str, str], *, has_provider: bool) -> Way:
    """Return which way is configured; refuse two of them, and halves of one."""
    secret = environment.get(SECRET_VARIABLE)
    if secret is None:
        for variable, _ in HEADER_VARIABLES.values():
            if variable in environment:
                raise _half(f"{variable} is set, but {SECRET_VARIABLE} is not")
        return "sign-in" if has_provider else "single-user"
    if len(secret) < MIN_SECRET:
        raise _half(f"{SECRET_VARIABLE} is shorter than {MIN_SECRET} characters")
    if has_provider:
        raise _half(f"both an [auth] section and {SECRET_VARIABLE} are configured")
    return "proxy"


def _require_way(environment: Mapping[str, str], way: Way) -> None:
    wanted = environment.get(WAY_VARIABLE)
    if wanted is None or wanted == way:
        return
    if wanted not in get_args(Way):
        raise ConfigError(
            f"{WAY_VARIABLE} is {wanted!r}; expected one of {', '.join(get_args(Way))}.",
            remedy=f"Change or unset {WAY_VARIABLE}.",
        )
    raise _half(f"{WAY_VARIABLE} asks for {wanted!r}, but what is configured is {way!r}")


def _check_provider(auth: Mapping[str, object]) -> None:
    missing = [key for key in PROVIDER_KEYS if not isinstance(auth.get(key), str) or not auth[key]]
    if missing:
        raise _half(f"the section [auth] lacks {', '.join(missing)}")
    # a subject is one person's only within one provider
    named = [key for key, value in auth.items() if _is_section(value) and key != "client_kwargs"]
    if named:
        raise _half(f"the section [auth] has more than one provider ({', '.join(named)})")
    if len(str(auth["cookie_secret"])) < MIN_SECRET:
        raise _half(f"cookie_secret in [auth] is shorter than {MIN_SECRET} characters")


def _written_roles(section: Mapping[str, object] | None, path: Path) -> Mapping[str, object] | None:
    """Return the one place where roles are written; None where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return section
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name} cannot be read ({type(error).__name__}).",
            remedy="Check its permissions and that it is a text.",
        ) from error
    if section is not None:
        raise _half(f"roles are both in {path.name} and in the section [roles]")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path.name} is no valid TOML: {error}.", remedy="Correct that place."
        ) from error


def _read_roles(values: Mapping[str, object]) -> RoleRules:
    unknown = [key for key in values if key not in _ROLE_KEYS]
    if unknown:
        raise ConfigError(
            f"The roles have an unknown key {unknown[0]!r}.",
            remedy=f"The keys are {', '.join(_ROLE_KEYS)}.",
        )
    default = values.get("default", "viewer")
    hours = values.get("sign_in_hours", 12.0)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 720:
        raise _wrong_role("sign_in_hours", hours, "more than 0 and at most 720")
    claim = values.get("groups_claim", "groups")
    if not isinstance(claim, str) or not claim:
        raise _wrong_role("groups_claim", claim, "the name of a claim")
    emails = _named(values, "emails")
    return RoleRules(
        default="none" if default == "none" else _role("default", default, extra=", none"),
        emails={email.casefold(): role for email, role in emails.items()},
        subjects=_named(values, "subjects"),
        groups=_named(values, "groups"),
        groups_claim=claim,
        sign_in_hours=float(hours),
    )


def _named(values: Mapping[str, object], key: str) -> dict[str, Role]:
    section = values.get(key, {})
    if not isinstance(section, Mapping):
        raise _wrong_role(key, section, "a section of names and roles")
    return {str(name): _role(f"{key}.{name}", role) for name, role in section.items()}


def _role(key: str, value: object, *, extra: str = "") -> Role:
    for role in ROLES:
        if value == role:
            return role
    raise _wrong_role(key, value, f"{', '.join(ROLES)}{extra}")


def _is_section(value: object) -> bool:
    return isinstance(value, Mapping)


def _number(value: object) -> float:
    """Return a time as a number; minus infinity, which is never recent, where it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else float("-inf")  # type: ignore[arg-type]


def _texts(value: object) -> list[str]:
    """Return the names in a claim or a header: a list, or a text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return []
    return [part.strip() for part in parts if isinstance(part, str) and part.strip()]


def _single(values: Sequence[str]) -> str:
    """Return a header's value; none where it was sent twice, for one may be a stranger's."""
    return values[0].strip() if len(values) == 1 else ""


def _half(problem: str) -> ConfigError:
    return ConfigError(
        f"Access is not configured completely: {problem}.",
        remedy="Nobody is let in until that is put right; see docs/access.md.",
    )


def _wrong_role(key: str, value: object, expected: str) -> ConfigError:
    return ConfigError(
        f"The roles say {key} = {value!r}; expected {expected}.", remedy=f"Change {key}."
    )
