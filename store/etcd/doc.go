// Package etcd is a [store.Driver] on an etcd cluster (https://etcd.io), for services on several machines that have one
// already: every node reads and writes, and the loss of a minority of the members costs nothing.
//
// # Recommendation
//
// Clauses 8.2 and 8.8 of Recommendation ITU-T X.1642, through package store: what a service remembers outlives a
// machine, is protected on its way, and can be restored.
//
// # In short
//
//	client, err := clientv3.New(clientv3.Config{
//		Endpoints:            []string{"https://etcd-1.example:2379", "https://etcd-2.example:2379"},
//		TLS:                  tlsConfig,
//		DialKeepAliveTime:    10 * time.Second, // without them a Watch does not notice a network that is silent
//		DialKeepAliveTimeout: 3 * time.Second,
//	})
//	driver, err := etcd.New(client, &etcd.Options{Prefix: "prod"})
//	db, err := store.New(driver, nil)
//
// Several stores live in one cluster under prefixes of their own ([Options]). The module is one of its own, so that
// nobody else downloads etcd's client.
//
// # Promises
//
// All that package store asks of a driver. Reads are linearizable, whichever member they go to. A commit is one
// transaction of etcd, and the Rev of a key its mod_revision. A commit whose end is not known is
// [store.ErrIndeterminate], which a DB settles; what the cluster has refused before it did anything is a plain error.
// Nothing that may have been done is sent again: the client of etcd by itself would send a transaction twice when a
// server answers that its own time was up.
//
// A call waits while no member can be reached, and ends with its context. Give each context a deadline.
//
// [Driver.Watch] goes on over broken connections, elections and compactions, with a hint after each. etcd sends the
// values of what has changed along; they are thrown away.
//
// # TLS
//
// Put a tls.Config with RootCAs, Certificates and MinVersion into the client, run the members with --client-cert-auth
// and --trusted-ca-file, and write every endpoint with https:// and a name of the member's certificate: the client
// verifies that name, ignores tls.Config.ServerName, and drops TLS without a word for an endpoint with http://. A side
// that is refused sees the context end; why is in the client's Logger. Where etcd's own authentication is on, the role of
// a service is granted its prefix with the colon, and no more:
//
//	etcdctl role grant-permission console --prefix=true readwrite prod:
//
// # Limits
//
// A full batch takes less than 1.3 MiB on the wire, and fits a cluster as it comes (--max-request-bytes of 1.5 MiB,
// --max-txn-ops of 128). Where these are lower, larger batches are [store.ErrTooLarge]. Leave MaxCallRecvMsgSize of the
// client alone: a Get of 100 large values is an answer of 25 MiB.
//
// What List costs the cluster grows with the range and not with the page: etcd counts all keys of the range, and in
// reverse collects them first. On two cores, a page over a range of 300,000 keys took 30 ms, in reverse 130 ms, over
// 2,000 keys 3 ms.
//
// All keys are in the memory of each member, and etcd suggests 8 GiB of data at most; the quota is 2 GiB unless
// --quota-backend-bytes says otherwise. What it holds is not only what is there: an Update leaves the old versions of its
// records, index entries, guard and marker behind until they are compacted. A hundred updates a second of records of 1
// KiB are half a GiB an hour. The driver needs no history, so let the members compact it:
//
//	--auto-compaction-mode=periodic --auto-compaction-retention=5m
//
// At its quota the cluster refuses whatever writes a value, [ErrNoSpace], also a DB's deletes, which write their marker,
// until an operator has compacted, run etcdctl defrag and etcdctl alarm disarm. Reads go on. Compaction, defragmentation
// and snapshots are the operator's; nothing here does them.
//
// # Backups
//
// Take them with etcdctl snapshot save, and restore them so that no Rev comes twice:
//
//	etcdutl snapshot restore backup.db --bump-revision 1000000000 --mark-compacted ...
//
// The bump must exceed the commits that the lost cluster can have made since the backup. Without it a node that
// remembers a Rev from before the loss would find it again on another value, and overwrite that.
package etcd
