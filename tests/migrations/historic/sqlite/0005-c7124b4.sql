CREATE TABLE canned_answers (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	text TEXT NOT NULL,
	version INTEGER NOT NULL,
	changed_at DATETIME NOT NULL,
	CONSTRAINT pk_canned_answers PRIMARY KEY (id),
	CONSTRAINT uq_canned_answers_name UNIQUE (name)
);

CREATE TABLE tickets (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	customer_id INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	order_id INTEGER,
	refill_id INTEGER,
	transfer_id INTEGER,
	state TEXT NOT NULL,
	waits_since DATETIME NOT NULL,
	assignee_id INTEGER,
	version INTEGER NOT NULL,
	opened_at DATETIME NOT NULL,
	first_answer_at DATETIME,
	last_at DATETIME NOT NULL,
	CONSTRAINT ck_tickets_kind CHECK (kind IN ('order', 'money', 'account', 'other')),
	CONSTRAINT ck_tickets_state CHECK (state IN ('waiting_for_us', 'waiting_for_you', 'closed')),
	CONSTRAINT fk_tickets_assignee_id_users FOREIGN KEY(assignee_id) REFERENCES users (id),
	CONSTRAINT fk_tickets_customer_id_users FOREIGN KEY(customer_id) REFERENCES users (id),
	CONSTRAINT fk_tickets_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
	CONSTRAINT fk_tickets_refill_id_refills FOREIGN KEY(refill_id) REFERENCES refills (id),
	CONSTRAINT fk_tickets_transfer_id_transfers FOREIGN KEY(transfer_id) REFERENCES transfers (id),
	CONSTRAINT uq_tickets_customer_id_request_id UNIQUE (customer_id, request_id)
);

CREATE INDEX ix_tickets_first_answer ON tickets (first_answer_at);

CREATE INDEX ix_tickets_of_customer ON tickets (customer_id, last_at, id);

CREATE INDEX ix_tickets_of_order ON tickets (order_id);

CREATE INDEX ix_tickets_queue ON tickets (state, waits_since, id) WHERE state <> 'closed';

CREATE TABLE ticket_entries (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	ticket_id INTEGER NOT NULL,
	number INTEGER NOT NULL,
	kind TEXT NOT NULL,
	author_id INTEGER NOT NULL,
	is_ours BOOLEAN NOT NULL,
	text TEXT NOT NULL,
	request_id TEXT,
	at DATETIME NOT NULL,
	CONSTRAINT ck_ticket_entries_kind CHECK (kind IN ('message', 'note', 'closed', 'reopened')),
	CONSTRAINT fk_ticket_entries_author_id_users FOREIGN KEY(author_id) REFERENCES users (id),
	CONSTRAINT fk_ticket_entries_ticket_id_tickets FOREIGN KEY(ticket_id) REFERENCES tickets (id),
	CONSTRAINT uq_ticket_entries_ticket_id_number UNIQUE (ticket_id, number),
	CONSTRAINT uq_ticket_entries_ticket_id_request_id UNIQUE (ticket_id, request_id)
);

CREATE INDEX ix_ticket_entries_of_author ON ticket_entries (author_id, at);
