// Package envelope encrypts data.
package envelope
