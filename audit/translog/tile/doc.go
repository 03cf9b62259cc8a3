// Package tile keeps a transparency log's Merkle tree and entries in files of the C2SP tlog-tiles layout.
package tile
