CREATE TABLE api_keys (
	id BIGSERIAL NOT NULL,
	user_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	key_hash TEXT NOT NULL,
	starts_with TEXT NOT NULL,
	networks TEXT NOT NULL,
	made_at TIMESTAMP WITH TIME ZONE NOT NULL,
	used_at TIMESTAMP WITH TIME ZONE,
	revoked_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_api_keys PRIMARY KEY (id),
	CONSTRAINT fk_api_keys_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);

CREATE INDEX ix_api_keys_user_id ON api_keys (user_id);

CREATE TABLE receivers (
	id BIGSERIAL NOT NULL,
	user_id BIGINT NOT NULL,
	url TEXT NOT NULL,
	sealed_secret TEXT NOT NULL,
	sealed_old_secret TEXT NOT NULL,
	old_secret_until TIMESTAMP WITH TIME ZONE,
	balance_low_nanos BIGINT,
	made_at TIMESTAMP WITH TIME ZONE NOT NULL,
	removed_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_receivers PRIMARY KEY (id),
	CONSTRAINT fk_receivers_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_receivers_user_id ON receivers (user_id);

CREATE TABLE webhooks (
	id BIGSERIAL NOT NULL,
	public_id TEXT NOT NULL,
	user_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	order_id BIGINT,
	number BIGINT,
	body TEXT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_webhooks PRIMARY KEY (id),
	CONSTRAINT fk_webhooks_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
	CONSTRAINT fk_webhooks_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_webhooks_order_id_number UNIQUE (order_id, number),
	CONSTRAINT uq_webhooks_public_id UNIQUE (public_id)
);

CREATE INDEX ix_webhooks_user ON webhooks (user_id, id);

CREATE TABLE deliveries (
	id BIGSERIAL NOT NULL,
	receiver_id BIGINT NOT NULL,
	webhook_id BIGINT NOT NULL,
	state TEXT NOT NULL,
	tries BIGINT NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE,
	tried_at TIMESTAMP WITH TIME ZONE,
	answer TEXT NOT NULL,
	delivered_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_deliveries PRIMARY KEY (id),
	CONSTRAINT ck_deliveries_state CHECK (state IN ('waiting', 'delivered', 'given_up')),
	CONSTRAINT fk_deliveries_receiver_id_receivers FOREIGN KEY(receiver_id) REFERENCES receivers (id),
	CONSTRAINT fk_deliveries_webhook_id_webhooks FOREIGN KEY(webhook_id) REFERENCES webhooks (id),
	CONSTRAINT uq_deliveries_receiver_id_webhook_id UNIQUE (receiver_id, webhook_id)
);

CREATE INDEX ix_deliveries_due ON deliveries (receiver_id, due_at) WHERE due_at IS NOT NULL;

ALTER TABLE tools ADD COLUMN provider_rate_micros BIGINT;

ALTER TABLE tools ADD COLUMN set_by_hand TEXT DEFAULT '' NOT NULL;
