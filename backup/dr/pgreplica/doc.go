// Package pgreplica watches a streaming replication of PostgreSQL.
package pgreplica
