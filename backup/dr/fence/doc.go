// Package fence lets one member of a cluster be primary, and keeps a former one from writing.
//
// # Recommendation
//
// ITU-T X.1642, clause 8.4: a system that fails is taken over by another at a second site, members are added without an
// interruption, and what comes back does no harm.
//
// # Ten lines
//
//	t := fence.Timing{TTL: 10 * time.Second, Stop: 2 * time.Second, DriftPPM: 200}
//	node, err := fence.NewNode(db, "orders", hostname, t, server) // server: May, Promote, Stop
//	go node.Run(ctx)
//
//	// on the storage side
//	gate, err := fence.OpenGate("/var/lib/orders/token")
//	err = gate.Do(token, func() error { return write(block) }) // ErrFenced: a newer primary has come
//
//	// before what knows no tokens
//	f := fence.NewForwarder(gate, nil)
//	go f.Serve(ctx, listener)
//	err = f.Lead(token, "10.0.0.2:5432") // connections to the former primary are cut by now
//
// # Promises
//
// A [Gate] never lets a token through after it has let a greater one through or has been told of it, also after a crash:
// the token is on disk before anything is done under it. What is being done under an older token has ended by then.
//
// A [Forwarder] carries no byte to or from a former primary once Lead has returned for the next.
//
// [Cluster.Elect] makes primary only who is ready and holds every acknowledged write, or who falls short of it by no more
// than somebody has accepted, by name and for a time. It is a function of its arguments. [Clusters] loads, decides, saves and
// records in one transaction, and what the holder of a lease does is behind its fence: a former holder changes nothing.
//
// # Clocks
//
// No two clocks need to agree. A [Node] begins to stop its primary before its lease ends by [Timing.Deadline], provided
// that the monotonic clocks of two machines run at rates that differ by DriftPPM at most, that Stop is as long as stopping
// takes, and that the process is running. A process that is stopped by the system, or a machine that is suspended, breaks
// the last of these: only a gate on the storage side stands against it.
//
// # What it will not do
//
// It does not copy data, and switches no power off. It does not undo what a former primary has written to its own disk:
// [Diverge] says what that is, and it has to be dropped or merged before the member is [Cluster.Join]ed again. The files of
// a Gate belong to it: who removes its lock lets a second process in.
package fence
