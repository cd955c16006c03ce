"""The resellers' API: keys, orders by API, webhook endpoints and their deliveries.

May import `orders` and what is below it.
"""
