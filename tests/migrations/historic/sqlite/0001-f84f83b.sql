CREATE TABLE audit_log (
	id INTEGER NOT NULL,
	actor TEXT NOT NULL,
	act TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail TEXT NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT pk_audit_log PRIMARY KEY (id)
);

CREATE TABLE catalogue (
	id INTEGER NOT NULL,
	version INTEGER NOT NULL,
	CONSTRAINT pk_catalogue PRIMARY KEY (id)
);

CREATE TABLE failed_tries (
	id INTEGER NOT NULL,
	bucket TEXT NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT pk_failed_tries PRIMARY KEY (id)
);

CREATE INDEX ix_failed_tries_bucket ON failed_tries (bucket);

CREATE TABLE heartbeats (
	worker TEXT NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT pk_heartbeats PRIMARY KEY (worker)
);

CREATE TABLE providers (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	url TEXT NOT NULL,
	sealed_key TEXT NOT NULL,
	paused_at DATETIME,
	pause_reason TEXT NOT NULL,
	failures INTEGER NOT NULL,
	call_after DATETIME,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_providers PRIMARY KEY (id),
	CONSTRAINT ck_providers_kind CHECK (kind IN ('panel_api', 'manual', 'simulated')),
	CONSTRAINT uq_providers_name UNIQUE (name)
);

CREATE TABLE users (
	id INTEGER NOT NULL,
	email TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	is_operator BOOLEAN NOT NULL,
	state_version INTEGER NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_users PRIMARY KEY (id),
	CONSTRAINT uq_users_email UNIQUE (email)
);

CREATE TABLE accounts (
	id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	user_id INTEGER,
	balance_nanos INTEGER,
	CONSTRAINT pk_accounts PRIMARY KEY (id),
	CONSTRAINT ck_accounts_cache CHECK ((kind = 'customer') = (balance_nanos IS NOT NULL)),
	CONSTRAINT ck_accounts_owner CHECK ((kind = 'customer') = (user_id IS NOT NULL)),
	CONSTRAINT ck_accounts_kind CHECK (kind IN ('customer', 'holds', 'sales', 'deposits', 'adjustments')),
	CONSTRAINT ck_accounts_balance_not_negative CHECK (balance_nanos >= 0),
	CONSTRAINT fk_accounts_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_accounts_user_id UNIQUE (user_id)
);

CREATE UNIQUE INDEX uq_accounts_house ON accounts (kind) WHERE user_id IS NULL;

CREATE TABLE order_counts (
	customer_id INTEGER NOT NULL,
	status TEXT NOT NULL,
	orders INTEGER NOT NULL,
	CONSTRAINT pk_order_counts PRIMARY KEY (customer_id, status),
	CONSTRAINT fk_order_counts_customer_id_users FOREIGN KEY(customer_id) REFERENCES users (id)
);

CREATE TABLE sign_ins (
	id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	token_hash TEXT NOT NULL,
	device TEXT NOT NULL,
	network TEXT NOT NULL,
	signed_in_at DATETIME NOT NULL,
	seen_at DATETIME NOT NULL,
	ended_at DATETIME,
	CONSTRAINT pk_sign_ins PRIMARY KEY (id),
	CONSTRAINT fk_sign_ins_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_sign_ins_token_hash UNIQUE (token_hash)
);

CREATE INDEX ix_sign_ins_user_id ON sign_ins (user_id);

CREATE TABLE tools (
	id INTEGER NOT NULL,
	slug TEXT NOT NULL,
	name TEXT NOT NULL,
	category TEXT NOT NULL,
	summary TEXT NOT NULL,
	unit TEXT NOT NULL,
	provider_id INTEGER NOT NULL,
	provider_service TEXT NOT NULL,
	terms_id INTEGER,
	is_hidden BOOLEAN NOT NULL,
	changed_at DATETIME NOT NULL,
	CONSTRAINT pk_tools PRIMARY KEY (id),
	CONSTRAINT fk_tools_provider_id_providers FOREIGN KEY(provider_id) REFERENCES providers (id),
	CONSTRAINT uq_tools_slug UNIQUE (slug)
);

CREATE TABLE terms (
	id INTEGER NOT NULL,
	tool_id INTEGER NOT NULL,
	version INTEGER NOT NULL,
	price_micros_per_thousand INTEGER NOT NULL,
	minimum INTEGER NOT NULL,
	maximum INTEGER NOT NULL,
	link_pattern TEXT NOT NULL,
	link_example TEXT NOT NULL,
	link_counter_example TEXT NOT NULL,
	link_hint TEXT NOT NULL,
	refill_days INTEGER,
	can_cancel BOOLEAN NOT NULL,
	since DATETIME NOT NULL,
	CONSTRAINT pk_terms PRIMARY KEY (id),
	CONSTRAINT ck_terms_limits CHECK (minimum > 0 AND minimum <= maximum),
	CONSTRAINT ck_terms_price_positive CHECK (price_micros_per_thousand > 0),
	CONSTRAINT fk_terms_tool_id_tools FOREIGN KEY(tool_id) REFERENCES tools (id),
	CONSTRAINT uq_terms_tool_id_version UNIQUE (tool_id, version)
);

