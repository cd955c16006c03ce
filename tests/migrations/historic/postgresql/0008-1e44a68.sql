CREATE TABLE favorites (
	user_id BIGINT NOT NULL,
	tool_id BIGINT NOT NULL,
	chosen_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_favorites PRIMARY KEY (user_id, tool_id),
	CONSTRAINT fk_favorites_tool_id_tools FOREIGN KEY(tool_id) REFERENCES tools (id),
	CONSTRAINT fk_favorites_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);
