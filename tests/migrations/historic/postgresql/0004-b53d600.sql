ALTER TABLE users ADD COLUMN email_confirmed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE users ADD COLUMN notices_off TEXT DEFAULT '' NOT NULL;

ALTER TABLE users ADD COLUMN noticed_at TIMESTAMP WITH TIME ZONE;

UPDATE users SET email_confirmed_at = created_at WHERE is_operator;

ALTER TABLE orders ADD COLUMN notice_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX ix_orders_notice ON orders (customer_id) WHERE notice_at IS NOT NULL;

CREATE TABLE mails (
	id BIGSERIAL NOT NULL,
	key TEXT NOT NULL,
	kind TEXT NOT NULL,
	user_id BIGINT,
	email TEXT NOT NULL,
	subject TEXT NOT NULL,
	text TEXT NOT NULL,
	is_sealed BOOLEAN NOT NULL,
	unsubscribe TEXT NOT NULL,
	queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
	rank BIGINT NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE,
	tries BIGINT NOT NULL,
	sent_at TIMESTAMP WITH TIME ZONE,
	given_up_at TIMESTAMP WITH TIME ZONE,
	error TEXT NOT NULL,
	CONSTRAINT pk_mails PRIMARY KEY (id),
	CONSTRAINT fk_mails_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_mails_key UNIQUE (key)
);

CREATE INDEX ix_mails_user_id ON mails (user_id);

CREATE INDEX ix_mails_sent_at ON mails (sent_at);

CREATE INDEX ix_mails_given_up_at ON mails (given_up_at);

CREATE INDEX ix_mails_due ON mails (rank, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE mailed_links (
	id BIGSERIAL NOT NULL,
	user_id BIGINT NOT NULL,
	purpose TEXT NOT NULL,
	email TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	made_at TIMESTAMP WITH TIME ZONE NOT NULL,
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
	ended_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_mailed_links PRIMARY KEY (id),
	CONSTRAINT ck_mailed_links_purpose CHECK (purpose IN ('reset', 'confirm')),
	CONSTRAINT fk_mailed_links_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_mailed_links_token_hash UNIQUE (token_hash)
);

CREATE INDEX ix_mailed_links_user_id ON mailed_links (user_id);

CREATE INDEX ix_mailed_links_expires_at ON mailed_links (expires_at);

CREATE TABLE reset_requests (
	id BIGSERIAL NOT NULL,
	email TEXT NOT NULL,
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_reset_requests PRIMARY KEY (id)
);

CREATE TABLE email_changes (
	id BIGSERIAL NOT NULL,
	user_id BIGINT NOT NULL,
	old_email TEXT NOT NULL,
	new_email TEXT NOT NULL,
	old_token_hash TEXT,
	new_token_hash TEXT,
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
	old_opened_at TIMESTAMP WITH TIME ZONE,
	new_opened_at TIMESTAMP WITH TIME ZONE,
	ended_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_email_changes PRIMARY KEY (id),
	CONSTRAINT fk_email_changes_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_email_changes_new_token_hash UNIQUE (new_token_hash),
	CONSTRAINT uq_email_changes_old_token_hash UNIQUE (old_token_hash)
);

CREATE INDEX ix_email_changes_user_id ON email_changes (user_id);

CREATE INDEX ix_email_changes_expires_at ON email_changes (expires_at);
