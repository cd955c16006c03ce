"""Terms of service, refund policy and contact: public, linked, searchable, and consistent with the settings."""

from flask import Flask
from flask.testing import FlaskClient

from tests.content.pages import main_of, page, words

TRUST_PAGES = ("/terms-of-service", "/refund-policy", "/contact")


def test_trust_pages_are_in_the_sitemap_the_footer_and_the_search(client: FlaskClient) -> None:
    sitemap, home = client.get("/sitemap.xml").text, page(client, "/faq")

    for path in TRUST_PAGES:
        assert f"{path}</loc>" in sitemap and f'href="{path}"' in home
    assert 'href="/refund-policy' in main_of(client.get("/search?q=refund+policy").text)


def test_contact_page_leaves_out_what_is_not_set_and_leads_to_tickets(client: FlaskClient) -> None:
    main = main_of(page(client, "/contact"))

    assert 'id="company"' not in main and "<dt>" not in main
    assert 'id="by-ticket"' in main and 'href="/tickets/new"' in main


def test_contact_page_shows_the_company_and_its_email(app: Flask, client: FlaskClient) -> None:
    app.jinja_env.globals |= {"company_name": "Example <LLC>", "contact_email": "help@example.com"}

    main = main_of(page(client, "/contact"))

    assert "Company Example <LLC>" in words(main) and "<dt>Address</dt>" not in main
    assert 'href="mailto:help@example.com"' in main and 'id="by-ticket"' not in main
