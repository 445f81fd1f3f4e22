-- The application's own table, in a schema of its own: ./mobula psql -f docs/examples/projects/schema.sql
CREATE SCHEMA IF NOT EXISTS projects;
CREATE TABLE IF NOT EXISTS projects.members (
    project text NOT NULL,
    user_id text NOT NULL,
    role text NOT NULL CHECK (role IN ('editor', 'viewer')),
    PRIMARY KEY (user_id, project)
);
