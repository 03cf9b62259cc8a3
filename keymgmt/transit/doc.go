// Package transit configures TLS.
package transit
