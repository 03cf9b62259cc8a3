// Package entry turns an opsec.Event into what a transparency log holds of it, and back.
package entry
