"""Push hub (`flask hub`): tells open pages that something they show has changed, over server-sent events.

A page that hears of one fetches its live region as a poll would. The hub knows sessions and versions, nothing else: no
order, amount or email passes through it. May import `middleware`, `processes` and below; only its own process imports
it, by name.
"""
