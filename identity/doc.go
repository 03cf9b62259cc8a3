// Package identity keeps accounts: who has them, what they may do, and where they stand in their lives.
package identity
