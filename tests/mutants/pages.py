"""Mutants of pages, files, emails and API responses that show money, and of the reads behind them."""

from tests.mutants.mutant import in_file

FIGURES = "tests/flows/test_figures.py"
FILES = "tests/flows/test_figures_of_files.py"
OFFICE = "tests/flows/test_figures_of_office.py"
RECEIPT = f"{FIGURES}::test_receipt_shows_what_was_charged_kept_and_returned"
ORDER = f"{FIGURES}::test_order_page_divides_the_charge_as_the_ledger_does"
HISTORY = f"{FIGURES}::test_row_of_the_history_shows_charge_and_refund"
BALANCE = f"{FIGURES}::test_balance_page_shows_what_is_free_held_and_both"
STATEMENT = f"{FIGURES}::test_statement_page_shows_each_line_and_its_sums"
CHECK = f"{FIGURES}::test_check_page_shows_the_balance_before_and_after"
MASS = f"{FIGURES}::test_mass_order_shows_each_charge_and_their_sum"
MAIL = f"{FILES}::test_mail_about_orders_that_ended_has_their_money_and_the_sums"
OWN_DATA = f"{FILES}::test_own_data_has_the_same_figures"
OFFICE_ORDER = f"{OFFICE}::test_page_of_an_order_shows_each_transfer_and_their_sum"
OFFICE_CUSTOMER = f"{OFFICE}::test_page_of_a_customer_shows_balance_orders_and_lines"
OFFICE_LEDGER = f"{OFFICE}::test_ledger_shows_each_transfer_and_the_sums_of_all"

