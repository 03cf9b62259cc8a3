// Package identity wires what control planes wire: the directory of accounts with the log-in desk, the sessions and the audit of
// accounts, none of which knows another.
package identity
