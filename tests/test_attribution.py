"""How a session gets its source, medium and landing page: each case is a session and a query that must find it."""

import json

import pytest

from tests.conftest import Hub, a_conversion, a_session

LOADED: list[dict] = []


def sessions(*cases: tuple[dict, dict]):
    """Parametrize a test with sessions and the query that must find each, and add the sessions to the shared import."""
    LOADED.extend(fields for fields, _ in cases)
    return pytest.mark.parametrize(
        ("fields", "query"), [pytest.param(*case, id=" ".join(map(str, case[0].values()))) for case in cases]
    )


def referrers(cases: dict[str, dict]):
    """Parametrize a test with referrers, as sessions() does."""
    return sessions(*(({"referrer": referrer}, query) for referrer, query in cases.items()))


def landing_pages(cases: dict[str, dict]):
    """Parametrize a test with landing pages, as sessions() does. They are given and expected without scheme and host."""
    return sessions(
        *(
            (
                {"landing_page": "https://example.com" + page},
                {name: "https://example.com" + value if name == "landing_page" else value for name, value in query.items()},
            )
            for page, query in cases.items()
        )
    )


def name_of(fields: dict) -> str:
    return json.dumps(fields)


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    """Return a server with the sessions of all cases. Each has one conversion, whose meta_id is the name of the case."""
    hub = Hub(tmp_path_factory.mktemp("attribution") / "conversions.sqlite")
    hub.load(
        [
            a_session(**fields, conversions=[a_conversion(conversion_meta={"type": "custom", "id": name_of(fields)})])
            for fields in LOADED
        ]
    )
    return hub


@pytest.fixture
def records(hub, fields, query) -> list[dict]:
    """Return the records of the case that the query finds: one, or none."""
    return hub.ask(query | {"meta_id": name_of(fields)}).get("records", [])


# The referrer


@referrers(
    {
        referrer: {"source": source}
        for referrer, source in {
            "https://bbc.co.uk/": "bbc.co.uk",
            "https://news.bbc.co.uk/politics?page=2": "bbc.co.uk",
            "https://a.b.c.d.partner.org/": "partner.org",
            "https://news.bbc.co.uk:8443/": "bbc.co.uk",
            "https://reader:secret@news.bbc.co.uk/": "bbc.co.uk",
            "https://example.com@news.bbc.co.uk/": "bbc.co.uk",
            "https://WWW.BBC.Co.UK/": "bbc.co.uk",
            "HTTPS://www.bbc.co.uk": "bbc.co.uk",
            "https://www.bbc.co.uk./": "bbc.co.uk",
            "https://partner.org/?from=https://www.google.com/": "partner.org",
            "https://www.xn--bcher-kva.de/": "xn--bcher-kva.de",
            # 公司.cn is a public suffix
            "https://www.xn--85x722f.xn--55qx5d.cn/": "xn--85x722f.xn--55qx5d.cn",
        }.items()
    }
)
def test_the_source_is_the_primary_domain_of_the_referrer(records):
    assert records


@referrers(
    {
        referrer: {"source": source}
        for referrer, source in {
            # One label below the public suffix, however deep that is
            "https://a.b.partner.com.au/": "partner.com.au",
            "https://a.b.pvt.k12.ma.us/": "b.pvt.k12.ma.us",
            # *.kobe.jp, !city.kobe.jp
            "https://a.b.c.kobe.jp/": "b.c.kobe.jp",
            "https://a.city.kobe.jp/": "city.kobe.jp",
            # *.ck, !www.ck
            "https://a.b.c.ck/": "b.c.ck",
            "https://a.www.ck/": "www.ck",
            # The private section of the list
            "https://somebody.github.io/page": "somebody.github.io",
            "https://docs.somebody.github.io/": "somebody.github.io",
            "https://www.shop.herokuapp.com/": "shop.herokuapp.com",
            # A top-level domain that is not on the list: the default rule is *
            "https://a.b.nowhere.example/": "nowhere.example",
            # A host that is itself a public suffix stays as it is
            "https://github.io/": "github.io",
            "https://co.uk/": "co.uk",
            "https://c.kobe.jp/": "c.kobe.jp",
        }.items()
    }
)
def test_the_primary_domain_follows_the_public_suffix_list(records):
    assert records


