// Package etcd is a [store.Driver] over etcd (https://etcd.io), for services on several machines that have a cluster of
// it already.
package etcd
