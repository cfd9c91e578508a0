"""Where a session came from, derived from its referrer and landing page if no utm parameter says it. Decisions 22 to 24, 42.

schema.sql enforces that utm_source and utm_medium override what is derived here.
"""

import re
from contextlib import suppress
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

import idna
from publicsuffixlist import PublicSuffixList

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
PAID_CLICK_IDS = ("gclid", "gbraid", "wbraid", "msclkid")
# Each of these identifies a single click, and would make every visit a landing page of its own.
CLICK_IDS = frozenset(PAID_CLICK_IDS) | frozenset(
    "gad_source gad_campaignid gclsrc dclid srsltid fbclid ttclid twclid li_fat_id igshid yclid _gl mc_eid".split()
)

# Registrable names. Google and Yahoo have one in nearly every country: google.de, google.co.uk, google.com.br.
_SEARCH_IN_EVERY_COUNTRY = re.compile(r"(google|yahoo)\.((com?\.)?[a-z]{2}|com|cat)")
_GOOGLE_SEARCH_HOSTS = ("", "www.", "m.", "images.", "encrypted.", "news.")  # its other hosts, such as docs.google.com, are sites
_REGISTRABLE_NAMES = {
    "organic": """
    aol.com ask.com baidu.com bing.com brave.com coccoc.com daum.net dogpile.com duckduckgo.com ecosia.org kagi.com lycos.com
    mojeek.com naver.com petalsearch.com qwant.com rambler.ru search.com seznam.cz so.com sogou.com startpage.com swisscows.com
    yandex.by yandex.com yandex.com.tr yandex.kz yandex.ru ya.ru yep.com you.com
    """,
    "social": """
    bsky.app discord.com facebook.com fb.com fb.me instagram.com linkedin.com lnkd.in mastodon.social medium.com messenger.com
    ok.ru pinterest.com quora.com reddit.com snapchat.com t.co t.me telegram.org threads.com threads.net tiktok.com tumblr.com
    twitter.com vk.com wa.me wechat.com weibo.com whatsapp.com x.com xing.com youtube.com youtu.be
    """,
    "email": """
    fastmail.com gmail.com gmx.com gmx.de gmx.net hey.com hotmail.com live.com mail.com mail.ru office.com office365.com outlook.com
    proton.me protonmail.com tutanota.com web.de zoho.com
    """,
}
_MEDIUM = {name: medium for medium, names in _REGISTRABLE_NAMES.items() for name in names.split()}

# Android apps that belong to a site, by package name. Any other package name is a source of its own.
_APPS = {
    "com.google.android.googlequicksearchbox": ("google.com", "organic"),
    "com.google.android.gm": ("google.com", "email"),
    "com.google.android.youtube": ("youtube.com", "social"),
    "com.facebook.katana": ("facebook.com", "social"),
    "com.facebook.lite": ("facebook.com", "social"),
    "com.facebook.orca": ("messenger.com", "social"),
    "com.instagram.android": ("instagram.com", "social"),
    "com.linkedin.android": ("linkedin.com", "social"),
    "com.twitter.android": ("x.com", "social"),
    "com.reddit.frontpage": ("reddit.com", "social"),
    "com.pinterest": ("pinterest.com", "social"),
    "com.snapchat.android": ("snapchat.com", "social"),
    "com.whatsapp": ("whatsapp.com", "social"),
    "com.zhiliaoapp.musically": ("tiktok.com", "social"),
    "org.telegram.messenger": ("telegram.org", "social"),
}
_APP = re.compile(r"android-app://([^/?#\s]+)(?=[/?#]|\Z)", re.IGNORECASE)

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


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


class Landing(NamedTuple):
    page: str
    utm: dict[str, str]
    is_paid_click: bool


@lru_cache(10_000)
def landing(url: str) -> Landing:
    """Take a landing page's URL apart.

    Returns the page without its utm_* and click-id parameters and without its fragment, the rest exactly as sent; its utm
    parameters that are not empty (the first if one is repeated); and whether it has a paid click id.
    """
    url = url.partition("#")[0]
    page, _, query = url.partition("?")
    parameters, kept, is_paid_click = query.split("&") if query else [], [], False
    found: dict[str, str] = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        name = unquote_plus(name)
        if name.startswith("utm_"):
            if name in UTM and value:
                found.setdefault(name, unquote_plus(value))
        elif name in CLICK_IDS:
            is_paid_click = is_paid_click or name in PAID_CLICK_IDS
        else:
            kept.append(parameter)
    if len(kept) < len(parameters):
        url = f"{page}?{'&'.join(kept)}" if any(kept) else page
    return Landing(url, found, is_paid_click)


@lru_cache(10_000)
def derive(referrer: str | None, is_paid_click: bool, own_domain: str) -> tuple[str, str]:
    """Return the derived source and medium. A referrer on the account's own domain does not count as a referrer."""
    source, medium = _of_referrer(referrer, own_domain) if referrer else ("(direct)", "(none)")
    return source, "cpc" if is_paid_click else medium


def _of_referrer(referrer: str, own_domain: str) -> tuple[str, str]:
    if app := _APP.match(referrer):
        return _APPS.get(app[1], (app[1], "referral"))
    referring_host = host(referrer)
    if not referring_host or (source := primary_domain(referring_host)) == own_domain:
        return "(direct)", "(none)"
    return source, _medium(referring_host, source)


def _medium(host: str, source: str) -> str:
    medium = "organic" if _SEARCH_IN_EVERY_COUNTRY.fullmatch(source) else _MEDIUM.get(source, "referral")
    if medium != "organic":
        return medium
    if host.startswith("mail."):  # mail.google.com
        return "email"
    if source.startswith("google.") and host.removesuffix(source) not in _GOOGLE_SEARCH_HOSTS:
        return "referral"
    return "organic"
