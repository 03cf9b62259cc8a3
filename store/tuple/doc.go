// Package tuple encodes tuples as byte strings that sort as the tuples do: part by part, a shorter tuple before a longer
// one that begins with it. The ids and indexed keys of package store are such tuples; the package is of use by itself
// for keys in a database of your own.
//
//	k := tuple.Text("acme").Int(7).Time(expiry)
//	db.Put(k.Encode(), value) // below every key of "acme" with an 8, whatever follows
//
// The encoding is that of the FoundationDB tuple layer (apple/foundationdb, design/tuple.md), for byte strings, texts,
// integers of 64 bits, booleans and tuples. Parts that stand in one place of all keys should be of one type; between
// types the order is byte strings, texts, tuples, integers, booleans.
//
// # Promises
//
// Each key has one encoding, and [Parse] accepts nothing else. Texts may hold any bytes.
package tuple
