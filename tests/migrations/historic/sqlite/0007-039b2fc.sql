CREATE TABLE measurements (
	component TEXT NOT NULL,
	at DATETIME NOT NULL,
	state TEXT NOT NULL,
	value_ms INTEGER,
	text TEXT NOT NULL,
	CONSTRAINT pk_measurements PRIMARY KEY (component, at),
	CONSTRAINT ck_measurements_state CHECK (state IN ('operational', 'degraded', 'partial', 'major', 'unknown'))
);

CREATE INDEX ix_measurements_at ON measurements (at);

CREATE TABLE component_days (
	component TEXT NOT NULL,
	day DATE NOT NULL,
	operational_seconds INTEGER NOT NULL,
	degraded_seconds INTEGER NOT NULL,
	partial_seconds INTEGER NOT NULL,
	major_seconds INTEGER NOT NULL,
	unknown_seconds INTEGER NOT NULL,
	CONSTRAINT pk_component_days PRIMARY KEY (component, day)
);

CREATE TABLE audit_runs (
	id INTEGER NOT NULL,
	at DATETIME NOT NULL,
	took_ms INTEGER NOT NULL,
	orders INTEGER NOT NULL,
	is_sound BOOLEAN NOT NULL,
	differences TEXT NOT NULL,
	CONSTRAINT pk_audit_runs PRIMARY KEY (id)
);

CREATE TABLE incidents (
	id INTEGER NOT NULL,
	slug TEXT NOT NULL,
	request_id TEXT NOT NULL,
	title TEXT NOT NULL,
	impact TEXT NOT NULL,
	cost TEXT NOT NULL,
	phase TEXT NOT NULL,
	updates INTEGER NOT NULL,
	proposed_for TEXT,
	began_at DATETIME NOT NULL,
	published_at DATETIME,
	dismissed_at DATETIME,
	resolved_at DATETIME,
	planned_from DATETIME,
	planned_until DATETIME,
	CONSTRAINT pk_incidents PRIMARY KEY (id),
	CONSTRAINT ck_incidents_phase CHECK (phase IN ('investigating', 'identified', 'monitoring', 'resolved', 'planned')),
	CONSTRAINT ck_incidents_window CHECK ((planned_from IS NULL) = (planned_until IS NULL)),
	CONSTRAINT ck_incidents_window_order CHECK (planned_from IS NULL OR planned_from < planned_until),
	CONSTRAINT uq_incidents_request_id UNIQUE (request_id),
	CONSTRAINT uq_incidents_slug UNIQUE (slug)
);

CREATE UNIQUE INDEX uq_incidents_proposed ON incidents (proposed_for) WHERE published_at IS NULL AND dismissed_at IS NULL;

CREATE TABLE incident_updates (
	id INTEGER NOT NULL,
	incident_id INTEGER NOT NULL,
	phase TEXT NOT NULL,
	text TEXT NOT NULL,
	actor TEXT NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT pk_incident_updates PRIMARY KEY (id),
	CONSTRAINT ck_incident_updates_phase CHECK (phase IN ('investigating', 'identified', 'monitoring', 'resolved', 'planned')),
	CONSTRAINT fk_incident_updates_incident_id_incidents FOREIGN KEY(incident_id) REFERENCES incidents (id)
);

CREATE INDEX ix_incident_updates_incident ON incident_updates (incident_id, id);

CREATE TABLE incident_parts (
	update_id INTEGER NOT NULL,
	component TEXT NOT NULL,
	state TEXT NOT NULL,
	CONSTRAINT pk_incident_parts PRIMARY KEY (update_id, component),
	CONSTRAINT ck_incident_parts_state CHECK (state IN ('operational', 'degraded', 'partial', 'major', 'unknown')),
	CONSTRAINT fk_incident_parts_update_id_incident_updates FOREIGN KEY(update_id) REFERENCES incident_updates (id)
);

CREATE TRIGGER incident_updates_no_update BEFORE UPDATE ON incident_updates BEGIN SELECT RAISE(ABORT, 'incident_updates is append-only'); END;

CREATE TRIGGER incident_updates_no_delete BEFORE DELETE ON incident_updates BEGIN SELECT RAISE(ABORT, 'incident_updates is append-only'); END;

CREATE TRIGGER incident_parts_no_update BEFORE UPDATE ON incident_parts BEGIN SELECT RAISE(ABORT, 'incident_parts is append-only'); END;

CREATE TRIGGER incident_parts_no_delete BEFORE DELETE ON incident_parts BEGIN SELECT RAISE(ABORT, 'incident_parts is append-only'); END;
