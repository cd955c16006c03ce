"""Rules stated on help pages, each with the test that checks it in code.

The words are looked for in the texts; a sentence that sounds like a rule and has none of them fails
`test_rules.py`, and so does a rule whose words or whose test are gone.
"""

RULES = {
    "don’t need to do anything for an order to move": (
        "test_demo_goes_through_every_status_and_its_ledger_is_consistent"
    ),
    "nobody has to do anything for it to move": "test_demo_goes_through_every_status_and_its_ledger_is_consistent",
    "an order moves by itself": "test_demo_goes_through_every_status_and_its_ledger_is_consistent",
    "every order starts here": "test_order_is_charged_held_counted_and_announced",
    "no order goes back to an earlier stage": "test_each_pair_of_statuses_is_allowed_or_not_as_designed",
    "never becomes": "test_each_pair_of_statuses_is_allowed_or_not_as_designed",
    "the only next status": "test_each_pair_of_statuses_is_allowed_or_not_as_designed",
    "this order does not move again": "test_report_that_contradicts_an_end_changes_nothing_and_opens_one_review",
    "the order’s page update while they are open": "test_status_and_count_change_in_place_soon_after_the_commit",
    "change by themselves while the page is open": "test_status_and_count_change_in_place_soon_after_the_commit",
    "can’t be delivered, the order ends as partial": "test_partial_with_a_count_is_believed",
    "can be canceled from any status in which its money is held": (
        "test_each_pair_of_statuses_is_allowed_or_not_as_designed"
    ),
    "time limits pause if our server’s clock looks wrong": (
        "test_clock_far_ahead_cancels_no_more_than_the_cap_and_then_asks"
    ),
    # Money.
    "every page shows your group’s prices": "test_each_page_names_the_readers_own_price_however_often_and_in_turns",
    "you pay on a page of stripe": "test_a_deposit_is_paid_on_stripes_page_and_credited_by_its_event",
    "is held for this order": "test_money_is_held_while_open_and_settled_at_the_end",
    "is held for it until the order ends": "test_money_is_held_while_open_and_settled_at_the_end",
    "the whole charge is still held": "test_money_is_held_while_open_and_settled_at_the_end",
    "nothing of it counts as spent while": "test_money_is_held_while_open_and_settled_at_the_end",
    "its charge is on hold": "test_money_is_held_while_open_and_settled_at_the_end",
    "the charge is held while": "test_money_is_held_while_open_and_settled_at_the_end",
    "settled once, when the order ends": "test_an_end_settles_money_to_the_nano_once",
    "the charge is divided once": "test_an_end_settles_money_to_the_nano_once",
    "it is divided when the order ends": "test_an_end_settles_money_to_the_nano_once",
    "so the charge is kept": "test_completed_keeps_all_whatever_the_count",
    "the charge is kept in full": "test_completed_keeps_all_whatever_the_count",
    "goes back to your balance, and the rest is kept": "test_partial_returns_exactly_what_was_not_delivered",
    "what was not delivered is returned to your balance at once": "test_partial_returns_exactly_what_was_not_delivered",
    "what was not delivered is back on your balance": "test_partial_returns_exactly_what_was_not_delivered",
    "the rest is already back on your balance": "test_partial_returns_exactly_what_was_not_delivered",
    "only pay for what was delivered": "test_partial_returns_exactly_what_was_not_delivered",
    "the price of the rest comes back": "test_partial_returns_exactly_what_was_not_delivered",
    "whole amount goes back": "test_canceled_returns_all_whatever_the_count",
    "the whole amount is back on your balance": "test_canceled_returns_all_whatever_the_count",
    "the whole amount is already back": "test_canceled_returns_all_whatever_the_count",
    "and the whole charge comes back": "test_canceled_returns_all_whatever_the_count",
    "the whole charge goes back, and nothing is kept": "test_canceled_returns_all_whatever_the_count",
    "all of it went back": "test_canceled_returns_all_whatever_the_count",
    "written in the same moment": "test_order_becomes_what_the_table_allows_and_its_money_goes_where_it_says",
    "the refund happens without a request": "test_order_becomes_what_the_table_allows_and_its_money_goes_where_it_says",
    "in the same moment as the status": "test_order_becomes_what_the_table_allows_and_its_money_goes_where_it_says",
    "in the same step that ends the order": "test_batch_of_a_hundred_with_one_flaw_writes_none",
    "a second refund of the same charge is rejected": "test_each_settling_transfer_of_an_order_exists_once",
    "nothing is rounded": "test_every_remains_of_a_small_order_settles_to_the_nano",
    "has a receipt": "test_receipt_shows_the_sum_and_its_statement_line",
    "never edited or removed": "test_database_refuses_to_change_what_is_append_only",
    "nobody can edit that list": "test_database_refuses_to_change_what_is_append_only",
    "nothing in them can be removed": "test_database_refuses_to_change_what_is_append_only",
    "nothing has been added before that": "test_request_has_a_reference_and_moves_no_money",
    "when an operator has confirmed": "test_confirmed_request_adds_what_arrived_once",
    # Placing.
    "nothing is charged": "test_order_that_cannot_be_placed_charges_nothing",
    "only the button on": "test_check_page_shows_the_order_and_the_balance_before_and_after",
    "an order keeps the": "test_order_keeps_the_terms_of_the_moment_it_was_placed",
    "if a tool’s terms change": "test_terms_that_changed_in_between_are_a_409_with_the_new_price_to_confirm",
    "does not buy twice": "test_same_request_is_the_same_order",
    "an order is charged once": "test_same_request_is_the_same_order",
    "a form places one order": "test_same_request_is_the_same_order",
    "you are logged in at once": "test_sign_up_opens_an_account_and_signs_in",
    # Sending to providers.
    "is tried again for": "test_a_refused_connection_is_tried_later_and_sent_once",
    "don’t send it a second time": "test_an_unclear_answer_is_never_followed_by_a_second_call",
    "do not send the order again": "test_an_unclear_answer_is_never_followed_by_a_second_call",
    "is not sent again by the software": "test_an_unclear_answer_is_never_followed_by_a_second_call",
    "still open after": "test_an_order_that_stays_unconfirmed_is_canceled_with_all_money_back_once",
    "changes neither your status nor your money": "test_a_bad_report_changes_nothing_and_opens_one_review",
    "changes neither the status nor your money": "test_a_bad_report_changes_nothing_and_opens_one_review",
    "accept a provider’s report only if": "test_a_bad_report_changes_nothing_and_opens_one_review",
    "we send your link, the quantity": "test_each_order_or_run_is_one_order_at_the_next_panel",
    # Canceling and refilling.
    "only where its tool offers cancel": "test_cancellation_that_the_terms_do_not_offer_is_a_409_with_the_reason",
    "only where the tool’s page says that it offers cancel": (
        "test_cancellation_that_the_terms_do_not_offer_is_a_409_with_the_reason"
    ),
    "never sent to a provider": "test_pending_order_is_canceled_at_once_with_all_money_back",
    "can return more of what was kept": "test_goodwill_is_a_transfer_of_its_own_that_leaves_the_order_as_it_was",
    "the status is refill at once": "test_refill_is_requested_once",
    "only where the tool’s terms offer refill": "test_refill_is_refused_where_the_terms_do_not_offer_it",
    "counts from the moment when the order was first completed": (
        "test_refill_can_be_asked_for_from_completion_to_the_last_moment_of_the_window"
    ),
    "one refill of an order runs at a time": "test_second_refill_is_refused_while_one_runs",
    "a refill moves no money": "test_each_status_divides_the_charge_as_the_table_says",
    "no charge": "test_each_status_divides_the_charge_as_the_table_says",
    "closed as refused after": "test_unconfirmed_attempt_is_resolved_by_an_operator_or_its_deadline",
    # The account.
    "a log-in also ends by itself": "test_device_is_logged_out_after_thirty_days",
    "a log-in ends after": "test_device_is_logged_out_after_thirty_days",
    "accepts no further attempts for": "test_eleventh_try_from_one_network_is_refused_until_the_first_is_old",
    "marks your browser as known": "test_device_that_has_logged_in_before_gets_in_whatever_strangers_try",
    "wrong passwords are counted": "test_eleventh_try_from_one_network_is_refused_until_the_first_is_old",
    "the password itself is not stored": "test_password_is_kept_as_argon2id_at_the_agreed_cost",
    "without the last part of the address": "test_network_is_kept_instead_of_the_address",
    "it leaves out what forms contained": "test_changes_are_logged_without_query_and_form",
}
