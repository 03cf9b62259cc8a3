// Package keyring uses the keys of package keymgmt, through Tink.
package keyring
