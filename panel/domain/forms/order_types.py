"""Table of order types: the service types of API v2, each with its quantity rule and its fields.

The order form, the check page, mass orders, the API, the import and the call to a provider all read this table.
"""

from panel.domain.forms.order_form import MAX_LINES, FieldKind, FieldRule, OrderForm, QuantityRule

DEFAULT = "Default"
# Orders of this type have neither a link nor a quantity.
SUBSCRIPTIONS = "Subscriptions"
MAX_TYPE_LENGTH = 60

_COMMENTS = FieldRule(
    "comments",
    "Comments",
    FieldKind.LINES,
    "Great episode\nThank you for this",
    hint="Write each comment on a line of its own.",
    maximum=MAX_LINES,
)
_USERNAMES = FieldRule(
    "usernames", "Usernames", FieldKind.LINES, "anna.example\nben.example", "Who is mentioned.", maximum=MAX_LINES
)
_HASHTAGS = FieldRule("hashtags", "Hashtags", FieldKind.LINES, "podcast\nnewsletter", maximum=MAX_LINES)
_ONE_BY_ONE, _PACKAGE, _BY_LINES = QuantityRule.BY_QUANTITY, QuantityRule.FIXED_PACKAGE, QuantityRule.ONE_A_LINE


def _username(hint: str) -> FieldRule:
    return FieldRule("username", "Username", FieldKind.TEXT, "anna.example", hint)


TYPES: dict[str, OrderForm] = {
    form.order_type: form
    for form in (
        OrderForm(DEFAULT, _ONE_BY_ONE),
        OrderForm("Package", _PACKAGE),
        OrderForm("Custom Comments", _BY_LINES, (_COMMENTS,)),
        OrderForm("Custom Comments Package", _PACKAGE, (_COMMENTS,)),
        OrderForm("Mentions", _ONE_BY_ONE, (_USERNAMES,)),
        OrderForm("Mentions with Hashtags", _ONE_BY_ONE, (_USERNAMES, _HASHTAGS)),
        OrderForm("Mentions Custom List", _BY_LINES, (_USERNAMES,)),
        OrderForm(
            "Mentions Hashtag",
            _ONE_BY_ONE,
            (FieldRule("hashtag", "Hashtag", FieldKind.TEXT, "podcast", "People who used it are mentioned."),),
        ),
        OrderForm("Mentions User Followers", _ONE_BY_ONE, (_username("The followers of this user are mentioned."),)),
        OrderForm(
            "Mentions Media Likers",
            _ONE_BY_ONE,
            (
                FieldRule(
                    "media",
                    "Post",
                    FieldKind.TEXT,
                    "https://example.com/post-1",
                    "The link of a post. People who liked it are mentioned.",
                ),
            ),
        ),
        OrderForm("Comment Likes", _ONE_BY_ONE, (_username("Who wrote the comment."),)),
        OrderForm("Comment Replies", _BY_LINES, (_username("Who wrote the comment."), _COMMENTS)),
        OrderForm(
            "Poll",
            _ONE_BY_ONE,
            (
                FieldRule(
                    "answer_number",
                    "Answer number",
                    FieldKind.NUMBER,
                    "2",
                    "Count the answers from the top: the first is 1.",
                    minimum=1,
                    maximum=100,
                ),
            ),
        ),
        OrderForm(
            "Invites from Groups",
            _ONE_BY_ONE,
            (
                FieldRule(
                    "groups",
                    "Groups",
                    FieldKind.LINES,
                    "https://example.com/group-1",
                    "The groups whose members are invited.",
                    maximum=MAX_LINES,
                ),
            ),
        ),
        OrderForm(
            "Web Traffic",
            _ONE_BY_ONE,
            (
                FieldRule("country", "Country", FieldKind.TEXT, "US", "A country’s code or name.", maximum=100),
                FieldRule(
                    "device",
                    "Device",
                    FieldKind.CHOICE,
                    "5",
                    choices=(
                        ("1", "Desktop"),
                        ("2", "Mobile (Android)"),
                        ("3", "Mobile (iOS)"),
                        ("4", "Mobile (mixed)"),
                        ("5", "Mobile and desktop"),
                    ),
                ),
                FieldRule(
                    "type_of_traffic",
                    "Type of traffic",
                    FieldKind.CHOICE,
                    "3",
                    choices=(("1", "From a Google search"), ("2", "From a page of yours"), ("3", "Without a referrer")),
                ),
                FieldRule(
                    "google_keyword",
                    "Google keyword",
                    FieldKind.TEXT,
                    "podcast about gardens",
                    "Only for traffic from a Google search.",
                    is_required=False,
                    required_if=("type_of_traffic", "1"),
                ),
                FieldRule(
                    "referring_url",
                    "Referring page",
                    FieldKind.TEXT,
                    "https://example.com/page-1",
                    "Only for traffic from a page of yours.",
                    is_required=False,
                    required_if=("type_of_traffic", "2"),
                ),
            ),
        ),
        OrderForm(
            "SEO",
            _ONE_BY_ONE,
            (
                FieldRule(
                    "keywords",
                    "Keywords",
                    FieldKind.LINES,
                    "garden podcast\nurban gardening",
                    "What people search for.",
                    maximum=MAX_LINES,
                ),
            ),
        ),
    )
}

_BY_LOWER_CASE = {name.lower(): name for name in TYPES}


def known_name(text: str) -> str | None:
    """The type as the table writes it, whatever the capitals and spaces; None for one that it doesn't have."""
    return _BY_LOWER_CASE.get(" ".join(text.split()).lower())