@referrers(
    {
        referrer: {"source": source}
        for referrer, source in {
            "http://192.0.2.7/": "192.0.2.7",
            "http://192.0.2.7:8080/": "192.0.2.7",
            "http://[2001:db8::1]/": "2001:db8::1",
            "http://[2001:db8::1]:8080/": "2001:db8::1",
            "http://localhost/": "localhost",
            "http://localhost:5000/": "localhost",
            "http://intranet/wiki": "intranet",
            "http://LOCALHOST./": "localhost",
        }.items()
    }
)
def test_an_ip_address_or_a_bare_host_stays_as_it_is(records):
    assert records


@sessions(({}, {"source": "(direct)", "medium": "(none)"}), ({"referrer": None}, {"source": "(direct)", "medium": "(none)"}))
def test_a_session_without_a_referrer_is_direct(records):
    assert records


@referrers(
    {
        referrer: {"source": "(direct)", "medium": "(none)"}
        for referrer in (
            "https://example.com/",
            "https://www.example.com/pricing",
            "https://a.b.shop.example.com/",
            "https://WWW.EXAMPLE.COM:8443/",
            "https://example.com./",
        )
    }
)
def test_a_referrer_on_the_accounts_own_domain_does_not_count(records):
    assert records


@referrers(
    {
        "https://notexample.com/": {"source": "notexample.com", "medium": "referral"},
        "https://example.com.partner.org/": {"source": "partner.org", "medium": "referral"},
        "https://example.org/": {"source": "example.org", "medium": "referral"},
        "https://partner.org/example.com": {"source": "partner.org", "medium": "referral"},
    }
)
def test_a_domain_that_only_looks_like_the_accounts_own_is_a_referral(records):
    assert records


