ALTER TABLE users ADD COLUMN sealed_totp TEXT DEFAULT '' NOT NULL;

ALTER TABLE users ADD COLUMN totp_step BIGINT DEFAULT '0' NOT NULL;

ALTER TABLE users ADD COLUMN closed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE sign_ins ADD COLUMN second_factor_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE half_sign_ins (
	id BIGSERIAL NOT NULL,
	user_id BIGINT NOT NULL,
	token_hash TEXT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_half_sign_ins PRIMARY KEY (id),
	CONSTRAINT fk_half_sign_ins_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_half_sign_ins_token_hash UNIQUE (token_hash)
);

CREATE INDEX ix_half_sign_ins_user_id ON half_sign_ins (user_id);

CREATE TABLE recovery_codes (
	id BIGSERIAL NOT NULL,
	user_id BIGINT NOT NULL,
	code_hash TEXT NOT NULL,
	used_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_recovery_codes PRIMARY KEY (id),
	CONSTRAINT fk_recovery_codes_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_recovery_codes_user_id_code_hash UNIQUE (user_id, code_hash)
);
