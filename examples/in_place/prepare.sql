ALTER TABLE users ADD COLUMN IF NOT EXISTS mail_domain text;
