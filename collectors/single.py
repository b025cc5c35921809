"""One page, fetched and read as the daemon would: for a person who asks about an address."""

import asyncio

from collectors.articles import language_of, text_hash
from collectors.clean import NAME_CHARS, TEXT_CHARS, TITLE_CHARS, clean_line, clean_text
from collectors.extract import Extracted, extract_page
from collectors.fetch import Clock, Fetcher, Response, user_agent
from collectors.guard import AddressGuard
from collectors.options import CollectOptions
from collectors.pool import Pool
from collectors.urls import article_id, canonical_url, site_of
from collectors.visits import Visits
from streams.records import Article


def fetch_article(url: str, options: CollectOptions, *, clock: Clock) -> Article:
    """Fetch and extract one page. robots.txt and the address guard are obeyed; nothing is
    written anywhere. Blocks, for a minute at most.

    Raises FetchError, ExtractError."""
    seen = clock()
    canonical = canonical_url(url)
    response, page = asyncio.run(_fetch(url, options, clock))
    title = clean_line(page.title or "", TITLE_CHARS)
    text = clean_text(page.text, TEXT_CHARS)
    return Article(
        id=article_id(canonical),
        url=response.url,
        linked_url=url,
        source=site_of(url),
        source_name=site_of(url),
        feed="",
        title=title,
        text=text,
        language=language_of(text, page.language, page.language or "ar"),
        authors=tuple(clean_line(name, NAME_CHARS) for name in page.authors),
        published=page.published,
        seen=seen,
        fetched=clock(),
        text_hash=text_hash(title, text),
    )


async def _fetch(url: str, options: CollectOptions, clock: Clock) -> tuple[Response, Extracted]:
    fetcher = Fetcher(
        guard=AddressGuard(options.allow_networks),
        user_agent=user_agent(options.contact),
        clock=clock,
    )
    async with fetcher:
        visits = Visits(fetcher, delay_s=options.site_delay_s, timeout_s=options.request_timeout_s)
        response = await visits.fetch(url)
    pool = Pool(1)
    try:
        page: Extracted = await pool.run(
            extract_page,
            response.body,
            url=response.url,
            content_type=response.content_type,
            now=clock(),
            timeout_s=options.extract_timeout_s,
        )
    finally:
        pool.close()
    return response, page
