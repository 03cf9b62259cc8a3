// Package dbtest holds a store.DB over an engine of your own to what package store promises on top of a driver:
// transactions, collections, unique indexes, tenants, events, nodes of two versions, leases and feeds, on two nodes and
// under every fault that a driver may have. Package storetest is for the driver itself; pass that first.
//
//	func TestStore(t *testing.T) {
//		h := storetest.Harness{Open: openMine, Again: secondHandle}
//		storetest.Run(t, h)
//		dbtest.Run(t, h, nil)
//	}
package dbtest
