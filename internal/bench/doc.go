// Package bench measures this module beside its peers, in one run, on one machine, in turns. It is a module of its
// own, so that no user of the library downloads the peers.
//
//	cd internal/bench
//	go test -run='^$' -bench=Sum -benchtime=1x            # ratios and speeds, some minutes
//	go test -run='^$' -bench='SumFile/.*/ratios' -count=5 # the bars of the documentation
//	go test -mib=64                                       # the tests, small
//
// A line "ratios" gives for every peer the median, over rounds in which each contestant ran once, of the peer's time
// divided by ours: 2 x-zeebo says that zeebo took twice as long in the same round. On a machine with other work the
// ratios hold far better than the speeds. Logs have lines of their own (-bench=Translog), each with its ratios.
package bench
