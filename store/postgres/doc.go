// Package postgres is an engine for package store: a table of PostgreSQL.
package postgres
