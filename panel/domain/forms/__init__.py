"""Order forms: how an order's quantity comes about, and which fields it takes besides its link. May import `domain`."""
