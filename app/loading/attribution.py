"""Where a session came from, derived from its referrer and landing page if no utm parameter says it. Decisions 22 to 24, 42, 69.

schema.sql enforces that utm_source and utm_medium override what is derived here.
"""

import re
import tomllib
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_plus

import idna
from publicsuffixlist import PublicSuffixList

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")

_NAMES = tomllib.loads(Path(__file__).with_name("attribution.toml").read_text(encoding="utf-8"))
PAID_CLICK_IDS = frozenset(_NAMES["click_ids"]["paid"])
CLICK_IDS = PAID_CLICK_IDS | frozenset(_NAMES["click_ids"]["other"])
_MEDIUM = {name: medium for medium, names in _NAMES["medium"].items() for name in names}
_IN_EVERY_COUNTRY = re.compile(rf"({'|'.join(_NAMES['medium_in_every_country'])})\.((com?\.)?[a-z]{{2}}|com|cat)")
_OWN_SOURCE = frozenset(_NAMES["own_source"]["hosts"])

_public_suffixes = cache(PublicSuffixList)  # loaded when the first domain is looked up

_APP = re.compile(r"(?:android|ios)-app://([^/?#\s]+)(?=[/?#]|\Z)", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@\s]*@)*(?:\[([0-9A-Fa-f:.]+)\]|([^/?#@:\s\[\]]+))(?::[0-9]*)?(?=[/?#]|\Z)"
)


@lru_cache(10_000)
def host(url: str) -> str | None:
    """Return the host of a full URL in the form that browsers send: lower case and ASCII. None if the text is not a full URL."""
    match = _AUTHORITY.match(url)
    name = (match[1] or match[2]).lower().rstrip(".") if match else ""
    if not name.isascii():
        with suppress(idna.IDNAError):  # an emoji, for example, which stays as it is
            name = idna.encode(name, uts46=True).decode().rstrip(".")
    return name or None


@lru_cache(10_000)
def primary_domain(host: str) -> str:
    """Return the registrable domain by the Public Suffix List. An IP address, a bare host or a public suffix stays as it is."""
    if ":" in host or re.fullmatch("[0-9.]+", host):
        return host
    return _public_suffixes().privatesuffix(host) or host


class Landing(NamedTuple):
    page: str
    utm: dict[str, str]
    is_paid_click: bool


@lru_cache(10_000)
def landing(url: str) -> Landing:
    """Take a landing page's URL apart.

    Returns the page without its utm_* and click-id parameters and without its fragment, the rest exactly as sent; its utm
    parameters that are not empty (the first if one is repeated); and whether it has a paid click id that is not empty.
    """
    url = url.partition("#")[0]
    page, _, query = url.partition("?")
    found: dict[str, str] = {}
    parameters, kept, is_paid_click = query.split("&") if query else [], [], False
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        name = unquote_plus(name)
        if name.startswith("utm_"):
            if name in UTM and value:
                found.setdefault(name, unquote_plus(value))
        elif name in CLICK_IDS:
            is_paid_click = is_paid_click or (name in PAID_CLICK_IDS and value != "")
        else:
            kept.append(parameter)
    if len(kept) < len(parameters):
        url = f"{page}?{'&'.join(kept)}" if any(kept) else page
    return Landing(url, found, is_paid_click)


@lru_cache(10_000)
def derive(referrer: str | None, is_paid_click: bool, ignored: frozenset[str]) -> tuple[str, str]:
    """Return the derived source and medium. A referrer whose source is ignored, as the account's own domain is, does not count."""
    source, medium = _of_referrer(referrer) if referrer else ("", "")
    if not source or source in ignored:
        source, medium = "(direct)", "(none)"
    return source, "cpc" if is_paid_click else medium


def _of_referrer(referrer: str) -> tuple[str, str]:
    name = host(referrer) or ""
    if app := _APP.match(referrer):
        if app[1] not in _NAMES["apps"]:
            return app[1], "referral"
        name = _NAMES["apps"][app[1]]
    source = name if name in _OWN_SOURCE else primary_domain(name)
    return source, _medium(name, source)


def _medium(host: str, source: str) -> str:
    in_every_country = _IN_EVERY_COUNTRY.fullmatch(source)
    medium = _NAMES["medium_in_every_country"][in_every_country[1]] if in_every_country else _MEDIUM.get(source, "referral")
    if medium != "organic":
        return medium
    subdomain = host.removesuffix(source).rstrip(".")
    if "mail" in subdomain.split("."):  # mail.google.com, us-mg6.mail.yahoo.com
        return "email"
    search_hosts = _NAMES["search_hosts"].get(source.partition(".")[0])
    return "organic" if search_hosts is None or re.fullmatch(search_hosts, subdomain) else "referral"
