"""Where a session came from: what is derived from its referrer and landing page when no utm parameter says it. Decisions 22 to 24.

That utm_source and utm_medium override what is derived here stands in schema.sql.
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from publicsuffixlist import PublicSuffixList

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
PAID_CLICK_IDS = ("gclid", "gbraid", "wbraid", "msclkid")

# Registrable names. Google and Yahoo have one in nearly every country: google.de, google.co.uk, google.com.br.
_SEARCH_IN_EVERY_COUNTRY = re.compile(r"(google|yahoo)\.((com?\.)?[a-z]{2}|com|cat)")
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

_AUTHORITY = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@\s]*@)*(?:\[([0-9A-Fa-f:.]+)\]|([^/?#@:\s\[\]]+))(?::[0-9]*)?(?=[/?#]|\Z)"
)


def host(url: str) -> str | None:
    """The host of a full URL, in lower case; None where the text is no full URL."""
    match = _AUTHORITY.match(url)
    name = (match[1] or match[2]).lower().rstrip(".") if match else ""
    return name or None


@lru_cache(10_000)
def primary_domain(host: str) -> str:
    """The registrable domain by the Public Suffix List; an IP address, a bare host or a public suffix stays as it is."""
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
    """What a landing page's URL says: the page without its utm_* and click-id parameters and without its fragment, the rest to the
    letter; its utm parameters, the first where one is given twice; and whether it carries a paid click id.
    """
    url = url.partition("#")[0]
    page, _, query = url.partition("?")
    kept, found, is_paid_click = [], {}, False
    for parameter in query.split("&") if query else []:
        name, _, value = parameter.partition("=")
        name = unquote_plus(name)
        if name.startswith("utm_"):
            found.setdefault(name, unquote_plus(value))
        elif name in PAID_CLICK_IDS:
            is_paid_click = True
        else:
            kept.append(parameter)
    utm = {name: found[name] for name in UTM if name in found}
    if found or is_paid_click:
        url = f"{page}?{'&'.join(kept)}" if any(kept) else page
    return Landing(url, utm, is_paid_click)


def derive(referrer: str | None, is_paid_click: bool, own_domain: str) -> tuple[str, str]:
    """The derived source and medium. A referrer on the account's own domain is no referrer."""
    referring_host = host(referrer) if referrer else None
    source = primary_domain(referring_host) if referring_host else own_domain
    if source == own_domain:
        source, medium = "(direct)", "(none)"
    else:
        medium = _medium(referring_host, source)
    return source, "cpc" if is_paid_click else medium


def _medium(host: str, source: str) -> str:
    medium = "organic" if _SEARCH_IN_EVERY_COUNTRY.fullmatch(source) else _MEDIUM.get(source, "referral")
    return "email" if medium == "organic" and host.startswith("mail.") else medium  # mail.google.com
