// Package memory is a [store.Driver] in the memory of the process: for tests, scripts and examples. It forgets
// everything when the process ends, so it is no place for what a service must remember; that is what store/bolt and
// store/postgres are for.
//
//	driver := memory.New()
//	defer driver.Close()
//
// It keeps every sentence of the contract but durability. Reads hand out the stored values without copying them, and
// share one lock that writers hold alone.
package memory
