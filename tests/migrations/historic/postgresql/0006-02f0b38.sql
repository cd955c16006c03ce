CREATE TABLE claims (
	order_id BIGINT NOT NULL,
	operator_id BIGINT NOT NULL,
	claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	until TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_claims PRIMARY KEY (order_id),
	CONSTRAINT fk_claims_operator_id_users FOREIGN KEY(operator_id) REFERENCES users (id),
	CONSTRAINT fk_claims_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_audit_log_subject ON audit_log (subject, id);

ALTER TABLE users ADD COLUMN disabled_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE users ADD COLUMN disabled_reason TEXT DEFAULT '' NOT NULL;

ALTER TABLE top_ups ADD COLUMN refused_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE top_ups ADD COLUMN refused_reason TEXT DEFAULT '' NOT NULL;

ALTER TABLE providers ADD COLUMN public_name TEXT DEFAULT '' NOT NULL;

ALTER TABLE providers ADD COLUMN failure TEXT DEFAULT '' NOT NULL;

ALTER TABLE providers ADD COLUMN balance TEXT DEFAULT '' NOT NULL;

ALTER TABLE providers ADD COLUMN balance_problem TEXT DEFAULT '' NOT NULL;

ALTER TABLE providers ADD COLUMN answered_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE providers ADD COLUMN failed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE providers ADD COLUMN balance_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE providers ADD COLUMN balance_due_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX ix_transfers_adjustments ON transfers (order_id) WHERE kind = 'adjustment';

CREATE TABLE proposals (
	id BIGSERIAL NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	customer_id BIGINT NOT NULL,
	amount_nanos BIGINT NOT NULL,
	reason TEXT NOT NULL,
	form_key TEXT NOT NULL,
	top_up_id BIGINT,
	proposed_by BIGINT NOT NULL,
	proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
	decided_by BIGINT,
	decided_at TIMESTAMP WITH TIME ZONE,
	answer TEXT NOT NULL,
	transfer_id BIGINT,
	CONSTRAINT pk_proposals PRIMARY KEY (id),
	CONSTRAINT ck_proposals_amount_positive CHECK (amount_nanos > 0),
	CONSTRAINT ck_proposals_kind CHECK (kind IN ('credit', 'debit', 'top_up')),
	CONSTRAINT ck_proposals_state CHECK (state IN ('open', 'confirmed', 'refused', 'expired')),
	CONSTRAINT ck_proposals_two_operators CHECK (decided_by IS NULL OR decided_by <> proposed_by),
	CONSTRAINT ck_proposals_top_up CHECK ((kind = 'top_up') = (top_up_id IS NOT NULL)),
	CONSTRAINT fk_proposals_customer_id_users FOREIGN KEY(customer_id) REFERENCES users (id),
	CONSTRAINT fk_proposals_decided_by_users FOREIGN KEY(decided_by) REFERENCES users (id),
	CONSTRAINT fk_proposals_proposed_by_users FOREIGN KEY(proposed_by) REFERENCES users (id),
	CONSTRAINT fk_proposals_top_up_id_top_ups FOREIGN KEY(top_up_id) REFERENCES top_ups (id),
	CONSTRAINT fk_proposals_transfer_id_transfers FOREIGN KEY(transfer_id) REFERENCES transfers (id),
	CONSTRAINT uq_proposals_form_key UNIQUE (form_key)
);

CREATE INDEX ix_proposals_customer_id ON proposals (customer_id);

CREATE UNIQUE INDEX uq_proposals_top_up ON proposals (top_up_id) WHERE state = 'open';
