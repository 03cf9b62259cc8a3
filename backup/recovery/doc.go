// Package recovery tests that backups can be restored, and how long that takes.
package recovery