CREATE TABLE orders (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	customer_id INTEGER NOT NULL,
	tool_id INTEGER NOT NULL,
	terms_id INTEGER NOT NULL,
	link TEXT NOT NULL,
	quantity INTEGER NOT NULL,
	price_micros_per_thousand INTEGER NOT NULL,
	charge_nanos INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	placed_at DATETIME NOT NULL,
	status TEXT NOT NULL,
	remains INTEGER NOT NULL,
	start_count INTEGER,
	kept_nanos INTEGER NOT NULL,
	returned_nanos INTEGER NOT NULL,
	reason TEXT NOT NULL,
	version INTEGER NOT NULL,
	started_at DATETIME,
	completed_at DATETIME,
	ended_at DATETIME,
	provider_id INTEGER NOT NULL,
	provider_service TEXT NOT NULL,
	provider_order_id TEXT,
	dispatch_at DATETIME,
	sync_at DATETIME,
	unconfirmed_at DATETIME,
	CONSTRAINT ck_orders_status CHECK (status IN ('pending', 'processing', 'in_progress', 'completed', 'partial', 'canceled', 'refill')),
	CONSTRAINT ck_orders_charge CHECK (charge_nanos = quantity * price_micros_per_thousand AND charge_nanos > 0),
	CONSTRAINT ck_orders_settled CHECK (kept_nanos >= 0 AND returned_nanos >= 0 AND kept_nanos + returned_nanos <= charge_nanos),
	CONSTRAINT ck_orders_counts CHECK (quantity > 0 AND remains >= 0 AND remains <= quantity),
	CONSTRAINT fk_orders_customer_id_users FOREIGN KEY(customer_id) REFERENCES users (id),
	CONSTRAINT fk_orders_provider_id_providers FOREIGN KEY(provider_id) REFERENCES providers (id),
	CONSTRAINT fk_orders_terms_id_terms FOREIGN KEY(terms_id) REFERENCES terms (id),
	CONSTRAINT fk_orders_tool_id_tools FOREIGN KEY(tool_id) REFERENCES tools (id),
	CONSTRAINT uq_orders_customer_id_request_id UNIQUE (customer_id, request_id),
	CONSTRAINT uq_orders_provider_id_provider_order_id UNIQUE (provider_id, provider_order_id)
);

CREATE INDEX ix_orders_by_day ON orders (customer_id, placed_at);

CREATE INDEX ix_orders_by_status ON orders (customer_id, status, id);

CREATE INDEX ix_orders_by_tool ON orders (customer_id, tool_id, id);

CREATE INDEX ix_orders_dispatch ON orders (provider_id, dispatch_at) WHERE dispatch_at IS NOT NULL;

CREATE INDEX ix_orders_history ON orders (customer_id, id);

CREATE INDEX ix_orders_sync ON orders (provider_id, sync_at) WHERE sync_at IS NOT NULL;

CREATE TABLE attempts (
	id INTEGER NOT NULL,
	order_id INTEGER NOT NULL,
	provider_id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	at DATETIME NOT NULL,
	lease_until DATETIME NOT NULL,
	answered_at DATETIME,
	answer TEXT NOT NULL,
	CONSTRAINT pk_attempts PRIMARY KEY (id),
	CONSTRAINT ck_attempts_kind CHECK (kind IN ('add', 'refill')),
	CONSTRAINT ck_attempts_state CHECK (state IN ('intent', 'sent', 'refused', 'not_sent', 'unknown', 'settled')),
	CONSTRAINT fk_attempts_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
	CONSTRAINT fk_attempts_provider_id_providers FOREIGN KEY(provider_id) REFERENCES providers (id)
);

CREATE INDEX ix_attempts_order ON attempts (order_id, id);

CREATE UNIQUE INDEX uq_attempts_open ON attempts (order_id, kind) WHERE state IN ('intent', 'unknown');

