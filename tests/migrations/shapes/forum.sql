-- The shape of a forum made with Rails (Discourse): bigserial ids, arrays, inet, jsonb with defaults, tsvector kept by a trigger, indexes of
-- expressions and of a part of the rows, booleans with defaults, a table without a key of its own numbers, an enum, soft deletes, a view.
CREATE TYPE hotlinked_media_status AS ENUM ('downloaded', 'too_large', 'upload_create_failed');
CREATE TABLE schema_migrations (version character varying NOT NULL PRIMARY KEY);
CREATE TABLE users (
    id bigserial PRIMARY KEY, username varchar(60) NOT NULL, username_lower varchar(60) NOT NULL, created_at timestamp(6) NOT NULL, name varchar, active boolean NOT NULL DEFAULT false,
    trust_level integer NOT NULL, date_of_birth date, ip_address inet, registration_ip_address inet, group_locked_trust_level integer, secure_identifier varchar, flair_group_id int
);
CREATE UNIQUE INDEX index_users_on_username_lower ON users (username_lower);
CREATE INDEX idx_users_admin ON users (id) WHERE trust_level > 3;
CREATE TABLE topics (
    id serial PRIMARY KEY, title varchar NOT NULL, last_posted_at timestamp(6), views integer NOT NULL DEFAULT 0, user_id bigint REFERENCES users, deleted_at timestamp(6),
    archetype varchar NOT NULL DEFAULT 'regular', percent_rank double precision NOT NULL DEFAULT 1.0, tags text[] NOT NULL DEFAULT '{}', allowed integer[], custom jsonb NOT NULL DEFAULT '{}',
    slug varchar, CHECK (title <> '')
);
CREATE INDEX ON topics (lower(title));
CREATE TABLE posts (
    id serial PRIMARY KEY, user_id bigint REFERENCES users ON DELETE SET NULL, topic_id integer NOT NULL REFERENCES topics ON DELETE CASCADE, post_number integer NOT NULL,
    raw text NOT NULL, cooked text NOT NULL, reply_to_post_number integer, score double precision, hidden_at timestamp, self_edits integer DEFAULT 0 NOT NULL,
    raw_email bytea, action_code varchar, UNIQUE (topic_id, post_number)
);
CREATE TABLE post_hotlinked_media (
    id bigserial PRIMARY KEY, post_id bigint NOT NULL, url varchar NOT NULL, status hotlinked_media_status NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE topic_users (
    user_id integer NOT NULL, topic_id integer NOT NULL, last_read_post_number integer, total_msecs_viewed integer NOT NULL DEFAULT 0, bookmarked boolean DEFAULT false,
    PRIMARY KEY (user_id, topic_id)
);
CREATE TABLE user_auth_tokens (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id integer NOT NULL, auth_token char(64) NOT NULL, client_ip cidr, seen interval);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('posts', NEW.id::text); RETURN NULL; END $$;
CREATE TRIGGER heard AFTER INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION hear();
CREATE VIEW badge_posts AS SELECT p.* FROM posts p JOIN topics t ON t.id = p.topic_id WHERE t.deleted_at IS NULL;

INSERT INTO schema_migrations VALUES ('20000225050318'), ('20120311163914');
INSERT INTO users (id, username, username_lower, created_at, name, active, trust_level, date_of_birth, ip_address, registration_ip_address) VALUES
    (-1, 'system', 'system', '2013-02-05 23:28:03.123456', '', true, 4, '1904-02-29', '127.0.0.1', NULL),
    (5000000000, 'Größe', 'größe', '2013-02-05', NULL, false, 0, NULL, '2001:db8::1/64', '10.0.0.0/8');
INSERT INTO topics (title, last_posted_at, user_id, tags, allowed, custom) VALUES ('Welcome to {{site}}', '0001-01-01 00:00:00.000001', -1, '{support,"a,b","",NULL}', '{1,NULL,3}', '{"a": [1, {"b": null}], "é": 1.15}'),
    ('</script>', NULL, NULL, '{}', NULL, '[]');
INSERT INTO posts (user_id, topic_id, post_number, raw, cooked, score, raw_email) VALUES (-1, 1, 1, E'# Hi\n\n* a', '<h1>Hi</h1>', 0.2, NULL), (NULL, 1, 2, '', '', 'Infinity', '\x00ff');
INSERT INTO post_hotlinked_media (post_id, url, status) VALUES (1, 'https://example.com/a.png', 'downloaded'), (1, '', 'too_large');
INSERT INTO topic_users VALUES (-1, 1, 2, 0, NULL), (1, 1, NULL, 2147483647, true);
INSERT INTO user_auth_tokens (user_id, auth_token, client_ip, seen) VALUES (1, repeat('a', 64), '192.168.100.128/25', '1 mon -1 day 04:05:06.7'), (2, '', NULL, NULL);
