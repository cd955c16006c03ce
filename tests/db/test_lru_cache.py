"""LRU cache: the least recently used values are dropped, by number or by size."""

from panel.db.lru_cache import LRUCache, NewestVersionCache


def test_value_used_least_recently_is_dropped() -> None:
    cache: LRUCache[str, str] = LRUCache(2)
    for key in ("a", "b"):
        cache.set(key, key)
    cache.get("a")

    cache.set("c", "c")

    assert [cache.get(key) for key in "abc"] == ["a", None, "c"]


def test_cache_bounded_by_size_drops_as_much_as_a_new_value_needs() -> None:
    cache: LRUCache[str, str] = LRUCache(10, size_of=len)
    for key in ("a", "b", "c"):
        cache.set(key, key * 3)

    cache.set("d", "d" * 7)

    assert [cache.get(key) for key in "abcd"] == [None, None, "ccc", "d" * 7]


def test_value_larger_than_the_cache_is_not_stored() -> None:
    cache: LRUCache[str, str] = LRUCache(10, size_of=len)
    cache.set("a", "aaa")

    cache.set("b", "b" * 11)

    assert [cache.get(key) for key in "ab"] == ["aaa", None]
    assert cache.get_or_make("b", lambda: "b" * 11) == "b" * 11


def test_cache_without_room_stores_nothing() -> None:
    cache: LRUCache[str, str] = LRUCache(0)

    cache.set("a", "a")

    assert len(cache) == 0


def test_values_asked_for_together_are_used() -> None:
    cache: LRUCache[str, str] = LRUCache(2)
    for key in ("a", "b"):
        cache.set(key, key)

    assert cache.get_all(["x", "a"]) == [None, "a"]
    cache.set("c", "c")

    assert cache.get_all("abc") == ["a", None, "c"]


def test_values_stored_together_drop_the_least_recently_used_and_leave_out_what_is_too_large() -> None:
    cache: LRUCache[str, str] = LRUCache(4, size_of=len)
    for key in ("a", "b"):
        cache.set(key, key * 2)
    cache.get("a")

    cache.set_all({"c": "c", "d": "d" * 5, "e": "e"})

    assert [cache.get(key) for key in "abcde"] == ["aa", None, "c", None, "e"]
    assert cache.get_all("ce") == ["c", "e"]


def test_entries_of_an_old_version_are_dropped_when_a_newer_one_comes() -> None:
    cache: NewestVersionCache[tuple[str, int], str] = NewestVersionCache(10)
    cache.at(4).set(("row", 4), "before")

    newest = cache.at(5)
    newest.set(("row", 5), "after")

    assert len(cache.at(4)) == 1
    assert (cache.at(4).get(("row", 4)), cache.at(5).get(("row", 5))) == (None, "after")
