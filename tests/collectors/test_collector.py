"""The collect stage on a real log: how entries become articles."""

from collectors.catalogue import Feed
from tests.fakes.collecting import HTML, PARAGRAPH, XML, Desk, page, publish, rss
from tests.fakes.scripted_server import ScriptedServer


def test_entries_become_articles(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a", "b", "c")
    desk.collect(desk.settled(3))
    articles = {article.url: article for article in desk.articles()}
    assert set(articles) == {f"{server.base}/{name}" for name in "abc"}
    article = articles[f"{server.base}/a"]
    assert (article.revision, article.title, article.text) == (1, "عنوان a", f"{PARAGRAPH} a")
    assert (article.source, article.source_name, article.country) == (
        "desk-test",
        "صفحة التجربة",
        "LY",
    )
    assert (article.language, article.text_from, article.page_error) == ("ar", "page", None)
    assert article.first_poll is True
    assert article.feed == desk.feeds[0].url
    entry = desk.entries()[f"{server.base}/a"]
    assert (entry.status, entry.revision, entry.summary) == ("done", 1, "")
    assert desk.sample("rasid_pages_total", outcome="article") == 3
    assert desk.sample("rasid_records_out_total", stage="collect") == 3
    assert desk.sample("rasid_feeds", state="well") == 1
    assert server.counts()["/robots.txt"] == 1
    assert server.asked[-1].headers["User-Agent"].startswith("Rasid/")


def test_nothing_is_fetched_or_written_again_after_a_restart(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    desk.collect(desk.settled(2))
    publish(server, "new", "a", "b")
    desk.collect(desk.settled(3))
    assert server.counts()["/a"] == server.counts()["/b"] == server.counts()["/new"] == 1
    assert len(desk.articles()) == 3
    assert {a.url[-3:]: a.first_poll for a in desk.articles()}["new"] is False


def test_a_poll_asks_conditionally_and_takes_a_304(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a", headers={"ETag": '"v1"', "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"})
    server.answers["/feed"] = [server.answers["/feed"], (304, {}, b"")]
    desk.collect(desk.polled("not_modified"))
    second = server.requests("/feed")[1].headers
    assert second["If-None-Match"] == '"v1"'
    assert second["If-Modified-Since"] == "Sun, 01 Mar 2026 11:00:00 GMT"
    assert "If-None-Match" not in server.requests("/feed")[0].headers


def test_an_unchanged_body_is_not_parsed(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    desk.collect(desk.polled("unchanged"))
    calls = desk.pools[0].calls
    assert calls.count("parse_feed") == 1


def test_one_address_in_two_feeds_is_one_article(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    other = rss((f"{server.base}/a?utm_source=section#top", "عنوان a", "بعبارة أخرى"))
    server.answers["/section"] = (200, XML, other)
    desk.feeds.append(Feed(server.base + "/section", interval_s=0.05))
    desk.collect(
        lambda: (
            all(
                (state := desk.state(feed.url)) is not None and state.last_status == "unchanged"
                for feed in desk.feeds
            )
            and desk.settled(1)()
        )
    )
    assert [article.revision for article in desk.articles()] == [1]
    assert len(desk.entries()) == 1


def test_two_links_to_one_canonical_page_are_one_article(
    desk: Desk, server: ScriptedServer
) -> None:
    base = server.base
    server.answers["/feed"] = (
        200, XML, rss((f"{base}/amp/1", "عنوان", "x"), (f"{base}/news/1", "عنوان", "x")),
    )  # fmt: skip
    body = page("عنوان", canonical=f"{base}/news/1")
    server.answers["/amp/1"] = server.answers["/news/1"] = (200, HTML, body)
    desk.collect(desk.settled(2))
    assert [(a.url, a.revision) for a in desk.articles()] == [(f"{base}/news/1", 1)]
    assert {e.article_id for e in desk.entries().values()} == {desk.articles()[0].id}


def test_a_changed_entry_is_looked_at_again_and_makes_a_revision_if_the_page_changed(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    desk.collect(desk.settled(2))
    server.answers["/feed"] = (
        200,
        XML,
        rss(
            (f"{server.base}/a", "عنوان a", "ملخص آخر"),
            (f"{server.base}/b", "عنوان b", "ملخص b"),
        ),
    )  # fmt: skip
    desk.collect(lambda: desk.entries()[f"{server.base}/a"].status == "unchanged")
    assert [server.counts()["/a"], server.counts()["/b"]] == [2, 1]
    assert len(desk.articles()) == 2
    server.answers["/a"] = (200, HTML, page("عنوان a", PARAGRAPH + " تصحيح: لم يتفق الطرفان."))
    server.answers["/feed"] = (200, XML, rss((f"{server.base}/a", "عنوان a", "ملخص ثالث")))
    desk.collect(lambda: len(desk.articles()) == 3)
    first, last = desk.articles()[0], desk.articles()[-1]
    assert (last.revision, last.id in {a.id for a in desk.articles()[:2]}) == (2, True)
    assert "تصحيح" in last.text
    assert last.seen <= last.fetched
    assert first.revision == 1


def test_the_credentials_of_a_link_are_in_no_record(desk: Desk, server: ScriptedServer) -> None:
    link = f"{server.base}/a".replace("http://", "http://desk:s3cret@")
    server.answers["/feed"] = (200, XML, rss((link, "عنوان a", "x")))
    server.answers["/a"] = (200, HTML, page("عنوان a", canonical=link))
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert (article.url, article.linked_url) == (f"{server.base}/a", f"{server.base}/a")
    assert "s3cret" not in str(article) + str(desk.entries())


def test_an_entry_without_a_link_says_so_in_its_row(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    server.answers["/feed"] = (
        200,
        XML,
        rss(("", "بلا رابط", "x"), (f"{server.base}/a", "عنوان a", "x")),
    )
    desk.collect(desk.settled(2))
    entry = desk.entries()["بلا رابط"]
    assert (entry.status, entry.reason) == ("skipped", "no_link")
    assert desk.sample("rasid_entries_total", kind="skipped") == 1
    assert len(desk.articles()) == 1


def test_headlines_long_and_broken_survive(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    long = "خبر " * 2500
    server.answers["/feed"] = (
        200,
        XML,
        rss((f"{server.base}/a", long + "\x00", "x")).replace(b"\x00", b""),
    )
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert article.title.endswith("…")
    assert 900 < len(article.title) <= 2000


def test_an_entry_without_a_date_takes_its_pages(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    server.answers["/feed"] = (200, XML, rss((f"{server.base}/a", "عنوان a", "x"), dates=False))
    desk.collect(desk.settled(1))
    assert desk.articles()[0].published is None
    assert desk.articles()[0].first_poll is True
