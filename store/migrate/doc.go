// Package migrate moves a store from one engine to another: from memory or a file to a database server, or back.
//
//	sum, err := migrate.Copy(ctx, to, from) // two drivers; nobody else writes to them meanwhile
//
// The copy is read back and compared by digest. Sealed values stay sealed, under the same keys; nothing is decoded.
package migrate
