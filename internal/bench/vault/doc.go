// Package vault measures this module beside HashiCorp Vault's transit engine and its splitting of secrets, in one run, in
// turns. Vault runs in this process, on its own storage in memory: no HTTP, no barrier, no disk. It is a module of its
// own, since Vault brings some hundred modules with it; no user of the library, nor of internal/bench, downloads them.
//
//	cd internal/bench/vault
//	go test                                        # that both sides do the work
//	go test -run='^$' -bench=. -benchtime=1x       # ratios
//
// A figure "x-vault" is the median, over rounds in which each side ran once, of Vault's time divided by ours: 2 says that
// Vault took twice as long in the same round.
package vault
