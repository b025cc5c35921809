"""Who says it: how many sources of a story are independent. Pure.

A copy speaks with the voice of the text it repeats, also through other copies; a report that
credits an agency or another outlet speaks with theirs; what is left speaks for itself.
"""

from collections.abc import Iterable, Sequence

from streams.records import StoryArticle


def voices(articles: Sequence[StoryArticle]) -> dict[str, str]:
    """article id → the voice it speaks with: a source's id, or an agency's name."""
    by_id = {article.article_id: article for article in articles}
    roots = {article.article_id: _root(article, by_id) for article in articles}
    credits: dict[str, str] = {}
    for article in articles:  # one copy that names the agency names it for all
        if article.credited:
            credits.setdefault(roots[article.article_id].article_id, article.credited)
    return {
        article_id: credits.get(root.article_id) or root.copy_of or outlet(root.source)
        for article_id, root in roots.items()
    }


def independent(articles: Sequence[StoryArticle]) -> list[StoryArticle]:
    """The first article of each voice: its own if there is one, else the first that passes
    it on."""
    names = voices(articles)
    first: dict[str, StoryArticle] = {}
    for article in articles:
        first.setdefault(names[article.article_id], article)
    return list(first.values())


def origin(articles: Sequence[StoryArticle]) -> StoryArticle:
    """The first article of a source that speaks for itself, whose headline is the story's; the
    first of all where none does."""
    names = voices(articles)
    for article in articles:
        if article.copy_of is None and names[article.article_id] == outlet(article.source):
            return article
    return articles[0]


def outlets(articles: Iterable[StoryArticle]) -> list[str]:
    """Names of those who publish it, in order, each once."""
    return list(dict.fromkeys(article.source_name or article.source for article in articles))


def copies(articles: Iterable[StoryArticle]) -> int:
    """How many repeat the text of another."""
    return sum(article.copy_of is not None for article in articles)


def outlet(source: str) -> str:
    """A source's id without its edition: `sana-en` and `sana` are one outlet."""
    head, _, edition = source.rpartition("-")
    return head if head and edition in ("en", "ar", "fr", "tr", "ku", "gov") else source


def _root(article: StoryArticle, by_id: dict[str, StoryArticle]) -> StoryArticle:
    seen = {article.article_id}
    while article.copy_of is not None and article.copy_of not in seen:
        origin = by_id.get(article.copy_of)
        if origin is None:
            break
        seen.add(origin.article_id)
        article = origin
    return article
