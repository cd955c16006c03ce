ALTER TABLE users ADD COLUMN email_confirmed_at DATETIME;

ALTER TABLE users ADD COLUMN notices_off TEXT DEFAULT '' NOT NULL;

ALTER TABLE users ADD COLUMN noticed_at DATETIME;

UPDATE users SET email_confirmed_at = created_at WHERE is_operator;

ALTER TABLE orders ADD COLUMN notice_at DATETIME;

CREATE INDEX ix_orders_notice ON orders (customer_id) WHERE notice_at IS NOT NULL;

CREATE TABLE mails (
	id INTEGER NOT NULL,
	"key" TEXT NOT NULL,
	kind TEXT NOT NULL,
	user_id INTEGER,
	email TEXT NOT NULL,
	subject TEXT NOT NULL,
	text TEXT NOT NULL,
	is_sealed BOOLEAN NOT NULL,
	unsubscribe TEXT NOT NULL,
	queued_at DATETIME NOT NULL,
	due_at DATETIME,
	tries INTEGER NOT NULL,
	sent_at DATETIME,
	given_up_at DATETIME,
	error TEXT NOT NULL,
	CONSTRAINT pk_mails PRIMARY KEY (id),
	CONSTRAINT fk_mails_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_mails_key UNIQUE ("key")
);

CREATE INDEX ix_mails_user_id ON mails (user_id);

CREATE INDEX ix_mails_sent_at ON mails (sent_at);

CREATE INDEX ix_mails_given_up_at ON mails (given_up_at);

CREATE INDEX ix_mails_due ON mails (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE mailed_links (
	id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	purpose TEXT NOT NULL,
	email TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	made_at DATETIME NOT NULL,
	expires_at DATETIME NOT NULL,
	ended_at DATETIME,
	CONSTRAINT pk_mailed_links PRIMARY KEY (id),
	CONSTRAINT ck_mailed_links_purpose CHECK (purpose IN ('reset', 'confirm')),
	CONSTRAINT fk_mailed_links_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_mailed_links_token_hash UNIQUE (token_hash)
);

CREATE INDEX ix_mailed_links_user_id ON mailed_links (user_id);

CREATE INDEX ix_mailed_links_expires_at ON mailed_links (expires_at);

CREATE TABLE reset_requests (
	id INTEGER NOT NULL,
	email TEXT NOT NULL,
	asked_at DATETIME NOT NULL,
	CONSTRAINT pk_reset_requests PRIMARY KEY (id)
);

CREATE TABLE email_changes (
	id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	old_email TEXT NOT NULL,
	new_email TEXT NOT NULL,
	old_token_hash TEXT,
	new_token_hash TEXT,
	asked_at DATETIME NOT NULL,
	expires_at DATETIME NOT NULL,
	old_opened_at DATETIME,
	new_opened_at DATETIME,
	ended_at DATETIME,
	CONSTRAINT pk_email_changes PRIMARY KEY (id),
	CONSTRAINT fk_email_changes_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_email_changes_new_token_hash UNIQUE (new_token_hash),
	CONSTRAINT uq_email_changes_old_token_hash UNIQUE (old_token_hash)
);

CREATE INDEX ix_email_changes_user_id ON email_changes (user_id);

CREATE INDEX ix_email_changes_expires_at ON email_changes (expires_at);
