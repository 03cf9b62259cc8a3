// Package interop tests this module against what others have made: databases, cryptographic libraries, servers. It is
// a module of its own, so that no user of the library downloads them.
//
//	cd internal/interop
//	go test ./...
//
// What is not installed is skipped, unless CI=true: there it fails.
package interop
