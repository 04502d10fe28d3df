from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from resvae_core.access.roles import Actor, Role
from resvae_core.access.sign_in import (
    HEADER_VARIABLES,
    AccessRules,
    RoleRules,
    actor_from_claims,
    actor_from_headers,
    read_rules,
)
from resvae_core.errors import AccessError, ConfigError

SECRET = "0123456789abcdef0123456789abcdef"
PROVIDER: dict[str, object] = {
    "redirect_uri": "https://resvae.example.org/oauth2callback",
    "cookie_secret": SECRET,
    "client_id": "resvae",
    "client_secret": "x",
    "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}
ROLES: dict[str, object] = {
    "emails": {"Steward@Example.org": "steward"},
    "subjects": {"s-1": "analyst", "proxy-user": "analyst"},
    "groups": {"resvae-analysts": "analyst", "resvae-stewards": "steward"},
}
NOW = 1_800_000_000.0


def read(
    environment: Mapping[str, str] | None = None,
    *,
    auth: Mapping[str, object] | None = None,
    roles: Mapping[str, object] | None = None,
    file: Path = Path("/nonexistent/roles.toml"),
) -> AccessRules:
    return read_rules(environment or {}, auth=auth, roles=roles, roles_file=file)


def signed_in(**claims: object) -> dict[str, object]:
    return {"is_logged_in": True, "sub": "s-2", "iat": NOW - 60, **claims}


def sent(**headers: str | list[str]) -> object:
    known = {name.lower(): value for name, value in headers.items()}

    def get_all(name: str) -> Sequence[str]:
        value = known.get(name.lower().replace("-", "_"), [])
        return [value] if isinstance(value, str) else value

    return get_all


PROXY = read({"RESVAE_PROXY_SECRET": SECRET}, roles=ROLES)
SIGN_IN = read(auth=PROVIDER, roles=ROLES)


def test_nothing_configured_is_single_user_mode() -> None:
    assert read().way == "single-user"


@pytest.mark.parametrize(
    ("environment", "sections", "problem"),
    [
        ({"RESVAE_PROXY_SECRET": ""}, {}, "RESVAE_PROXY_SECRET is shorter than 32 characters"),
        ({"RESVAE_PROXY_SECRET": "short"}, {}, "RESVAE_PROXY_SECRET is shorter"),
        ({"RESVAE_PROXY_SECRET": SECRET}, {"auth": PROVIDER}, "both an .auth. section and"),
        ({"RESVAE_ACCESS": "sign-in"}, {}, "asks for 'sign-in', but .* is 'single-user'"),
        ({"RESVAE_ACCESS": "proxy"}, {"auth": PROVIDER}, "asks for 'proxy', but .* is 'sign-in'"),
        ({"RESVAE_ACCESS": "single-user"}, {"auth": PROVIDER}, "asks for 'single-user'"),
        ({}, {"auth": {}}, "lacks redirect_uri, cookie_secret, client_id"),
        (
            {},
            {"auth": {**PROVIDER, "cookie_secret": "short"}},
            "cookie_secret in .auth. is shorter",
        ),
        ({}, {"auth": {**PROVIDER, "client_id": ""}}, "lacks client_id"),
        ({}, {"auth": {**PROVIDER, "client_secret": 5}}, "lacks client_secret"),
        ({}, {"auth": {**PROVIDER, "okta": {}}}, r"more than one provider \(okta\)"),
        *(
            ({variable: "X-User"}, {}, f"{variable} is set, but RESVAE_PROXY_SECRET is not")
            for variable, _ in HEADER_VARIABLES.values()
        ),
    ],
)
def test_half_a_configuration_lets_nobody_in(
    environment: dict[str, str], sections: dict[str, Mapping[str, object]], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as found:
        read(environment, **sections)  # type: ignore[arg-type]
    assert "Nobody is let in until that is put right" in found.value.remedy
    assert SECRET not in str(found.value)


def test_unknown_way_is_refused() -> None:
    with pytest.raises(ConfigError, match="RESVAE_ACCESS is 'open'; expected one of single-user"):
        read({"RESVAE_ACCESS": "open"})


def test_roles_without_a_sign_in_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing says how people sign in"):
        read(roles={"default": "viewer"})


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        ({"admins": {}}, "unknown key 'admins'"),
        ({"default": "admin"}, "default = 'admin'; expected viewer, analyst, steward, none"),
        ({"emails": {"a@b.c": "owner"}}, r"emails\.a@b\.c = 'owner'; expected viewer"),
        ({"emails": {"a@b.c": "none"}}, r"emails\.a@b\.c = 'none'"),
        ({"groups": ["x"]}, "expected a section"),
        ({"groups_claim": ""}, "expected the name of a claim"),
        ({"sign_in_hours": 0}, "expected more than 0 and at most 720"),
        ({"sign_in_hours": True}, "expected more than 0"),
    ],
)
def test_roles_that_are_not_understood_are_refused(roles: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read(auth=PROVIDER, roles=roles)


def test_roles_come_from_the_file_or_the_section_and_never_from_both(tmp_path: Path) -> None:
    file = tmp_path / "roles.toml"
    file.write_text('default = "analyst"', encoding="utf-8")
    assert read(auth=PROVIDER, file=file).roles.default == "analyst"
    assert read(auth=PROVIDER, roles={"default": "none"}).roles.default == "none"
    assert read(auth=PROVIDER).roles == RoleRules()
    assert (read(auth=PROVIDER).has_roles, read(auth=PROVIDER, file=file).has_roles) == (
        False,
        True,
    )
    with pytest.raises(ConfigError, match=r"both in roles\.toml and in the section"):
        read(auth=PROVIDER, roles={}, file=file)
    file.write_text("default =", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"roles\.toml is no valid TOML"):
        read(auth=PROVIDER, file=file)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"roles\.toml cannot be read"):
        read(auth=PROVIDER, file=file)