MUTANTS = (
    *in_file(
        "panel/blueprints/orders/history_rows.py",
        HISTORY,
        ('"charge": amount_of(charge_nanos)', '"charge": amount_of(charge_nanos - returned_nanos)'),
        ('"refund": amount_of(returned_nanos)', '"refund": amount_of(charge_nanos)'),
    ),
    *in_file(
        "templates/orders/receipt.html",
        RECEIPT,
        ("amount(own.order.kept_nanos)", "amount(receipt.amount_nanos)"),
        ("amount(receipt.amount_nanos) }}</dd>", "amount(own.order.kept_nanos) }}</dd>"),
        ("amount(receipt.total_nanos)", "amount(receipt.amount_nanos)"),
        ("product(own.order, receipt.units)", "product(own.order, own.delivered)"),
        ("amount(receipt.balance_nanos)", "amount(receipt.amount_nanos)"),
        ("amount(gift.amount_nanos)", "amount(receipt.total_nanos)"),
    ),
    *in_file(
        "panel/services/orders/detail.py",
        f"{ORDER} {RECEIPT}",
        (", order.kept_nanos),", ", order.returned_nanos),"),
        ("order.returned_nanos, *moved", "order.kept_nanos, *moved"),
        ("order.charge_nanos, *moved", "order.kept_nanos, *moved"),
        ("self.order.charge_nanos - self.order.kept_nanos -", "self.order.charge_nanos -"),
    ),
    *in_file(
        "panel/services/orders/request_progress.py",
        f"{ORDER} {RECEIPT}",
        ("return self.amount_nanos + sum(", "return sum("),
        ("units=order.returned_nanos //", "units=order.kept_nanos //"),
        ("amount_nanos=order.returned_nanos,", "amount_nanos=order.kept_nanos,"),
    ),
    *in_file(
        "panel/services/orders/detail.py",
        "tests/blueprints/orders/test_new.py::test_order_again_is_filled_in_from_the_earlier_order",
        ("return self.order.remains if is_rest else", "return self.order.quantity if is_rest else"),
    ),
    *in_file(
        "templates/orders/_order.html",
        ORDER,
        ("}} = {{ amount(own.order.charge_nanos) }}", "}} = {{ amount(own.order.kept_nanos) }}"),
        ("{{ amount(gift.amount_nanos) }}, <a", "{{ amount(own.order.kept_nanos) }}, <a"),
    ),
    *in_file(
        "templates/orders/check.html",
        f"{CHECK} {FIGURES}::test_check_page_says_how_much_is_missing",
        ("amount(after_nanos)", "amount(balance_nanos)"),
        ("amount(missing_nanos)", "amount(quote.charge_nanos)"),
        ("−{{ amount(quote.charge_nanos)", "−{{ amount(balance_nanos)"),
    ),
    *in_file(
        "templates/orders/mass_check.html",
        MASS,
        ("amount(after_nanos)", "amount(balance_nanos)"),
        ("−{{ amount(total_nanos)", "−{{ amount(after_nanos)"),
    ),
    *in_file(
        "templates/balance/show.html",
        BALANCE,
        ("amount(held_nanos)", "amount(free_nanos)"),
        ("amount(together_nanos)", "amount(free_nanos)"),
    ),
    *in_file(
        "panel/blueprints/account/balance.py",
        BALANCE,
        ("together_nanos=free_nanos + held_nanos", "together_nanos=free_nanos - held_nanos"),
    ),
    *in_file(
        "panel/blueprints/account/balance.py",
        f"{FILES}::test_file_of_the_statement_has_each_line {STATEMENT}",
        ("money.plain(found.closing_nanos)", "money.plain(found.opening_nanos)"),
        ("money.plain(entry.out_nanos)", "money.plain(entry.balance_nanos)"),
    ),
    *in_file(
        "templates/balance/statement.html",
        STATEMENT,
        ("amount(statement.in_nanos)", "amount(statement.out_nanos)"),
        ("amount(statement.closing_nanos)", "amount(statement.opening_nanos)"),
    ),
    *in_file(
        "templates/balance/_lines.html",
        STATEMENT,
        ("amount(line.entry.out_nanos)", "amount(line.entry.balance_nanos)"),
        ("amount(line.entry.balance_nanos)", "amount(line.entry.in_nanos)"),
    ),
    *in_file(
        "panel/blueprints/orders/history.py",
        f"{FILES}::test_file_of_orders_has_each_charge_and_return",
        ("money.plain(row.returned_nanos)", "money.plain(row.charge_nanos)"),
    ),
    *in_file(
        "templates/mails/orders.txt",
        MAIL,
        ("order.returned_nanos | money", "order.charge_nanos | money"),
        ("balance_nanos | money", "charge_nanos | money"),
    ),
    *in_file(
        "panel/services/mail/order_notifications.py",
        MAIL,
        ("sum(order.returned_nanos for", "sum(order.charge_nanos for"),
    ),
    *in_file(
        "panel/services/privacy/data_export_tables.py",
        OWN_DATA,
        ('Order.kept_nanos.label("kept")', 'Order.returned_nanos.label("kept")'),
        ("case((Transfer.from_account_id == mine", "case((Transfer.to_account_id == mine"),
    ),
    *in_file(
        "panel/services/api/orders.py",
        f"{FILES}::test_api_returns_the_current_charge_of_each_order",
        ("ORDERS.c.charge_nanos - ORDERS.c.returned_nanos", "ORDERS.c.charge_nanos"),
    ),
    *in_file(
        "panel/services/webhooks.py",
        f"{FILES}::test_webhooks_carry_charge_and_refund",
        ("money.plain(move.returned_nanos)", 'orders[move.order_id]["charge"]'),
        ("row.charge_nanos - row.returned_nanos", "row.charge_nanos"),
    ),
    *in_file(
        "templates/components/site_bar.html",
        f"{FIGURES}::test_bar_and_live_regions_show_the_balance_everywhere",
        ('<data id="balance" data-nanos="{{ parts.balance_nanos }}"', '<data id="balance" data-nanos="0"'),
    ),
    *in_file(
        "templates/tickets/_thing.html",
        f"{FIGURES}::test_ticket_about_an_order_shows_its_money"
        f" {FIGURES}::test_ticket_about_a_line_of_the_statement_shows_its_amount",
        ("thing.line.change_nanos > 0", "thing.line.change_nanos < 0"),
        ("amount(thing.order.returned_nanos)", "amount(thing.order.charge_nanos)"),
    ),
    *in_file(
        "templates/office/_orders.html",
        f"{OFFICE}::test_row_of_an_order_shows_charge_and_refund",
        ("amount(line.charge_nanos)", "amount(line.charge_nanos - line.returned_nanos)"),
    ),
    *in_file(
        "templates/office/_order_money.html",
        OFFICE_ORDER,
        ("amount(story.returned_later_nanos)", "amount(story.room.left_nanos)"),
    ),
    *in_file(
        "panel/services/office/order_detail.py",
        OFFICE_ORDER,
        ("self.own.order.kept_nanos - self.room.left_nanos", "self.own.order.kept_nanos"),
    ),
    *in_file(
        "templates/office/customers/show.html",
        OFFICE_CUSTOMER,
        ("amount(whole.held_nanos)", "amount(whole.balance_nanos)"),
        ("amount(order.returned_nanos)", "amount(order.charge_nanos)"),
        ("amount(line.entry.balance_nanos)", "amount(line.entry.change_nanos)"),
    ),
    *in_file(
        "templates/office/ledger/index.html",
        OFFICE_LEDGER,
        ("amount(page.sums.out_nanos)", "amount(page.sums.in_nanos)"),
        ("amount(page.sums.amount_nanos)", "amount(page.sums.in_nanos)"),
    ),
    *in_file(
        "panel/services/office/ledger_search.py",
        OFFICE_LEDGER,
        ("case((went, amount)", "case((came, amount)"),
        ("self.in_nanos - self.out_nanos", "self.in_nanos + self.out_nanos"),
    ),
    *in_file(
        "templates/office/_effect.html",
        f"{OFFICE}::test_check_before_a_balance_is_changed_shows_both_balances",
        ("sum(effect.after_nanos)", "sum(effect.before_nanos)"),
    ),
    *in_file(
        "panel/services/platform/figures.py",
        f"{OFFICE}::test_figures_of_a_day_show_what_was_returned",
        ("func.sum(ORDERS.c.returned_nanos)", "func.sum(ORDERS.c.charge_nanos)"),
        ("ORDERS.c.returned_nanos > 0,", ""),
    ),
    *in_file(
        "templates/office/tickets/_customer.html",
        f"{OFFICE}::test_ticket_in_the_office_shows_balance_held_and_charges",
        ("amount(customer.held_nanos)", "amount(customer.balance_nanos)"),
        ("amount(order.charge_nanos)", "amount(customer.balance_nanos)"),
    ),
    *in_file(
        "templates/office/bulk.html",
        f"{OFFICE}::test_canceling_many_shows_what_goes_back",
        ("amount(preview.returned_nanos)", "amount(preview.kept_nanos)"),
        ("amount(row.effect.money.returned_nanos)", "amount(row.effect.money.kept_nanos)"),
    ),
)