CREATE TABLE cancellations (
	id INTEGER NOT NULL,
	order_id INTEGER NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	asked_at DATETIME NOT NULL,
	answered_at DATETIME,
	due_at DATETIME,
	CONSTRAINT pk_cancellations PRIMARY KEY (id),
	CONSTRAINT ck_cancellations_state CHECK (state IN ('asked', 'accepted', 'refused')),
	CONSTRAINT fk_cancellations_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_cancellations_due_at ON cancellations (due_at);

CREATE INDEX ix_cancellations_order ON cancellations (order_id, id);

CREATE UNIQUE INDEX uq_cancellations_open ON cancellations (order_id) WHERE state = 'asked';

CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	order_id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	source TEXT NOT NULL,
	old_status TEXT,
	status TEXT NOT NULL,
	remains INTEGER NOT NULL,
	start_count INTEGER,
	kept_nanos INTEGER NOT NULL,
	returned_nanos INTEGER NOT NULL,
	version INTEGER NOT NULL,
	text TEXT NOT NULL,
	raw TEXT NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT fk_events_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_events_order ON events (order_id, id);

CREATE TABLE refills (
	id INTEGER NOT NULL,
	order_id INTEGER NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	asked_at DATETIME NOT NULL,
	ended_at DATETIME,
	provider_refill_id TEXT,
	due_at DATETIME,
	CONSTRAINT pk_refills PRIMARY KEY (id),
	CONSTRAINT ck_refills_state CHECK (state IN ('requested', 'running', 'completed', 'refused')),
	CONSTRAINT fk_refills_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_refills_due_at ON refills (due_at);

CREATE INDEX ix_refills_order ON refills (order_id, id);

CREATE UNIQUE INDEX uq_refills_open ON refills (order_id) WHERE state IN ('requested', 'running');

CREATE TABLE reviews (
	id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	order_id INTEGER,
	provider_id INTEGER,
	text TEXT NOT NULL,
	raw TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	opened_at DATETIME NOT NULL,
	resolved_at DATETIME,
	resolution TEXT NOT NULL,
	CONSTRAINT pk_reviews PRIMARY KEY (id),
	CONSTRAINT fk_reviews_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
	CONSTRAINT fk_reviews_provider_id_providers FOREIGN KEY(provider_id) REFERENCES providers (id),
	CONSTRAINT uq_reviews_fingerprint UNIQUE (fingerprint)
);

CREATE INDEX ix_reviews_order_id ON reviews (order_id);

CREATE TABLE transfers (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	from_account_id INTEGER NOT NULL,
	to_account_id INTEGER NOT NULL,
	amount_nanos INTEGER NOT NULL,
	kind TEXT NOT NULL,
	order_id INTEGER,
	reason TEXT NOT NULL,
	note TEXT NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT ck_transfers_kind CHECK (kind IN ('charge', 'keep', 'return', 'deposit', 'adjustment')),
	CONSTRAINT ck_transfers_amount_positive CHECK (amount_nanos > 0),
	CONSTRAINT ck_transfers_two_accounts CHECK (from_account_id <> to_account_id),
	CONSTRAINT fk_transfers_from_account_id_accounts FOREIGN KEY(from_account_id) REFERENCES accounts (id),
	CONSTRAINT fk_transfers_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
	CONSTRAINT fk_transfers_to_account_id_accounts FOREIGN KEY(to_account_id) REFERENCES accounts (id),
	CONSTRAINT uq_transfers_reason UNIQUE (reason)
);

CREATE INDEX ix_transfers_from ON transfers (from_account_id, id);

CREATE INDEX ix_transfers_to ON transfers (to_account_id, id);

CREATE UNIQUE INDEX uq_transfers_settling ON transfers (order_id, kind) WHERE kind IN ('charge', 'keep', 'return');

CREATE TABLE top_ups (
	id INTEGER NOT NULL,
	customer_id INTEGER NOT NULL,
	reference TEXT NOT NULL,
	amount_nanos INTEGER NOT NULL,
	requested_at DATETIME NOT NULL,
	transfer_id INTEGER,
	CONSTRAINT pk_top_ups PRIMARY KEY (id),
	CONSTRAINT ck_top_ups_amount_positive CHECK (amount_nanos > 0),
	CONSTRAINT fk_top_ups_customer_id_users FOREIGN KEY(customer_id) REFERENCES users (id),
	CONSTRAINT fk_top_ups_transfer_id_transfers FOREIGN KEY(transfer_id) REFERENCES transfers (id),
	CONSTRAINT uq_top_ups_reference UNIQUE (reference)
);

CREATE INDEX ix_top_ups_customer_id ON top_ups (customer_id);

INSERT INTO accounts (kind) VALUES ('holds');

INSERT INTO accounts (kind) VALUES ('sales');

INSERT INTO accounts (kind) VALUES ('deposits');

INSERT INTO accounts (kind) VALUES ('adjustments');

INSERT INTO catalogue (id, version) VALUES (1, 1);

CREATE TRIGGER transfers_no_update BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers is append-only'); END;

CREATE TRIGGER transfers_no_delete BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers is append-only'); END;

CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;

CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

CREATE TRIGGER terms_no_update BEFORE UPDATE ON terms BEGIN SELECT RAISE(ABORT, 'terms is append-only'); END;

CREATE TRIGGER terms_no_delete BEFORE DELETE ON terms BEGIN SELECT RAISE(ABORT, 'terms is append-only'); END;