@pytest.mark.parametrize(
    ("claims", "name", "role"),
    [
        ({}, "s-2", "viewer"),
        ({"sub": "s-1"}, "s-1", "analyst"),
        (
            {"email": "steward@example.org", "email_verified": True},
            "steward@example.org",
            "steward",
        ),
        ({"email": "steward@example.org", "email_verified": False}, "s-2", "viewer"),
        ({"email": "steward@example.org", "email_verified": "true"}, "s-2", "viewer"),
        ({"email": "steward@example.org"}, "s-2", "viewer"),
        ({"groups": ["other", "resvae-analysts"]}, "s-2", "analyst"),
        ({"groups": "resvae-stewards"}, "s-2", "steward"),
        ({"groups": {"resvae-stewards": 1}}, "s-2", "viewer"),
        ({"groups": ["resvae-analysts", "resvae-stewards"]}, "s-2", "steward"),
        ({"roles": ["resvae-stewards"]}, "s-2", "viewer"),
    ],
)
def test_role_follows_from_the_claims(claims: dict[str, object], name: str, role: Role) -> None:
    assert actor_from_claims(signed_in(**claims), SIGN_IN, now=NOW) == Actor(name, role, "sign-in")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"is_logged_in": False, "sub": "s-1", "iat": NOW},
        {"is_logged_in": "yes", "sub": "s-1", "iat": NOW},
        signed_in(iat=NOW - 12 * 3600),
        signed_in(iat=NOW + 3600),
        signed_in(iat=None),
        signed_in(iat=True),
    ],
)
def test_nobody_is_signed_in_without_a_recent_sign_in(claims: dict[str, object]) -> None:
    assert actor_from_claims(claims, SIGN_IN, now=NOW) is None


def test_no_subject_has_no_role() -> None:
    actor = actor_from_claims(signed_in(sub=""), SIGN_IN, now=NOW)
    assert actor == Actor("no subject", "none", "sign-in")


def test_who_is_not_named_has_the_default_role_and_none_may_nothing() -> None:
    rules = read(auth=PROVIDER, roles={"default": "none"})
    actor = actor_from_claims(signed_in(), rules, now=NOW)
    assert actor is not None
    assert actor.role == "none"
    assert not actor.may("read")


def test_hours_and_claim_of_the_groups_can_be_chosen() -> None:
    roles = {**ROLES, "sign_in_hours": 1, "groups_claim": "memberOf"}
    rules = read(auth=PROVIDER, roles=roles)
    assert actor_from_claims(signed_in(iat=NOW - 3601), rules, now=NOW) is None
    actor = actor_from_claims(signed_in(memberOf=["resvae-stewards"]), rules, now=NOW)
    assert actor is not None
    assert actor.role == "steward"


@pytest.mark.parametrize("secret", [[], "", "wrong", SECRET + "0", SECRET[:-1], [SECRET, SECRET]])
def test_headers_count_for_nothing_without_the_secret(secret: str | list[str]) -> None:
    headers = sent(x_resvae_proxy_secret=secret, x_forwarded_user="proxy-user")
    with pytest.raises(AccessError, match="can only be reached through its proxy"):
        actor_from_headers(headers, PROXY)  # type: ignore[arg-type]


@pytest.mark.parametrize("user", [[], "", "  ", ["proxy-user", "stranger"]])
def test_proxy_must_name_exactly_one_person(user: str | list[str]) -> None:
    headers = sent(x_resvae_proxy_secret=SECRET, x_forwarded_user=user)
    with pytest.raises(AccessError, match="did not say who you are"):
        actor_from_headers(headers, PROXY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("user", "groups", "role"),
    [
        ("proxy-user", "", "analyst"),
        ("STEWARD@example.org", "", "steward"),
        ("somebody", "a, resvae-stewards ,b", "steward"),
        ("somebody", ["resvae-stewards", "x"], "viewer"),
        ("somebody", "RESVAE-STEWARDS", "viewer"),
    ],
)
def test_role_follows_from_the_headers(user: str, groups: str | list[str], role: Role) -> None:
    headers = sent(x_resvae_proxy_secret=SECRET, x_forwarded_user=user, x_forwarded_groups=groups)
    actor = actor_from_headers(headers, PROXY)  # type: ignore[arg-type]
    assert actor == Actor(user, role, "proxy")


def test_headers_can_have_other_names() -> None:
    rules = read({"RESVAE_PROXY_SECRET": SECRET, "RESVAE_PROXY_USER_HEADER": "Remote-User"})
    headers = sent(x_resvae_proxy_secret=SECRET, remote_user="proxy-user", x_forwarded_user="x")
    assert actor_from_headers(headers, rules).name == "proxy-user"  # type: ignore[arg-type]


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(PROXY)
