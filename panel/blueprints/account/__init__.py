"""Pages of an account: sign-up, log-in, security, email, balance, API keys, webhooks, data.

May import `shared`, services and below.
"""
