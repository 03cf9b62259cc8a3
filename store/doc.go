// Package store is how services remember.
package store