def test_under_a_private_suffix_another_site_is_a_referrer_but_a_subdomain_is_not(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.load(
        [
            a_session(utm_campaign=referrer, referrer=f"https://{referrer}/", conversions=[a_conversion()])
            for referrer in ("neighbour.github.io", "docs.somebody.github.io")
        ],
        "somebody.github.io",
    )
    assert hub.everything({"campaign": "neighbour.github.io", "source": "neighbour.github.io", "medium": "referral"})
    assert hub.everything({"campaign": "docs.somebody.github.io", "source": "(direct)", "medium": "(none)"})


# The medium


@referrers(
    {
        f"https://{host}/": {"medium": "organic"}
        for host in """
            www.google.com google.com www.google.de www.google.co.uk www.google.com.br www.google.co.jp www.google.fr www.google.ca
            search.yahoo.com de.search.yahoo.com search.yahoo.co.jp yahoo.de yahoo.com.au
            images.search.yahoo.com m.search.naver.com cn.bing.com html.duckduckgo.com yandex.com.tr
            www.bing.com duckduckgo.com yandex.ru www.baidu.com www.ecosia.org www.qwant.com www.startpage.com
        """.split()
    }
)
def test_a_search_engine_is_organic(records):
    assert records


@referrers(
    {
        f"https://{host}/": {"medium": "social"}
        for host in """
            www.facebook.com l.facebook.com m.facebook.com www.instagram.com www.linkedin.com lnkd.in x.com t.co twitter.com
            www.reddit.com www.youtube.com www.pinterest.com pinterest.de www.pinterest.co.uk pinterest.com.au
            www.tiktok.com www.threads.net bsky.app
        """.split()
    }
)
def test_a_social_network_is_social(records):
    assert records


@referrers(
    {
        f"https://{host}/": {"medium": "email"}
        for host in """
            mail.google.com mail.yahoo.com us-mg6.mail.yahoo.com mail.aol.com mail.yandex.ru www.gmx.de www.gmx.at
            outlook.live.com outlook.office.com outlook.office365.com mail.proton.me www.gmx.net
        """.split()
    }
)
def test_webmail_is_email_even_on_the_domain_of_a_search_engine(records):
    assert records


@referrers(
    {
        f"https://{host}/": {"medium": "referral"}
        for host in """
            partner.org news.bbc.co.uk 192.0.2.7 localhost intranet [2001:db8::1]
            finance.yahoo.com news.yahoo.com market.yandex.ru blog.naver.com pinterest.github.io
            notgoogle.com google.partner.org google.github.io yahoo.github.io facebook.com.partner.org
        """.split()
    }
)
def test_any_other_referrer_is_a_referral_even_if_its_host_contains_a_known_name(records):
    assert records


@pytest.mark.decision(23)
@sessions(
    *(
        ({"landing_page": f"https://example.com/?{click_id}=Cj0KCQ", "referrer": referrer}, {"source": source, "medium": "cpc"})
        for click_id in ("gclid", "gbraid", "wbraid", "msclkid")
        for referrer, source in {
            None: "(direct)",
            "https://www.google.com/": "google.com",
            "https://www.facebook.com/": "facebook.com",
            "https://partner.org/": "partner.org",
        }.items()
    )
)
def test_a_paid_click_id_makes_the_medium_cpc_and_keeps_the_source(records):
    assert records


@landing_pages(
    {
        "/?xgclid=1": {"medium": "(none)"},
        "/?gclid=": {"medium": "(none)", "landing_page": "/"},
        "/?gclid&msclkid=": {"medium": "(none)", "landing_page": "/"},
        "/?gclid=&wbraid=1": {"medium": "cpc", "landing_page": "/"},
        "/?id=gclid": {"medium": "(none)"},
        "/gclid=1": {"medium": "(none)"},
        "/#gclid=1": {"medium": "(none)"},
    }
)
def test_a_click_id_counts_only_as_a_query_parameter_with_exactly_that_name(records):
    assert records


@referrers(
    {
        f"https://{host}/": {"source": "google.com", "medium": "organic"}
        for host in "google.com www.google.com m.google.com images.google.com encrypted.google.com news.google.com".split()
    }
    | {
        f"https://{host}/": {"source": "google.com", "medium": "referral"}
        for host in """
            accounts.google.com translate.google.com docs.google.com search.google.com calendar.google.com sites.google.com
            www.docs.google.com notmail.google.com
        """.split()
    }
    | {"https://translate.google.co.uk/": {"source": "google.co.uk", "medium": "referral"}}
)
def test_only_googles_search_hosts_are_organic(records):
    assert records


@pytest.mark.decision(42)
@referrers(
    {
        f"android-app://{app}": {"source": source, "medium": medium}
        for app, source, medium in [
            ("com.google.android.googlequicksearchbox/", "google.com", "organic"),
            ("com.google.android.googlequicksearchbox/https/www.google.com", "google.com", "organic"),
            ("com.google.android.gm/", "google.com", "email"),
            ("com.google.android.gm", "google.com", "email"),
            ("com.facebook.katana/", "facebook.com", "social"),
            ("com.instagram.android/", "instagram.com", "social"),
            ("com.linkedin.android/", "linkedin.com", "social"),
            ("com.twitter.android/", "x.com", "social"),
            ("com.reddit.frontpage/", "reddit.com", "social"),
            ("com.google.android.youtube/", "youtube.com", "social"),
            ("com.Slack/", "com.Slack", "referral"),
            ("org.mozilla.firefox", "org.mozilla.firefox", "referral"),
            ("com.example/", "com.example", "referral"),
            ("ai.perplexity.app.android/", "perplexity.ai", "referral"),
        ]
    }
    | {
        "ios-app://284882215/": {"source": "facebook.com", "medium": "social"},
        "ios-app://284815942/https/www.google.com/search": {"source": "google.com", "medium": "organic"},
        "ios-app://422689480": {"source": "google.com", "medium": "email"},
        "ios-app://1234567890/": {"source": "1234567890", "medium": "referral"},
    }
)
def test_the_source_of_an_app_is_its_package_name_or_its_site(records):
    assert records


@pytest.mark.decision(69)
@referrers(
    {
        f"https://{host}/a": {"source": host.removeprefix("www."), "medium": "referral"}
        for host in """
            chatgpt.com chat.openai.com www.perplexity.ai gemini.google.com copilot.microsoft.com claude.ai
        """.split()
    }
)
def test_an_ai_assistant_is_a_referral_under_its_own_name(records):
    assert records


@referrers(
    {
        "https://www.münchen.de/": {"source": "xn--mnchen-3ya.de", "medium": "referral"},
        "https://WWW.MÜNCHEN.DE/": {"source": "xn--mnchen-3ya.de"},
        "https://www.xn--mnchen-3ya.de/a": {"source": "xn--mnchen-3ya.de"},
        "https://straße.de/": {"source": "xn--strae-oqa.de"},
        "https://例え.テスト/": {"source": "xn--r8jz45g.xn--zckzah"},
        "https://公司.cn/": {"source": "xn--55qx5d.cn"},
        "https://💩.la/": {"source": "💩.la"},
    }
)
def test_an_international_domain_is_stored_in_the_form_that_browsers_send(records):
    assert records


@pytest.mark.parametrize("domain", ["münchen.de", "xn--mnchen-3ya.de", "MÜNCHEN.de"])
def test_an_international_domain_is_the_accounts_own_in_either_form(tmp_path, domain):
    hub = Hub(tmp_path / "conversions.sqlite")
    for number, referrer in enumerate(["https://www.münchen.de/", "https://xn--mnchen-3ya.de/"]):
        hub.load([a_session(session_id=str(number), referrer=referrer, conversions=[a_conversion()])], domain)
    assert len(hub.everything({"source": "(direct)", "medium": "(none)"})) == 2


# utm_* overrides derived values

GOOGLE = {"referrer": "https://www.google.com/"}


@pytest.mark.decision(22)
@sessions(
    (GOOGLE | {"utm_source": "newsletter", "utm_medium": "email"}, {"source": "newsletter", "medium": "email"}),
    (GOOGLE | {"utm_source": "newsletter"}, {"source": "newsletter", "medium": "organic"}),
    (GOOGLE | {"utm_medium": "Paid Search"}, {"source": "google.com", "medium": "Paid Search"}),
    ({"utm_source": "newsletter"}, {"source": "newsletter", "medium": "(none)"}),
    ({"utm_medium": "email"}, {"source": "(direct)", "medium": "email"}),
    ({"utm_source": "www.Partner.org"}, {"source": "www.Partner.org"}),
    ({"referrer": "https://www.example.com/", "utm_source": "footer"}, {"source": "footer", "medium": "(none)"}),
    ({"landing_page": "https://example.com/?gclid=1", "utm_medium": "display"}, {"source": "(direct)", "medium": "display"}),
)
def test_utm_source_and_utm_medium_each_override_the_derived_value(records):
    assert records


@sessions(
    (GOOGLE | {"utm_source": "", "utm_medium": ""}, {"source": "google.com", "medium": "organic"}),
    (GOOGLE | {"landing_page": "https://example.com/?utm_source=&utm_medium="}, {"source": "google.com", "medium": "organic"}),
    (GOOGLE | {"landing_page": "https://example.com/?utm_source&utm_medium"}, {"source": "google.com", "medium": "organic"}),
    ({"utm_source": "", "utm_medium": ""}, {"source": "(direct)", "medium": "(none)"}),
    ({"utm_medium": "", "landing_page": "https://example.com/?utm_medium=cpc"}, {"medium": "cpc"}),
    ({"utm_source": "", "landing_page": "https://example.com/?utm_source=&utm_source=late"}, {"source": "late"}),
    (GOOGLE | {"utm_source": "", "landing_page": "https://example.com/?utm_source=query&a=1"}, {"source": "query"}),
)
def test_an_empty_utm_value_counts_as_not_present(records):
    assert records


@landing_pages(
    {
        "/?utm_source=s&utm_medium=m&utm_campaign=c&utm_content=n&utm_term=t": {
            "source": "s",
            "medium": "m",
            "campaign": "c",
            "content": "n",
            "term": "t",
        },
        "/?utm_campaign=summer%20sale": {"campaign": "summer sale"},
        "/?utm_campaign=summer+sale+": {"campaign": "summer sale "},
        "/?utm_campaign=1%2B1%26%3D%23": {"campaign": "1+1&=#"},
        "/?utm_campaign=a=b": {"campaign": "a=b"},
        "/?utm_campaign=100%": {"campaign": "100%"},
        "/?utm_campaign=%C3%A9t%c3%a9": {"campaign": "été"},
        "/?utm_campaign=first&utm_campaign=second": {"campaign": "first"},
        "/?utm_source=first&a=1&utm_source=second": {"source": "first"},
        "/?utm_source=query#?utm_source=fragment": {"source": "query"},
        "/#?utm_source=fragment": {"source": "(direct)"},
        "/?xutm_source=another": {"source": "(direct)"},
    }
)
def test_utm_parameters_are_decoded_as_form_data_and_the_first_one_counts(records):
    assert records


UTM_QUERY = "https://example.com/?" + "&".join(f"utm_{name}=query" for name in ("source", "medium", "campaign", "content", "term"))


@sessions(
    *(
        ({"landing_page": UTM_QUERY, f"utm_{name}": "field"}, {name: "field"})
        for name in ("source", "medium", "campaign", "content", "term")
    ),
    ({"landing_page": UTM_QUERY, "utm_source": "field", "utm_term": None}, {"source": "field", "medium": "query", "term": "query"}),
    ({"landing_page": UTM_QUERY, "utm_source": None}, {"source": "query"}),
)
def test_a_utm_field_takes_precedence_over_the_query_parameter_unless_it_is_null(records):
    assert records


@sessions(*(({"utm_campaign": name}, {"campaign": name}) for name in ("summer+sale", "summer%20sale", " Summer ", "été")))
def test_a_utm_field_is_kept_exactly_as_given(records):
    assert records


# The landing page


CLICK_IDS = """
gad_source gad_campaignid gclsrc dclid srsltid fbclid ttclid twclid li_fat_id igshid yclid _gl mc_eid
ScCid rdt_cid epik _kx irclickid qclid ysclid _hsenc _hsmi mkt_tok
"""


@landing_pages({f"/?{click_id}=1": {"medium": "(none)", "landing_page": "/"} for click_id in CLICK_IDS.split()})
def test_other_click_ids_do_not_change_the_medium(records):
    assert records


@landing_pages(
    {
        "/?UTM_SOURCE=Upper": {"source": "(direct)"},
        "/?utm_source=Google&utm_medium=CPC": {"source": "Google", "medium": "CPC"},
        "/?utm_campaign=a%2520b": {"campaign": "a%20b"},
        "/slash/?utm_source=a": {"landing_page": "/slash/"},
        "/#?utm_medium=fragment": {"medium": "(none)"},
    }
)
def test_case_trailing_slashes_and_double_encoding_are_kept_as_sent(records):
    assert records


@pytest.mark.decision(24)
@landing_pages(
    {
        page: {"landing_page": kept}
        for page, kept in {
            "": "",
            "/pricing": "/pricing",
            "/Pricing/": "/Pricing/",
            "/pricing?utm_source=a&utm_medium=b&utm_campaign=c&utm_content=d&utm_term=e": "/pricing",
            "/pricing?utm_id=7&utm_source_platform=x": "/pricing",
            "/pricing?gclid=1": "/pricing",
            "/pricing?gbraid=1&wbraid=2": "/pricing",
            "/pricing?msclkid=1&plan=pro": "/pricing?plan=pro",
            "/pricing?utm_source=a&plan=pro": "/pricing?plan=pro",
            "/pricing?plan=pro&utm_source=a&seats=5&gclid=1": "/pricing?plan=pro&seats=5",
            "/pricing?utm_source=a&plan=pro&utm_source=b": "/pricing?plan=pro",
            **{f"/pricing?a=1&{click_id}=x&b=2": "/pricing?a=1&b=2" for click_id in CLICK_IDS.split()},
            "/pricing?_gl=1*a*b&fbclid=x": "/pricing",
            "/pricing?FBCLID=x&GCLID=y": "/pricing?FBCLID=x&GCLID=y",
            "/pricing?UTM_SOURCE=a": "/pricing?UTM_SOURCE=a",
            "/pricing?a=%2520&utm_source=b": "/pricing?a=%2520",
            "/pricing#plans": "/pricing",
            "/pricing?plan=pro&gclid=1#plans": "/pricing?plan=pro",
            "/pricing?utm_source=a#utm_source=b": "/pricing",
            "/pricing?xutm_source=a&utm=b&xgclid=1": "/pricing?xutm_source=a&utm=b&xgclid=1",
            "/utm_source=a": "/utm_source=a",
        }.items()
    }
)
def test_the_landing_page_is_stored_without_utm_parameters_click_ids_and_fragment(records):
    assert records


@landing_pages(
    {
        f"/p?{query}&utm_source=a#top": {"landing_page": f"/p?{query}"}
        for query in (
            "b=2&a=1&b=1",
            "q=%7e%7E%C3%A9",
            "q=a+b%20c",
            "empty=",
            "bare",
            "a=1&&b=2",
            "a=b=c",
            "next=https://example.org/?x=1",
            "é=ü",
        )
    }
)
def test_the_rest_of_the_query_string_is_kept_exactly(records):
    assert records


@landing_pages({"/tracked?utm_source=a&gclid=1#top": {"landing_page": "/tracked"}})
def test_a_landing_page_filter_with_the_removed_parameters_finds_nothing(hub, fields, records):
    assert records
    assert hub.ask(fields) == {"message": "No conversions matched the given filters."}


def test_a_conversion_page_keeps_all_its_parameters(tmp_path):
    page = "https://example.com/thankyou?utm_source=a&gclid=1#top"
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion(conversion_page=page)])])
    assert hub.ask({"conversion_page": page})["records"][0]["conversion_page"] == page
